// isa: decoding, printing, IR types, lifting of x86-64. Floor 1.
export * from './builder.ts';
export * from './helpers.ts';
export * from './ir.ts';
export type { FeatureRow, LiftFunction, LiftTable } from './x64/context.ts';
export { LiftContext } from './x64/context.ts';
export type { Decoder, FlagFacts } from './x64/decoder.ts';
export { createDecoder, disassemble, flagFacts, WINDOW } from './x64/decoder.ts';
export type { Feature, FeatureSet } from './x64/features.ts';
export { BASELINE, FEATURES } from './x64/features.ts';
export type { Instruction, OperandKind, RegisterClass, RegisterInfo } from './x64/instruction.ts';
