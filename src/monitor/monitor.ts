// The monitor: takes observations one by one and tells findings and notes as they come up. Pure: it reads no files, no
// clock, and keeps nothing outside of itself.
import type { Amendment, Policy } from '../policy/index.ts';
import type { FlowRow, Observation, SourceTraits } from '../telemetry/index.ts';
import { Ahead, type Timed } from './ahead.ts';
import type { AmendmentUse } from './allowed.ts';
import type { Assignment } from './binding.ts';
import { Checks } from './checks.ts';
import { CompiledPolicy } from './compiled.ts';
import { Core, type Limits } from './core.ts';
import type { Counters } from './counters.ts';
import type { ContainerRef, Finding, Incident, Note } from './finding.ts';
import { FlowPlans } from './flow-plans.ts';
import { Origins } from './origins.ts';
import { reload } from './reload.ts';
import { type MonitorState, restoreState, saveState } from './snapshot.ts';
import type { Moment } from './tables.ts';

/** A policy with the name that findings and notes call it by: its file's. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: Policy;
}

export interface MonitorOptions {
  /** Called once for each finding, at the latest in `flush`; its count and its incident grow afterwards. */
  readonly onFinding?: (finding: Finding) => void;
  readonly onNote?: (note: Note) => void;
  /** Which policy is for which container, where image digest and name do not say; first match wins. */
  readonly assignments?: readonly Assignment[];
  /** Reviewed exceptions, beyond those that the policies themselves have. */
  readonly amendments?: readonly Amendment[];
  readonly limits?: Limits;
  /**
   * Processes and threads that nothing in the policy explains: `closed` (the default) finds them; `open` counts them and
   * has them do as their makers' programs do.
   */
  readonly fail?: 'open' | 'closed' | undefined;
  /** The wall clock, epoch ns, where observations are of now: what is far ahead of it is wrong. */
  readonly wall?: (() => bigint) | undefined;
}

export interface ContainerSummary {
  readonly container: ContainerRef;
  /** Name of the policy; undefined where none is for it, for the reason in `why`. */
  readonly policy: string | undefined;
  readonly why: string;
  /** Events and flows. */
  readonly records: number;
  /** Effects of the policy, and those of them that the source has a record for, so that order holds them. */
  readonly effects: number;
  readonly seen: number;
  /** Whether its entrypoint was seen to start; false: the monitor came later, or it never started. */
  readonly fromStart: boolean;
}

export interface MonitorSummary {
  readonly counters: Readonly<Counters>;
  readonly containers: readonly ContainerSummary[];
  readonly incidents: readonly Incident[];
  /** All amendments, with what became of them. */
  readonly amendments: readonly AmendmentUse[];
  /** Incidents beyond the number that is kept. */
  readonly moreIncidents: number;
  /** Processes that are known now, and those that were forgotten for want of room. */
  readonly processes: number;
  readonly evicted: number;
  /** Living threads of processes of watched containers. */
  readonly tasks: number;
  /** Time of the latest record, epoch ns; undefined before there is one. */
  readonly latest: bigint | undefined;
  /** Observations that wait for their verdict on order. */
  readonly pending: number;
}

export interface Monitor {
  /** One observation, and what its source can see. Observations of one source in the order in which it has them. */
  observe(observation: Observation, traits: SourceTraits): void;
  /** A flow in place: the same as its observation, only faster. */
  flow(row: FlowRow, traits: SourceTraits): void;
  /** The end of input, or of all that is to come for now: everything that waits is judged. */
  flush(): void;
  summary(): MonitorSummary;
  /** From now on these policies and exceptions; how many policies are others than before. */
  reload(policies: readonly NamedPolicy[], amendments: readonly Amendment[]): number;
  /** All that it knows, for `restore` of a monitor of the same policies. */
  state(): MonitorState;
  /** Goes on where another one was; before anything is observed. InputError where the state does not fit. */
  restore(state: MonitorState, where: string): void;
}

export function createMonitor(policies: readonly NamedPolicy[], options: MonitorOptions = {}): Monitor {
  return new Watch(policies, options);
}

class Watch implements Monitor {
  private readonly options: MonitorOptions;
  private readonly core: Core;
  private readonly origins: Origins;
  private readonly checks: Checks;
  private readonly plans: FlowPlans;
  /** A stream has begun, and nothing with a time has come since. */
  private begun = false;
  private readonly ahead: Ahead;
  private saidAhead = false;

  constructor(policies: readonly NamedPolicy[], options: MonitorOptions) {
    this.options = options;
    this.core = new Core({
      policies: policies.map(({ policy, name }) => new CompiledPolicy(policy, name)),
      assignments: options.assignments ?? [],
      amendments: options.amendments ?? [],
      limits: options.limits ?? {},
      failsOpen: options.fail === 'open',
      onFinding: options.onFinding ?? (() => {}),
      onNote: (note) => this.note(note, options.onNote),
    });
    this.origins = new Origins(this.core, (observation) => this.dispatch(observation));
    this.checks = new Checks(this.core, this.origins);
    this.plans = new FlowPlans(this.core);
    this.ahead = new Ahead(this.core, (observation) => this.dispatch(observation), options.wall);
  }

  observe(observation: Observation, traits: SourceTraits): void {
    const { core } = this;
    const { counters } = core;
    core.source(traits);
    counters.observations++;
    switch (observation.kind) {
      case 'event':
        counters.events++;
        if (this.distrusts(observation, core.clock.moment(observation.time))) return;
        break;
      case 'flow': {
        counters.flows++;
        const [start, end] = [core.clock.moment(observation.start), core.clock.moment(observation.end)];
        if (this.distrusts(observation, end, start)) return;
        break;
      }
      case 'process':
        counters.processes++;
        break;
      case 'container':
        counters.containers++;
        break;
      case 'stream':
        counters.streams++;
        this.begun = true;
        this.plans.clear();
        return;
      default:
        this.gap(observation.reason, observation.records);
        return;
    }
    this.dispatch(observation);
    if (this.origins.waits) this.origins.expire(false);
  }

  flow(row: FlowRow, traits: SourceTraits): void {
    const { core } = this;
    const { clock, counters } = core;
    core.source(traits);
    counters.observations++;
    counters.flows++;
    const start = clock.momentOf(row.startHigh, row.startLow);
    const end = clock.momentOf(row.endHigh, row.endLow);
    if (this.begun || this.ahead.waits || this.ahead.is(Math.max(start, end)))
      if (this.distrusts(row.observation(), end, start)) return;
    core.advance(Math.max(start, end));
    if (!this.plans.take(row, start, end)) this.checks.flowNow(row.observation(), start, end);
    if (this.origins.waits) this.origins.expire(false);
  }

  flush(): void {
    this.ahead.release();
    this.origins.expire(true);
    this.core.judgeAll();
    for (const container of this.core.containers.values())
      if (
        container.policy !== undefined &&
        container.started === undefined &&
        container.root === undefined &&
        !container.ended &&
        container.records > 0
      )
        this.core.note({ kind: 'not-started', container: container.ref });
    if (this.core.processes.evicted > 0)
      this.core.note({ kind: 'evicted', processes: this.core.processes.evicted });
  }

  reload(policies: readonly NamedPolicy[], amendments: readonly Amendment[]): number {
    return reload(this.core, this.origins, policies, amendments);
  }

  state(): MonitorState {
    this.ahead.release();
    return saveState(this.core, this.origins);
  }

  restore(state: MonitorState, where: string): void {
    restoreState(this.core, this.origins, state, where);
  }

  summary(): MonitorSummary {
    const { core } = this;
    return {
      counters: { ...core.counters },
      containers: [...core.containers.values()].map((container) => ({
        container: container.ref,
        policy: container.policy?.name,
        why: container.whyNot,
        records: container.records,
        effects: container.view?.effects ?? 0,
        seen: container.view?.seen ?? 0,
        fromStart: container.sawStart,
      })),
      incidents: core.incidents.all,
      amendments: core.allowed.uses,
      moreIncidents: core.incidents.more,
      processes: core.processes.size,
      evicted: core.processes.evicted,
      tasks: core.tasks,
      latest: Number.isFinite(core.now) ? core.clock.time(core.now) : undefined,
      pending: core.pending,
    };
  }

  private dispatch(observation: Observation): void {
    switch (observation.kind) {
      case 'event':
        this.checks.event(observation);
        break;
      case 'flow':
        this.checks.flow(observation);
        break;
      case 'process':
        this.origins.process(observation.process, observation);
        break;
      case 'container':
        this.origins.container(observation.container);
        break;
      default:
        break;
    }
  }

  /** Whether a record waits for others to agree with its time. */
  private distrusts(observation: Timed, end: Moment, start = end): boolean {
    if (this.begun && (this.options.wall === undefined || !this.ahead.beyondWall(observation))) {
      this.ahead.release();
      this.resume(end);
      return false;
    }
    if (this.ahead.is(Math.max(start, end))) {
      this.ahead.hold(observation);
      return true;
    }
    if (this.ahead.waits) this.ahead.refuse();
    return false;
  }

  private note(note: Note, tell: ((note: Note) => void) | undefined): void {
    if (note.kind === 'ahead') {
      if (this.saidAhead) return;
      this.saidAhead = true;
    }
    tell?.(note);
  }

  /** The first time of a stream: far before the last one it is another trace, not the same one going on. */
  private resume(moment: Moment): void {
    this.begun = false;
    if (moment < this.core.horizon) this.core.restart(moment);
  }

  private gap(reason: string, records: number): void {
    const { core } = this;
    core.counters.gaps++;
    core.counters.lostRecords += records;
    core.note({ kind: 'gap', reason, records });
    core.lost();
  }
}
