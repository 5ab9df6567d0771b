// Expressions as circuits: the literals of an expression's bits. What a circuit cannot be made of, or would take more
// clauses than allowed, throws TooLarge.
import type { ByteSet, Expression, Expressions } from '../expr/index.ts';
import { nodesBelow, OP } from '../expr/index.ts';
import { type Bits, Gates, TooLarge } from './gates.ts';
import { FALSE, type Sat } from './sat.ts';

/** Tables with more entries are not made into circuits. */
const MOST_ENTRIES = 65_536;

type Maker = (g: Gates, a: Bits, b: Bits) => Bits;

const signed =
  (part: 'quotient' | 'rest'): Maker =>
  (g, a, b) => {
    const [p, q] = [a[a.length - 1], b[b.length - 1]];
    const absolute = (bits: Bits, sign: number): Bits => g.chooseWord(sign, g.negate(bits), bits);
    const out = g.divide(absolute(a, p), absolute(b, q))[part];
    return g.chooseWord(part === 'rest' ? p : g.xor(p, q), g.negate(out), out);
  };

const highProduct =
  (isSigned: boolean): Maker =>
  (g, a, b) => {
    const width = a.length;
    const wide = (bits: Bits): Bits => [
      ...bits,
      ...new Array<number>(width).fill(isSigned ? bits[width - 1] : FALSE),
    ];
    return g.mul(wide(a), wide(b)).slice(width);
  };

/** Operations of one or two words. */
const MAKERS: ReadonlyMap<number, Maker> = new Map<number, Maker>([
  [OP.add, (g, a, b) => g.add(a, b)],
  [OP.sub, (g, a, b) => g.sub(a, b)],
  [OP.mul, (g, a, b) => g.mul(a, b)],
  [OP.mulhu, highProduct(false)],
  [OP.mulhs, highProduct(true)],
  [OP.and, (g, a, b) => a.map((bit, i) => g.and(bit, b[i]))],
  [OP.or, (g, a, b) => a.map((bit, i) => g.or(bit, b[i]))],
  [OP.xor, (g, a, b) => a.map((bit, i) => g.xor(bit, b[i]))],
  [OP.not, (g, a) => g.not(a)],
  [OP.shl, (g, a, b) => g.shift(a, b, true, FALSE)],
  [OP.shr, (g, a, b) => g.shift(a, b, false, FALSE)],
  [OP.sar, (g, a, b) => g.shift(a, b, false, a[a.length - 1])],
  [OP.clz, (g, a) => g.zerosBefore([...a].reverse())],
  [OP.ctz, (g, a) => g.zerosBefore(a)],
  [OP.popcnt, (g, a) => g.population(a)],
  [OP.quotu, (g, a, b) => g.divide(a, b).quotient],
  [OP.modu, (g, a, b) => g.divide(a, b).rest],
  [OP.quots, signed('quotient')],
  [OP.mods, signed('rest')],
  [OP.eq, (g, a, b) => [g.eq(a, b)]],
  [OP.ltu, (g, a, b) => [g.ltu(a, b)]],
  [OP.lts, (g, a, b) => [g.lts(a, b)]],
]);

export class Blaster {
  readonly gates: Gates;
  private readonly x: Expressions;
  private readonly bits = new Map<Expression, Bits>();
  /** Bits of variables that conditions bound; those above are 0. */
  private readonly lengths = new Map<number, number>();

  constructor(x: Expressions, sat: Sat, limit: number) {
    this.x = x;
    this.gates = new Gates(sat, limit);
  }

  /** Literals of the expression's bits, the lowest first. */
  of(e: Expression): Bits {
    if (!this.bits.has(e)) {
      for (const node of nodesBelow(this.x.nodes, [e])) {
        if (!this.bits.has(node)) this.bits.set(node, this.make(node));
      }
    }
    return this.bits.get(e)!;
  }

  /**
   * Takes from conditions, all of which will be required, how long their variables are, which keeps circuits small.
   * Must come before anything has bits.
   */
  shorten(conditions: readonly Expression[]): void {
    const s = this.x.nodes;
    // twice, since a variable below a bounded one is bounded
    for (let round = 0; round < 2; round++) {
      for (const e of conditions) {
        if (s.opOf(e) !== OP.ltu || s.opOf(s.as[e]) !== OP.variable) continue;
        const [variable, limit] = [s.as[s.as[e]], s.bs[e]];
        const length = this.x.isConstant(limit)
          ? (this.x.value(limit) - 1n).toString(2).length
          : (this.lengths.get(this.x.variableNumber(limit)) ?? Infinity);
        if (length < (this.lengths.get(variable) ?? Infinity)) this.lengths.set(variable, length);
      }
    }
  }

  /** Adds that the condition holds. */
  require(condition: Expression): void {
    this.gates.sat.add([this.of(condition)[0]]);
  }

  /** Adds that the variable is in the set. */
  restrict(variable: number, domain: ByteSet): void {
    const { expression, width } = this.x.variableAt(variable);
    let truth = '';
    for (let v = 0; v < 2 ** width; v++) truth += domain.has(v) ? '1' : '0';
    this.gates.sat.add([this.gates.lookUp(this.of(expression), truth)]);
  }

  /** Value of an expression that has bits, in the assignment found. */
  value(e: Expression): bigint {
    let out = 0n;
    for (const [i, bit] of this.of(e).entries()) if (this.gates.sat.value(bit)) out |= 1n << BigInt(i);
    return out;
  }

  private make(e: Expression): Bits {
    const { x, gates } = this;
    const s = x.nodes;
    const op = s.opOf(e);
    const width = s.widthOf(e);
    const child = (i: number): Bits => this.bits.get(x.child(e, i))!;
    switch (op) {
      case OP.const:
        return gates.constant(width, x.value(e));
      case OP.variable:
        return this.variableBits(s.as[e], width);
      case OP.zext:
        return gates.resized(child(0), width);
      case OP.sext: {
        const a = child(0);
        return Array.from({ length: width }, (_, i) => a[Math.min(i, a.length - 1)]);
      }
      case OP.extract:
        return child(0).slice(s.auxOf(e), s.auxOf(e) + width);
      case OP.concat:
        return [...child(1), ...child(0)];
      case OP.select:
        return gates.chooseWord(child(0)[0], child(1), child(2));
      case OP.table:
        return this.table(e, child(0), width);
      case OP.rotl:
        if ((width & (width - 1)) !== 0) throw new TooLarge();
        return gates.rotate(child(0), child(1));
    }
    const maker = MAKERS.get(op);
    if (maker === undefined) throw new TooLarge();
    return maker(gates, child(0), x.child(e, 1) === 0 ? [] : child(1));
  }

  private variableBits(variable: number, width: number): Bits {
    const length = this.lengths.get(variable) ?? width;
    return Array.from({ length: width }, (_, i) => (i < length ? 2 * this.gates.sat.variable() : FALSE));
  }

  private table(e: Expression, index: Bits, width: number): Bits {
    const entries = this.x.tableEntries(e);
    if (entries.length > MOST_ENTRIES) throw new TooLarge();
    let size = 0;
    while (2 ** size < entries.length) size++;
    const bits = this.gates.resized(index, size);
    const outside = this.gates.any(index.slice(size));
    return Array.from({ length: width }, (_, i) => {
      let truth = '';
      for (let at = 0; at < 2 ** size; at++) truth += (entries[at] ?? 0n) & (1n << BigInt(i)) ? '1' : '0';
      return this.gates.and(outside ^ 1, this.gates.lookUp(bits, truth));
    });
  }
}
