// What the policy has instead: the edges nearest to an effect, and where in the program they come from.
import { type Effect, type Pattern, printResource, type Resource } from '../effect/index.ts';
import type { Policy } from '../policy/index.ts';
import type { CompiledEdge, CompiledPolicy } from './compiled.ts';
import type { Expected } from './finding.ts';

/** Edges that an explanation names. */
const named = 3;

/** Of the edges of these automata, the nearest to the effect; those of the phase that the task is in first. */
export function nearest(
  compiled: CompiledPolicy,
  automata: readonly number[],
  effect: Effect,
  serving: boolean,
): Expected[] {
  const edges = compiled.edges.filter((edge) => automata.includes(edge.automaton));
  // Where the program has nothing of the kind, what it does for its clients says more than how it starts.
  const late = serving || !edges.some((edge) => edge.effect?.op === effect.op);
  return pick(compiled, edges, effect, (edge) => (compiled.serves[edge.from] === 1) === late);
}

/** Of the edges that leave these states, the nearest to the effect. */
export function nearestFrom(compiled: CompiledPolicy, states: Int32Array, effect: Effect): Expected[] {
  const from = new Set(states);
  return pick(
    compiled,
    compiled.edges.filter((edge) => from.has(edge.from)),
    effect,
    () => true,
  );
}

function pick(
  compiled: CompiledPolicy,
  edges: readonly CompiledEdge[],
  effect: Effect,
  likely: (edge: CompiledEdge) => boolean,
): Expected[] {
  const scored = edges
    .filter((edge) => edge.effect !== undefined)
    .map((edge) => ({
      edge,
      score: similarity(effect, edge.effect as Effect<Pattern>) + (likely(edge) ? 400 : 0),
    }))
    .sort((a, b) => b.score - a.score);
  const out = new Map<string, Expected>();
  for (const { edge } of scored) {
    const expected = describe(compiled, edge);
    const key = `${expected.effect.op} ${expected.effect.access} ${expected.effect.resource}`;
    if (!out.has(key)) out.set(key, expected);
    if (out.size >= named) break;
  }
  return [...out.values()];
}

function describe(compiled: CompiledPolicy, { automaton, from, policy, effect }: CompiledEdge): Expected {
  const { automata, programs } = compiled.policy;
  const { op, access, resource } = effect as Effect<Pattern>;
  const row = automata[automaton];
  return {
    effect: { op, access, resource: printResource(resource as Resource<string>) },
    automaton: row.name,
    program: programs[row.program]?.path ?? '',
    at: place(compiled.policy, policy.stack, row.program),
    phase: row.states[from - compiled.offsets[automaton]].phase,
    provenance: policy.provenance,
  };
}

/** The innermost frame in the program's own file, else the innermost of all: libraries make the calls for somebody. */
export function place(policy: Policy, stack: number | undefined, program: number): string {
  const frames = stack === undefined ? [] : policy.stacks[stack].map((frame) => policy.frames[frame]);
  const frame = frames.find((each) => each.program === program) ?? frames[0];
  if (frame === undefined) return '';
  const path = policy.programs[frame.program]?.path ?? 'code from no file';
  const offset = `0x${frame.offset.toString(16)}`;
  return frame.symbol === '' ? `${path}+${offset}` : `${frame.symbol} (${path}+${offset})`;
}

function similarity(effect: Effect, other: Effect<Pattern>): number {
  let score = effect.op === other.op ? 1000 : 0;
  if (effect.access === other.access) score += 20;
  const a = printResource(effect.resource);
  const b = printResource(other.resource as Resource<string>);
  if (effect.resource.kind === other.resource.kind)
    score += 100 + 100 * (commonStart(a, b) + commonEnd(a, b));
  return score;
}

function commonStart(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n / Math.max(1, a.length, b.length);
}

function commonEnd(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[a.length - 1 - n] === b[b.length - 1 - n]) n++;
  return n / Math.max(1, a.length, b.length);
}
