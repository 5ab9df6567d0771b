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
