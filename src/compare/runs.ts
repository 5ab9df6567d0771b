// What happened, as a tree of processes: from effects of the machine and from observations of a host, the same shape.
import type { Effect } from '../effect/index.ts';
import type { Step } from '../explore/index.ts';
import { type Observation, processKey } from '../telemetry/index.ts';

/** One effect of one thread; `result` as the system call returned it, the child's id for CLONE. */
export interface Happening {
  /** Any text that names the process. */
  readonly process: string;
  readonly tid: number;
  readonly effect: Effect;
  readonly result: number;
  /** CLONE that succeeded: the new process, where it is one. */
  readonly child: string | undefined;
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

export function machineHappenings(steps: readonly Step[]): Happening[] {
  return steps.flatMap((step): Happening[] => {
    if (step.kind !== 'effect') return [];
    const { pid, tid, effect, result } = step.event;
    const child = bornProcess(effect, result) ? String(result) : undefined;
    return [{ process: String(pid), tid, effect, result, child }];
  });
}

const bornProcess = ({ op, resource }: Effect, result: number): boolean =>
  op === 'CLONE' && result > 0 && resource.kind === 'task' && resource.what === 'process';

/** Exact events of a source. Both sides tell of a clone: the parent's record is kept. */
export function hostHappenings(observations: Iterable<Observation>): Happening[] {
  const out: Happening[] = [];
  const latest = new Map<number, string>();
  const clones: { at: number; pid: number }[] = [];
  for (const observation of observations) {
    if (observation.kind === 'process') {
      const { id } = observation.process;
      latest.set(id.pid, processKey(id));
      for (const clone of clones.filter(({ pid }) => pid === id.pid)) {
        out[clone.at] = { ...out[clone.at], child: processKey(id) };
        clones.splice(clones.indexOf(clone), 1);
      }
    }
    if (observation.kind !== 'event') continue;
    const { task, effect, ret } = observation;
    if (effect.op === 'CLONE' && ret === 0) continue;
    // the child may have been told of before its parent's call returned
    const known = bornProcess(effect, ret) ? latest.get(ret) : undefined;
    if (bornProcess(effect, ret) && known === undefined) clones.push({ at: out.length, pid: ret });
    out.push({ process: processKey(task.process), tid: task.tid, effect, result: ret, child: known });
  }
  return out;
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
      child === undefined || seen.has(child) ? [] : [build(child)],
    );
    return { programs: programsOf(own), threads: threadsOf(own), children };
  };
  return build(happenings[0].process);
}

function programsOf(own: readonly Happening[]): string[] {
  return own.flatMap(({ effect, result }) =>
    effect.op === 'EXEC' && result >= 0 && effect.resource.kind === 'program' ? [effect.resource.path] : [],
  );
}

function threadsOf(own: readonly Happening[]): ThreadRun[] {
  const threads = new Map<number, Happening[]>();
  for (const happening of own) {
    const { tid, effect, result } = happening;
    const list = threads.get(tid);
    if (list === undefined) threads.set(tid, [happening]);
    else list.push(happening);
    const isThread =
      effect.op === 'CLONE' && effect.resource.kind === 'task' && effect.resource.what === 'thread';
    if (isThread && result > 0 && !threads.has(result)) threads.set(result, []);
  }
  return [...threads.values()].map((effects) => ({ effects }));
}
