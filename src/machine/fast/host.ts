// The host's WebAssembly compiler, typed as far as the fast engine uses it.
import { allocateRegisters, heedBranchHints, optimizeFrom } from '../../host/index.ts';
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

/** Bytes of machine code that a function runs through until it is optimized. */
const SOON = 2_000_000;
const LATE = 200_000_000;

export type Imports = Readonly<Record<string, ((...values: never[]) => unknown) | WasmMemory | WasmTable>>;

/** `optimized`: whether the host's optimizing compiler is to have the functions soon, or after they ran for long. */
export function compileModule(bytes: Uint8Array, optimized: 'soon' | 'late' = 'soon'): WasmModule {
  heedBranchHints();
  allocateRegisters();
  optimizeFrom(optimized === 'soon' ? SOON : LATE);
  return new namespace.Module(bytes);
}
export function instantiate(module: WasmModule, imports: Imports): WasmInstance {
  return new namespace.Instance(module, { m: imports });
}
export function createTable(initial: number, maximum: number): WasmTable {
  return new namespace.Table({ element: 'anyfunc', initial, maximum });
}
