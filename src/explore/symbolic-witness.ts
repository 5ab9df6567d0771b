// Values for inputs under which a condition holds, as near to the ones at hand as possible: what the condition does not
// depend on stays as it is.
import type { ByteSet, Expression, Expressions, PathCondition } from '../expr/index.ts';
import type { Solver } from '../solve/index.ts';
import { alternatives } from './symbolic-conditions.ts';
import { byteOf, isFixed, type SymbolicInput } from './symbolic-input.ts';

/** New values by variable; unsat: there are none; unknown: the solver gave up. */
export type Witness = ReadonlyMap<number, number> | 'unsat' | 'unknown';

/** Cases of a disjunction that are looked at one by one. */
const MAX_CASES = 128;
/** Attempts to put values back. */
const MAX_TRIES = 48;

/** Values of variables that make the condition hold beside the path's. */
export function witness(
  solver: Solver,
  before: PathCondition,
  condition: Expression,
  input: SymbolicInput,
): Witness {
  const x = solver.expressions;
  const path = withFixed(x, before, condition, input);
  if (path === undefined) return 'unsat';
  const cases = alternatives(x, condition, MAX_CASES);
  for (const one of cases.length > 1 ? cases : []) {
    const all = path.and(one);
    if (all !== undefined && all.related([one]).length === 0)
      return fromDomains(x, all, new Set(x.variables(one)), input);
  }
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
  const inDomains = (variable: number, value: number): boolean => all.domain(variable).has(value);
  return nearer(x, [...related, condition], out, input, inDomains);
}

/** And that what is the environment's is what it was. */
function withFixed(
  x: Expressions,
  path: PathCondition,
  condition: Expression,
  input: SymbolicInput,
): PathCondition | undefined {
  if (![...input.given.values()].some(({ open }) => !open)) return path;
  const variables = new Set<number>(x.variables(condition));
  for (const conjunct of path.related([condition]))
    for (const variable of x.variables(conjunct)) variables.add(variable);
  let out: PathCondition | undefined = path;
  for (const variable of variables) {
    if (!isFixed(x, input, variable)) continue;
    const { expression, width } = x.variableAt(variable);
    const is = x.eq(expression, x.constant(width, byteOf(x, input, variable) ?? 0));
    out = out?.and(is);
  }
  return out;
}

/** Puts back what need not have changed: an input that differs in little goes the same way for longer. */
function nearer(
  x: Expressions,
  conditions: readonly Expression[],
  found: Map<number, number>,
  input: SymbolicInput,
  inDomain: (variable: number, value: number) => boolean,
): Map<number, number> {
  const assignment = { get: (variable: number): bigint => BigInt(found.get(variable) ?? 0) };
  const holds = (): boolean => conditions.every((one) => x.evaluate(one, assignment) === 1n);
  let left = MAX_TRIES;
  const restore = (variables: readonly number[]): void => {
    const changed = variables.filter((variable) => {
      const now = byteOf(x, input, variable);
      return now !== undefined && now !== found.get(variable) && inDomain(variable, now);
    });
    if (changed.length === 0 || left-- <= 0) return;
    const before = changed.map((variable) => [variable, found.get(variable) ?? 0] as const);
    for (const variable of changed) found.set(variable, byteOf(x, input, variable) ?? 0);
    if (holds()) return;
    for (const [variable, value] of before) found.set(variable, value);
    if (changed.length === 1) return;
    const half = changed.length >> 1;
    restore(changed.slice(0, half));
    restore(changed.slice(half));
  };
  restore([...found.keys()]);
  return found;
}

/** Nothing but the domains of single bytes matters. */
function fromDomains(
  x: Expressions,
  path: PathCondition,
  variables: ReadonlySet<number>,
  input: SymbolicInput,
): ReadonlyMap<number, number> {
  const out = new Map<number, number>();
  for (const variable of variables)
    out.set(variable, chosen(path.domain(variable), byteOf(x, input, variable) ?? -1));
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
