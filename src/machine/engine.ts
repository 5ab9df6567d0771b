// What every engine offers, whatever its inside: run a task's registers over an address space until something
// happens that is not an instruction's business.
import type { Fault } from './fault.ts';
import type { AddressSpace } from './memory.ts';

/** Guest registers: one buffer, several views, so that engines, kernel and snapshots share it. */
export interface Registers {
  /** General registers in encoding order (rax rcx rdx rbx rsp rbp rsi rdi r8..r15). */
  readonly gpr: BigUint64Array;
  /** Two 64-bit halves each, low first. */
  readonly xmm: BigUint64Array;
  /** Upper halves of the YMM registers, likewise; zeros unless the processor has AVX. */
  readonly ymmHigh: BigUint64Array;
  rip: number;
  rflags: bigint;
  fsbase: bigint;
  gsbase: bigint;
  mxcsr: number;
  clone(): Registers;
  /** The 512-byte FXSAVE image (signal frames, core state). */
  fxsave(): Uint8Array;
  fxrstor(image: Uint8Array): void;
}

/**
 * Why an engine returned. `rip` is then the instruction concerned; for `syscall` and the trap kinds (breakpoint,
 * debug, overflow) the instruction after it, as on the processor.
 */
export type EngineStop =
  | { readonly kind: 'syscall' }
  /** A spinning thread says that it waits for another one; rip is behind it. */
  | { readonly kind: 'pause' }
  /** The instruction budget is used up; run again to go on. */
  | { readonly kind: 'budget' }
  /**
   * x86 exceptions. page: unmapped or not permitted (SIGSEGV), bus: beyond the end of a mapped file (SIGBUS), memory:
   * the machine has no frames left (as the OOM killer); all three with address and access. general: SIGSEGV with
   * address 0 (not canonical, privileged). float: SIGFPE from x87 or SSE, divide: SIGFPE from div and idiv.
   */
  | {
      readonly kind: 'fault';
      readonly fault: Fault;
      readonly address: number;
      readonly access: 'read' | 'write' | 'execute';
    }
  /** An instruction this engine has no meaning for; `text` is its disassembly, `code` its name in the decoder's table. */
  | { readonly kind: 'unsupported'; readonly address: number; readonly text: string; readonly code: string };

export interface Engine {
  /** Runs at most `budget` instructions. `executed` grows by what ran. */
  run(registers: Registers, space: AddressSpace, budget: number): EngineStop;
  /** Instructions executed so far, over all tasks. */
  executed: number;
  /** Stores code prepared so far for later processes, where the engine was given a place for it. */
  keep?(): void;
}
