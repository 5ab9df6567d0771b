// What is settled about texts by runs that were compared: those that every environment had, and the patterns that stand
// at places of the program. A run under one environment in which nothing is left to settle need not be compared, where
// that takes long.
import {
  classOf,
  isLiteral,
  matcher,
  type Pattern,
  type PatternPart,
  patternOf,
  patternParts,
  resourceShape,
  resourceTexts,
  widerClass,
} from '../effect/index.ts';
import type { ScenarioTrace, Step } from '../explore/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import { alignRuns, type EventPatterns, fixedText, withoutKnown } from './generalize.ts';
import { stackKey } from './stack.ts';
import { eventsOf, type Run } from './tasks.ts';

export class Settled {
  private readonly boots: readonly Run[];
  private readonly literals = new Set<string>();
  /** By place in the program, or by operation alone; and by a text of the first environment. */
  private readonly patterns = new Map<string, Set<Pattern>>();
  private readonly texts = new Map<string, Pattern>();

  /** Of the boots, one an environment. */
  constructor(boots: readonly Run[]) {
    this.boots = boots;
    this.learn(boots);
  }

  /** Learns from a scenario that was played under every environment, after steps that are given for each. */
  compared(traces: readonly ScenarioTrace[], before: readonly (readonly Step[])[]): void {
    this.learn(
      traces.map((trace, i) => ({
        ...this.boots[i],
        before: [...this.boots[i].events, ...eventsOf(before[i] ?? [])],
        events: eventsOf(trace.steps),
        chosen: trace.chosen,
      })),
    );
  }

  private learn(runs: readonly Run[]): void {
    const [first, ...others] = runs.map(({ events }) => new Set(events.flatMap(textsOf)));
    for (const text of first) if (others.every((texts) => texts.has(text))) this.literals.add(text);
    const ofFirst = new Set(runs[0].events);
    for (const [event, list] of alignRuns(runs))
      list.forEach((pattern, i) => {
        // what may be anything says nothing
        if (isLiteral(pattern) || pattern.includes('**')) return;
        const text = textsOf(event)[i];
        if (ofFirst.has(event) && !this.texts.has(text)) this.texts.set(text, pattern);
        this.add(placeKey(event, i), pattern);
        if (isTelling(pattern)) this.add(operationKey(event, i), pattern);
      });
  }

  private add(key: string, pattern: Pattern): void {
    const known = this.patterns.get(key);
    if (known === undefined) this.patterns.set(key, new Set([pattern]));
    else known.add(pattern);
  }

  /** Patterns of a run under the first environment; undefined where it has a text of which nothing is known. */
  patternsOf({ steps, chosen }: ScenarioTrace): EventPatterns | undefined {
    const out: EventPatterns = new Map();
    for (const event of eventsOf(steps)) {
      const list: Pattern[] = [];
      for (const [i, text] of textsOf(event).entries()) {
        const pattern = this.patternOf(event, i, text, chosen);
        if (pattern === undefined) return undefined;
        list.push(pattern);
      }
      out.set(event, list);
    }
    return out;
  }

  private patternOf(event: EffectEvent, i: number, text: string, chosen: string): Pattern | undefined {
    const { kind } = event.effect.resource;
    // signals and identities are what the program says they are
    if (kind === 'task' || kind === 'id' || this.literals.has(text)) return fixedText(text);
    for (const key of [placeKey(event, i), operationKey(event, i)])
      for (const pattern of this.patterns.get(key) ?? []) {
        const found = matcher(pattern)(text) ? pattern : widened(pattern, text);
        if (found !== undefined) return found;
      }
    const same = kind === 'net' ? undefined : this.texts.get(text);
    if (same !== undefined) return same;
    const plain = withoutKnown(text, this.boots[0].known, chosen);
    return isLiteral(plain) ? undefined : plain;
  }
}

const textsOf = ({ effect }: EffectEvent): readonly string[] => resourceTexts(effect.resource);

/** Where in the program an effect is, and which text of its resource. */
function placeKey({ exe, effect, stack }: EffectEvent, text: number): string {
  return `${exe} ${effect.op} ${effect.access} ${resourceShape(effect.resource)} ${text} ${stackKey(stack)}`;
}

const operationKey = ({ exe, effect }: EffectEvent, text: number): string =>
  `${exe} ${effect.op} ${effect.access} ${resourceShape(effect.resource)} ${text}`;

/** Its own name has literal text before what differs: no other file is called so by chance. */
const isTelling = (pattern: Pattern): boolean => /\/[\w.-]{3,}(?:\[|\*)[^/]*$/.test(pattern);

/** The pattern with its only class so wide that it matches, where the text is as the pattern before and after that. */
function widened(pattern: Pattern, text: string): Pattern | undefined {
  const parts = patternParts(pattern) ?? [];
  const at = parts.findIndex(({ kind }) => kind === 'class');
  const [before, after] = [parts.slice(0, at), parts.slice(at + 1)].map((side) =>
    side.map((part) => (part.kind === 'literal' ? part.text : undefined)),
  );
  const only = parts[at];
  if (only?.kind !== 'class' || before.length === 0 || after.includes(undefined)) return undefined;
  const [prefix, suffix] = [before.join(''), after.join('')];
  if (!text.startsWith(prefix) || !text.slice(prefix.length).endsWith(suffix)) return undefined;
  const middle = text.slice(prefix.length, text.length - suffix.length);
  if (!/^[\w-]+$/.test(middle)) return undefined;
  const wider: PatternPart = { kind: 'class', class: widerClass(only.class, classOf(middle)) };
  return patternOf([...parts.slice(0, at), wider, ...parts.slice(at + 1)]);
}
