// Classes of connections in place. What a policy says of an address does not depend on the port beside it, so each
// address and each port is asked once which of the policy's patterns it fits; from then on a connection is four small
// numbers, and a class is found by them. Addresses that mean something else beside certain ports (the unspecified one)
// are asked as they come.
import { connection } from '../telemetry/index.ts';
import type { ResourceIndex } from './resources.ts';

/** Numbers of one kind; beyond, connections are asked one by one. */
const most = 1 << 10;
/** Addresses whose number is remembered, and places of those that were asked for lately. */
const remembered = 1 << 16;
const places = 1 << 10;
const unknown = 0xffff;

export class NetClasses {
  private readonly index: ResourceIndex;
  private readonly ports = new Uint16Array(1 << 16).fill(unknown);
  private readonly addresses = new Map<number, number>();
  /** Addresses and their numbers; the address 0, which empty places have, is never asked for here. */
  private readonly lately = new Int32Array(2 * places);
  /** By what a port, or an address, fits: its number. */
  private readonly portKinds = new Map<string, number>();
  private readonly addressKinds = new Map<string, number>();

  constructor(index: ResourceIndex) {
    this.index = index;
    const named = index.namedPorts;
    if (named === undefined) return;
    // No port has the number 0, so it stands for all that are not named.
    this.ports.fill(numberOf(this.portKinds, index.portKind('0')));
    for (const port of named)
      if (/^[1-9]\d{0,4}$/.test(port) && Number(port) < this.ports.length)
        this.ports[Number(port)] = numberOf(this.portKinds, index.portKind(port));
  }

  /**
   * A number that two ends of connections share only where no pattern makes a difference between them, given the same
   * other end; -1: such a connection has to be asked for itself.
   */
  endOf(address: number, port: number): number {
    if (address === 0 || port <= 0 || port > 65_535) return -1;
    let of = this.ports[port];
    if (of === unknown) of = this.ports[port] = numberOf(this.portKinds, this.index.portKind(String(port)));
    const { lately } = this;
    const place = 2 * ((address ^ (address >>> 10) ^ (address >>> 21)) & (places - 1));
    if (lately[place] !== address) {
      lately[place + 1] = this.addressOf(address);
      lately[place] = address;
    }
    const at = lately[place + 1];
    return of < most && at < most ? at * most + of : -1;
  }

  private addressOf(address: number): number {
    let at = this.addresses.get(address);
    if (at === undefined) {
      const text = connection('tcp', address, 0, 0, 0).local.address;
      at = numberOf(this.addressKinds, this.index.addressKind(text));
      if (this.addresses.size >= remembered) this.addresses.clear();
      this.addresses.set(address, at);
    }
    return at;
  }
}

function numberOf(kinds: Map<string, number>, kind: string): number {
  let found = kinds.get(kind);
  if (found === undefined) kinds.set(kind, (found = Math.min(kinds.size, most)));
  return found;
}
