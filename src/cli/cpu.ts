// The processor that a program finds itself on, by the levels of the x86-64 psABI.
import { InputError } from '../bytes/index.ts';
import { CPU_LEVELS, type FeatureSet } from '../isa/index.ts';

const LEVELS: Readonly<Record<string, FeatureSet>> = CPU_LEVELS;

/** Levels as an option's argument is described. */
export const CPU_NAMES = Object.keys(LEVELS).join('|');
export const DEFAULT_CPU = 'x86-64';
export const HIGHEST_CPU = 'x86-64-v3';

/** Instruction sets of a level by its name; InputError for another. */
export function cpuNamed(name: string): FeatureSet {
  const features = Object.hasOwn(LEVELS, name) ? LEVELS[name] : undefined;
  if (features === undefined)
    throw new InputError(`there is no processor ${JSON.stringify(name)}`, '--cpu', CPU_NAMES);
  return features;
}
