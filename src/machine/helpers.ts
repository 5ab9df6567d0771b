// The functions behind the IR operation `call`, by the names that isa's HELPERS lists. Operands that a call does not
// give are 0n; the result wraps to the width that the call names.
import { assert } from '../bytes/index.ts';
import { HELPERS } from '../isa/index.ts';
import { avxHelpers } from './avx-helpers.ts';
import { cpuid, stateComponents } from './cpuid.ts';
import type { Fault } from './fault.ts';
import { GuestFault } from './fault.ts';
import { floatHelpers } from './float-helpers.ts';
import type { RegisterFile } from './registers.ts';
import type { PagedSpace } from './space.ts';
import { xsaveHelpers } from './xsave.ts';

/** What helpers ask the engine for. */
export interface HelperEnvironment {
  /** Value of the time stamp counter. */
  readonly tsc: () => bigint;
  /** Instruction set extensions that CPUID announces. */
  readonly features: ReadonlySet<string>;
}

/**
 * cpu: the whole guest state (x87 included). memory: the address space; its accessors throw MemoryFault, which the
 * engine turns into a fault of the instruction. A helper may throw GuestFault; it does either before changing state.
 */
export type Helper = (
  cpu: RegisterFile,
  memory: PagedSpace,
  a: bigint,
  b: bigint,
  c: bigint,
  environment: HelperEnvironment,
) => bigint;

const integerHelpers: Readonly<Record<string, Helper>> = {
  cpuid: (_cpu, _memory, leaf, subleaf, which, environment) =>
    BigInt(cpuid(Number(leaf), Number(subleaf), environment.features)[Number(which)]),
  rdtsc: (_cpu, _memory, _a, _b, _c, environment) => environment.tsc(),
  xgetbv: (_cpu, _memory, index, _b, _c, environment) => {
    if (index !== 0n) throw new GuestFault('general' satisfies Fault);
    return BigInt(stateComponents(environment.features));
  },
  pdep: (_cpu, _memory, value, mask) => {
    let out = 0n;
    for (let bit = 0n, next = 0n; mask >> bit !== 0n; bit++) {
      if (((mask >> bit) & 1n) !== 0n) out |= ((value >> next++) & 1n) << bit;
    }
    return out;
  },
  pext: (_cpu, _memory, value, mask) => {
    let out = 0n;
    for (let bit = 0n, next = 0n; mask >> bit !== 0n; bit++) {
      if (((mask >> bit) & 1n) !== 0n) out |= ((value >> bit) & 1n) << next++;
    }
    return out;
  },
};

/** By index in HELPERS. */
export const HELPER_FUNCTIONS: readonly Helper[] = bind({
  ...integerHelpers,
  ...floatHelpers,
  ...avxHelpers,
  ...xsaveHelpers,
});

function bind(functions: Readonly<Record<string, Helper>>): readonly Helper[] {
  for (const name of Object.keys(functions))
    assert(
      HELPERS.some((row) => row.name === name),
      `helper ${name} is not listed in isa`,
    );
  return HELPERS.map(({ name }) => {
    assert(Object.hasOwn(functions, name), `helper ${name} has no function`);
    return functions[name];
  });
}
