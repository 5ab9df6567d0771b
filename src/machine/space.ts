// Guest address spaces: regions say what is mapped, the page table what has been touched. Pages come on first touch
// (zero, from a backing, or copied from a shared one on write), so reserving costs one region, and a fork copies page
// table entries only. Implements the AddressSpace of memory.ts; what kernel and engines share is there.
import { assert } from '../bytes/index.ts';
import { type ByteShadow, byteShadow, setByteShadow } from './concolic/shadows.ts';
import { FRAME_SIZE, FramePool, ZERO_FRAME } from './frames.ts';
import {
  type AddressSpace,
  type Backing,
  type MapRequest,
  MemoryFault,
  PAGE_SIZE,
  PROT,
  type Region,
} from './memory.ts';
import { PageCache } from './page-cache.ts';
import { ENTRY, PageTable } from './page-table.ts';
import { RegionList } from './regions.ts';

/** User space ends here (48-bit addresses, lower half). */
export const ADDRESS_LIMIT = 2 ** 47;
/** Nothing is placed below by `findFree` (vm.mmap_min_addr). */
const LOWEST = 0x1_0000;

type Access = 'read' | 'write' | 'execute';

export interface MemoryOptions {
  /** Bytes of guest memory, page tables included, over all processes; at most and by default 4 GiB. */
  readonly limit?: number;
}

export interface MemoryStatistics {
  /** Bytes in frames and page tables. */
  readonly used: number;
  readonly spaces: number;
}

/** The memory of one machine: frames and page cache that all its address spaces share. */
export class Memory {
  readonly pool: FramePool;
  readonly cache: PageCache;
  readonly spaces = new Set<PagedSpace>();

  constructor(options: MemoryOptions = {}) {
    this.pool = new FramePool(options.limit ?? 2 ** 32);
    this.cache = new PageCache(this.pool);
  }

  createAddressSpace(): PagedSpace {
    const space = new PagedSpace(this);
    this.spaces.add(space);
    return space;
  }

  /** The content of a backing changed (a write to the file): mapped pages of the range are read again. */
  backingChanged(backing: Backing, offset: number, length: number): void {
    this.cache.changed(backing, offset, length);
  }

  /** Hands pages written through shared mappings to the backing (msync). */
  sync(backing: Backing): void {
    this.cache.sync(backing);
  }

  /**
   * Takes forks apart from what they were forked from, as a snapshot of a machine needs: what was shared with the
   * originals is copied, and shared among these forks only. `replace` names the backing that stands for one in the
   * forks (a copied file; an immutable one stays itself) and is called once for each; the pages it has been given go
   * over. Throws MemoryFault where frames run out.
   */
  separate(forks: readonly PagedSpace[], replace: (backing: Backing) => Backing): void {
    const backings = new Map<Backing, Backing>();
    const frames = new Map<number, number>();
    const copyOf = (backing: Backing): Backing => {
      const known = backings.get(backing);
      if (known !== undefined) return known;
      const copy = backing instanceof AnonymousBacking ? new AnonymousBacking() : replace(backing);
      backings.set(backing, copy);
      if (copy !== backing && !this.cache.duplicate(backing, copy, frames))
        throw new MemoryFault(0, 'write', 'memory');
      return copy;
    };
    for (const fork of forks) fork.replaceBackings(copyOf, frames);
  }

  statistics(): MemoryStatistics {
    return { used: this.pool.used * FRAME_SIZE, spaces: this.spaces.size };
  }
}

/** Identity of a shared anonymous mapping. */
class AnonymousBacking implements Backing {
  readonly size = Number.MAX_SAFE_INTEGER;
  readInto(): void {}
}

const pageDown = (address: number): number => address - (address % PAGE_SIZE);
const pageUp = (address: number): number => pageDown(address + PAGE_SIZE - 1);

/** Entry bits of a page of these permissions; x86 has no way to forbid reading what may be written or executed. */
function accessBits(prot: number): number {
  return (prot !== 0 ? ENTRY.READ : 0) | ((prot & PROT.EXEC) !== 0 ? ENTRY.EXEC : 0);
}

export class PagedSpace implements AddressSpace {
  readonly memory: Memory;
  readonly pool: FramePool;
  readonly table: PageTable;
  private list = new RegionList();

  constructor(memory: Memory) {
    this.memory = memory;
    this.pool = memory.pool;
    this.table = new PageTable(memory.pool);
  }

  // regions

  map(request: MapRequest): void {
    const { address, prot, offset = 0, shared = false, name = '' } = request;
    assert(address % PAGE_SIZE === 0 && offset % PAGE_SIZE === 0, 'mappings start at a page');
    const end = pageUp(address + request.length);
    assert(address >= 0 && end <= ADDRESS_LIMIT && request.length > 0, 'mappings lie in user space');
    const backing = request.backing ?? (shared ? new AnonymousBacking() : undefined);
    this.unmap(address, end - address);
    if (backing !== undefined) this.memory.cache.use(backing);
    this.list.insert({ start: address, end, prot, shared, offset, name, backing });
    this.settle();
  }

  unmap(address: number, length: number): void {
    const start = pageDown(address);
    const end = pageUp(address + length);
    const removed = this.list.remove(start, end);
    if (removed.length === 0) return;
    this.clear(start, end);
    this.account(removed);
  }

  /** Drops page table entries of a range. */
  private clear(start: number, end: number): void {
    this.table.update(start, end, (entry) => {
      this.pool.drop(entry >>> 12);
      return 0;
    });
  }

  /** Regions were split, merged or removed: the page cache counts how many map each backing. */
  private account(removed: readonly Region[]): void {
    this.settle();
    for (const region of removed) if (region.backing !== undefined) this.memory.cache.unuse(region.backing);
  }

  private settle(): void {
    for (const backing of this.list.takeSplit()) this.memory.cache.use(backing);
    for (const backing of this.list.takeMerged()) this.memory.cache.unuse(backing);
  }

  protect(address: number, length: number, prot: number): boolean {
    const start = pageDown(address);
    const end = pageUp(address + length);
    if (!this.list.covers(start, end)) return false;
    this.list.change(start, end, (region) => ({ ...region, prot }));
    this.settle();
    const bits = accessBits(prot);
    this.table.update(start, end, (entry) => ((entry & ~0xfff) | this.direct(entry, bits)) >>> 0);
    return true;
  }

  move(from: number, length: number, to: number): void {
    const end = pageUp(from + length);
    assert(
      this.list.covers(from, end) && from % PAGE_SIZE === 0 && to % PAGE_SIZE === 0,
      'a moved range is mapped',
    );
    assert(to + (end - from) <= from || to >= end, 'a move does not overlap');
    this.unmap(to, end - from);
    const taken = this.list.remove(from, end);
    for (const region of taken)
      this.list.insert({ ...region, start: region.start - from + to, end: region.end - from + to });
    this.settle();
    const entries: (readonly [number, number])[] = [];
    this.table.update(from, end, (entry, address) => {
      entries.push([address - from + to, entry]);
      return 0;
    });
    for (const [address, entry] of entries) {
      // without a table for the new place the page is lost as if swapped out to nowhere: treat as exhaustion
      if (!this.table.setEntry(address, entry)) throw new MemoryFault(address, 'write', 'memory');
    }
  }

  discard(address: number, length: number): void {
    this.clear(pageDown(address), pageUp(address + length));
  }

  find(address: number): Region | undefined {
    return this.list.find(address);
  }

  regions(): readonly Region[] {
    return this.list.all();
  }

  findFree(length: number, below: number): number | undefined {
    return this.list.findFree(pageUp(length), pageDown(Math.min(below, ADDRESS_LIMIT)), LOWEST);
  }

  fork(): PagedSpace {
    const child = this.memory.createAddressSpace();
    try {
      this.shareWith(child);
    } catch (error) {
      child.release();
      throw error;
    }
    return child;
  }

  private shareWith(child: PagedSpace): void {
    child.list = this.list.clone();
    for (const region of this.list.all())
      if (region.backing !== undefined) this.memory.cache.use(region.backing);
    for (const region of this.list.all()) {
      const mask = region.shared ? 0xffff_ffff : ~ENTRY.WRITE;
      this.table.update(region.start, region.end, (entry, address) => {
        const shared = (entry & mask) >>> 0;
        if (!child.table.setEntry(address, shared)) throw new MemoryFault(address, 'write', 'memory');
        this.pool.retain(entry >>> 12);
        return shared;
      });
    }
  }

  /** Puts other backings in the place of those of a fresh fork, and their frames in the place of the old ones'. */
  replaceBackings(copyOf: (backing: Backing) => Backing, frames: ReadonlyMap<number, number>): void {
    const { cache } = this.memory;
    for (const region of this.list.all()) {
      if (region.backing === undefined) continue;
      const backing = copyOf(region.backing);
      if (backing === region.backing) continue;
      cache.use(backing);
      this.list.change(region.start, region.end, (old) => ({ ...old, backing }));
      this.settle();
      this.table.update(region.start, region.end, (entry) => {
        const fresh = frames.get(entry >>> 12);
        if (fresh === undefined) return entry;
        this.pool.retain(fresh);
        this.pool.drop(entry >>> 12);
        return ((fresh << 12) | (entry & 0xfff)) >>> 0;
      });
      cache.unuse(region.backing);
    }
  }

  release(): void {
    if (!this.memory.spaces.delete(this)) return;
    const all = this.list.all();
    for (const region of all) this.clear(region.start, region.end);
    this.table.release();
    this.list = new RegionList();
    for (const region of all) if (region.backing !== undefined) this.memory.cache.unuse(region.backing);
  }

  // pages

  /** The permissions of an entry that let engines go straight to the frame: none to bytes that may have a shadow. */
  private direct(entry: number, bits: number): number {
    return this.pool.shadows?.has(entry >>> 12) === true ? bits & ~(ENTRY.READ | ENTRY.WRITE) : bits;
  }

  /**
   * Makes the page of an address present for an access and returns its entry; throws MemoryFault. `size`: bytes that
   * are read or overwritten now, 0 where the access comes later.
   */
  private touch(address: number, access: Access, size: number): number {
    const region = address >= 0 && address < ADDRESS_LIMIT ? this.list.find(address) : undefined;
    if (region === undefined) throw new MemoryFault(address, access);
    const { prot } = region;
    const allowed =
      access === 'write'
        ? (prot & PROT.WRITE) !== 0
        : access === 'execute'
          ? (prot & PROT.EXEC) !== 0
          : prot !== 0;
    if (!allowed) throw new MemoryFault(address, access);
    const page = pageDown(address);
    const entry = this.table.entry(page);
    const next =
      access === 'write'
        ? this.writable(region, page, entry)
        : entry !== 0
          ? entry
          : this.present(region, page, access);
    const bits = next | accessBits(prot);
    const direct = this.direct(bits, bits);
    if (direct !== entry && !this.table.setEntry(page, direct >>> 0)) {
      this.pool.drop(next >>> 12);
      throw new MemoryFault(address, access, 'memory');
    }
    if (direct !== bits && size > 0) {
      const { shadows } = this.pool;
      if (access === 'write') shadows?.clear(bits >>> 12, address % PAGE_SIZE, size);
      else if (shadows?.trips(bits >>> 12, address % PAGE_SIZE, size)) throw new MemoryFault(address, access);
    }
    return bits;
  }

  /** Entry for a page that is not there yet, for reading. */
  private present(region: Region, page: number, access: Access): number {
    if (region.backing === undefined) return ZERO_FRAME << 12;
    const frame = this.cached(region, region.backing, page, access);
    this.pool.retain(frame);
    return (frame << 12) >>> 0;
  }

  /** Entry for a page that is about to be written. */
  private writable(region: Region, page: number, entry: number): number {
    const { pool } = this;
    if (region.shared && region.backing !== undefined) {
      const frame = this.cached(region, region.backing, page, 'write');
      if (entry === 0) pool.retain(frame);
      this.memory.cache.markDirty(region.backing, pageIndex(region, page));
      pool.codeChanged(frame);
      return ((frame << 12) | ENTRY.WRITE) >>> 0;
    }
    const old = entry >>> 12;
    if (entry !== 0 && old !== ZERO_FRAME && pool.count(old) === 1) {
      pool.codeChanged(old);
      return (entry | ENTRY.WRITE) >>> 0;
    }
    const source =
      entry !== 0
        ? old
        : region.backing === undefined
          ? ZERO_FRAME
          : this.cached(region, region.backing, page, 'write');
    const fresh = this.allocate(page);
    if (source !== ZERO_FRAME) pool.copy(source, fresh);
    // an engine in the middle of a block of this page must notice that the page is another one now
    if (pool.code[source] !== 0) pool.codeChanges++;
    if (entry !== 0) pool.drop(old);
    return ((fresh << 12) | ENTRY.WRITE) >>> 0;
  }

  private allocate(address: number): number {
    const frame = this.pool.allocate();
    if (frame !== 0) return frame;
    if (this.memory.cache.trim()) {
      const again = this.pool.allocate();
      if (again !== 0) return again;
    }
    throw new MemoryFault(address, 'write', 'memory');
  }

  private cached(region: Region, backing: Backing, page: number, access: Access): number {
    const index = pageIndex(region, page);
    if (index * PAGE_SIZE >= backing.size) throw new MemoryFault(page, access, 'bus');
    let frame = this.memory.cache.frame(backing, index);
    if (frame === 0 && this.memory.cache.trim()) frame = this.memory.cache.frame(backing, index);
    if (frame === 0) throw new MemoryFault(page, access, 'memory');
    return frame;
  }

  // Byte offsets in the pool's memory, for engines and the accessors below.

  /** Where the byte at an address can be read. */
  readable(address: number, size = 1): number {
    let entry = address >= 0 && address < ADDRESS_LIMIT ? this.table.entry(address) : 0;
    if ((entry & ENTRY.READ) === 0) entry = this.touch(address, 'read', size);
    return ((entry & ~0xfff) >>> 0) + (address % PAGE_SIZE);
  }

  /** Where the byte at an address can be written; the page is this space's own (or shared) afterwards. */
  writableAt(address: number, size = 0): number {
    let entry = address >= 0 && address < ADDRESS_LIMIT ? this.table.entry(address) : 0;
    if ((entry & ENTRY.WRITE) === 0) entry = this.touch(address, 'write', size);
    return ((entry & ~0xfff) >>> 0) + (address % PAGE_SIZE);
  }

  /** The frame that holds the code at an address; throws MemoryFault where it may not be executed. */
  executable(address: number): number {
    let entry = address >= 0 && address < ADDRESS_LIMIT ? this.table.entry(address) : 0;
    if ((entry & ENTRY.EXEC) === 0) entry = this.touch(address, 'execute', 0);
    return entry >>> 12;
  }

  /** Bytes at an executable address, within one page: a view that holds until memory is next touched. */
  codeBytes(address: number, length: number): Uint8Array {
    const at = this.executable(address) * FRAME_SIZE + (address % PAGE_SIZE);
    return this.pool.bytes.subarray(at, at + length);
  }

  /** Code of the page at `address` is about to be decoded: writes to it go the slow way from now on. */
  watchCode(address: number): void {
    const frame = this.executable(address);
    if (this.pool.code[frame] !== 0) return;
    this.pool.code[frame] = 1;
    const page = pageDown(address);
    const entry = this.table.entry(page);
    const region = this.list.find(address);
    if (region?.shared === true) for (const space of this.memory.spaces) space.unwrite(frame);
    else if ((entry & ENTRY.WRITE) !== 0) this.table.setEntry(page, (entry & ~ENTRY.WRITE) >>> 0);
  }

  /** Takes the direct way of writing from every mapping of a shared frame. */
  private unwrite(frame: number): void {
    for (const region of this.list.all()) {
      if (!region.shared) continue;
      this.table.update(region.start, region.end, (entry) =>
        entry >>> 12 === frame ? (entry & ~ENTRY.WRITE) >>> 0 : entry,
      );
    }
  }

  // accessors

  read8(address: number): number {
    // first the page, which may make the memory grow and its views new
    const at = this.readable(address);
    return this.pool.bytes[at];
  }
  read16(address: number): number {
    if (address % PAGE_SIZE > PAGE_SIZE - 2) return Number(this.readAcross(address, 2));
    const at = this.readable(address, 2);
    return this.pool.view.getUint16(at, true);
  }
  read32(address: number): number {
    if (address % PAGE_SIZE > PAGE_SIZE - 4) return Number(this.readAcross(address, 4));
    const at = this.readable(address, 4);
    return this.pool.view.getUint32(at, true);
  }
  read64(address: number): bigint {
    if (address % PAGE_SIZE > PAGE_SIZE - 8) return this.readAcross(address, 8);
    const at = this.readable(address, 8);
    return this.pool.view.getBigUint64(at, true);
  }
  write8(address: number, value: number): void {
    const at = this.writableAt(address, 1);
    this.pool.bytes[at] = value;
  }
  write16(address: number, value: number): void {
    if (address % PAGE_SIZE > PAGE_SIZE - 2) this.writeAcross(address, 2, BigInt(value));
    else {
      const at = this.writableAt(address, 2);
      this.pool.view.setUint16(at, value, true);
    }
  }
  write32(address: number, value: number): void {
    if (address % PAGE_SIZE > PAGE_SIZE - 4) this.writeAcross(address, 4, BigInt(value));
    else {
      const at = this.writableAt(address, 4);
      this.pool.view.setUint32(at, value, true);
    }
  }
  write64(address: number, value: bigint): void {
    if (address % PAGE_SIZE > PAGE_SIZE - 8) this.writeAcross(address, 8, value);
    else {
      const at = this.writableAt(address, 8);
      this.pool.view.setBigUint64(at, value, true);
    }
  }

  /** Two adjacent 64-bit halves; a store faults before it changes anything. */
  read128(address: number): bigint {
    const low = this.read64(address);
    return low | (this.read64(address + 8) << 64n);
  }
  write128(address: number, value: bigint): void {
    if (address % PAGE_SIZE > PAGE_SIZE - 16) this.writeAcross(address, 16, value);
    else {
      this.write64(address, BigInt.asUintN(64, value));
      this.write64(address + 8, value >> 64n);
    }
  }

  private readAcross(address: number, size: number): bigint {
    let value = 0n;
    for (let i = 0; i < size; i++) value |= BigInt(this.read8(address + i)) << BigInt(8 * i);
    return value;
  }

  private writeAcross(address: number, size: number, value: bigint): void {
    this.writableAt(address);
    this.writableAt(address + size - ((address + size) % PAGE_SIZE));
    for (let i = 0; i < size; i++) this.write8(address + i, Number((value >> BigInt(8 * i)) & 0xffn));
  }

  /** Faults as a store of `size` bytes would, without one: for operations that write several pieces. */
  checkWrite(address: number, size: number): void {
    this.writableAt(address);
    for (let at = pageDown(address) + PAGE_SIZE; at < address + size; at += PAGE_SIZE) this.writableAt(at);
  }

  read(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = this.readable(address + done);
      const size = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
      out.set(this.pool.bytes.subarray(at, at + size), done);
      done += size;
    }
    const shadow = this.shadow(address, length);
    if (shadow !== undefined) setByteShadow(out, shadow);
    return out;
  }

  /** Copies of what was touched of [start, end), pages that follow each other together, `limit` bytes at most in all. */
  touched(start: number, end: number, limit: number): readonly { address: number; bytes: Uint8Array }[] {
    const runs: { from: number; to: number }[] = [];
    let left = Math.floor(limit / PAGE_SIZE);
    this.table.update(start, end, (entry, address) => {
      const last = runs[runs.length - 1];
      if (left <= 0 || (entry & ENTRY.READ) === 0 || entry >>> 12 === ZERO_FRAME) return entry;
      left--;
      if (last?.to === address) last.to += PAGE_SIZE;
      else runs.push({ from: address, to: address + PAGE_SIZE });
      return entry;
    });
    return runs.map(({ from, to }) => ({ address: from, bytes: this.read(from, to - from) }));
  }

  write(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const left = PAGE_SIZE - ((address + done) % PAGE_SIZE);
      const size = Math.min(bytes.length - done, left);
      const at = this.writableAt(address + done, size);
      this.pool.bytes.set(bytes.subarray(done, done + size), at);
      done += size;
    }
    const shadow = this.pool.shadows === undefined ? undefined : byteShadow(bytes);
    if (shadow !== undefined) this.setShadow(address, shadow);
  }

  // shadows

  /** Expressions of `size` bytes, 0 where a byte has none; undefined where none has. */
  shadow(address: number, size: number): ByteShadow | undefined {
    return this.pool.shadows?.at(address, size, (page) => {
      const entry = this.table.entry(page);
      return (entry & ENTRY.READ) === 0 ? entry >>> 12 : 0;
    });
  }

  /** Gives the bytes at an address, just written there, their expressions (0: none). */
  setShadow(address: number, shadow: ByteShadow): void {
    const { shadows } = this.pool;
    assert(shadows !== undefined, 'the machine keeps shadows');
    for (let done = 0; done < shadow.length; ) {
      const offset = (address + done) % PAGE_SIZE;
      const count = Math.min(shadow.length - done, PAGE_SIZE - offset);
      const frame = Math.floor(this.writableAt(address + done) / FRAME_SIZE);
      if (shadows.set(frame, offset, shadow.subarray(done, done + count))) this.hide(frame, address + done);
      done += count;
    }
  }

  /** Engines go the slow way to a frame from now on, wherever it is mapped. */
  private hide(frame: number, address: number): void {
    const page = pageDown(address);
    if (this.list.find(address)?.shared !== true) {
      this.table.setEntry(page, (this.table.entry(page) & ~(ENTRY.READ | ENTRY.WRITE)) >>> 0);
      return;
    }
    for (const space of this.memory.spaces)
      for (const region of space.list.all())
        if (region.shared)
          space.table.update(region.start, region.end, (entry) =>
            entry >>> 12 === frame ? (entry & ~(ENTRY.READ | ENTRY.WRITE)) >>> 0 : entry,
          );
  }

  readCString(address: number, limit: number): Uint8Array | undefined {
    const parts: number[] = [];
    for (let done = 0; done < limit; ) {
      const at = this.readable(address + done);
      const size = Math.min(limit - done, PAGE_SIZE - (at % PAGE_SIZE));
      const piece = this.pool.bytes.subarray(at, at + size);
      const end = piece.indexOf(0);
      for (const byte of end < 0 ? piece : piece.subarray(0, end)) parts.push(byte);
      if (end >= 0) return Uint8Array.from(parts);
      done += size;
    }
    return undefined;
  }
}

function pageIndex(region: Region, page: number): number {
  return (region.offset + page - region.start) / PAGE_SIZE;
}

/** See Memory. */
export function createMemory(options: MemoryOptions = {}): Memory {
  return new Memory(options);
}

/** An empty address space, in a memory of its own unless one is given. */
export function createAddressSpace(memory: Memory = createMemory()): PagedSpace {
  return memory.createAddressSpace();
}
