// One row a record, as users of SysFlow's sysprint expect: a record with the process that did it, its parent, its
// container. Entities are kept as they come; the oldest are forgotten, so that a trace of any length can be read.
import type { Op } from '../effect/index.ts';
import {
  type ContainerInfo,
  type Observation,
  type ProcessId,
  type ProcessInfo,
  processKey,
} from './observation.ts';

export type RowType = 'PE' | 'FE' | 'FF' | 'NF';
export type EffectObservation = Extract<Observation, { kind: 'event' | 'flow' }>;

export interface Row {
  readonly type: RowType;
  readonly ops: readonly Op[];
  readonly observation: EffectObservation;
  readonly process: ProcessInfo | undefined;
  readonly parent: ProcessInfo | undefined;
  readonly container: ContainerInfo | undefined;
  /** Ancestors, parent first. */
  ancestors(): readonly ProcessInfo[];
}

/** Operations on what is open; of exact sources each is a record, of SysFlow a part of a flow. */
const onOpen: ReadonlySet<Op> = new Set([
  'OPEN',
  'READ',
  'WRITE',
  'CLOSE',
  'MMAP',
  'SETNS',
  'SHUTDOWN',
  'TRUNCATE',
]);

const mostProcesses = 262_144;
const mostAncestors = 32;

export class RowBook {
  private readonly processes = new Map<string, ProcessInfo>();
  private readonly containers = new Map<string, ContainerInfo>();

  /** The row of a record; entities are noted, and have none. */
  row(observation: Observation): Row | undefined {
    switch (observation.kind) {
      case 'container':
        this.containers.set(observation.container.id, observation.container);
        return undefined;
      case 'process':
        this.note(observation.process);
        return undefined;
      case 'event':
      case 'flow':
        return this.of(observation);
      default:
        return undefined;
    }
  }

  process(id: ProcessId | undefined): ProcessInfo | undefined {
    return id === undefined ? undefined : this.processes.get(processKey(id));
  }

  container(id: string): ContainerInfo | undefined {
    return this.containers.get(id);
  }

  private note(info: ProcessInfo): void {
    const key = processKey(info.id);
    // Those that are told of again are young again.
    this.processes.delete(key);
    this.processes.set(key, info);
    if (this.processes.size > mostProcesses)
      this.processes.delete(this.processes.keys().next().value as string);
  }

  private of(observation: EffectObservation): Row {
    const process = this.process(observation.task.process);
    const parent = this.process(process?.parent);
    const ops = observation.kind === 'event' ? [observation.effect.op] : [...observation.ops];
    const { kind } = observation.kind === 'event' ? observation.effect.resource : observation.resource;
    const type =
      kind === 'net' ? 'NF' : kind !== 'file' ? 'PE' : ops.every((op) => onOpen.has(op)) ? 'FF' : 'FE';
    return {
      type,
      ops,
      observation,
      process,
      parent,
      container: this.containers.get(process?.containerId ?? ''),
      ancestors: () => this.ancestors(process),
    };
  }

  private ancestors(process: ProcessInfo | undefined): ProcessInfo[] {
    const out: ProcessInfo[] = [];
    for (let each = this.process(process?.parent); each !== undefined; each = this.process(each.parent)) {
      if (out.length >= mostAncestors || out.includes(each)) break;
      out.push(each);
    }
    return out;
  }
}
