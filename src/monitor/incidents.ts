// Findings by cause. A process has at most one incident; foreign processes pass theirs on to what they start. The same
// finding again is counted, not repeated; what foreign processes do is counted and summed up, not found one by one.
import { type Effect, OPS, printResource, type Resource } from '../effect/index.ts';
import type { Counters } from './counters.ts';
import {
  type ContainerRef,
  type EffectCount,
  type Expected,
  type Finding,
  type FindingKind,
  type Incident,
  type IncidentProcess,
  SEVERITIES,
  type Severity,
} from './finding.ts';
import { severityOf, techniqueOf } from './rules.ts';
import type { Clock, Container, Moment, Process } from './tables.ts';

/** Findings that one incident keeps; the rest is counted. */
const keptFindings = 200;
const keptProcesses = 200;
const keptExamples = 5;

type Growing<T> = { -readonly [K in keyof T]: T[K] };

export class OpenIncident implements Incident {
  readonly id: string;
  readonly container: ContainerRef;
  time: bigint;
  lastTime: bigint;
  severity: Severity = 'low';
  readonly findings: Growing<Finding>[] = [];
  more = 0;
  private readonly known = new Map<string, Growing<Finding>>();
  private readonly tree = new Map<Process, Growing<IncidentProcess>>();
  private readonly counts = new Map<number, { count: number; readonly examples: Set<string> }>();

  constructor(id: string, container: ContainerRef, time: bigint) {
    this.id = id;
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

  /** Whether it is to be reported. */
  add(key: string, finding: Growing<Finding>): boolean {
    this.touch(finding.time);
    if (SEVERITIES.indexOf(finding.severity) > SEVERITIES.indexOf(this.severity))
      this.severity = finding.severity;
    if (this.findings.length >= keptFindings) {
      this.more++;
      return false;
    }
    this.known.set(key, finding);
    this.findings.push(finding);
    return true;
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
}

export class Incidents {
  readonly all: OpenIncident[] = [];
  /** Beyond the number that is kept. */
  more = 0;
  private readonly counters: Counters;
  private readonly clock: Clock;
  private readonly limit: number;
  private readonly onFinding: (finding: Finding) => void;
  private readonly numbers = new Map<string, number>();

  constructor(
    counters: Counters,
    clock: Clock,
    options: { readonly limit: number; readonly onFinding: (finding: Finding) => void },
  ) {
    this.counters = counters;
    this.clock = clock;
    this.limit = options.limit;
    this.onFinding = options.onFinding;
  }

  /** The incident of this process, a new one where it has none. */
  of(process: Process, time: Moment): OpenIncident {
    if (process.incident !== undefined) return process.incident;
    const container = process.container as Container;
    const number = (this.numbers.get(container.id) ?? 0) + 1;
    this.numbers.set(container.id, number);
    const incident = new OpenIncident(`${container.id}-${number}`, container.ref, this.clock.time(time));
    if (this.all.length < this.limit) this.all.push(incident);
    else this.more++;
    process.incident = incident;
    return incident;
  }

  report(discovery: Discovery): OpenIncident {
    const { kind, process, tid, effect } = discovery;
    const incident = this.of(process, discovery.time);
    const time = this.clock.time(discovery.time);
    const resource = printResource(effect.resource);
    const key = discovery.key ?? `${kind} ${process.exe} ${effect.op} ${effect.access} ${dedupeText(effect)}`;
    if (incident.again(key, time)) {
      this.counters.repeated++;
      return incident;
    }
    incident.include(process, false);
    const finding: Growing<Finding> = {
      time,
      kind,
      severity: severityOf(kind, effect),
      container: incident.container,
      pid: process.id.pid,
      tid,
      exe: process.exe,
      args: process.args,
      effect: { op: effect.op, access: effect.access, resource },
      why: discovery.why(),
      expected: discovery.expected(),
      technique: techniqueOf(kind, effect),
      incident: incident.id,
      count: 1,
    };
    this.counters.findings++;
    if (incident.add(key, finding)) this.onFinding(finding);
    return incident;
  }
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
