// UDP sockets. Datagrams between local addresses are delivered; those to the outside are handed to the world.
import type { Protocol } from '../effect/index.ts';
import { shadowedPart } from '../machine/index.ts';
import { AF, type InetAddress, MSG, SHUT, SO, SOL, type SocketAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { isAny, type Net, type PortUser } from './net.ts';
import { type Incoming, type Outgoing, received } from './socket.ts';
import { InetSocket } from './socket-inet.ts';
import type { Task } from './task.ts';
import type { Block } from './wait.ts';

const LARGEST = 65507;

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: InetAddress;
  readonly to: string;
}

export class UdpSocket extends InetSocket {
  readonly protocolName: Protocol = 'udp';
  readonly datagrams = true;
  private readonly inbox: Datagram[] = [];
  private inboxBytes = 0;

  table(net: Net): Map<number, PortUser[]> {
    return net.udp;
  }
  override get available(): number {
    return this.inbox[0]?.bytes.length ?? 0;
  }

  connect(kernel: Kernel, _task: Task, address: SocketAddress): number {
    if (address.family === 'unspec') {
      this.peer = undefined;
      this.wanted = undefined;
      // What connecting had chosen goes, what bind had asked for stays (__udp_disconnect).
      if (!this.bound && this.local !== undefined) {
        kernel.net.releasePort(kernel.net.udp, this);
        this.local = undefined;
      }
      return 0;
    }
    const unbound = this.autobind(kernel);
    if (unbound !== 0) return unbound;
    const wanted = this.destinationOf(address, E.AFNOSUPPORT);
    if (typeof wanted === 'number') return wanted;
    const target = this.loopbackForAny(wanted);
    const error = this.route(kernel, target);
    this.wanted = error === 0 ? undefined : target;
    if (error === 0) this.peer = target;
    return error;
  }

  /** Datagram sockets of IPv6 take plain IPv4 addresses, too, unless they are for IPv6 only. */
  private destinationOf(address: SocketAddress, v6onlyError: number): InetAddress | number {
    if (address.family !== 'inet' || this.domain !== AF.INET6) return this.usable(address, E.AFNOSUPPORT);
    return this.v6only ? -v6onlyError : { family: 'inet', address: address.address, port: address.port };
  }

  private loopbackForAny(address: InetAddress): InetAddress {
    return isAny(address.address)
      ? { ...address, address: address.address.includes(':') ? '::1' : '127.0.0.1' }
      : address;
  }

  private route(kernel: Kernel, target: InetAddress): number {
    if (!kernel.net.isReachable(target.address)) return -E.NETUNREACH;
    if (target.address === '255.255.255.255' && !this.options.has(SOL.SOCKET, SO.BROADCAST)) return -E.ACCES;
    return this.settle(kernel, target.address);
  }

  send(kernel: Kernel, _task: Task, message: Outgoing): number | Block {
    const unbound = this.autobind(kernel);
    if (unbound !== 0) return unbound;
    const { bytes } = message;
    if (bytes.length > LARGEST) return -E.MSGSIZE;
    const target = this.destination(message.to);
    if (typeof target === 'number') return target;
    if (target.port === 0) return -E.INVAL;
    const keep = this.local;
    const error = this.route(kernel, target);
    if (error !== 0) return error;
    if (this.error !== 0) return -this.takeError();
    if (this.shutWrite) return -E.PIPE;
    const source = this.local as InetAddress;
    // Sending without connecting leaves a socket bound to any address as it is.
    if (this.peer === undefined)
      this.local =
        keep !== undefined && isAny(keep.address)
          ? keep
          : { ...source, address: this.domain === 10 ? '::' : '0.0.0.0' };
    const from = {
      ...source,
      address: kernel.net.isLocal(source.address) ? source.address : kernel.net.sourceFor(target.address),
    };
    this.deliver(kernel, { bytes: bytes.slice(), from, target });
    return bytes.length;
  }

  private destination(to: SocketAddress | undefined): InetAddress | number {
    if (to !== undefined && to.family !== 'unspec') {
      const wanted = this.destinationOf(to, E.NETUNREACH);
      return typeof wanted === 'number' ? wanted : this.loopbackForAny(wanted);
    }
    return this.peer ?? -E.DESTADDRREQ;
  }

  private deliver(
    kernel: Kernel,
    {
      bytes,
      from,
      target,
    }: { readonly bytes: Uint8Array; readonly from: InetAddress; readonly target: InetAddress },
  ): void {
    const { net } = kernel;
    if (!net.isLocal(target.address)) {
      net.keepDatagram({ id: net.takeId(), socket: this, local: from, peer: target, bytes });
      if (net.outside === 'refuses') this.refused(target);
      return;
    }
    const takes = (user: PortUser): user is UdpSocket => user instanceof UdpSocket && user.takesFrom(from);
    const receivers = net.match(net.udp, target, takes);
    const connected = receivers.filter((user) => user.peer !== undefined);
    const receiver = connected[0] ?? receivers[from.port % Math.max(1, receivers.length)];
    if (receiver !== undefined) receiver.arrive(bytes, from, target.address);
    else this.refused(target);
  }

  /** ICMP port unreachable: connected sockets are told. */
  private refused(target: InetAddress): void {
    if (this.peer?.port !== target.port || this.peer.address !== target.address) return;
    this.error = E.CONNREFUSED;
    this.queue.wake();
  }

  /** A connected socket takes datagrams from its peer only. */
  takesFrom(from: InetAddress): boolean {
    return this.peer === undefined || (this.peer.address === from.address && this.peer.port === from.port);
  }

  /** Puts a datagram into the receive queue; a full queue drops it. */
  arrive(bytes: Uint8Array, from: InetAddress, to: string): void {
    if (this.inboxBytes + bytes.length > this.options.number(SOL.SOCKET, SO.RCVBUF)) return;
    this.inbox.push({ bytes, from, to });
    this.inboxBytes += bytes.length;
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  receive(kernel: Kernel, task: Task, length: number, flags: number): Incoming | number | Block {
    if ((flags & MSG.ERRQUEUE) !== 0) return -E.AGAIN;
    if (this.error !== 0) return -this.takeError();
    const next = this.inbox[0];
    if (next === undefined) {
      const blocked = this.wait(kernel, task, flags, SO.RCVTIMEO, `read udp ${this.local?.port ?? ''}`);
      // A shut socket has an end of file only for those who would wait.
      return this.shutRead && typeof blocked !== 'number' ? received(new Uint8Array(0)) : blocked;
    }
    if ((flags & MSG.PEEK) === 0) {
      this.inbox.shift();
      this.inboxBytes -= next.bytes.length;
    }
    const family = this.domain === 10 ? 'inet6' : 'inet';
    return received(shadowedPart(next.bytes, 0, length), {
      length: next.bytes.length,
      from: { ...next.from, family },
      to: next.to,
    });
  }

  override shutdown(_kernel: Kernel, how: number): number {
    if (how !== SHUT.WR) this.shutRead = true;
    if (how !== SHUT.RD) this.shutWrite = true;
    this.queue.wake();
    return this.peer === undefined ? -E.NOTCONN : 0;
  }

  poll(): number {
    let events = POLL.OUT | POLL.WRNORM | POLL.WRBAND;
    if (this.inbox.length > 0 || this.shutRead) events |= POLL.IN | POLL.RDNORM;
    if (this.shutRead) events |= POLL.RDHUP;
    if (this.shutRead && this.shutWrite) events |= POLL.HUP;
    if (this.error !== 0) events |= POLL.ERR;
    return events;
  }
}
