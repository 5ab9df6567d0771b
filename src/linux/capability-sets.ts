// Capability sets as deployments write them: names added to and dropped from what runtimes leave by default.
import { InputError, printable } from '../bytes/index.ts';
import { ALL_CAPS, CAP, CONTAINER_CAPS, capBit } from './abi-process.ts';

/** Names are upper case without `CAP_`; `ALL` is all. What is added stays though ALL is dropped, as engines do it. */
export function capabilitySet(
  change: { readonly add: readonly string[]; readonly drop: readonly string[] },
  privileged: boolean,
): bigint {
  if (privileged) return ALL_CAPS;
  const bits = (names: readonly string[]): bigint =>
    names.reduce((set, name) => set | (name === 'ALL' ? ALL_CAPS : capBit(capabilityNamed(name))), 0n);
  if (change.drop.includes('ALL')) return bits(change.add);
  return (CONTAINER_CAPS | bits(change.add)) & ~bits(change.drop);
}

function capabilityNamed(name: string): number {
  if (!Object.hasOwn(CAP, name)) throw new InputError(`no capability ${printable(name)}`, 'capabilities');
  return CAP[name as keyof typeof CAP];
}
