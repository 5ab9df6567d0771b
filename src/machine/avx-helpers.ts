// The helpers behind instructions of AVX, AVX2, FMA and F16C that IR operations don't say (rows in isa's
// float-helpers.ts): fused arithmetic, half precision, the 32 predicates, permutations by vectors, shifts by vectors,
// masked and gathering accesses (Intel SDM vol. 1, 14.3 ff.; vol. 2).
import { FUSED_KINDS } from '../isa/index.ts';
import { toAddress } from './canonical.ts';
import { formatOf, settle } from './float.ts';
import type { Helper } from './helpers.ts';
import type { RegisterFile } from './registers.ts';
import { compare, decode, F16, F32, type FloatContext, fusedMultiplyAdd, type Num } from './softfloat.ts';
import { convert } from './softfloat-convert.ts';
import type { PagedSpace } from './space.ts';
import { join, lanes } from './vector.ts';

/** Signs of product and addend, in even and in odd lanes. */
const FUSED_SIGNS: Readonly<Record<(typeof FUSED_KINDS)[number], readonly (readonly [boolean, boolean])[]>> =
  {
    add: [[false, false]],
    sub: [[false, true]],
    negative_add: [[true, false]],
    negative_sub: [[true, true]],
    // vfmaddsub subtracts in even lanes
    add_sub: [
      [false, true],
      [false, false],
    ],
    sub_add: [
      [false, false],
      [false, true],
    ],
  };

const fused =
  (kind: (typeof FUSED_KINDS)[number], laneWidth: 32 | 64, total: number): Helper =>
  (cpu, _memory, a, b, c) => {
    const format = formatOf(laneWidth);
    const signs = FUSED_SIGNS[kind];
    const [x, y, z] = [a, b, c].map((value) => lanes(value, laneWidth, total));
    const compute = (lane: number, context: FloatContext): bigint => {
      const number = (from: readonly bigint[]): Num => decode(format, from[lane], context.daz);
      const [product, addend] = signs[lane % signs.length];
      return fusedMultiplyAdd(format, [number(x), number(y), number(z)], product, addend, context);
    };
    return join(settle(cpu, x.length, compute), laneWidth);
  };

function fusedHelpers(): Record<string, Helper> {
  const out: Record<string, Helper> = {};
  for (const kind of FUSED_KINDS) {
    for (const width of [32, 64] as const) {
      out[`fma.${kind}.f${width}`] = fused(kind, width, width);
      out[`fma.${kind}.f${width}x${128 / width}`] = fused(kind, width, 128);
    }
  }
  return out;
}

// half precision

/** Denormals are taken as they are and not reported, whatever MXCSR says. */
const widenHalves: Helper = (cpu, _memory, a) => {
  const from = lanes(a, 16, 64);
  const results = settle(cpu, 4, (lane, context) =>
    convert(F32, { ...decode(F16, from[lane]), denormal: false }, context),
  );
  return join(results, 32);
};

/** immediate: rounding mode 0-1, 2 the one of MXCSR instead. Tiny results are never flushed. */
const narrowSingles: Helper = (cpu, _memory, a, immediate) => {
  const control = Number(immediate);
  const from = lanes(a, 32);
  const results = settle(cpu, 4, (lane, context) => {
    if ((control & 4) === 0) context.rounding = control & 3;
    context.ftz = false;
    return convert(F16, decode(F32, from[lane], context.daz), context);
  });
  return join(results, 16);
};

// comparisons

/** What a predicate says of less, equal, greater and unordered operands; then those that signal for quiet NaNs. */
const HOLDS = [
  'e',
  'l',
  'le',
  'u',
  'lgu',
  'egu',
  'gu',
  'leg',
  'eu',
  'lu',
  'leu',
  '',
  'lg',
  'eg',
  'g',
  'legu',
];
const SIGNALING = [false, true, true, false, false, true, true, false];

/** Predicates 16..31 are 0..15 with the other answer to whether quiet NaNs signal. */
const comparing =
  (laneWidth: 32 | 64, total: number): Helper =>
  (cpu, _memory, a, b, immediate) => {
    const predicate = Number(immediate) & 31;
    const format = formatOf(laneWidth);
    const [x, y] = [lanes(a, laneWidth, total), lanes(b, laneWidth, total)];
    const signaling = SIGNALING[predicate & 7] !== predicate >= 16;
    const holds = HOLDS[predicate & 15];
    const compute = (lane: number, context: FloatContext): bigint => {
      const [left, right] = [x, y].map((from) => decode(format, from[lane], context.daz));
      const relation = compare(left, right, signaling, context);
      const letter = relation === undefined ? 'u' : relation === 0 ? 'e' : relation < 0 ? 'l' : 'g';
      return holds.includes(letter) ? -1n : 0n;
    };
    return join(settle(cpu, x.length, compute), laneWidth);
  };

// permutations and shifts

/** VPERMD: of eight lanes in two halves those that four indices name. */
const permute32: Helper = (_cpu, _memory, low, high, indices) => {
  const from = [...lanes(low, 32), ...lanes(high, 32)];
  return join(
    lanes(indices, 32).map((index) => from[Number(index & 7n)]),
    32,
  );
};

/** VPERMILPS by bits 0-1 of each index, VPERMILPD by bit 1. */
const permuteLanes: Helper = (_cpu, _memory, vector, indices, width) => {
  const laneWidth = Number(width);
  const from = lanes(vector, laneWidth);
  const chosen = lanes(indices, laneWidth).map((index) =>
    laneWidth === 32 ? from[Number(index & 3n)] : from[Number((index >> 1n) & 1n)],
  );
  return join(chosen, laneWidth);
};

/** Lanes by counts of their own; a count of the width or more shifts everything out. */
const shiftEach =
  (f: (value: bigint, count: bigint, width: number) => bigint): Helper =>
  (_cpu, _memory, vector, counts, width) => {
    const laneWidth = Number(width);
    const by = lanes(counts, laneWidth);
    const limit = BigInt(laneWidth);
    return join(
      lanes(vector, laneWidth).map((value, i) => f(value, by[i] < limit ? by[i] : limit, laneWidth)),
      laneWidth,
    );
  };

// memory

/** Lanes whose mask has the highest bit set, with their offset in bytes. */
function chosenLanes(mask: bigint, width: number): { readonly lane: number; readonly offset: number }[] {
  return lanes(mask, width).flatMap((bits, lane) =>
    bits >> BigInt(width - 1) === 1n ? [{ lane, offset: (lane * width) / 8 }] : [],
  );
}

const plus = (address: bigint, offset: number): bigint => BigInt.asUintN(64, address + BigInt(offset));

function loadElement(memory: PagedSpace, address: bigint, width: number): bigint {
  const at = toAddress(address, width / 8);
  return width === 32 ? BigInt(memory.read32(at)) : memory.read64(at);
}

const loadMasked: Helper = (_cpu, memory, address, mask, width) => {
  const laneWidth = Number(width);
  const out: bigint[] = Array.from({ length: 128 / laneWidth }, () => 0n);
  for (const { lane, offset } of chosenLanes(mask, laneWidth))
    out[lane] = loadElement(memory, plus(address, offset), laneWidth);
  return join(out, laneWidth);
};

const checkMasked: Helper = (_cpu, memory, address, mask, width) => {
  const size = Number(width) / 8;
  for (const { offset } of chosenLanes(mask, Number(width)))
    memory.checkWrite(toAddress(plus(address, offset), size), size);
  return 0n;
};

const storeMasked =
  (width: 32 | 64): Helper =>
  (_cpu, memory, address, mask, vector) => {
    const values = lanes(vector, width);
    for (const { lane, offset } of chosenLanes(mask, width)) {
      const at = toAddress(plus(address, offset), width / 8);
      if (width === 32) memory.write32(at, Number(values[lane]));
      else memory.write64(at, values[lane]);
    }
    return 0n;
  };

/** A YMM register, both halves as one number. */
function ymm(cpu: RegisterFile, number: number): bigint {
  const at = 2 * number;
  return cpu.xmm[at] | (cpu.xmm[at + 1] << 64n) | (cpu.ymmHigh[at] << 128n) | (cpu.ymmHigh[at + 1] << 192n);
}

function setYmm(cpu: RegisterFile, number: number, value: bigint): void {
  const parts = lanes(value, 64, 256);
  cpu.xmm.set(parts.slice(0, 2), 2 * number);
  cpu.ymmHigh.set(parts.slice(2), 2 * number);
}

/** Elements whose mask is set come from base + index * scale; the others stay. The mask is cleared. */
const gather =
  (indexWidth: 32 | 64, elementWidth: 32 | 64): Helper =>
  (cpu, memory, base, operands) => {
    const bits = Number(operands);
    const [to, from, mask, count, scale] = [
      bits & 15,
      (bits >> 4) & 15,
      (bits >> 8) & 15,
      (bits >> 12) & 15,
      BigInt(1 << (bits >> 16)),
    ];
    const elements = lanes(ymm(cpu, to), elementWidth, elementWidth * count);
    const indices = lanes(ymm(cpu, from), indexWidth, indexWidth * count);
    const wanted = lanes(ymm(cpu, mask), elementWidth, elementWidth * count);
    for (const [i, index] of indices.entries()) {
      if (wanted[i] >> BigInt(elementWidth - 1) === 0n) continue;
      const address = BigInt.asUintN(64, base + BigInt.asIntN(indexWidth, index) * scale);
      elements[i] = loadElement(memory, address, elementWidth);
    }
    setYmm(cpu, to, join(elements, elementWidth));
    setYmm(cpu, mask, 0n);
    return 0n;
  };

export const avxHelpers: Readonly<Record<string, Helper>> = {
  ...fusedHelpers(),
  'f16.widen': widenHalves,
  'f16.narrow': narrowSingles,
  'avx.compare32': comparing(32, 32),
  'avx.compare64': comparing(64, 64),
  'avx.compare32x4': comparing(32, 128),
  'avx.compare64x2': comparing(64, 128),
  'avx.permute32': permute32,
  'avx.permute_lanes': permuteLanes,
  'avx.shl_each': shiftEach((value, count) => value << count),
  'avx.shr_each': shiftEach((value, count) => value >> count),
  'avx.sar_each': shiftEach((value, count, width) => BigInt.asIntN(width, value) >> count),
  'avx.load_masked': loadMasked,
  'avx.check_masked': checkMasked,
  'avx.store_masked32': storeMasked(32),
  'avx.store_masked64': storeMasked(64),
  'avx.gather32_32': gather(32, 32),
  'avx.gather32_64': gather(32, 64),
  'avx.gather64_32': gather(64, 32),
  'avx.gather64_64': gather(64, 64),
};
