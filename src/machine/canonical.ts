// Addresses as the processor checks them before it looks at pages.
import { GuestFault } from './fault.ts';

export const NON_CANONICAL_END = 2n ** 64n - 2n ** 47n;

/**
 * The address of an access of `size` bytes as a number; a general fault where it is not canonical. Kernel addresses go
 * on to fault as pages.
 */
export function toAddress(address: bigint, size: number): number {
  if (address > 0x8000_0000_0000n - BigInt(size) && address < NON_CANONICAL_END)
    throw new GuestFault('general');
  return Number(address);
}
