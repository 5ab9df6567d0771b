// Clocks and time structures. Time is virtual: it advances with executed instructions, and jumps to the next deadline
// when every task waits and the owner allows it. CLOCK_MONOTONIC starts at 0 with the container.
import type { AddressSpace } from '../machine/index.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';

export const SECOND = 1_000_000_000n;

export const CLOCK = {
  REALTIME: 0,
  MONOTONIC: 1,
  PROCESS_CPUTIME: 2,
  THREAD_CPUTIME: 3,
  MONOTONIC_RAW: 4,
  REALTIME_COARSE: 5,
  MONOTONIC_COARSE: 6,
  BOOTTIME: 7,
  REALTIME_ALARM: 8,
  BOOTTIME_ALARM: 9,
  TAI: 11,
} as const;

/** CLOCK_REALTIME, epoch ns. */
export const realtime = (kernel: Kernel): bigint => kernel.environment.time + kernel.now;
/** CLOCK_MONOTONIC as programs see it: the host has been up for a while. */
export const monotonic = (kernel: Kernel): bigint => kernel.environment.uptime + kernel.now;

/** The clock in ns; undefined where there is no such clock. Negative ids name the processor time of a process or thread. */
export function readClock(kernel: Kernel, task: Task, clock: number): bigint | undefined {
  switch (clock) {
    case CLOCK.REALTIME:
    case CLOCK.REALTIME_COARSE:
    case CLOCK.REALTIME_ALARM:
    case CLOCK.TAI:
      return realtime(kernel);
    case CLOCK.MONOTONIC:
    case CLOCK.MONOTONIC_RAW:
    case CLOCK.MONOTONIC_COARSE:
    case CLOCK.BOOTTIME:
    case CLOCK.BOOTTIME_ALARM:
      return monotonic(kernel);
    case CLOCK.PROCESS_CPUTIME:
      return task.process.cpuTime;
    case CLOCK.THREAD_CPUTIME:
      return task.cpuTime;
    default:
      return clock < 0 ? processorClock(kernel, task, clock) : undefined;
  }
}

/** Ids of dynamic clocks: ~pid << 3 | thread 4 | kind. */
function processorClock(kernel: Kernel, task: Task, clock: number): bigint | undefined {
  const id = ~(clock >> 3);
  if ((clock & 3) === 3) return undefined;
  if ((clock & 4) !== 0) return (id === 0 ? task : kernel.tasks.get(id))?.cpuTime;
  return (id === 0 ? task.process : kernel.processes.get(id))?.cpuTime;
}

/** Whether a clock runs with real time, so that its absolute times convert to kernel.now by environment.time. */
const isRealtime = (clock: number): boolean =>
  clock === CLOCK.REALTIME ||
  clock === CLOCK.REALTIME_ALARM ||
  clock === CLOCK.TAI ||
  clock === CLOCK.REALTIME_COARSE;

/** kernel.now at which a clock reads `time`. */
export function absoluteToNow(kernel: Kernel, clock: number, time: bigint): bigint {
  return time - (isRealtime(clock) ? kernel.environment.time : kernel.environment.uptime);
}

/** A timespec {i64 s, i64 ns} in ns; negative errno where it is not valid. Throws MemoryFault. */
export function readTimespec(space: AddressSpace, address: number): bigint | number {
  const seconds = BigInt.asIntN(64, space.read64(address));
  const nanos = BigInt.asIntN(64, space.read64(address + 8));
  if (seconds < 0n || nanos < 0n || nanos >= SECOND) return -E.INVAL;
  return clampTime(seconds * SECOND + nanos);
}

/** A timeval {i64 s, i64 us} in ns; negative errno where it is not valid. Throws MemoryFault. */
export function readTimeval(space: AddressSpace, address: number): bigint | number {
  const seconds = BigInt.asIntN(64, space.read64(address));
  const micros = BigInt.asIntN(64, space.read64(address + 8));
  if (seconds < 0n || micros < 0n || micros >= 1_000_000n) return -E.INVAL;
  return clampTime(seconds * SECOND + micros * 1000n);
}

/** Linux's KTIME_MAX. */
const clampTime = (ns: bigint): bigint => (ns > 0x7fffffffffffffffn ? 0x7fffffffffffffffn : ns);

export function writeTimespec(space: AddressSpace, address: number, ns: bigint): void {
  space.write64(address, ns / SECOND);
  space.write64(address + 8, ns % SECOND);
}

export function writeTimeval(space: AddressSpace, address: number, ns: bigint): void {
  space.write64(address, ns / SECOND);
  space.write64(address + 8, (ns % SECOND) / 1000n);
}
