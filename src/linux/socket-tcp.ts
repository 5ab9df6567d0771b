// TCP sockets: listening, connecting, connected. Loopback connections are made at once; those to the outside wait for
// the world (world.ts), those from the outside come from it. Segments, windows and retransmission do not exist here.
import type { Protocol } from '../effect/index.ts';
import { AF, type InetAddress, MSG, SHUT, SO, type SocketAddress, unmapped } from './abi-socket.ts';
import { E } from './errno.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { isAny, type Net, type PortUser } from './net.ts';
import { type Incoming, type Outgoing, received } from './socket.ts';
import { InetSocket } from './socket-inet.ts';
import { type StreamEnd, streamPair } from './socket-stream.ts';
import type { Task } from './task.ts';
import { type Block, block } from './wait.ts';

/** Bytes in flight in one direction of a loopback connection. */
const CAPACITY = 2_626_560;
/** Six unanswered SYNs. */
const CONNECT_TIMEOUT = 127_000_000_000n;
const SOMAXCONN = 4096;

/** A connection that waits to be accepted. */
interface Pending {
  readonly end: StreamEnd;
  readonly local: InetAddress;
  readonly peer: InetAddress;
}

export class TcpSocket extends InetSocket {
  readonly protocolName: Protocol = 'tcp';
  readonly datagrams = false;
  private end: StreamEnd | undefined = undefined;
  private backlog: number | undefined = undefined;
  private readonly pending: Pending[] = [];
  /** Virtual time at which an unanswered connect gives up; while connecting. */
  private connectDeadline: bigint | undefined = undefined;
  private outboundId: number | undefined = undefined;
  /** The end of the connection was told to the program (ECONNRESET, EPIPE). */
  private told = false;

  table(net: Net): Map<number, PortUser[]> {
    return net.tcp;
  }
  override get listening(): boolean {
    return this.backlog !== undefined;
  }
  get connected(): boolean {
    return this.end !== undefined;
  }
  override get available(): number {
    return this.end?.incoming.length ?? 0;
  }

  // listening

  override listen(kernel: Kernel, _task: Task, backlog: number): number {
    if (this.end !== undefined || this.connectDeadline !== undefined) return -E.INVAL;
    if (this.local === undefined) {
      const error = kernel.net.bindPort(kernel.net.tcp, this, {
        family: this.domain === AF.INET6 ? 'inet6' : 'inet',
        address: this.domain === AF.INET6 ? '::' : '0.0.0.0',
        port: 0,
      });
      if (error !== 0) return error;
    }
    const { local } = this;
    if (local === undefined) return -E.INVAL;
    const rival = kernel.net
      .match(kernel.net.tcp, local, (other): other is TcpSocket => other !== this && other.listening)
      .some((other) => other.domain === this.domain && !(other.reusePort && this.reusePort));
    if (rival) return -E.ADDRINUSE;
    this.backlog = Math.min(backlog < 0 || backlog > SOMAXCONN ? SOMAXCONN : backlog, SOMAXCONN);
    this.queue.wake(POLL.OUT);
    return 0;
  }

  /** Whether one more connection may wait here. */
  get hasRoom(): boolean {
    return this.backlog !== undefined && this.pending.length <= this.backlog;
  }
  get waitingConnections(): number {
    return this.pending.length;
  }
  get backlogSize(): number {
    return this.backlog ?? 0;
  }

  /** A connection has arrived and waits to be accepted. */
  arrive(pending: Pending): void {
    this.pending.push(pending);
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  override accept(kernel: Kernel, task: Task, flags: number): TcpSocket | number | Block {
    if (!this.listening) return -E.INVAL;
    const next = this.pending.shift();
    if (next === undefined)
      return this.wait(kernel, task, 0, SO.RCVTIMEO, `accept ${this.local?.port ?? ''}`);
    const socket = new TcpSocket(
      {
        domain: this.domain,
        kind: this.kind,
        protocol: this.protocol,
        flags,
        ino: kernel.vfs.takeIno(),
        queue: next.end.queue,
      },
      task,
    );
    socket.options.copyFrom(this.options);
    socket.end = next.end;
    socket.local = this.inFamily(next.local);
    socket.peer = this.inFamily(next.peer);
    kernel.net.sharePort(kernel.net.tcp, socket);
    return socket;
  }

  /** An IPv6 socket shows IPv4 addresses mapped. */
  private inFamily(address: InetAddress): InetAddress {
    return { ...address, family: this.domain === AF.INET6 ? 'inet6' : 'inet' };
  }

  // connecting

  connect(kernel: Kernel, task: Task, address: SocketAddress): number | Block {
    if (address.family === 'unspec') return this.disconnect(kernel);
    if (this.connectDeadline !== undefined) return this.continueConnect(kernel, task);
    if (task.restart?.connecting === true) return this.finishConnect();
    if (this.end !== undefined) return -E.ISCONN;
    if (this.listening) return -E.ISCONN;
    if (this.error !== 0) return -this.takeError();
    const wanted = this.usable(address, E.AFNOSUPPORT);
    if (typeof wanted === 'number') return wanted;
    const { net } = kernel;
    const target = isAny(wanted.address)
      ? { ...wanted, address: wanted.address.includes(':') ? '::1' : '127.0.0.1' }
      : wanted;
    if (!net.isReachable(target.address)) return -E.NETUNREACH;
    const error = this.settle(kernel, target.address);
    if (error !== 0) return error;
    this.peer = target;
    return net.isLocal(target.address)
      ? this.connectInside(kernel, target)
      : this.connectOutside(kernel, task, target);
  }

  private connectInside(kernel: Kernel, target: InetAddress): number {
    const { net } = kernel;
    const { local } = this;
    const listeners = net.match(
      net.tcp,
      target,
      (user): user is TcpSocket => user instanceof TcpSocket && user.hasRoom,
    );
    if (listeners.length === 0 || local === undefined) {
      this.unsettle(kernel);
      return -E.CONNREFUSED;
    }
    const chosen = listeners[local.port % listeners.length];
    const [mine, theirs] = streamPair(CAPACITY, { first: this.queue });
    this.attach(mine);
    chosen.arrive({ end: theirs, local: target, peer: { ...local, address: unmapped(local.address) } });
    return 0;
  }

  /** After a failed connect: a port that bind did not ask for is given back. */
  private unsettle(kernel: Kernel): void {
    this.peer = undefined;
    if (this.bound) return;
    kernel.net.releasePort(kernel.net.tcp, this);
    this.local = undefined;
  }

  private attach(end: StreamEnd): void {
    this.end = end;
    this.connectDeadline = undefined;
    this.queue.wake(POLL.OUT | POLL.WRNORM);
  }

  private connectOutside(kernel: Kernel, task: Task, target: InetAddress): number | Block {
    const { net } = kernel;
    const id = net.takeId();
    this.outboundId = id;
    this.connectDeadline = kernel.now + CONNECT_TIMEOUT;
    net.outbound.set(id, { id, socket: this, local: this.local as InetAddress, peer: target });
    return this.nonblocking ? -E.INPROGRESS : this.waitConnect(task);
  }

  private waitConnect(task: Task): Block {
    task.restart = { ...task.restart, connecting: true };
    return block([this.queue], `connect ${this.peer?.address}:${this.peer?.port}`, {
      ...(this.connectDeadline === undefined ? {} : { deadline: this.connectDeadline }),
    });
  }

  private continueConnect(kernel: Kernel, task: Task): number | Block {
    this.expire(kernel);
    if (this.connectDeadline === undefined) return this.finishConnect();
    return this.nonblocking ? -E.ALREADY : this.waitConnect(task);
  }

  private finishConnect(): number {
    if (this.error !== 0) return -this.takeError();
    return this.end === undefined ? -E.CONNABORTED : 0;
  }

  /** The world took the connection; the result is its end. */
  acceptedOutside(kernel: Kernel): StreamEnd {
    this.leaveOutbound(kernel);
    const [mine, theirs] = streamPair(CAPACITY, { first: this.queue });
    this.attach(mine);
    mine.outgoing.log = [];
    return theirs;
  }

  /** The world answered with an error: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT … */
  refusedOutside(kernel: Kernel, errno: number): void {
    this.leaveOutbound(kernel);
    this.connectDeadline = undefined;
    this.error = errno;
    this.unsettle(kernel);
    this.queue.wake();
  }

  private leaveOutbound(kernel: Kernel): void {
    if (this.outboundId !== undefined) kernel.net.outbound.delete(this.outboundId);
    this.outboundId = undefined;
  }

  override pollDeadline(): bigint | undefined {
    return this.connectDeadline;
  }
  override expire(kernel: Kernel): void {
    if (this.connectDeadline !== undefined && kernel.now >= this.connectDeadline)
      this.refusedOutside(kernel, E.TIMEDOUT);
  }

  private disconnect(kernel: Kernel): number {
    this.leaveOutbound(kernel);
    this.connectDeadline = undefined;
    this.end?.close(kernel, true);
    this.end = undefined;
    this.backlog = undefined;
    this.peer = undefined;
    [this.shutRead, this.shutWrite, this.told] = [false, false, false];
    return 0;
  }

  // connected

  send(kernel: Kernel, task: Task, message: Outgoing): number | Block {
    if (this.error !== 0) return -this.takeError();
    const { end } = this;
    if (end === undefined)
      return this.connectDeadline !== undefined
        ? this.wait(kernel, task, message.flags, SO.SNDTIMEO, 'send')
        : -E.PIPE;
    if (this.shutWrite) return -E.PIPE;
    if (end.reset) return this.tellReset(end, -E.PIPE);
    if ((message.flags & MSG.OOB) !== 0) {
      kernel.cutHere(task, {
        kind: 'syscall-option',
        what: 'send MSG_OOB',
        consequence: 'sent as ordinary data',
      });
    }
    const { bytes } = message;
    if (end.peer.closed) {
      // The other side answers data after its close with a reset, which the next call meets.
      end.breakOff();
      return bytes.length;
    }
    let done = Number(task.restart?.done ?? 0);
    const part = Math.min(bytes.length - done, end.room);
    if (part > 0) {
      end.push(bytes.subarray(done, done + part));
      done += part;
    }
    if (done === bytes.length) return done;
    const blocked = this.wait(kernel, task, message.flags, SO.SNDTIMEO, 'send tcp');
    if (done > 0 && (typeof blocked === 'number' || task.signalled)) return done;
    task.restart = { ...task.restart, done };
    return blocked;
  }

  /** A reset is told once, as ECONNRESET, or as EPIPE where the other side had finished before. */
  private tellReset(end: StreamEnd, later: number): number {
    if (this.told) return later;
    this.told = true;
    return end.incoming.ended ? -E.PIPE : -E.CONNRESET;
  }

  receive(kernel: Kernel, task: Task, length: number, flags: number): Incoming | number | Block {
    if (this.error !== 0) return -this.takeError();
    const { end } = this;
    if (end === undefined)
      return this.connectDeadline !== undefined
        ? this.wait(kernel, task, flags, SO.RCVTIMEO, 'read tcp')
        : -E.NOTCONN;
    if ((flags & MSG.OOB) !== 0) return -E.INVAL;
    if (length === 0 && end.incoming.length > 0) return received(new Uint8Array(0));
    const enough =
      (flags & MSG.WAITALL) !== 0 && (flags & MSG.PEEK) === 0 ? Math.min(length, CAPACITY / 2) : 1;
    const finished = end.incoming.ended || end.reset || this.shutRead;
    if (end.incoming.length >= enough || (end.incoming.length > 0 && (finished || task.signalled))) {
      const taken = end.take(length, { peek: (flags & MSG.PEEK) !== 0, records: false });
      if (taken !== undefined) return { ...taken, from: undefined, to: undefined, record: false };
    }
    if (end.incoming.ended || this.shutRead) return received(new Uint8Array(0));
    if (end.reset) {
      const told = this.tellReset(end, 0);
      return told === 0 ? received(new Uint8Array(0)) : told;
    }
    const blocked = this.wait(kernel, task, flags, SO.RCVTIMEO, 'read tcp');
    if (typeof blocked === 'number' && end.incoming.length > 0) {
      const taken = end.take(length, { peek: false, records: false });
      if (taken !== undefined) return { ...taken, from: undefined, to: undefined, record: false };
    }
    return blocked;
  }

  override shutdown(kernel: Kernel, how: number): number {
    if (this.listening) {
      if (how === SHUT.WR) return 0;
      this.stopListening(kernel);
      return 0;
    }
    const { end } = this;
    // Linux marks an unconnected socket too; a later connection starts with its directions shut.
    if (how !== SHUT.WR) this.shutRead = true;
    if (how !== SHUT.RD) this.shutWrite = true;
    this.queue.wake();
    if (end === undefined) return -E.NOTCONN;
    if (how !== SHUT.RD) end.endWriting();
    return 0;
  }

  private stopListening(kernel: Kernel): void {
    this.backlog = undefined;
    for (const { end } of this.pending) end.close(kernel, true);
    this.pending.length = 0;
    this.queue.wake();
  }

  poll(kernel: Kernel): number {
    this.expire(kernel);
    if (this.listening) return this.pending.length > 0 ? POLL.IN | POLL.RDNORM : 0;
    if (this.connectDeadline !== undefined) return 0;
    const { end } = this;
    const failed = this.error !== 0 ? POLL.ERR : 0;
    if (end === undefined)
      return (
        POLL.OUT | POLL.WRNORM | POLL.HUP | failed | (failed !== 0 ? POLL.IN | POLL.RDNORM | POLL.RDHUP : 0)
      );
    let events = failed;
    const readEnded = end.incoming.ended || this.shutRead || end.reset;
    if (end.incoming.length > 0 || readEnded) events |= POLL.IN | POLL.RDNORM;
    if (readEnded) events |= POLL.RDHUP;
    if (end.reset || (readEnded && this.shutWrite)) events |= POLL.HUP;
    if (end.reset && !this.told) events |= POLL.ERR;
    if (this.shutWrite || end.reset || end.writable) events |= POLL.OUT | POLL.WRNORM;
    return events;
  }

  override close(kernel: Kernel): void {
    super.close(kernel);
    this.leaveOutbound(kernel);
    this.connectDeadline = undefined;
    if (this.listening) this.stopListening(kernel);
    this.end?.close(kernel, this.options.linger === 0);
  }

  /** tcp_info's first byte and TCP_INFO's use by programs: the state. */
  get state(): number {
    if (this.listening) return 10;
    if (this.connectDeadline !== undefined) return 2;
    if (this.end === undefined) return 7;
    if (this.end.reset) return 7;
    if (this.shutWrite) return this.end.incoming.ended ? 7 : 5;
    return this.end.incoming.ended ? 8 : 1;
  }
}
