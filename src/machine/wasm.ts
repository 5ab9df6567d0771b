// WebAssembly as far as the machine uses it; the language's library typings have it only together with a browser's.

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** Grows by pages of 64 KiB; the old buffer is detached. Throws where the system has no more. */
  grow(pages: number): number;
}

interface WasmNamespace {
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => WasmMemory;
}

const namespace = (globalThis as unknown as { readonly WebAssembly: WasmNamespace }).WebAssembly;

/** A linear memory; sizes in pages of 64 KiB. */
export function createWasmMemory(initial: number, maximum: number): WasmMemory {
  return new namespace.Memory({ initial, maximum });
}
