// Open file descriptions and descriptor tables. Each kind of file is a class in its own file; this one knows none.

import type { FileType, Resource } from '../effect/index.ts';
import type { Backing } from '../machine/index.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { Block, SysResult, WaitQueue } from './wait.ts';

/** poll(2) bits. */
export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  NVAL: 32,
  RDNORM: 64,
  RDBAND: 128,
  WRNORM: 256,
  WRBAND: 512,
  RDHUP: 0x2000,
} as const;

/**
 * One open file description (what dup and fork share). Errors are negative errno numbers. Subclasses hold plain data
 * only (no closures), since a snapshot copies the object graph.
 */
export abstract class OpenFile {
  /** O_ status flags as given to open, changed by fcntl(F_SETFL). */
  flags: number;
  /** File offset, where the file has one. */
  position = 0;
  /** Descriptors (over all tables) and in-flight SCM_RIGHTS messages that refer to it. */
  references = 0;

  /** Who gets SIGIO (fcntl F_SETOWN: a process, negative a group) and which signal; it is never sent. */
  owner = 0;
  ownerSignal = 0;

  constructor(flags: number) {
    this.flags = flags;
  }

  /** What effects on it name. */
  abstract resource(): Resource;
  abstract readonly type: FileType;
  /** Woken whenever `poll` may have changed. */
  abstract readonly queue: WaitQueue;
  /** POLL bits that hold now, for this task (a signalfd looks at the signals of the one who asks). */
  abstract poll(kernel: Kernel, task: Task): number;
  /** Virtual CLOCK_MONOTONIC ns at which `poll` changes by the passing of time alone (timerfd); undefined: never. */
  pollDeadline(_kernel: Kernel): bigint | undefined {
    return undefined;
  }
  /** Called where `pollDeadline` has passed: updates what `poll` looks at and wakes the queue. */
  expire(_kernel: Kernel): void {}
  /** Up to `length` bytes; an empty array is the end of file. `at`: pread's offset. */
  abstract read(
    kernel: Kernel,
    task: Task,
    length: number,
    at: number | undefined,
  ): Uint8Array | number | Block;
  abstract write(kernel: Kernel, task: Task, bytes: Uint8Array, at: number | undefined): number | Block;
  /** The last reference is gone. */
  close(_kernel: Kernel): void {}
  ioctl(_kernel: Kernel, _task: Task, _request: number, _argument: number): SysResult {
    return -25; // ENOTTY
  }
  /** For fstat and /proc/PID/fd of a file that no path leads to. */
  identity(): { readonly mode: number; readonly ino: number; readonly minor: number } {
    return { mode: 0o600, ino: 1, minor: 15 };
  }
  /** For mmap; undefined: ENODEV. */
  backing(): Backing | undefined {
    return undefined;
  }
  get nonblocking(): boolean {
    return (this.flags & 0o4000) !== 0;
  }
}

/** A process's descriptors (shared between threads; copied by fork, shared under CLONE_FILES). */
export class DescriptorTable {
  readonly slots: ({ readonly file: OpenFile; cloexec: boolean } | undefined)[] = [];
  references = 1;

  get(fd: number): OpenFile | undefined {
    return this.slots[fd]?.file;
  }

  /** Lowest free descriptor from `from` on, taking a reference; the caller checks RLIMIT_NOFILE. */
  add(file: OpenFile, cloexec: boolean, from = 0): number {
    let fd = from;
    while (this.slots[fd] !== undefined) fd++;
    this.put(fd, file, cloexec);
    return fd;
  }

  put(fd: number, file: OpenFile, cloexec: boolean): void {
    while (this.slots.length < fd) this.slots.push(undefined);
    this.slots[fd] = { file, cloexec };
    file.references++;
  }

  /** Takes the descriptor out; the kernel drops the reference (`kernel.dropFile`). */
  remove(fd: number): OpenFile | undefined {
    const slot = this.slots[fd];
    this.slots[fd] = undefined;
    return slot?.file;
  }
}
