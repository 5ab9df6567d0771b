// Counting bits of BigInts that are unsigned and reduced to their width.

/** `width` of 0. */
export function leadingZeros(width: number, value: bigint): bigint {
  return BigInt(value === 0n ? width : width - value.toString(2).length);
}

/** `width` of 0. */
export function trailingZeros(width: number, value: bigint): bigint {
  if (value === 0n) return BigInt(width);
  let n = 0n;
  while (((value >> n) & 1n) === 0n) n++;
  return n;
}

/** How many bits are set. */
export function population(value: bigint): bigint {
  let n = 0n;
  for (let rest = value; rest !== 0n; rest &= rest - 1n) n++;
  return n;
}

/** A count of the width or more shifts everything out, whatever it is: BigInt shifts by it would not end. */
export const limitedCount = (count: bigint, width: number): bigint =>
  count < BigInt(width) ? count : BigInt(width);
