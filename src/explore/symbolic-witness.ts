// Values for inputs under which a condition holds, as near to the ones at hand as possible: what the condition does not
// depend on stays as it is.
import type { ByteSet, Expression, Expressions, PathCondition } from '../expr/index.ts';
import type { Solver } from '../solve/index.ts';
import { placeOf, type SymbolicInput } from './symbolic-input.ts';

/** New values by variable; unsat: there are none; unknown: the solver gave up. */
export type Witness = ReadonlyMap<number, number> | 'unsat' | 'unknown';

/** Values of variables that make the condition hold beside the path's. */
export function witness(
  solver: Solver,
  path: PathCondition,
  condition: Expression,
  input: SymbolicInput,
): Witness {
  const x = solver.expressions;
  const all = path.and(condition);
  if (all === undefined) return 'unsat';
  const variables = new Set<number>(x.variables(condition));
  const related = all.related([condition]);
  if (related.length === 0) return fromDomains(x, all, variables, input);
  for (const conjunct of related) for (const variable of x.variables(conjunct)) variables.add(variable);
  const answer = solver.check(path, condition);
  if (answer !== 'sat') return answer;
  const model = solver.model(path, condition);
  if (model === undefined) return 'unknown';
  const out = new Map<number, number>();
  for (const variable of variables) out.set(variable, Number(model.get(variable) ?? 0n));
  return out;
}

/** Nothing but the domains of single bytes matters. */
function fromDomains(
  x: Expressions,
  path: PathCondition,
  variables: ReadonlySet<number>,
  { messages }: SymbolicInput,
): ReadonlyMap<number, number> {
  const out = new Map<number, number>();
  for (const variable of variables) {
    const { message, at } = placeOf(x, variable);
    out.set(variable, chosen(path.domain(variable), messages[message]?.[at] ?? -1));
  }
  return out;
}

const codes = (from: string, to: string): number[] =>
  Array.from({ length: to.charCodeAt(0) - from.charCodeAt(0) + 1 }, (_, i) => from.charCodeAt(0) + i);
/** What texts are made of comes first: it is what most protocols take. */
const PREFERRED = [
  ...codes('a', 'z'),
  ...codes('A', 'Z'),
  ...codes('0', '9'),
  ...codes('!', '~'),
  32,
  10,
  13,
];

/** The value there is if it may stay, else a usual one, else the least. */
function chosen(domain: ByteSet, now: number): number {
  if (now >= 0 && domain.has(now)) return now;
  return PREFERRED.find((value) => domain.has(value)) ?? domain.first;
}
