// The engines that the differential tests hold against the processor: the reference on all instances; the fast one in
// its interpreter and with everything translated at once, on a few of each form, or on all where EFFIGY_DIFF asks for a
// long run.
import type { Feature } from '../../src/isa/index.ts';
import { createFastEngine, createReferenceEngine, type Engine } from '../../src/machine/index.ts';
import { type Case, type Outcome, runEngine } from './native.ts';

export interface TestedEngine {
  readonly name: string;
  /** Instances of each form that it runs in a short run. */
  readonly few: number;
  readonly create: (features: ReadonlySet<Feature>) => Engine;
}

export const TESTED_ENGINES: readonly TestedEngine[] = [
  {
    name: 'reference',
    few: Number.POSITIVE_INFINITY,
    create: (features) => createReferenceEngine({ features }),
  },
  { name: 'fast, interpreter', few: 2, create: (features) => createFastEngine({ features }) },
  { name: 'fast, regions', few: 1, create: (features) => createFastEngine({ features, eager: true }) },
];

/** Cases that share one engine and its memory: translated code stays until both go. */
const BATCH = 2000;

/** Indices of the instances that an engine runs. */
export function chosenFor(engine: TestedEngine, forms: readonly string[]): number[] {
  const few = process.env['EFFIGY_DIFF'] === undefined ? engine.few : Number.POSITIVE_INFINITY;
  const counts = new Map<string, number>();
  return forms.flatMap((form, i) => {
    const count = (counts.get(form) ?? 0) + 1;
    counts.set(form, count);
    return count <= few ? [i] : [];
  });
}

export function runTested(
  engine: TestedEngine,
  cases: readonly Case[],
  features: readonly Feature[],
): Outcome[] {
  const out: Outcome[] = [];
  for (let i = 0; i < cases.length; i += BATCH)
    out.push(...runEngine(cases.slice(i, i + BATCH), features, engine.create(new Set(features))));
  return out;
}
