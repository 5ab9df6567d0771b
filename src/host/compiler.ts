// Settings of the host's WebAssembly compiler.
import { setFlagsFromString } from 'node:v8';

/** Major versions of V8 that are known to have the flag; others would complain about it, or need none. */
const HINTED_BY_FLAG = { from: 11, to: 13 };
let hinting = false;

/**
 * Makes the compiler heed the branch hints of modules (the WebAssembly branch hinting proposal): what is marked as
 * unlikely is laid out of the way. Hosts without it are left as they are.
 */
export function heedBranchHints(): void {
  if (hinting) return;
  hinting = true;
  const major = Number.parseInt(process.versions.v8, 10);
  if (major >= HINTED_BY_FLAG.from && major <= HINTED_BY_FLAG.to)
    setFlagsFromString('--experimental-wasm-branch-hinting');
}

/** Major versions of V8 that are known to have the setting. */
const BUDGETED = { from: 11, to: 13 };
let budget = 0;

/**
 * Functions of modules that are compiled from now on go from the baseline compiler to the optimizing one when they ran
 * through about so many bytes of machine code: the latter takes a thousand times as long and runs beside the program.
 */
export function optimizeFrom(bytes: number): void {
  if (bytes === budget) return;
  budget = bytes;
  const major = Number.parseInt(process.versions.v8, 10);
  if (major >= BUDGETED.from && major <= BUDGETED.to) setFlagsFromString(`--wasm-tiering-budget=${bytes}`);
}

/** The major version of V8 that is known to have the setting; later ones do without what it switches off. */
const ALLOCATING = 11;
let allocating = false;

/**
 * Makes the optimizing compiler allocate registers with care in functions of any size. By default it keeps all values of
 * large functions in memory, which an interpreter's loop is slow with; the time that it saves is its own thread's.
 */
export function allocateRegisters(): void {
  if (allocating) return;
  allocating = true;
  const major = Number.parseInt(process.versions.v8, 10);
  if (major === ALLOCATING) setFlagsFromString('--no-turbo-use-mid-tier-regalloc-for-huge-functions');
}
