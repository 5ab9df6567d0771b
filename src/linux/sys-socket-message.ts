// Sending and receiving with addresses and control messages: sendto, recvfrom, sendmsg, recvmsg and their plural forms.
import { CAP } from './abi-process.ts';
import {
  AF,
  bytesOfIp,
  type ControlMessage,
  IP,
  IPV6,
  MSG,
  packAddress,
  packControl,
  parseControl,
  SCM,
  SO,
  SOCK,
  SOL,
  type SocketAddress,
} from './abi-socket.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { raiseSigpipe } from './signals.ts';
import type { Incoming, Outgoing, PeerCredentials, Socket } from './socket.ts';
import {
  effectOn,
  fileOf,
  gather,
  install,
  scatter,
  totalLength,
  type Vector,
  vectorsAt,
} from './sys-file-common.ts';
import { addressAt, socketOf } from './sys-socket-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { actorOf, capable } from './vfs-permission.ts';
import { type Block, isBlock, type SysResult } from './wait.ts';

/** struct msghdr, read. */
interface Header {
  readonly at: number;
  readonly name: number;
  readonly nameLength: number;
  readonly vectors: readonly Vector[];
  readonly control: number;
  readonly controlLength: number;
}

function headerAt(task: Task, at: number): Header | number {
  const { space } = task.process;
  const vectors = vectorsAt(space, Number(space.read64(at + 16)), Number(space.read64(at + 24)));
  if (typeof vectors === 'number') return Number(space.read64(at + 24)) > 1024 ? -E.MSGSIZE : vectors;
  return {
    at,
    vectors,
    name: Number(space.read64(at)),
    nameLength: space.read32(at + 8) | 0,
    control: Number(space.read64(at + 32)),
    controlLength: Number(space.read64(at + 40)),
  };
}

/** Sends, raises SIGPIPE where a stream is broken, and records the effect. */
function transmit(kernel: Kernel, task: Task, socket: Socket, message: Outgoing): number | Block {
  const result = socket.send(kernel, task, message);
  if (isBlock(result)) return result;
  if (result === -E.PIPE && socket.kind !== SOCK.DGRAM && (message.flags & MSG.NOSIGNAL) === 0)
    raiseSigpipe(kernel, task);
  kernel.effect(task, effectOn('WRITE', socket.resourceWith(message.to)), result);
  return result;
}

function sendto(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const to = args.pointer(4) === 0 ? undefined : addressAt(task, socket, args.pointer(4), args.int(5));
  if (typeof to === 'number') return to;
  const bytes = task.process.space.read(args.pointer(1), args.size(2));
  return transmit(kernel, task, socket, { bytes, to, files: [], credentials: undefined, flags: args.int(3) });
}

/** SCM_RIGHTS and SCM_CREDENTIALS of a message to send. */
function attachments(
  task: Task,
  header: Header,
): { readonly files: OpenFile[]; readonly credentials: PeerCredentials | undefined } | number {
  const files: OpenFile[] = [];
  let credentials: PeerCredentials | undefined;
  if (header.control === 0 || header.controlLength === 0) return { files, credentials };
  const messages = parseControl(
    task.process.space.read(header.control, Math.min(header.controlLength, 65536)),
  );
  if (messages === undefined) return -E.INVAL;
  for (const { level, type, data } of messages) {
    if (level !== SOL.SOCKET) continue;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (type === SCM.RIGHTS) {
      for (let at = 0; at + 4 <= data.length; at += 4) {
        const file = fileOf(task, view.getInt32(at, true)) ?? task.process.files.get(view.getInt32(at, true));
        if (file === undefined) return -E.BADF;
        files.push(file);
      }
      if (files.length > 253) return -E.INVAL;
    } else if (type === SCM.CREDENTIALS) {
      if (data.length < 12) return -E.INVAL;
      credentials = {
        pid: view.getInt32(0, true),
        uid: view.getUint32(4, true),
        gid: view.getUint32(8, true),
      };
      if (!mayClaim(task, credentials)) return -E.PERM;
    } else {
      return -E.INVAL;
    }
  }
  return { files, credentials };
}

function mayClaim(task: Task, claimed: PeerCredentials): boolean {
  const { credentials, pid } = task.process;
  const actor = actorOf(task);
  const { uid, euid, suid, gid, egid, sgid } = credentials;
  const uidFine = [uid, euid, suid].includes(claimed.uid) || capable(actor, CAP.SETUID);
  const gidFine = [gid, egid, sgid].includes(claimed.gid) || capable(actor, CAP.SETGID);
  return uidFine && gidFine && (claimed.pid === pid || capable(actor, CAP.SYS_ADMIN));
}

function sendHeader(
  kernel: Kernel,
  task: Task,
  socket: Socket,
  header: Header,
  flags: number,
): number | Block {
  const to =
    header.name === 0 || header.nameLength === 0
      ? undefined
      : addressAt(task, socket, header.name, header.nameLength);
  if (typeof to === 'number') return to;
  const attached = attachments(task, header);
  if (typeof attached === 'number') return attached;
  return transmit(kernel, task, socket, {
    bytes: gather(task.process.space, header.vectors),
    to,
    ...attached,
    flags,
  });
}

function sendmsg(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const header = headerAt(task, args.pointer(1));
  return typeof header === 'number' ? header : sendHeader(kernel, task, socket, header, args.int(2));
}

const MMSGHDR = 64;

function sendmmsg(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const count = Math.min(args.uint(2), 1024);
  let sent = Number(task.restart?.sent ?? 0);
  for (; sent < count; sent++) {
    const at = args.pointer(1) + sent * MMSGHDR;
    const header = headerAt(task, at);
    const result =
      typeof header === 'number' ? header : sendHeader(kernel, task, socket, header, args.int(3));
    if (isBlock(result)) {
      task.restart = { ...task.restart, sent };
      return sent > 0 && task.signalled ? sent : result;
    }
    if (result < 0) return sent > 0 ? sent : result;
    task.process.space.write32(at + 56, result);
    if (task.restart !== undefined) task.restart = { sent: sent + 1 };
  }
  return sent;
}

/** Receives and records the effect; the descriptors in the result carry a reference. */
function fetch(
  kernel: Kernel,
  task: Task,
  socket: Socket,
  length: number,
  flags: number,
): Incoming | number | Block {
  const result = socket.receive(kernel, task, length, flags);
  if (typeof result !== 'number' && 'kind' in result) return result;
  const from = typeof result === 'number' ? undefined : result.from;
  kernel.effect(
    task,
    effectOn('READ', socket.resourceWith(from)),
    typeof result === 'number' ? result : result.bytes.length,
  );
  return result;
}

/** What the call returns: with MSG_TRUNC the whole datagram's length. */
const countOf = (socket: Socket, incoming: Incoming, flags: number): number =>
  (flags & MSG.TRUNC) !== 0 && socket.kind !== SOCK.STREAM ? incoming.length : incoming.bytes.length;

function recvfrom(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const flags = args.int(3);
  const result = fetch(kernel, task, socket, args.size(2), flags);
  if (typeof result === 'number' || 'kind' in result) return result;
  for (const file of result.files) kernel.dropFile(file);
  const { space } = task.process;
  if (result.bytes.length > 0) space.write(args.pointer(1), result.bytes);
  if (args.pointer(4) !== 0) writeName(task, result.from, args.pointer(4), args.pointer(5));
  return countOf(socket, result, flags);
}

/** The sender's address, cut to the room; streams have none, and then the length becomes 0. */
function writeName(task: Task, from: SocketAddress | undefined, address: number, lengthAt: number): void {
  const { space } = task.process;
  const room = space.read32(lengthAt);
  const bytes =
    from === undefined || (from.family === 'unix' && from.path === '')
      ? new Uint8Array(0)
      : packAddress(from);
  space.write(address, bytes.subarray(0, room));
  space.write32(lengthAt, bytes.length);
}

/** Control messages that the socket's options ask for. Descriptors are installed here. */
/** SCM_RIGHTS: as many descriptors as fit; the rest are closed (scm_detach_fds). */
function receiveFiles(
  kernel: Kernel,
  task: Task,
  files: Incoming['files'],
  options: { readonly room: number; readonly cloexec: boolean },
): { readonly message: ControlMessage | undefined; readonly cut: boolean } {
  const fitting = Math.max(0, Math.floor((options.room - 16) / 4));
  const given: number[] = [];
  for (const [i, file] of files.entries()) {
    const fd = i < fitting ? install(kernel, task, file, options.cloexec) : -1;
    kernel.dropFile(file);
    if (fd >= 0) given.push(fd);
  }
  const message =
    given.length === 0 ? undefined : { level: SOL.SOCKET, type: SCM.RIGHTS, data: words(...given) };
  return { message, cut: given.length < files.length };
}

function controlOf(kernel: Kernel, socket: Socket, incoming: Incoming): ControlMessage[] {
  const out: ControlMessage[] = [];
  if (socket.options.has(SOL.SOCKET, SO.PASSCRED) && socket.domain === AF.UNIX) {
    const { pid, uid, gid } = incoming.credentials ?? { pid: 0, uid: 65534, gid: 65534 };
    out.push({ level: SOL.SOCKET, type: SCM.CREDENTIALS, data: words(pid, uid, gid) });
  }
  if (socket.options.has(SOL.SOCKET, SO.TIMESTAMP) && socket.kind === SOCK.DGRAM) {
    const now = kernel.environment.time + kernel.now;
    const data = new Uint8Array(16);
    const view = new DataView(data.buffer);
    view.setBigInt64(0, now / 1_000_000_000n, true);
    view.setBigInt64(8, (now % 1_000_000_000n) / 1000n, true);
    out.push({ level: SOL.SOCKET, type: SO.TIMESTAMP, data });
  }
  if (incoming.to !== undefined) {
    const local = bytesOfIp(incoming.to);
    const index = kernel.net.isLoopback(incoming.to) ? 1 : 2;
    if (local.length === 4 && socket.options.has(SOL.IP, IP.PKTINFO))
      out.push({ level: SOL.IP, type: IP.PKTINFO, data: Uint8Array.of(...words(index), ...local, ...local) });
    if (socket.options.has(SOL.IPV6, IPV6.RECVPKTINFO)) {
      const long = local.length === 16 ? local : bytesOfIp(`::ffff:${incoming.to}`);
      out.push({ level: SOL.IPV6, type: IPV6.PKTINFO, data: Uint8Array.of(...long, ...words(index)) });
    }
  }
  return out;
}

function words(...values: number[]): Uint8Array {
  const out = new Uint8Array(4 * values.length);
  const view = new DataView(out.buffer);
  values.forEach((value, i) => {
    view.setInt32(4 * i, value, true);
  });
  return out;
}

function receiveHeader(
  kernel: Kernel,
  task: Task,
  socket: Socket,
  header: Header,
  flags: number,
): number | Block {
  const result = fetch(kernel, task, socket, totalLength(header.vectors), flags);
  if (typeof result === 'number' || 'kind' in result) return result;
  const { space } = task.process;
  scatter(space, header.vectors, result.bytes);
  if (header.name !== 0) writeName(task, result.from, header.name, header.at + 8);
  let outFlags =
    (result.length > result.bytes.length ? MSG.TRUNC : 0) |
    (result.record && socket.kind === SOCK.SEQPACKET ? MSG.EOR : 0);
  let filled = 0;
  const room = header.control === 0 ? 0 : header.controlLength;
  const put = (message: ControlMessage): void => {
    const left = room - filled;
    if (left < 16 + message.data.length) outFlags |= MSG.CTRUNC;
    if (left < 16) return;
    const packed = packControl(message);
    const part = packed.slice(0, left);
    if (left < 16 + message.data.length) new DataView(part.buffer).setBigUint64(0, BigInt(left), true);
    space.write(header.control + filled, part);
    filled += part.length;
  };
  for (const message of controlOf(kernel, socket, result)) put(message);
  if (result.files.length > 0) {
    const cloexec = (flags & MSG.CMSG_CLOEXEC) !== 0;
    const received = receiveFiles(kernel, task, result.files, { room: room - filled, cloexec });
    if (received.cut) outFlags |= MSG.CTRUNC;
    if (received.message !== undefined) put(received.message);
  }
  space.write64(header.at + 40, BigInt(filled));
  space.write32(header.at + 48, outFlags | (flags & MSG.CMSG_CLOEXEC));
  return countOf(socket, result, flags);
}

function recvmsg(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const header = headerAt(task, args.pointer(1));
  return typeof header === 'number' ? header : receiveHeader(kernel, task, socket, header, args.int(2));
}

function recvmmsg(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const socket = socketOf(task, args.int(0));
  if (typeof socket === 'number') return socket;
  const count = Math.min(args.uint(2), 1024);
  const flags = args.int(3);
  const deadline = mmsgDeadline(kernel, task, args.pointer(4));
  if (typeof deadline === 'number') return deadline;
  let got = Number(task.restart?.got ?? 0);
  for (; got < count; got++) {
    const at = args.pointer(1) + got * MMSGHDR;
    const header = headerAt(task, at);
    const dontWait = got > 0 && (flags & MSG.WAITFORONE) !== 0 ? MSG.DONTWAIT : 0;
    const result =
      typeof header === 'number'
        ? header
        : receiveHeader(kernel, task, socket, header, (flags & ~MSG.WAITFORONE) | dontWait);
    if (isBlock(result)) {
      if (got > 0 && (task.signalled || (deadline !== undefined && kernel.now >= deadline))) return got;
      task.restart = { ...task.restart, got, ...(deadline === undefined ? {} : { until: deadline }) };
      return result;
    }
    if (result < 0) return got > 0 ? got : result;
    task.process.space.write32(at + 56, result);
    if (deadline !== undefined && kernel.now >= deadline) return got + 1;
  }
  return got;
}

/** The absolute end of a timeout argument, which Linux looks at only after each message. */
function mmsgDeadline(kernel: Kernel, task: Task, address: number): bigint | undefined | number {
  if (address === 0) return undefined;
  if (typeof task.restart?.until === 'bigint') return task.restart.until;
  const { space } = task.process;
  const [seconds, ns] = [
    BigInt.asIntN(64, space.read64(address)),
    BigInt.asIntN(64, space.read64(address + 8)),
  ];
  if (seconds < 0n || ns < 0n || ns >= 1_000_000_000n) return -E.INVAL;
  return kernel.now + seconds * 1_000_000_000n + ns;
}

export const messageRows: readonly SyscallRow[] = [
  row('sendto', sendto),
  row('sendmsg', sendmsg),
  row('sendmmsg', sendmmsg),
  row('recvfrom', recvfrom),
  row(
    'recvmsg',
    recvmsg,
    'partial',
    'control messages: SCM_RIGHTS, SCM_CREDENTIALS, IP_PKTINFO, IPV6_PKTINFO, SO_TIMESTAMP',
  ),
  row('recvmmsg', recvmmsg),
];
