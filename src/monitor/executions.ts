// A process executes a program: the container's entrypoint, the next program of a watched process, or a foreign one.
import type { Effect } from '../effect/index.ts';
import { type CompiledPolicy, Match, OP, Says } from './compiled.ts';
import type { Core } from './core.ts';
import { nearest } from './explain.ts';
import type { OpenIncident } from './incidents.ts';
import { ITEM } from './queue.ts';
import { isRuntime } from './runtime.ts';
import {
  type Container,
  type Moment,
  makeForeign,
  type Process,
  type Segment,
  watchedSince,
} from './tables.ts';
import { names } from './words.ts';

type Watched = Extract<Segment, { kind: 'watched' }>;

export interface Execution {
  readonly process: Process;
  readonly tid: number;
  readonly time: Moment;
  readonly exe: string;
  /** Joined by spaces. */
  readonly args: string;
  /** No exec was seen; a process record told of the program. */
  readonly inferred: boolean;
}

/** How far apart, in ns, the process record and the event of one exec may be. */
const sameExec = 1e6;

export const execEffect = (exe: string, args: string): Effect => ({
  op: 'EXEC',
  resource: { kind: 'program', path: exe, args: args === '' ? [] : args.split(' ') },
  access: '',
});

export class Executions {
  private readonly core: Core;
  private readonly midLife: (process: Process, moment: Moment, exe: string, args: string) => void;

  /** `midLife` takes a process that was executed before the monitor came. */
  constructor(core: Core, midLife: (process: Process, moment: Moment, exe: string, args: string) => void) {
    this.core = core;
    this.midLife = midLife;
  }

  exec(execution: Execution): void {
    const { process, exe, args, time } = execution;
    const { container } = process;
    const segment = process.segments.at(-1);
    process.pending = undefined;
    if (execution.inferred) process.inferredAt = time;
    else if (process.exe === exe && process.args === args && Math.abs(time - process.inferredAt) <= sameExec)
      return;
    if (container?.policy === undefined || segment === undefined) return;
    if (segment.kind === 'watched') this.watched(execution, segment, container.policy);
    else if (segment.kind === 'prelude') this.prelude(execution, container, container.policy);
    else this.foreign(execution, segment.incident);
    process.exe = exe;
    process.args = args;
    if (process.segments.at(-1)?.kind === 'foreign') process.incident?.include(process, true);
    // Exec ends the other threads; what they did before may still be told.
    for (const task of process.tasks.values()) if (task !== process.main) task.exited ??= time;
    process.main.servedSince = Number.POSITIVE_INFINITY;
    process.main.exited = undefined;
    process.main.ended = false;
  }

  /** By a process of the runtime: the entrypoint, more of the runtime, or something that does not belong there. */
  private prelude(execution: Execution, container: Container, policy: CompiledPolicy): void {
    const { process, time, exe, args, inferred } = execution;
    const { root } = policy.policy;
    const automata = policy.automataOf(exe, args, false);
    if (!container.running && automata.includes(root) && container.view !== undefined) {
      container.started = time;
      container.sawStart = true;
      container.root = process;
      process.segments.push(watchedSince(time, [root]));
      this.core.order.begin(process.main, container.view.start([root]));
      return;
    }
    if (isRuntime(exe, args)) return;
    if (container.running && this.entered(process, container, policy, time, automata)) return;
    if (inferred && automata.length > 0) {
      this.midLife(process, time, exe, args);
      return;
    }
    const how = container.running
      ? 'the runtime executed it in the running container'
      : policy.automataOf(exe, args, true).includes(root)
        ? 'the container was started with other arguments than the image has'
        : 'the container was started with another program than the image has';
    this.foreignProgram(execution, how, []);
  }

  /** Whether it is a command of the deployment that the runtime starts in the running container. */
  entered(
    process: Process,
    container: Container,
    policy: CompiledPolicy,
    time: Moment,
    automata: readonly number[],
  ): boolean {
    const entries = policy.entries.filter((entry) => automata.includes(entry));
    if (entries.length === 0 || container.view === undefined) return false;
    process.segments.push(watchedSince(time, entries));
    this.core.order.begin(process.main, container.view.start(entries));
    return true;
  }

  private watched(execution: Execution, segment: Watched, policy: CompiledPolicy): void {
    const { core } = this;
    const { process, tid, time, exe, args } = execution;
    const { automata } = segment;
    const letter = policy.letterOf(OP.EXEC, 0, policy.resources.program(exe, args), Match.exact);
    const edges = letter < 0 ? [] : policy.edgesOf(letter);
    const own = edges.filter((edge) => automata.includes(edge.automaton));
    const targets = [...new Set(own.map((edge) => edge.target))];
    if (targets.length === 0) {
      this.foreignProgram(execution, whyForeign(policy, execution, segment), automata);
      return;
    }
    const next: Watched = watchedSince(time, targets);
    const task = process.tasks.get(tid) ?? process.main;
    const effect = execEffect(exe, args);
    const serving = automata.some((a) => (policy.says(letter, a) & Says.serving) !== 0);
    if (!serving && task.servedSince < time) {
      const why = (): string =>
        `${names(policy, automata)} executes this only while it starts, and its start is over`;
      const expected = () => nearest(policy, automata, effect, true);
      core.incidents.report({ kind: 'wrong-phase', time, process, tid, effect, why, expected });
      core.later(time, ITEM.resync, process.main, next);
    } else {
      const row = core.later(time, ITEM.exec, task, segment);
      if (row >= 0) {
        core.calendar.setLetter(row, letter);
        core.calendar.setEffect(row, OP.EXEC, 0, effect.resource);
      }
    }
    process.segments.push(next);
  }

  private foreign(execution: Execution, incident: OpenIncident): void {
    const { process, time, exe, args } = execution;
    const { core } = this;
    core.counters.foreign++;
    if (process.foreignProgram || isRuntime(exe, args) || inherits(process)) {
      incident.note(process, OP.EXEC, execEffect(exe, args).resource, core.clock.time(time));
      process.foreignProgram ||= !isRuntime(exe, args);
    } else {
      this.foreignProgram(execution, 'a process that the policy does not explain executed it', []);
    }
  }

  /** `automata`: what the process followed until then. */
  foreignProgram(
    { process, tid, time, exe, args }: Execution,
    why: string,
    automata: readonly number[],
  ): void {
    const policy = process.container?.policy;
    const effect = execEffect(exe, args);
    const serving = process.main.servedSince < time;
    const expected = () => (policy === undefined ? [] : nearest(policy, automata, effect, serving));
    const base = { kind: 'foreign-program', time, process, tid, effect, why: () => why, expected } as const;
    const incident = this.core.incidents.report(base);
    const known = incident.silent ? (policy?.automataOf(exe, args, false) ?? []) : [];
    if (known.length > 0) {
      // Allowed, and a program of the image: it is held to what that does.
      const next: Watched = watchedSince(time, known);
      process.segments.push(next);
      this.core.later(time, ITEM.resync, process.main, next);
      return;
    }
    process.foreignProgram = true;
    makeForeign(process, incident, process.segments.length === 0 ? Number.NEGATIVE_INFINITY : time);
  }
}

function whyForeign(policy: CompiledPolicy, { exe, args }: Execution, { automata }: Watched): string {
  const who = names(policy, automata);
  const users = (letter: number): number[] =>
    letter < 0 ? [] : [...new Set(policy.edgesOf(letter).map((edge) => edge.automaton))];
  const samePath = users(policy.letterOf(OP.EXEC, 0, policy.resources.programPath(exe), Match.exact));
  if (samePath.some((a) => automata.includes(a)))
    return `${who} executes this program, but never with these arguments`;
  const others = users(policy.letterOf(OP.EXEC, 0, policy.resources.program(exe, args), Match.exact));
  if (others.length > 0) return `only ${names(policy, others)} executes this program, not ${who}`;
  return `${who} never executes this program`;
}

/** Whether an ancestor's foreign program made this process. */
function inherits(process: Process): boolean {
  for (let p = process.parent, n = 0; p !== undefined && n < 64; p = p.parent, n++)
    if (p.foreignProgram) return true;
  return false;
}
