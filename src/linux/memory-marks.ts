// What Linux keeps in the flags of a mapping and the machine's regions have no place for: shared mappings of files that
// are not open for writing (VM_MAYWRITE), what fork does to a mapping (VM_WIPEONFORK, VM_DONTCOPY), what is locked into
// memory (VM_LOCKED, which is counted against a limit). Kept per process as ranges; most processes have none.
import type { AddressSpace } from '../machine/index.ts';
import { CAP, capBit, RLIMIT } from './abi-process.ts';
import { E } from './errno.ts';
import type { Process, Task } from './task.ts';

export type MarkKind = 'unwritable' | 'wiped' | 'uncopied' | 'locked';

export interface MemoryMark {
  readonly start: number;
  readonly end: number;
  readonly kind: MarkKind;
}

/** Takes marks (of one kind, or all) away from a range. */
export function clearMarks(process: Process, start: number, end: number, kind?: MarkKind): void {
  if (process.marks.length === 0) return;
  process.marks = process.marks.flatMap((mark) => {
    if (mark.end <= start || mark.start >= end || (kind !== undefined && mark.kind !== kind)) return [mark];
    const rest: MemoryMark[] = [];
    if (mark.start < start) rest.push({ ...mark, end: start });
    if (mark.end > end) rest.push({ ...mark, start: end });
    return rest;
  });
}

export function addMark(process: Process, mark: MemoryMark): void {
  clearMarks(process, mark.start, mark.end, mark.kind);
  process.marks = [...process.marks, mark];
}

/** Whether a part of the range has the mark. */
export function isMarked(process: Process, start: number, end: number, kind: MarkKind): boolean {
  return process.marks.some((mark) => mark.kind === kind && mark.start < end && mark.end > start);
}

/** mremap: marks go where the range goes. */
export function moveMarks(process: Process, from: number, length: number, to: number): void {
  if (process.marks.length === 0) return;
  const moved = process.marks
    .filter(({ start, end }) => start < from + length && end > from)
    .map((mark) => ({
      ...mark,
      start: Math.max(mark.start, from) - from + to,
      end: Math.min(mark.end, from + length) - from + to,
    }));
  clearMarks(process, from, from + length);
  clearMarks(process, to, to + length);
  process.marks = [...process.marks, ...moved];
}

/** What a fork leaves of the marked ranges in the child's memory. */
export function forkMarks(child: Process, from: Process, space: AddressSpace): void {
  child.marks = from.marks.filter(({ kind }) => kind !== 'uncopied' && kind !== 'locked');
  for (const { start, end, kind } of from.marks) {
    if (kind === 'wiped') space.discard(start, end - start);
    if (kind === 'uncopied') space.unmap(start, end - start);
  }
}

export const mayLock = (task: Task): boolean =>
  (task.process.credentials.effective & capBit(CAP.IPC_LOCK)) !== 0n;

/** Bytes that are locked, of the range or of all. */
export const lockedBytes = (process: Process, start = 0, end = Number.MAX_SAFE_INTEGER): number =>
  process.marks.reduce(
    (sum, mark) =>
      mark.kind === 'locked' && mark.start < end && mark.end > start
        ? sum + Math.min(mark.end, end) - Math.max(mark.start, start)
        : sum,
    0,
  );

/** 0, or why mmap may not lock as much more. */
export function mayMapLocked(task: Task, length: number): number {
  const limit = task.process.rlimits[RLIMIT.MEMLOCK][0];
  if (mayLock(task)) return 0;
  if (limit === 0n) return -E.PERM;
  return BigInt(lockedBytes(task.process) + length) > limit ? -E.AGAIN : 0;
}
