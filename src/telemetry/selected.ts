// Traits of sources that report what someone selected (rules, policies, filters). Which records there are is not in the
// trace, so by default nothing is expected of them; who knows that an operation is always reported may say so.
import type { Op } from '../effect/index.ts';
import type { SourceTraits } from './observation.ts';

/** What such sources may be late by: rings of several processors, written out one after the other. */
const lateness = 2_000_000_000n;

export function selectedTraits(
  name: string,
  sees: ReadonlySet<Op>,
  more: Partial<SourceTraits> = {},
): SourceTraits {
  return { name, ops: sees, failures: false, ipv6: true, flows: false, maxDelay: lateness, ...more };
}
