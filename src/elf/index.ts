// elf: headers, segments, symbols, dynamic section, unwind tables. Floor 1.

export type { CfaRule, RegisterRule, UnwindRow } from './cfa.ts';
export { EM_X86_64, ET, PF, PT, SHT, STB, STT } from './constants.ts';
export { buildIdOf, type Dynamic, readDynamic } from './dynamic.ts';
export { type ExpressionContext, evaluateExpression } from './expression.ts';
export {
  type ByteSource,
  type Elf,
  ElfSource,
  fileOffset,
  interpreterOf,
  isElf,
  parseElf,
  readSections,
  type Section,
  type Segment,
} from './file.ts';
export {
  dynamicSymbols,
  type ElfSymbol,
  FunctionIndex,
  functionsOf,
  SymbolTable,
  staticSymbols,
} from './symbols.ts';
export { UnwindTable } from './unwind.ts';
