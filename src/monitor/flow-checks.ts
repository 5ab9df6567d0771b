// The verdict at once on flows: operations on one open file or socket within an interval.
import { type Effect, OPS, type Op } from '../effect/index.ts';
import type { Observation } from '../telemetry/index.ts';
import { accessMask, type CompiledPolicy, Match, OP, Says } from './compiled.ts';
import { ITEM } from './queue.ts';
import { Origin, type ResourceClass } from './resources.ts';
import type { Moment, Task } from './tables.ts';
import { allowed, isLast, matchOf, policyOf, saysOf, type Verdict, type Watched } from './verdict.ts';

export type Flow = Extract<Observation, { kind: 'flow' }>;

const READ = 1 << OP.READ;
const WRITE = 1 << OP.WRITE;
const MMAP = 1 << OP.MMAP;
const ENDING = (1 << OP.CLOSE) | (1 << OP.SHUTDOWN);
const OPENING = (1 << OP.OPEN) | (1 << OP.ACCEPT) | (1 << OP.CONNECT);
const KNOWN = OPENING | READ | WRITE | MMAP | ENDING;
const endings = [OP.SHUTDOWN, OP.CLOSE] as const;

/** The operation of the lowest bit. */
export const lowest = (mask: number): number => 31 - Math.clz32(mask & -mask);

export class FlowChecks {
  private readonly verdict: Verdict;
  /** Operations of flows as bits, by identity of the set: sources use few sets. */
  private readonly masks = new Map<ReadonlySet<Op>, number>();

  constructor(verdict: Verdict) {
    this.verdict = verdict;
  }

  maskOf(ops: ReadonlySet<Op>): number {
    let mask = this.masks.get(ops);
    if (mask === undefined) {
      mask = 0;
      for (const op of ops) if (OP[op] < 31) mask |= 1 << OP[op];
      if (this.masks.size < 4096) this.masks.set(ops, mask);
    }
    return mask;
  }

  check(
    task: Task,
    segment: Watched,
    flow: Flow,
    { start, end, mask }: { start: Moment; end: Moment; mask: number },
  ): void {
    const policy = policyOf(task.process);
    const { core } = this.verdict;
    const opening = mask & OPENING;
    const origin = originOf(flow, opening !== 0);
    const resources = policy.resources.classOf(flow.resource, origin);
    let first = -1;
    for (let rest = opening; rest !== 0; rest &= rest - 1) {
      const op = lowest(rest);
      const letter = policy.letterOf(
        op,
        accessMask(flow.access),
        resources,
        matchOf(op, flow.access, true, true),
      );
      if (letter < 0 || !allowed(policy, letter, segment)) {
        // One finding a flow: what is then read and written on it follows from its opening.
        const effect: Effect = { op: OPS[op], access: flow.access, resource: flow.resource };
        if (!resources.harmless) this.verdict.explain(task, segment, start, effect, op, resources);
        return;
      }
      if (!this.verdict.passes(task, segment, letter, start, op, flow.access, flow.resource)) return;
      first = letter;
    }
    if ((mask & ~KNOWN) !== 0) this.others(task, segment, flow, mask & ~KNOWN, resources, start);
    const read = mask & READ ? this.between(task, segment, flow, OP.READ, resources, end) : -1;
    const write = mask & WRITE ? this.between(task, segment, flow, OP.WRITE, resources, end) : -1;
    const map = mask & MMAP ? this.between(task, segment, flow, OP.MMAP, resources, end) : -1;
    if (first >= 0 || read >= 0 || write >= 0 || map >= 0) {
      const op = opening !== 0 ? 31 - Math.clz32(opening) : OP.READ;
      const letters = freeLetters(policy, { first, op, read, write, map }, end > start);
      for (const [i, between] of letters.entries()) {
        const row = core.later(start, ITEM.flow, task, segment);
        if (row < 0) break;
        core.calendar.setLetter(row, i === 0 ? first : -1);
        core.calendar.setBetween(row, between, end);
        core.calendar.setEffect(row, op, accessMask(flow.access), flow.resource);
      }
    }
    this.ending(task, segment, flow, mask, resources, end);
  }

  /** Operations that flows have beside those of opening, use and end (SETNS): whenever it was, it must be allowed. */
  private others(
    task: Task,
    segment: Watched,
    flow: Flow,
    mask: number,
    resources: ResourceClass,
    start: Moment,
  ): void {
    const policy = policyOf(task.process);
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const op = lowest(rest);
      const letter = policy.letterOf(op, 0, resources, Match.anyAccess);
      if (letter >= 0 && allowed(policy, letter, segment)) continue;
      // A policy names namespaces by their kind, a flow by the descriptor that was given.
      if (op === OP.SETNS && segment.automata.some((a) => policy.does(a, op, undefined))) continue;
      this.verdict.explain(
        task,
        segment,
        start,
        { op: OPS[op], access: '', resource: flow.resource },
        op,
        resources,
      );
    }
  }

  /** CLOSE and SHUTDOWN at the end of a flow. */
  private ending(
    task: Task,
    segment: Watched,
    flow: Flow,
    mask: number,
    resources: ResourceClass,
    end: Moment,
  ): void {
    if ((mask & ENDING) === 0) return;
    const policy = policyOf(task.process);
    for (const op of endings) {
      if ((mask & (1 << op)) === 0) continue;
      const letter = policy.letterOf(op, 0, resources, Match.anyAccess);
      if (letter < 0 || !allowed(policy, letter, segment)) {
        if (op === OP.SHUTDOWN && !resources.harmless)
          this.verdict.explain(
            task,
            segment,
            end,
            { op: OPS[op], access: '', resource: flow.resource },
            op,
            resources,
          );
        continue;
      }
      const { core } = this.verdict;
      const row = core.later(end, ITEM.end, task, segment);
      if (row >= 0) {
        core.calendar.setLetter(row, letter);
        core.calendar.setEffect(row, op, 0, undefined);
      }
    }
  }

  /** An operation somewhere within a flow: some program of the task in that time must have it. Its letter, or -1. */
  private between(
    task: Task,
    segment: Watched,
    flow: Flow,
    op: number,
    resources: ResourceClass,
    end: Moment,
  ): number {
    const policy = policyOf(task.process);
    const letter = policy.letterOf(op, 0, resources, Match.anyAccess);
    if (letter >= 0 && allowed(policy, letter, segment)) {
      const says = saysOf(policy, letter, segment.automata);
      if ((says & Says.enters) !== 0 && end < task.servedSince && isLast(task, segment))
        task.servedSince = end;
      return letter;
    }
    // What is open stays open over an exec: it may have been the next program.
    let excused = resources.harmless;
    for (const other of task.process.segments) {
      if (other === segment || other.since > end || other.since < segment.since) continue;
      if (other.kind !== 'watched') excused = true;
      else if (letter >= 0 && allowed(policy, letter, other)) return letter;
    }
    if (excused) return -1;
    const { start } = flow;
    this.verdict.explain(
      task,
      segment,
      this.verdict.core.clock.moment(start),
      { op: OPS[op], access: '', resource: flow.resource },
      op,
      resources,
    );
    return -1;
  }
}

/**
 * What is free while a flow goes on: its operations, also opening it again, since a descriptor that was closed unseen
 * (dup2, close_range) and opened for the same is one flow. One letter, or several where there are too many to make
 * another; at least one, perhaps -1. `lasts`: it takes some time.
 */
export function freeLetters(
  policy: CompiledPolicy,
  letters: {
    readonly first: number;
    readonly op: number;
    readonly read: number;
    readonly write: number;
    readonly map: number;
  },
  lasts: boolean,
): readonly number[] {
  const { first, op, read, write, map } = letters;
  const again = lasts && op !== OP.ACCEPT ? first : -1;
  const all = [again, read, write, map].filter((letter) => letter >= 0);
  if (all.length === 0) return [-1];
  const one = all.reduce((a, b) => (a < 0 ? a : a === b ? a : policy.union(a, b)));
  return one < 0 ? all : [one];
}

function originOf({ fd, resource, sidesAssumed }: Flow, opening: boolean): Origin {
  if (opening) return Origin.opened;
  if (resource.kind === 'net') return sidesAssumed === false ? Origin.opened : Origin.continued;
  return fd >= 0 && fd <= 2 ? Origin.given : Origin.continued;
}
