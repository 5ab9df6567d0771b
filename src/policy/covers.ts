// What an amendment covers: of findings (the monitor asks), and whether a policy has meanwhile what it allows (who made
// a new model asks).
import {
  ANY,
  type Effect,
  literal,
  matcher,
  type Pattern,
  type Resource,
  resourceShape,
  resourceTexts,
} from '../effect/index.ts';
import { includes } from './includes.ts';
import {
  ALLOWANCES,
  type Allowance,
  type Amendment,
  type Policy,
  type PolicyAutomaton,
  type PolicyEdge,
} from './policy.ts';

/** What was done, by whom. */
export interface Deed {
  /** Repository of the image, as in `Amendment.image`; undefined: the amendment is known to be for it. */
  readonly image: string | undefined;
  readonly program: string;
  readonly automata: readonly string[];
  /** The least that an amendment must allow to cover it. */
  readonly needs: Allowance;
  readonly effect: Effect;
}

/** Whatever its date says: an amendment that has expired covers what it covered before. */
export function covers(amendment: Amendment, { image, program, automata, needs, effect }: Deed): boolean {
  if (ALLOWANCES.indexOf(amendment.allows) < ALLOWANCES.indexOf(needs)) return false;
  if (amendment.automaton !== '' && !automata.includes(amendment.automaton)) return false;
  return (
    (image === undefined || matcher(amendment.image)(image)) &&
    matcher(amendment.program)(program) &&
    effectCovers(amendment.effect, effect)
  );
}

/** Whether it is for an image of one of these repositories; an image without a name may be any. */
export const isForImage = ({ image }: Amendment, repositories: readonly string[]): boolean =>
  repositories.length === 0 || repositories.some(matcher(image));

/** Epoch milliseconds from which it no longer holds. */
export const endOf = ({ expires }: Amendment): number =>
  expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires);

function effectCovers(allowed: Effect<Pattern>, effect: Effect): boolean {
  if (allowed.op === effect.op) {
    if (![...effect.access].every((letter) => allowed.access.includes(letter))) return false;
  } else if (!follows(allowed, effect)) return false;
  return resourceCovers(allowed.resource, effect.resource);
}

/** Whoever may open a file may use it, as far as the opening's rights go; whoever may connect, talk. */
function follows({ op, access }: Effect<Pattern>, { op: then, access: how }: Effect): boolean {
  if (op === 'ACCEPT' || op === 'CONNECT')
    return then === 'READ' || then === 'WRITE' || then === 'SHUTDOWN' || then === 'CLOSE';
  if (op !== 'OPEN') return false;
  if (then === 'CLOSE') return true;
  if (then === 'READ') return access.includes('r');
  if (then === 'MMAP') return access.includes('r') && !(how.includes('w') && !access.includes('w'));
  return (then === 'WRITE' || then === 'TRUNCATE' || then === 'ALLOCATE') && access.includes('w');
}

function resourceCovers(allowed: Resource<Pattern>, resource: Resource): boolean {
  if (allowed.kind === 'program')
    // Sources join arguments by spaces.
    return (
      resource.kind === 'program' &&
      matcher(allowed.path)(resource.path) &&
      matcher(joined(allowed.args))(resource.args.join(' '))
    );
  if (resourceShape(allowed) !== resourceShape(resource)) return false;
  const texts = resourceTexts(resource);
  return resourceTexts(allowed).every((pattern, i) => matcher(pattern)(texts[i]));
}

const joined = (args: readonly Pattern[]): Pattern => args.join(' ') as Pattern;

/** What a new model says of an amendment. */
export type Standing =
  /** The policy does not have it: it is still needed. */
  | { readonly kind: 'needed' }
  /** The policy has the effect itself, in this automaton. */
  | { readonly kind: 'unneeded'; readonly automaton: string }
  /** No program of the policy is the one that it is for. */
  | { readonly kind: 'homeless' };

/** Of an amendment that is for this policy's image. */
export function standingOf(amendment: Amendment, policy: Policy): Standing {
  const { program, automaton } = amendment;
  const own = policy.automata.filter(
    (each) =>
      matcher(program)(policy.programs[each.program]?.path ?? '') &&
      (automaton === '' || each.name === automaton),
  );
  if (own.length === 0) {
    // A program that the image does not have does it: a foreign one, which no model will ever contain.
    return automaton === '' ? { kind: 'needed' } : { kind: 'homeless' };
  }
  // A wide amendment is for all of its programs: each must have the effect. What is out of order in a model, no model says.
  if (amendment.allows === 'order' || !own.every((each) => has(each, amendment))) return { kind: 'needed' };
  return { kind: 'unneeded', automaton: own[0].name };
}

function has(automaton: PolicyAutomaton, { effect, allows }: Amendment): boolean {
  const serving = allows === 'phase' ? statesWhenServing(automaton) : undefined;
  return automaton.edges.some(
    (edge) => (serving === undefined || serving.has(edge.from)) && edgeIncludes(edge, effect),
  );
}

function edgeIncludes({ effect: own }: PolicyEdge, effect: Effect<Pattern>): boolean {
  if (own === undefined || own.op !== effect.op || own.access !== effect.access) return false;
  if (own.resource.kind === 'program' && effect.resource.kind === 'program')
    return (
      includes(own.resource.path, effect.resource.path) &&
      includes(joined(own.resource.args), joined(effect.resource.args))
    );
  if (resourceShape(own.resource) !== resourceShape(effect.resource)) return false;
  const texts = resourceTexts(own.resource);
  const wide = own.resource.kind === 'net' ? texts.map(anyWhereUnspecified) : texts;
  return resourceTexts(effect.resource).every((text, i) => includes(wide[i], text));
}

/** A policy's `0.0.0.0` is whatever address the container has. */
const unspecified: ReadonlySet<string> = new Set(['0.0.0.0', '::'].map(literal));
const anyWhereUnspecified = (pattern: Pattern): Pattern => (unspecified.has(pattern) ? ANY : pattern);

function statesWhenServing({ states, edges }: PolicyAutomaton): Set<number> {
  const reached = new Set(states.flatMap(({ phase }, i) => (phase === 'serve' ? [i] : [])));
  for (const state of reached) for (const { from, to } of edges) if (from === state) reached.add(to);
  return reached;
}
