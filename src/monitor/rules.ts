// How bad a finding is, and which ATT&CK technique it is where that is plain from the effect. Tables only: first row
// that fits.
import type { Effect, Op, Resource } from '../effect/index.ts';
import type { Provenance } from '../policy/index.ts';
import { type Distance, distanceOf } from './distance.ts';
import { type Expected, type FindingKind, SEVERITIES, type Severity, type Technique } from './finding.ts';
import { isUnnamed } from './runtime.ts';

interface Rule<T> {
  readonly kinds?: readonly FindingKind[];
  readonly ops?: readonly Op[];
  /** On the path of a file or program. */
  readonly path?: RegExp;
  /** On the access letters. */
  readonly access?: RegExp;
  readonly value?: RegExp;
  /** On the address of the other side. */
  readonly peer?: RegExp;
  readonly is: T;
}

const shell = /\/(ba|da|a|z|k|c|tc|fi)?sh$|\/busybox$/;
const interpreter = /\/(python|perl|ruby|php|node|lua|tclsh|gawk|awk)[\d.]*$/;
const download = /\/(curl|wget|tftp|ftp)$/;
const sockets = /\/(nc|ncat|netcat|socat)(\.[a-z]+)?$/;
const writable = /^\/(tmp|var\/tmp|dev\/shm|run|memfd:)|^memfd:/;
const tokens = /^\/(var\/)?run\/secrets\/(kubernetes\.io|eks\.amazonaws\.com|azure)\//;
const privateKeys = /\/\.ssh\/(id_|identity)|_rsa$|\.pem$|\.key$/;
const secret =
  /^\/etc\/(g?shadow|sudoers)|\/\.ssh\/|_rsa$|\.pem$|\.key$|^\/(var\/)?run\/secrets\/|^\/proc\/(\d+|self)\/(mem|environ)$|\/\.aws\/|\/\.kube\//;
const runtimeSocket = /\/(docker|containerd|crio|podman)\.sock$/;
const root = /(^|\D)0(\D|$)/;
const changes = /[wct]|a/;
const changing: readonly Op[] = ['OPEN', 'WRITE', 'TRUNCATE', 'RENAME', 'LINK', 'SYMLINK', 'MKNOD'];

const severities: readonly Rule<Severity>[] = [
  { kinds: ['foreign-program'], path: shell, is: 'critical' },
  { kinds: ['foreign-program'], path: interpreter, is: 'critical' },
  { kinds: ['foreign-program'], path: download, is: 'critical' },
  { kinds: ['foreign-program'], path: sockets, is: 'critical' },
  { kinds: ['foreign-program'], path: writable, is: 'critical' },
  { kinds: ['foreign-program', 'unknown-task'], is: 'high' },
  { kinds: ['identity-change'], value: root, is: 'critical' },
  { kinds: ['identity-change'], is: 'high' },
  { ops: ['PTRACE', 'MODULE', 'BPF', 'MOUNT', 'SETNS', 'REBOOT'], is: 'critical' },
  { kinds: ['out-of-order'], ops: ['CLOSE', 'SHUTDOWN', 'READ', 'WRITE', 'MMAP', 'EXIT'], is: 'low' },
  { kinds: ['out-of-order'], is: 'medium' },
  { kinds: ['wrong-phase'], ops: ['EXEC', 'SETUID', 'SETGID', 'CONNECT', 'BIND', 'LISTEN'], is: 'high' },
  { kinds: ['wrong-phase'], is: 'medium' },
  { ops: ['OPEN', 'CONNECT'], path: runtimeSocket, is: 'critical' },
  {
    ops: ['UNSHARE', 'CHROOT', 'UMOUNT', 'SETCAP', 'CONNECT', 'BIND', 'LISTEN', 'ACCEPT', 'KILL'],
    is: 'high',
  },
  {
    ops: ['OPEN', 'READ', 'WRITE', 'MMAP', 'LINK', 'RENAME', 'SYMLINK', 'UNLINK', 'CHMOD', 'CHOWN'],
    path: secret,
    is: 'high',
  },
  { ops: ['OPEN'], access: changes, is: 'high' },
  {
    ops: ['WRITE', 'TRUNCATE', 'RENAME', 'UNLINK', 'LINK', 'SYMLINK', 'CHMOD', 'CHOWN', 'MKNOD', 'SETXATTR'],
    is: 'high',
  },
  { ops: ['CLOSE', 'SHUTDOWN'], is: 'low' },
  { is: 'medium' },
];

interface Shift {
  readonly kinds?: readonly FindingKind[];
  readonly ops?: readonly Op[];
  readonly distance?: Distance;
  /** Provenance of the nearest effect that the policy has. */
  readonly provenance?: Provenance;
  /** Steps up or down. */
  readonly by: 1 | -1;
}

/** First row that fits. What is critical whatever the policy has stays so, and so does what touches secrets. */
const shifts: readonly Shift[] = [
  // A program that never makes connections, or never takes any, does so now.
  {
    kinds: ['foreign-effect', 'wrong-resource'],
    ops: ['CONNECT', 'BIND', 'LISTEN'],
    distance: 'none',
    by: 1,
  },
  { kinds: ['wrong-resource', 'foreign-program'], distance: 'near', by: -1 },
  // Order among effects that no run showed is the model's guess.
  { kinds: ['out-of-order', 'wrong-phase'], provenance: 'inferred', by: -1 },
];

const technique = (id: string, name: string): Technique => ({ id, name });
const interpreterNamed = (id: string, name: string): Technique =>
  technique(id, `Command and Scripting Interpreter: ${name}`);
const hostEscape = technique('T1611', 'Escape to Host');

/** Techniques of ATT&CK for Enterprise, named `technique` or `technique: sub-technique`. */
const techniques: readonly Rule<Technique>[] = [
  { kinds: ['unknown-task'], ops: ['EXEC'], is: technique('T1609', 'Container Administration Command') },
  { kinds: ['foreign-program'], path: shell, is: interpreterNamed('T1059.004', 'Unix Shell') },
  { kinds: ['foreign-program'], path: /\/python[\d.]*$/, is: interpreterNamed('T1059.006', 'Python') },
  { kinds: ['foreign-program'], path: /\/node$/, is: interpreterNamed('T1059.007', 'JavaScript') },
  { kinds: ['foreign-program'], path: /\/lua[\d.]*$/, is: interpreterNamed('T1059.011', 'Lua') },
  {
    kinds: ['foreign-program'],
    path: interpreter,
    is: technique('T1059', 'Command and Scripting Interpreter'),
  },
  { kinds: ['foreign-program'], path: download, is: technique('T1105', 'Ingress Tool Transfer') },
  { kinds: ['foreign-program'], path: sockets, is: technique('T1095', 'Non-Application Layer Protocol') },
  {
    kinds: ['identity-change'],
    value: root,
    is: technique('T1548', 'Abuse Elevation Control Mechanism'),
  },
  { ops: ['PTRACE'], is: technique('T1055.008', 'Process Injection: Ptrace System Calls') },
  {
    ops: ['MODULE'],
    is: technique('T1547.006', 'Boot or Logon Autostart Execution: Kernel Modules and Extensions'),
  },
  { ops: ['REBOOT'], is: technique('T1529', 'System Shutdown/Reboot') },
  { ops: ['MOUNT', 'SETNS', 'UNSHARE'], is: hostEscape },
  { ops: ['OPEN', 'CONNECT'], path: runtimeSocket, is: hostEscape },
  {
    ops: ['CONNECT'],
    peer: /^169\.254\.169\.254$|^fd00:ec2::254$/,
    is: technique('T1552.005', 'Unsecured Credentials: Cloud Instance Metadata API'),
  },
  // What is changed, before what is only read.
  {
    ops: changing,
    path: /\/\.ssh\/authorized_keys$/,
    access: changes,
    is: technique('T1098.004', 'Account Manipulation: SSH Authorized Keys'),
  },
  {
    ops: changing,
    path: /^\/etc\/(cron|anacrontab)|^\/var\/spool\/cron/,
    access: changes,
    is: technique('T1053.003', 'Scheduled Task/Job: Cron'),
  },
  {
    ops: changing,
    path: /^\/etc\/ld\.so\.preload$/,
    access: changes,
    is: technique('T1574.006', 'Hijack Execution Flow: Dynamic Linker Hijacking'),
  },
  {
    ops: changing,
    path: /^\/etc\/(bash\.bashrc|bashrc|profile|profile\.d\/.*|zsh\/.*)$|\/\.((bash|zsh|k)rc|(bash_|z)?profile|bash_login|zshenv)$/,
    access: changes,
    is: technique('T1546.004', 'Event Triggered Execution: Unix Shell Configuration Modification'),
  },
  {
    ops: changing,
    path: /^\/(etc|usr\/lib|lib|run)\/systemd\/.*\.(service|timer|socket|path)$/,
    access: changes,
    is: technique('T1543.002', 'Create or Modify System Process: Systemd Service'),
  },
  {
    ops: changing,
    path: /^\/etc\/(rc\.local|init\.d\/.*|rc\d?\.d\/.*)$/,
    access: changes,
    is: technique('T1037.004', 'Boot or Logon Initialization Scripts: RC Scripts'),
  },
  {
    ops: changing,
    path: /^\/etc\/(passwd|g?shadow|sudoers|sudoers\.d\/.*)$/,
    access: changes,
    is: technique('T1098', 'Account Manipulation'),
  },
  {
    ops: ['OPEN', 'READ'],
    path: /^\/etc\/g?shadow/,
    is: technique('T1003.008', 'OS Credential Dumping: /etc/passwd and /etc/shadow'),
  },
  {
    ops: ['OPEN', 'READ'],
    path: /^\/proc\/(\d+|self)\/mem$/,
    is: technique('T1003.007', 'OS Credential Dumping: Proc Filesystem'),
  },
  { ops: ['OPEN', 'READ'], path: tokens, is: technique('T1528', 'Steal Application Access Token') },
  {
    ops: ['OPEN', 'READ'],
    path: privateKeys,
    is: technique('T1552.004', 'Unsecured Credentials: Private Keys'),
  },
  { ops: ['OPEN', 'READ'], path: secret, is: technique('T1552', 'Unsecured Credentials') },
  {
    ops: ['UNLINK', 'TRUNCATE'],
    path: /^\/var\/log\//,
    is: technique('T1070.002', 'Indicator Removal: Clear Linux or Mac System Logs'),
  },
  {
    ops: ['CHMOD', 'CHOWN'],
    is: technique(
      'T1222.002',
      'File and Directory Permissions Modification: Linux and Mac File and Directory Permissions Modification',
    ),
  },
];

/** `expected`: what the policy has there, nearest first. */
export function severityOf(kind: FindingKind, effect: Effect, expected: readonly Expected[] = []): Severity {
  const base = first(severities, kind, effect) ?? 'medium';
  const isSecret = pathOf(effect.resource).some((path) => secret.test(path) || runtimeSocket.test(path));
  if (base === 'critical' || isSecret) return base;
  const distance = distanceOf(effect, expected);
  const shift = shifts.find(
    (row) =>
      (row.kinds?.includes(kind) ?? true) &&
      (row.ops?.includes(effect.op) ?? true) &&
      (row.distance === undefined || row.distance === distance) &&
      (row.provenance === undefined || row.provenance === expected[0]?.provenance),
  );
  const level = SEVERITIES.indexOf(base) + (shift?.by ?? 0);
  return SEVERITIES[Math.max(0, Math.min(level, SEVERITIES.length - 1))];
}

export function techniqueOf(kind: FindingKind, effect: Effect): Technique | undefined {
  // Something that the program does anyway, at another time, is no technique by itself.
  return kind === 'out-of-order' || kind === 'wrong-phase' ? undefined : first(techniques, kind, effect);
}

function first<T>(
  rules: readonly Rule<T>[],
  kind: FindingKind,
  { op, access, resource }: Effect,
): T | undefined {
  const path = pathOf(resource);
  const value = resource.kind === 'id' ? resource.value : '';
  const peer = resource.kind === 'net' ? resource.peer.address : '';
  return rules.find(
    (rule) =>
      (rule.kinds?.includes(kind) ?? true) &&
      (rule.ops?.includes(op) ?? true) &&
      (rule.path === undefined || path.some((text) => rule.path?.test(text))) &&
      (rule.access === undefined || op !== 'OPEN' || rule.access.test(access)) &&
      (rule.value?.test(value) ?? true) &&
      (rule.peer?.test(peer) ?? true),
  )?.is;
}

function pathOf(resource: Resource): readonly string[] {
  if (resource.kind === 'program')
    return isUnnamed(resource.path) ? resource.args.flatMap((arg) => arg.split(' ')) : [resource.path];
  if (resource.kind === 'file')
    return resource.to === undefined ? [resource.path] : [resource.path, resource.to];
  return [];
}
