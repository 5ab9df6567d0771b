// Symbol tables: .dynsym (its length from DT_GNU_HASH or DT_HASH, since nothing else says it) and .symtab where the
// file still has one. Entries stay packed as in the file:
//   st_name u32 | st_info u8 | st_other u8 | st_shndx u16 | st_value u64 | st_size u64
// Symbol versions are not read.

import type { ByteReader } from '../bytes/index.ts';
import { InputError } from '../bytes/index.ts';
import { DT, SHT, STB, STT, SYM_SIZE } from './constants.ts';
import { dynamicStrings, readDynamic } from './dynamic.ts';
import { bytesAfter, type Elf, readSections, readVirtual, stringAt } from './file.ts';

export interface ElfSymbol {
  readonly name: string;
  /** Virtual address as in the file. */
  readonly value: number;
  readonly size: number;
  readonly type: number;
  readonly bind: number;
  /** 0: undefined here, to be found in another file. */
  readonly section: number;
}

export class SymbolTable {
  readonly count: number;
  private readonly entries: DataView;
  private readonly strings: ByteReader;

  constructor(entries: Uint8Array, strings: ByteReader) {
    this.count = Math.floor(entries.length / SYM_SIZE);
    this.entries = new DataView(entries.buffer, entries.byteOffset, entries.length);
    this.strings = strings;
  }

  type(i: number): number {
    return this.entries.getUint8(i * SYM_SIZE + 4) & 15;
  }
  bind(i: number): number {
    return this.entries.getUint8(i * SYM_SIZE + 4) >> 4;
  }
  section(i: number): number {
    return this.entries.getUint16(i * SYM_SIZE + 6, true);
  }
  value(i: number): number {
    return Number(this.entries.getBigUint64(i * SYM_SIZE + 8, true));
  }
  size(i: number): number {
    return Number(this.entries.getBigUint64(i * SYM_SIZE + 16, true));
  }
  name(i: number): string {
    return stringAt(this.strings, this.entries.getUint32(i * SYM_SIZE, true));
  }
  at(i: number): ElfSymbol {
    return {
      name: this.name(i),
      value: this.value(i),
      size: this.size(i),
      type: this.type(i),
      bind: this.bind(i),
      section: this.section(i),
    };
  }
}

/** .dynsym; undefined where there is none. */
export function dynamicSymbols(elf: Elf): SymbolTable | undefined {
  const { tags } = readDynamic(elf);
  const symtab = tags.get(DT.SYMTAB);
  const strings = dynamicStrings(elf, tags);
  if (symtab === undefined || strings === undefined) return undefined;
  if ((tags.get(DT.SYMENT) ?? SYM_SIZE) !== SYM_SIZE)
    throw new InputError(`symbol size ${tags.get(DT.SYMENT)}`, elf.source.name);
  const count = dynamicCount(elf, tags);
  return new SymbolTable(readVirtual(elf, symtab, count * SYM_SIZE, 'dynamic symbols').bytes, strings);
}

function dynamicCount(elf: Elf, tags: ReadonlyMap<number, number>): number {
  const hash = tags.get(DT.HASH);
  if (hash !== undefined) {
    const r = readVirtual(elf, hash, 8, 'hash table');
    r.skip(4);
    return r.u32();
  }
  const gnuHash = tags.get(DT.GNU_HASH);
  return gnuHash === undefined ? 0 : gnuHashCount(elf, gnuHash);
}

/**
 * nbuckets u32 | symoffset u32 | bloom words u32 | shift u32 | bloom u64[] | buckets u32[] | chain u32[]
 * The last symbol is at the end of the chain that the highest bucket starts; a chain ends at an odd word.
 */
function gnuHashCount(elf: Elf, vaddr: number): number {
  const header = readVirtual(elf, vaddr, 16, 'GNU hash table');
  const buckets = header.u32();
  const symbolOffset = header.u32();
  const bloom = header.u32();
  const bucketsAt = vaddr + 16 + bloom * 8;
  const table = readVirtual(elf, bucketsAt, buckets * 4, 'GNU hash buckets');
  let last = 0;
  for (let i = 0; i < buckets; i++) last = Math.max(last, table.u32());
  if (last < symbolOffset) return symbolOffset;
  const chainAt = bucketsAt + buckets * 4 + (last - symbolOffset) * 4;
  const chain = readVirtual(elf, chainAt, bytesAfter(elf, chainAt) & ~3, 'GNU hash chain');
  while (chain.remaining >= 4) {
    if ((chain.u32() & 1) === 1) return last + 1;
    last++;
  }
  throw new InputError('GNU hash chain has no end', elf.source.name);
}

/** .symtab; undefined in stripped files. */
export function staticSymbols(elf: Elf): SymbolTable | undefined {
  const sections = readSections(elf);
  const section = sections.find((s) => s.type === SHT.SYMTAB);
  if (section === undefined) return undefined;
  const strings = sections[section.link];
  if (strings === undefined || strings.type !== SHT.STRTAB)
    throw new InputError('symbol table without string table', elf.source.name);
  const entries = elf.source.read(section.offset, section.size, 'symbol table');
  return new SymbolTable(entries, elf.source.reader(strings.offset, strings.size, 'symbol names'));
}

/** More functions than any real program has. */
const FUNCTION_LIMIT = 2_000_000;

const bindRank = (bind: number): number =>
  bind === STB.GLOBAL || bind === STB.GNU_UNIQUE ? 0 : bind === STB.WEAK ? 1 : 2;

/** Functions of a file by address, for naming code. */
export class FunctionIndex {
  private readonly starts: Float64Array;
  private readonly rows: readonly { readonly table: SymbolTable; readonly index: number }[];

  /** Of several names for an address the most visible, then the shortest, then the first in order wins. */
  constructor(tables: readonly SymbolTable[]) {
    const all: { readonly table: SymbolTable; readonly index: number; readonly start: number }[] = [];
    for (const table of tables) {
      for (let index = 0; index < table.count; index++) {
        const type = table.type(index);
        if ((type === STT.FUNC || type === STT.GNU_IFUNC) && table.section(index) !== 0) {
          all.push({ table, index, start: table.value(index) });
        }
        if (all.length > FUNCTION_LIMIT)
          throw new InputError(`more than ${FUNCTION_LIMIT} functions`, 'symbol table');
      }
    }
    all.sort((a, b) => a.start - b.start || preferred(a, b));
    const rows = all.filter((row, i) => i === 0 || row.start !== all[i - 1].start);
    this.starts = Float64Array.from(rows, (row) => row.start);
    this.rows = rows;
  }

  get size(): number {
    return this.starts.length;
  }

  /** The function that covers a virtual address; one without a size reaches to the next. */
  find(vaddr: number): ElfSymbol | undefined {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= vaddr) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const { table, index } = this.rows[low - 1];
    const size = table.size(index);
    return size === 0 || vaddr < this.starts[low - 1] + size ? table.at(index) : undefined;
  }
}

interface Named {
  readonly table: SymbolTable;
  readonly index: number;
}

function preferred(a: Named, b: Named): number {
  const rank = bindRank(a.table.bind(a.index)) - bindRank(b.table.bind(b.index));
  if (rank !== 0) return rank;
  const x = a.table.name(a.index);
  const y = b.table.name(b.index);
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
}

/** Functions from both tables; malformed or absent tables count as empty, so that a name is only ever missing. */
export function functionsOf(elf: Elf): FunctionIndex {
  const tables = [staticSymbols, dynamicSymbols].map((read) => orNothing(() => read(elf)));
  return (
    orNothing(() => new FunctionIndex(tables.filter((table) => table !== undefined))) ?? new FunctionIndex([])
  );
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
