// In what an effect that a program does not have differs from those that it has.
import type { Effect, Op } from '../effect/index.ts';
import { accessMask, type CompiledPolicy, Match, OP } from './compiled.ts';
import type { FindingKind } from './finding.ts';
import type { ResourceClass } from './resources.ts';
import { whyAccess, whyEffect, whyResource } from './words.ts';

export interface Deviation {
  readonly kind: FindingKind;
  readonly why: () => string;
  /** What makes two such findings the same, where it is not the effect itself. */
  readonly key?: string;
}

const identities: ReadonlySet<Op> = new Set(['SETUID', 'SETGID', 'SETGROUPS']);

/** `resources`: the class of the effect's resource. */
export function deviationOf(
  policy: CompiledPolicy,
  automata: readonly number[],
  effect: Effect,
  op: number,
  resources: ResourceClass,
): Deviation {
  if (identities.has(effect.op)) {
    const value = effect.resource.kind === 'id' ? effect.resource.value : '';
    const why = (): string => whyEffect(policy, automata, effect);
    return { kind: 'identity-change', why, key: `identity ${effect.op} ${value}` };
  }
  const letter = policy.letterOf(op, 0, resources, Match.anyAccess);
  if (letter >= 0 && automata.some((a) => policy.says(letter, a) !== 0))
    return {
      kind: 'foreign-effect',
      why: () => whyAccess(policy, automata, effect, accesses(policy, automata, letter)),
    };
  const rights = op === OP.OPEN ? accessMask(effect.access) : undefined;
  if (automata.some((a) => policy.does(a, op, rights)))
    return { kind: 'wrong-resource', why: () => whyResource(policy, automata, effect) };
  return { kind: 'foreign-effect', why: () => whyEffect(policy, automata, effect) };
}

function accesses(policy: CompiledPolicy, automata: readonly number[], letter: number): string[] {
  const own = policy.edgesOf(letter).filter((edge) => automata.includes(edge.automaton));
  return [...new Set(own.map((edge) => edge.effect?.access ?? ''))].sort();
}
