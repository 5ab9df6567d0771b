// Transcendental functions in fixed point on integers, far more precise than the x87's 64 bits: what x87-functions.ts
// rounds. All arguments and results are integers that stand for themselves / 2^scale; errors are a few hundred units
// of the last place, so a scale of 200 bits beyond the argument's own leaves correct roundings to all but freak cases.

/** Terms of a power series, summed until they vanish: start, then each term from the one before. */
function series(first: bigint, next: (term: bigint, n: number) => bigint): bigint {
  let sum = 0n;
  for (let term = first, n = 1; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = next(term, n);
  }
  return sum;
}

/** e^x - 1, |x| <= 1. */
export function expm1(x: bigint, scale: bigint): bigint {
  return series(x, (term, n) => ((term * x) >> scale) / BigInt(n + 1));
}

/** 2 atanh(z), |z| <= 1/2. */
function logSeries(z: bigint, scale: bigint): bigint {
  const square = (z * z) >> scale;
  let power = z;
  let sum = 0n;
  for (let n = 1n; power !== 0n && power !== -1n; n += 2n) {
    sum += power / n;
    power = (power * square) >> scale;
  }
  return 2n * sum;
}

/** ln(1 + x), -1/2 <= x <= 1. */
export function log1p(x: bigint, scale: bigint): bigint {
  return logSeries((x << scale) / ((2n << scale) + x), scale);
}

/** atan(x), 0 <= x <= 1; large angles are halved first. */
export function atan(x: bigint, scale: bigint): bigint {
  const one = 1n << scale;
  let halvings = 0n;
  for (; x > one >> 4n; halvings++) {
    x = (x << scale) / (one + squareRootFixed(one + ((x * x) >> scale), scale));
  }
  const square = (x * x) >> scale;
  let power = x;
  let sum = 0n;
  for (let n = 1n, sign = 1n; power !== 0n; n += 2n, sign = -sign) {
    sum += (sign * power) / n;
    power = (power * square) >> scale;
  }
  return sum << halvings;
}

/** Square root of a value in [1, 2]. */
function squareRootFixed(x: bigint, scale: bigint): bigint {
  const radicand = x << scale;
  let root = BigInt(Math.round(Math.sqrt(Number(x >> (scale - 60n)) / 2 ** 60) * 2 ** 52)) << (scale - 52n);
  for (let bits = 50; bits < Number(scale) + 8; bits *= 2) root = (root + radicand / root) >> 1n;
  return root;
}

/** sin(x) and cos(x), |x| <= 1. */
export function sinCos(x: bigint, scale: bigint): { readonly sin: bigint; readonly cos: bigint } {
  const square = (x * x) >> scale;
  const step =
    (first: number) =>
    (term: bigint, n: number): bigint =>
      -((term * square) >> scale) / BigInt((2 * n + first - 1) * (2 * n + first));
  return { sin: series(x, step(1)), cos: series(1n << scale, step(0)) };
}

/** The scale of the constants. */
export const CONSTANT_SCALE = 320n;

function machin(): bigint {
  const inverse = (n: bigint): bigint => atan((1n << CONSTANT_SCALE) / n, CONSTANT_SCALE);
  return 16n * inverse(5n) - 4n * inverse(239n);
}

export const LN2 = log1p(1n << CONSTANT_SCALE, CONSTANT_SCALE);
export const PI = machin();
