// What comes in any order: effects of corresponding tasks that came in another order in another environment (files in
// the order in which a directory lists them, tables that are hashed with random keys). Two or three orders are seen, the
// policy has all of them.
//
// Between two runs, the stretches of a task's effects that were shuffled are found, and in each the blocks that moved as
// a whole (all that is done with one file). Blocks of one stretch start and end in one common state, the hub of their
// group, so each may come first, last, or after any other, any number of times. Within a block, what was seen is what
// there is. Where a block starts or ends is decided by contexts (operation and call stack), not by resources, so that what is
// done for the first file only, whichever it is, may be done for any.
import type { Pattern } from '../effect/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import { stackKey } from './stack.ts';

/** A row of corresponding events, one a run; undefined where a run has none. */
export type Row = readonly (EffectEvent | undefined)[];

interface Noted {
  readonly columns: readonly (readonly EffectEvent[])[];
  readonly rows: readonly Row[];
  readonly patterns: ReadonlyMap<EffectEvent, readonly Pattern[]>;
}

interface Member {
  parent: Member | undefined;
  /** Blocks start with such events; blocks end with them. */
  starts: boolean;
  ends: boolean;
  /** Of a group's first member: which it is. */
  number: number;
}

export class Orders {
  private readonly members = new Map<string, Member>();
  private readonly noted: Noted[] = [];

  /** Takes the corresponding events of one task of several runs, of which `columns` are all. Patterns may still change. */
  note(
    columns: readonly (readonly EffectEvent[])[],
    rows: readonly Row[],
    patterns: ReadonlyMap<EffectEvent, readonly Pattern[]>,
  ): void {
    this.noted.push({ columns, rows, patterns });
  }

  /** Learns from what was noted; patterns are final then. */
  settle(): void {
    for (const noted of this.noted.splice(0)) this.learn(noted);
  }

  private learn({ columns, rows, patterns }: Noted): void {
    const base = columns.findIndex((column) => column.length > 0);
    const places = columns.map((column) => new Map(column.map((event, i) => [event, i])));
    for (let c = base + 1; c < columns.length; c++) {
      const pairs = rows.flatMap((row): Pair[] => {
        const [event, other] = [row[base], row[c]];
        if (event === undefined || other === undefined) return [];
        return [{ event, from: places[base].get(event) ?? 0, to: places[c].get(other) ?? 0 }];
      });
      for (const shuffled of shuffledStretches(pairs.sort((a, b) => a.from - b.from)))
        this.join(shuffled, patterns);
    }
  }

  /** Number of the group whose blocks start with events like this one; undefined: none do. */
  startedBy(event: EffectEvent, patterns: readonly Pattern[]): number | undefined {
    const member = this.members.get(memberKey(event, patterns));
    return member?.starts === true ? groupOf(member).number : undefined;
  }

  /** Number of the group whose blocks end with events like this one; undefined: none do. */
  endedBy(event: EffectEvent, patterns: readonly Pattern[]): number | undefined {
    const member = this.members.get(memberKey(event, patterns));
    return member?.ends === true ? groupOf(member).number : undefined;
  }

  private join(blocks: readonly Block[], patterns: ReadonlyMap<EffectEvent, readonly Pattern[]>): void {
    const starts = new Set(blocks.map(([first]) => contextOf(first)));
    const ends = new Set(blocks.map((block) => contextOf(block[block.length - 1])));
    let group: Member | undefined;
    for (const event of blocks.flat()) {
      const context = contextOf(event);
      if (!starts.has(context) && !ends.has(context)) continue;
      const member = this.member(memberKey(event, patterns.get(event) ?? []));
      member.starts ||= starts.has(context);
      member.ends ||= ends.has(context);
      group = group === undefined ? groupOf(member) : united(group, groupOf(member));
    }
  }

  private member(key: string): Member {
    let found = this.members.get(key);
    if (found === undefined) {
      found = { parent: undefined, starts: false, ends: false, number: this.members.size };
      this.members.set(key, found);
    }
    return found;
  }
}

interface Pair {
  readonly event: EffectEvent;
  /** Its place in one run, and that of its counterpart in the other. */
  readonly from: number;
  readonly to: number;
}

/** Events that follow each other in both runs. */
type Block = readonly EffectEvent[];

/** Smallest stretches, of two blocks and more, outside of which the order is the same. `pairs` are sorted by `from`. */
function shuffledStretches(pairs: readonly Pair[]): (readonly Block[])[] {
  const ranks = new Array<number>(pairs.length);
  [...pairs.keys()]
    .sort((a, b) => pairs[a].to - pairs[b].to)
    .forEach((pair, rank) => {
      ranks[pair] = rank;
    });
  const out: EffectEvent[][][] = [];
  let blocks: EffectEvent[][] = [];
  let last = -1;
  pairs.forEach(({ event }, i) => {
    if (blocks.length > 0 && ranks[i] === ranks[i - 1] + 1) blocks[blocks.length - 1].push(event);
    else blocks.push([event]);
    last = Math.max(last, ranks[i]);
    if (last !== i) return;
    // nothing before this comes after it in the other run
    if (blocks.length > 1) out.push(blocks);
    blocks = [];
  });
  return out;
}

function groupOf(member: Member): Member {
  let top = member;
  while (top.parent !== undefined) top = top.parent;
  for (let at = member; at.parent !== undefined; ) {
    const above = at.parent;
    at.parent = top;
    at = above;
  }
  return top;
}

function united(a: Member, b: Member): Member {
  if (a === b) return a;
  const [first, other] = a.number < b.number ? [a, b] : [b, a];
  other.parent = first;
  return first;
}

const contextOf = (event: EffectEvent): string =>
  `${event.effect.op} ${event.effect.access} ${event.exe} ${stackKey(event.stack)}`;

const memberKey = (event: EffectEvent, patterns: readonly Pattern[]): string =>
  `${contextOf(event)} ${JSON.stringify(patterns)}`;
