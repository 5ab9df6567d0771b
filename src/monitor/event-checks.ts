// The verdict at once on events: effects at one instant.
import type { Effect, Resource } from '../effect/index.ts';
import type { Observation } from '../telemetry/index.ts';
import { accessMask, Match, OP } from './compiled.ts';
import { ITEM } from './queue.ts';
import { Origin } from './resources.ts';
import type { Moment, Task } from './tables.ts';
import { allowed, matchOf, policyOf, type Verdict, type Watched } from './verdict.ts';
import { whyEffect } from './words.ts';

export type Event = Extract<Observation, { kind: 'event' }>;

const ends: ReadonlySet<number> = new Set([OP.CLOSE, OP.SHUTDOWN]);
/** Operations on something open: of events, too, it is not said how it was opened. */
const onOpen: ReadonlySet<number> = new Set([OP.READ, OP.WRITE, OP.CLOSE, OP.SHUTDOWN, OP.MMAP]);

/** ENOENT, ENOTDIR: nothing was there, so nothing was done to it. */
const absent: ReadonlySet<number> = new Set([-2, -20]);

export class EventChecks {
  private readonly verdict: Verdict;

  constructor(verdict: Verdict) {
    this.verdict = verdict;
  }

  /** The parent's side of a clone. */
  clone(task: Task, segment: Watched, { effect, ret }: Event, time: Moment): void {
    const { process } = task;
    const policy = policyOf(process);
    // Sources of flows do not say at the parent's side what was made; the child's side is checked for it.
    const what = effect.resource.kind === 'task' && !this.verdict.core.flows ? effect.resource.what : '';
    const resource: Resource = { kind: 'task', what };
    const letter = policy.letterOf(
      OP.CLONE,
      0,
      policy.resources.classOf(resource, Origin.opened),
      Match.anyAccess,
    );
    if (this.verdict.passes(task, segment, letter, time, OP.CLONE, '', resource)) {
      if (ret > 0) this.verdict.wait(ITEM.clone, task, segment, time, letter, effect, OP.CLONE);
      return;
    }
    if (letter >= 0 && allowed(policy, letter, segment)) return;
    if (process.rogueClones < 0) {
      // The child was found before.
      process.rogueClones++;
      this.verdict.core.counters.repeated++;
      return;
    }
    this.verdict.find('foreign-effect', task, segment, time, effect, () =>
      whyEffect(policy, segment.automata, effect),
    );
    if (ret > 0) process.rogueClones++;
  }

  /** A failed exec does nothing; but what the program never tries, it should not try. */
  failedExec(task: Task, segment: Watched, { effect }: Event, time: Moment): void {
    const policy = policyOf(task.process);
    const { resource } = effect;
    const known = resource.kind === 'program' && resource.path !== '' && !this.verdict.core.flows;
    const programs = known ? policy.resources.programPath(resource.path) : policy.resources.anyProgram();
    for (const match of [Match.failed, Match.exact]) {
      const letter = policy.letterOf(OP.EXEC, 0, programs, match);
      if (letter < 0 || !allowed(policy, letter, segment)) continue;
      if (match === Match.failed && known)
        this.verdict.wait(ITEM.end, task, segment, time, letter, effect, OP.EXEC);
      return;
    }
    const what: Effect = known ? effect : { ...effect, resource: { kind: 'none' } };
    this.verdict.find(
      'foreign-program',
      task,
      segment,
      time,
      what,
      () => `${whyEffect(policy, segment.automata, effect)} of this, and here it tried and failed`,
    );
  }

  effect(task: Task, segment: Watched, event: Event, time: Moment, op: number): void {
    const policy = policyOf(task.process);
    const { effect } = event;
    const origin = onOpen.has(op) ? Origin.continued : Origin.opened;
    const resources = policy.resources.classOf(effect.resource, origin);
    const { anyRights, flows, pathAsRead } = this.verdict.core;
    const match = matchOf(op, effect.access, op === OP.OPEN ? anyRights : flows, pathAsRead);
    const letter = policy.letterOf(op, accessMask(effect.access), resources, match);
    if (letter >= 0 && allowed(policy, letter, segment)) {
      if (this.verdict.passes(task, segment, letter, time, op, effect.access, effect.resource))
        this.verdict.wait(ends.has(op) ? ITEM.end : ITEM.event, task, segment, time, letter, effect, op);
      return;
    }
    if (effect.resource.kind === 'file' && absent.has(event.ret)) {
      this.verdict.core.counters.absent++;
      return;
    }
    // A source that does not say what it was done to can only be held to the operation.
    if (effect.resource.kind === 'none' && segment.automata.some((a) => policy.does(a, op, undefined)))
      return;
    if (resources.harmless || (ends.has(op) && (event.ret < 0 || this.verdict.core.flows))) return;
    this.verdict.explain(task, segment, time, effect, op, resources);
  }
}
