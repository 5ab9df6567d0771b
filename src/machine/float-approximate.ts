// placeholder
export function reciprocal(bits: bigint): bigint { return bits; }
export function reciprocalRoot(bits: bigint): bigint { return bits; }
