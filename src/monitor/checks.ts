// The verdict at once: whether the policy has such an effect at all for the program that the task runs, and whether its
// phase is over. This finds out whose an observation is; event-checks.ts and flow-checks.ts judge it.
import type { Resource } from '../effect/index.ts';
import { OP } from './compiled.ts';
import type { Core } from './core.ts';
import { type Event, EventChecks } from './event-checks.ts';
import { type Flow, FlowChecks, lowest } from './flow-checks.ts';
import type { OpenIncident } from './incidents.ts';
import type { Origins } from './origins.ts';
import type { Moment, Process, Segment, Task } from './tables.ts';
import { Verdict, type Watched } from './verdict.ts';

export class Checks {
  private readonly core: Core;
  private readonly origins: Origins;
  private readonly events: EventChecks;
  private readonly flows: FlowChecks;

  constructor(core: Core, origins: Origins) {
    this.core = core;
    this.origins = origins;
    const verdict = new Verdict(core);
    this.events = new EventChecks(verdict);
    this.flows = new FlowChecks(verdict);
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
    const { clock } = this.core;
    const start = clock.moment(flow.start);
    const end = clock.moment(flow.end);
    this.core.advance(Math.max(start, end));
    this.flowNow(flow, start, end);
  }

  /** As `flow`, after time has come to it. */
  flowNow(flow: Flow, start: Moment, end: Moment): void {
    const process = this.processOf(flow);
    if (process === undefined) return;
    if (process.pending !== undefined) this.origins.settle(process);
    const segment = process.at(start);
    const mask = this.flows.maskOf(flow.ops);
    if (segment?.kind !== 'watched') {
      this.unchecked(process, segment, lowest(mask), flow.resource, start);
      return;
    }
    const task = this.taskOf(process, flow.task.tid, start, segment, false);
    if (task.incident !== undefined)
      this.noteForeign(task.incident, process, lowest(mask), flow.resource, start);
    else this.flows.check(task, segment, flow, { start, end, mask });
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
    // What is held back comes here again, and is counted then.
    if (container.open) {
      this.origins.hold(container, observation);
      return undefined;
    }
    if (container.policy !== undefined && process.segments.length === 0) {
      this.origins.holdFor(process, observation);
      return undefined;
    }
    container.records++;
    if (container.policy === undefined) {
      counters.unwatched++;
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
    incident: OpenIncident,
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
    else if (op === OP.CLONE) this.events.clone(task, segment, event, time);
    else if (op === OP.EXEC) this.events.failedExec(task, segment, event, time);
    else this.events.effect(task, segment, event, time, op);
  }
}
