// What led to the end of a boot that went wrong: of every process that failed its last system calls, and where in its
// code it was. Costs a text a call, so a boot is traced only when it is known to fail: it runs again, and is the same.
import {
  type CallTexts,
  type Cut,
  callStack,
  type EffectEvent,
  type Frame,
  formatArguments,
  formatSyscall,
  type Kernel,
  type KernelHooks,
  type SyscallRow,
  type Task,
} from '../linux/index.ts';
import type { Remotes } from './remotes.ts';

/** A process that ended badly, or that still ran when the boot was given up. */
export interface Stopped {
  readonly pid: number;
  readonly exe: string;
  /** `exit status 1`, `signal 11`, `running`. */
  readonly how: string;
  /** Innermost first: `nginx+0x1234 (main)`. */
  readonly stack: readonly string[];
  /** Its last system calls, as strace prints them. */
  readonly calls: readonly string[];
}

const LAST_CALLS = 12;
const LAST_STOPPED = 4;
const FRAMES = 8;

export class Trail implements KernelHooks {
  private readonly calls = new Map<number, string[]>();
  private readonly begun = new Map<number, CallTexts>();
  private readonly ended: Stopped[] = [];

  onEffect({ effect, pid, exe, stack }: EffectEvent): void {
    if (effect.op !== 'EXIT' || effect.resource.kind !== 'id' || effect.resource.value === '0') return;
    const { value } = effect.resource;
    const how = value.startsWith('signal:') ? `signal ${value.slice(7)}` : `exit status ${value}`;
    this.ended.push({ pid, exe, how, stack: frameTexts(stack), calls: this.calls.get(pid) ?? [] });
    if (this.ended.length > LAST_STOPPED) this.ended.shift();
  }

  onCut(_cut: Cut): void {}

  /** Who answers from outside. */
  remotes: Remotes | undefined;
  onIdle(kernel: Kernel): boolean {
    return this.remotes?.act(kernel) ?? false;
  }

  onSyscallEntry(task: Task, row: SyscallRow, args: readonly bigint[]): void {
    this.begun.set(task.tid, formatArguments(task, row, args));
  }

  onSyscall(
    task: Task,
    row: SyscallRow,
    args: readonly bigint[],
    result: Parameters<typeof formatSyscall>[3],
  ): void {
    const list = this.calls.get(task.process.pid) ?? [];
    this.calls.set(task.process.pid, list);
    list.push(formatSyscall(task, row, args, result, this.begun.get(task.tid)));
    if (list.length > LAST_CALLS) list.shift();
  }

  /** Processes that failed, the first process last, and those that still run. */
  stopped(kernel: Kernel): readonly Stopped[] {
    const running = [...kernel.tasks.values()]
      .filter(({ state }) => state === 'runnable')
      .map(
        (task): Stopped => ({
          pid: task.process.pid,
          exe: task.process.exe,
          how: 'running',
          stack: frameTexts(callStack(kernel, task).frames),
          calls: this.calls.get(task.process.pid) ?? [],
        }),
      );
    return [...this.ended, ...running.slice(0, LAST_STOPPED)];
  }
}

const frameTexts = (frames: readonly Frame[]): string[] =>
  frames
    .slice(0, FRAMES)
    .map(({ module, offset, symbol }) =>
      module === '' ? '?' : `${module}+0x${offset.toString(16)}${symbol === undefined ? '' : ` (${symbol})`}`,
    );
