// Bit tests, bit scans, and the BMI sets (off by default).
import type { AtomicKind, Value } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftContext, LiftFunction, LiftTable } from './context.ts';

interface BitRow {
  readonly compute?: (cx: LiftContext, value: Value, mask: Value) => Value;
  readonly atomic?: AtomicKind;
}

/** A register index into memory reaches beyond the operand: index / width operands away, rounding down. */
function bitAddress(cx: LiftContext, index: Value, width: number): Value {
  const { b } = cx;
  if (!cx.isRegister(1)) return cx.address();
  const words = b.sar(b.sext(64, index), b.const(64, Math.log2(width)));
  const offset = b.add(cx.offset(), b.shl(words, b.const(64, Math.log2(width / 8))));
  return cx.segmented(cx.insn.addressWidth === 64 ? offset : b.zext(64, b.trunc(32, offset)));
}

function bitTest(row: BitRow): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const index = cx.isRegister(1) ? cx.read(1, width) : b.const(width, cx.immediate & 0xff);
    const position = b.and(index, b.const(width, width - 1));
    const one = b.const(width, 1);
    const mask = b.shl(one, position);
    const address = cx.isMemory(0) ? bitAddress(cx, index, width) : -1;
    const { compute, atomic } = row;
    if (address < 0) {
      const old = cx.read(0, width);
      if (compute !== undefined) cx.write(0, compute(cx, old, mask));
      b.setf('CF', b.trunc(1, b.shr(old, position)));
      return;
    }
    let old: Value;
    if (cx.insn.lock && atomic !== undefined)
      old = b.atomic(atomic, address, atomic === 'and' ? b.not(mask) : mask);
    else if (compute === undefined) old = b.load(width, address);
    else {
      old = b.loadForUpdate(width, address);
      b.store(address, compute(cx, old, mask));
    }
    b.setf('CF', b.trunc(1, b.shr(old, position)));
  };
}

/** The destination keeps its value where the source is 0 (so do processors; one manual says so). */
function scan(forward: boolean): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const source = cx.read(1, width);
    const zero = b.isZero(source);
    const found = forward ? b.ctz(source) : b.sub(b.const(width, width - 1), b.clz(source));
    const number = cx.registerNumber(0);
    const before = b.get(number);
    const after = width === 64 ? found : width === 32 ? b.zext(64, found) : b.insert(before, found, 0);
    b.set(number, b.select(zero, before, after));
    b.setf('ZF', zero);
  };
}

function countZeros(op: 'clz' | 'ctz'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const source = cx.read(1, width);
    const count = b[op](source);
    cx.write(0, count);
    b.setf('CF', b.isZero(source));
    b.setf('ZF', b.isZero(count));
  };
}

const popcnt: LiftFunction = (cx) => {
  const { b } = cx;
  const count = b.popcnt(cx.read(1, cx.widthOf(0)));
  cx.write(0, count);
  b.flags('logic', count);
  b.setf('PF', b.const(1, 0));
  b.setf('SF', b.const(1, 0));
};

const andn: LiftFunction = (cx) => {
  const { b } = cx;
  const result = b.and(b.not(cx.read(1)), cx.read(2, cx.widthOf(0)));
  cx.write(0, result);
  b.flags('logic', result);
};

/** blsr, blsmsk, blsi: the source combined with itself minus one, or its negative. */
function lowestBit(kind: 'blsr' | 'blsmsk' | 'blsi'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const source = cx.read(1, width);
    const less = b.sub(source, b.const(width, 1));
    const result =
      kind === 'blsr'
        ? b.and(source, less)
        : kind === 'blsmsk'
          ? b.xor(source, less)
          : b.and(source, b.neg(source));
    const zero = b.isZero(source);
    cx.write(0, result);
    b.flags('logic', result);
    b.setf('CF', kind === 'blsi' ? b.not(zero) : zero);
  };
}

/** Bits [start, start + length) of the source, both bytes of the third operand. */
const bextr: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  const control = cx.read(2, width);
  const start = b.and(control, b.const(width, 0xff));
  const length = b.and(b.shr(control, b.const(width, 8)), b.const(width, 0xff));
  const mask = b.not(b.shl(b.const(width, -1), length));
  const result = b.and(b.shr(cx.read(1, width), start), mask);
  cx.write(0, result);
  b.flags('logic', result);
};

/** Bits from the index on cleared. */
const bzhi: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  const index = b.and(cx.read(2, width), b.const(width, 0xff));
  const result = b.and(cx.read(1, width), b.not(b.shl(b.const(width, -1), index)));
  cx.write(0, result);
  b.flags('logic', result);
  b.setf('CF', b.compare('leu', b.const(width, width), index));
};

const mulx: LiftFunction = (cx) => {
  const { b } = cx;
  const width = cx.widthOf(0);
  const x = cx.gpr(REG['rdx'], width);
  const y = cx.read(2, width);
  const high = b.mulhu(x, y);
  cx.write(1, b.mul(x, y));
  cx.write(0, high);
};

/** Shifts that touch no flags; the count is the third operand. */
function flaglessShift(op: 'shl' | 'shr' | 'sar' | 'rotr'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const count = b.and(cx.read(2, width), b.const(width, width - 1));
    cx.write(0, b[op](cx.read(1, width), count));
  };
}

/** pdep, pext. */
function bitScatter(helper: 'pdep' | 'pext'): LiftFunction {
  return (cx) => {
    const width = cx.widthOf(0);
    cx.write(0, cx.b.call(width, helper, cx.read(1, width), cx.read(2, width)));
  };
}

/** adcx and adox: an addition whose carry is CF or OF, other flags untouched. */
function addWith(flag: 'CF' | 'OF'): LiftFunction {
  return (cx) => {
    const { b } = cx;
    const width = cx.widthOf(0);
    const x = cx.read(0, width);
    const sum = b.add(x, cx.read(1, width));
    const carry = b.zext(width, b.getf(flag));
    const total = b.add(sum, carry);
    cx.write(0, total);
    b.setf(flag, b.or(b.compare('ltu', sum, x), b.compare('ltu', total, sum)));
  };
}

export const bitRows: LiftTable = {
  bt: bitTest({}),
  bts: bitTest({ compute: (cx, value, mask) => cx.b.or(value, mask), atomic: 'or' }),
  btr: bitTest({ compute: (cx, value, mask) => cx.b.and(value, cx.b.not(mask)), atomic: 'and' }),
  btc: bitTest({ compute: (cx, value, mask) => cx.b.xor(value, mask), atomic: 'xor' }),
  bsf: scan(true),
  bsr: scan(false),
  // the encodings are bsf and bsr with a rep prefix, which a processor without these ignores
  tzcnt: { needs: 'bmi1', lift: countZeros('ctz'), otherwise: scan(true) },
  lzcnt: { needs: 'lzcnt', lift: countZeros('clz'), otherwise: scan(false) },
  popcnt: { needs: 'popcnt', lift: popcnt },
  andn: { needs: 'bmi1', lift: andn },
  bextr: { needs: 'bmi1', lift: bextr },
  blsr: { needs: 'bmi1', lift: lowestBit('blsr') },
  blsmsk: { needs: 'bmi1', lift: lowestBit('blsmsk') },
  blsi: { needs: 'bmi1', lift: lowestBit('blsi') },
  bzhi: { needs: 'bmi2', lift: bzhi },
  mulx: { needs: 'bmi2', lift: mulx },
  rorx: { needs: 'bmi2', lift: flaglessShift('rotr') },
  sarx: { needs: 'bmi2', lift: flaglessShift('sar') },
  shlx: { needs: 'bmi2', lift: flaglessShift('shl') },
  shrx: { needs: 'bmi2', lift: flaglessShift('shr') },
  pdep: { needs: 'bmi2', lift: bitScatter('pdep') },
  pext: { needs: 'bmi2', lift: bitScatter('pext') },
  adcx: { needs: 'adx', lift: addWith('CF') },
  adox: { needs: 'adx', lift: addWith('OF') },
};
