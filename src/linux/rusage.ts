// struct rusage: ru_utime, ru_stime (timeval each), then 14 longs. All processor time counts as user time.
import type { AddressSpace } from '../machine/index.ts';
import { writeTimeval } from './time.ts';

export const RUSAGE_SIZE = 144;

/** `resident`: bytes, for ru_maxrss, which counts KiB. */
export function writeRusage(space: AddressSpace, address: number, cpuTime: bigint, resident = 0): void {
  space.write(address, new Uint8Array(RUSAGE_SIZE));
  writeTimeval(space, address, cpuTime);
  space.write64(address + 32, BigInt(Math.ceil(resident / 1024)));
}

/** Everything that is mapped counts as resident, as in /proc/PID/status. */
export const residentSize = (space: AddressSpace): number =>
  space.regions().reduce((sum, { start, end }) => sum + (end - start), 0);
