// What a search on symbolic inputs found, as rows of the serving pass: runs that show something new, with the patterns of
// the resources that clients' bytes came into, over all runs that came to the same place.
import { type Pattern, resourceShape } from '../effect/index.ts';
import {
  type ExploredPatterns,
  PatternUnion,
  type SymbolicRun,
  type TextPatterns,
} from '../explore/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import type { EventPatterns } from './generalize.ts';
import { stackKey } from './stack.ts';

/** Ways to choose one pattern for each text of a run, at most. */
const MAX_VARIANTS = 8;

/** The runs with patterns that stand for all of them: those of one place joined. */
export function unitedRuns(runs: readonly SymbolicRun[]): readonly SymbolicRun[] {
  const unions = new Map<string, PatternUnion>();
  for (const { patterns } of runs)
    for (const [event, texts] of patterns)
      for (const [i, list] of texts.entries()) {
        if (list === undefined) continue;
        const key = placeKey(event, i);
        const union = unions.get(key) ?? new PatternUnion();
        unions.set(key, union);
        for (const pattern of list) union.add(pattern);
      }
  const united = (event: EffectEvent, texts: TextPatterns): TextPatterns =>
    texts.map((list, i) => {
      const union = unions.get(placeKey(event, i));
      return list === undefined || union === undefined
        ? undefined
        : [...new Set(list.map((pattern) => union.of(pattern)))].sort();
    });
  return runs.map((run) => ({
    ...run,
    patterns: new Map([...run.patterns].map(([event, texts]) => [event, united(event, texts)])),
  }));
}

/** Where in the program an effect is, and which text of its resource. */
function placeKey({ exe, effect, stack }: EffectEvent, text: number): string {
  return `${exe} ${effect.op} ${effect.access} ${resourceShape(effect.resource)} ${text} ${stackKey(stack)}`;
}

/** Patterns of a trace with those of its inputs in their place, one pattern a text in each of the results. */
export function* variantsOf(aligned: EventPatterns, explored: ExploredPatterns): Iterable<EventPatterns> {
  const counts = [...explored.values()].flatMap((texts) => texts.map((list) => list?.length ?? 0));
  const count = Math.min(MAX_VARIANTS, Math.max(1, ...counts));
  for (let variant = 0; variant < count; variant++) {
    const out: EventPatterns = new Map(aligned);
    for (const [event, texts] of explored) {
      const plain = aligned.get(event);
      if (plain === undefined) continue;
      out.set(
        event,
        plain.map((pattern, i): Pattern => {
          const list = texts[i];
          return list === undefined || list.length === 0 ? pattern : list[variant % list.length];
        }),
      );
    }
    yield out;
  }
}
