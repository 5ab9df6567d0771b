// Sentences of findings.
import { type Effect, OPS } from '../effect/index.ts';
import { accessText, type CompiledPolicy, OP } from './compiled.ts';
import type { Item } from './queue.ts';

/** What an item was about. */
export function effectOf({ op, access, resource }: Item): Effect {
  return {
    op: OPS[op < 0 ? OP.CLONE : op],
    access: accessText(access),
    resource: resource ?? { kind: 'none' },
  };
}

export const names = (policy: CompiledPolicy, automata: readonly number[]): string =>
  automata.map((a) => policy.policy.automata[a].name).join(' or ') || 'this program';

/** States that an explanation names. */
const namedStates = 3;

export function whyOrder(
  policy: CompiledPolicy,
  states: Int32Array,
  kind: 'out-of-order' | 'wrong-phase',
): string {
  const automata = [...new Set(Array.from(states, (state) => policy.automatonOf[state]))];
  const who = names(policy, automata);
  if (kind === 'wrong-phase') return `${who} does this only while it starts, and its start is over`;
  const labels = [
    ...new Set(
      Array.from(states, (state) => {
        const a = policy.automatonOf[state];
        return policy.policy.automata[a].states[state - policy.offsets[a]].label;
      }),
    ),
  ];
  const shown = labels.slice(0, namedStates).join(', or ');
  const more = labels.length > namedStates ? `, or ${labels.length - namedStates} more` : '';
  return `${who} does this, but not at this point: the last thing it did was ${shown}${more}`;
}

export function whyResource(
  policy: CompiledPolicy,
  automata: readonly number[],
  { op, access }: Effect,
): string {
  const how = access === '' ? op : `${op} ${access}`;
  return `${names(policy, automata)} does ${how}, but never on this`;
}

export function whyEffect(policy: CompiledPolicy, automata: readonly number[], { op }: Effect): string {
  return `${names(policy, automata)} never does ${op}`;
}

export function whyAccess(
  policy: CompiledPolicy,
  automata: readonly number[],
  { op, access }: Effect,
  allowed: readonly string[],
): string {
  const how = allowed.map((each) => `'${each}'`).join(' or ');
  return `${names(policy, automata)} does ${op} on this only with access ${how}, not '${access}'`;
}
