// The intermediate representation that everything after decoding works on: interpreting, translating, symbolic
// evaluation, control-flow analysis. One block is straight-line code in static single assignment form, in a flat
// array, four 32-bit words an operation; a value's name is the index of the operation that made it.
//
//   word 0  31          16 15       8 7        0      word 1  a      word 2  b      word 3  c
//          | aux          | width    | opcode   |     value index, register number or immediate, by opcode
//
// width is the number of bits of the result (of the stored value for `store`, of the compared operands for `flags`
// and comparisons): 1, 8, 16, 32, 64 or 128. Values are unsigned bit-vectors; narrower operations wrap. The flat form
// is its own serialization (lifted code is cached by content).
//
// Rules for lifters, which make faults precise and engines simple:
// - one `insn` marker opens each instruction; its memory accesses all come before its first `set`, `flags`, `setf`,
//   `setrflags`; a store comes after every load and every operation that can fault (but in `enter`, which the
//   processor, too, does piece by piece);
// - general registers are read and written whole (64 bits); partial ones go through `trunc`, `extract`, `insert`;
// - nothing is conditional inside an instruction but `select`, and `exit` before its first effect; repeated string
//   instructions are blocks of their own that leave through `exit` at count 0, do one step and jump to themselves;
// - `call` may read and write guest memory and the state outside of REGISTERS (x87) as its row in HELPERS says;
// - the last operation of a block is its only terminator: jump, branch, syscall, trap, unsupported.

export const WORDS = 4;

/** Opcode rows: name, then what a, b and c are (v value, r register, i immediate, - unused) and what it yields. */
export const IR_OPS = [
  // structure
  ['insn', 'iii', ''], // a, b: address low and high word; c: length in bytes
  ['const', 'ii-', 'v'], // a: low word, b: high word (width <= 64)
  ['get', 'r--', 'v'], // a: register
  ['set', 'rv-', ''],
  // memory; addresses are 64-bit values
  ['load', 'v--', 'v'], // aux 1: the value is about to be stored back; a fault counts as a write
  ['store', 'vv-', ''], // a: address, b: value
  ['fence', '---', ''],
  ['align', 'v--', ''], // aux: alignment in bytes; a general fault where address a is not a multiple of it
  ['canonical', 'v--', ''], // a general fault where address a is none that code or data could have (bits 47..63 differ)
  // leaves the block for address b when the 1-bit a holds; the instruction is then done
  ['exit', 'vv-', ''],
  // atomic read-modify-write, for `lock` prefixes and xchg: yields the old value; aux: index in ATOMICS
  ['atomic', 'vvv', 'v'], // a: address, b: operand, c: replacement (cmpxchg only: b expected, c new)
  // integer arithmetic
  ['add', 'vv-', 'v'],
  ['sub', 'vv-', 'v'],
  ['mul', 'vv-', 'v'],
  ['mulhu', 'vv-', 'v'],
  ['mulhs', 'vv-', 'v'],
  ['and', 'vv-', 'v'],
  ['or', 'vv-', 'v'],
  ['xor', 'vv-', 'v'],
  ['not', 'v--', 'v'],
  ['neg', 'v--', 'v'],
  ['shl', 'vv-', 'v'], // a count >= width gives 0 (sign for sar); the count has the operation's width
  ['shr', 'vv-', 'v'],
  ['sar', 'vv-', 'v'],
  ['rotl', 'vv-', 'v'], // count modulo width
  ['rotr', 'vv-', 'v'],
  ['clz', 'v--', 'v'], // width for 0
  ['ctz', 'v--', 'v'],
  ['popcnt', 'v--', 'v'],
  ['bswap', 'v--', 'v'],
  // division of (a:b) by c with a the high half; a quotient that does not fit, or c = 0, is a divide fault
  ['divu', 'vvv', 'v'],
  ['remu', 'vvv', 'v'],
  ['divs', 'vvv', 'v'],
  ['rems', 'vvv', 'v'],
  // comparisons: width is the operands', the result has 1 bit
  ['eq', 'vv-', 'v1'],
  ['ne', 'vv-', 'v1'],
  ['ltu', 'vv-', 'v1'],
  ['leu', 'vv-', 'v1'],
  ['lts', 'vv-', 'v1'],
  ['les', 'vv-', 'v1'],
  ['select', 'vvv', 'v'], // a ? b : c
  // widths
  ['zext', 'v--', 'v'],
  ['sext', 'v--', 'v'],
  ['trunc', 'v--', 'v'],
  ['extract', 'v--', 'v'], // bits [aux, aux + width) of a
  ['insert', 'vv-', 'v'], // a with bits [aux, aux + width of b) replaced by b
  ['concat', 'vv-', 'v'], // a: high half, b: low half
  // flags. aux: index in FLAG_KINDS; b, c: -1 where the kind does not use them
  ['flags', 'vvv', ''],
  ['cond', 'i--', 'v1'], // a: condition code 0..15 as in Jcc
  ['getf', 'i--', 'v1'], // a: index in FLAGS
  ['setf', 'iv-', ''], // a: index in FLAGS, b: 1-bit value
  ['rflags', '---', 'v'], // the RFLAGS image, reserved bits as on the processor
  ['setrflags', 'v--', ''], // aux: 0 POPF (all that user mode may change), 1 SAHF (SF ZF AF PF CF), 2 COMIS (ZF PF CF given, OF SF AF 0)
  // everything that is better a function: aux is the index in the helper table, up to three value operands
  ['call', 'vvv', 'v'],
  // scalar and packed floating point: width 32 or 64 scalar, 128 packed with lane width in aux; rounding, FTZ, DAZ
  // from MXCSR, exception flags into MXCSR
  ['fadd', 'vv-', 'v'],
  ['fsub', 'vv-', 'v'],
  ['fmul', 'vv-', 'v'],
  ['fdiv', 'vv-', 'v'],
  ['fsqrt', 'v--', 'v'],
  ['fmin', 'vv-', 'v'],
  ['fmax', 'vv-', 'v'],
  ['fcmp', 'vvi', 'v'], // c: SSE predicate 0..7; all ones or zeros in each lane
  ['fcomi', 'vv-', 'v'], // width of the operands; yields 64 bits, ZF PF CF in RFLAGS positions; aux 1: signaling on QNaN
  ['fcvt', 'v--', 'v'], // aux: index in FLOAT_CONVERSIONS
  // packed integers: width 128, aux: lane width (and more, see VECTOR_OPS)
  ['vec', 'vvi', 'v'], // aux: index in VECTOR_OPS; c: immediate
  // terminators
  ['jump', 'v--', ''], // aux: index in JUMP_KINDS
  ['branch', 'vvv', ''], // a: 1-bit condition, b: address if true, c: address if false
  ['syscall', 'v--', ''], // a: address of the next instruction
  ['trap', 'i--', ''], // a: index in TRAPS
  ['unsupported', '---', ''], // the instruction at the last `insn`
] as const;

export type IrOp = (typeof IR_OPS)[number][0];
export const IR = Object.fromEntries(IR_OPS.map((row, i) => [row[0], i])) as { readonly [K in IrOp]: number };

/** Operations on floating-point numbers, whose format stands in the auxiliary bits. */
export const FLOAT_OPS: readonly number[] = [
  IR.fadd,
  IR.fsub,
  IR.fmul,
  IR.fdiv,
  IR.fsqrt,
  IR.fmin,
  IR.fmax,
  IR.fcmp,
  IR.fcomi,
  IR.fcvt,
];

/** Registers of the guest state that `get` and `set` name, with their width in bits. */
export const REGISTERS = [
  ...[
    'rax',
    'rcx',
    'rdx',
    'rbx',
    'rsp',
    'rbp',
    'rsi',
    'rdi',
    'r8',
    'r9',
    'r10',
    'r11',
    'r12',
    'r13',
    'r14',
    'r15',
  ].map((name) => ({ name, width: 64 })),
  { name: 'rip', width: 64 },
  { name: 'fsbase', width: 64 },
  { name: 'gsbase', width: 64 },
  { name: 'mxcsr', width: 32 },
  ...Array.from({ length: 16 }, (_, i) => ({ name: `xmm${i}`, width: 128 })),
  // upper halves of the YMM registers
  ...Array.from({ length: 16 }, (_, i) => ({ name: `ymmh${i}`, width: 128 })),
] as const;
export const REG = Object.fromEntries(REGISTERS.map((row, i) => [row.name, i])) as Readonly<
  Record<string, number>
>;
export const XMM0 = REG['xmm0'];
export const YMMH0 = REG['ymmh0'];

/** Status flags and the direction flag; the number is the bit in RFLAGS. */
export const FLAGS = ['CF', 'PF', 'AF', 'ZF', 'SF', 'OF', 'DF'] as const;
export const FLAG_BITS = { CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, DF: 10, OF: 11 } as const;

/**
 * How the six status flags follow from operands (a, b, of the operation's width):
 * add a+b, adc a+b+c (c: 1-bit carry in), sub a-b, sbb a-b-c, logic (a: result; CF OF AF 0), inc (a: operand before,
 * c: 1-bit, the carry that stays), dec likewise, shl/shr/sar (a: operand before, b: masked count; count 0 changes no
 * flag), shld/shrd (c: the operand that bits come from), umul/smul
 * (a: low half of a product, b: high half; CF and OF: the high half is more than the low one's zero or sign extension).
 */
export const FLAG_KINDS = [
  'add',
  'adc',
  'sub',
  'sbb',
  'logic',
  'inc',
  'dec',
  'shl',
  'shr',
  'sar',
  'umul',
  'smul',
  'shld',
  'shrd',
] as const;
/** neg: the operand is not used. */
export const ATOMICS = ['add', 'sub', 'and', 'or', 'xor', 'xchg', 'cmpxchg', 'neg'] as const;
export const JUMP_KINDS = ['jump', 'call', 'ret', 'indirect-jump', 'indirect-call'] as const;
export const TRAPS = ['illegal', 'breakpoint', 'overflow', 'debug', 'general', 'pause'] as const;

/** A lifted basic block. */
export interface Block {
  /** Guest address of the first instruction. */
  readonly start: number;
  /** Length of the guest code in bytes. */
  readonly length: number;
  /** Number of guest instructions. */
  readonly instructions: number;
  /** Operations, four words each. */
  readonly code: Int32Array;
}
