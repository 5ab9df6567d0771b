// The type of a syscall table row. The table is the documentation: `effigy syscalls` prints it, strace-like tracing
// formats arguments from it, and the dispatcher runs it. Rows live in one file per family (sys-files.ts …), each
// exporting `rows`; table.ts joins them.
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

/** How an argument prints and what it is. */
export const ARG_TYPES = [
  'int',
  'uint',
  'long',
  'size',
  'hex',
  'pointer',
  'fd',
  'dirfd',
  'path',
  'string',
  'buffer',
  'flags',
  'mode',
  'signal',
  'pid',
  'offset',
  'iovec',
  'sockaddr',
  'timespec',
  'argv',
  'clock',
  'uid',
  'gid',
] as const;
export type ArgType = (typeof ARG_TYPES)[number];

/**
 * full: results and errors as Linux gives them. partial: see the note. refused: answers the error that a container
 * without the privilege or the feature would get. missing: ENOSYS and a cut.
 */
export type SupportLevel = 'full' | 'partial' | 'refused' | 'missing';

/** Raw arguments with typed views; numbers for addresses, sizes and descriptors (as C's int for `int`). */
export class SysArgs {
  readonly raw: readonly bigint[];
  constructor(raw: readonly bigint[]) {
    this.raw = raw;
  }
  /** As C int. */
  int(i: number): number {
    return Number(BigInt.asIntN(32, this.raw[i]));
  }
  uint(i: number): number {
    return Number(BigInt.asUintN(32, this.raw[i]));
  }
  /** As size_t or a user address; values beyond 2^53 saturate (every range check still fails on them). */
  size(i: number): number {
    const value = this.raw[i];
    return value > 0x1fffffffffffffn ? Number.MAX_SAFE_INTEGER : Number(value);
  }
  pointer(i: number): number {
    return this.size(i);
  }
  /** As C long. */
  long(i: number): bigint {
    return BigInt.asIntN(64, this.raw[i]);
  }
}

export type SyscallHandler = (kernel: Kernel, task: Task, args: SysArgs) => SysResult;

export interface SyscallRow {
  readonly nr: number;
  readonly name: string;
  /** `name:type` each, in order, e.g. 'fd:fd', 'buf:buffer', 'count:size'. */
  readonly args: readonly string[];
  readonly level: SupportLevel;
  readonly note: string;
  readonly handler: SyscallHandler;
}
