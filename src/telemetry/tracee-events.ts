// Which effect an event of Tracee tells: one row an event, by its name: system calls, and the hooks of the kernel that
// have the kernel's own paths and addresses. Flags are numbers or names (parse-arguments). A name that is relative to a
// directory that is not told is unknown.
import type { Effect, Endpoint, FileType, Op, Protocol, Resource } from '../effect/index.ts';
import { type JsonObject, textOf } from './json-lines.ts';
import { CONSTANTS, SIGNALS } from './linux-names.ts';

/** Arguments by name, however they are written. */
export interface TraceeArgs {
  text(name: string): string;
  number(name: string): number | undefined;
  time(name: string): bigint | undefined;
  bool(name: string): boolean | undefined;
  object(name: string): JsonObject | undefined;
  list(name: string): readonly string[];
}

type Row = (args: TraceeArgs, ret: number) => Effect | undefined;

/** Undefined: nothing that is observed, or nothing that is known here. */
export const traceeEffect = (name: string, args: TraceeArgs, ret: number): Effect | undefined =>
  EVENTS.get(name)?.(args, ret);

const none: Resource = { kind: 'none' };
const file = (path: string, type: FileType = 'f'): Resource =>
  path.startsWith('/') ? { kind: 'file', type, path } : none;

/** A number, or names of constants with bars between. */
function flagsOf(args: TraceeArgs, name: string): number | undefined {
  const value = args.number(name);
  if (value !== undefined) return value;
  const words = args.text(name).split('|');
  if (words[0] === '') return undefined;
  return words.reduce((sum, word) => sum | (CONSTANTS.get(word.trim()) ?? 0), 0);
}

const bit = (name: string): number => CONSTANTS.get(name) as number;

function openAccess(flags: number | undefined): string {
  if (flags === undefined || (flags & bit('O_PATH')) !== 0) return '';
  return [
    ['r', 'w', 'rw', ''][flags & 3],
    (flags & bit('O_CREAT')) !== 0 ? 'c' : '',
    (flags & bit('O_TRUNC')) !== 0 ? 't' : '',
    (flags & bit('O_APPEND')) !== 0 ? 'a' : '',
  ].join('');
}

const open: Row = (args) => {
  const flags = flagsOf(args, 'flags');
  const type = flags !== undefined && (flags & bit('O_DIRECTORY')) !== 0 ? 'd' : 'f';
  return { op: 'OPEN', resource: file(args.text('pathname'), type), access: openAccess(flags) };
};

/** Descriptors that were resolved are `5=/etc/passwd`. */
const onDescriptor =
  (op: Op, name = 'fd'): Row =>
  (args) => ({ op, resource: file(/^\d+=(\/.*)$/s.exec(args.text(name))?.[1] ?? ''), access: '' });

/** Of sockets and pipes such a path is only the kind. */
const onPath =
  (op: Op): Row =>
  (args) => ({ op, resource: file(args.text('pathname')), access: '' });

const onName =
  (op: Op, type: FileType, ...names: readonly string[]): Row =>
  (args) => ({
    op,
    resource: file(names.map((name) => args.text(name)).find((text) => text !== '') ?? '', type),
    access: '',
  });

const onTwo =
  (op: Op, first: string, second: string): Row =>
  (args) => {
    const [path, to] = [args.text(first), args.text(second)];
    const known = path.startsWith('/') && (to.startsWith('/') || (op === 'SYMLINK' && to !== ''));
    return { op, resource: known ? { kind: 'file', type: '?', path, to } : none, access: '' };
  };

const mapping: Row = (args) => {
  const resource = file(args.text('pathname'));
  if (resource.kind === 'none') return undefined;
  const [protection, flags] = [flagsOf(args, 'prot'), flagsOf(args, 'mmap_flags') ?? flagsOf(args, 'flags')];
  if (protection === undefined) return { op: 'MMAP', resource, access: '' };
  const writes = (protection & 2) !== 0 && flags !== undefined && (flags & 15) !== 2;
  const access = `${protection & 1 ? 'r' : ''}${writes ? 'w' : ''}${protection & 4 ? 'x' : ''}`;
  return { op: 'MMAP', resource, access };
};

const nowhere: Endpoint = { address: '', port: '0' };

/** `{"sa_family":"AF_INET","sin_addr":"10.0.0.1","sin_port":"80"}`. */
function endpoint(address: JsonObject | undefined): Endpoint | undefined {
  const family = textOf(address?.['sa_family']);
  if (address === undefined || !/^(AF_INET6?|2|10)$/.test(family)) return undefined;
  const six = family === 'AF_INET6' || family === '10';
  const get = (name: string): string => textOf(address[six ? `sin6_${name}` : `sin_${name}`]);
  return { address: get('addr'), port: get('port') || '0' };
}

const isUnix = (address: JsonObject | undefined): boolean =>
  /^(AF_UNIX|1)$/.test(textOf(address?.['sa_family']));

const onSocket =
  (op: Op, localName: string, peerName: string): Row =>
  (args) => {
    const [local, peer] = [args.object(localName), args.object(peerName)];
    const unix = [peer, local].find(isUnix);
    if (unix !== undefined)
      return { op, resource: { kind: 'file', type: 'u', path: textOf(unix['sun_path']) }, access: '' };
    const [own, other] = [endpoint(local), endpoint(peer)];
    const protocol = protocolOf(args, op);
    if ((own === undefined && other === undefined) || protocol === undefined)
      return own === undefined && other === undefined && hasAddress(local, peer)
        ? undefined
        : { op, resource: none, access: '' };
    const resource: Resource = { kind: 'net', protocol, local: own ?? nowhere, peer: other ?? nowhere };
    return { op, resource, access: '' };
  };

/** An address of a family that is no network's: netlink, unspecified … */
const hasAddress = (...all: readonly (JsonObject | undefined)[]): boolean =>
  all.some((address) => textOf(address?.['sa_family']) !== '');

/** The hooks tell the type of the socket; only streams accept and listen. */
function protocolOf(args: TraceeArgs, op: Op): Protocol | undefined {
  const type = args.text('type');
  if (/STREAM|^1$/.test(type) || op === 'ACCEPT' || op === 'LISTEN') return 'tcp';
  if (/DGRAM|^2$/.test(type)) return 'udp';
  return /RAW|^3$/.test(type) ? 'raw' : undefined;
}

const word =
  (op: Op, kind: 'id' | 'task', name: string, before = ''): Row =>
  (args) => {
    const text = args.text(name);
    if (text === '') return { op, resource: none, access: '' };
    const value = before + (SIGNALS.get(text) ?? text);
    return { op, resource: kind === 'id' ? { kind, value } : { kind, what: value }, access: '' };
  };

const plain =
  (op: Op): Row =>
  () => ({ op, resource: none, access: '' });

const names = (text: string): readonly string[] => text.trim().split(/\s+/);
const rows = (text: string, row: Row): [string, Row][] => names(text).map((name) => [name, row]);

const EVENTS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ...rows('open openat openat2 security_file_open', open),
  ['creat', (args) => ({ op: 'OPEN', resource: file(args.text('pathname')), access: 'wct' })],
  ...rows('read readv pread64 preadv preadv2 recvfrom recvmsg', onDescriptor('READ')),
  ...rows('write writev pwrite64 pwritev pwritev2 sendto sendmsg', onDescriptor('WRITE')),
  ...rows('vfs_read vfs_readv', onPath('READ')),
  ...rows('vfs_write vfs_writev', onPath('WRITE')),
  ['close', onDescriptor('CLOSE')],
  ['shutdown', onDescriptor('SHUTDOWN', 'sockfd')],
  ['ftruncate', onDescriptor('TRUNCATE')],
  ...rows('truncate', onName('TRUNCATE', 'f', 'path', 'pathname')),
  ...rows('do_truncate', onPath('TRUNCATE')),
  ...rows('security_mmap_file', mapping),
  ...rows('unlink security_inode_unlink', onName('UNLINK', '?', 'pathname')),
  [
    'unlinkat',
    (args) => {
      const directory = ((flagsOf(args, 'flags') ?? 0) & bit('AT_REMOVEDIR')) !== 0;
      const resource = file(args.text('pathname'), directory ? 'd' : '?');
      return { op: directory ? 'RMDIR' : 'UNLINK', resource, access: '' };
    },
  ],
  ...rows('rmdir', onName('RMDIR', 'd', 'pathname')),
  ...rows('mkdir mkdirat', onName('MKDIR', 'd', 'pathname')),
  ...rows('rename renameat renameat2', onTwo('RENAME', 'oldpath', 'newpath')),
  ['security_inode_rename', onTwo('RENAME', 'old_path', 'new_path')],
  ...rows('link linkat', onTwo('LINK', 'oldpath', 'newpath')),
  ...rows('symlink symlinkat', onTwo('SYMLINK', 'linkpath', 'target')),
  ...rows('security_inode_symlink security_inode_symlink_create', onTwo('SYMLINK', 'linkpath', 'target')),
  ...rows('chmod fchmodat', onName('CHMOD', '?', 'pathname')),
  ['fchmod', onDescriptor('CHMOD')],
  ...rows('chown lchown fchownat', onName('CHOWN', '?', 'pathname')),
  ['fchown', onDescriptor('CHOWN')],
  ...rows('chmod_common', onName('CHMOD', '?', 'pathname')),
  ...rows('mknod mknodat security_inode_mknod', onName('MKNOD', '?', 'pathname', 'file_name')),
  ...rows('setxattr lsetxattr', onName('SETXATTR', '?', 'path')),
  ...rows('chdir', onName('CHDIR', 'd', 'path')),
  ...rows('chroot', onName('CHROOT', 'd', 'path')),
  ...rows('mount security_sb_mount', plain('MOUNT')),
  ...rows('umount2', onName('UMOUNT', 'd', 'target')),
  ['connect', onSocket('CONNECT', '', 'addr')],
  ['security_socket_connect', onSocket('CONNECT', '', 'remote_addr')],
  ...rows('accept accept4', onSocket('ACCEPT', '', 'addr')),
  ['socket_accept', onSocket('ACCEPT', 'local_addr', 'remote_addr')],
  ['bind', onSocket('BIND', 'addr', '')],
  ['security_socket_bind', onSocket('BIND', 'local_addr', '')],
  ['listen', plain('LISTEN')],
  ['security_socket_listen', onSocket('LISTEN', 'local_addr', '')],
  ...rows('setuid', word('SETUID', 'id', 'uid')),
  ...rows('setreuid setresuid', word('SETUID', 'id', 'euid')),
  ...rows('setgid', word('SETGID', 'id', 'gid')),
  ...rows('setregid setresgid', word('SETGID', 'id', 'egid')),
  ...rows('setgroups', plain('SETGROUPS')),
  ...rows('capset', plain('SETCAP')),
  ...rows('setns', plain('SETNS')),
  ...rows('unshare', plain('UNSHARE')),
  ...rows('ptrace process_vm_writev', plain('PTRACE')),
  ...rows('kill tkill tgkill', word('KILL', 'task', 'sig', 'signal:')),
  ...rows('bpf security_bpf_prog', plain('BPF')),
  ...rows('init_module finit_module delete_module', plain('MODULE')),
  ...rows('sethostname', plain('SETHOSTNAME')),
  ...rows('clock_settime settimeofday', plain('SETTIME')),
  ...rows('reboot', plain('REBOOT')),
]);
