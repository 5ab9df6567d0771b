// Guest memory as kernel and engines see it; space.ts implements it.
//
// Guest addresses are JavaScript numbers: user space ends below 2^47.

export const PAGE_SIZE = 4096;
export const PROT = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4 } as const;

/** Thrown by accessors on an address that is unmapped or lacks the permission; the syscall dispatcher turns it into EFAULT, engines into a fault stop. */
export class MemoryFault extends Error {
  readonly address: number;
  readonly access: 'read' | 'write' | 'execute';
  /** page: unmapped or not permitted; bus: beyond the end of the backing; memory: no frames left. */
  readonly fault: 'page' | 'bus' | 'memory';

  constructor(
    address: number,
    access: 'read' | 'write' | 'execute',
    fault: 'page' | 'bus' | 'memory' = 'page',
  ) {
    super(`${fault} fault: ${access} at 0x${address.toString(16)}`);
    this.name = 'MemoryFault';
    this.address = address;
    this.access = access;
    this.fault = fault;
  }
}

/** Where a mapping's pages come from on first touch. Identity matters: shared mappings of one backing share pages. */
export interface Backing {
  /** Fills `into` from byte `offset`; bytes beyond the end stay 0. */
  readInto(offset: number, into: Uint8Array): void;
  /** Length in bytes; pages wholly beyond it raise SIGBUS on Linux. */
  readonly size: number;
  /** The content never changes (read-only layers of an image): pages stay cached after the last mapping is gone. */
  readonly immutable?: boolean;
  /** Takes pages written through shared mappings back, when the last mapping goes or `Memory.sync` asks. */
  writeFrom?(offset: number, bytes: Uint8Array): void;
}

export interface MapRequest {
  readonly address: number;
  readonly length: number;
  readonly prot: number;
  /** Absent: anonymous zero pages. */
  readonly backing?: Backing;
  readonly offset?: number;
  readonly shared?: boolean;
  /** Path or [heap], [stack] …, for /proc/self/maps and for naming code. */
  readonly name?: string;
}

export interface Region {
  readonly start: number;
  readonly end: number;
  readonly prot: number;
  readonly shared: boolean;
  readonly offset: number;
  readonly name: string;
  readonly backing: Backing | undefined;
}

export interface AddressSpace {
  map(request: MapRequest): void;
  unmap(address: number, length: number): void;
  /** Moves the mapped range [from, from + length) with its pages to `to` (mremap); what was there is unmapped. */
  move(from: number, length: number, to: number): void;
  /** Forgets the pages' contents: private pages are filled anew on next touch (madvise MADV_DONTNEED). */
  discard(address: number, length: number): void;
  /** False where a part of the range is not mapped (ENOMEM). */
  protect(address: number, length: number, prot: number): boolean;
  /** The lowest-level question: the region at this address. */
  find(address: number): Region | undefined;
  regions(): readonly Region[];
  /** A free range, searched downwards from `below`, or undefined. */
  findFree(length: number, below: number): number | undefined;
  /** Copy-on-write child. */
  fork(): AddressSpace;
  /** Gives the pages back. */
  release(): void;
  read8(address: number): number;
  read16(address: number): number;
  read32(address: number): number;
  read64(address: number): bigint;
  write8(address: number, value: number): void;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
  write64(address: number, value: bigint): void;
  /** A copy. */
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
  /** Bytes up to a NUL, without it; undefined where none within `limit` bytes. */
  readCString(address: number, limit: number): Uint8Array | undefined;
}
