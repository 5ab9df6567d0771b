// Instances of the core module: generated once for its places in linear memory, or taken from where it was stored.
import type { CodeStore } from '../code-store.ts';
import { FLAG_FUNCTIONS } from '../flags.ts';
import { compileModule, instantiate, type WasmInstance, type WasmModule } from './host.ts';
import { coreModule } from './interpreter.ts';
import type { Places } from './layout.ts';
import { stored } from './stored-code.ts';

const MODULES = new Map<string, WasmModule>();

export function coreInstance(
  places: Places,
  hot: number,
  store: CodeStore | undefined,
  imports: Parameters<typeof instantiate>[1],
): WasmInstance {
  const key = `${places.cpu}.${places.table}.${places.emptyLeaf}.${hot}`;
  let module = MODULES.get(key);
  if (module === undefined) {
    module = compileModule(stored(store, `core.${key}`, () => coreModule(places, hot)));
    MODULES.set(key, module);
  }
  return instantiate(module, imports);
}

/** Status flags of the kinds that the core module leaves out. */
export function rareStatus(kw: number, a: bigint, b: bigint, c: bigint, before: number): number {
  const width = kw >>> 8;
  const cut = (value: bigint): bigint => BigInt.asUintN(width, value);
  return (before & ~0x8d5) | FLAG_FUNCTIONS[kw & 0xff](width, cut(a), cut(b), cut(c), before);
}
