// (Contract; the implementation replaces this header.) The simulated kernel of one container: processes, files,
// sockets, time. Deterministic: same image, options, environment and actions give the same effects.
import type { Cut, EffectEvent, EnvironmentValues } from './events.ts';
import type { OpenFile } from './file.ts';
import type { Process, Task } from './task.ts';
import type { Effect } from '../effect/index.ts';

export interface Kernel {
  readonly environment: EnvironmentValues;
  /** Virtual CLOCK_MONOTONIC in ns; CLOCK_REALTIME is environment.time + this. */
  now: bigint;
  readonly processes: Map<number, Process>;
  readonly tasks: Map<number, Task>;
  /** Records an effect of the syscall that this task is performing; result as for rax (negative errno if it failed). */
  effect(task: Task, effect: Effect, result: number): void;
  cut(cut: Cut): void;
  dropFile(file: OpenFile): void;
  /** Deterministic bytes of the environment (getrandom, AT_RANDOM, /dev/urandom). */
  random(length: number): Uint8Array;
}
export type { Cut, EffectEvent, EnvironmentValues };
