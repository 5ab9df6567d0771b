// What both kinds of observations need for the verdict at once: whether the policy has a letter for this task and phase,
// and the finding where it does not. What passes waits for the verdict on order.
import { type Effect, OPS, type Resource } from '../effect/index.ts';
import { accessMask, type CompiledPolicy, Match, OP, Says } from './compiled.ts';
import type { Core } from './core.ts';
import { deviationOf } from './deviation.ts';
import { nearest } from './explain.ts';
import type { Expected, FindingKind } from './finding.ts';
import type { ITEM } from './queue.ts';
import type { ResourceClass } from './resources.ts';
import type { Moment, Process, Segment, Task } from './tables.ts';
import { whyEffect } from './words.ts';

export type Watched = Extract<Segment, { kind: 'watched' }>;

export class Verdict {
  readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Whether a letter may come in this phase; a finding where it may not. Notices when the task begins to serve. */
  passes(
    task: Task,
    segment: Watched,
    letter: number,
    time: Moment,
    op: number,
    access: string,
    resource: Resource,
  ): boolean {
    if (letter < 0) return false;
    const policy = policyOf(task.process);
    const says = saysOf(policy, letter, segment.automata);
    if ((says & Says.allowed) === 0) return false;
    // A late record of the program before says nothing of the phase of this one.
    if (!isLast(task, segment)) return true;
    if ((says & Says.enters) !== 0 && time < task.servedSince) task.servedSince = time;
    if ((says & Says.serving) !== 0 || time <= task.servedSince) return true;
    const effect: Effect = { op: OPS[op], access, resource };
    const why = (): string =>
      `${whyEffect(policy, segment.automata, effect)} once it serves: the policy has this for its start only`;
    this.find('wrong-phase', task, segment, time, effect, why);
    return false;
  }

  wait(
    kind: typeof ITEM.event | typeof ITEM.end | typeof ITEM.clone,
    task: Task,
    segment: Watched,
    time: Moment,
    letter: number,
    effect: Effect,
    op: number,
  ): void {
    const { core } = this;
    const row = core.later(time, kind, task, segment);
    if (row < 0) return;
    core.calendar.setLetter(row, letter);
    core.calendar.setEffect(row, op, accessMask(effect.access), effect.resource);
  }

  /** An effect that no edge of the task's program has: in what it differs from those that are there. */
  explain(
    task: Task,
    segment: Watched,
    time: Moment,
    effect: Effect,
    op: number,
    resources: ResourceClass,
  ): void {
    const { kind, why, key } = deviationOf(policyOf(task.process), segment.automata, effect, op, resources);
    this.find(kind, task, segment, time, effect, why, key);
  }

  find(
    kind: FindingKind,
    task: Task,
    { automata }: Watched,
    time: Moment,
    effect: Effect,
    why: () => string,
    key?: string,
  ): void {
    const { process } = task;
    const expected = (): Expected[] => nearest(policyOf(process), automata, effect, task.servedSince < time);
    const base = { kind, time, process, tid: task.tid, effect, why, expected };
    this.core.incidents.report(key === undefined ? base : { ...base, key });
  }
}

export function policyOf(process: Process): CompiledPolicy {
  const policy = process.container?.policy;
  if (policy === undefined) throw new Error('internal error: a watched process has a policy');
  return policy;
}

export const isLast = ({ process: { segments } }: Task, segment: Segment): boolean =>
  segments[segments.length - 1] === segment;

export function saysOf(policy: CompiledPolicy, letter: number, automata: readonly number[]): number {
  if (automata.length === 1) return policy.says(letter, automata[0]);
  let any = 0;
  let enters: number = Says.enters;
  for (const a of automata) {
    const says = policy.says(letter, a);
    if (says === 0) continue;
    any |= says & ~Says.enters;
    enters &= says;
  }
  return any === 0 ? 0 : any | enters;
}

export const allowed = (policy: CompiledPolicy, letter: number, { automata }: Watched): boolean =>
  (saysOf(policy, letter, automata) & Says.allowed) !== 0;

/**
 * Opening must be with exactly the rights of an edge, unless the source may not tell them (`unknown`), or can't tell
 * openings of a path alone (`vague`); the other operations have none that sources of flows tell.
 */
export function matchOf(op: number, access: string, unknown: boolean, vague: boolean): number {
  if (op === OP.OPEN) {
    if (unknown && access === '') return Match.anyAccess;
    return vague ? Match.pathAsRead : Match.exact;
  }
  if (op === OP.MMAP) return unknown || access === '' ? Match.anyAccess : Match.exact;
  return Match.anyAccess;
}
