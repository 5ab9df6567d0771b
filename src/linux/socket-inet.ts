// What TCP and UDP sockets share: addresses, binding, and how effects name them.

import type { FileType, Protocol, Resource } from '../effect/index.ts';
import { CAP } from './abi-process.ts';
import { AF, type InetAddress, IP, IPV6, SO, SOL, type SocketAddress, unmapped } from './abi-socket.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { ANY, isAny, type Net, type PortUser } from './net.ts';
import { Socket, type SocketParts } from './socket.ts';
import type { Task } from './task.ts';
import { actorOf, capable } from './vfs-permission.ts';

const familyOf = (domain: number): 'inet' | 'inet6' => (domain === AF.INET6 ? 'inet6' : 'inet');

export abstract class InetSocket extends Socket implements PortUser {
  readonly type: FileType = '?';
  abstract readonly datagrams: boolean;
  abstract readonly protocolName: Protocol;
  readonly uid: number;
  local: InetAddress | undefined = undefined;
  peer: InetAddress | undefined = undefined;
  /** Whom a connect that failed was for: effects go on naming it. */
  protected wanted: InetAddress | undefined = undefined;
  /** By bind(2), not by the kernel's choice of a port. */
  protected bound = false;

  constructor(parts: SocketParts, task: Task) {
    super(parts);
    this.uid = task.process.credentials.euid;
  }

  get v6only(): boolean {
    return this.options.has(SOL.IPV6, IPV6.V6ONLY);
  }
  get reuseAddress(): boolean {
    return this.options.has(SOL.SOCKET, SO.REUSEADDR);
  }
  get reusePort(): boolean {
    return this.options.has(SOL.SOCKET, SO.REUSEPORT);
  }

  /** Addresses as this socket's family shows them: IPv4 through an IPv6 socket is mapped. */
  private shown(address: InetAddress | undefined): SocketAddress | undefined {
    if (address === undefined) return undefined;
    return { family: familyOf(this.domain), address: address.address, port: address.port };
  }
  localAddress(): SocketAddress {
    return (
      this.shown(this.local) ?? {
        family: familyOf(this.domain),
        address: ANY[familyOf(this.domain)],
        port: 0,
      }
    );
  }
  peerAddress(): SocketAddress | undefined {
    return this.shown(this.peer);
  }

  resourceWith(other: SocketAddress | undefined): Resource {
    const peer = other !== undefined && 'port' in other ? other : (this.peer ?? this.wanted);
    const end = (address: InetAddress | undefined) =>
      address === undefined
        ? { address: '', port: '' }
        : { address: unmapped(address.address), port: String(address.port) };
    return { kind: 'net', protocol: this.protocolName, local: end(this.local), peer: end(peer) };
  }

  /** The address as an IP address this socket can use; a negative errno where it is of the wrong family. */
  protected usable(address: SocketAddress, wrongFamily: number): InetAddress | number {
    if (address.family === 'unusable') return -address.errno;
    if (!('port' in address)) return -wrongFamily;
    if (address.family === 'inet6' && this.domain === AF.INET) return -wrongFamily;
    if (address.family === 'inet' && this.domain === AF.INET6) return -wrongFamily;
    const plain = unmapped(address.address);
    if (this.domain === AF.INET6 && this.v6only && !plain.includes(':')) return -E.NETUNREACH;
    return { family: plain.includes(':') ? 'inet6' : 'inet', address: plain, port: address.port };
  }

  abstract table(net: Net): Map<number, PortUser[]>;

  bind(kernel: Kernel, task: Task, address: SocketAddress): number {
    const { net } = kernel;
    // Old programs bind an IPv4 socket to AF_UNSPEC with the any address.
    const given: SocketAddress =
      address.family === 'unspec' && this.domain === AF.INET
        ? { family: 'inet', address: ANY.inet, port: 0 }
        : address;
    const wanted =
      given.family === 'inet' && this.domain === AF.INET6
        ? -E.AFNOSUPPORT
        : this.usable(given, E.AFNOSUPPORT);
    if (typeof wanted === 'number') return wanted;
    const free = this.options.has(SOL.IP, IP.FREEBIND) || this.options.has(SOL.IPV6, IPV6.FREEBIND);
    const multicast = this.datagrams && /^(22[4-9]|23\d)\./.test(wanted.address);
    if (!isAny(wanted.address) && !net.isLocal(wanted.address) && !free && !multicast) return -E.ADDRNOTAVAIL;
    if (
      wanted.port !== 0 &&
      wanted.port < UNPRIVILEGED_PORTS &&
      !capable(actorOf(task), CAP.NET_BIND_SERVICE)
    )
      return -E.ACCES;
    if (this.local !== undefined) return -E.INVAL;
    const family = this.domain === AF.INET6 && isAny(wanted.address) ? 'inet6' : wanted.family;
    const result = net.bindPort(this.table(net), this, { ...wanted, family });
    this.bound = result === 0;
    return result;
  }

  /** Takes an ephemeral port if there is none yet, and a definite own address towards a destination. */
  protected settle(kernel: Kernel, destination: string): number {
    const { net } = kernel;
    const error = this.autobind(kernel);
    if (error !== 0) return error;
    const { local } = this;
    if (local !== undefined && isAny(local.address))
      this.local = { ...local, address: net.sourceFor(destination) };
    return 0;
  }

  /** Takes an ephemeral port if there is none yet. */
  protected autobind(kernel: Kernel): number {
    if (this.local !== undefined) return 0;
    const family = familyOf(this.domain);
    return kernel.net.bindPort(this.table(kernel.net), this, { family, address: ANY[family], port: 0 });
  }

  override close(kernel: Kernel): void {
    kernel.net.releasePort(this.table(kernel.net), this);
  }
}

/** net.ipv4.ip_unprivileged_port_start, which container runtimes set to 0. */
export const UNPRIVILEGED_PORTS: number = 0;
