// struct rusage: ru_utime, ru_stime (timeval each), then 14 longs. All processor time counts as user time.
import type { AddressSpace } from '../machine/index.ts';
import { writeTimeval } from './time.ts';

export const RUSAGE_SIZE = 144;

export function writeRusage(space: AddressSpace, address: number, cpuTime: bigint): void {
  space.write(address, new Uint8Array(RUSAGE_SIZE));
  writeTimeval(space, address, cpuTime);
}
