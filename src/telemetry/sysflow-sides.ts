// Which side of a connection is the observed process's own. SysFlow has the client as source and the server as
// destination, whoever is observed. ACCEPT and CONNECT tell; a later piece of the same flow, or a process that
// inherited the connection, has neither. Then the process's own past and its parents' decide, then which addresses
// were seen to be the container's own.
import type { ProcessEntry } from './sysflow-tables.ts';
import { maxConnected } from './sysflow-tables.ts';

export type Side = 'client' | 'server' | undefined;

const ACCEPT = 1 << 5;
const CONNECT = 1 << 6;
/** How far up the tree of processes a connection may have come from. */
const generations = 4;

export class Sides {
  /** By container: addresses that were some process's own side. */
  private readonly own = new Map<string, Set<number>>();

  clear(): void {
    this.own.clear();
  }

  /** Undefined where nothing tells. */
  sideOf(process: ProcessEntry, opFlags: number, sip: number, dip: number, dport: number): Side {
    const place = dip * 65536 + dport;
    if ((opFlags & ACCEPT) !== 0) {
      // A server accepts on the same port again and again.
      if (process.acceptedPort === dport && process.acceptedAddress === dip) return 'server';
      process.acceptedPort = dport;
      process.acceptedAddress = dip;
      process.accepted ??= new Set();
      process.accepted.add(dport);
      this.remember(process.containerId, dip);
      return 'server';
    }
    if ((opFlags & CONNECT) !== 0) {
      process.connected ??= new Set();
      if (process.connected.size < maxConnected) process.connected.add(place);
      this.remember(process.containerId, sip);
      return 'client';
    }
    let entry: ProcessEntry | undefined = process;
    for (let i = 0; i < generations && entry !== undefined; i++, entry = entry.parent) {
      const accepts = entry.accepted?.has(dport) === true;
      if (accepts !== (entry.connected?.has(place) === true)) return accepts ? 'server' : 'client';
    }
    const own = this.own.get(process.containerId);
    const source = own?.has(sip) === true;
    return source === (own?.has(dip) === true) ? undefined : source ? 'client' : 'server';
  }

  private remember(containerId: string, address: number): void {
    // 0.0.0.0 and 127.0.0.0/8 say nothing about a side.
    if (address === 0 || (address & 255) === 127) return;
    let set = this.own.get(containerId);
    if (set === undefined) {
      set = new Set();
      this.own.set(containerId, set);
    }
    if (set.size < 4096) set.add(address);
  }
}
