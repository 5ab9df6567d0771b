// Names and effects of the floating-point, MMX and vector helpers (see ../helpers.ts).
//
// Operands, in order. i: number of a stack register; pop, pops: how many registers go afterwards; signaling: 1 if a
// quiet NaN is invalid too; format: index in X87_OPERANDS for memory operands, X87_STORES for stores.

/** Formats of memory operands in x87 arithmetic. */
export const X87_OPERANDS = ['f32', 'f64', 'i16', 'i32'] as const;
/** Formats of x87 stores: floats, integers, integers truncated (fisttp), packed decimal. */
export const X87_STORES = ['f32', 'f64', 'i16', 'i32', 'i64', 'i16t', 'i32t', 'i64t', 'bcd'] as const;
/** Two-operand arithmetic; the r forms have the operands reversed. */
export const X87_ARITHMETIC = ['fadd', 'fmul', 'fsub', 'fsubr', 'fdiv', 'fdivr'] as const;
/** Constants that can be pushed. */
export const X87_CONSTANTS = ['fld1', 'fldl2t', 'fldl2e', 'fldpi', 'fldlg2', 'fldln2', 'fldz'] as const;
/** Instructions without operands: a helper each, `x87.` and the name. */
export const X87_PLAIN = [
  'fchs',
  'fabs',
  'ftst',
  'fxam',
  'fsqrt',
  'frndint',
  'fscale',
  'fxtract',
  'fprem',
  'fprem1',
  'f2xm1',
  'fyl2x',
  'fyl2xp1',
  'fptan',
  'fpatan',
  'fsin',
  'fcos',
  'fsincos',
  'fincstp',
  'fdecstp',
  'fnclex',
  'fninit',
] as const;

/** Fused operations: what is done with the product and the third operand. The alternating ones begin in lane 0 with the first. */
export const FUSED_KINDS = ['add', 'sub', 'negative_add', 'negative_sub', 'add_sub', 'sub_add'] as const;
export const FUSED_LANES = ['f32', 'f64', 'f32x4', 'f64x2'] as const;

interface FloatHelperRow {
  readonly name: string;
  readonly effect: 'pure' | 'state' | 'vector' | 'memory';
}
const state = (name: string): FloatHelperRow => ({ name, effect: 'state' });
const memory = (name: string): FloatHelperRow => ({ name, effect: 'memory' });

/** One row a helper: name and what it does besides computing its result. */
export const FLOAT_HELPERS: readonly FloatHelperRow[] = [
  { name: 'sse.rcp', effect: 'pure' }, // (f32)
  { name: 'sse.rsqrt', effect: 'pure' }, // (f32)
  { name: 'sse.check_mxcsr', effect: 'pure' }, // (value) general fault for reserved bits
  state('sse.addsub'), // (vector, vector, lane width)
  state('sse.round32'), // (f32, immediate)
  state('sse.round64'), // (f64, immediate)
  state('sse.round32x4'), // (vector, immediate)
  state('sse.round64x2'), // (vector, immediate)
  { name: 'sse.mpsadbw', effect: 'pure' }, // (vector, vector, immediate)
  { name: 'sse.phminposuw', effect: 'pure' }, // (vector)
  { name: 'sse.string_length', effect: 'pure' }, // (64-bit length, immediate)
  { name: 'sse.compare_explicit', effect: 'pure' }, // (vector, vector, immediate + lengths << 8, << 16)
  { name: 'sse.compare_implicit', effect: 'pure' }, // (vector, vector, immediate) -> mask 0-15, index 16-20, CF ZF SF OF 24-27
  { name: 'sse.expand_mask', effect: 'pure' }, // (mask, immediate)
  { name: 'crc32', effect: 'pure' }, // (crc, value, width of the value)
  ...FUSED_KINDS.flatMap((kind) => FUSED_LANES.map((lanes) => state(`fma.${kind}.${lanes}`))), // (x, y, z) x * y ± z
  state('f16.widen'), // (four halves) -> four singles
  state('f16.narrow'), // (four singles, immediate) -> four halves
  state('avx.compare32'), // (a, b, predicate 0..31)
  state('avx.compare64'), // as above
  state('avx.compare32x4'), // as above
  state('avx.compare64x2'), // as above
  { name: 'avx.permute32', effect: 'pure' }, // (lanes 0-3, lanes 4-7, four indices)
  { name: 'avx.permute_lanes', effect: 'pure' }, // (vector, indices, lane width)
  { name: 'avx.shl_each', effect: 'pure' }, // (vector, counts, lane width)
  { name: 'avx.shr_each', effect: 'pure' }, // as above
  { name: 'avx.sar_each', effect: 'pure' }, // as above
  memory('avx.load_masked'), // (address, mask, lane width)
  memory('avx.check_masked'), // (address, mask, lane width) faults where the store would
  memory('avx.store_masked32'), // (address, mask, vector)
  memory('avx.store_masked64'), // as above
  ...['32_32', '32_64', '64_32', '64_64'].map((widths) => memory(`avx.gather${widths}`)), // (base, to + index << 4 + mask << 8 + count << 12 + log2 scale << 16)
  memory('xsave'), // (address, components, 1 for the compacted format)
  memory('xrstor'), // (address, components)
  memory('fxsave'), // (address)
  memory('fxrstor'), // (address)
  state('mmx.get'), // (number)
  state('mmx.set'), // (number, value)
  state('mmx.enter'), // ()
  state('mmx.emms'), // ()
  state('x87.wait'), // ()
  state('x87.load32'), // (bits)
  state('x87.load64'), // (bits)
  state('x87.load80'), // (significand, sign and exponent)
  state('x87.load_integer'), // (64 bits)
  state('x87.load_decimal'), // (low 64 bits, high 16 bits)
  state('x87.load_register'), // (i)
  state('x87.load_constant'), // (index in X87_CONSTANTS)
  state('x87.store'), // (format, part) -> what would be stored; of bcd part 0 the low 64 bits, part 1 the high 16
  state('x87.store_prevented'), // (format) -> 1 where an unmasked exception prevents the store
  state('x87.store_done'), // (format, pop)
  state('x87.store80'), // (part) -> 0: significand, 1: sign and exponent
  state('x87.store80_prevented'), // () -> 1 as above
  state('x87.store80_done'), // (), pops
  state('x87.store_register'), // (i, pop)
  state('x87.store_unchecked'), // (i), pops; fstpnce
  state('x87.exchange'), // (i)
  state('x87.move_if'), // (condition, i)
  state('x87.arithmetic'), // (index in X87_ARITHMETIC, destination + 8 * source, pop)
  state('x87.arithmetic_memory'), // (index in X87_ARITHMETIC, format, bits)
  state('x87.compare'), // (i, signaling, pops)
  state('x87.compare_memory'), // (format, bits, pops)
  state('x87.compare_flags'), // (i, signaling, pops) -> ZF PF CF in RFLAGS positions
  state('x87.free'), // (i, pop)
  state('x87.get_control'), // () -> 16 bits
  state('x87.set_control'), // (16 bits)
  state('x87.get_status'), // () -> 16 bits
  memory('x87.save_environment'), // (address, 16 or 32: operand size)
  memory('x87.load_environment'), // (address, operand size)
  memory('x87.save'), // (address, operand size)
  memory('x87.restore'), // (address, operand size)
  ...X87_PLAIN.map((name) => state(`x87.${name}`)),
];
