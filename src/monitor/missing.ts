// The end of a trace. A flow that is still open then may not have been written yet: so of a task that still runs, what
// would have been in such flows may be missing. Here is where a task can be if it is: an opening may have happened of
// something that has not been closed since, and what was open may have been read and written.
import { type CompiledEdge, type CompiledPolicy, OP } from './compiled.ts';

/** Things that may be open at a time without a record, and places looked at. */
const mostOpen = 4;
const mostPlaces = 20_000;

interface Place {
  readonly state: number;
  /** Resource patterns of what was opened without a record. */
  readonly open: readonly number[];
}

const openings: ReadonlySet<number> = new Set([OP.OPEN, OP.ACCEPT, OP.CONNECT]);
const uses: ReadonlySet<number> = new Set([OP.READ, OP.WRITE, OP.MMAP]);
const endings: ReadonlySet<number> = new Set([OP.CLOSE, OP.SHUTDOWN]);

/** All states in which a task can be that was in one of `from`; `unseen`: edges without a record; `cloned`: clones may have come as well. */
export function withMissing(
  policy: CompiledPolicy,
  unseen: ReadonlySet<CompiledEdge>,
  from: Int32Array,
  cloned: boolean,
): Int32Array {
  const seen = new Map<number, (readonly number[])[]>();
  const work: Place[] = [];
  const visit = (state: number, open: readonly number[]): void => {
    const known = seen.get(state);
    if (known === undefined) seen.set(state, [open]);
    // With less open more is possible: nothing new is to be found from here.
    else if (known.some((other) => other.every((pattern) => open.includes(pattern)))) return;
    else known.push(open);
    if (work.length < mostPlaces) work.push({ state, open });
  };
  for (const state of from) visit(state, []);
  for (let i = 0; i < work.length; i++) {
    const { state, open } = work[i];
    for (const edge of policy.edgesFrom(state)) {
      const next = after(policy, unseen, edge, open, cloned);
      if (next !== undefined) visit(edge.to, next);
    }
  }
  return Int32Array.from(seen.keys());
}

/** What is open without a record after such an edge; undefined where the edge would have left one. */
function after(
  policy: CompiledPolicy,
  unseen: ReadonlySet<CompiledEdge>,
  edge: CompiledEdge,
  open: readonly number[],
  cloned: boolean,
): readonly number[] | undefined {
  if (edge.symbol < 0) return open;
  const { op, pattern } = policy.symbol(edge.symbol);
  if (endings.has(op) && open.includes(pattern)) return undefined;
  if (unseen.has(edge) || uses.has(op) || (cloned && op === OP.CLONE)) return open;
  if (!openings.has(op) || open.length >= mostOpen) return undefined;
  return open.includes(pattern) ? open : [...open, pattern];
}
