// The helpers behind instructions of SSE4.1 and SSE4.2 that are no lane-wise operation: rounding to integral values,
// sums of absolute differences at offsets, string comparisons, CRC-32C (Intel SDM vol. 2; string comparisons 4.1).
import { formatOf, settle } from './float.ts';
import type { Helper } from './helpers.ts';
import { add, decode, type FloatContext, subtract } from './softfloat.ts';
import { toIntegral } from './softfloat-convert.ts';
import { join, lanes } from './vector.ts';

/** ROUNDSS and kin. immediate: rounding mode 0-1, 2 the one of MXCSR instead, 3 no precision exception. */
const rounding =
  (laneWidth: 32 | 64, total: number): Helper =>
  (cpu, _memory, a, immediate) => {
    const control = Number(immediate);
    const format = formatOf(laneWidth);
    const from = lanes(a, laneWidth, total);
    const round = (lane: number, context: FloatContext): bigint => {
      if ((control & 4) === 0) context.rounding = control & 3;
      const number = decode(format, from[lane], context.daz);
      // denormal operands are not reported
      return toIntegral(format, { ...number, denormal: false }, (control & 8) !== 0, context);
    };
    return join(settle(cpu, from.length, round), laneWidth);
  };

/** MPSADBW: eight sums of four absolute differences, the first operand's bytes sliding. */
const slidingDifferences: Helper = (_cpu, _memory, a, b, immediate) => {
  const control = Number(immediate);
  const sliding = lanes(a, 8).slice(control & 4);
  const block = lanes(b, 8).slice(4 * (control & 3), 4 * (control & 3) + 4);
  const distance = (x: bigint, y: bigint): bigint => (x > y ? x - y : y - x);
  const sums = Array.from({ length: 8 }, (_, at) =>
    block.reduce((sum, y, i) => sum + distance(sliding[at + i], y), 0n),
  );
  return join(sums, 16);
};

/** PHMINPOSUW: the smallest of eight unsigned words, and where it stands first. */
const smallestWord: Helper = (_cpu, _memory, a) => {
  const words = lanes(a, 16);
  let at = 0;
  for (const [i, word] of words.entries()) if (word < words[at]) at = i;
  return words[at] | (BigInt(at) << 16n);
};

interface Characters {
  /** Values, signed where the control byte says so. */
  readonly values: readonly bigint[];
  /** How many of them are part of the string. */
  readonly length: number;
}

/** Control byte: format 0-1 (words, signed), aggregation 2-3, polarity 4-5, index or mask form 6. */
const isWords = (control: number): boolean => (control & 1) !== 0;
const countOf = (control: number): number => (isWords(control) ? 8 : 16);

function characters(bits: bigint, control: number, length?: number): Characters {
  const width = isWords(control) ? 16 : 8;
  const unsigned = lanes(bits, width);
  const end = unsigned.indexOf(0n);
  const values = control & 2 ? unsigned.map((value) => BigInt.asIntN(width, value)) : unsigned;
  return { values, length: length ?? (end < 0 ? unsigned.length : end) };
}

type Aggregation = (a: Characters, b: Characters, at: number) => boolean;

/** In the order of the control byte; which of the results hold at position `at` of the second string. */
const AGGREGATIONS: readonly Aggregation[] = [
  // equal any
  (a, b, at) => at < b.length && a.values.slice(0, a.length).includes(b.values[at]),
  // ranges: pairs of bounds
  (a, b, at) => {
    if (at >= b.length) return false;
    for (let i = 0; i + 1 < a.length; i += 2) {
      if (a.values[i] <= b.values[at] && b.values[at] <= a.values[i + 1]) return true;
    }
    return false;
  },
  // equal each
  (a, b, at) =>
    at < a.length && at < b.length ? a.values[at] === b.values[at] : at >= a.length && at >= b.length,
  // equal ordered: the first string begins here
  (a, b, at) => {
    for (let i = 0; at + i < b.values.length && i < a.length; i++) {
      if (at + i >= b.length || a.values[i] !== b.values[at + i]) return false;
    }
    return true;
  },
];

/** Result mask in bits 0-15, index in 16-20, CF ZF SF OF in 24-27. */
function compareStrings(a: Characters, b: Characters, control: number): bigint {
  const count = countOf(control);
  const aggregate = AGGREGATIONS[(control >> 2) & 3];
  let mask = 0;
  for (let at = 0; at < count; at++) {
    let holds = aggregate(a, b, at);
    const inverted = (control & 0x10) !== 0 && ((control & 0x20) === 0 || at < b.length);
    if (inverted) holds = !holds;
    if (holds) mask |= 1 << at;
  }
  const lowest = mask === 0 ? count : 31 - Math.clz32(mask & -mask);
  const highest = mask === 0 ? count : 31 - Math.clz32(mask);
  const index = control & 0x40 ? highest : lowest;
  const flags = (mask ? 1 : 0) | (b.length < count ? 2 : 0) | (a.length < count ? 4 : 0) | ((mask & 1) << 3);
  return BigInt(mask | (index << 16) | (flags << 24));
}

/** control: the control byte, then one byte each for the lengths of the explicit form. */
const compareExplicit: Helper = (_cpu, _memory, a, b, c) => {
  const control = Number(c & 0xffn);
  const [m, n] = [Number((c >> 8n) & 0xffn), Number((c >> 16n) & 0xffn)];
  return compareStrings(characters(a, control, m), characters(b, control, n), control);
};
const compareImplicit: Helper = (_cpu, _memory, a, b, c) => {
  const control = Number(c & 0xffn);
  return compareStrings(characters(a, control), characters(b, control), control);
};

/** An explicit length: its magnitude, at most as many characters as there are. */
const stringLength: Helper = (_cpu, _memory, length, control) => {
  const signed = BigInt.asIntN(64, length);
  const size = signed < 0n ? -signed : signed;
  const count = BigInt(countOf(Number(control)));
  return size > count ? count : size;
};

/** The mask forms' result: bits, or whole characters where bit 6 of the control byte is set. */
const expandMask: Helper = (_cpu, _memory, mask, immediate) => {
  const control = Number(immediate);
  if ((control & 0x40) === 0) return mask;
  const width = isWords(control) ? 16 : 8;
  return join(
    lanes(mask, 1, countOf(control)).map((bit) => -bit),
    width,
  );
};

/** CRC-32C over the low bytes of a value. */
const crc32: Helper = (_cpu, _memory, start, value, width) => {
  let crc = Number(start);
  for (const byte of lanes(value, 8, Number(width))) {
    crc ^= Number(byte);
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return BigInt(crc >>> 0);
};

/** ADDSUBPS, ADDSUBPD. */
const addsub: Helper = (cpu, _memory, a, b, width) => {
  const laneWidth = Number(width);
  const format = formatOf(laneWidth);
  const [left, right] = [lanes(a, laneWidth), lanes(b, laneWidth)];
  const compute = (lane: number, context: FloatContext): bigint => {
    const [x, y] = [left, right].map((from) => decode(format, from[lane], context.daz));
    return lane & 1 ? add(format, x, y, context) : subtract(format, x, y, context);
  };
  return join(settle(cpu, left.length, compute), laneWidth);
};

export const extendedHelpers: Readonly<Record<string, Helper>> = {
  'sse.addsub': addsub,
  'sse.round32': rounding(32, 32),
  'sse.round64': rounding(64, 64),
  'sse.round32x4': rounding(32, 128),
  'sse.round64x2': rounding(64, 128),
  'sse.mpsadbw': slidingDifferences,
  'sse.phminposuw': smallestWord,
  'sse.compare_explicit': compareExplicit,
  'sse.compare_implicit': compareImplicit,
  'sse.string_length': stringLength,
  'sse.expand_mask': expandMask,
  crc32,
};
