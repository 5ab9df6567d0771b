// How bad a finding is, and which ATT&CK technique it is where that is plain from the effect. Tables only: first row
// that fits.
import type { Effect, Op, Resource } from '../effect/index.ts';
import type { FindingKind, Severity, Technique } from './finding.ts';
import { isUnnamed } from './runtime.ts';

interface Rule<T> {
  readonly kinds?: readonly FindingKind[];
  readonly ops?: readonly Op[];
  /** On the path of a file or program. */
  readonly path?: RegExp;
  /** On the access letters. */
  readonly access?: RegExp;
  readonly value?: RegExp;
  readonly is: T;
}

const shell = /\/(ba|da|a|z|k|c|tc|fi)?sh$|\/busybox$/;
const interpreter = /\/(python|perl|ruby|php|node|lua|tclsh|gawk|awk)[\d.]*$/;
const download = /\/(curl|wget|nc|ncat|netcat|socat|tftp|ftp)(\.[a-z]+)?$/;
const writable = /^\/(tmp|var\/tmp|dev\/shm|run|memfd:)|^memfd:/;
const secret =
  /^\/etc\/(g?shadow|sudoers)|\/\.ssh\/|_rsa$|\.pem$|\.key$|^\/(var\/)?run\/secrets\/|^\/proc\/(\d+|self)\/(mem|environ)$|\/\.aws\/|\/\.kube\//;
const persistent =
  /^\/etc\/(cron|profile|ld\.so\.preload|init|systemd)|\/\.ssh\/authorized_keys$|\/\.(bash|z)?(rc|profile)$/;
const changes = /[wct]|a/;

const severities: readonly Rule<Severity>[] = [
  { kinds: ['foreign-program'], path: shell, is: 'critical' },
  { kinds: ['foreign-program'], path: interpreter, is: 'critical' },
  { kinds: ['foreign-program'], path: download, is: 'critical' },
  { kinds: ['foreign-program'], path: writable, is: 'critical' },
  { kinds: ['foreign-program', 'unknown-task'], is: 'high' },
  { kinds: ['identity-change'], value: /(^|\D)0(\D|$)/, is: 'critical' },
  { kinds: ['identity-change'], is: 'high' },
  { ops: ['PTRACE', 'MODULE', 'BPF', 'MOUNT', 'SETNS', 'REBOOT'], is: 'critical' },
  { kinds: ['out-of-order'], ops: ['CLOSE', 'SHUTDOWN', 'READ', 'WRITE', 'MMAP', 'EXIT'], is: 'low' },
  { kinds: ['out-of-order'], is: 'medium' },
  { kinds: ['wrong-phase'], ops: ['EXEC', 'SETUID', 'SETGID', 'CONNECT', 'BIND', 'LISTEN'], is: 'high' },
  { kinds: ['wrong-phase'], is: 'medium' },
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

const technique = (id: string, name: string): Technique => ({ id, name });
const unixShell = technique('T1059.004', 'Command and Scripting Interpreter: Unix Shell');
const interpreters = technique('T1059', 'Command and Scripting Interpreter');
const hostEscape = technique('T1611', 'Escape to Host');
const permissions = technique('T1222.002', 'Linux File and Directory Permissions Modification');

const techniques: readonly Rule<Technique>[] = [
  { kinds: ['unknown-task'], ops: ['EXEC'], is: technique('T1609', 'Container Administration Command') },
  { kinds: ['foreign-program'], path: shell, is: unixShell },
  { kinds: ['foreign-program'], path: interpreter, is: interpreters },
  { kinds: ['foreign-program'], path: download, is: technique('T1105', 'Ingress Tool Transfer') },
  { kinds: ['identity-change'], is: technique('T1548', 'Abuse Elevation Control Mechanism') },
  { ops: ['PTRACE'], is: technique('T1055.008', 'Process Injection: Ptrace System Calls') },
  { ops: ['MODULE'], is: technique('T1547.006', 'Kernel Modules and Extensions') },
  { ops: ['MOUNT', 'SETNS', 'UNSHARE'], is: hostEscape },
  {
    ops: ['OPEN', 'READ'],
    path: /^\/etc\/g?shadow/,
    is: technique('T1003.008', 'OS Credential Dumping: /etc/passwd and /etc/shadow'),
  },
  { ops: ['OPEN', 'READ'], path: secret, is: technique('T1552', 'Unsecured Credentials') },
  {
    ops: ['OPEN', 'WRITE', 'RENAME', 'LINK', 'SYMLINK'],
    path: /\/\.ssh\/authorized_keys$/,
    is: technique('T1098.004', 'SSH Authorized Keys'),
  },
  {
    ops: ['OPEN', 'WRITE', 'RENAME', 'LINK', 'SYMLINK'],
    path: /^\/etc\/cron|^\/var\/spool\/cron/,
    is: technique('T1053.003', 'Scheduled Task/Job: Cron'),
  },
  {
    ops: ['OPEN', 'WRITE', 'RENAME', 'LINK', 'SYMLINK'],
    path: /^\/etc\/ld\.so\.preload$/,
    is: technique('T1574.006', 'Dynamic Linker Hijacking'),
  },
  {
    ops: ['OPEN', 'WRITE', 'RENAME'],
    path: persistent,
    access: changes,
    is: technique('T1546', 'Event Triggered Execution'),
  },
  {
    ops: ['UNLINK', 'TRUNCATE'],
    path: /^\/var\/log\//,
    is: technique('T1070.002', 'Clear Linux or Mac System Logs'),
  },
  { ops: ['CHMOD', 'CHOWN'], is: permissions },
];

export const severityOf = (kind: FindingKind, effect: Effect): Severity =>
  first(severities, kind, effect) ?? 'medium';

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
  return rules.find(
    (rule) =>
      (rule.kinds?.includes(kind) ?? true) &&
      (rule.ops?.includes(op) ?? true) &&
      (rule.path === undefined || path.some((text) => rule.path?.test(text))) &&
      (rule.access === undefined || op !== 'OPEN' || rule.access.test(access)) &&
      (rule.value?.test(value) ?? true),
  )?.is;
}

function pathOf(resource: Resource): readonly string[] {
  if (resource.kind === 'program')
    return isUnnamed(resource.path) ? resource.args.flatMap((arg) => arg.split(' ')) : [resource.path];
  if (resource.kind === 'file')
    return resource.to === undefined ? [resource.path] : [resource.path, resource.to];
  return [];
}
