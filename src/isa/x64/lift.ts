// Lifting of x86-64 to IR: the driver. The meanings are rows in integer.ts, system.ts, strings.ts, sse.ts, x87.ts …
// To add an instruction: one row and one lift function there, vectors in test/native.
import { BlockBuilder } from '../builder.ts';
import type { Block } from '../ir.ts';
import { avxRows } from './avx.ts';
import { bitRows } from './bits.ts';
import { LiftContext, type LiftFunction, type LiftTable } from './context.ts';
import { controlRows } from './control.ts';
import { createDecoder, type Decoder } from './decoder.ts';
import type { FeatureSet } from './features.ts';
import { BASELINE } from './features.ts';
import type { Instruction } from './instruction.ts';
import { integerRows } from './integer.ts';
import { moveRows } from './move.ts';
import { shiftRows } from './shift.ts';
import { sseRows } from './sse.ts';
import { isString, stringRows } from './strings.ts';
import { systemRows } from './system.ts';
import { x87Rows } from './x87.ts';

/** Everything but floating point and vectors. */
export const INTEGER_TABLE: LiftTable = {
  ...integerRows,
  ...moveRows,
  ...shiftRows,
  ...bitRows,
  ...controlRows,
  ...stringRows,
  ...systemRows,
};

/** All rows. A form's own name goes before its mnemonic. */
export const LIFT_TABLE: LiftTable = { ...INTEGER_TABLE, ...sseRows, ...avxRows, ...x87Rows };

/** Instructions in a block at most. */
const MAX_INSTRUCTIONS = 64;

/** Lifts blocks; keeps its buffers from one to the next. */
export class Lifter {
  private readonly builder = new BlockBuilder();
  private readonly cx: LiftContext;
  private decoder: Decoder | undefined;
  private readonly functions: LiftFunction[] = [];

  constructor(features: FeatureSet = BASELINE, decoder?: Decoder) {
    this.cx = new LiftContext(this.builder, features);
    this.decoder = decoder;
  }

  /**
   * The block that starts with the first of `bytes`, which stand at `address` (at most WINDOW of them). It ends with a
   * control transfer, before a repeated string instruction, after `limit` instructions or where the bytes end.
   * Undefined where not even one instruction is complete.
   */
  lift(bytes: Uint8Array, address: number, limit = MAX_INSTRUCTIONS): Block | undefined {
    const length = this.build(bytes, address, limit);
    return length === 0 ? undefined : this.builder.finish(address, length);
  }

  /** The same block, whose code holds until the next is lifted. */
  peek(bytes: Uint8Array, address: number, limit = MAX_INSTRUCTIONS): Block | undefined {
    const length = this.build(bytes, address, limit);
    return length === 0 ? undefined : this.builder.view(address, length);
  }

  /** Bytes lifted into the builder. */
  private build(bytes: Uint8Array, address: number, limit: number): number {
    const { builder, cx } = this;
    // the library's first use takes a while, and there may be none
    this.decoder ??= createDecoder();
    const { decoder } = this;
    builder.reset();
    decoder.start(bytes, address);
    let length = 0;
    while (builder.instructions < limit && !builder.terminated) {
      const instruction = decoder.next();
      if (instruction === undefined) break;
      if (builder.instructions > 0 && (instruction.rep || instruction.repne) && isString(instruction)) break;
      builder.insn(instruction.address, instruction.length);
      cx.begin(instruction);
      this.functionFor(instruction)(cx);
      length += instruction.length;
    }
    if (builder.instructions > 0 && !builder.terminated)
      builder.jump('jump', builder.const(64, address + length));
    return length;
  }

  private functionFor(instruction: Instruction): LiftFunction {
    return (this.functions[instruction.code] ??= liftFunction(instruction, this.cx.features));
  }
}

const illegal: LiftFunction = (cx) => cx.b.trap('illegal');
const unsupported: LiftFunction = (cx) => cx.b.unsupported();

/** EVEX forms share mnemonics with VEX ones, and mean more. */
const byMnemonic = ({ codeName }: Instruction): boolean => !/^(EVEX|MVEX)_/.test(codeName);

function liftFunction(instruction: Instruction, features: FeatureSet): LiftFunction {
  if (instruction.codeName === 'INVALID') return illegal;
  const row =
    LIFT_TABLE[instruction.codeName] ??
    (byMnemonic(instruction) ? LIFT_TABLE[instruction.mnemonic] : undefined);
  if (row === undefined) return unsupported;
  if (typeof row === 'function') return row;
  return features.has(row.needs) ? row.lift : (row.otherwise ?? unsupported);
}
