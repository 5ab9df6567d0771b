// TCP sockets: listening, connecting, connected. Loopback connections are made at once; those to the outside wait for
// the world (world.ts), those from the outside come from it. Segments, windows and retransmission do not exist here.
import type { Protocol } from '../effect/index.ts';
import { shadowedPart } from '../machine/index.ts';
import { AF, type InetAddress, MSG, SHUT, SO, type SocketAddress, unmapped } from './abi-socket.ts';
import { E } from './errno.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { isAny, type Net, type PortUser } from './net.ts';
import { type Incoming, type Outgoing, received } from './socket.ts';
import { InetSocket } from './socket-inet.ts';
import { type StreamEnd, streamLoop, streamPair } from './socket-stream.ts';
import type { Task } from './task.ts';
import { type Block, block } from './wait.ts';

/** Bytes in flight in one direction of a loopback connection. */
const CAPACITY = 2_626_560;
/** Six unanswered SYNs. */
const CONNECT_TIMEOUT = 127_000_000_000n;
const SOMAXCONN = 4096;
/** TCP_CLOSE. */
const CLOSED = 7;

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
  /** Connections that came while the queue was full, and try again when there is room. */
  private readonly overflow = new Set<TcpSocket>();
  /** Virtual time at which an unanswered connect gives up; while connecting. */
  private connectDeadline: bigint | undefined = undefined;
  /** How a connect that did not wait has ended, until connect is called again (SS_CONNECTING); dead: shut down after it failed. */
  private outcome: 'made' | 'failed' | 'dead' | undefined = undefined;
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
    if (this.end !== undefined || this.connectDeadline !== undefined || this.outcome !== undefined)
      return -E.INVAL;
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
    this.admit();
    socket.options.copyFrom(this.options);
    socket.end = next.end;
    socket.local = this.inFamily(next.local);
    socket.peer = this.inFamily(next.peer);
    kernel.net.sharePort(kernel.net.tcp, socket);
    return socket;
  }

  /** There is room in the queue again. */
  private admit(): void {
    for (const socket of this.overflow) {
      if (!this.hasRoom) return;
      this.overflow.delete(socket);
      if (socket.connectDeadline !== undefined && socket.peer !== undefined) socket.join(this, socket.peer);
    }
  }

  /** An IPv6 socket shows IPv4 addresses mapped. */
  private inFamily(address: InetAddress): InetAddress {
    return { ...address, family: this.domain === AF.INET6 ? 'inet6' : 'inet' };
  }

  // connecting

  connect(kernel: Kernel, _task: Task, address: SocketAddress): number | Block {
    if (address.family === 'unspec') return this.disconnect(kernel);
    this.expire(kernel);
    if (this.connectDeadline !== undefined) return this.nonblocking ? -E.ALREADY : this.waitConnect();
    if (this.outcome !== undefined) return this.tellOutcome();
    if (this.end !== undefined || this.listening) return -E.ISCONN;
    const wanted = this.usable(address, E.AFNOSUPPORT);
    if (typeof wanted === 'number') return wanted;
    const { net } = kernel;
    const target = isAny(wanted.address)
      ? { ...wanted, address: wanted.address.includes(':') ? '::1' : '127.0.0.1' }
      : wanted;
    if (!net.isReachable(target.address)) return -E.NETUNREACH;
    const error = this.settle(kernel, target.address);
    if (error !== 0) return error;
    this.peer = this.wanted = target;
    if (net.isLocal(target.address)) this.connectInside(kernel, target);
    else this.connectOutside(kernel, target);
    if (this.nonblocking) return -E.INPROGRESS;
    return this.connectDeadline === undefined ? this.tellOutcome() : this.waitConnect();
  }

  private tellOutcome(): number {
    const { outcome } = this;
    if (outcome === 'dead') return -E.INVAL;
    this.outcome = undefined;
    if (outcome === 'made') return 0;
    const error = this.takeError();
    [this.shutRead, this.shutWrite] = [false, false];
    return error === 0 ? -E.CONNABORTED : -error;
  }

  private waitConnect(): Block {
    const { peer, connectDeadline } = this;
    return block([this.queue], `connect ${peer?.address}:${peer?.port}`, {
      ...(connectDeadline === undefined ? {} : { deadline: connectDeadline }),
    });
  }

  private connectInside(kernel: Kernel, target: InetAddress): void {
    const { net } = kernel;
    const takes = (user: PortUser): user is TcpSocket => user instanceof TcpSocket && user.listening;
    const listeners = net.match(net.tcp, target, takes);
    const chosen = listeners[(this.local?.port ?? 0) % Math.max(1, listeners.length)];
    const own = this.local?.port === target.port && this.local.address === target.address;
    if (chosen === undefined && own) this.connectSelf();
    else if (chosen === undefined) this.fail(kernel, E.CONNREFUSED);
    else if (chosen.hasRoom) this.join(chosen, target);
    else {
      this.connectDeadline = kernel.now + CONNECT_TIMEOUT;
      chosen.overflow.add(this);
    }
  }

  /** A simultaneous open with itself: what it sends, it receives. */
  private connectSelf(): void {
    const end = streamLoop(CAPACITY, this.queue);
    this.attach(end);
    if (this.shutWrite) end.endWriting();
  }

  /** The connection with a listener is made and waits in its queue. */
  private join(listener: TcpSocket, target: InetAddress): void {
    const { local } = this;
    const [mine, theirs] = streamPair(CAPACITY, { first: this.queue });
    this.attach(mine);
    const from = local ?? target;
    listener.arrive({ end: theirs, local: target, peer: { ...from, address: unmapped(from.address) } });
  }

  private attach(end: StreamEnd): void {
    this.end = end;
    this.connectDeadline = undefined;
    this.outcome = 'made';
    this.queue.wake(POLL.OUT | POLL.WRNORM);
  }

  /** The connection is not made: both directions are shut, and a port that bind did not ask for is given back. */
  private fail(kernel: Kernel, errno: number): void {
    this.connectDeadline = undefined;
    this.outcome = 'failed';
    this.error = errno;
    [this.shutRead, this.shutWrite] = [true, true];
    this.unsettle(kernel);
    this.queue.wake();
  }

  /** No peer any more; a port that bind did not ask for is given back. */
  private unsettle(kernel: Kernel): void {
    this.peer = undefined;
    if (this.bound) return;
    kernel.net.releasePort(kernel.net.tcp, this);
    this.local = undefined;
  }

  private connectOutside(kernel: Kernel, target: InetAddress): void {
    const { net } = kernel;
    if (net.outside === 'refuses') {
      this.fail(kernel, E.CONNREFUSED);
      return;
    }
    const id = net.takeId();
    this.outboundId = id;
    this.connectDeadline = kernel.now + CONNECT_TIMEOUT;
    net.outbound.set(id, { id, socket: this, local: this.local ?? target, peer: target });
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
    this.fail(kernel, errno);
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
    if (this.listening) this.stopListening(kernel);
    this.connectDeadline = undefined;
    this.end?.close(kernel, true);
    this.end = undefined;
    this.outcome = undefined;
    this.unsettle(kernel);
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
        : -E.PIPE; // with SIGPIPE, as on a socket that was never connected
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
      end.push(shadowedPart(bytes, done, done + part));
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
    if (end === undefined) {
      if (this.connectDeadline !== undefined) return this.wait(kernel, task, flags, SO.RCVTIMEO, 'read tcp');
      return this.shutRead && !this.listening ? received(new Uint8Array(0)) : -E.NOTCONN;
    }
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

  /** Nobody, once both directions have ended. */
  override peerAddress(): SocketAddress | undefined {
    return this.state === CLOSED ? undefined : super.peerAddress();
  }

  override takeError(): number {
    const { end, error } = this;
    if (error !== 0 || end?.reset !== true || this.told) return super.takeError();
    return -this.tellReset(end, 0);
  }

  override shutdown(kernel: Kernel, how: number): number {
    if (this.listening) {
      return how === SHUT.WR ? 0 : this.disconnect(kernel);
    }
    const { end } = this;
    const closed = this.state === CLOSED;
    // Linux marks an unconnected socket too; a later connection starts with its directions shut.
    if (how !== SHUT.WR) this.shutRead = true;
    if (how !== SHUT.RD) this.shutWrite = true;
    this.queue.wake();
    if (this.connectDeadline !== undefined) return this.disconnect(kernel);
    this.outcome = this.outcome === undefined || this.outcome === 'made' ? undefined : 'dead';
    if (end === undefined || closed) return -E.NOTCONN;
    if (how !== SHUT.RD) end.endWriting();
    return 0;
  }

  private stopListening(kernel: Kernel): void {
    this.backlog = undefined;
    for (const { end } of this.pending) end.close(kernel, true);
    this.pending.length = 0;
    for (const socket of this.overflow)
      if (socket.connectDeadline !== undefined) socket.fail(kernel, E.CONNREFUSED);
    this.overflow.clear();
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
        POLL.OUT | POLL.WRNORM | POLL.HUP | failed | (this.shutRead ? POLL.IN | POLL.RDNORM | POLL.RDHUP : 0)
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
    const { end } = this;
    if (end === undefined || end.reset) return CLOSED;
    if (this.shutWrite) return end.incoming.ended ? CLOSED : 5;
    return end.incoming.ended ? 8 : 1;
  }
}
