// isa: decoding, printing, IR types, lifting of x86-64. Floor 1.
export * from './builder.ts';
export * from './helpers.ts';
export * from './ir.ts';
export { parseBlock, printBlock, printOperation } from './text.ts';
export { validateBlock } from './validate.ts';
export * from './vector-ops.ts';
export type { FeatureRow, LiftFunction, LiftTable } from './x64/context.ts';
export { LiftContext } from './x64/context.ts';
export type { Decoder, FlagFacts } from './x64/decoder.ts';
export { createDecoder, disassemble, flagFacts, WINDOW } from './x64/decoder.ts';
export type { CpuLevel, Feature, FeatureSet } from './x64/features.ts';
export { BASELINE, CPU_LEVELS, FEATURES } from './x64/features.ts';
export {
  FUSED_KINDS,
  FUSED_LANES,
  X87_ARITHMETIC,
  X87_CONSTANTS,
  X87_OPERANDS,
  X87_PLAIN,
  X87_STORES,
} from './x64/float-helpers.ts';
export type { Instruction, OperandKind, RegisterClass, RegisterInfo } from './x64/instruction.ts';
export { INTEGER_TABLE, LIFT_TABLE, Lifter } from './x64/lift.ts';
