// Long runs that only do what was seen: the workers that a master starts again do what the first ones did.
import type { Enough, Step } from '../explore/index.ts';

/** Instructions without anything new after which a long run is left. */
const PATIENCE = 60_000_000;
/** For what is no signal: workers that die of it may be started again, one after the other. */
export const VERY_QUIET = 150_000_000;

/** Says when a run has shown nothing new for long; `isNew` is told its steps in order. */
export function longQuiet(isNew: (step: Step) => boolean, patience = PATIENCE): Enough {
  let seen = 0;
  let last = 0;
  return (steps: readonly Step[], instructions: number): boolean => {
    for (; seen < steps.length; seen++) if (isNew(steps[seen])) last = instructions;
    return instructions - last > patience;
  };
}
