// The meaning of the IR's SSE floating-point operations: fadd fsub fmul fdiv fsqrt fmin fmax fcmp fcomi, scalar and
// packed, under MXCSR (Intel SDM vol. 1, 10.2.3, 11.5). The arithmetic itself is softfloat.ts'; conversions are in
// float-convert.ts. An unmasked exception sets its flags and throws a GuestFault; nothing else has changed then.
import { GuestFault } from './fault.ts';
import {
  add,
  compare,
  decode,
  divide,
  encodeZero,
  F32,
  F64,
  FloatContext,
  type Format,
  FX,
  isNaNKind,
  multiply,
  type Num,
  noteDenormal,
  order,
  squareRoot,
  subtract,
} from './softfloat.ts';
import { join, lanes } from './vector.ts';

/** Where rounding, masks and flags live: the guest's registers. */
export interface FloatControl {
  mxcsr: number;
}

/**
 * `width` and `aux` as in the operation's words, operands as unsigned values, `immediate` the word c. Rows that have
 * fewer operands ignore the rest.
 */
export type FloatFunction = (
  control: FloatControl,
  width: number,
  aux: number,
  a: bigint,
  b: bigint,
  immediate: number,
) => bigint;

/** MXCSR: flags 0-5, DAZ 6, masks 7-12, rounding 13-14, FTZ 15. */
export const MXCSR_DEFAULT = 0x1f80;
export const MXCSR_WRITABLE = 0xffff;

export function sseContext(mxcsr: number): FloatContext {
  const context = new FloatContext();
  context.rounding = (mxcsr >> 13) & 3;
  context.masks = (mxcsr >> 7) & 0x3f;
  context.daz = (mxcsr & 0x40) !== 0;
  context.ftz = (mxcsr & 0x8000) !== 0;
  return context;
}

const PRE = FX.IE | FX.DE | FX.ZE;

/**
 * Runs one computation per lane and settles their exceptions together: when an exception on operands is unmasked, only
 * those are reported, since no lane gets as far as a result.
 */
export function settle(
  control: FloatControl,
  count: number,
  compute: (lane: number, context: FloatContext) => bigint,
): bigint[] {
  const results: bigint[] = [];
  let flags = 0;
  let masks = 0x3f;
  for (let lane = 0; lane < count; lane++) {
    const context = sseContext(control.mxcsr);
    results.push(compute(lane, context));
    flags |= context.flags;
    masks = context.masks;
  }
  if (flags & PRE & ~masks) flags &= PRE;
  control.mxcsr |= flags;
  if (flags & ~masks) throw new GuestFault('float');
  return results;
}

export const formatOf = (laneWidth: number): Format => (laneWidth === 32 ? F32 : F64);

type LaneFunction = (
  format: Format,
  a: bigint,
  b: bigint,
  context: FloatContext,
  immediate: number,
) => bigint;

/** Applies a function of encodings to the scalar, or to every lane of a packed operand. */
const perLane =
  (f: LaneFunction): FloatFunction =>
  (control, width, aux, a, b, immediate) => {
    const laneWidth = width === 128 ? aux : width;
    const format = formatOf(laneWidth);
    const left = lanes(a, laneWidth, width);
    const right = lanes(b, laneWidth, width);
    const results = settle(control, left.length, (i, context) =>
      f(format, left[i], right[i], context, immediate),
    );
    return join(results, laneWidth);
  };

const arithmetic = (f: (format: Format, a: Num, b: Num, context: FloatContext) => bigint): FloatFunction =>
  perLane((format, a, b, context) =>
    f(format, decode(format, a, context.daz), decode(format, b, context.daz), context),
  );

/** An operand that is handed through: a denormal becomes zero under DAZ. */
const passed = (format: Format, bits: bigint, n: Num): bigint =>
  n.kind === 'zero' ? encodeZero(format, n.sign) : bits;

/** MIN and MAX are not symmetric: with a NaN or two zeros the second operand is the result. */
const extreme = (wanted: -1 | 1): FloatFunction =>
  perLane((format, a, b, context) => {
    const left = decode(format, a, context.daz);
    const right = decode(format, b, context.daz);
    if (isNaNKind(left) || isNaNKind(right)) {
      context.flags |= FX.IE;
      return passed(format, b, right);
    }
    noteDenormal(context, left, right);
    return order(left, right) === wanted ? passed(format, a, left) : passed(format, b, right);
  });

/** The eight predicates: what they say of less, equal, greater, unordered, and whether a quiet NaN is invalid. */
const PREDICATES = [
  { holds: (o: number | undefined) => o === 0, signaling: false }, // EQ
  { holds: (o: number | undefined) => o === -1, signaling: true }, // LT
  { holds: (o: number | undefined) => o === -1 || o === 0, signaling: true }, // LE
  { holds: (o: number | undefined) => o === undefined, signaling: false }, // UNORD
  { holds: (o: number | undefined) => o !== 0, signaling: false }, // NEQ
  { holds: (o: number | undefined) => o !== -1, signaling: true }, // NLT
  { holds: (o: number | undefined) => o !== -1 && o !== 0, signaling: true }, // NLE
  { holds: (o: number | undefined) => o !== undefined, signaling: false }, // ORD
] as const;

const fcmp = perLane((format, a, b, context, immediate) => {
  const predicate = PREDICATES[immediate & 7];
  const relation = compare(
    decode(format, a, context.daz),
    decode(format, b, context.daz),
    predicate.signaling,
    context,
  );
  return predicate.holds(relation) ? -1n : 0n;
});

/** ZF, PF and CF in their RFLAGS positions for a relation: what COMISS and FCOMI leave. */
export function relationFlags(relation: -1 | 0 | 1 | undefined): bigint {
  if (relation === undefined) return 0x45n;
  return relation === 0 ? 0x40n : relation < 0 ? 0x01n : 0n;
}

const fcomi: FloatFunction = (control, width, aux, a, b) => {
  const format = formatOf(width);
  return settle(control, 1, (_, context) =>
    relationFlags(
      compare(decode(format, a, context.daz), decode(format, b, context.daz), (aux & 1) !== 0, context),
    ),
  )[0];
};

/** By operation of the IR; `fcvt` is in float-convert.ts. */
export const floatOps = {
  fadd: arithmetic(add),
  fsub: arithmetic(subtract),
  fmul: arithmetic(multiply),
  fdiv: arithmetic(divide),
  fsqrt: perLane((format, a, _, context) => squareRoot(format, decode(format, a, context.daz), context)),
  fmin: extreme(-1),
  fmax: extreme(1),
  fcmp,
  fcomi,
} as const satisfies Record<string, FloatFunction>;
