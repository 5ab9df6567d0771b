// The end of a trace. A flow that is still open then may not have been written yet: so of a task that still runs, what
// would have been in such flows may be missing. Here is where a task can be if it is: an opening may have happened of
// something that has not been closed since, and what was open may have been read and written.
import type { SourceTraits } from '../telemetry/index.ts';
import { type CompiledEdge, type CompiledPolicy, OP } from './compiled.ts';
import { unseen } from './unseen.ts';

/** Things that may be open at a time without a record, and places looked at. */
const mostOpen = 4;
const mostPlaces = 20_000;

interface Place {
  readonly state: number;
  /** Resource patterns of what was opened without a record, ascending. */
  readonly open: readonly number[];
}

const openings: ReadonlySet<number> = new Set([OP.OPEN, OP.ACCEPT, OP.CONNECT]);
const uses: ReadonlySet<number> = new Set([OP.READ, OP.WRITE, OP.MMAP]);
const endings: ReadonlySet<number> = new Set([OP.CLOSE, OP.SHUTDOWN]);

/** All states in which a task can be that was in one of `from`; `cloned`: clones may have come as well. */
export function withMissing(
  policy: CompiledPolicy,
  traits: SourceTraits,
  from: Int32Array,
  cloned: boolean,
): Int32Array {
  const seen = new Set<string>();
  const states = new Set<number>();
  const work: Place[] = [];
  const visit = (place: Place): void => {
    const key = `${place.state} ${place.open.join()}`;
    if (seen.has(key) || seen.size >= mostPlaces) return;
    seen.add(key);
    states.add(place.state);
    work.push(place);
  };
  for (const state of from) visit({ state, open: [] });
  for (let place = work.pop(); place !== undefined; place = work.pop()) {
    for (const edge of policy.edgesFrom(place.state)) {
      const open = after(policy, traits, edge, place.open, cloned);
      if (open !== undefined) visit({ state: edge.to, open });
    }
  }
  return Int32Array.from(states);
}

/** What is open without a record after such an edge; undefined where the edge would have left one. */
function after(
  policy: CompiledPolicy,
  traits: SourceTraits,
  edge: CompiledEdge,
  open: readonly number[],
  cloned: boolean,
): readonly number[] | undefined {
  if (edge.symbol < 0) return open;
  const { op, pattern } = policy.symbol(edge.symbol);
  if (endings.has(op) && open.includes(pattern)) return undefined;
  if (unseen(edge, traits) || uses.has(op) || (cloned && op === OP.CLONE)) return open;
  if (!openings.has(op) || open.length >= mostOpen) return undefined;
  return open.includes(pattern) ? open : [...open, pattern].sort((a, b) => a - b);
}
