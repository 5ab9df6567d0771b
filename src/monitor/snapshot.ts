// The monitor's state as text, and a monitor as it was: containers, processes and tasks with their sets of states, what
// waits for its order, incidents with all that was told, what amendments covered, and the throttle. Numbers that one run
// makes up as it goes (letters, views) are written as what they stand for. Belongs to exactly the policies it was made
// with: sets of states of another policy mean nothing.
import { encodeText, InputError } from '../bytes/index.ts';
import { sha256 } from '../host/index.ts';
import type { Observation, SourceTraits } from '../telemetry/index.ts';
import { CompiledPolicy } from './compiled.ts';
import type { Core, CoreState } from './core.ts';
import { type GraphOptions, readGraph, writeGraph } from './graph.ts';
import { type IncidentState, OpenIncident } from './incidents.ts';
import type { OriginState, Origins } from './origins.ts';
import type { ItemKind } from './queue.ts';
import { Container, Process, type ProcessState, type Segment, Task } from './tables.ts';

/** Changes with every change of what is written. */
export const STATE_VERSION = 1;

interface SavedItem {
  readonly time: number;
  readonly kind: ItemKind;
  readonly task: Task;
  readonly segment: Segment | undefined;
  readonly letter: Int32Array | undefined;
  readonly between: Int32Array | undefined;
  readonly until: number;
  readonly op: number;
  readonly access: number;
  readonly resource: Extract<Observation, { kind: 'flow' }>['resource'] | undefined;
}

interface Saved {
  readonly core: CoreState;
  readonly processes: ProcessState;
  readonly incidents: IncidentState;
  readonly origins: OriginState;
  readonly items: readonly SavedItem[];
  readonly open: ReadonlyMap<Task, readonly Int32Array[]>;
  readonly traits: SourceTraits | undefined;
  readonly covered: readonly { readonly key: string; readonly covered: number; readonly expired: number }[];
}

export interface MonitorState {
  readonly version: number;
  /** By name. */
  readonly policies: Readonly<Record<string, string>>;
  readonly objects: readonly unknown[];
}

const digest = ({ policy }: CompiledPolicy): string => sha256(encodeText(JSON.stringify(policy)));

const nobody = { pid: 0, created: 0n };
const nowhere = { id: '', name: '', image: '', imageId: '', privileged: false };

function graphOf(policies: readonly CompiledPolicy[], where: string): GraphOptions {
  return {
    classes: {
      Container: { prototype: Container.prototype, without: ['view'], make: () => new Container('') },
      Process: { prototype: Process.prototype, without: ['kept'], make: () => new Process(nobody) },
      Task: {
        prototype: Task.prototype,
        without: ['openLetters', 'open', 'seat'],
        make: () => new Task(undefined as never, 0),
      },
      Incident: {
        prototype: OpenIncident.prototype,
        without: [],
        make: () => new OpenIncident('', nowhere, 0n),
      },
    },
    // Of segments, and of sets of states.
    without: new Set(['cast', 'stateCount', 'tableIndex', 'moves', 'grown', 'saturated']),
    outside: (object) => (object instanceof CompiledPolicy ? object.name : undefined),
    inside: (name) => {
      const found = policies.find((policy) => policy.name === name);
      if (found === undefined) throw new InputError(`state of a policy that is not given: ${name}`, where);
      return found;
    },
  };
}

export function saveState(core: Core, origins: Origins): MonitorState {
  const items: SavedItem[] = [];
  const open = new Map<Task, Int32Array[]>();
  const symbols = (task: Task, letter: number): Int32Array | undefined =>
    letter < 0 ? undefined : task.process.container?.policy?.symbolsOf(letter);
  const note = (task: Task): void => {
    if (task.openCount === 0) return;
    const letters = task.openLetters.slice(0, task.openCount);
    open.set(
      task,
      letters.flatMap((letter) => symbols(task, letter) ?? []),
    );
  };
  for (const process of core.processes.all()) {
    for (const task of process.tasks.values()) note(task);
    note(process.main);
  }
  core.calendar.each((item) => {
    const { time, kind, task, segment, letter, between, until, op, access, resource } = item;
    note(task);
    items.push({
      ...{ time, kind, task, segment, until, op, access, resource },
      letter: symbols(task, letter),
      between: symbols(task, between),
    });
  });
  const saved: Saved = {
    core: core.state,
    processes: core.processes.state,
    incidents: core.incidents.state,
    origins: origins.state,
    items,
    open,
    traits: core.lastTraits,
    covered: core.allowed.state,
  };
  return {
    version: STATE_VERSION,
    policies: Object.fromEntries(core.policies.map((policy) => [policy.name, digest(policy)])),
    objects: writeGraph(saved, graphOf(core.policies, '')),
  };
}

/** InputError where the state does not belong to these policies, or is none. */
export function restoreState(core: Core, origins: Origins, state: MonitorState, where: string): void {
  const advice = 'name another file, or remove it to begin anew';
  if (state.version !== STATE_VERSION)
    throw new InputError(`state of another version (${state.version}, not ${STATE_VERSION})`, where, advice);
  const given = Object.fromEntries(core.policies.map((policy) => [policy.name, digest(policy)]));
  for (const name of new Set([...Object.keys(given), ...Object.keys(state.policies)]))
    if (given[name] !== state.policies[name])
      throw new InputError(`state of other policies: ${name} is another`, where, advice);
  let saved: Saved;
  try {
    saved = readGraph(state.objects, where, graphOf(core.policies, where)) as Saved;
    fill(core, origins, saved);
  } catch (error) {
    if (error instanceof TypeError) throw new InputError('damaged state', where, advice);
    throw error;
  }
}

function fill(core: Core, origins: Origins, saved: Saved): void {
  core.restoreState(saved.core);
  core.processes.restore(saved.processes);
  core.incidents.restore(saved.incidents);
  origins.restore(saved.origins);
  core.allowed.restore(saved.covered);
  const letterOf = (task: Task, symbols: Int32Array | undefined): number => {
    const policy = task.process.container?.policy;
    return symbols === undefined || policy === undefined ? -1 : policy.letterOfSymbols(symbols);
  };
  for (const [task, letters] of saved.open) {
    const policy = task.process.container?.policy;
    if (policy === undefined) continue;
    task.openLetters.push(...letters.map((symbols) => letterOf(task, symbols)));
    task.openCount = task.openLetters.length;
    task.open = task.openLetters.reduce((a, b) => (a < 0 ? a : policy.union(a, b)));
  }
  if (saved.traits !== undefined) core.source(saved.traits);
  for (const container of core.containers.values()) core.see(container);
  const tasks = new Set<Task>(saved.items.map(({ task }) => task));
  core.mapSets(tasks);
  for (const item of saved.items) {
    const row = core.calendar.add(item.time, item.kind, item.task, item.segment);
    if (row < 0) continue;
    core.calendar.setLetter(row, letterOf(item.task, item.letter));
    core.calendar.setBetween(row, letterOf(item.task, item.between), item.until);
    core.calendar.setEffect(row, item.op & 255, item.access, item.resource);
  }
  core.calendar.advance(core.now - core.waitsFor, () => {});
}
