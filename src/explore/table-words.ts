// Words that a table of a program points to: names of commands and of settings stand in tables, and where the linker has
// merged strings that end alike (`config` into `saveconfig`), only the pointer tells where a word begins.
import { decodeText, InputError } from '../bytes/index.ts';
import { type Elf, ElfSource, fileOffset, isElf, PF, PT, parseElf, readDynamic } from '../elf/index.ts';
import type { FileNode } from '../image/index.ts';
import { commandOf } from './words.ts';

const MAX_WORDS = 2_000;
/** Bytes of relocations, and of each data segment, that are looked at. */
const MAX_BYTES = 4 << 20;
const LONGEST = 18;

const DT_RELA = 7;
const DT_RELASZ = 8;
const R_X86_64_RELATIVE = 8;
const RELA_SIZE = 24;

/** Words of a program's tables, in the order of the tables; none where the file is not an ELF program that we can read. */
export function tableWordsOf(file: FileNode, path: string): readonly string[] {
  if (!isElf(file.read(0, 4))) return [];
  try {
    const elf = parseElf(new ElfSource(file, path));
    const words = new Set<string>();
    for (const address of pointers(elf, file)) {
      const word = wordAt(elf, file, address);
      if (word !== undefined) words.add(word);
      if (words.size >= MAX_WORDS) break;
    }
    return [...words];
  } catch (error) {
    if (error instanceof InputError) return [];
    throw error;
  }
}

/** Addresses that relocations put into tables, and what looks like an address in the data of programs without any. */
function* pointers(elf: Elf, file: FileNode): Generator<number> {
  const { tags } = readDynamic(elf);
  const start = fileOffset(elf, tags.get(DT_RELA) ?? 0, RELA_SIZE);
  const size = tags.get(DT_RELASZ) ?? 0;
  if (start !== undefined) {
    const view = viewOf(file.read(start, Math.min(size, MAX_BYTES)));
    for (let at = 0; at + RELA_SIZE <= view.byteLength; at += RELA_SIZE)
      if (view.getUint32(at + 8, true) === R_X86_64_RELATIVE) yield addressAt(view, at + 16);
  }
  for (const { type, flags, offset, filesz } of elf.segments) {
    if (type !== PT.LOAD || (flags & PF.W) === 0) continue;
    const view = viewOf(file.read(offset, Math.min(filesz, MAX_BYTES)));
    for (let at = (8 - (offset % 8)) % 8; at + 8 <= view.byteLength; at += 8) yield addressAt(view, at);
  }
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const addressAt = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

/** The word that is all there is at this address of the read-only data. */
function wordAt(elf: Elf, file: FileNode, address: number): string | undefined {
  const segment = elf.segments.find(
    ({ type, flags, vaddr, filesz }) =>
      type === PT.LOAD && (flags & PF.W) === 0 && address >= vaddr && address < vaddr + filesz,
  );
  if (segment === undefined) return undefined;
  const left = segment.vaddr + segment.filesz - address;
  const bytes = file.read(segment.offset + address - segment.vaddr, Math.min(LONGEST, left));
  const end = bytes.indexOf(0);
  if (end < 0) return undefined;
  const text = decodeText(bytes.subarray(0, end));
  return commandOf(text) === text ? text : undefined;
}
