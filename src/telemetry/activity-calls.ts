// One row a system call: what it does to descriptors, names, processes and identities. A call that is not here has no
// effect outside of its task, or none that we know; the list is also what recorders need to trace.
import type { FileType, Op } from '../effect/index.ts';
import type { ActivityTracker, ProcessState } from './activity.ts';
import {
  address,
  base,
  common,
  descriptorOf,
  fileAt,
  final,
  flag,
  known,
  number,
  O_CLOEXEC,
  onDescriptor,
  onPath,
  onText,
  opened,
  path,
  text,
  texts,
  word,
} from './activity-parts.ts';
import { type Family, learn, newSocket, type OpenFile, type OpenSocket } from './descriptors.ts';
import type { Arg, DescriptorTarget, SocketAddress, SyscallEvent } from './syscall-event.ts';

type Handler = (tracker: ActivityTracker, process: ProcessState, event: SyscallEvent, ret: number) => void;

const O_CREAT_FLAGS = flag('O_CREAT') | flag('O_WRONLY') | flag('O_TRUNC');
const SOCK_DGRAM = 2;
const O_DIRECTORY = flag('O_DIRECTORY');
const AT_REMOVEDIR = flag('AT_REMOVEDIR');
const MAP_ANONYMOUS = flag('MAP_ANONYMOUS');
const MAP_PRIVATE = flag('MAP_PRIVATE');
const MAP_TYPE = 15;
const PROT_READ = flag('PROT_READ');
const PROT_WRITE = flag('PROT_WRITE');
const PROT_EXEC = flag('PROT_EXEC');
const CLONE_THREAD = flag('CLONE_THREAD');

// Families of calls

/** An operation on the descriptor in argument `index`. */
const descriptor =
  (op: Op, index = 0): Handler =>
  (tracker, process, event) =>
    onDescriptor(tracker, process, event, op, fileAt(tracker, process, event, index));

/** Bytes from one descriptor to another; at the end of the first nothing is written. */
const copies =
  (from: number, to: number): Handler =>
  (tracker, process, event, ret) => {
    onDescriptor(tracker, process, event, 'READ', fileAt(tracker, process, event, from));
    if (ret !== 0) onDescriptor(tracker, process, event, 'WRITE', fileAt(tracker, process, event, to));
  };

/** A message; `peer` finds the address that it names. The first one decides who is the client of a datagram socket. */
const message =
  (
    op: 'READ' | 'WRITE',
    peer: (event: SyscallEvent) => SocketAddress | undefined,
    bytes?: (event: SyscallEvent) => number,
  ): Handler =>
  (tracker, process, event) => {
    const at = fileAt(tracker, process, event, 0);
    const named = peer(event);
    if (at?.file.kind === 'socket') {
      at.file.role ??= op === 'WRITE' ? 'client' : 'server';
      at.file.lastPeer = named ?? at.file.lastPeer;
    }
    onDescriptor(tracker, process, event, op, at, {
      peer: named,
      ...(bytes === undefined ? {} : { bytes: bytes(event) }),
    });
  };

const header = (arg: Arg | undefined): ReadonlyMap<string, Arg> | undefined => {
  const value = final(arg);
  return value?.kind === 'struct' ? value.fields : undefined;
};
const headers = (event: SyscallEvent): readonly ReadonlyMap<string, Arg>[] => {
  const list = final(event.args[1]);
  return list?.kind === 'list' ? list.items.map(header).filter((item) => item !== undefined) : [];
};
const nameOf = (fields: ReadonlyMap<string, Arg> | undefined): SocketAddress | undefined =>
  address(fields?.get('msg_name'));
const ofMany = (event: SyscallEvent): SocketAddress | undefined =>
  nameOf(header(headers(event)[0]?.get('msg_hdr')));
const bytesOfMany = (event: SyscallEvent): number =>
  headers(event)
    .slice(0, Math.max(0, event.ret ?? 0))
    .reduce((sum, fields) => {
      const length = fields.get('msg_len');
      return sum + (length?.kind === 'number' ? length.value : 0);
    }, 0);

const open =
  (directory: number | undefined, index: number, flags: (event: SyscallEvent) => number): Handler =>
  (tracker, process, event, ret) => {
    const where = path(tracker, process, event, directory, index);
    const how = flags(event);
    if (ret < 0) {
      onPath(tracker, process, event, 'OPEN', { path: where, type: 'f', flags: how });
      return;
    }
    const file: OpenFile = {
      kind: 'file',
      type: (how & O_DIRECTORY) !== 0 ? 'd' : 'f',
      path: where,
      behind: event.target?.kind === 'path' ? undefined : event.target,
    };
    opened(process, ret, file, how);
    onDescriptor(tracker, process, event, 'OPEN', { fd: ret, file }, { flags: how, bytes: 0 });
  };

/** `struct open_how`. */
const howFlags = (event: SyscallEvent): number => {
  const flags = header(event.args[2])?.get('flags');
  return flags?.kind === 'number' ? flags.value : 0;
};

/** Something on the name in argument `index`, relative to the directory in argument `directory`. */
const named =
  (op: Op, directory: number | undefined, index: number, type: FileType = '?'): Handler =>
  (tracker, process, event) =>
    onPath(tracker, process, event, op, { path: path(tracker, process, event, directory, index), type });

/** Two names: of RENAME and LINK. */
const twoNames =
  (
    op: Op,
    first: readonly [number | undefined, number],
    second: readonly [number | undefined, number],
  ): Handler =>
  (tracker, process, event) =>
    onPath(tracker, process, event, op, {
      path: path(tracker, process, event, ...first),
      to: path(tracker, process, event, ...second),
    });

const symlink =
  (directory: number | undefined, index: number): Handler =>
  (tracker, process, event) =>
    onPath(tracker, process, event, 'SYMLINK', {
      path: path(tracker, process, event, directory, index),
      to: text(event, 0),
    });

/** As /proc/PID/maps names it, without the root of all such names. */
const memfdName = (name: string): string => `memfd:${name}`;

/** The result is a descriptor of something without a name. */
const anonymous: Handler = (_tracker, process, event, ret) => {
  if (ret < 0) return;
  const name = event.target?.kind === 'anon' ? event.target.name : `[${event.name}]`;
  // Which argument holds the flags differs; the bit is the same one everywhere but for memfd_create.
  const flags = event.name === 'memfd_create' ? number(event, 1) << 19 : number(event, event.args.length - 1);
  opened(
    process,
    ret,
    { kind: 'anon', name: event.name === 'memfd_create' ? memfdName(text(event, 0)) : name },
    flags,
  );
};

const duplicate =
  (closeOnExec: (event: SyscallEvent) => boolean): Handler =>
  (tracker, process, event, ret) => {
    const at = fileAt(tracker, process, event, 0);
    if (at !== undefined && ret >= 0) process.descriptors.set(ret, at.file, closeOnExec(event));
  };

/** dup2 and dup3: what the new number stood for is closed first. */
const replace =
  (closeOnExec: (event: SyscallEvent) => boolean): Handler =>
  (tracker, process, event, ret) => {
    const old = descriptorOf(event.args[1]);
    if (ret >= 0 && old !== undefined && old.fd !== number(event, 0)) {
      const file = known(tracker, process, old.fd, old.target);
      if (file !== undefined) onDescriptor(tracker, process, event, 'CLOSE', { fd: old.fd, file });
    }
    duplicate(closeOnExec)(tracker, process, event, ret);
  };

const fcntl: Handler = (tracker, process, event, ret) => {
  const command = number(event, 1);
  if (command === flag('F_DUPFD') || command === flag('F_DUPFD_CLOEXEC')) {
    duplicate(() => command !== flag('F_DUPFD'))(tracker, process, event, ret);
  } else if (command === flag('F_SETFD')) {
    process.descriptors.setCloseOnExec(number(event, 0), (number(event, 2) & flag('FD_CLOEXEC')) !== 0);
  }
};

const close: Handler = (tracker, process, event, ret) => {
  const at = fileAt(tracker, process, event, 0);
  onDescriptor(tracker, process, event, 'CLOSE', at);
  // Linux frees the descriptor whatever close returns, but for EBADF.
  if (at !== undefined && ret !== -9 && process.descriptors.get(at.fd) === at.file)
    process.descriptors.close(at.fd);
};

const closeRange: Handler = (tracker, process, event, ret) => {
  if (ret < 0) return;
  const last = number(event, 1);
  const flags = number(event, 2);
  if ((flags & flag('CLOSE_RANGE_UNSHARE')) !== 0) process.descriptors = process.descriptors.copy();
  for (const fd of process.descriptors.between(number(event, 0), last < 0 ? Number.MAX_SAFE_INTEGER : last)) {
    if ((flags & flag('CLOSE_RANGE_CLOEXEC')) !== 0) process.descriptors.setCloseOnExec(fd, true);
    else {
      const file = process.descriptors.get(fd);
      if (file !== undefined) onDescriptor(tracker, process, event, 'CLOSE', { fd, file });
      process.descriptors.close(fd);
    }
  }
};

const pair =
  (
    index: number,
    flags: number | undefined,
    make: (event: SyscallEvent, target: DescriptorTarget | undefined) => OpenFile,
  ): Handler =>
  (_tracker, process, event, ret) => {
    const list = final(event.args[index]);
    if (ret < 0 || list?.kind !== 'list') return;
    for (const item of list.items) {
      const end = descriptorOf(item);
      if (end !== undefined)
        opened(process, end.fd, make(event, end.target), flags === undefined ? 0 : number(event, flags));
    }
  };

const pipeEnd = (_event: SyscallEvent, target: DescriptorTarget | undefined): OpenFile => ({
  kind: 'pipe',
  inode: target?.kind === 'pipe' ? target.inode : 0,
});

function socketOf(event: SyscallEvent, target: DescriptorTarget | undefined): OpenSocket {
  const families: { readonly [family: number]: Family | undefined } = {
    1: 'unix',
    2: 'inet',
    10: 'inet6',
    16: 'netlink',
  };
  const socket = newSocket(families[number(event, 0)] ?? 'other', number(event, 1) & 15, number(event, 2));
  learn(socket, target);
  return socket;
}

const socket: Handler = (_tracker, process, event, ret) => {
  if (ret >= 0) opened(process, ret, socketOf(event, event.target), number(event, 1));
};

const accept: Handler = (tracker, process, event, ret) => {
  const listener = fileAt(tracker, process, event, 0);
  if (listener?.file.kind !== 'socket') return;
  if (ret < 0) {
    onDescriptor(tracker, process, event, 'ACCEPT', listener);
    return;
  }
  const { family, type, protocol, local } = listener.file;
  const file: OpenSocket = {
    ...newSocket(family, type, protocol),
    local,
    peer: address(event.args[1]),
    role: 'server',
  };
  learn(file, event.target);
  opened(process, ret, file, event.name === 'accept4' ? number(event, 3) : 0);
  onDescriptor(tracker, process, event, 'ACCEPT', { fd: ret, file }, { bytes: 0 });
};

const connect: Handler = (tracker, process, event, ret) => {
  const at = fileAt(tracker, process, event, 0);
  const peer = address(event.args[1]);
  if (at?.file.kind === 'socket') {
    // AF_UNSPEC dissolves a datagram socket's association. A failed attempt still names whom it was for.
    const dissolves = peer?.kind === 'other';
    if (at.file.type === SOCK_DGRAM && (dissolves || at.file.role === 'client')) {
      at.file.reconnected = true;
      if (dissolves) at.file.local = at.file.bound;
    }
    at.file.peer = dissolves ? undefined : peer;
    if (at.file.local?.kind === 'inet' && at.file.local.address === '0.0.0.0') at.file.local = undefined;
    if (ret >= 0 || event.error === 'EINPROGRESS') at.file.role = 'client';
  }
  onDescriptor(tracker, process, event, 'CONNECT', at, { peer });
  if (at?.file.kind === 'socket') at.file.refused = ret < 0 && at.file.family === 'unix';
};

const bind: Handler = (tracker, process, event, ret) => {
  const at = fileAt(tracker, process, event, 0);
  const local = address(event.args[1]);
  const socket = at?.file.kind === 'socket' && local !== undefined ? at.file : undefined;
  const before = socket?.local;
  if (socket !== undefined) socket.local = local;
  if (socket !== undefined && ret >= 0) socket.bound = local;
  onDescriptor(tracker, process, event, 'BIND', at);
  // A failed attempt names the address that it was for, and no more than that.
  if (socket !== undefined && ret < 0) socket.local = before;
};

const listen: Handler = (tracker, process, event, ret) => {
  const at = fileAt(tracker, process, event, 0);
  if (at?.file.kind === 'socket' && ret >= 0) at.file.listening = true;
  onDescriptor(tracker, process, event, 'LISTEN', at);
};

const socketName =
  (end: 'local' | 'peer'): Handler =>
  (tracker, process, event, ret) => {
    const at = fileAt(tracker, process, event, 0);
    const found = address(event.args[1]);
    if (at?.file.kind === 'socket' && ret >= 0 && found !== undefined) at.file[end] = found;
  };

const mmap: Handler = (tracker, process, event) => {
  if ((number(event, 3) & MAP_ANONYMOUS) !== 0) return;
  // Writing to a private mapping changes no file.
  const written = (number(event, 3) & MAP_TYPE) === MAP_PRIVATE ? 0 : PROT_WRITE;
  onDescriptor(tracker, process, event, 'MMAP', fileAt(tracker, process, event, 4), {
    flags: number(event, 2) & (PROT_READ | PROT_EXEC | written),
    bytes: 0,
  });
};

const mprotect: Handler = (tracker, process, event) => {
  if ((number(event, 2) & PROT_EXEC) !== 0) onText(tracker, process, event, 'MPROTECT', 'none', '');
};

const clone: Handler = (tracker, process, event, ret) => {
  const arg = event.args[0];
  const struct = header(arg?.kind === 'change' ? arg.before : arg);
  const flags = struct?.get('flags') ?? event.args[1];
  const thread =
    flags?.kind === 'number' &&
    event.name !== 'fork' &&
    event.name !== 'vfork' &&
    (flags.value & CLONE_THREAD) !== 0;
  tracker.emit({
    ...common(process, event, 'CLONE', ret),
    kind: 'clone',
    child: event.outerPid ?? ret,
    thread,
  });
};

/** What a link of /proc about the process itself leads to, as the kernel follows it; any other path as it is. */
function linkOfOwn(process: ProcessState, path: string): string {
  if (/^\/proc\/(self|thread-self)\/exe$/.test(path)) return process.exe === '' ? path : process.exe;
  const fd = /^\/(?:proc\/(?:self|thread-self)|dev)\/fd\/([0-9]+)$/.exec(path)?.[1];
  const file = fd === undefined ? undefined : process.descriptors.get(Number(fd));
  return file?.kind === 'file' ? file.path : path;
}

const exec =
  (directory: number | undefined, index: number): Handler =>
  (tracker, process, event, ret) => {
    let where = path(tracker, process, event, directory, index);
    if (directory !== undefined && text(event, index) === '')
      where = base(tracker, process, event, directory);
    where = linkOfOwn(process, where);
    const program = tracker.options.program?.(where, text(event, index));
    const args = [...(program?.before ?? []), ...texts(event.args[index + 1]).slice(1)];
    const mapped = program?.path ?? where;
    if (ret === 0) {
      process.exe = mapped;
      process.args = args;
      process.env = texts(event.args[index + 2]);
      process.descriptors = process.descriptors.copy();
      process.descriptors.exec();
    }
    tracker.emit({ ...common(process, event, 'EXEC', ret), kind: 'exec', path: mapped, args });
  };

const changeDirectory: Handler = (tracker, process, event, ret) => {
  const where = path(tracker, process, event, undefined, 0);
  onPath(tracker, process, event, 'CHDIR', { path: where, type: 'd' });
  if (ret === 0) enters(process, where);
};

/** Names go by what the program called the directory: a link to it, too. */
function enters(process: ProcessState, directory: string): void {
  process.cwd = directory;
  process.entered = true;
}

/** Another root: what the working directory is called in it is not known from the calls. */
const changeRoot: Handler = (tracker, process, event, ret) => {
  named('CHROOT', undefined, 0, 'd')(tracker, process, event, ret);
  if (ret === 0) process.entered = false;
};

const changeDirectoryTo: Handler = (tracker, process, event, ret) => {
  const at = fileAt(tracker, process, event, 0);
  if (at?.file.kind !== 'file') return;
  onPath(tracker, process, event, 'CHDIR', { path: at.file.path, type: 'd' });
  if (ret === 0) enters(process, at.file.path);
};

const unlinkat: Handler = (tracker, process, event) => {
  const directory = (number(event, 2) & AT_REMOVEDIR) !== 0;
  onPath(tracker, process, event, directory ? 'RMDIR' : 'UNLINK', {
    path: path(tracker, process, event, 0, 1),
    type: directory ? 'd' : '?',
  });
};

/** Without a path (futimens): the descriptor itself. */
const utimensat: Handler = (tracker, process, event, ret) => {
  const way = event.args[1]?.kind === 'string' ? named('UTIME', 0, 1) : descriptor('UTIME');
  way(tracker, process, event, ret);
};

/** The effective id after the call: argument `effective`, or the first where that is -1. */
const identity =
  (op: 'SETUID' | 'SETGID', effective: number): Handler =>
  (tracker, process, event, ret) => {
    const wanted = number(event, effective) | 0;
    const id = wanted === -1 ? number(event, 0) | 0 : wanted;
    if (ret === 0 && wanted !== -1) process[op === 'SETUID' ? 'uid' : 'gid'] = id;
    onText(tracker, process, event, op, 'id', String(id));
  };

const signals =
  (index: number): Handler =>
  (tracker, process, event) =>
    onText(tracker, process, event, 'KILL', 'task', `signal:${number(event, index)}`);

const words =
  (op: Op, about: 'id' | 'task' | 'none', make: (event: SyscallEvent) => string = () => ''): Handler =>
  (tracker, process, event) =>
    onText(tracker, process, event, op, about, make(event));

const hexWord =
  (index: number) =>
  (event: SyscallEvent): string =>
    `0x${(number(event, index) >>> 0).toString(16)}`;

const mount: Handler = (tracker, process, event) =>
  onPath(tracker, process, event, 'MOUNT', {
    path: path(tracker, process, event, undefined, 1),
    to: text(event, 0),
    type: 'd',
  });

const none = (): undefined => undefined;

/** Rows, by name. */
export const CALLS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  // Files by name
  ['open', open(undefined, 0, (event) => number(event, 1))],
  ['openat', open(0, 1, (event) => number(event, 2))],
  ['openat2', open(0, 1, howFlags)],
  ['creat', open(undefined, 0, () => O_CREAT_FLAGS)],
  ['mkdir', named('MKDIR', undefined, 0, 'd')],
  ['mkdirat', named('MKDIR', 0, 1, 'd')],
  ['rmdir', named('RMDIR', undefined, 0, 'd')],
  ['unlink', named('UNLINK', undefined, 0)],
  ['unlinkat', unlinkat],
  ['rename', twoNames('RENAME', [undefined, 0], [undefined, 1])],
  ['renameat', twoNames('RENAME', [0, 1], [2, 3])],
  ['renameat2', twoNames('RENAME', [0, 1], [2, 3])],
  ['link', twoNames('LINK', [undefined, 0], [undefined, 1])],
  ['linkat', twoNames('LINK', [0, 1], [2, 3])],
  ['symlink', symlink(undefined, 1)],
  ['symlinkat', symlink(1, 2)],
  ['truncate', named('TRUNCATE', undefined, 0)],
  ['mknod', named('MKNOD', undefined, 0)],
  ['mknodat', named('MKNOD', 0, 1)],
  ['chmod', named('CHMOD', undefined, 0)],
  ['fchmodat', named('CHMOD', 0, 1)],
  ['fchmodat2', named('CHMOD', 0, 1)],
  ['chown', named('CHOWN', undefined, 0)],
  ['lchown', named('CHOWN', undefined, 0)],
  ['fchownat', named('CHOWN', 0, 1)],
  ['utime', named('UTIME', undefined, 0)],
  ['utimes', named('UTIME', undefined, 0)],
  ['futimesat', named('UTIME', 0, 1)],
  ['utimensat', utimensat],
  ['setxattr', named('SETXATTR', undefined, 0)],
  ['lsetxattr', named('SETXATTR', undefined, 0)],
  ['chdir', changeDirectory],
  ['fchdir', changeDirectoryTo],
  ['chroot', changeRoot],
  ['mount', mount],
  ['umount2', named('UMOUNT', undefined, 0, 'd')],
  ['pivot_root', changeRoot],
  // Files by descriptor
  ['close', close],
  ['close_range', closeRange],
  ['read', message('READ', none)],
  ['pread64', descriptor('READ')],
  ['readv', message('READ', none)],
  ['preadv', descriptor('READ')],
  ['preadv2', descriptor('READ')],
  ['write', message('WRITE', none)],
  ['pwrite64', descriptor('WRITE')],
  ['writev', message('WRITE', none)],
  ['pwritev', descriptor('WRITE')],
  ['pwritev2', descriptor('WRITE')],
  ['sendfile', copies(1, 0)],
  ['splice', copies(0, 2)],
  ['tee', copies(0, 1)],
  ['copy_file_range', copies(0, 2)],
  ['ftruncate', descriptor('TRUNCATE')],
  ['fallocate', descriptor('ALLOCATE')],
  ['fchmod', descriptor('CHMOD')],
  ['fchown', descriptor('CHOWN')],
  ['fsetxattr', descriptor('SETXATTR')],
  ['dup', duplicate(() => false)],
  ['dup2', replace(() => false)],
  ['dup3', replace((event) => (number(event, 2) & O_CLOEXEC) !== 0)],
  ['fcntl', fcntl],
  ['mmap', mmap],
  ['mprotect', mprotect],
  ['pkey_mprotect', mprotect],
  ['pipe', pair(0, undefined, pipeEnd)],
  ['pipe2', pair(0, 1, pipeEnd)],
  ...[
    'eventfd',
    'eventfd2',
    'epoll_create',
    'epoll_create1',
    'timerfd_create',
    'signalfd',
    'signalfd4',
    'inotify_init',
  ].map((name) => [name, anonymous] as const),
  ...[
    'inotify_init1',
    'fanotify_init',
    'memfd_create',
    'pidfd_open',
    'userfaultfd',
    'io_uring_setup',
    'perf_event_open',
  ].map((name) => [name, anonymous] as const),
  // Sockets
  ['socket', socket],
  ['socketpair', pair(3, 1, socketOf)],
  ['bind', bind],
  ['listen', listen],
  ['accept', accept],
  ['accept4', accept],
  ['connect', connect],
  ['shutdown', descriptor('SHUTDOWN')],
  ['getsockname', socketName('local')],
  ['getpeername', socketName('peer')],
  ['sendto', message('WRITE', (event) => address(event.args[4]))],
  ['sendmsg', message('WRITE', (event) => nameOf(header(event.args[1])))],
  ['sendmmsg', message('WRITE', ofMany, bytesOfMany)],
  ['recvfrom', message('READ', (event) => address(event.args[4]))],
  ['recvmsg', message('READ', (event) => nameOf(header(event.args[1])))],
  ['recvmmsg', message('READ', ofMany, bytesOfMany)],
  // Processes
  ['clone', clone],
  ['clone3', clone],
  ['fork', clone],
  ['vfork', clone],
  ['execve', exec(undefined, 0)],
  ['execveat', exec(0, 1)],
  ['kill', signals(1)],
  ['tkill', signals(1)],
  ['tgkill', signals(2)],
  ['rt_sigqueueinfo', signals(1)],
  ['pidfd_send_signal', signals(1)],
  ['ptrace', words('PTRACE', 'task', (event) => `ptrace:${word(event, 0)}`)],
  ['process_vm_writev', words('PTRACE', 'task', () => 'write')],
  // Identity, namespaces, machine
  ['setuid', identity('SETUID', 0)],
  ['setreuid', identity('SETUID', 1)],
  ['setresuid', identity('SETUID', 1)],
  ['setgid', identity('SETGID', 0)],
  ['setregid', identity('SETGID', 1)],
  ['setresgid', identity('SETGID', 1)],
  ['setgroups', words('SETGROUPS', 'id', (event) => groupsOf(event.args[1]))],
  ['capset', words('SETCAP', 'none')],
  ['setns', descriptor('SETNS')],
  ['unshare', words('UNSHARE', 'id', hexWord(0))],
  ['sethostname', words('SETHOSTNAME', 'id', (event) => text(event, 0))],
  ['settimeofday', words('SETTIME', 'none')],
  ['clock_settime', words('SETTIME', 'none')],
  ['reboot', words('REBOOT', 'none')],
  ['bpf', words('BPF', 'none')],
  ['init_module', words('MODULE', 'none')],
  ['finit_module', descriptor('MODULE')],
  ['delete_module', words('MODULE', 'id', (event) => text(event, 0))],
]);

function groupsOf(arg: Arg | undefined): string {
  return arg?.kind === 'list'
    ? arg.items.map((item) => (item.kind === 'number' ? item.value : '?')).join(',')
    : '';
}

/** What a recorder has to trace, so that activities are complete. `exit` calls tell the end before its notice. */
export const TRACED_SYSCALLS: readonly string[] = [...CALLS.keys(), 'exit', 'exit_group'].sort();
