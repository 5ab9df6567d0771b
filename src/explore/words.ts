// Words that a program holds in its read-only data: the commands of a text protocol are among them. They make probes
// that a program's own parser may know (until symbolic input finds them by itself).
import { decodeText, InputError } from '../bytes/index.ts';
import {
  type Elf,
  ElfSource,
  fileOffset,
  isElf,
  PF,
  PT,
  parseElf,
  readDynamic,
  readSections,
  SHT,
} from '../elf/index.ts';
import type { FileNode } from '../image/index.ts';

/** Words taken from one program; earlier ones (the program's own before those of a linked-in library) first. */
const MAX_WORDS = 400;
/** Bytes of read-only data that are looked at. */
const MAX_BYTES = 4 << 20;
const SHORTEST = 2;
const LONGEST = 16;

/** Words of a program, in the order of their addresses; none where the file is not an ELF program that we can read. */
export function wordsOf(file: FileNode, path: string): readonly string[] {
  if (!isElf(file.read(0, 4))) return [];
  try {
    const elf = parseElf(new ElfSource(file, path));
    const words = new Set<string>();
    const rodata = readSections(elf).filter(
      ({ name, type }) => name.startsWith('.rodata') && type === SHT.PROGBITS,
    );
    for (const { offset, size } of rodata) collect(file.read(offset, Math.min(size, MAX_BYTES)), words);
    // without section headers all constants are looked at, tables of numbers among them
    const constant = elf.segments.filter(({ type, flags }) => type === PT.LOAD && (flags & PF.W) === 0);
    const data = constant.filter(({ flags }) => (flags & PF.X) === 0);
    // Instructions look like words here and there; linkers that keep strings beside them leave no choice.
    for (const segment of rodata.length > 0 ? [] : data.length > 0 ? data : constant) {
      const bytes = file.read(segment.offset, Math.min(segment.filesz, MAX_BYTES));
      // Names of symbols are no words of the program's.
      const names = symbolNames(elf);
      bytes.fill(1, Math.max(0, names.start - segment.offset), Math.max(0, names.end - segment.offset));
      collect(bytes, words);
      if (words.size >= MAX_WORDS) break;
    }
    return [...words].slice(0, MAX_WORDS);
  } catch (error) {
    if (error instanceof InputError) return [];
    throw error;
  }
}

const DT_STRTAB = 5;
const DT_STRSZ = 10;

/** Where the file keeps the names of dynamic symbols. */
function symbolNames(elf: Elf): { readonly start: number; readonly end: number } {
  const { tags } = readDynamic(elf);
  const start = fileOffset(elf, tags.get(DT_STRTAB) ?? 0, 1) ?? 0;
  return { start, end: start + (tags.get(DT_STRSZ) ?? 0) };
}

/** NUL-terminated strings that are a word, or begin with a word and a blank (`SAVE %s`). */
function collect(bytes: Uint8Array, into: Set<string>): void {
  let start = 0;
  for (let i = 0; i < bytes.length && into.size < MAX_WORDS; i++) {
    const byte = bytes[i];
    if (byte >= 0x20 && byte < 0x7f) continue;
    // constants of a program stand NUL after NUL; two letters between other bytes are numbers that look like a word
    const follows = start === 0 || bytes[start - 1] === 0;
    if (byte === 0 && follows && i - start >= SHORTEST && i - start < 80) {
      const word = commandOf(decodeText(bytes.subarray(start, i)));
      if (word !== undefined) into.add(word);
    }
    start = i + 1;
  }
}

/** The word that a text is, or begins with before an argument; undefined where it is none. */
export function commandOf(text: string): string | undefined {
  const found = /^([A-Za-z][A-Za-z_-]*)(?:$|:?\s*$| %)/.exec(text);
  const word = found?.[1];
  return word !== undefined && word.length >= SHORTEST && word.length <= LONGEST ? word : undefined;
}
