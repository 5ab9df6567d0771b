// Room for what waits: rows of a fixed width in one piece of memory, for each the thing that it is about, and numbers that
// are only looked at where something is to be explained, apart. Rows are given out one after the other within pieces of some hundred, and a piece is used again once all of its rows are done:
// what came together lies together, is done together, and leaves no gaps that would have to be searched.
import type { Resource } from '../effect/index.ts';
import type { StreamFile } from '../telemetry/index.ts';

/** Words of a row, as doubles and as 32-bit integers; integers of its details. */
export const DOUBLES = 4;
export const INTEGERS = 8;
export const DETAILS = 4;

const pieceBits = 9;
const piece = 1 << pieceBits;
/** Rows beyond which the room is given back when nothing waits. */
const usual = 1 << 17;

export type Subject = Resource | StreamFile | undefined;

export class Rows {
  moments = new Float64Array(DOUBLES * piece);
  numbers = new Int32Array(this.moments.buffer);
  details = new Int32Array(DETAILS * piece);
  /** By row. */
  subjects: Subject[] = new Array(piece).fill(undefined);
  /** Of each piece: rows that are in use. */
  private used = new Int32Array(16);
  private pieces = 1;
  private free: number[] = [];
  /** The row to give out next, and the end of its piece. */
  private next = 0;
  private end = piece;

  take(): number {
    if (this.next === this.end) this.turn();
    const row = this.next++;
    this.used[row >> pieceBits]++;
    return row;
  }

  release(row: number): void {
    const at = row >> pieceBits;
    if (--this.used[at] > 0) return;
    // The piece that rows are given out from is not done yet.
    if (row < this.end && row >= this.end - piece) return;
    this.vacate(at);
  }

  /** No row is in use any more. */
  reset(): void {
    this.used.fill(0);
    this.free = [];
    this.next = 0;
    this.end = piece;
    if (this.pieces * piece > usual) {
      this.moments = new Float64Array(DOUBLES * piece);
      this.numbers = new Int32Array(this.moments.buffer);
      this.details = new Int32Array(DETAILS * piece);
      this.subjects = new Array(piece).fill(undefined);
      this.pieces = 1;
      return;
    }
    this.subjects.fill(undefined);
    for (let at = this.pieces - 1; at > 0; at--) this.free.push(at);
  }

  private turn(): void {
    const last = (this.end >> pieceBits) - 1;
    if (this.used[last] === 0) this.vacate(last);
    const at = this.free.pop() ?? this.grow();
    this.next = at << pieceBits;
    this.end = this.next + piece;
  }

  private vacate(at: number): void {
    // Files keep the pieces of memory that their names are in.
    this.subjects.fill(undefined, at << pieceBits, (at + 1) << pieceBits);
    this.free.push(at);
  }

  private grow(): number {
    const at = this.pieces++;
    const rows = this.pieces << pieceBits;
    if (DOUBLES * rows > this.moments.length) {
      const moments = new Float64Array(2 * this.moments.length);
      moments.set(this.moments);
      this.moments = moments;
      this.numbers = new Int32Array(moments.buffer);
      const details = new Int32Array(2 * this.details.length);
      details.set(this.details);
      this.details = details;
    }
    if (at >= this.used.length) {
      const used = new Int32Array(2 * this.used.length);
      used.set(this.used);
      this.used = used;
    }
    while (this.subjects.length < rows) this.subjects.push(undefined);
    return at;
  }
}
