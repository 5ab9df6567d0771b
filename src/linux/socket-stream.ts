// Connected byte streams and record streams: two ends with a queue of packets in each direction. Used by TCP (inside
// the container and to the world) and by connected unix sockets.
import { carryShadow, shadowedPart } from '../machine/index.ts';
import type { OpenFile } from './file.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Incoming, PeerCredentials } from './socket.ts';
import { WaitQueue } from './wait.ts';

interface Packet {
  bytes: Uint8Array;
  files: readonly OpenFile[];
  readonly credentials: PeerCredentials | undefined;
}

/** One direction. */
class Direction {
  readonly packets: Packet[] = [];
  length = 0;
  /** Bytes ever written, for whoever watches. */
  total = 0;
  /** The writer has shut down: end of file after the packets. */
  ended = false;
  /** The reader takes no more. */
  refused = false;
  readonly capacity: number;
  /** Set: the world reads this direction, always at once; the first WORLD_KEEPS bytes are kept for it. */
  log: Uint8Array[] | undefined = undefined;

  /** Writers are woken when the room grows beyond this. */
  readonly wakeAbove: number;

  constructor(capacity: number, wakeAbove: number) {
    this.capacity = capacity;
    this.wakeAbove = wakeAbove;
  }
}

/** First bytes of a direction to the world that are kept. */
const WORLD_KEEPS = 1 << 20;

export class StreamEnd {
  readonly incoming: Direction;
  readonly outgoing: Direction;
  peer!: StreamEnd;
  /** Woken when something changes at this end; a socket made from the end waits on it. */
  readonly queue: WaitQueue;
  /** A reset came in; the next read or write tells it once. */
  reset = false;
  /** Nobody holds this end any more. */
  closed = false;

  constructor(incoming: Direction, outgoing: Direction, queue: WaitQueue) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.queue = queue;
  }

  /** Bytes that can be written now. */
  get room(): number {
    return Math.max(0, this.outgoing.capacity - this.outgoing.length);
  }

  /** Whether poll says that writing is possible. */
  get writable(): boolean {
    return this.room > this.outgoing.wakeAbove;
  }

  /** Puts a packet (or part of a byte stream) into the outgoing direction. */
  push(bytes: Uint8Array, files: readonly OpenFile[] = [], credentials?: PeerCredentials): void {
    const { outgoing } = this;
    const before = outgoing.total;
    outgoing.total += bytes.length;
    if (outgoing.log !== undefined) {
      if (before < WORLD_KEEPS) outgoing.log.push(bytes.slice(0, WORLD_KEEPS - before));
      return;
    }
    const kept = bytes.slice();
    carryShadow(kept, 0, bytes);
    outgoing.packets.push({ bytes: kept, files, credentials });
    outgoing.length += bytes.length;
    this.peer.queue.wake(POLL.IN | POLL.RDNORM);
  }

  /**
   * Bytes from the front of the incoming direction: of a byte stream up to `length` over several packets (not past
   * one that carries descriptors or other credentials), of a record stream one packet, cut.
   */
  take(
    length: number,
    options: { readonly peek: boolean; readonly records: boolean },
  ): Omit<Incoming, 'from' | 'to'> | undefined {
    const { incoming } = this;
    const first = incoming.packets[0];
    if (first === undefined) return undefined;
    const parts: Uint8Array[] = [];
    let filled = 0;
    let used = 0;
    for (const packet of incoming.packets) {
      if (
        used > 0 &&
        (options.records ||
          filled >= length ||
          packet.files.length > 0 ||
          !sameCredentials(packet.credentials, first.credentials))
      )
        break;
      const part = shadowedPart(packet.bytes, 0, length - filled);
      parts.push(part);
      filled += part.length;
      used++;
    }
    const result = {
      bytes: joined(parts, filled),
      length: options.records ? first.bytes.length : filled,
      files: first.files,
      credentials: first.credentials,
      record: options.records,
    };
    if (!options.peek) this.consume(used, options.records ? first.bytes.length : filled);
    return result;
  }

  private consume(packets: number, bytes: number): void {
    const { incoming } = this;
    const before = incoming.capacity - incoming.length;
    incoming.length -= bytes;
    let left = bytes;
    for (let i = 0; i < packets; i++) {
      const packet = incoming.packets[0];
      if (packet.bytes.length > left) {
        packet.bytes = shadowedPart(packet.bytes, left);
        packet.files = [];
        break;
      }
      left -= packet.bytes.length;
      incoming.packets.shift();
    }
    const after = incoming.capacity - incoming.length;
    if (before <= incoming.wakeAbove && after > incoming.wakeAbove)
      this.peer.queue.wake(POLL.OUT | POLL.WRNORM);
  }

  /** No more will be written by this end. */
  endWriting(): void {
    if (this.outgoing.ended) return;
    this.outgoing.ended = true;
    this.peer.queue.wake(POLL.IN | POLL.RDNORM | POLL.RDHUP | POLL.HUP);
    this.queue.wake(POLL.OUT | POLL.HUP);
  }

  /** No more will be read by this end. */
  endReading(): void {
    this.incoming.refused = true;
    this.queue.wake(POLL.IN | POLL.RDNORM | POLL.RDHUP | POLL.HUP);
    this.peer.queue.wake(POLL.OUT | POLL.WRNORM);
  }

  /** Gives the end up. With unread bytes, or `hard`, the other end gets a reset instead of an end of file. */
  close(kernel: Kernel, hard: boolean): void {
    if (this.closed) return;
    this.closed = true;
    const { incoming, outgoing } = this;
    const reset = hard || incoming.length > 0;
    for (const packet of incoming.packets) for (const file of packet.files) kernel.dropFile(file);
    incoming.packets.length = 0;
    incoming.length = 0;
    incoming.refused = true;
    if (reset) {
      this.peer.breakOff();
    } else {
      outgoing.ended = true;
      this.peer.queue.wake();
    }
  }

  /** A reset arrives at this end; what came before can still be read. */
  breakOff(): void {
    if (this.closed) return;
    this.outgoing.refused = true;
    this.reset = true;
    this.queue.wake();
  }
}

const sameCredentials = (a: PeerCredentials | undefined, b: PeerCredentials | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.pid === b.pid && a.uid === b.uid && a.gid === b.gid);

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    carryShadow(out, at, part);
    at += part.length;
  }
  return out;
}

/**
 * Two connected ends. `first`: the queue of a socket that exists already. `free`: the part of the capacity that must be
 * free before a waiting writer goes on and poll says that writing is possible.
 */
export function streamPair(
  capacity: number,
  options: { readonly first?: WaitQueue; readonly free?: number } = {},
): readonly [StreamEnd, StreamEnd] {
  const { first, free = 1 / 3 } = options;
  const there = new Direction(capacity, capacity * free);
  const back = new Direction(capacity, capacity * free);
  const a = new StreamEnd(back, there, first ?? new WaitQueue());
  const b = new StreamEnd(there, back, new WaitQueue());
  a.peer = b;
  b.peer = a;
  return [a, b];
}

/** An end that is its own peer. */
export function streamLoop(capacity: number, queue: WaitQueue): StreamEnd {
  const direction = new Direction(capacity, capacity / 3);
  const end = new StreamEnd(direction, direction, queue);
  end.peer = end;
  return end;
}
