// Stops between instructions: a word of a stream becomes the case that leaves the interpreter.
import type { FramePool } from '../frames.ts';
import { CASE } from './cases.ts';
import { firstOf, wordsOf } from './fused.ts';
import { HEADER } from './layout.ts';
import type { StreamBlock } from './stream-block.ts';

interface Stop {
  /** Byte address, and the word that was there. */
  readonly at: number;
  readonly word: number;
  readonly block: StreamBlock;
  /** The instruction that it is before; -1 where a sequence was taken apart for a stop in its midst. */
  readonly mark: number;
}

export class Stops {
  private readonly pool: FramePool;
  private readonly stops: Stop[] = [];

  constructor(pool: FramePool) {
    this.pool = pool;
  }

  get length(): number {
    return this.stops.length;
  }

  /** The stop at a byte address. */
  find(at: number): Stop | undefined {
    return this.stops.find((stop) => stop.at === at && stop.mark >= 0);
  }

  /** Puts a stop before the block's instruction number `mark`. */
  put(block: StreamBlock, mark: number): void {
    const at = block.header + (block.marks[mark] & 0xffff) * 4;
    const { view } = this.pool;
    this.takeApart(block, at);
    const word = view.getInt32(at, true);
    if (word === CASE.boundary) return;
    this.stops.push({ at, word, block, mark });
    view.setInt32(at, CASE.boundary, true);
  }

  /** No sequence leads over the address `to`. */
  private takeApart(block: StreamBlock, to: number): void {
    const { view } = this.pool;
    for (let at = block.header + HEADER; at < to; ) {
      const there = view.getInt32(at, true);
      const word = there === CASE.boundary ? (this.find(at)?.word ?? there) : there;
      if (at + 4 * wordsOf(word) <= to) {
        at += 4 * wordsOf(word);
        continue;
      }
      const first = firstOf(word);
      // where a stop stands on it, it is taken apart once that is reached
      if (there !== CASE.boundary) {
        this.stops.push({ at, word, block, mark: -1 });
        view.setInt32(at, first, true);
      }
      at += 4 * wordsOf(first);
    }
  }

  /** Takes all stops away. */
  clear(): void {
    const { view } = this.pool;
    for (let stop = this.stops.pop(); stop !== undefined; stop = this.stops.pop())
      view.setInt32(stop.at, stop.word, true);
  }
}
