// How much of what traces show a policy has: every different effect of a program once, whatever its order and however
// often. What the policy does not have is what the monitor found foreign, in one kind or another; what comes out of
// order is in the policy.
import { type Effect, type Op, printResource } from '../effect/index.ts';
import type { Finding, FindingKind, Incident } from '../monitor/index.ts';
import { type FlowRow, type Observation, type ProcessId, processKey } from '../telemetry/index.ts';

export interface Missing {
  readonly program: string;
  /** Operation, rights, resource; ports and numbers of clients are `#`. */
  readonly effect: string;
  /** Kind of the finding, or `foreign-process`: done by a process that is foreign itself. */
  readonly why: FindingKind | 'foreign-process';
}

export interface Share {
  readonly recorded: number;
  readonly known: number;
}

export interface CoverageResult {
  readonly total: Share;
  /** Of what was still done once clients had come. */
  readonly serving: Share;
  /** By path, most effects first. */
  readonly programs: readonly (Share & { readonly program: string })[];
  /** By program and effect. */
  readonly missing: readonly Missing[];
  /** Effects that came once there were too many different ones: in none of the numbers. */
  readonly beyond: number;
}

interface Known {
  readonly program: string;
  readonly effect: string;
  /** Epoch ns. */
  last: bigint;
  /** Who did it, while these are few. */
  readonly pids: Set<number>;
}

/** What is kept of a long trace. */
export interface CoverageLimits {
  /** Different effects; what comes beyond is counted. */
  readonly effects: number;
  /** Processes whose program is remembered: the ones that were told of last. */
  readonly processes: number;
  /** Processes of one effect: that so many did it tells that not only foreign ones do. */
  readonly pids: number;
}

const LIMITS: CoverageLimits = { effects: 500_000, processes: 500_000, pids: 1_000 };

/** Ports that systems choose, and what names temporary files. */
const EPHEMERAL = 32_768;
const textOf = (op: Op, access: string, resource: string): string =>
  [
    op,
    access,
    resource
      .replace(/:(\d{5})\b/g, (text, port) => (Number(port) >= EPHEMERAL ? ':#' : text))
      .replace(/\b(?=[A-Za-z]*\d)[0-9A-Za-z]{6,}\b(?!\.so)/g, '#'),
  ]
    .filter((part) => part !== '')
    .join(' ');

/** Takes what a monitor takes, of containers only, and what it found. */
export class Coverage {
  private readonly programs = new Map<string, { readonly exe: string; readonly contained: boolean }>();
  private readonly seen = new Map<string, Known>();
  private readonly found = new Map<string, Missing>();
  private readonly limits: CoverageLimits;
  private firstClient: bigint | undefined;
  private beyond = 0;

  constructor(limits: CoverageLimits = LIMITS) {
    this.limits = limits;
  }

  observe(observation: Observation): void {
    switch (observation.kind) {
      case 'process': {
        const { id, exe, containerId } = observation.process;
        this.program(processKey(id), { exe, contained: containerId !== '' });
        return;
      }
      case 'event':
        if (observation.ret >= 0) this.note(observation.task.process, observation.time, observation.effect);
        return;
      case 'flow': {
        const { task, start, end, ops, access, resource } = observation;
        for (const op of ops) {
          if (op === 'ACCEPT' && (this.firstClient === undefined || start < this.firstClient))
            this.firstClient = start;
          const effect = { op, access: op === 'OPEN' ? access : '', resource };
          this.note(task.process, op === 'OPEN' ? start : end, effect);
        }
        return;
      }
      default:
    }
  }

  flow(row: FlowRow): void {
    this.observe(row.observation());
  }

  finding({ kind, exe, effect }: Finding): void {
    if (kind === 'out-of-order') return;
    const missing = { program: exe, effect: textOf(effect.op, effect.access, effect.resource), why: kind };
    if (this.found.size < this.limits.effects) this.found.set(keyOf(missing), missing);
    else this.beyond++;
  }

  private program(key: string, program: { readonly exe: string; readonly contained: boolean }): void {
    this.programs.delete(key);
    this.programs.set(key, program);
    const [oldest] = this.programs.keys();
    if (this.programs.size > this.limits.processes) this.programs.delete(oldest);
  }

  private note(process: ProcessId, time: bigint, { op, access, resource }: Effect): void {
    const program = this.programs.get(processKey(process));
    // exits are never findings
    if (program?.contained !== true || op === 'EXIT') return;
    const known = { program: program.exe, effect: textOf(op, access, printResource(resource)) };
    const key = keyOf(known);
    const before = this.seen.get(key);
    if (before !== undefined) {
      if (time > before.last) before.last = time;
      if (before.pids.size < this.limits.pids) before.pids.add(process.pid);
    } else if (this.seen.size < this.limits.effects)
      this.seen.set(key, { ...known, last: time, pids: new Set([process.pid]) });
    else this.beyond++;
  }

  result(incidents: readonly Incident[]): CoverageResult {
    const foreign = new Set(
      incidents.flatMap(({ processes }) => processes.flatMap((each) => (each.foreign ? [each.pid] : []))),
    );
    const missing = new Map(this.found);
    for (const [key, { program, effect, pids }] of this.seen)
      if (!missing.has(key) && pids.size < this.limits.pids && [...pids].every((pid) => foreign.has(pid)))
        missing.set(key, { program, effect, why: 'foreign-process' });
    // what was found is recorded, in whatever words
    const all: (readonly [key: string, effect: { readonly program: string; readonly last?: bigint }])[] = [
      ...this.seen,
      ...[...missing].filter(([key]) => !this.seen.has(key)),
    ];
    const share = (rows: typeof all): Share => ({
      recorded: rows.length,
      known: rows.filter(([key]) => !missing.has(key)).length,
    });
    const { firstClient } = this;
    const byProgram = new Map<string, typeof all>();
    for (const row of all) {
      const rows = byProgram.get(row[1].program);
      if (rows === undefined) byProgram.set(row[1].program, [row]);
      else rows.push(row);
    }
    return {
      total: share(all),
      serving: share(
        firstClient === undefined
          ? []
          : all.filter(([, { last }]) => last === undefined || last >= firstClient),
      ),
      programs: [...byProgram]
        .map(([program, rows]) => ({ program, ...share(rows) }))
        .sort((a, b) => b.recorded - a.recorded || (a.program < b.program ? -1 : 1)),
      missing: [...missing.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
      beyond: this.beyond,
    };
  }
}

const keyOf = ({ program, effect }: { readonly program: string; readonly effect: string }): string =>
  `${program}\0${effect}`;
