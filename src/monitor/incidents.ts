// Findings by cause. A process has at most one incident; foreign processes pass theirs on to what they start. The same
// finding again is counted, not repeated; what foreign processes do is counted and summed up, not found one by one.
import { type Effect, OPS, printResource, type Resource } from '../effect/index.ts';
import type { Allowed } from './allowed.ts';
import type { Counters } from './counters.ts';
import {
  type ContainerRef,
  type EffectCount,
  type Expected,
  type Finding,
  type FindingKind,
  type Incident,
  type IncidentProcess,
  type ProcessRef,
  SEVERITIES,
  type Severity,
} from './finding.ts';
import { severityOf, techniqueOf } from './rules.ts';
import type { Clock, Container, Moment, Process } from './tables.ts';
import { type Bucket, Throttle } from './throttle.ts';

/** Findings that one incident keeps; the rest is counted. */
const keptFindings = 200;
const keptProcesses = 200;
const keptExamples = 5;
const keptAncestors = 16;

type Growing<T> = { -readonly [K in keyof T]: T[K] };

export class OpenIncident implements Incident {
  readonly id: string;
  readonly container: ContainerRef;
  time: bigint;
  lastTime: bigint;
  severity: Severity = 'low';
  readonly findings: Growing<Finding>[] = [];
  more = 0;
  /** Of what amendments allow: nobody is told of it. */
  readonly silent: boolean;
  private readonly known = new Map<string, Growing<Finding>>();
  private readonly tree = new Map<Process, Growing<IncidentProcess>>();
  private readonly counts = new Map<number, { count: number; readonly examples: Set<string> }>();

  constructor(id: string, container: ContainerRef, time: bigint, silent = false) {
    this.id = id;
    this.silent = silent;
    this.container = container;
    this.time = time;
    this.lastTime = time;
  }

  get processes(): readonly IncidentProcess[] {
    return [...this.tree.values()];
  }

  get effects(): readonly EffectCount[] {
    return [...this.counts]
      .sort(([a], [b]) => a - b)
      .map(([op, { count, examples }]) => ({ op: OPS[op], count, examples: [...examples] }));
  }

  /** The same finding made before, counted once more. */
  again(key: string, time: bigint): boolean {
    const finding = this.known.get(key);
    if (finding === undefined) return false;
    finding.count++;
    this.touch(time);
    return true;
  }

  get full(): boolean {
    return this.findings.length >= keptFindings;
  }

  /** Id of the finding that is added next. */
  get nextId(): string {
    return `${this.id}.${this.findings.length + 1}`;
  }

  add(key: string, finding: Growing<Finding>): void {
    this.weigh(finding.severity, finding.time);
    this.known.set(key, finding);
    this.findings.push(finding);
  }

  /** A finding that is counted only. */
  count(severity: Severity, time: bigint): void {
    this.weigh(severity, time);
    this.more++;
  }

  private weigh(severity: Severity, time: bigint): void {
    this.touch(time);
    if (SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(this.severity)) this.severity = severity;
  }

  /** Puts a process, as it is now, into the tree. */
  include(process: Process, foreign: boolean): void {
    const known = this.tree.get(process);
    if (known !== undefined) {
      known.foreign ||= foreign;
      known.exe = process.exe;
      known.args = process.args;
      return;
    }
    if (this.tree.size >= keptProcesses) return;
    const parent = process.parent !== undefined && this.tree.has(process.parent) ? process.parent.id.pid : 0;
    const { exe, args } = process;
    this.tree.set(process, { pid: process.id.pid, parent, exe, args, foreign, effects: 0 });
  }

  /** An effect of a foreign process. */
  note(process: Process, op: number, resource: Resource | undefined, time: bigint): void {
    if (time > this.lastTime) this.lastTime = time;
    const node = this.tree.get(process);
    if (node !== undefined) node.effects++;
    let entry = this.counts.get(op);
    if (entry === undefined) this.counts.set(op, (entry = { count: 0, examples: new Set() }));
    entry.count++;
    if (resource === undefined || entry.examples.size >= keptExamples) return;
    const text = printResource(resource);
    if (text !== '') entry.examples.add(text);
  }

  private touch(time: bigint): void {
    if (time < this.time) this.time = time;
    if (time > this.lastTime) this.lastTime = time;
  }
}

/** What a finding is made from. */
export interface Discovery {
  readonly kind: FindingKind;
  readonly time: Moment;
  readonly process: Process;
  readonly tid: number;
  readonly effect: Effect;
  /** Asked only where the finding is new. */
  readonly why: () => string;
  readonly expected: () => readonly Expected[];
  /** Findings of an incident with the same key are the same; default: kind, program and effect. */
  readonly key?: string;
  /** Who made the process or thread that it is about, where that is what is wrong. */
  readonly maker?: Process;
}

/** What a snapshot has of it. */
export interface IncidentState {
  readonly all: readonly OpenIncident[];
  readonly more: number;
  readonly numbers: ReadonlyMap<string, number>;
  readonly last: ReadonlyMap<string, OpenIncident>;
  readonly silent: ReadonlyMap<string, OpenIncident>;
  readonly throttle: ReadonlyMap<string, Bucket>;
}

export class Incidents {
  readonly all: OpenIncident[] = [];
  /** Beyond the number that is kept. */
  more = 0;
  private readonly counters: Counters;
  private readonly clock: Clock;
  private readonly limit: number;
  private readonly onFinding: (finding: Finding) => void;
  private readonly allowed: Allowed;
  private readonly failsOpen: boolean;
  private readonly throttle = new Throttle();
  private readonly numbers = new Map<string, number>();
  /** By container: its last incident, and the one of what amendments allow. */
  private readonly last = new Map<string, OpenIncident>();
  private readonly silent = new Map<string, OpenIncident>();

  constructor(
    counters: Counters,
    clock: Clock,
    options: {
      readonly limit: number;
      readonly allowed: Allowed;
      /** Unknown tasks are no findings. */
      readonly failsOpen: boolean;
      readonly onFinding: (finding: Finding) => void;
    },
  ) {
    this.counters = counters;
    this.clock = clock;
    this.limit = options.limit;
    this.allowed = options.allowed;
    this.failsOpen = options.failsOpen;
    this.onFinding = options.onFinding;
  }

  get state(): IncidentState {
    const { all, more, numbers, last, silent } = this;
    return { all, more, numbers, last, silent, throttle: this.throttle.buckets };
  }

  restore({ all, more, numbers, last, silent, throttle }: IncidentState): void {
    this.all.push(...all);
    this.more = more;
    for (const [id, number] of numbers) this.numbers.set(id, number);
    for (const [id, incident] of last) this.last.set(id, incident);
    for (const [id, incident] of silent) this.silent.set(id, incident);
    for (const [id, bucket] of throttle) this.throttle.buckets.set(id, bucket);
  }

  /** The incident of this process, a new one where it has none. */
  of(process: Process, time: Moment): OpenIncident {
    if (process.incident !== undefined && !process.incident.silent) return process.incident;
    const container = process.container as Container;
    const number = (this.numbers.get(container.id) ?? 0) + 1;
    this.numbers.set(container.id, number);
    const incident = new OpenIncident(`${container.id}-${number}`, container.ref, this.clock.time(time));
    if (this.all.length < this.limit) this.all.push(incident);
    else this.more++;
    this.last.set(container.id, incident);
    process.incident = incident;
    return incident;
  }

  /** Whether an amendment covers it: then it is counted, and no finding. */
  allows(discovery: Discovery): boolean {
    const { kind, process, effect, maker } = discovery;
    const { container } = process;
    const found = this.allowed.take({
      kind,
      effect,
      image: container?.info?.image ?? '',
      policy: container?.policy?.policy,
      programs: maker === undefined ? [process.exe] : [process.exe, maker.exe],
      automata: automataOf(discovery),
      time: this.clock.time(discovery.time),
    });
    if (found) this.counters.allowed++;
    else if (this.failsOpen && kind === 'unknown-task') {
      this.counters.unknown++;
      return true;
    }
    return found;
  }

  /** Where all goes that processes do which an amendment allows as a whole. */
  silentOf(process: Process): OpenIncident {
    const { id, ref } = process.container as Container;
    let found = this.silent.get(id);
    if (found === undefined) this.silent.set(id, (found = new OpenIncident(`${id}-allowed`, ref, 0n, true)));
    return found;
  }

  /** A finding, unless it was made before or an amendment covers it; `ask`: `allows` was not asked yet. */
  report(discovery: Discovery, ask = true): OpenIncident {
    const before = this.repeated(discovery);
    if (before !== undefined) return before;
    return ask && this.allows(discovery) ? this.silentOf(discovery.process) : this.find(discovery);
  }

  private repeated(discovery: Discovery): OpenIncident | undefined {
    const { incident } = discovery.process;
    if (!incident?.again(keyOf(discovery), this.clock.time(discovery.time))) return undefined;
    this.counters.repeated++;
    return incident;
  }

  private find(discovery: Discovery): OpenIncident {
    const { kind, process, effect } = discovery;
    const time = this.clock.time(discovery.time);
    this.counters.findings++;
    const expected = discovery.expected();
    const severity = severityOf(kind, effect, expected);
    const { id } = process.container as Container;
    const last = this.last.get(id);
    const passes = this.throttle.passes(id, `${kind} ${effect.op} ${severity}`, discovery.time);
    // Those beyond the measure make no incidents of their own either.
    if (!passes && last !== undefined && (process.incident?.silent ?? true)) process.incident = last;
    const incident = this.of(process, discovery.time);
    incident.include(process, false);
    if (!passes || incident.full) {
      this.counters.unreported++;
      incident.count(severity, time);
      return incident;
    }
    const finding = { ...this.finding(discovery, incident), severity, expected };
    incident.add(keyOf(discovery), finding);
    this.onFinding(finding);
    return incident;
  }

  private finding(
    discovery: Discovery,
    incident: OpenIncident,
  ): Growing<Omit<Finding, 'severity' | 'expected'>> {
    const { kind, process, tid, effect } = discovery;
    return {
      id: incident.nextId,
      time: this.clock.time(discovery.time),
      kind,
      container: incident.container,
      pid: process.id.pid,
      tid,
      exe: process.exe,
      args: process.args,
      effect: { op: effect.op, access: effect.access, resource: printResource(effect.resource) },
      target: effect.resource,
      process: refOf(process),
      ancestors: ancestorsOf(process),
      policy: process.container?.policy?.name ?? '',
      automata: automataOf(discovery),
      why: discovery.why(),
      technique: techniqueOf(kind, effect),
      incident: incident.id,
      count: 1,
    };
  }
}

const keyOf = ({ key, kind, process, effect }: Discovery): string =>
  key ?? `${kind} ${process.exe} ${effect.op} ${effect.access} ${dedupeText(effect)}`;

function automataOf({ process, maker = process, time }: Discovery): readonly string[] {
  const policy = process.container?.policy?.policy;
  const segment = maker.at(time);
  return policy === undefined || segment?.kind !== 'watched'
    ? []
    : segment.automata.map((a) => policy.automata[a].name);
}

function refOf({ id, exe, args, uid, gid, entry, info }: Process): ProcessRef {
  const { user = '', group = '', tty = false, cwd = '' } = info ?? {};
  return { pid: id.pid, created: id.created, exe, args, uid, gid, user, group, tty, cwd, entry };
}

function ancestorsOf(process: Process): ProcessRef[] {
  const out: ProcessRef[] = [];
  let each = process.parent;
  while (each !== undefined && each.container === process.container && out.length < keptAncestors) {
    out.push(refOf(each));
    each = each.parent;
  }
  return out;
}

/** The side of a connection whose port the kernel chose is not part of what makes findings different. */
function dedupeText({ op, resource }: Effect): string {
  if (resource.kind !== 'net') return printResource(resource);
  const { protocol, local, peer } = resource;
  const client = op === 'CONNECT' || Number(local.port) >= Number(peer.port);
  return client
    ? `${protocol} to ${peer.address}:${peer.port}`
    : `${protocol} ${local.port} from ${peer.address}`;
}
