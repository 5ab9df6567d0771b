// Expressions of the status flags, as lazy as the flags themselves: operands of the last operation that set them, or,
// where an instruction changed single flags, one expression a flag.
import { assert } from '../../bytes/index.ts';
import type { Expression, Expressions } from '../../expr/index.ts';
import { FLAG_BITS, FLAG_KINDS, FLAGS } from '../../isa/index.ts';

type Flag = (typeof FLAGS)[number];
type Kind = (typeof FLAG_KINDS)[number];

const indexOf = Object.fromEntries(FLAGS.map((name, i) => [name, i])) as Readonly<Record<Flag, number>>;
const STATUS_FLAGS: readonly Flag[] = ['CF', 'PF', 'AF', 'ZF', 'SF', 'OF'];

/** Operands, all of them expressions; c of some kinds only. */
interface Operands {
  readonly x: Expressions;
  readonly kind: Kind;
  readonly width: number;
  readonly a: Expression;
  readonly b: Expression;
  readonly c: Expression;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class FlagShadow {
  private pending: Operands | undefined;
  /** The object that is pending, one for all operations: most flags are never looked at. */
  private readonly operands: Mutable<Operands>;
  /** By index in FLAGS; 0: as the processor has it. */
  private readonly bits = new Int32Array(FLAGS.length);
  private set = false;

  get any(): boolean {
    return this.pending !== undefined || this.set;
  }

  clear(): void {
    this.pending = undefined;
    if (this.set) this.bits.fill(0);
    this.set = false;
  }

  constructor() {
    this.operands = { x: undefined as never, kind: 'logic', width: 0, a: 0, b: 0, c: 0 };
  }

  /** An operation sets all status flags; `kind` is an index in FLAG_KINDS. */
  operation(x: Expressions, kind: number, width: number, a: Expression, b: Expression, c: Expression): void {
    if (this.set) this.clear();
    const { operands } = this;
    operands.x = x;
    operands.kind = FLAG_KINDS[kind];
    operands.width = width;
    operands.a = a;
    operands.b = b;
    operands.c = c;
    this.pending = operands;
  }

  /** One flag gets a value; `expression` 0: a known one. */
  setFlag(x: Expressions, index: number, expression: Expression): void {
    if (expression === 0 && !this.any) return;
    this.settle(x);
    this.bits[index] = expression;
    this.set = this.bits.some((e) => e !== 0);
  }

  private settle(x: Expressions): void {
    const { pending } = this;
    if (pending === undefined) return;
    for (const name of STATUS_FLAGS) {
      const e = flagOf(pending, name);
      this.bits[indexOf[name]] = x.isConstant(e) ? 0 : e;
    }
    this.pending = undefined;
    this.set = true;
  }

  /** One bit: the flag by its index in FLAGS. `rflags`: what the processor has. */
  flag(x: Expressions, index: number, rflags: number): Expression {
    const name = FLAGS[index];
    if (this.pending !== undefined && name !== 'DF') return flagOf(this.pending, name);
    const known = this.bits[index];
    return known !== 0 ? known : x.constant(1, (rflags >> FLAG_BITS[name]) & 1);
  }

  /** One bit: a condition code as in Jcc. */
  condition(x: Expressions, code: number, rflags: number): Expression {
    const direct = this.pending === undefined ? 0 : directCondition(this.pending, code >> 1);
    const holds = direct !== 0 ? direct : this.byFlags(x, code >> 1, rflags);
    return (code & 1) === 0 ? holds : x.not(holds);
  }

  private byFlags(x: Expressions, pair: number, rflags: number): Expression {
    const flag = (name: Flag): Expression => this.flag(x, indexOf[name], rflags);
    switch (pair) {
      case 0:
        return flag('OF');
      case 1:
        return flag('CF');
      case 2:
        return flag('ZF');
      case 3:
        return x.or(flag('CF'), flag('ZF'));
      case 4:
        return flag('SF');
      case 5:
        return flag('PF');
      case 6:
        return x.xor(flag('SF'), flag('OF'));
      default:
        return x.or(flag('ZF'), x.xor(flag('SF'), flag('OF')));
    }
  }
}

/** Conditions that comparisons and tests are made for, without the detour of single flags; 0: none. */
function directCondition({ x, kind, width, a, b }: Operands, pair: number): Expression {
  if (kind === 'sub') {
    if (pair === 1) return x.ltu(a, b);
    if (pair === 2) return x.eq(a, b);
    if (pair === 3) return x.binary('leu', a, b);
    if (pair === 6) return x.binary('lts', a, b);
    if (pair === 7) return x.binary('les', a, b);
  }
  if (kind === 'logic') {
    const zero = x.constant(width, 0);
    if (pair === 2 || pair === 3) return x.eq(a, zero);
    if (pair === 6) return x.binary('lts', a, zero);
    if (pair === 7) return x.binary('les', a, zero);
  }
  return 0;
}

function flagOf(o: Operands, name: Flag): Expression {
  const { x, width } = o;
  switch (name) {
    case 'CF':
      return carryOf(o);
    case 'ZF':
      return o.kind === 'sub' ? x.eq(o.a, o.b) : x.eq(resultOf(o), x.constant(width, 0));
    case 'SF':
      return x.extract(resultOf(o), width - 1, 1);
    case 'OF':
      return overflowOf(o);
    case 'PF': {
      let bits = x.extract(resultOf(o), 0, 8);
      for (let half = 4; half >= 1; half >>= 1)
        bits = x.xor(x.extract(bits, half, half), x.extract(bits, 0, half));
      return x.not(bits);
    }
    default:
      return hasAdjust(o.kind)
        ? x.extract(x.xor(x.xor(o.a, operandOf(o)), resultOf(o)), 4, 1)
        : x.constant(1, 0);
  }
}

const hasAdjust = (kind: Kind): boolean =>
  kind === 'add' || kind === 'adc' || kind === 'sub' || kind === 'sbb' || kind === 'inc' || kind === 'dec';

/** The second operand of a sum or difference. */
function operandOf({ x, kind, width, b }: Operands): Expression {
  return kind === 'inc' || kind === 'dec' ? x.constant(width, 1) : b;
}

function resultOf(o: Operands): Expression {
  const { x, kind, width, a, b, c } = o;
  switch (kind) {
    case 'add':
      return x.add(a, b);
    case 'adc':
      return x.add(x.add(a, b), x.zext(c, width));
    case 'sub':
      return x.sub(a, b);
    case 'sbb':
      return x.sub(x.sub(a, b), x.zext(c, width));
    case 'logic':
    case 'umul':
    case 'smul':
      return a;
    case 'inc':
      return x.add(a, x.constant(width, 1));
    case 'dec':
      return x.sub(a, x.constant(width, 1));
    case 'shl':
    case 'shr':
    case 'sar':
      return x.binary(kind, a, b);
    case 'shld':
    case 'shrd':
      return doubleShift(o, kind === 'shld', c);
  }
}

function doubleShift({ x, width, a, b }: Operands, left: boolean, from: Expression): Expression {
  const rest = x.sub(x.constant(width, width), b);
  return left
    ? x.or(x.binary('shl', a, b), x.binary('shr', from, rest))
    : x.or(x.binary('shr', a, b), x.binary('shl', from, rest));
}

function carryOf(o: Operands): Expression {
  const { x, kind, width, a, b, c } = o;
  const no = x.constant(1, 0);
  switch (kind) {
    case 'add':
      return x.ltu(x.add(a, b), a);
    case 'adc':
      return x.select(c, x.binary('leu', resultOf(o), a), x.ltu(x.add(a, b), a));
    case 'sub':
      return x.ltu(a, b);
    case 'sbb':
      return x.select(c, x.binary('leu', a, b), x.ltu(a, b));
    case 'logic':
      return no;
    case 'inc':
    case 'dec':
      return c;
    case 'shl':
    case 'shld': {
      const count = countOf(o);
      return count <= width ? x.extract(a, width - count, 1) : no;
    }
    case 'shr':
    case 'shrd': {
      const count = countOf(o);
      return count <= width ? x.extract(a, count - 1, 1) : no;
    }
    case 'sar':
      return x.extract(a, Math.min(countOf(o), width) - 1, 1);
    case 'umul':
      return x.not(x.eq(b, x.constant(width, 0)));
    case 'smul':
      return x.not(x.eq(b, x.binary('sar', a, x.constant(width, width - 1))));
  }
}

/** Counts of shifts are never symbolic here: who sets the flags has decided on one, not 0. */
function countOf({ x, b }: Operands): number {
  assert(x.isConstant(b), 'a shift count is known');
  return Number(x.value(b));
}

function overflowOf(o: Operands): Expression {
  const { x, kind, width, a, b } = o;
  const sign = (e: Expression): Expression => x.extract(e, width - 1, 1);
  switch (kind) {
    case 'add':
    case 'adc':
    case 'inc': {
      const r = resultOf(o);
      return sign(x.and(x.xor(a, r), x.xor(operandOf(o), r)));
    }
    case 'sub':
    case 'sbb':
    case 'dec':
      return sign(x.and(x.xor(a, operandOf(o)), x.xor(a, resultOf(o))));
    case 'logic':
    case 'sar':
      return x.constant(1, 0);
    case 'shl':
      return x.xor(sign(resultOf(o)), carryOf(o));
    case 'shr':
      return sign(a);
    case 'shld':
    case 'shrd':
      return sign(x.xor(a, resultOf(o)));
    case 'umul':
    case 'smul':
      return b === 0 ? x.constant(1, 0) : carryOf(o);
  }
}
