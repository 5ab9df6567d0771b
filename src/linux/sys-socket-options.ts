// getsockopt and setsockopt.
import { encodeText } from '../bytes/index.ts';
import { CAP } from './abi-process.ts';
import { AF, IP, packAddress, SO, SOL, TCP } from './abi-socket.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Socket } from './socket.ts';
import { optionRule } from './socket-options.ts';
import { TcpSocket } from './socket-tcp.ts';
import { socketOf } from './sys-socket-common.ts';
import type { SysArgs } from './syscall.ts';
import type { Task } from './task.ts';
import { actorOf, capable } from './vfs-permission.ts';
import type { SysResult } from './wait.ts';

const OPTION_MAX = 65536;

function unknown(kernel: Kernel, task: Task, call: string, level: number, name: number): number {
  kernel.cutHere(task, {
    kind: 'syscall-option',
    what: `${call} level ${level} option ${name}`,
    consequence: 'answers ENOPROTOOPT',
  });
  return -E.NOPROTOOPT;
}

export function setsockopt(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const [level, name, address, length] = [args.int(1), args.int(2), args.pointer(3), args.int(4)];
  if (length < 0) return -E.INVAL;
  const rule = optionRule(socket, level, name);
  if (rule === 'level')
    return level === SOL.TCP || level === SOL.IPV6 || level === SOL.IP
      ? socket.domain === AF.UNIX
        ? -E.OPNOTSUPP
        : -E.NOPROTOOPT
      : -E.NOPROTOOPT;
  if (rule === undefined) return unknown(kernel, task, 'setsockopt', level, name);
  if (!rule.set) return -E.NOPROTOOPT;
  if (PRIVILEGED.has(`${level}:${name}`) && !capable(actorOf(task), CAP.NET_ADMIN)) return -E.PERM;
  if (
    RAW.has(`${level}:${name}`) &&
    !capable(actorOf(task), CAP.NET_RAW) &&
    !capable(actorOf(task), CAP.NET_ADMIN)
  )
    return -E.PERM;
  const value =
    length === 0 ? new Uint8Array(0) : task.process.space.read(address, Math.min(length, OPTION_MAX));
  switch (rule.type) {
    case 'int':
      return setNumber(socket, level, name, value);
    case 'linger':
      if (value.length < 8) return -E.INVAL;
      break;
    case 'timeval': {
      if (value.length < 16) return -E.INVAL;
      const micro = new DataView(value.buffer).getBigInt64(8, true);
      if (micro < 0n || micro >= 1_000_000n) return -E.DOM;
      break;
    }
    default:
      break;
  }
  socket.options.set(level, name, value);
  return 0;
}

function setNumber(socket: Socket, level: number, name: number, value: Uint8Array): number {
  // The IP levels take one byte as well as four.
  const byteAllowed = level === SOL.IP || level === SOL.IPV6;
  if (value.length < 4 && !(byteAllowed && value.length >= 1)) return -E.INVAL;
  const number = value.length >= 4 ? new DataView(value.buffer).getInt32(0, true) : value[0];
  if (
    level === SOL.SOCKET &&
    (name === SO.SNDBUF || name === SO.RCVBUF || name === SO.SNDBUFFORCE || name === SO.RCVBUFFORCE)
  ) {
    socket.options.setBuffer(
      name === SO.SNDBUFFORCE ? SO.SNDBUF : name === SO.RCVBUFFORCE ? SO.RCVBUF : name,
      number,
    );
    return 0;
  }
  const bounds = BOUNDS.get(`${level}:${name}`);
  const resets = level === SOL.IP && number === -1;
  if (bounds !== undefined && !resets && (number < bounds[0] || number > bounds[1])) return -E.INVAL;
  if (resets && name === IP.TTL) {
    socket.options.setNumber(level, name, 64);
    return 0;
  }
  if (level === SOL.IPV6 && name === 26 && socket instanceof TcpSocket && socket.local !== undefined)
    return -E.INVAL;
  socket.options.setNumber(level, name, BOOLEANS.has(`${level}:${name}`) ? Number(number !== 0) : number);
  return 0;
}

/** Options that take CAP_NET_ADMIN. */
const PRIVILEGED = new Set([
  ...[SO.SNDBUFFORCE, SO.RCVBUFFORCE, SO.DEBUG].map((name) => `${SOL.SOCKET}:${name}`),
]);
/** Options that take CAP_NET_RAW or CAP_NET_ADMIN. */
const RAW = new Set([`${SOL.SOCKET}:${SO.MARK}`, `${SOL.IP}:${IP.TRANSPARENT}`]);

/** Values beyond which an option answers EINVAL. */
const BOUNDS: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
  [`${SOL.TCP}:${TCP.KEEPIDLE}`, [1, 32767]],
  [`${SOL.TCP}:${TCP.KEEPINTVL}`, [1, 32767]],
  [`${SOL.TCP}:${TCP.KEEPCNT}`, [1, 127]],
  [`${SOL.TCP}:${TCP.SYNCNT}`, [1, 127]],
  [`${SOL.IP}:${IP.TTL}`, [1, 255]],
]);

const BOOLEANS = new Set(
  [
    SO.REUSEADDR,
    SO.REUSEPORT,
    SO.KEEPALIVE,
    SO.BROADCAST,
    SO.PASSCRED,
    SO.OOBINLINE,
    SO.DONTROUTE,
    SO.TIMESTAMP,
  ]
    .map((name) => `${SOL.SOCKET}:${name}`)
    .concat(`${SOL.TCP}:${TCP.NODELAY}`, `${SOL.IPV6}:26`),
);

export function getsockopt(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const [level, name, address, lengthAt] = [args.int(1), args.int(2), args.pointer(3), args.pointer(4)];
  const { space } = task.process;
  const room = space.read32(lengthAt) | 0;
  if (room < 0) return -E.INVAL;
  const value = optionValue(kernel, task, socket, level, name);
  if (typeof value === 'number') return value;
  const out = value.subarray(0, room);
  space.write(address, out);
  space.write32(lengthAt, out.length);
  return 0;
}

function int32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setInt32(0, value, true);
  return out;
}

function optionValue(
  kernel: Kernel,
  task: Task,
  socket: Socket,
  level: number,
  name: number,
): Uint8Array | number {
  if (level === SOL.SOCKET) {
    const special = socketLevel(socket, name);
    if (special !== undefined) return special;
  }
  if (level === SOL.TCP && socket instanceof TcpSocket) {
    if (name === TCP.INFO) return tcpInfo(socket);
    if (name === TCP.CONGESTION) return congestion(socket);
  }
  const rule = optionRule(socket, level, name);
  if (rule === 'level') return socket.domain === AF.NETLINK ? -E.NOPROTOOPT : -E.OPNOTSUPP;
  if (rule === undefined) return unknown(kernel, task, 'getsockopt', level, name);
  if (rule.type === 'int')
    return int32(bufferDefault(socket, level, name) ?? socket.options.number(level, name));
  const size = { linger: 8, timeval: 16, text: 0, bytes: 0 }[rule.type];
  return socket.options.raw(level, name) ?? new Uint8Array(size);
}

/** TCP starts with other buffer sizes (net.ipv4.tcp_wmem, tcp_rmem). */
function bufferDefault(socket: Socket, level: number, name: number): number | undefined {
  if (level !== SOL.SOCKET || !(socket instanceof TcpSocket) || socket.options.raw(level, name) !== undefined)
    return undefined;
  return name === SO.SNDBUF ? 16384 : name === SO.RCVBUF ? 131072 : undefined;
}

function socketLevel(socket: Socket, name: number): Uint8Array | number | undefined {
  switch (name) {
    case SO.TYPE:
      return int32(socket.kind);
    case SO.DOMAIN:
      return int32(socket.domain);
    case SO.PROTOCOL:
      return int32(socket.protocol);
    case SO.ERROR:
      return int32(socket.takeError());
    case SO.ACCEPTCONN:
      return int32(Number(socket.listening));
    case SO.PEERCRED: {
      const { pid, uid, gid } = socket.peerCredentials ?? { pid: 0, uid: 0xffffffff, gid: 0xffffffff };
      return Uint8Array.of(...int32(pid), ...int32(uid), ...int32(gid));
    }
    case SO.PEERGROUPS:
      return socket.peerCredentials === undefined ? -E.NODATA : new Uint8Array(0);
    case SO.PEERSEC:
      return -E.NOPROTOOPT;
    case SO.PEERNAME: {
      const peer = socket.peerAddress();
      return peer === undefined ? -E.NOTCONN : packAddress(peer);
    }
    case SO.COOKIE: {
      const out = new Uint8Array(8);
      new DataView(out.buffer).setBigUint64(0, BigInt(socket.ino), true);
      return out;
    }
    default:
      return undefined;
  }
}

/** struct tcp_info: the state, and sizes that a program may divide by. */
function tcpInfo(socket: TcpSocket): Uint8Array {
  const out = new Uint8Array(248);
  const view = new DataView(out.buffer);
  out[0] = socket.state;
  view.setUint32(8, 200_000, true); // tcpi_rto
  view.setUint32(16, 1448, true); // tcpi_snd_mss
  view.setUint32(20, 1448, true); // tcpi_rcv_mss
  view.setUint32(24, socket.listening ? socket.waitingConnections : 0, true); // tcpi_unacked
  view.setUint32(28, socket.listening ? socket.backlogSize : 0, true); // tcpi_sacked
  view.setUint32(60, 1500, true); // tcpi_pmtu
  view.setUint32(68, 50, true); // tcpi_rtt
  view.setUint32(80, 10, true); // tcpi_snd_cwnd
  return out;
}

function congestion(socket: TcpSocket): Uint8Array {
  const out = new Uint8Array(16);
  const set = socket.options.raw(SOL.TCP, TCP.CONGESTION);
  out.set((set ?? encodeText('cubic')).subarray(0, 15));
  return out;
}
