// Contexts of asynchronous input and output as libaio uses them (fs/aio.c). The completion ring lies in the program's
// memory, as in Linux, since libraries look into it. Every operation is done at once, so nothing is ever in flight.
//
//   struct aio_ring: id u32 | nr u32 | head u32 | tail u32 | magic u32 | compat u32 | incompat u32 | header u32 | events
//   struct io_event: data u64 | obj u64 | res i64 | res2 i64
import { type AddressSpace, PAGE_SIZE, PROT } from '../machine/index.ts';
import { WaitQueue } from './wait.ts';

const HEADER = 32;
const EVENT = 32;
const MAGIC = 0xa10a10a1;

export interface AioEvent {
  readonly data: bigint;
  /** Address of the control block. */
  readonly object: bigint;
  readonly result: bigint;
}

export class AioContext {
  readonly address: number;
  readonly length: number;
  /** Operations that may be under way or unread; how many the ring holds. */
  readonly requests: number;
  readonly slots: number;
  readonly queue = new WaitQueue();

  constructor(address: number, length: number, requests: number) {
    this.address = address;
    this.length = length;
    this.requests = requests;
    this.slots = (length - HEADER) / EVENT;
  }

  /** Unread events. */
  count(space: AddressSpace): number {
    const [head, tail] = this.ends(space);
    return (tail - head + this.slots) % this.slots;
  }

  private ends(space: AddressSpace): [number, number] {
    const at = (offset: number): number => (space.read32(this.address + offset) >>> 0) % this.slots;
    return [at(8), at(12)];
  }

  push(space: AddressSpace, event: AioEvent): void {
    const [, tail] = this.ends(space);
    const at = this.address + HEADER + tail * EVENT;
    space.write64(at, event.data);
    space.write64(at + 8, event.object);
    space.write64(at + 16, BigInt.asUintN(64, event.result));
    space.write64(at + 24, 0n);
    space.write32(this.address + 12, (tail + 1) % this.slots);
    this.queue.wake();
  }

  /** The oldest unread event's 32 bytes. */
  shift(space: AddressSpace): Uint8Array | undefined {
    const [head, tail] = this.ends(space);
    if (head === tail) return undefined;
    const event = space.read(this.address + HEADER + head * EVENT, EVENT);
    space.write32(this.address + 8, (head + 1) % this.slots);
    return event;
  }
}

/** Maps the ring of a new context; undefined where no address is free. */
export function createContext(
  space: AddressSpace,
  options: {
    readonly requests: number;
    readonly processors: number;
    readonly id: number;
    readonly below: number;
  },
): AioContext | undefined {
  const wanted = Math.max(options.requests, options.processors * 4) * 2 + 2;
  const length = Math.ceil((HEADER + wanted * EVENT) / PAGE_SIZE) * PAGE_SIZE;
  const address = space.findFree(length, options.below);
  if (address === undefined) return undefined;
  space.map({ address, length, prot: PROT.READ | PROT.WRITE, shared: true, name: '/[aio] (deleted)' });
  const context = new AioContext(address, length, options.requests);
  const fields = [options.id, context.slots, 0, 0, MAGIC, 1, 0, HEADER];
  fields.forEach((field, i) => {
    space.write32(address + 4 * i, field);
  });
  return context;
}
