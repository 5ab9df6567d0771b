// Instruction set extensions beyond the baseline (x86-64 with SSE2). Off by default: CPUID does not announce them, so
// libraries choose baseline code; an instruction of a set that is off is `unsupported`, or does what a processor
// without it does where that is defined (tzcnt is bsf, lzcnt is bsr).

export const FEATURES = [
  'sse3',
  'ssse3',
  'sse4.1',
  'sse4.2',
  'popcnt',
  'lzcnt',
  'bmi1',
  'bmi2',
  'movbe',
  'xsave',
  'cx16',
  'lahf',
  'adx',
  'avx',
  'avx2',
  'fma',
  'f16c',
  'aes',
  'pclmul',
  'sha',
  'rdrand',
  'rdseed',
  'movdiri',
  'fsgsbase',
  'rdpid',
] as const;

export type Feature = (typeof FEATURES)[number];

export type FeatureSet = ReadonlySet<Feature>;

/** Baseline only. */
export const BASELINE: FeatureSet = new Set();

const V2: readonly Feature[] = ['sse3', 'ssse3', 'sse4.1', 'sse4.2', 'popcnt', 'cx16', 'lahf'];
const V3: readonly Feature[] = [
  ...V2,
  'avx',
  'avx2',
  'bmi1',
  'bmi2',
  'f16c',
  'fma',
  'lzcnt',
  'movbe',
  'xsave',
];

/** Levels of the x86-64 psABI by the names that compilers have for them (`-march=`). */
export const CPU_LEVELS = {
  'x86-64': BASELINE,
  'x86-64-v2': new Set(V2),
  'x86-64-v3': new Set(V3),
} as const satisfies Readonly<Record<string, FeatureSet>>;
export type CpuLevel = keyof typeof CPU_LEVELS;
