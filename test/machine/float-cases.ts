// Random cases for the differential tests of vector and floating-point instructions: registers and memory full of
// edge values, varied control words. Everything follows from a seed.
import { type Case, DATA, DATA_WRITABLE, defaultFx, STACK } from '../native/native.ts';

/** Instances of every form: EFFIGY_DIFF for long runs. */
export const instances = (usual: number): number => Number(process.env['EFFIGY_DIFF'] ?? usual);

/** A small generator of 32-bit numbers (xorshift), seeded by a name so that forms do not influence each other. */
export class Random {
  private state: number;

  constructor(seed: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    this.state = hash | 1;
  }

  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  bits(width: number): bigint {
    let value = 0n;
    for (let at = 0; at < width; at += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(width, value);
  }
}

const F32_EDGES = [
  0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00400000, 0x00800000, 0x00800001, 0x80800000,
  0x3f800000, 0xbf800000, 0x3f7fffff, 0x3f800001, 0x40000000, 0x3f000000, 0xbf000000, 0x3fc00000, 0x40200000,
  0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x5effffff, 0x5f000000, 0xdf000000, 0x7f7fffff, 0xff7fffff,
  0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fc12345, 0x7f812345, 0xff800001, 0x7fffffff, 0x4b000001,
];

/** Single-precision operands: edges, numbers near each other, anything. */
function single(random: Random): bigint {
  const mode = random.below(8);
  if (mode < 3) return BigInt(random.pick(F32_EDGES));
  if (mode < 6)
    return (
      BigInt((random.below(2) << 31) >>> 0) |
      BigInt((120 + random.below(16)) << 23) |
      (random.bits(23) & mantissaMask(random, 23))
    );
  return random.bits(32);
}

/** Many low bits 0 in half of the cases, so that results are exact or ties. */
function mantissaMask(random: Random, width: number): bigint {
  return random.below(2) === 0
    ? (1n << BigInt(width)) - 1n
    : ((1n << BigInt(width)) - 1n) << BigInt(random.below(width));
}

const F64_EDGES = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x0000000000000001n,
  0x8000000000000001n,
  0x000fffffffffffffn,
  0x0008000000000000n,
  0x0010000000000000n,
  0x0010000000000001n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3fefffffffffffffn,
  0x3ff0000000000001n,
  0x4000000000000000n,
  0x3fe0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e0000000200000n,
  0x43dfffffffffffffn,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff8123456789abcn,
  0x7ff0000000000001n,
  0xfff4000000000000n,
  0x36a0000000000000n,
  0x3690000000000000n,
  0x380fffffffffffffn,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x47f0000000000000n,
  0x381fffffffffffffn,
];

function double(random: Random): bigint {
  const mode = random.below(8);
  if (mode < 3) return random.pick(F64_EDGES);
  const sign = BigInt(random.below(2)) << 63n;
  if (mode < 5)
    return sign | (BigInt(1000 + random.below(60)) << 52n) | (random.bits(52) & mantissaMask(random, 52));
  if (mode < 6)
    return (
      sign |
      (BigInt(random.pick([0, 1, 870, 896, 897, 1150, 1151, 2045, 2046])) << 52n) |
      (random.bits(52) & mantissaMask(random, 52))
    );
  return random.bits(64);
}

const INTEGER_EDGES = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0xfe, 0x40];

/** Lanes of small or extreme integers. */
function integers(random: Random): bigint {
  const width = random.pick([8, 16, 32, 64]);
  let value = 0n;
  for (let at = 0; at < 128; at += width) {
    const edge = random.pick(INTEGER_EDGES);
    const top = BigInt(edge) << BigInt(width - 8);
    const lane = [random.bits(width), BigInt(edge), top, top - 1n, BigInt(random.below(70))][random.below(5)];
    value |= BigInt.asUintN(width, lane) << BigInt(at);
  }
  return value;
}

export type ValueKind = 'int' | 'f32' | 'f64';

/** 128 bits of operands. */
export function vectorValue(random: Random, kind: ValueKind): bigint {
  const chosen = random.below(10) === 0 ? random.pick(['int', 'f32', 'f64'] as const) : kind;
  if (chosen === 'int') return integers(random);
  if (chosen === 'f64') return (double(random) << 64n) | double(random);
  let value = 0n;
  for (let i = 0; i < 4; i++) value = (value << 32n) | single(random);
  return value;
}

const EXTENDED_HEADS = [
  0, 0, 1, 2, 0x7ffe, 0x7fff, 0x7fff, 0x3fff, 0x3ffe, 0x4000, 0x403e, 0x403f, 0x401e, 0x400e, 0x3f80, 0x3c00,
  0x43fe, 0x407e, 0x3fbf, 0x3ffd,
];
const EXTENDED_SIGS = [
  0n,
  1n,
  0x8000000000000000n,
  0x8000000000000001n,
  0xffffffffffffffffn,
  0xc000000000000000n,
  0xc000000000000001n,
  0xbfffffffffffffffn,
  0x7fffffffffffffffn,
  0x4000000000000000n,
  0x8000008000000000n,
  0xffffff8000000000n,
  0xfffffffffffffc00n,
  0xfffffffffffff800n,
  0xa000000000000000n,
];

/** Extended-precision operands; unsupported encodings among them. */
export function extended(random: Random): bigint {
  const mode = random.below(8);
  const sign = BigInt(random.below(2)) << 79n;
  if (mode < 3) return sign | (BigInt(random.pick(EXTENDED_HEADS)) << 64n) | random.pick(EXTENDED_SIGS);
  const sig = (1n << 63n) | (random.bits(63) & mantissaMask(random, 63));
  if (mode < 7) return sign | (BigInt(0x3fff - 16 + random.below(40)) << 64n) | sig;
  return sign | (BigInt(random.below(0x7fff)) << 64n) | sig;
}

/** Masks mostly on; rounding, FTZ, DAZ and sticky flags vary. */
export function mxcsrValue(random: Random): number {
  const masks = random.below(6) === 0 ? random.below(64) : 0x3f;
  const control =
    random.below(3) === 0 ? (random.below(4) << 13) | (random.below(2) << 15) | (random.below(2) << 6) : 0;
  // flags already there must be masked or the first instruction would be no different anyway: SSE does not report them late
  return control | (masks << 7) | (random.below(4) === 0 ? random.below(64) : 0);
}

/** x87 control words: precision and rounding vary, masks mostly on. */
export function controlWord(random: Random): number {
  const masks = random.below(6) === 0 ? random.below(64) : 0x3f;
  const precision = random.pick([3, 3, 3, 2, 0]);
  return 0x40 | masks | (precision << 8) | (random.pick([0, 0, 0, 1, 2, 3]) << 10);
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset);

export function writeBits(bytes: Uint8Array, at: number, bits: bigint, size: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((bits >> BigInt(8 * i)) & 255n);
}

export function readBits(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]);
  return value;
}

/** FXSAVE image with XMM registers of that kind and an empty x87. */
export function vectorState(random: Random, kind: ValueKind, mxcsr: number): Uint8Array {
  const fx = defaultFx();
  view(fx).setUint32(24, mxcsr, true);
  for (let i = 0; i < 16; i++) writeBits(fx, 160 + 16 * i, vectorValue(random, kind), 16);
  return fx;
}

/** The x87 part of an image: random stack, mostly full enough for the instruction to mean something. */
export function x87State(
  random: Random,
  fx: Uint8Array,
  options: { readonly empties: boolean; readonly pending: boolean },
): void {
  const v = view(fx);
  const cw = controlWord(random);
  const top = random.below(8);
  const flags = random.below(4) === 0 ? random.below(64) : 0;
  const unmasked = flags & ~cw & 0x3f;
  const kept = options.pending ? flags : flags & ~unmasked;
  const conditions = (random.below(8) << 8) | (random.below(2) << 14);
  const summary = kept & ~cw & 0x3f ? 0x8080 : 0;
  v.setUint16(0, cw, true);
  v.setUint16(2, kept | conditions | (top << 11) | summary, true);
  fx[4] = tags(random, top, options.empties);
  for (let i = 0; i < 8; i++) writeBits(fx, 32 + 16 * i, extended(random), 10);
}

function tags(random: Random, top: number, empties: boolean): number {
  if (empties && random.below(4) === 0) return random.below(256);
  // a stack of some depth: ST(0)..ST(n-1) in use
  const depth = empties ? random.pick([0, 1, 2, 3, 4, 5, 6, 8]) : random.pick([2, 3, 4, 5, 6, 7]);
  let bits = 0;
  for (let i = 0; i < depth; i++) bits |= 1 << ((top + i) & 7);
  return bits;
}

/** General registers: rsi, rdi and rbx point into the data, rsp to the stack, the rest are edges. */
export function generalRegisters(random: Random, pointer: number): BigUint64Array {
  const edges = [
    0n,
    1n,
    0x7fffffffn,
    0x80000000n,
    0xffffffffn,
    0x7fffffffffffffffn,
    0x8000000000000000n,
    0xffffffffffffffffn,
    0x1000000n,
  ];
  const gpr = BigUint64Array.from({ length: 16 }, () =>
    random.below(2) === 0 ? random.pick(edges) : random.bits(64),
  );
  gpr[4] = BigInt(STACK + 0x800);
  gpr[6] = BigInt(pointer);
  gpr[7] = BigInt(pointer);
  return gpr;
}

/** Where a memory operand goes: aligned mostly, else anywhere, now and then across the end of what is mapped or writable. */
export function operandAddress(random: Random): number {
  const mode = random.below(12);
  if (mode === 0) return DATA + 0x800 + random.below(64);
  if (mode === 1) return DATA + DATA_WRITABLE - 16 + random.below(32);
  return DATA + 0x200 + 16 * random.below(64);
}

/** A patch of the data image with 16 bytes of operand. */
export function patchAt(address: number, bits: bigint): Case['patches'] {
  const offset = address - DATA;
  if (offset + 16 > DATA_WRITABLE) return [];
  const bytes = new Uint8Array(16);
  writeBits(bytes, 0, bits, 16);
  return [{ offset, bytes }];
}
