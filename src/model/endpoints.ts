// What the environment decides of addresses and ports, by program point. Where corresponding effects of one call differ
// in a part of the endpoint (the port that the kernel chose, the server that was drawn), the environment decides that
// part there, also for effects that have no counterpart: a further try that only one of the runs needed.
import { classOf, type Pattern, patternOf, resourceTexts, widerClass } from '../effect/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import type { EventPatterns } from './generalize.ts';
import type { Row } from './orders.ts';
import { stackKey } from './stack.ts';

export class Endpoints {
  /** By program point, the texts of each part where they differed between runs; undefined: they did not. */
  private readonly parts = new Map<string, (Set<string> | undefined)[]>();
  private readonly alone: { readonly event: EffectEvent; readonly patterns: EventPatterns }[] = [];

  /** Learns from corresponding events; the patterns of those without a counterpart are settled later. */
  note(rows: readonly Row[], patterns: EventPatterns): void {
    for (const row of rows) {
      const present = row.flatMap((event) => event ?? []);
      if (present[0].effect.resource.kind !== 'net') continue;
      if (present.length === 1) this.alone.push({ event: present[0], patterns });
      const lists = present.map(({ effect }) => resourceTexts(effect.resource));
      lists[0].forEach((text, part) => {
        if (lists.some((list) => list[part] !== text))
          for (const list of lists) this.differing(present[0], part).add(list[part]);
      });
    }
  }

  /** Gives events without a counterpart the classes of their program points. */
  settle(): void {
    for (const { event, patterns } of this.alone) {
      const parts = this.parts.get(pointOf(event));
      const own = patterns.get(event);
      if (parts === undefined || own === undefined) continue;
      const texts = resourceTexts(event.effect.resource);
      patterns.set(
        event,
        own.map((pattern, part): Pattern => {
          const seen = parts[part];
          return seen === undefined || texts[part] === '' ? pattern : classFor(seen, texts[part]);
        }),
      );
    }
  }

  private differing(event: EffectEvent, part: number): Set<string> {
    const point = pointOf(event);
    let parts = this.parts.get(point);
    if (parts === undefined) this.parts.set(point, (parts = []));
    return (parts[part] ??= new Set());
  }
}

/** The narrowest class of all these texts and one more. */
const classFor = (seen: ReadonlySet<string>, text: string): Pattern =>
  patternOf([
    {
      kind: 'class',
      class: [...seen, text].map((each) => (each === '' ? '*' : classOf(each))).reduce(widerClass),
    },
  ]);

const pointOf = ({ effect, exe, stack }: EffectEvent): string =>
  `${effect.op} ${effect.resource.kind === 'net' ? effect.resource.protocol : ''} ${exe} ${stackKey(stack)}`;
