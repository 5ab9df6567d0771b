// ELF header, program headers and section headers as typed views, read on demand from a file of any size. Follows the
// System V gABI chapters 4 and 5, 64-bit little-endian only. Every read is bounded; what is malformed is an InputError
// with the file and offset, what is absent is empty. Relocation and loading are not done here.
import { ByteReader, InputError } from '../bytes/index.ts';
import { EHDR_SIZE, PHDR_SIZE, PT, SHDR_SIZE, SHT } from './constants.ts';

/** Random access to the bytes of one file. `readInto` fills from `offset`; bytes beyond `size` are 0. */
export interface ByteSource {
  readonly size: number;
  readInto(offset: number, into: Uint8Array): void;
}

/** No table of a file is read whole beyond this many bytes. */
export const TABLE_LIMIT = 256 << 20;

/** A file with its name for messages. */
export class ElfSource {
  readonly name: string;
  private readonly source: ByteSource;

  constructor(source: ByteSource, name: string) {
    this.source = source;
    this.name = name;
  }

  static ofBytes(bytes: Uint8Array, name: string): ElfSource {
    const readInto = (offset: number, into: Uint8Array): void =>
      into.set(bytes.subarray(offset, offset + into.length));
    return new ElfSource({ size: bytes.length, readInto }, name);
  }

  get size(): number {
    return this.source.size;
  }

  /** Exactly these bytes; an InputError where the file ends before. `part` names them in messages. */
  read(offset: number, length: number, part: string): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.source.size)) {
      throw new InputError(
        `${part} lies outside of the file (${length} bytes at ${offset} of ${this.source.size})`,
        this.name,
      );
    }
    if (length > TABLE_LIMIT) throw new InputError(`${part} is too large (${length} bytes)`, this.name);
    const bytes = new Uint8Array(length);
    this.source.readInto(offset, bytes);
    return bytes;
  }

  reader(offset: number, length: number, part: string): ByteReader {
    return new ByteReader(this.read(offset, length, part), `${this.name} ${part} (file offset ${offset})`);
  }
}

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entsize: number;
}

/** Header and program headers; everything else is read from `source` when asked for. */
export interface Elf {
  readonly source: ElfSource;
  readonly type: number;
  readonly machine: number;
  readonly entry: number;
  readonly phoff: number;
  readonly phnum: number;
  readonly shoff: number;
  readonly shnum: number;
  readonly shstrndx: number;
  readonly segments: readonly Segment[];
}

export function isElf(start: Uint8Array): boolean {
  return (
    start.length >= 4 && start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46
  );
}

/** InputError where this is not a 64-bit little-endian ELF file or its program headers do not fit. */
export function parseElf(source: ElfSource): Elf {
  const r = source.reader(0, EHDR_SIZE, 'ELF header');
  const ident = r.slice(16);
  if (!isElf(ident)) throw new InputError('not an ELF file', source.name);
  if (ident[4] !== 2 || ident[5] !== 1)
    throw new InputError('not a 64-bit little-endian ELF file', source.name);
  if (ident[6] !== 1) throw new InputError(`unknown ELF version ${ident[6]}`, source.name);
  const type = r.u16();
  const machine = r.u16();
  r.skip(4);
  const entry = address(r);
  const phoff = address(r);
  const shoff = address(r);
  r.skip(6);
  const phentsize = r.u16();
  const phnum = r.u16();
  const shentsize = r.u16();
  const shnum = r.u16();
  const shstrndx = r.u16();
  if (phnum > 0 && phentsize !== PHDR_SIZE)
    throw new InputError(`program header size ${phentsize}, expected ${PHDR_SIZE}`, source.name);
  const segments = readSegments(source, phoff, phnum);
  const hasSections = shoff !== 0 && shentsize === SHDR_SIZE;
  return {
    source,
    type,
    machine,
    entry,
    phoff,
    phnum,
    shoff: hasSections ? shoff : 0,
    shnum,
    shstrndx,
    segments,
  };
}

/** A 64-bit address or offset. What exceeds 2^53 cannot be valid here and becomes 2^53, which fails every range check. */
function address(r: ByteReader): number {
  const value = r.u64();
  return value > 0x1fffffffffffffn ? 0x20000000000000 : Number(value);
}

function readSegments(source: ElfSource, phoff: number, phnum: number): Segment[] {
  const segments: Segment[] = [];
  if (phnum === 0) return segments;
  const r = source.reader(phoff, phnum * PHDR_SIZE, 'program headers');
  for (let i = 0; i < phnum; i++) {
    const type = r.u32();
    const flags = r.u32();
    const offset = address(r);
    const vaddr = address(r);
    r.skip(8);
    const filesz = address(r);
    const memsz = address(r);
    const align = address(r);
    segments.push({ type, flags, offset, vaddr, filesz, memsz, align });
  }
  return segments;
}

/** Section headers; empty where the file is stripped of them. */
export function readSections(elf: Elf): Section[] {
  const { source, shoff } = elf;
  if (shoff === 0) return [];
  // More than 0xff00 sections: the real numbers are in the first header.
  const first = source.reader(shoff, SHDR_SIZE, 'section header 0');
  first.skip(32);
  const extendedCount = address(first);
  const extendedNames = first.u32();
  const count = elf.shnum === 0 ? extendedCount : elf.shnum;
  const names = elf.shstrndx === 0xffff ? extendedNames : elf.shstrndx;
  if (count === 0) return [];
  const r = source.reader(shoff, count * SHDR_SIZE, 'section headers');
  const raw: (Section & { readonly nameAt: number })[] = [];
  for (let i = 0; i < count; i++) {
    const nameAt = r.u32();
    const type = r.u32();
    const flags = address(r);
    const addr = address(r);
    const offset = address(r);
    const size = address(r);
    const link = r.u32();
    r.skip(12);
    const entsize = address(r);
    raw.push({ name: '', nameAt, type, flags, addr, offset, size, link, entsize });
  }
  const strings = raw[names];
  const table =
    strings === undefined || strings.type === SHT.NOBITS
      ? undefined
      : source.reader(strings.offset, strings.size, 'section names');
  return raw.map(({ nameAt, ...section }) => ({
    ...section,
    name: table === undefined ? '' : stringAt(table, nameAt),
  }));
}

/** The NUL-terminated text at an offset of a string table; '' beyond its end. */
export function stringAt(table: ByteReader, offset: number): string {
  if (offset >= table.bytes.length) return '';
  table.position = offset;
  return table.cString();
}

/** File offset of a virtual address whose `length` bytes are all in the file part of one PT_LOAD segment. */
export function fileOffset(elf: Elf, vaddr: number, length: number): number | undefined {
  for (const s of elf.segments) {
    if (s.type === PT.LOAD && vaddr >= s.vaddr && vaddr + length <= s.vaddr + s.filesz)
      return s.offset + (vaddr - s.vaddr);
  }
  return undefined;
}

/** Bytes from a virtual address to the end of its segment's file part. */
export function bytesAfter(elf: Elf, vaddr: number): number {
  for (const s of elf.segments) {
    if (s.type === PT.LOAD && vaddr >= s.vaddr && vaddr < s.vaddr + s.filesz)
      return s.vaddr + s.filesz - vaddr;
  }
  return 0;
}

/** Reader over `length` bytes at a virtual address; InputError where they are not in the file. */
export function readVirtual(elf: Elf, vaddr: number, length: number, part: string): ByteReader {
  const offset = fileOffset(elf, vaddr, length);
  if (offset === undefined)
    throw new InputError(
      `${part} at address 0x${vaddr.toString(16)} is in no segment of the file`,
      elf.source.name,
    );
  return elf.source.reader(offset, length, part);
}

/** PT_INTERP's path; undefined where the program has none (static, or a shared object). */
export function interpreterOf(elf: Elf): string | undefined {
  const segment = elf.segments.find((s) => s.type === PT.INTERP);
  if (segment === undefined) return undefined;
  if (segment.filesz < 2 || segment.filesz > 4096)
    throw new InputError(`interpreter path of ${segment.filesz} bytes`, elf.source.name);
  const r = elf.source.reader(segment.offset, segment.filesz, 'interpreter path');
  if (r.bytes[segment.filesz - 1] !== 0)
    throw new InputError('interpreter path does not end in NUL', elf.source.name);
  return r.cString();
}
