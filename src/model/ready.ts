// Whether a service got ready by what was just done with it: programs that compile or load what they need when it is
// first needed (interpreters, just-in-time compilers) take long for every first request, and little for the next ones.
import type { Attempt, ScenarioTrace } from '../explore/index.ts';

/** Being ready is worth it where it makes scenarios so many times shorter, and saves so many instructions. */
const WARMER = 2;
const WARM_SAVING = 10_000_000;

/** Whether a scenario that took so long could have made anything ready. */
export const mayReady = ({ trace, complete }: Attempt): boolean =>
  complete && !trace.ended && trace.instructions >= WARM_SAVING;

/** Whether the same is much shorter on what a scenario left, and as well: a service that no longer serves is none. */
export function gotReady(attempt: Attempt, cold = attempt.trace.instructions): boolean {
  if (!attempt.complete || attempt.trace.ended || cold < WARM_SAVING) return false;
  const again = attempt.again();
  const saved = cold - again.instructions;
  return (
    !again.ended &&
    again.instructions * WARMER <= cold &&
    saved >= WARM_SAVING &&
    servesAsBefore(attempt.trace, again)
  );
}

/** Clients are taken as often, and get answers where they got some. */
function servesAsBefore(before: ScenarioTrace, now: ScenarioTrace): boolean {
  return (
    accepted(now) >= accepted(before) &&
    now.answers.length >= before.answers.length &&
    before.answers.every((text, i) => text === '' || now.answers[i] !== '')
  );
}

const accepted = ({ steps }: ScenarioTrace): number =>
  steps.filter(
    (step) => step.kind === 'effect' && step.event.effect.op === 'ACCEPT' && step.event.result >= 0,
  ).length;
