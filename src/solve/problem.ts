// A question made small before anything searches: variables with one value left are replaced by it, conditions on one
// byte become sets, what is left falls into parts that share no variables.
import { ByteSet, byteSetOf, type Expression, type Expressions, OP, substitute } from '../expr/index.ts';

/** Conditions that share variables, and what else is known of those. */
export interface Part {
  readonly conjuncts: readonly Expression[];
  /** Numbers of the variables of the conjuncts, ascending. */
  readonly variables: readonly number[];
}

export interface Problem {
  /** Values of variables of at most eight bits, as far as they are restricted or occur. */
  readonly domains: Map<number, ByteSet>;
  /** Wide variables with one value. */
  readonly bound: Map<number, bigint>;
  readonly parts: readonly Part[];
}

const isByte = (x: Expressions, variable: number): boolean => x.variableAt(variable).width <= 8;

/** Conditions and domains brought to parts; undefined where that shows that they cannot hold. */
export function reduced(
  x: Expressions,
  conditions: readonly Expression[],
  domainOf: (variable: number) => ByteSet,
): Problem | undefined {
  const domains = new Map<number, ByteSet>();
  const bound = new Map<number, bigint>();
  const replaced = new Set<number>();
  for (const condition of conditions)
    for (const variable of x.variables(condition))
      if (isByte(x, variable)) domains.set(variable, domainOf(variable));
  let conjuncts = [...conditions];
  for (;;) {
    const left = told(x, conjuncts, domains, bound);
    if (left === undefined) return undefined;
    const known = new Map<number, Expression>();
    for (const [variable, domain] of domains) {
      if (!replaced.has(variable) && domain.size === 1)
        known.set(variable, x.constant(x.variableAt(variable).width, domain.first));
    }
    for (const [variable, value] of bound)
      if (!replaced.has(variable)) known.set(variable, x.constantBig(x.variableAt(variable).width, value));
    for (const variable of known.keys()) replaced.add(variable);
    if (known.size === 0) return { domains, bound, parts: partsOf(x, left) };
    conjuncts = substitute(x, left, known);
  }
}

/** The conjuncts that domains and bound variables do not tell; undefined where one is false. */
function told(
  x: Expressions,
  conjuncts: readonly Expression[],
  domains: Map<number, ByteSet>,
  bound: Map<number, bigint>,
): Expression[] | undefined {
  const s = x.nodes;
  const left = new Set<Expression>();
  const waiting = [...conjuncts].reverse();
  for (let e = waiting.pop(); e !== undefined; e = waiting.pop()) {
    if (x.isConstant(e)) {
      if (x.value(e) === 0n) return undefined;
      continue;
    }
    if (left.has(x.not(e))) return undefined;
    if (s.opOf(e) === OP.and) {
      waiting.push(s.bs[e], s.as[e]);
      continue;
    }
    const inner = s.opOf(e) === OP.not ? s.as[e] : 0;
    if (inner !== 0 && s.opOf(inner) === OP.or) {
      waiting.push(x.not(s.bs[inner]), x.not(s.as[inner]));
      continue;
    }
    const variables = x.variables(e);
    if (variables.length === 1 && isByte(x, variables[0])) {
      const domain = (domains.get(variables[0]) ?? ByteSet.all).and(byteSetOf(x, e));
      if (domain.isEmpty) return undefined;
      domains.set(variables[0], domain);
      continue;
    }
    if (s.opOf(e) === OP.eq && s.opOf(s.as[e]) === OP.variable && x.isConstant(s.bs[e])) {
      const value = x.value(s.bs[e]);
      const before = bound.get(s.as[s.as[e]]);
      if (before !== undefined && before !== value) return undefined;
      bound.set(s.as[s.as[e]], value);
      continue;
    }
    left.add(e);
  }
  return [...left];
}

function partsOf(x: Expressions, conjuncts: readonly Expression[]): Part[] {
  const parts: { conjuncts: Expression[]; variables: Set<number> }[] = [];
  for (const conjunct of conjuncts) {
    const variables = x.variables(conjunct);
    const joined = { conjuncts: [conjunct], variables: new Set(variables) };
    for (let i = parts.length - 1; i >= 0; i--) {
      if (!variables.some((variable) => parts[i].variables.has(variable))) continue;
      const [other] = parts.splice(i, 1);
      joined.conjuncts.push(...other.conjuncts);
      for (const variable of other.variables) joined.variables.add(variable);
    }
    parts.push(joined);
  }
  return parts.map((part) => ({
    conjuncts: part.conjuncts.sort((a, b) => a - b),
    variables: [...part.variables].sort((a, b) => a - b),
  }));
}
