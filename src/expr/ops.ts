// The operations of expressions. Names and meaning are those of the IR where both have one; operations that can be
// said with others (ne, leu, les, neg, trunc, insert, bswap, rotr) have a builder and no node of their own.
//
// Nodes, four 32-bit words each:
//
//   word 0  31          16 15       8 7        0      word 1  a      word 2  b      word 3  c
//          | aux          | width    | op       |     an expression or immediate, by operation
//
// width is the number of bits of the value, 1 to 128; comparisons have width 1, their operands have one width.

/** A node of an Expressions store; 0 is none. Children have smaller numbers than their parents. */
export type Expression = number;

/** Operations in the order of their numbers: name, number of children. */
export const OPERATIONS = [
  ['none', 0],
  ['const', 0], // width <= 64: a low word, b high word; wider: a, b are the constants of the low 64 bits and of the rest
  ['variable', 0], // a: number of the variable
  ['add', 2],
  ['sub', 2],
  ['mul', 2],
  ['mulhu', 2],
  ['mulhs', 2],
  ['and', 2],
  ['or', 2],
  ['xor', 2],
  ['not', 1],
  ['shl', 2],
  ['shr', 2],
  ['sar', 2],
  ['rotl', 2],
  ['clz', 1],
  ['ctz', 1],
  ['popcnt', 1],
  // of two values of one width; x / 0 is all ones, x % 0 is x (unsigned), as solvers have it; signed: x / 0 is 1 or -1
  ['quotu', 2],
  ['modu', 2],
  ['quots', 2],
  ['mods', 2],
  ['eq', 2],
  ['ltu', 2],
  ['lts', 2],
  ['select', 3], // a (1 bit) ? b : c
  ['zext', 1],
  ['sext', 1],
  ['extract', 1], // bits [aux, aux + width) of a
  ['concat', 2], // a: high part, b: low part; widths may differ
  ['table', 1], // entry a of table b of constants; 0 past its end
] as const;

export type Operation = (typeof OPERATIONS)[number][0];
export const OP = Object.fromEntries(OPERATIONS.map((row, i) => [row[0], i])) as {
  readonly [K in Operation]: number;
};
/** Number of children by operation. */
export const ARITY: readonly number[] = OPERATIONS.map((row) => row[1]);

/** Operations of one operand and of two, all of one width, that the builders `unary` and `binary` know by name. */
export const UNARY_NAMES = ['not', 'neg', 'clz', 'ctz', 'popcnt', 'bswap'] as const;
export const BINARY_NAMES = [
  'add',
  'sub',
  'mul',
  'mulhu',
  'mulhs',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'sar',
  'rotl',
  'rotr',
  'quotu',
  'modu',
  'quots',
  'mods',
  'eq',
  'ne',
  'ltu',
  'leu',
  'lts',
  'les',
] as const;
export type UnaryName = (typeof UNARY_NAMES)[number];
export type BinaryName = (typeof BINARY_NAMES)[number];
