// What is kept of a run: its effects and waits in order, its cuts; and who is told of them meanwhile.
import {
  type Cut,
  callStack,
  type EffectEvent,
  type Kernel,
  type KernelHooks,
  type SyscallRow,
  type Task,
} from '../linux/index.ts';
import type { Engine } from '../machine/index.ts';
import type { NameSearch } from './names.ts';
import type { Remotes } from './remotes.ts';
import { isBelow } from './restarts.ts';
import type { Step } from './trace.ts';

/** Each cut once, by what it is. */
export type Cuts = Map<string, { readonly cut: Cut; count: number }>;

/** A run on symbolic inputs (symbolic.ts). */
export interface SymbolicPlay {
  /** Runs the copy; of the memory of the explorer's machine. */
  readonly engine: Engine;
  /** Called with every message before it is sent: what is sent in its place, with shadows. */
  send(bytes: Uint8Array): Uint8Array;
  /** Called with every answer of those outside, likewise. */
  answer(nth: number, bytes: Uint8Array): Uint8Array;
  /** The bytes of a message came to be a file. */
  onPlaced(path: string, bytes: Uint8Array): void;
  /** A path that was looked for. */
  onPath(path: string): void;
  /** Told of every system call before anything is done and when it has ended, and of every effect. */
  onCall(task: Task, row: SyscallRow, args: readonly bigint[]): void;
  onResult(task: Task, row: SyscallRow, args: readonly bigint[], result: number): void;
  onEffect(event: EffectEvent): void;
}

/** Keeps effects and waits in order. */
export class StepRecorder implements KernelHooks {
  readonly steps: Step[] = [];
  /** The blocked syscall that each task was last noted to wait in. */
  private readonly noted = new Map<number, Task['syscall']>();
  private readonly cuts: Cuts;
  private readonly search: NameSearch | undefined;

  constructor(cuts: Cuts, search?: NameSearch) {
    this.cuts = cuts;
    this.search = search;
  }

  onEffect(event: EffectEvent): void {
    this.steps.push({ kind: 'effect', event });
    this.noted.delete(event.tid);
  }

  onCut(cut: Cut): void {
    const key = JSON.stringify([cut.kind, cut.what, cut.exe, cut.at?.module, cut.at?.offset]);
    const known = this.cuts.get(key);
    if (known === undefined) this.cuts.set(key, { cut, count: 1 });
    else known.count++;
  }

  entered(task: Task, entry: number, reason: string): void {
    const { exe, argv } = task.process;
    this.steps.push({ kind: 'entry', tid: task.tid, entry, reason, exe, args: argv.slice(1) });
  }

  onPath(_task: Task, path: string): void {
    this.search?.looked(path);
  }

  /** Who answers from outside. */
  remotes: Remotes | undefined;
  onIdle(kernel: Kernel): boolean {
    return this.remotes?.act(kernel) ?? false;
  }

  /** Notes where every blocked task waits. */
  waits(kernel: Kernel): void {
    for (const task of kernel.tasks.values()) {
      if (task.state !== 'blocked' || task.syscall === undefined) continue;
      if (this.noted.get(task.tid) === task.syscall) continue;
      this.noted.set(task.tid, task.syscall);
      const stack = callStack(kernel, task);
      this.steps.push({
        kind: 'wait',
        tid: task.tid,
        syscall: kernel.syscallName(task.syscall.nr),
        stack: stack.frames,
      });
    }
  }
}

/** Knows which of some files were not looked at yet. */
export class LookedRecorder extends StepRecorder {
  readonly left = new Set<string>();

  override onPath(task: Task, path: string): void {
    super.onPath(task, path);
    if (this.left.size > 0) for (const one of this.left) if (isBelow(path, one)) this.left.delete(one);
  }
}

/** Tells a run on symbolic inputs as well. */
export class SymbolicRecorder extends StepRecorder {
  private readonly play: SymbolicPlay;

  constructor(cuts: Cuts, play: SymbolicPlay, search: NameSearch | undefined) {
    super(cuts, search);
    this.play = play;
  }

  override onEffect(event: EffectEvent): void {
    super.onEffect(event);
    this.play.onEffect(event);
  }

  override onPath(task: Task, path: string): void {
    super.onPath(task, path);
    this.play.onPath(path);
  }

  override onIdle(kernel: Kernel): boolean {
    if (this.remotes !== undefined) this.remotes.onAnswer = (nth, bytes) => this.play.answer(nth, bytes);
    return super.onIdle(kernel);
  }

  onSyscallEntry(task: Task, row: SyscallRow, args: readonly bigint[]): void {
    this.play.onCall(task, row, args);
  }

  onSyscall(...[task, row, args, result]: Parameters<NonNullable<KernelHooks['onSyscall']>>): void {
    if (typeof result === 'number' || typeof result === 'bigint')
      this.play.onResult(task, row, args, Number(result));
  }
}
