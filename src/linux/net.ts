// The network of the container: interfaces, ports in use, unix names, and what goes to and comes from the world
// outside (world.ts acts on it). Loopback traffic stays inside and is real.
import { AF, type InetAddress, SIOC, unmapped } from './abi-socket.ts';
import { E } from './errno.ts';
import type { EnvironmentValues } from './events.ts';
import type { Kernel } from './kernel.ts';
import { interfaceIoctl } from './net-interfaces.ts';
import type { Socket } from './socket.ts';
import type { StreamEnd } from './socket-stream.ts';
import type { TcpSocket } from './socket-tcp.ts';
import type { UdpSocket } from './socket-udp.ts';
import type { UnixSocket } from './socket-unix.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

/** A TCP connection between a guest socket and the world. */
export interface WorldConnection {
  readonly id: number;
  /** in: the world connected; out: the guest did. */
  readonly direction: 'in' | 'out';
  readonly local: InetAddress;
  readonly peer: InetAddress;
  /** The world's end. */
  readonly end: StreamEnd;
}

/** A connection that the guest asked for and the world has not answered. */
export interface OutboundConnect {
  readonly id: number;
  readonly socket: TcpSocket;
  readonly local: InetAddress;
  readonly peer: InetAddress;
}

/** A datagram that the guest sent to the outside. */
export interface OutboundDatagram {
  readonly id: number;
  readonly socket: UdpSocket;
  readonly local: InetAddress;
  readonly peer: InetAddress;
  readonly bytes: Uint8Array;
}

const EPHEMERAL = { first: 32768, count: 28232 } as const;
/** Datagrams to the outside that are kept. */
const DATAGRAMS_KEPT = 1024;

export const ANY = { inet: '0.0.0.0', inet6: '::' } as const;
export const isAny = (address: string): boolean => address === ANY.inet || address === ANY.inet6;

/**
 * What comes of sending to addresses outside: nothing, an ICMP error, no route leads there; or the owner answers when
 * every task waits (`onIdle`): with what was asked for, or that there is no such thing.
 */
export type Outside = 'silent' | 'refuses' | 'unreachable' | 'answers' | 'denies';

export class Net {
  readonly address: string;
  outside: Outside;
  readonly gateway: string;
  /** Bound sockets by port. */
  readonly tcp = new Map<number, PortUser[]>();
  readonly udp = new Map<number, PortUser[]>();
  /** Bound unix sockets: by type and abstract name here, by path in the inode. */
  readonly abstractNames = new Map<string, UnixSocket>();
  readonly connections = new Map<number, WorldConnection>();
  readonly outbound = new Map<number, OutboundConnect>();
  readonly datagrams: OutboundDatagram[] = [];
  private nextId = 1;
  private nextPort: number;
  /** Names that the kernel chooses for unix sockets start at random. */
  private nextUnixName: number;

  constructor(environment: EnvironmentValues) {
    this.address = environment.address;
    this.gateway = environment.gateway;
    this.outside = environment.nameserver === '' ? 'unreachable' : 'silent';
    // The first port is the environment's choice, so that two boots show that it is no literal.
    this.nextPort =
      EPHEMERAL.first + ((((environment.seed * 7919) % EPHEMERAL.count) + EPHEMERAL.count) % EPHEMERAL.count);
    this.nextUnixName = Math.imul(environment.seed, 0x9e3779b1) >>> 12;
  }

  takeId(): number {
    return this.nextId++;
  }

  keepDatagram(datagram: OutboundDatagram): void {
    this.datagrams.push(datagram);
    if (this.datagrams.length > DATAGRAMS_KEPT) this.datagrams.shift();
  }

  /** Autobind name of a unix socket: NUL and five hexadecimal digits. */
  takeUnixName(): string {
    for (;;) {
      const name = `\0${(this.nextUnixName++ & 0xfffff).toString(16).padStart(5, '0')}`;
      if (![...this.abstractNames.keys()].some((key) => key.endsWith(name))) return name;
    }
  }

  isLoopback(address: string): boolean {
    return address.startsWith('127.') || address === '::1';
  }
  /** An address of one of the container's interfaces. */
  isLocal(address: string): boolean {
    return this.isLoopback(address) || address === this.address;
  }
  /** Whether there is a route: IPv6 has none beyond loopback. */
  isReachable(address: string): boolean {
    return this.isLocal(address) || (this.outside !== 'unreachable' && !address.includes(':'));
  }
  /** Own address towards a destination. */
  sourceFor(destination: string): string {
    if (destination === '::1') return '::1';
    if (destination.startsWith('127.')) return '127.0.0.1';
    return this.address;
  }

  /** 0, or a negative errno, where `socket` takes port and address. Port 0: an ephemeral one is chosen. */
  bindPort(table: Map<number, PortUser[]>, socket: PortUser, wanted: InetAddress): number {
    const { address, port } = wanted;
    if (port !== 0) return this.take(table, socket, wanted);
    for (let tries = 0; tries < EPHEMERAL.count; tries++) {
      const candidate = this.nextPort;
      this.nextPort = EPHEMERAL.first + ((this.nextPort + 1 - EPHEMERAL.first) % EPHEMERAL.count);
      if (table.has(candidate)) continue;
      return this.take(table, socket, { family: wanted.family, address, port: candidate });
    }
    return -E.ADDRINUSE;
  }

  private take(table: Map<number, PortUser[]>, socket: PortUser, local: InetAddress): number {
    const users = table.get(local.port) ?? [];
    for (const other of users)
      if (other !== socket && clash(other, socket, local.address)) return -E.ADDRINUSE;
    socket.local = local;
    if (!users.includes(socket)) users.push(socket);
    table.set(local.port, users);
    return 0;
  }

  /** A port that is in use by one more socket (an accepted connection). */
  sharePort(table: Map<number, PortUser[]>, socket: PortUser): void {
    if (socket.local === undefined) return;
    const users = table.get(socket.local.port) ?? [];
    users.push(socket);
    table.set(socket.local.port, users);
  }

  releasePort(table: Map<number, PortUser[]>, socket: PortUser): void {
    if (socket.local === undefined) return;
    const { port } = socket.local;
    const left = (table.get(port) ?? []).filter((other) => other !== socket);
    if (left.length === 0) table.delete(port);
    else table.set(port, left);
  }

  /** The bound sockets that an arriving packet is for: of those that take it, the ones with the most exact address. */
  match<T extends PortUser>(
    table: Map<number, PortUser[]>,
    destination: InetAddress,
    takes: (user: PortUser) => user is T,
  ): T[] {
    const address = unmapped(destination.address);
    const users = (table.get(destination.port) ?? []).filter(takes);
    const exact = users.filter(
      (user) => user.local !== undefined && unmapped(user.local.address) === address,
    );
    if (exact.length > 0) return exact;
    const v6 = address.includes(':');
    return users.filter((user) => {
      if (user.local === undefined || !isAny(user.local.address)) return false;
      return v6 ? user.domain === AF.INET6 : user.domain === AF.INET || !user.v6only;
    });
  }

  ioctl(kernel: Kernel, task: Task, socket: Socket, request: number, argument: number): SysResult {
    const { space } = task.process;
    switch (request) {
      case SIOC.INQ:
        if (socket.listening) return -E.INVAL;
        space.write32(argument, socket.available);
        return 0;
      case SIOC.OUTQ:
        space.write32(argument, 0);
        return 0;
      case SIOC.ATMARK:
        space.write32(argument, 0);
        return 0;
      default:
        return interfaceIoctl(kernel, task, request, argument);
    }
  }
}

/** What the port tables look at. */
export interface PortUser {
  readonly domain: number;
  readonly v6only: boolean;
  local: InetAddress | undefined;
  readonly listening: boolean;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  readonly uid: number;
  /** TCP shares a port by SO_REUSEADDR unless somebody listens, UDP always. */
  readonly datagrams: boolean;
}

/** Whether `socket` can't have `address` because of `other`, on the same port (inet_csk_bind_conflict). */
function clash(other: PortUser, socket: PortUser, address: string): boolean {
  if (other.local === undefined || !overlap(other, other.local.address, socket, address)) return false;
  if (other.reusePort && socket.reusePort && other.uid === socket.uid) return false;
  if (!other.reuseAddress || !socket.reuseAddress) return true;
  return !socket.datagrams && other.listening;
}

function overlap(a: PortUser, aAddress: string, b: PortUser, bAddress: string): boolean {
  const [x, y] = [unmapped(aAddress), unmapped(bAddress)];
  const covers = (user: PortUser, any: string, address: string): boolean => {
    if (!isAny(any)) return false;
    const v6 = address.includes(':');
    return user.domain === AF.INET6 ? v6 || !user.v6only : !v6;
  };
  return x === y || covers(a, x, y) || covers(b, y, x);
}
