// XXH64 (seed 0) of short texts, by which the SysFlow processor names processes. Follows the specification of xxHash.

const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];
const mask = 0xffff_ffff_ffff_ffffn;
const mul = (a: bigint, b: bigint): bigint => (a * b) & mask;
const rotate = (a: bigint, by: bigint): bigint => ((a << by) | (a >> (64n - by))) & mask;
const round = (lane: bigint, input: bigint): bigint => mul(rotate((lane + mul(input, p2)) & mask, 31n), p1);

/** Sixteen hexadecimal digits. */
export function xxhash64(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { length } = bytes;
  let at = 0;
  let hash = p5;
  if (length >= 32) {
    const lanes = [(p1 + p2) & mask, p2, 0n, (mask + 1n - p1) & mask];
    for (; at + 32 <= length; at += 32)
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i], view.getBigUint64(at + i * 8, true));
    hash =
      (rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n) + rotate(lanes[3], 18n)) & mask;
    for (const lane of lanes) hash = (mul(hash ^ round(0n, lane), p1) + p4) & mask;
  }
  hash = (hash + BigInt(length)) & mask;
  for (; at + 8 <= length; at += 8)
    hash = (mul(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n), p1) + p4) & mask;
  for (; at + 4 <= length; at += 4)
    hash = (mul(rotate(hash ^ mul(BigInt(view.getUint32(at, true)), p1), 23n), p2) + p3) & mask;
  for (; at < length; at++) hash = mul(rotate(hash ^ mul(BigInt(bytes[at]), p5), 11n), p1);
  hash = mul(hash ^ (hash >> 33n), p2);
  hash = mul(hash ^ (hash >> 29n), p3);
  return (hash ^ (hash >> 32n)).toString(16).padStart(16, '0');
}
