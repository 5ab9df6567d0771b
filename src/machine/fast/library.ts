// Which stored code belongs to a page: that of the file mapped there, at that address. A file is known by its size and
// its first page (headers, and the build id of what a linker made); the guest's own bytes decide in the end
// (stored-code.ts). Only files that cannot change are kept: memory that a program writes its code to is not.
import type { CodeStore } from '../code-store.ts';
import { type Backing, PAGE_SIZE } from '../memory.ts';
import type { PagedSpace } from '../space.ts';
import { type BlockRecord, checksum, encodeStored, StoredCode } from './stored-code.ts';

/** An entry is written anew for one block more in so many. */
const WORTH = 64;

/** Code of one file at one address. */
export class Unit {
  readonly name: string;
  /** Address of the file's first byte. */
  readonly base: number;
  readonly stored: StoredCode | undefined;
  /** Numbers of blocks made in this run, and of those taken from the store with their records. */
  readonly added: number[] = [];
  /** How many of these are stored. */
  kept = 0;
  readonly taken = new Map<number, number>();

  constructor(name: string, base: number, stored: StoredCode | undefined) {
    this.name = name;
    this.base = base;
    this.stored = stored;
  }
}

/** Of a block of this run, by number. */
export interface BlockSource {
  record(number: number, unit: Unit): BlockRecord;
  executions(number: number): number;
}

export class Library {
  private readonly store: CodeStore;
  private readonly prefix: string;
  private readonly units = new Map<string, Unit>();
  private readonly files = new WeakMap<Backing, { readonly id: string; readonly units: Map<number, Unit> }>();

  /** `prefix`: all that streams depend on besides the guest's code. */
  constructor(store: CodeStore, prefix: string) {
    this.store = store;
    this.prefix = prefix;
  }

  /** The unit of the code at an address; undefined where it is not a file's. */
  at(space: PagedSpace, address: number): Unit | undefined {
    const region = space.find(address);
    const backing = region?.backing;
    if (region === undefined || backing === undefined || backing.immutable !== true) return undefined;
    let file = this.files.get(backing);
    if (file === undefined) {
      file = { id: identityOf(backing), units: new Map() };
      this.files.set(backing, file);
    }
    const base = region.start - region.offset;
    let unit = file.units.get(base);
    if (unit === undefined) {
      unit = this.unit(`${this.prefix}.${file.id}.${base.toString(16)}`, base);
      file.units.set(base, unit);
    }
    return unit;
  }

  private unit(name: string, base: number): Unit {
    let unit = this.units.get(name);
    if (unit === undefined) {
      const bytes = this.store.load(name);
      unit = new Unit(name, base, bytes === undefined ? undefined : StoredCode.open(bytes));
      this.units.set(name, unit);
    }
    return unit;
  }

  /** All blocks are forgotten. */
  forget(): void {
    for (const unit of this.units.values()) {
      unit.added.length = 0;
      unit.kept = 0;
      unit.taken.clear();
    }
  }

  /** Stores what this run added, where it is worth it. */
  save(source: BlockSource): void {
    for (const unit of this.units.values()) {
      const { added } = unit;
      if ((added.length - unit.kept) * WORTH <= (unit.stored?.records ?? 0)) continue;
      const records = new Map<number, BlockRecord>();
      const stored = unit.stored ?? EMPTY;
      for (const record of stored.all()) {
        const number = unit.taken.get(record);
        const executions = Math.max(
          stored.executions(record),
          number === undefined ? 0 : source.executions(number),
        );
        records.set(stored.position(record), stored.record(record, executions));
      }
      for (const number of added) {
        const record = source.record(number, unit);
        records.set(record.position, record);
      }
      this.store.save(unit.name, encodeStored([...records.values()]));
      unit.kept = added.length;
    }
  }
}

const EMPTY = StoredCode.empty();

/** Tells files apart; an accident costs time, not truth. */
function identityOf(backing: Backing): string {
  const page = new Uint8Array(PAGE_SIZE);
  backing.readInto(0, page.subarray(0, Math.min(PAGE_SIZE, backing.size)));
  const words = new Int32Array(page.buffer);
  const half = words.length / 2;
  const parts = [backing.size, checksum(words, 0, half) >>> 0, checksum(words, half, words.length) >>> 0];
  return parts.map((part) => part.toString(16)).join('-');
}
