// The verdict at once: whether the policy has such an effect at all for the program that the task runs, and whether its
// phase is over. What passes waits for the verdict on order.
import { type Effect, OPS, type Op, type Resource } from '../effect/index.ts';
import type { Observation } from '../telemetry/index.ts';
import { accessMask, type CompiledPolicy, Match, OP, Says } from './compiled.ts';
import type { Core } from './core.ts';
import { deviationOf } from './deviation.ts';
import { nearest } from './explain.ts';
import type { Expected, FindingKind } from './finding.ts';
import type { Origins } from './origins.ts';
import { ITEM } from './queue.ts';
import { Origin, type ResourceClass } from './resources.ts';
import type { Moment, Process, Segment, Task } from './tables.ts';
import { whyEffect } from './words.ts';

type Event = Extract<Observation, { kind: 'event' }>;
type Flow = Extract<Observation, { kind: 'flow' }>;
type Watched = Extract<Segment, { kind: 'watched' }>;

const ends: ReadonlySet<number> = new Set([OP.CLOSE, OP.SHUTDOWN]);
/** Operations on something open: of events, too, it is not said how it was opened. */
const onOpen: ReadonlySet<number> = new Set([OP.READ, OP.WRITE, OP.CLOSE, OP.SHUTDOWN, OP.MMAP]);

const READ = 1 << OP.READ;
const WRITE = 1 << OP.WRITE;
const MMAP = 1 << OP.MMAP;
const ENDING = (1 << OP.CLOSE) | (1 << OP.SHUTDOWN);
const OPENING = (1 << OP.OPEN) | (1 << OP.ACCEPT) | (1 << OP.CONNECT);
const endings = [OP.SHUTDOWN, OP.CLOSE] as const;

export class Checks {
  private readonly core: Core;
  private readonly origins: Origins;
  /** Operations of flows as bits, by identity of the set: sources use few sets. */
  private readonly masks = new Map<ReadonlySet<Op>, number>();

  constructor(core: Core, origins: Origins) {
    this.core = core;
    this.origins = origins;
  }

  event(event: Event): void {
    const { core, origins } = this;
    const time = core.clock.moment(event.time);
    core.advance(time);
    const process = this.processOf(event);
    if (process === undefined) return;
    const op = OP[event.effect.op];
    if (process.pending !== undefined && op !== OP.EXEC) origins.settle(process);
    const { tid } = event.task;
    if (op === OP.EXEC && event.ret >= 0) this.exec(process, event, time);
    else if (op === OP.EXIT) origins.exit(process, tid, time, event.ret);
    else {
      const segment = process.at(time);
      if (segment?.kind === 'watched') this.watched(process, segment, event, time, op);
      else this.unchecked(process, segment, op, event.effect.resource, time);
    }
  }

  flow(flow: Flow): void {
    const { core } = this;
    const start = core.clock.moment(flow.start);
    const end = core.clock.moment(flow.end);
    core.advance(Math.max(start, end));
    const process = this.processOf(flow);
    if (process === undefined) return;
    if (process.pending !== undefined) this.origins.settle(process);
    const segment = process.at(start);
    const mask = this.maskOf(flow.ops);
    if (segment?.kind !== 'watched') {
      this.unchecked(process, segment, 31 - Math.clz32(mask & -mask), flow.resource, start);
      return;
    }
    const task = this.taskOf(process, flow.task.tid, start, segment, false);
    if (task.incident !== undefined)
      this.noteForeign(task.incident, process, 31 - Math.clz32(mask & -mask), flow.resource, start);
    else this.watchedFlow(task, segment, flow, { start, end, mask });
  }

  /** The process of an observation that is to be checked now; else it is counted or held back here. */
  private processOf(observation: Event | Flow): Process | undefined {
    const { counters, processes } = this.core;
    const process = processes.get(observation.task.process);
    if (process === undefined) {
      counters.unattributed++;
      return undefined;
    }
    const { container } = process;
    if (container === undefined) {
      counters.unwatched++;
      this.core.host();
      return undefined;
    }
    container.records++;
    if (container.policy === undefined) {
      if (container.open) this.origins.hold(container, observation);
      else counters.unwatched++;
      return undefined;
    }
    if (process.segments.length === 0) {
      this.origins.holdFor(process, observation);
      return undefined;
    }
    counters.watched++;
    return process;
  }

  private unchecked(
    process: Process,
    segment: Segment | undefined,
    op: number,
    resource: Resource,
    time: Moment,
  ): void {
    if (segment?.kind === 'foreign') this.noteForeign(segment.incident, process, op, resource, time);
    else this.core.counters.prelude++;
  }

  private noteForeign(
    incident: { note(process: Process, op: number, resource: Resource, time: bigint): void },
    process: Process,
    op: number,
    resource: Resource,
    time: Moment,
  ): void {
    this.core.counters.foreign++;
    if (op >= 0) incident.note(process, op, resource, this.core.clock.time(time));
  }

  private taskOf(process: Process, tid: number, time: Moment, segment: Watched, begins: boolean): Task {
    if (tid === process.id.pid) return process.main;
    return this.origins.thread(process, tid, time, segment, begins);
  }

  private exec(process: Process, { effect, task }: Event, time: Moment): void {
    const { resource } = effect;
    const named = resource.kind === 'program' && resource.path !== '' ? resource : undefined;
    const exe = named?.path ?? process.pending?.exe ?? '';
    const args = named?.args.join(' ') ?? process.pending?.args ?? '';
    this.origins.exec({ process, tid: task.tid, time, exe, args, inferred: false });
  }

  private watched(process: Process, segment: Watched, event: Event, time: Moment, op: number): void {
    const childSide = op === OP.CLONE && event.ret === 0;
    const task = this.taskOf(process, event.task.tid, time, segment, childSide);
    if (childSide) return;
    const { effect } = event;
    if (task.incident !== undefined) this.noteForeign(task.incident, process, op, effect.resource, time);
    else if (op === OP.CLONE) this.clone(task, segment, event, time);
    else if (op === OP.EXEC) this.failedExec(task, segment, event, time);
    else this.effect(task, segment, event, time, op);
  }

  /** The parent's side of a clone. */
  private clone(task: Task, segment: Watched, { effect, ret }: Event, time: Moment): void {
    const { process } = task;
    const policy = policyOf(process);
    // Sources of flows do not say at the parent's side what was made; the child's side is checked for it.
    const what = effect.resource.kind === 'task' && !this.core.flows ? effect.resource.what : '';
    const resource: Resource = { kind: 'task', what };
    const letter = policy.letterOf(
      OP.CLONE,
      0,
      policy.resources.classOf(resource, Origin.opened),
      Match.anyAccess,
    );
    if (this.passes(task, segment, letter, time, { ...effect, resource })) {
      if (ret > 0) this.wait(ITEM.clone, task, segment, time, letter, effect, OP.CLONE);
      return;
    }
    if (letter >= 0 && allowed(policy, letter, segment)) return;
    if (process.rogueClones < 0) {
      // The child was found before.
      process.rogueClones++;
      this.core.counters.repeated++;
      return;
    }
    this.find('foreign-effect', task, segment, time, effect, () =>
      whyEffect(policy, segment.automata, effect),
    );
    if (ret > 0) process.rogueClones++;
  }

  /** A failed exec does nothing; but what the program never tries, it should not try. */
  private failedExec(task: Task, segment: Watched, { effect }: Event, time: Moment): void {
    const policy = policyOf(task.process);
    const { resource } = effect;
    const known = resource.kind === 'program' && resource.path !== '' && !this.core.flows;
    const programs = known ? policy.resources.programPath(resource.path) : policy.resources.anyProgram();
    for (const match of [Match.failed, Match.exact]) {
      const letter = policy.letterOf(OP.EXEC, 0, programs, match);
      if (letter < 0 || !allowed(policy, letter, segment)) continue;
      if (match === Match.failed && known) this.wait(ITEM.end, task, segment, time, letter, effect, OP.EXEC);
      return;
    }
    const what: Effect = known ? effect : { ...effect, resource: { kind: 'none' } };
    this.find(
      'foreign-program',
      task,
      segment,
      time,
      what,
      () => `${whyEffect(policy, segment.automata, effect)} of this, and here it tried and failed`,
    );
  }

  private effect(task: Task, segment: Watched, event: Event, time: Moment, op: number): void {
    const policy = policyOf(task.process);
    const { effect } = event;
    const origin = onOpen.has(op) ? Origin.continued : Origin.opened;
    const resources = policy.resources.classOf(effect.resource, origin);
    const letter = policy.letterOf(
      op,
      accessMask(effect.access),
      resources,
      matchOf(op, effect.access, this.core.flows),
    );
    if (letter >= 0 && allowed(policy, letter, segment)) {
      if (this.passes(task, segment, letter, time, effect))
        this.wait(ends.has(op) ? ITEM.end : ITEM.event, task, segment, time, letter, effect, op);
      return;
    }
    if (resources.harmless || (ends.has(op) && (event.ret < 0 || this.core.flows))) return;
    this.explain(task, segment, time, effect, op, resources);
  }

  private watchedFlow(
    task: Task,
    segment: Watched,
    flow: Flow,
    { start, end, mask }: { start: Moment; end: Moment; mask: number },
  ): void {
    const policy = policyOf(task.process);
    const { core } = this;
    const opening = mask & OPENING;
    const origin = originOf(flow, opening !== 0);
    const resources = policy.resources.classOf(flow.resource, origin);
    let first = -1;
    if (opening !== 0) {
      const op = 31 - Math.clz32(opening);
      first = policy.letterOf(op, accessMask(flow.access), resources, matchOf(op, flow.access, true));
      if (first < 0 || !allowed(policy, first, segment)) {
        // One finding a flow: what is then read and written on it follows from its opening.
        if (!resources.harmless)
          this.explain(
            task,
            segment,
            start,
            { op: OPS[op], access: flow.access, resource: flow.resource },
            op,
            resources,
          );
        return;
      }
      if (!this.passes(task, segment, first, start, flow.resource, op, flow.access)) return;
    }
    const read = mask & READ ? this.between(task, segment, flow, OP.READ, resources, end) : -1;
    const write = mask & WRITE ? this.between(task, segment, flow, OP.WRITE, resources, end) : -1;
    const map = mask & MMAP ? this.between(task, segment, flow, OP.MMAP, resources, end) : -1;
    if (first >= 0 || read >= 0 || write >= 0 || map >= 0) {
      const item = core.later(start, ITEM.flow, task, segment);
      if (item !== undefined) {
        item.letter = first;
        item.read = read;
        item.write = write;
        item.map = map;
        item.until = end;
        item.op = opening !== 0 ? 31 - Math.clz32(opening) : OP.READ;
        item.access = flow.access;
        item.resource = flow.resource;
      }
    }
    this.ending(task, segment, flow, mask, resources, end);
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
          this.explain(
            task,
            segment,
            end,
            { op: OPS[op], access: '', resource: flow.resource },
            op,
            resources,
          );
        continue;
      }
      const item = this.core.later(end, ITEM.end, task, segment);
      if (item !== undefined) {
        item.letter = letter;
        item.op = op;
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
    this.explain(
      task,
      segment,
      this.core.clock.moment(start),
      { op: OPS[op], access: '', resource: flow.resource },
      op,
      resources,
    );
    return -1;
  }

  /** Whether a letter may come in this phase; a finding where it may not. Notices when the task begins to serve. */
  private passes(task: Task, segment: Watched, letter: number, time: Moment, effect: Effect): boolean;
  private passes(
    task: Task,
    segment: Watched,
    letter: number,
    time: Moment,
    resource: Resource,
    op: number,
    access: string,
  ): boolean;
  private passes(
    task: Task,
    segment: Watched,
    letter: number,
    time: Moment,
    what: Effect | Resource,
    op?: number,
    access = '',
  ): boolean {
    if (letter < 0) return false;
    const policy = policyOf(task.process);
    const says = saysOf(policy, letter, segment.automata);
    if ((says & Says.allowed) === 0) return false;
    // A late record of the program before says nothing of the phase of this one.
    if (!isLast(task, segment)) return true;
    if ((says & Says.enters) !== 0 && time < task.servedSince) task.servedSince = time;
    if ((says & Says.serving) !== 0 || time <= task.servedSince) return true;
    const effect: Effect = 'op' in what ? what : { op: OPS[op ?? 0], access, resource: what };
    const who = (): string => whyEffect(policy, segment.automata, effect);
    this.find(
      'wrong-phase',
      task,
      segment,
      time,
      effect,
      () => `${who()} once it serves: the policy has this for its start only`,
    );
    return false;
  }

  private wait(
    kind: typeof ITEM.event | typeof ITEM.end | typeof ITEM.clone,
    task: Task,
    segment: Watched,
    time: Moment,
    letter: number,
    effect: Effect,
    op: number,
  ): void {
    const item = this.core.later(time, kind, task, segment);
    if (item === undefined) return;
    item.letter = letter;
    item.op = op;
    item.access = effect.access;
    item.resource = effect.resource;
  }

  /** An effect that no edge of the task's program has: in what it differs from those that are there. */
  private explain(
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

  private find(
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

  private maskOf(ops: ReadonlySet<Op>): number {
    let mask = this.masks.get(ops);
    if (mask === undefined) {
      mask = 0;
      for (const op of ops) if (OP[op] < 31) mask |= 1 << OP[op];
      if (this.masks.size < 4096) this.masks.set(ops, mask);
    }
    return mask;
  }
}

function policyOf(process: Process): CompiledPolicy {
  const policy = process.container?.policy;
  if (policy === undefined) throw new Error('internal error: a watched process has a policy');
  return policy;
}

const isLast = ({ process: { segments } }: Task, segment: Segment): boolean =>
  segments[segments.length - 1] === segment;

function saysOf(policy: CompiledPolicy, letter: number, automata: readonly number[]): number {
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

const allowed = (policy: CompiledPolicy, letter: number, { automata }: Watched): boolean =>
  (saysOf(policy, letter, automata) & Says.allowed) !== 0;

function originOf({ fd, resource, sidesAssumed }: Flow, opening: boolean): Origin {
  if (opening) return Origin.opened;
  if (resource.kind === 'net') return sidesAssumed === false ? Origin.opened : Origin.continued;
  return fd >= 0 && fd <= 2 ? Origin.given : Origin.continued;
}

/** Opening must be with exactly the rights of an edge; the other operations have none that sources of flows tell. */
function matchOf(op: number, access: string, flows: boolean): number {
  if (op === OP.OPEN) return flows && access === '' ? Match.anyAccess : Match.exact;
  if (op === OP.MMAP) return flows || access === '' ? Match.anyAccess : Match.exact;
  return Match.anyAccess;
}
