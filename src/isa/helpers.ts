// Names of the functions behind the IR operation `call`: everything that is better said in a function than in IR
// (cpuid, x87, fxsave). The functions live in the machine room; a test holds both tables to the same names.
// New helper: one row here, one function there.
import { FLOAT_HELPERS } from './x64/float-helpers.ts';

/**
 * What a helper does besides computing its result:
 * pure: nothing; a function of its operands alone.
 * state: reads or writes guest state outside of the IR registers (x87 stack, MMX, counters) or MXCSR.
 * vector: as state, and may write XMM registers.
 * memory: as vector, and reads or writes guest memory, so it may fault; it does so before it changes any state.
 */
export type HelperEffect = 'pure' | 'state' | 'vector' | 'memory';

interface HelperRow {
  readonly name: string;
  readonly effect: HelperEffect;
}

/** Integer and system helpers: cpuid(leaf, subleaf, which of eax ebx ecx edx), rdtsc(), xgetbv(ecx), pdep and pext(value, mask). */
const INTEGER_HELPERS = [
  { name: 'cpuid', effect: 'pure' },
  { name: 'rdtsc', effect: 'state' },
  { name: 'xgetbv', effect: 'pure' },
  { name: 'pdep', effect: 'pure' },
  { name: 'pext', effect: 'pure' },
] as const satisfies readonly HelperRow[];

/** All helpers; `call` names one by its index here. */
export const HELPERS: readonly HelperRow[] = [...INTEGER_HELPERS, ...FLOAT_HELPERS];
const INDEX = new Map(HELPERS.map((row, i) => [row.name, i]));

/** Index of a helper by name; an unknown name is a bug of the lifter. */
export function helperIndex(name: string): number {
  const index = INDEX.get(name);
  if (index === undefined) throw new Error(`internal error: no helper ${name}`);
  return index;
}
