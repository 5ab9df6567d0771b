// What happened, as a tree of processes: from effects of the machine and from observations of a host, the same shape.
import type { Effect } from '../effect/index.ts';
import { type Observation, type ProcessId, processKey } from '../telemetry/index.ts';

/** One effect of one thread; `result` as the system call returned it, the child's id for CLONE. */
export interface Happening {
  /** ns; where it counts from is its source's affair. */
  readonly time: bigint;
  /** Any text that names the process. */
  readonly process: string;
  readonly tid: number;
  readonly effect: Effect;
  readonly result: number;
  /** CLONE that succeeded: the new process as `process` names it, or the new thread's `tid`. */
  readonly child: string | number | undefined;
}

export interface ThreadRun {
  readonly effects: readonly Happening[];
}

export interface ProcessRun {
  /** Paths of its programs one after the other, the one that it was born with first where it has effects in it. */
  readonly programs: readonly string[];
  /** In order of birth, the main thread first. */
  readonly threads: readonly ThreadRun[];
  /** In order of birth. */
  readonly children: readonly ProcessRun[];
}

/** An effect as the machine's kernel tells it (linux/events.ts), with the machine's time. */
export interface MachineEvent {
  readonly pid: number;
  readonly tid: number;
  readonly effect: Effect;
  readonly result: number;
}

export function machineHappening({ pid, tid, effect, result }: MachineEvent, time: bigint): Happening {
  const what = bornOf(effect, result);
  const child = what === 'process' ? String(result) : what === 'thread' ? result : undefined;
  return { time, process: String(pid), tid, effect, result, child };
}

/** What a CLONE that succeeded made. */
function bornOf({ op, resource }: Effect, result: number): 'process' | 'thread' | undefined {
  if (op !== 'CLONE' || result <= 0 || resource.kind !== 'task') return undefined;
  return resource.what === 'process' ? 'process' : 'thread';
}

/**
 * Exact events of a source. Both sides tell of a clone, in any order: the parent's record is kept. It has the child's
 * number as the parent knows it, which in a namespace is another one than the recorder's, so the two are put together
 * by who the parent is and by order.
 */
export class HostHappenings {
  readonly list: Happening[] = [];
  private readonly seen = new Set<string>();
  private readonly births = new Map<string, Births>();

  observe(observation: Observation): void {
    if (observation.kind === 'process') this.process(observation.process.id, observation.process.parent);
    if (observation.kind !== 'event') return;
    const { task, effect, ret, time } = observation;
    const process = processKey(task.process);
    if (effect.op === 'CLONE' && ret === 0) {
      if (effect.resource.kind === 'task' && effect.resource.what === 'thread')
        this.born(`${process} thread`, task.tid);
      return;
    }
    const at = this.list.length;
    this.list.push({ time, process, tid: task.tid, effect, result: ret, child: undefined });
    const what = bornOf(effect, ret);
    if (what !== undefined) this.bore(`${process} ${what}`, at);
  }

  private process(id: ProcessId, parent: ProcessId | undefined): void {
    const key = processKey(id);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    if (parent !== undefined) this.born(`${processKey(parent)} process`, key);
  }

  /** A child is there. */
  private born(key: string, child: string | number): void {
    const { calls, children } = this.birthsOf(key);
    const at = calls.shift();
    if (at === undefined) children.push(child);
    else this.list[at] = { ...this.list[at], child };
  }

  /** The call that made one has returned. */
  private bore(key: string, at: number): void {
    const { calls, children } = this.birthsOf(key);
    const child = children.shift();
    if (child === undefined) calls.push(at);
    else this.list[at] = { ...this.list[at], child };
  }

  private birthsOf(key: string): Births {
    let births = this.births.get(key);
    if (births === undefined) this.births.set(key, (births = { calls: [], children: [] }));
    return births;
  }
}

/** Halves of births that wait for their other half. */
interface Births {
  readonly calls: number[];
  readonly children: (string | number)[];
}

/** What the process does from its first exec of this program on, and all that comes of it; undefined without such. */
export function startingAt(happenings: readonly Happening[], start: Effect): Happening[] | undefined {
  const wanted = JSON.stringify(start.resource);
  const at = happenings.findIndex(
    ({ effect, result }) => effect.op === 'EXEC' && result >= 0 && JSON.stringify(effect.resource) === wanted,
  );
  return at < 0 ? undefined : happenings.slice(at);
}

/** The tree below the process of the first happening. */
export function processRun(happenings: readonly Happening[]): ProcessRun {
  const byProcess = new Map<string, Happening[]>();
  for (const happening of happenings) {
    const list = byProcess.get(happening.process);
    if (list === undefined) byProcess.set(happening.process, [happening]);
    else list.push(happening);
  }
  const seen = new Set<string>();
  const build = (process: string): ProcessRun => {
    seen.add(process);
    const own = byProcess.get(process) ?? [];
    const children = own.flatMap(({ child }) =>
      typeof child !== 'string' || seen.has(child) ? [] : [build(child)],
    );
    return { programs: programsOf(own), threads: threadsOf(own), children };
  };
  if (happenings.length === 0) return { programs: [], threads: [], children: [] };
  return build(happenings[0].process);
}

function programsOf(own: readonly Happening[]): string[] {
  return own.flatMap(({ effect, result }) =>
    effect.op === 'EXEC' && result >= 0 && effect.resource.kind === 'program' ? [effect.resource.path] : [],
  );
}

function threadsOf(own: readonly Happening[]): ThreadRun[] {
  const threads = new Map<number, Happening[]>();
  const thread = (tid: number): Happening[] => {
    let list = threads.get(tid);
    if (list === undefined) threads.set(tid, (list = []));
    return list;
  };
  for (const happening of own) {
    thread(happening.tid).push(happening);
    if (typeof happening.child === 'number') thread(happening.child);
  }
  return [...threads.values()].map((effects) => ({ effects }));
}
