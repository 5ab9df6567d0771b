// Many patterns of paths as one automaton over bytes: each path is read once, whatever the number of patterns, and no
// text is made of it. States are built as paths meet them (a deterministic table, a row of 256 a state), within a limit;
// beyond it the table begins anew. Time is linear in the path, whatever the patterns: regular expressions can be made to
// take longer by who chooses the path.
import { encodeText } from '../bytes/index.ts';
import { type Pattern, type PatternClass, patternParts } from '../effect/index.ts';

/** Classes of bytes; a class of any number of bytes is a loop, of at least one a step and a loop. */
const none = 0;
const any = 5;
const classes: Readonly<Record<PatternClass, number>> = {
  '[0-9]+': 1,
  '[0-9a-f]+': 2,
  '[0-9A-Za-z]+': 3,
  '*': 4,
  '**': any,
};

function isIn(kind: number, byte: number): boolean {
  const digit = byte >= 0x30 && byte <= 0x39;
  switch (kind) {
    case none:
      return false;
    case 1:
      return digit;
    case 2:
      return digit || (byte >= 0x61 && byte <= 0x66);
    case 3:
      return digit || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    case 4:
      return byte !== 0x2f;
    default:
      return true;
  }
}

interface Place {
  /** A byte that leads to the next place, or -1; a class that does; a class that stays. */
  byte: number;
  step: number;
  loop: number;
  /** What is accepted where a path ends here, or -1. */
  accepts: number;
}

const blank = (): Place => ({ byte: -1, step: none, loop: none, accepts: -1 });
const unknown = -1;
/** No pattern can match any more. */
const dead = 0;
const mostStates = 4096;

export class PathAutomaton {
  private readonly places: Place[] = [];
  private readonly starts: number[] = [];
  private table = new Int32Array(0);
  private sets: (readonly number[])[] = [];
  private accepted: (readonly number[])[] = [];
  private readonly numbers = new Map<string, number>();

  /** `id` is told for paths that the pattern matches. */
  add(pattern: Pattern, id: number): void {
    this.numbers.clear();
    this.starts.push(this.places.length);
    let place = this.push();
    for (const part of patternParts(pattern) ?? []) {
      if (part.kind === 'literal') {
        for (const byte of encodeText(part.text)) {
          place.byte = byte;
          place = this.push();
        }
        continue;
      }
      const kind = classes[part.class];
      if (kind < 4) {
        place.step = kind;
        place = this.push();
      }
      // Two loops in one place are the wider one: both are of any number, or the later holds the earlier.
      place.loop = Math.max(place.loop, kind);
    }
    place.accepts = id;
  }

  /** Ids of the patterns that match the whole, ascending, each once. */
  match(bytes: Uint8Array, start: number, end: number): readonly number[] {
    if (this.numbers.size === 0) this.begin();
    let state = 1;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      let next = this.table[state * 256 + byte];
      if (next === unknown) next = this.step(state, byte);
      if (next === dead) return [];
      state = next;
    }
    return this.accepted[state];
  }

  private push(): Place {
    const place = blank();
    this.places.push(place);
    return place;
  }

  private begin(): void {
    this.numbers.clear();
    this.sets = [];
    this.accepted = [];
    this.table = new Int32Array(16 * 256).fill(unknown);
    this.number([]);
    this.number(this.starts);
  }

  private step(from: number, byte: number): number {
    const places: number[] = [];
    for (const at of this.sets[from]) {
      const { byte: literal, step, loop } = this.places[at];
      if (isIn(loop, byte)) places.push(at);
      if (literal === byte || isIn(step, byte)) places.push(at + 1);
    }
    const next = [...new Set(places)].sort((a, b) => a - b);
    if (this.sets.length >= mostStates && !this.numbers.has(next.join())) {
      this.begin();
      return this.number(next);
    }
    const to = this.number(next);
    this.table[from * 256 + byte] = to;
    return to;
  }

  private number(places: readonly number[]): number {
    const key = places.join();
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.sets.push(places) - 1;
    this.numbers.set(key, number);
    const ids = new Set(places.map((at) => this.places[at].accepts).filter((id) => id >= 0));
    this.accepted.push([...ids].sort((a, b) => a - b));
    if (256 * this.sets.length > this.table.length) {
      const table = new Int32Array(2 * this.table.length).fill(unknown);
      table.set(this.table);
      this.table = table;
    }
    return number;
  }
}
