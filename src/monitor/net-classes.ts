// Classes of connections in place. What a policy says of an address does not depend on the port beside it, so each
// address and each port is asked once which of the policy's patterns it fits; from then on a connection is four small
// numbers, and a class is found by them. Addresses that mean something else beside certain ports (the unspecified one)
// are asked as they come.
import { connection, type FlowRow } from '../telemetry/index.ts';
import type { Origin, ResourceClass, ResourceIndex } from './resources.ts';

/** Numbers of one kind; beyond, connections are asked one by one. */
const most = 1 << 10;
/** Addresses whose number is remembered. */
const remembered = 1 << 16;
const unknown = 0xffff;

export class NetClasses {
  private readonly index: ResourceIndex;
  private readonly ports = new Uint16Array(1 << 16).fill(unknown);
  private readonly addresses = new Map<number, number>();
  /** By what a port, or an address, fits: its number. */
  private readonly portKinds = new Map<string, number>();
  private readonly addressKinds = new Map<string, number>();
  /** Numbers of ends (address and port), and classes by both ends, protocol and origin. */
  private readonly ends = new Map<number, number>();
  private readonly classes = new Map<number, ResourceClass>();

  constructor(index: ResourceIndex) {
    this.index = index;
  }

  classOf(row: FlowRow, origin: Origin): ResourceClass {
    const { protocol, localAddress, localPort, peerAddress, peerPort } = row;
    const local = this.endOf(localAddress, localPort);
    const peer = this.endOf(peerAddress, peerPort);
    if (local < 0 || peer < 0) return this.index.classOf(row.resource, origin);
    const way = protocol === 'tcp' ? 0 : protocol === 'udp' ? 1 : protocol === 'icmp' ? 2 : 3;
    const key = ((local * most + peer) * 4 + way) * 4 + origin;
    let found = this.classes.get(key);
    if (found === undefined) {
      found = this.index.classOf(row.resource, origin);
      this.classes.set(key, found);
    }
    return found;
  }

  /** -1: to be asked for itself. */
  private endOf(address: number, port: number): number {
    if (address === 0 || port <= 0 || port > 65_535) return -1;
    let of = this.ports[port];
    if (of === unknown) of = this.ports[port] = numberOf(this.portKinds, this.index.portKind(String(port)));
    let at = this.addresses.get(address);
    if (at === undefined) {
      const text = connection('tcp', address, 0, 0, 0).local.address;
      at = numberOf(this.addressKinds, this.index.addressKind(text));
      if (this.addresses.size >= remembered) this.addresses.clear();
      this.addresses.set(address, at);
    }
    if (of >= most || at >= most) return -1;
    const key = at * most + of;
    let end = this.ends.get(key);
    if (end === undefined) this.ends.set(key, (end = this.ends.size));
    return end < most ? end : -1;
  }
}

function numberOf(kinds: Map<string, number>, kind: string): number {
  let found = kinds.get(kind);
  if (found === undefined) kinds.set(kind, (found = Math.min(kinds.size, most)));
  return found;
}
