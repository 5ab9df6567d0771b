// Mappings that grow downwards when touched below (the stack, MAP_GROWSDOWN), up to RLIMIT_STACK.
import { PAGE_SIZE } from '../machine/index.ts';
import { RLIMIT } from './abi-process.ts';
import type { Task } from './task.ts';

/** Distance that is kept to the mapping below. */
const GUARD = 256 * PAGE_SIZE;

/** Extends the growing mapping that lies above `address` so that it covers it; false where there is none or it may not. */
export function growStack(task: Task, address: number): boolean {
  const { process } = task;
  const { space } = process;
  if (space.find(address) !== undefined || process.growing.length === 0) return false;
  const page = address - (address % PAGE_SIZE);
  for (const end of process.growing) {
    const top = space.find(end - 1);
    if (top === undefined || top.end !== end || page >= top.start) continue;
    const limit = process.rlimits[RLIMIT.STACK][0];
    if (BigInt(end - page) > limit) continue;
    const between = space.regions().some((region) => region.start < top.start && region.end > page - GUARD);
    if (between) continue;
    space.map({ address: page, length: top.start - page, prot: top.prot, name: top.name });
    return true;
  }
  return false;
}
