// The simulated kernel of one container: processes, files, sockets, time, and what they tell the owner.
// Deterministic: same image, options, environment and actions give the same effects. The kernel and everything that
// it refers to is plain data (classes without closures), so a snapshot is a copy of the object graph (snapshot.ts).
// Nothing here knows a syscall; the families (sys-*.ts) do, the table joins them, the scheduler runs them.
import { decodeText } from '../bytes/index.ts';
import { type Effect, printEffect } from '../effect/index.ts';
import type { FeatureSet } from '../isa/index.ts';
import type { Backing, Engine, Memory } from '../machine/index.ts';
import type { Cut, EffectEvent, EnvironmentValues } from './events.ts';
import type { OpenFile } from './file.ts';
import { FutexTable } from './futex.ts';
import { IpcNamespace } from './ipc-tables.ts';
import type { Net } from './net.ts';
import { type Pipe, PipeFile } from './pipe.ts';
import { RandomSource } from './random.ts';
import { type RunOptions, type RunStop, run } from './scheduler.ts';
import { snapshot } from './snapshot.ts';
import { type ProcessSpec, spawnEntered, spawnInit } from './spawn.ts';
import { type CallStack, callStack, placeOf } from './stack.ts';
import type { SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import { PtyTable } from './tty.ts';
import type { Vfs } from './vfs.ts';
import type { SysResult } from './wait.ts';

const NO_STACK: CallStack = { frames: [], cut: false };

/** The owner's ears. Functions live only here, so that the rest of the kernel can be copied. */
export interface KernelHooks {
  onEffect(event: EffectEvent): void;
  /** False: effects come without call stacks, which take longer than most system calls. */
  readonly stacks?: boolean;
  /** Told once for each kind, name and place; `kernel.cuts` has the counts. */
  onCut(cut: Cut): void;
  /** A path that a system call looked for, absolute and normalized as text, whether it is there or not. */
  onPath?(task: Task, path: string): void;
  /** Every syscall that a task makes, before anything is done; formatArguments reads what it passes. */
  onSyscallEntry?(task: Task, row: SyscallRow, args: readonly bigint[]): void;
  /** Every syscall that ended, for tracing; formatSyscall gives its text. exit, exit_group and fatal signals end none. */
  onSyscall?(task: Task, row: SyscallRow, args: readonly bigint[], result: SysResult): void;
  /** What the container writes to its standard output (1) or error (2), as it is written and all of it; a copy. */
  onOutput?(stream: 1 | 2, bytes: Uint8Array): void;
  /** Every task waits, and time would pass now: who is outside may act first (world.ts); whether they did. */
  onIdle?(kernel: Kernel): boolean;
}

/** Where guest code runs and guest memory comes from. Shared between a kernel and its snapshots. */
export interface Machine {
  readonly engine: Engine;
  readonly memory: Memory;
  /** Instruction sets that the engine has beyond the baseline, for what the kernel says of the processor; default none. */
  readonly features?: FeatureSet;
}

/** Fixed addresses of a boot (there is no ASLR); another deployment may use others. */
export interface Layout {
  /** Load base of a position-independent main program. */
  readonly program: number;
  /** mmap searches downwards from here; the program interpreter is mapped through it too. */
  readonly mmapTop: number;
  /** End of the stack (exclusive). */
  readonly stackTop: number;
}

/** What the process side asks of the file side for execve; `Vfs` implements it. */
export interface ExecutableFile {
  /** Absolute path in the container with symlinks resolved: what /proc/self/exe says. */
  readonly path: string;
  /** The same object for the same file, always: code caches are keyed by it. */
  readonly backing: Backing;
  /** st_mode, with type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Content of the extended attribute security.capability. */
  readonly capabilities: Uint8Array | undefined;
  /** Mount flags. */
  readonly nosuid: boolean;
  readonly noexec: boolean;
}
export interface ExecutableSource {
  /**
   * Resolves `path` (relative to `dirfd`, AT_FDCWD -100) for execve with the task's credentials: search permission on
   * directories, execute permission on the file (root needs one x bit), regular file only (EACCES). Negative errno
   * where it can't. `emptyPath`: an empty path means dirfd itself (execveat AT_EMPTY_PATH); `noFollow`: ELOOP on a
   * final symlink.
   */
  openExecutable(
    kernel: Kernel,
    task: Task,
    dirfd: number,
    path: string,
    options: { readonly emptyPath: boolean; readonly noFollow: boolean },
  ): ExecutableFile | number;
}

export interface KernelParts {
  readonly environment: EnvironmentValues;
  readonly machine: Machine;
  readonly layout: Layout;
  readonly hooks: KernelHooks;
  readonly vfs: Vfs;
  readonly net: Net;
  /** By number (table.ts). */
  readonly syscalls: readonly (SyscallRow | undefined)[];
}

/** How often each cut was met. */
export interface CountedCut {
  readonly cut: Cut;
  count: number;
}

/** Distinct effects remembered to tell repetition. */
const SEEN_LIMIT = 100_000;

export class Kernel {
  readonly environment: EnvironmentValues;
  readonly machine: Machine;
  readonly layout: Layout;
  hooks: KernelHooks;
  readonly vfs: Vfs;
  readonly net: Net;
  readonly syscalls: readonly (SyscallRow | undefined)[];
  /** Virtual CLOCK_MONOTONIC in ns; CLOCK_REALTIME is environment.time + this. */
  now = 0n;
  /** By pid; zombies included. */
  readonly processes = new Map<number, Process>();
  /** By tid, in creation order, which is the order of scheduling. */
  readonly tasks = new Map<number, Task>();
  nextPid: number;
  readonly futexes = new FutexTable();
  readonly ipc = new IpcNamespace();
  readonly ptys = new PtyTable();
  /** Number of the next effect. */
  sequence = 0;
  /** Standard input, output and error of the entrypoint. */
  readonly streams: OpenFile[] = [];
  readonly cuts = new Map<string, CountedCut>();
  /** Counts effects that are new in kind: a container that only repeats itself stops adding to it. */
  novelty = 0;
  private readonly seen = new Set<string>();
  /** The syscall numbers used so far. */
  readonly syscallsUsed = new Set<number>();
  private readonly source: RandomSource;

  constructor(parts: KernelParts) {
    this.environment = parts.environment;
    this.machine = parts.machine;
    this.layout = parts.layout;
    this.hooks = parts.hooks;
    this.vfs = parts.vfs;
    this.net = parts.net;
    this.syscalls = parts.syscalls;
    this.nextPid = parts.environment.firstPid;
    this.source = new RandomSource(parts.environment.seed);
  }

  /** Records an effect of the syscall that this task is performing; result as for rax (negative errno if it failed). */
  effect(task: Task, effect: Effect, result: number): void {
    const { process } = task;
    const { frames, cut } = this.hooks.stacks === false ? NO_STACK : callStack(this, task);
    const syscall = task.syscall === undefined ? '' : (this.syscalls[task.syscall.nr]?.name ?? '');
    this.noteNovelty(`${process.exe} ${printEffect(effect)} ${result < 0 ? result : ''}`);
    this.hooks.onEffect({
      sequence: this.sequence++,
      pid: process.pid,
      tid: task.tid,
      parentPid: process.parent?.pid ?? 0,
      exe: process.exe,
      effect,
      result,
      syscall,
      args: task.syscall?.args ?? [],
      stack: frames,
      stackCut: cut,
    });
  }

  /** Starts pid 1 (spawn.ts). */
  spawnInit(spec: ProcessSpec): Task {
    return spawnInit(this, spec);
  }

  /** Starts another process in the running container from outside, as a runtime does. */
  spawnEntered(spec: ProcessSpec): Task {
    return spawnEntered(this, spec);
  }

  /** Runs until nothing can happen without the environment, pid 1 is gone, or the budget is used up (scheduler.ts). */
  run(options: RunOptions): RunStop {
    return run(this, options);
  }

  /** A copy that goes on independently (snapshot.ts). */
  snapshot(hooks?: KernelHooks): Kernel {
    return snapshot(this, hooks);
  }

  /** Gives guest memory back; the kernel can't run any more. */
  release(): void {
    for (const process of this.processes.values()) process.space.release();
  }

  /** Whether pid 1 is gone. */
  get exited(): boolean {
    const init = this.processes.get(1);
    return init === undefined || init.exitStatus !== undefined;
  }

  syscallName(nr: number): string {
    return this.syscalls[nr]?.name ?? `syscall_${nr}`;
  }

  /** What the container wrote to its standard output, then error; bounded. */
  output(): string {
    return this.streams.map((file) => (file instanceof PipeFile ? sinkText(file) : '')).join('');
  }

  /** A container's output stream took bytes. */
  told(pipe: Pipe, bytes: Uint8Array): void {
    const stream = this.streams.findIndex((file) => file instanceof PipeFile && file.pipe === pipe);
    if (stream > 0) this.hooks.onOutput?.(stream === 1 ? 1 : 2, bytes);
  }

  private noteNovelty(text: string): void {
    if (this.seen.has(text)) return;
    if (this.seen.size < SEEN_LIMIT) this.seen.add(text);
    this.novelty++;
  }

  /** A cut at the place where the task is. */
  cutHere(task: Task, cut: Pick<Cut, 'kind' | 'what' | 'consequence'>): void {
    this.cut({ ...cut, exe: task.process.exe, at: placeOf(task) });
  }

  /** Records a place where the model stops short or goes wider than the code. */
  cut(cut: Cut): void {
    const key = `${cut.kind}\0${cut.what}\0${cut.exe}\0${cut.at?.module ?? ''}\0${cut.at?.offset ?? ''}`;
    const known = this.cuts.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.cuts.set(key, { cut, count: 1 });
    this.hooks.onCut(cut);
  }

  /** One reference less; the last one closes the file. The counterpart of DescriptorTable.remove. */
  dropFile(file: OpenFile): void {
    file.references--;
    if (file.references <= 0) file.close(this);
  }

  /** Deterministic bytes of the environment (getrandom, AT_RANDOM, /dev/urandom). */
  random(length: number): Uint8Array {
    return this.source.bytes(length);
  }
}

const sinkText = ({ pipe }: PipeFile): string =>
  (pipe.sink?.parts ?? []).map((part) => decodeText(part)).join('');

export type { Cut, EffectEvent, EnvironmentValues };
