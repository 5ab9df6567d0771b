// The socket calls (net/socket.c).
import { AF, IPPROTO, SHUT, SOCK, type SocketAddress } from './abi-socket.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { Socket } from './socket.ts';
import { isNetlink, NetlinkSocket } from './socket-netlink.ts';
import { TcpSocket } from './socket-tcp.ts';
import { UdpSocket } from './socket-udp.ts';
import { effectName, UnixSocket } from './socket-unix.ts';
import { effectOn, install } from './sys-file-common.ts';
import { closeDescriptor } from './sys-file-open.ts';
import { addressAt, giveAddress, socketOf } from './sys-socket-common.ts';
import { messageRows } from './sys-socket-message.ts';
import { getsockopt, setsockopt } from './sys-socket-options.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { isBlock, type SysResult } from './wait.ts';

const TYPE_MASK = 0xf;

/** A socket that is not connected to anything; negative errno where this container has none of the kind. */
function makeSocket(
  kernel: Kernel,
  task: Task,
  domain: number,
  type: number,
  protocol: number,
): Socket | number {
  const kind = type & TYPE_MASK;
  if ((type & ~(TYPE_MASK | SOCK.NONBLOCK | SOCK.CLOEXEC)) !== 0) return -E.INVAL;
  const refuse = (errno: number): number => {
    kernel.cutHere(task, {
      kind: 'syscall-option',
      what: `socket domain ${domain} type ${kind} protocol ${protocol}`,
      consequence: `answers errno ${errno}`,
    });
    return -errno;
  };
  const parts = { domain, kind, protocol, flags: type, ino: kernel.vfs.takeIno() };
  switch (domain) {
    case AF.UNIX: {
      if (protocol !== 0 && protocol !== AF.UNIX) return -E.PROTONOSUPPORT;
      const unixKind = kind === SOCK.RAW ? SOCK.DGRAM : kind;
      const known = unixKind === SOCK.STREAM || unixKind === SOCK.DGRAM || unixKind === SOCK.SEQPACKET;
      return known ? new UnixSocket({ ...parts, kind: unixKind, protocol: 0 }) : -E.SOCKTNOSUPPORT;
    }
    case AF.INET:
    case AF.INET6:
      if (kind === SOCK.STREAM)
        return protocol === 0 || protocol === IPPROTO.TCP
          ? new TcpSocket({ ...parts, protocol: IPPROTO.TCP }, task)
          : refuse(E.PROTONOSUPPORT);
      if (kind === SOCK.DGRAM) {
        if (protocol === 0 || protocol === IPPROTO.UDP)
          return new UdpSocket({ ...parts, protocol: IPPROTO.UDP }, task);
        return refuse(protocol === IPPROTO.ICMP || protocol === IPPROTO.ICMPV6 ? E.ACCES : E.PROTONOSUPPORT);
      }
      return refuse(kind === SOCK.RAW ? E.PERM : E.SOCKTNOSUPPORT);
    case AF.NETLINK:
      if (kind !== SOCK.RAW && kind !== SOCK.DGRAM) return -E.SOCKTNOSUPPORT;
      return isNetlink(protocol) ? new NetlinkSocket(parts) : refuse(E.PROTONOSUPPORT);
    case AF.PACKET:
      return refuse(E.PERM);
    default:
      return refuse(E.AFNOSUPPORT);
  }
}

function socket(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const made = makeSocket(kernel, task, args.int(0), args.int(1), args.int(2));
  return typeof made === 'number' ? made : install(kernel, task, made, (args.int(1) & SOCK.CLOEXEC) !== 0);
}

function socketpair(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [domain, type, protocol, address] = [args.int(0), args.int(1), args.int(2), args.pointer(3)];
  const kind = type & TYPE_MASK;
  if ((type & ~(TYPE_MASK | SOCK.NONBLOCK | SOCK.CLOEXEC)) !== 0) return -E.INVAL;
  if (domain !== AF.UNIX) return domain === AF.INET || domain === AF.INET6 ? -E.OPNOTSUPP : -E.AFNOSUPPORT;
  if (protocol !== 0 && protocol !== AF.UNIX) return -E.PROTONOSUPPORT;
  if (kind !== SOCK.STREAM && kind !== SOCK.DGRAM && kind !== SOCK.SEQPACKET) return -E.SOCKTNOSUPPORT;
  const cloexec = (type & SOCK.CLOEXEC) !== 0;
  const [a, b] = UnixSocket.pair(kernel, task, { domain, kind, protocol: 0, flags: type });
  const first = install(kernel, task, a, cloexec);
  const second = first < 0 ? first : install(kernel, task, b, cloexec);
  if (second < 0) {
    if (first >= 0) closeDescriptor(kernel, task.process, first);
    return second;
  }
  task.process.space.write32(address, first);
  task.process.space.write32(address + 4, second);
  return 0;
}

function bind(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const found = socketOf(task, args.int(0));
  if (typeof found === 'number') return found;
  const address = addressAt(task, found, args.pointer(1), args.int(2));
  if (typeof address === 'number') return address;
  const before = found.resource();
  const result = found.bind(kernel, task, address);
  // A unix socket that asks for any name shows the name that it has when it asks.
  const unnamed = address.family === 'unix' && address.path === '';
  kernel.effect(
    task,
    effectOn('BIND', unnamed ? before : named(kernel, task, found, address, 'local')),
    result,
  );
  return result;
}

/** The socket's resource, with an address that it does not have (a failed bind or connect). */
function named(kernel: Kernel, task: Task, found: Socket, address: SocketAddress, side: 'local' | 'peer') {
  const resource = found.resource();
  if (resource.kind === 'file') {
    return address.family === 'unix'
      ? { ...resource, path: effectName(kernel, task, address.path) || resource.path }
      : resource;
  }
  if (resource.kind !== 'net' || !('port' in address)) return resource;
  const known = side === 'local' ? found.localAddress() : found.peerAddress();
  if (known !== undefined && 'port' in known && (known.port !== 0 || address.port === 0)) return resource;
  return { ...resource, [side]: { address: address.address, port: String(address.port) } };
}

function listen(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const found = socketOf(task, args.int(0));
  if (typeof found === 'number') return found;
  const result = found.listen(kernel, task, args.int(1));
  kernel.effect(task, effectOn('LISTEN', found.resource()), result);
  return result;
}

function connect(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const found = socketOf(task, args.int(0));
  if (typeof found === 'number') return found;
  const address = addressAt(task, found, args.pointer(1), args.int(2));
  if (typeof address === 'number') return address;
  const result = found.connect(kernel, task, address);
  if (isBlock(result)) return result;
  kernel.effect(task, effectOn('CONNECT', named(kernel, task, found, address, 'peer')), result);
  return result;
}

function accept(kernel: Kernel, task: Task, args: SysArgs, flags: number): SysResult {
  const found = socketOf(task, args.int(0));
  if (typeof found === 'number') return found;
  if ((flags & ~(SOCK.NONBLOCK | SOCK.CLOEXEC)) !== 0) return -E.INVAL;
  const made = found.accept(kernel, task, flags);
  if (typeof made === 'number') {
    kernel.effect(task, effectOn('ACCEPT', found.resource()), made);
    return made;
  }
  if (!(made instanceof Socket)) return made;
  const accepted = made;
  const fd = install(kernel, task, accepted, (flags & SOCK.CLOEXEC) !== 0);
  if (fd >= 0) {
    const peer = accepted.peerAddress() ?? { family: 'unix', path: '' };
    const error = giveAddress(task, peer, args.pointer(1), args.pointer(2));
    if (error !== 0) {
      closeDescriptor(kernel, task.process, fd);
      return error;
    }
  }
  kernel.effect(task, effectOn('ACCEPT', accepted.resource()), fd);
  return fd;
}

function name(task: Task, args: SysArgs, which: (found: Socket) => SocketAddress | undefined): SysResult {
  const found = socketOf(task, args.int(0));
  if (typeof found === 'number') return found;
  const address = which(found);
  return address === undefined ? -E.NOTCONN : giveAddress(task, address, args.pointer(1), args.pointer(2));
}

function shutdown(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const found = socketOf(task, args.int(0));
  if (typeof found === 'number') return found;
  const how = args.int(1);
  if (how < SHUT.RD || how > SHUT.RDWR) return -E.INVAL;
  const result = found.shutdown(kernel, how);
  kernel.effect(task, effectOn('SHUTDOWN', found.resource()), result);
  return result;
}

export const socketRows: readonly SyscallRow[] = [
  row('socket', socket, 'partial', 'unix, TCP, UDP and netlink route sockets; others refused and a cut'),
  row('socketpair', socketpair),
  row('bind', bind),
  row('listen', listen),
  row('connect', connect),
  row('accept', (kernel, task, args) => accept(kernel, task, args, 0)),
  row('accept4', (kernel, task, args) => accept(kernel, task, args, args.int(3))),
  row('getsockname', (_kernel, task, args) => name(task, args, (found) => found.localAddress())),
  row('getpeername', (_kernel, task, args) => name(task, args, (found) => found.peerAddress())),
  row('getsockopt', getsockopt, 'partial', 'unknown options answer ENOPROTOOPT and are a cut'),
  row(
    'setsockopt',
    setsockopt,
    'partial',
    'unknown options answer ENOPROTOOPT and are a cut; most are only stored',
  ),
  row('shutdown', shutdown),
  ...messageRows,
];
