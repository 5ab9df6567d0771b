// CPUID of the guest processor: x86-64 baseline with SSE2. The vendor is the one that made the baseline, with a family
// of that time: C libraries read the features of vendors that they know only (glibc refuses to start under another).
// Bits follow the processor manuals' CPUID tables (Intel SDM volume 2A, AMD APM 3).

const VENDOR = 'AuthenticAMD';
const BRAND = 'Effigy micro-execution processor';

type Leaf = readonly [eax: number, ebx: number, ecx: number, edx: number];

/** Leaf 1 edx: fpu tsc msr pae cx8 sep pge cmov pat clfsh mmx fxsr sse sse2. */
const LEAF1_EDX = bits(0, 4, 5, 6, 8, 11, 13, 15, 16, 19, 23, 24, 25, 26);
const LEAF1_ECX = {
  sse3: 0,
  pclmul: 1,
  ssse3: 9,
  fma: 12,
  cx16: 13,
  'sse4.1': 19,
  'sse4.2': 20,
  movbe: 22,
  popcnt: 23,
  aes: 25,
  xsave: 26,
  avx: 28,
  f16c: 29,
  rdrand: 30,
} as const;
const LEAF7_EBX = { fsgsbase: 0, bmi1: 3, avx2: 5, bmi2: 8, rdseed: 18, adx: 19, sha: 29 } as const;
const LEAF7_ECX = { rdpid: 22, movdiri: 27 } as const;
/** Extended leaf 1 edx: syscall, nx, rdtscp, long mode; the rest repeats leaf 1. */
const EXTENDED_EDX = bits(11, 20, 27, 29);

const EXTENDED_ECX = { lahf: 0, lzcnt: 5 } as const;

function bits(...positions: readonly number[]): number {
  return positions.reduce((mask, bit) => mask | (1 << bit), 0) >>> 0;
}

function featureBits(table: Readonly<Record<string, number>>, features: ReadonlySet<string>): number {
  return bits(...Object.entries(table).flatMap(([name, bit]) => (features.has(name) ? [bit] : [])));
}

function text(source: string, at: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word |= (source.charCodeAt(at + i) || 0) << (8 * i);
  return word >>> 0;
}

/** State components that XCR0 has: x87, SSE, and AVX where it is there. */
export const stateComponents = (features: ReadonlySet<string>): number => (features.has('avx') ? 7 : 3);

/** Where XSAVE has the upper halves of YMM, and where its area ends. */
export const XSAVE_AVX = 576;
export const xsaveSize = (features: ReadonlySet<string>): number => (features.has('avx') ? 832 : 576);

/** Sizes of XSAVE: its area, what the compacted form (xsavec) takes, each component. */
function xsaveLeaf(subleaf: number, features: ReadonlySet<string>): Leaf {
  const size = xsaveSize(features);
  if (subleaf === 0) return [stateComponents(features), size, size, 0];
  if (subleaf === 1) return [bits(1), size, 0, 0];
  if (subleaf === 2 && features.has('avx')) return [256, XSAVE_AVX, 0, 0];
  return [0, 0, 0, 0];
}

/** eax, ebx, ecx, edx as unsigned numbers. Leaves that the processor does not have are 0. */
export function cpuid(leaf: number, subleaf: number, features: ReadonlySet<string>): Leaf {
  switch (leaf >>> 0) {
    case 0:
      return [features.has('xsave') ? 0xd : 7, text(VENDOR, 0), text(VENDOR, 8), text(VENDOR, 4)];
    case 1: {
      // family 15 model 0; clflush line of 64 bytes; OSXSAVE as XSAVE, since our kernel lets programs use it
      const xsave = features.has('xsave') ? bits(27) : 0;
      return [0x0f00, 0x0800, (featureBits(LEAF1_ECX, features) | xsave) >>> 0, LEAF1_EDX];
    }
    case 7:
      return subleaf === 0
        ? [0, featureBits(LEAF7_EBX, features), featureBits(LEAF7_ECX, features), 0]
        : [0, 0, 0, 0];
    case 0xd:
      return features.has('xsave') ? xsaveLeaf(subleaf, features) : [0, 0, 0, 0];
    case 0x8000_0000:
      return [0x8000_0008, 0, 0, 0];
    case 0x8000_0001:
      return [0, 0, featureBits(EXTENDED_ECX, features), EXTENDED_EDX];
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004: {
      const at = (leaf - 0x8000_0002) * 16;
      return [text(BRAND, at), text(BRAND, at + 4), text(BRAND, at + 8), text(BRAND, at + 12)];
    }
    case 0x8000_0005:
      return [0, 0, 0x4002_0140, 0x4002_0140]; // level 1: 64 KiB each, 2 ways, lines of 64 bytes
    case 0x8000_0006:
      return [0, 0, 0x0400_8140, 0]; // level 2: 1 MiB, 16 ways, lines of 64 bytes
    case 0x8000_0008:
      return [0x3030, 0, 0, 0]; // 48-bit addresses
    default:
      return [0, 0, 0, 0];
  }
}
