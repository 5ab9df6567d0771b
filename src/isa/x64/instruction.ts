// One decoded x86-64 instruction as plain data, and the names of the registers that operands refer to.
//
// Immediates and displacements keep their 64 bits as two int32 halves: lifting wants no BigInt.

/** What an operand is. `near`: a branch target, in `immediate`. String operands name their implied registers. */
export type OperandKind =
  | 'register'
  | 'memory'
  | 'immediate'
  | 'near'
  | 'far'
  /** [rsi] with the instruction's segment, [rdi] (es), [rdi] with segment (maskmovq); width of the address register in `addressWidth`. */
  | 'string-source'
  | 'string-destination'
  | 'masked-destination';

/** gpr8h: AH CH DH BH, number 0..3 of the register it is a part of. */
export type RegisterClass =
  | 'none'
  | 'gpr'
  | 'gpr8h'
  | 'ip'
  | 'segment'
  | 'xmm'
  | 'ymm'
  | 'zmm'
  | 'mm'
  | 'st'
  | 'other';

export interface RegisterInfo {
  readonly name: string;
  readonly class: RegisterClass;
  readonly number: number;
  /** Bits. */
  readonly width: number;
}

export interface Instruction {
  readonly address: number;
  readonly length: number;
  /** Number of the encoding form in the decoder's table, and its name, e.g. `Add_rm32_r32`; `INVALID` for bad bytes. */
  readonly code: number;
  readonly codeName: string;
  /** Lower case, e.g. `add`. */
  readonly mnemonic: string;
  readonly kinds: readonly OperandKind[];
  /** By operand; the `none` register where it is no register. */
  readonly registers: readonly RegisterInfo[];
  /** Width in bits of the memory operand as the decoder's table has it; 0 where it has none (lea, fxsave is 4096). */
  readonly memoryWidth: number;
  readonly base: RegisterInfo;
  readonly index: RegisterInfo;
  /** 1, 2, 4 or 8. */
  readonly scale: number;
  /** Displacement; with base rip it is the absolute address already. */
  readonly displacementLow: number;
  readonly displacementHigh: number;
  /** 32 or 64: width of address arithmetic and of implied string registers and counters. */
  readonly addressWidth: number;
  /** fs or gs override; the others have base 0. */
  readonly segment: 'none' | 'fs' | 'gs';
  /** First immediate, sign-extended as its kind says, or the branch target. */
  readonly immediateLow: number;
  readonly immediateHigh: number;
  /** Second immediate (enter, extrq). */
  readonly immediate2: number;
  readonly lock: boolean;
  readonly rep: boolean;
  readonly repne: boolean;
}
