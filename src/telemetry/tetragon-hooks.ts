// Which effect a hook of Tetragon's policies tells: one row a kernel function or system call. A policy chooses which
// arguments it reports, so they are found by their kind, not by their place; what is not reported is unknown. The
// functions are those of Tetragon's own policies (file access, network, credentials, namespaces) and of their kind.
import type { Effect, Op, Protocol, Resource } from '../effect/index.ts';
import { type JsonObject, numberOf, objectAt, textOf } from './json-lines.ts';

export interface HookEffect {
  readonly effect: Effect;
  readonly ret: number;
  /** The kernel also passes here on its own, while it executes a program. */
  readonly kernelToo: boolean;
}

interface Call {
  readonly args: readonly unknown[];
}

type Row = (call: Call) => readonly Effect[] | undefined;

/** Undefined: not a hook that is known, or one that is no call of the process. */
export function effectsOfHook(
  name: string,
  args: readonly unknown[],
  result: JsonObject | undefined,
): readonly HookEffect[] | undefined {
  const call = name.startsWith('sys_')
    ? SYSCALLS.get(name.slice(4))
    : FUNCTIONS.get(name.replace(/^security_/, ''));
  const effects = call?.({ args });
  if (effects === undefined) return undefined;
  const value = numberOf(result?.['int_arg'] ?? result?.['long_arg']);
  // Security hooks return 0 or an error; calls also a number.
  const ret = value === undefined ? 0 : value;
  const kernelToo = name.startsWith('security_') || !name.startsWith('sys_');
  return effects.map((effect) => ({
    effect,
    ret,
    kernelToo: kernelToo && (effect.op === 'READ' || effect.op === 'MMAP' || effect.op === 'OPEN'),
  }));
}

// Arguments by kind

const first = (args: readonly unknown[], ...kinds: readonly string[]): JsonObject | undefined => {
  for (const arg of args)
    for (const kind of kinds) {
      const found = objectAt(arg, kind);
      if (found !== undefined) return found;
    }
  return undefined;
};

const texts = (args: readonly unknown[]): string[] =>
  args.map((arg) => textOf(objectAt(arg)?.['string_arg'])).filter((text) => text !== '');

const integers = (args: readonly unknown[]): number[] =>
  args.flatMap((arg) => {
    const object = objectAt(arg);
    for (const kind of ['int_arg', 'uint_arg', 'long_arg', 'size_arg']) {
      const value = numberOf(object?.[kind]);
      if (value !== undefined) return [value];
    }
    return [];
  });

/** Paths of files that are reported as such, else of texts; one that is relative to an unknown directory is unknown. */
function paths({ args }: Call): string[] {
  const found = args.flatMap((arg) => {
    const path = textOf(first([arg], 'file_arg', 'path_arg', 'dentry_arg', 'linux_binprm_arg')?.['path']);
    return path === '' ? [] : [path];
  });
  return found.length > 0 ? found : texts(args).filter((text) => text.startsWith('/'));
}

const none: Resource = { kind: 'none' };
const file = (path: string | undefined, type: 'f' | 'd' | '?' = 'f'): Resource =>
  path === undefined ? none : { kind: 'file', type, path };

const effect = (op: Op, resource: Resource, access = ''): readonly Effect[] => [{ op, resource, access }];

// Rows

const onFile =
  (op: Op, type: 'f' | 'd' | '?' = '?'): Row =>
  (call) =>
    effect(op, file(paths(call)[0], type));

/** Only what has a path: sockets and pipes are named by their file system's own texts. */
const onPath =
  (op: Op): Row =>
  (call) => {
    const path = paths(call)[0];
    return path?.startsWith('/') ? effect(op, file(path)) : undefined;
  };

const onTwo =
  (op: Op, newFirst = false): Row =>
  (call) => {
    const [a, b] = newFirst ? [...paths(call)].reverse() : paths(call);
    if (a === undefined || b === undefined) return effect(op, none);
    const to = newFirst ? (texts(call.args)[0] ?? b) : b;
    return effect(op, { kind: 'file', type: '?', path: a, to });
  };

/** MAY_WRITE and MAY_READ of the kernel's access masks. */
const permission: Row = (call) => {
  const path = paths(call)[0];
  const mask = integers(call.args)[0] ?? 0;
  if (!path?.startsWith('/')) return undefined;
  const ops: Op[] = [];
  if ((mask & 4) !== 0) ops.push('READ');
  if ((mask & 2) !== 0) ops.push('WRITE');
  return ops.length === 0 ? undefined : ops.map((op) => ({ op, resource: file(path), access: '' }));
};

/** Protection and flags, where the policy reports them. */
const mapping: Row = (call) => {
  const path = paths(call)[0];
  if (!path?.startsWith('/')) return undefined;
  const [protection, flags] = integers(call.args);
  if (protection === undefined) return effect('MMAP', file(path));
  const writes = (protection & 2) !== 0 && flags !== undefined && (flags & 15) !== 2;
  const access = `${protection & 1 ? 'r' : ''}${writes ? 'w' : ''}${protection & 4 ? 'x' : ''}`;
  return effect('MMAP', file(path), access);
};

/** A descriptor gets a file: also when it is duplicated, which for terminals and null devices is usual. */
const installed: Row = (call) => {
  const path = paths(call)[0];
  return path?.startsWith('/') && !/^\/(dev\/(pts\/|null$|tty$|console$)|proc\/)/.test(path)
    ? effect('OPEN', file(path))
    : undefined;
};

function net(call: Call, server: boolean): Resource {
  const sock = first(call.args, 'sock_arg', 'skb_arg');
  const name = first(call.args, 'sockaddr_arg');
  if (sock === undefined && name === undefined) return none;
  const family = textOf((name ?? sock)?.['family']);
  if (family === 'AF_UNIX') return { kind: 'file', type: 'u', path: textOf(name?.['addr']) };
  if (sock === undefined && !/^AF_INET6?$/.test(family)) return none;
  const local = { address: textOf(sock?.['saddr']), port: textOf(sock?.['sport']) || '0' };
  const peer =
    name === undefined
      ? { address: textOf(sock?.['daddr']), port: textOf(sock?.['dport']) || '0' }
      : { address: textOf(name['addr']), port: textOf(name['port']) || '0' };
  const nothing = { address: '', port: '0' };
  const protocol = protocolOf(sock);
  if (protocol === undefined) return none;
  return server
    ? { kind: 'net', protocol, local: name === undefined ? local : peer, peer: nothing }
    : { kind: 'net', protocol, local, peer };
}

function protocolOf(sock: JsonObject | undefined): Protocol | undefined {
  const text = `${textOf(sock?.['protocol'])} ${textOf(sock?.['type'])}`;
  if (/TCP|STREAM/.test(text)) return 'tcp';
  if (/ICMP/.test(text)) return 'icmp';
  if (/UDP|DGRAM/.test(text)) return 'udp';
  return /RAW/.test(text) ? 'raw' : undefined;
}

const onSocket =
  (op: Op, server = false, protocol?: Protocol): Row =>
  (call) => {
    const resource = net(call, server);
    if (protocol === undefined || resource.kind !== 'net') return effect(op, resource);
    return effect(op, { ...resource, protocol });
  };

const word =
  (op: Op, kind: 'id' | 'task', before = '', index = 0): Row =>
  (call) => {
    const value = integers(call.args)[index];
    if (value === undefined) return effect(op, none);
    const text = `${before}${value}`;
    return effect(op, kind === 'id' ? { kind, value: text } : { kind, what: text });
  };

const plain =
  (op: Op): Row =>
  () =>
    effect(op, none);

/** Functions of the kernel; those of the security framework without `security_`. */
const FUNCTIONS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ['fd_install', installed],
  ['file_open', onPath('OPEN')],
  ['file_permission', permission],
  ['mmap_file', mapping],
  ['path_truncate', onPath('TRUNCATE')],
  ['file_truncate', onPath('TRUNCATE')],
  ['path_unlink', onFile('UNLINK')],
  ['path_rmdir', onFile('RMDIR', 'd')],
  ['path_mkdir', onFile('MKDIR', 'd')],
  ['path_chmod', onFile('CHMOD')],
  ['path_chown', onFile('CHOWN')],
  ['path_chroot', onFile('CHROOT', 'd')],
  ['tcp_connect', onSocket('CONNECT', false, 'tcp')],
  ['tcp_sendmsg', onSocket('WRITE', false, 'tcp')],
  ['tcp_recvmsg', onSocket('READ', false, 'tcp')],
  ['udp_sendmsg', onSocket('WRITE', false, 'udp')],
  ['udp_recvmsg', onSocket('READ', false, 'udp')],
  ['ip4_datagram_connect', onSocket('CONNECT', false, 'udp')],
  ['ip6_datagram_connect', onSocket('CONNECT', false, 'udp')],
  ['inet_csk_listen_start', onSocket('LISTEN', true, 'tcp')],
  ['socket_connect', onSocket('CONNECT')],
  ['socket_bind', onSocket('BIND', true)],
  ['socket_listen', onSocket('LISTEN', true)],
  ['bpf', plain('BPF')],
  ['bpf_check', plain('BPF')],
  ['bpf_prog_load', plain('BPF')],
  ['kernel_module_request', plain('MODULE')],
  ['do_init_module', plain('MODULE')],
  ['ptrace_access_check', plain('PTRACE')],
]);

const names = (text: string): readonly string[] => text.trim().split(/\s+/);
const rows = (text: string, row: Row): [string, Row][] => names(text).map((name) => [name, row]);

/** System calls. */
const SYSCALLS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ...rows('open openat openat2 creat', onFile('OPEN', 'f')),
  ...rows('read readv pread64 preadv', onFile('READ', 'f')),
  ...rows('write writev pwrite64 pwritev', onFile('WRITE', 'f')),
  ['close', onPath('CLOSE')],
  ...rows('connect', onSocket('CONNECT')),
  ...rows('bind', onSocket('BIND', true)),
  ...rows('truncate ftruncate', onFile('TRUNCATE', 'f')),
  ...rows('unlink unlinkat', onFile('UNLINK')),
  ['rmdir', onFile('RMDIR', 'd')],
  ...rows('mkdir mkdirat', onFile('MKDIR', 'd')),
  ...rows('rename renameat renameat2', onTwo('RENAME')),
  ...rows('link linkat', onTwo('LINK')),
  ...rows('symlink symlinkat', onTwo('SYMLINK', true)),
  ...rows('chmod fchmod fchmodat', onFile('CHMOD')),
  ...rows('chown lchown fchown fchownat', onFile('CHOWN')),
  ...rows('mknod mknodat', onFile('MKNOD')),
  ['chdir', onFile('CHDIR', 'd')],
  ['chroot', onFile('CHROOT', 'd')],
  ['pivot_root', plain('CHROOT')],
  ['mount', plain('MOUNT')],
  ...rows('umount umount2', onFile('UMOUNT', 'd')),
  ...rows('setuid setreuid setresuid', word('SETUID', 'id')),
  ...rows('setgid setregid setresgid', word('SETGID', 'id')),
  ['setgroups', plain('SETGROUPS')],
  ['capset', plain('SETCAP')],
  ['setns', plain('SETNS')],
  ['unshare', plain('UNSHARE')],
  ['ptrace', plain('PTRACE')],
  ['process_vm_writev', plain('PTRACE')],
  ...rows('kill tkill', word('KILL', 'task', 'signal:', 1)),
  ['tgkill', word('KILL', 'task', 'signal:', 2)],
  ['bpf', plain('BPF')],
  ...rows('init_module finit_module delete_module', plain('MODULE')),
  ['clock_settime', plain('SETTIME')],
  ['settimeofday', plain('SETTIME')],
  ['reboot', plain('REBOOT')],
  ['sethostname', plain('SETHOSTNAME')],
]);
