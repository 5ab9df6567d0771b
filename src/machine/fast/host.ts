// The host's WebAssembly compiler, typed as far as the fast engine uses it.
import { heedBranchHints } from '../../host/index.ts';
import type { WasmMemory } from '../wasm.ts';

export interface WasmModule {
  readonly brand?: 'module';
}
export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}
export interface WasmTable {
  readonly length: number;
  set(index: number, value: unknown): void;
  grow(by: number): number;
}
interface Namespace {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => WasmInstance;
  readonly Table: new (descriptor: { element: 'anyfunc'; initial: number; maximum: number }) => WasmTable;
}
const namespace = (globalThis as unknown as { readonly WebAssembly: Namespace }).WebAssembly;

export type Imports = Readonly<Record<string, ((...values: never[]) => unknown) | WasmMemory | WasmTable>>;

export function compileModule(bytes: Uint8Array): WasmModule {
  heedBranchHints();
  return new namespace.Module(bytes);
}
export function instantiate(module: WasmModule, imports: Imports): WasmInstance {
  return new namespace.Instance(module, { m: imports });
}
export function createTable(initial: number, maximum: number): WasmTable {
  return new namespace.Table({ element: 'anyfunc', initial, maximum });
}
