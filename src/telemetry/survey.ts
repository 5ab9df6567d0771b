// What a trace holds, counted while it is read: containers, processes, operations, gaps, the time that it covers.
import { OPS, type Op } from '../effect/index.ts';
import { type ContainerInfo, type Observation, processKey, type SourceTraits } from './observation.ts';

export interface ContainerCounts {
  readonly container: ContainerInfo;
  readonly processes: number;
  /** Programs in order of their first process. */
  readonly programs: readonly string[];
  /** Events and flows. */
  readonly records: number;
}

export interface Survey {
  readonly streams: number;
  /** Those on the host, or without a container, are one with an empty id. */
  readonly containers: readonly ContainerCounts[];
  readonly processes: number;
  readonly events: number;
  readonly flows: number;
  /** Events with this operation, and flows with at least one of it. */
  readonly operations: ReadonlyMap<Op, number>;
  /** Records lost, by reason. */
  readonly gaps: ReadonlyMap<string, number>;
  /** Epoch ns of the first and last event or end of a flow; undefined where there is none. */
  readonly first: bigint | undefined;
  readonly last: bigint | undefined;
}

const host: ContainerInfo = { id: '', name: '', image: '', imageId: '', privileged: false };

/** Processes whose container is remembered. */
const maxProcesses = 262_144;
/** Programs that are named for one container. */
const maxPrograms = 200;

interface Counting {
  container: ContainerInfo;
  processes: number;
  programs: Set<string>;
  records: number;
}

export class Surveyor {
  private streams = 0;
  private processes = 0;
  private events = 0;
  private flows = 0;
  private readonly containers = new Map<string, Counting>();
  private readonly containerOf = new Map<string, string>();
  private readonly operations = new Map<Op, number>();
  private readonly gaps = new Map<string, number>();
  private first: bigint | undefined;
  private last: bigint | undefined;

  add(observation: Observation): void {
    switch (observation.kind) {
      case 'stream':
        this.streams += 1;
        break;
      case 'container':
        this.counting(observation.container.id).container = observation.container;
        break;
      case 'process': {
        const { id, containerId, exe } = observation.process;
        const key = processKey(id);
        const counting = this.counting(containerId);
        if (!this.containerOf.has(key)) {
          this.processes += 1;
          counting.processes += 1;
        }
        this.containerOf.set(key, containerId);
        // The oldest are forgotten: a long trace has more processes than there is room for.
        if (this.containerOf.size > maxProcesses)
          this.containerOf.delete(this.containerOf.keys().next().value as string);
        if (exe !== '' && counting.programs.size < maxPrograms) counting.programs.add(exe);
        break;
      }
      case 'event':
        this.events += 1;
        this.operation(observation.effect.op);
        this.record(observation.task.process, observation.time);
        break;
      case 'flow':
        this.flows += 1;
        for (const op of observation.ops) this.operation(op);
        this.record(observation.task.process, observation.start);
        this.time(observation.end);
        break;
      default:
        this.gaps.set(observation.reason, (this.gaps.get(observation.reason) ?? 0) + observation.records);
    }
  }

  result(): Survey {
    const { streams, processes, events, flows, gaps, first, last } = this;
    const containers = [...this.containers.values()]
      .filter(({ container, processes, records }) => container.id !== '' || processes + records > 0)
      .map(({ programs, ...rest }) => ({ ...rest, programs: [...programs] }));
    const operations = new Map(
      OPS.flatMap((op) => {
        const count = this.operations.get(op);
        return count === undefined ? [] : [[op, count] as const];
      }),
    );
    return { streams, containers, processes, events, flows, operations, gaps: new Map(gaps), first, last };
  }

  private counting(id: string): Counting {
    let found = this.containers.get(id);
    if (found === undefined) {
      found = { container: { ...host, id }, processes: 0, programs: new Set(), records: 0 };
      this.containers.set(id, found);
    }
    return found;
  }

  private operation(op: Op): void {
    this.operations.set(op, (this.operations.get(op) ?? 0) + 1);
  }

  private record(process: { readonly created: bigint; readonly pid: number }, time: bigint): void {
    this.counting(this.containerOf.get(processKey(process)) ?? '').records += 1;
    this.time(time);
  }

  private time(time: bigint): void {
    if (this.first === undefined || time < this.first) this.first = time;
    if (this.last === undefined || time > this.last) this.last = time;
  }
}

/** What a source cannot see, in words. */
export function blindSpots(traits: SourceTraits): string[] {
  const unseen = OPS.filter((op) => op !== 'DIGEST' && !traits.ops.has(op));
  const selected = !traits.flows && traits.syscalls === undefined;
  const lines: string[] = [];
  if (selected)
    lines.push(
      traits.ops.size === 0
        ? 'reports what it was set up to report: nothing is expected of it'
        : `reports what it was set up to report: only ${[...traits.ops].join(', ')} are expected of it`,
    );
  else if (unseen.length > 0) lines.push(`no record of ${unseen.join(', ')}`);
  if (traits.syscalls !== undefined)
    lines.push(`no record of system calls other than ${traits.syscalls.size} (${blindCalls(traits)})`);
  if (!traits.failures) lines.push('attempts that fail are not told, or not reliably');
  if (!traits.ipv6) lines.push('no IPv6');
  if (traits.access === false) lines.push('not always with which rights a file was opened');
  if (traits.flows)
    lines.push(
      `operations on one open file are one flow, told up to ${traits.maxDelay / 1_000_000_000n} s after it began`,
    );
  return lines;
}

/** Calls that programs use in place of others that are reported. */
const telling = [
  'clone3',
  'openat2',
  'execveat',
  'creat',
  'sendfile',
  'splice',
  'io_uring_enter',
  'copy_file_range',
];

function blindCalls({ syscalls }: SourceTraits): string {
  const missing = telling.filter((call) => syscalls?.has(call) === false);
  return missing.length === 0 ? 'all that have an effect are among them' : `not ${missing.join(', ')}`;
}
