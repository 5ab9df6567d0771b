// expr: bit-vector expressions, hash-consed and simplified while they are built; conditions of a path. Floor 1.

export { ByteSet } from './byte-set.ts';
export { byteSetOf, type Column, columnOf, columnOver, columnValue, evaluateRows } from './columns.ts';
export type { Assignment } from './evaluate.ts';
export { BINARY, type Binary, Expressions } from './expressions.ts';
export {
  ARITY,
  BINARY_NAMES,
  type BinaryName,
  type Expression,
  OP,
  OPERATIONS,
  type Operation,
  UNARY_NAMES,
  type UnaryName,
} from './ops.ts';
export { nodesBelow } from './order.ts';
export { PathCondition } from './path.ts';
export { substitute } from './substitute.ts';
export { parseText } from './text.ts';
