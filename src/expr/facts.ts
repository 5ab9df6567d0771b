// What is known of a node's value without any condition: bits that are always 0 or always 1, and an unsigned interval.
// Facts are computed once, when a node is made, from those of its children. Nodes wider than 64 bits have no facts
// (the builders split what they can into halves).
//
// Bits beyond a node's width count as known zeros, so that facts of a zero extension are those of its operand. Interval
// bounds are doubles: exact below 2^53, else Infinity.
import { OP } from './ops.ts';
import type { NodeStore } from './store.ts';

/** Bounds at or above this are not exact in a double. */
const EXACT = 2 ** 53;
const WORD = 2 ** 32;

export const lowMask = (width: number): number => (width >= 32 ? -1 : ~(-1 << width));
export const highMask = (width: number): number =>
  width >= 64 ? -1 : width <= 32 ? 0 : ~(-1 << (width - 32));

/** Facts under construction: words of known zeros and ones, and bounds. One object, reused. */
export class Facts {
  zeros0 = 0;
  zeros1 = 0;
  ones0 = 0;
  ones1 = 0;
  min = 0;
  max = Infinity;

  unknown(width: number): void {
    this.zeros0 = width > 64 ? 0 : ~lowMask(width);
    this.zeros1 = width > 64 ? 0 : ~highMask(width);
    this.ones0 = 0;
    this.ones1 = 0;
    this.min = 0;
    this.max = Infinity;
  }

  /** Bounds follow from bits, and leading zero bits from bounds. */
  settle(): void {
    const least = (this.ones1 >>> 0) * WORD + (this.ones0 >>> 0);
    const most = (~this.zeros1 >>> 0) * WORD + (~this.zeros0 >>> 0);
    if (least < EXACT && least > this.min) this.min = least;
    else if (least >= EXACT) this.min = EXACT;
    if (most < EXACT && most < this.max) this.max = most;
    if (this.max < most && this.max < EXACT) {
      if (this.max < WORD) {
        this.zeros1 = -1;
        this.zeros0 |= ~lowMask(32 - Math.clz32(this.max));
      } else this.zeros1 |= ~lowMask(32 - Math.clz32(Math.floor(this.max / WORD)));
    }
  }
}

type Rule = (s: NodeStore, e: number, out: Facts) => void;

const shiftedLeft = (s: NodeStore, a: number, k: number, out: Facts): void => {
  // k < 64; ones and zeros of the operand move, zeros come in; the width's mask is applied by the caller
  if (k === 0) {
    out.zeros0 |= s.zeros0[a];
    out.zeros1 |= s.zeros1[a];
    out.ones0 |= s.ones0[a];
    out.ones1 |= s.ones1[a];
  } else if (k >= 32) {
    out.zeros0 = -1;
    out.zeros1 |= k === 32 ? s.zeros0[a] : (s.zeros0[a] << (k - 32)) | ((1 << (k - 32)) - 1);
    out.ones1 |= s.ones0[a] << (k - 32);
  } else {
    out.zeros0 |= (s.zeros0[a] << k) | ((1 << k) - 1);
    out.zeros1 |= (s.zeros1[a] << k) | (s.zeros0[a] >>> (32 - k));
    out.ones0 |= s.ones0[a] << k;
    out.ones1 |= (s.ones1[a] << k) | (s.ones0[a] >>> (32 - k));
  }
};

const shiftedRight = (s: NodeStore, a: number, k: number, out: Facts): void => {
  if (k === 0) {
    out.zeros0 |= s.zeros0[a];
    out.zeros1 |= s.zeros1[a];
    out.ones0 |= s.ones0[a];
    out.ones1 |= s.ones1[a];
  } else if (k >= 32) {
    out.zeros1 = -1;
    out.zeros0 |= k === 32 ? s.zeros1[a] : (s.zeros1[a] >>> (k - 32)) | ~(-1 >>> (k - 32));
    out.ones0 |= s.ones1[a] >>> (k - 32);
  } else {
    out.zeros1 |= (s.zeros1[a] >>> k) | ~(-1 >>> k);
    out.zeros0 |= (s.zeros0[a] >>> k) | (s.zeros1[a] << (32 - k));
    out.ones1 |= s.ones1[a] >>> k;
    out.ones0 |= (s.ones0[a] >>> k) | (s.ones1[a] << (32 - k));
  }
};

/** Number of low bits known to be 0. */
function trailing(s: NodeStore, a: number): number {
  const low = ~s.zeros0[a];
  if (low !== 0) return 31 - Math.clz32(low & -low);
  const high = ~s.zeros1[a];
  return high === 0 ? 64 : 63 - Math.clz32(high & -high);
}

function lowZeros(count: number, out: Facts): void {
  out.zeros0 |= lowMask(Math.min(count, 32));
  out.zeros1 |= count > 32 ? lowMask(Math.min(count - 32, 32)) : 0;
}

const tops = Array.from({ length: 65 }, (_, width) => (width > 53 ? Infinity : 2 ** width - 1));
const powers = Array.from({ length: 65 }, (_, at) => 2 ** at);
const top = (width: number): number => tops[width];

/** A constant count below 64, or -1. */
function constantCount(s: NodeStore, e: number): number {
  const k = s.smallOf(s.bs[e]);
  return k < 64 ? k : -1;
}

const RULES: Readonly<Partial<Record<keyof typeof OP, Rule>>> = {
  const: (s, e, out) => {
    out.zeros0 = ~s.as[e];
    out.zeros1 = ~s.bs[e];
    out.ones0 = s.as[e];
    out.ones1 = s.bs[e];
  },
  and: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    out.zeros0 = s.zeros0[a] | s.zeros0[b];
    out.zeros1 = s.zeros1[a] | s.zeros1[b];
    out.ones0 = s.ones0[a] & s.ones0[b];
    out.ones1 = s.ones1[a] & s.ones1[b];
    out.max = Math.min(s.max[a], s.max[b]);
  },
  or: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    out.zeros0 = s.zeros0[a] & s.zeros0[b];
    out.zeros1 = s.zeros1[a] & s.zeros1[b];
    out.ones0 = s.ones0[a] | s.ones0[b];
    out.ones1 = s.ones1[a] | s.ones1[b];
    out.min = Math.max(s.min[a], s.min[b]);
  },
  xor: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    out.zeros0 = (s.zeros0[a] & s.zeros0[b]) | (s.ones0[a] & s.ones0[b]);
    out.zeros1 = (s.zeros1[a] & s.zeros1[b]) | (s.ones1[a] & s.ones1[b]);
    out.ones0 = (s.zeros0[a] & s.ones0[b]) | (s.ones0[a] & s.zeros0[b]);
    out.ones1 = (s.zeros1[a] & s.ones1[b]) | (s.ones1[a] & s.zeros1[b]);
  },
  not: (s, e, out) => {
    const width = s.widthOf(e);
    out.zeros0 |= s.ones0[s.as[e]];
    out.zeros1 |= s.ones1[s.as[e]];
    out.ones0 = s.zeros0[s.as[e]] & lowMask(width);
    out.ones1 = s.zeros1[s.as[e]] & highMask(width);
  },
  add: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    const width = s.widthOf(e);
    const most = s.max[a] + s.max[b];
    if (most < EXACT && most <= top(width)) {
      out.min = s.min[a] + s.min[b];
      out.max = most;
    }
    lowZeros(Math.min(trailing(s, a), trailing(s, b)), out);
  },
  sub: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    if (s.min[a] >= s.max[b] && s.max[a] < EXACT) {
      out.min = s.min[a] - s.max[b];
      out.max = s.max[a] - s.min[b];
    }
    lowZeros(Math.min(trailing(s, a), trailing(s, b)), out);
  },
  mul: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    const most = s.max[a] * s.max[b];
    if (most <= top(s.widthOf(e)) && most < EXACT) {
      out.min = s.min[a] * s.min[b];
      out.max = most;
    }
    lowZeros(Math.min(64, trailing(s, a) + trailing(s, b)), out);
  },
  mulhu: (s, e, out) => {
    // by a constant, as compilers divide by constants
    const [a, b] = [s.as[e], s.bs[e]];
    if (s.opOf(b) !== OP.const || s.max[a] >= EXACT) return;
    const by = BigInt(s.as[b] >>> 0) | (BigInt(s.bs[b] >>> 0) << 32n);
    const high = (v: number): number => Number((BigInt(v) * by) >> BigInt(s.widthOf(e)));
    out.min = high(s.min[a]);
    out.max = high(s.max[a]);
  },
  shl: (s, e, out) => {
    const k = constantCount(s, e);
    if (k >= 0) shiftedLeft(s, s.as[e], k, out);
    else lowZeros(trailing(s, s.as[e]), out);
  },
  shr: (s, e, out) => {
    const k = constantCount(s, e);
    out.max = s.max[s.as[e]];
    if (k >= 0) {
      shiftedRight(s, s.as[e], k, out);
      out.min = Math.floor(s.min[s.as[e]] / powers[k]);
      if (out.max < EXACT) out.max = Math.floor(out.max / powers[k]);
    }
  },
  quotu: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    if (s.min[b] > 0 && s.max[a] < EXACT) {
      out.max = Math.floor(s.max[a] / s.min[b]);
      out.min = s.max[b] < EXACT ? Math.floor(s.min[a] / s.max[b]) : 0;
    }
  },
  modu: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    out.max = s.max[a];
    if (s.min[b] > 0 && s.max[b] < EXACT) out.max = Math.min(out.max, s.max[b] - 1);
  },
  clz: (s, e, out) => {
    out.max = s.widthOf(e);
  },
  ctz: (s, e, out) => {
    out.max = s.widthOf(e);
  },
  popcnt: (s, e, out) => {
    out.max = s.widthOf(e);
  },
  select: (s, e, out) => {
    const [a, b] = [s.bs[e], s.cs[e]];
    out.zeros0 = s.zeros0[a] & s.zeros0[b];
    out.zeros1 = s.zeros1[a] & s.zeros1[b];
    out.ones0 = s.ones0[a] & s.ones0[b];
    out.ones1 = s.ones1[a] & s.ones1[b];
    out.min = Math.min(s.min[a], s.min[b]);
    out.max = Math.max(s.max[a], s.max[b]);
  },
  zext: (s, e, out) => {
    const a = s.as[e];
    out.zeros0 = s.zeros0[a];
    out.zeros1 = s.zeros1[a];
    out.ones0 = s.ones0[a];
    out.ones1 = s.ones1[a];
    out.min = s.min[a];
    out.max = s.max[a];
  },
  sext: (s, e, out) => {
    const a = s.as[e];
    const from = s.widthOf(a);
    const low = lowMask(from);
    const high = highMask(from);
    const width = s.widthOf(e);
    const signAt = from - 1;
    const signOf = (word0: Int32Array, word1: Int32Array): number =>
      (signAt < 32 ? word0[a] >> signAt : word1[a] >> (signAt - 32)) & 1;
    const zero = signOf(s.zeros0, s.zeros1) === 1;
    const one = signOf(s.ones0, s.ones1) === 1;
    out.zeros0 |= zero ? s.zeros0[a] : s.zeros0[a] & low;
    out.zeros1 |= zero ? s.zeros1[a] : s.zeros1[a] & high;
    out.ones0 = one ? (s.ones0[a] | ~low) & lowMask(width) : s.ones0[a];
    out.ones1 = one ? (s.ones1[a] | ~high) & highMask(width) : s.ones1[a];
    if (zero) {
      out.min = s.min[a];
      out.max = s.max[a];
    }
  },
  extract: (s, e, out) => {
    const a = s.as[e];
    if (s.widthOf(a) > 64) return;
    const at = s.auxOf(e);
    shiftedRight(s, a, at, out);
    const width = s.widthOf(e);
    out.ones0 &= lowMask(width);
    out.ones1 &= highMask(width);
    out.zeros0 |= ~lowMask(width);
    out.zeros1 |= ~highMask(width);
    if (at === 0 && s.max[a] <= top(width)) {
      out.max = s.max[a];
      out.min = s.min[a];
    }
  },
  concat: (s, e, out) => {
    const [a, b] = [s.as[e], s.bs[e]];
    const at = s.widthOf(b);
    shiftedLeft(s, a, at, out);
    const [low, high] = [lowMask(at), highMask(at)];
    out.zeros0 = (out.zeros0 & ~low) | (s.zeros0[b] & low);
    out.zeros1 = (out.zeros1 & ~high) | (s.zeros1[b] & high);
    out.ones0 |= s.ones0[b];
    out.ones1 |= s.ones1[b];
    const most = s.max[a] * powers[at] + (s.max[b] < EXACT ? s.max[b] : powers[at]);
    if (most < EXACT) {
      out.max = most;
      out.min = s.min[a] * powers[at] + s.min[b];
    }
  },
  table: (s, e, out) => s.tables[s.bs[e]].facts(out),
};

const byNumber: readonly (Rule | undefined)[] = Object.keys(OP).map((name) => RULES[name as keyof typeof OP]);

/** Computes the facts of a node whose children have theirs. */
export function computeFacts(s: NodeStore, e: number, out: Facts): void {
  const width = s.widthOf(e);
  out.unknown(width);
  if (width > 64) return;
  const rule = byNumber[s.opOf(e)];
  if (rule !== undefined) {
    rule(s, e, out);
    out.zeros0 |= ~lowMask(width);
    out.zeros1 |= ~highMask(width);
    out.ones0 &= lowMask(width);
    out.ones1 &= highMask(width);
  }
  out.settle();
}
