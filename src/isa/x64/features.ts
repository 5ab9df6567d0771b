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
