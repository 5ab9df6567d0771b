// The dynamic section (gABI chapter 5), found through PT_DYNAMIC since section headers can be stripped, and notes.
import { hex, InputError } from '../bytes/index.ts';
import { DT, DYN_SIZE, NT_GNU_BUILD_ID, PT } from './constants.ts';
import { type Elf, readVirtual, stringAt } from './file.ts';

export interface Dynamic {
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  readonly rpath: string | undefined;
  readonly runpath: string | undefined;
  /** First value of each tag. */
  readonly tags: ReadonlyMap<number, number>;
}

/** Empty where the file has no dynamic section. */
export function readDynamic(elf: Elf): Dynamic {
  const segment = elf.segments.find((s) => s.type === PT.DYNAMIC);
  const tags = new Map<number, number>();
  const named: { readonly tag: number; readonly value: number }[] = [];
  if (segment !== undefined) {
    const count = Math.floor(segment.filesz / DYN_SIZE);
    const r = elf.source.reader(segment.offset, count * DYN_SIZE, 'dynamic section');
    for (let i = 0; i < count; i++) {
      const tag = Number(BigInt.asIntN(53, r.u64()));
      const value = Number(BigInt.asUintN(53, r.u64()));
      if (tag === DT.NULL) break;
      if (!tags.has(tag)) tags.set(tag, value);
      if (tag === DT.NEEDED || tag === DT.SONAME || tag === DT.RPATH || tag === DT.RUNPATH)
        named.push({ tag, value });
    }
  }
  const table = named.length === 0 ? undefined : dynamicStrings(elf, tags);
  const texts = (tag: number): string[] =>
    table === undefined
      ? []
      : named.filter((entry) => entry.tag === tag).map((entry) => stringAt(table, entry.value));
  return {
    needed: texts(DT.NEEDED),
    soname: texts(DT.SONAME)[0],
    rpath: texts(DT.RPATH)[0],
    runpath: texts(DT.RUNPATH)[0],
    tags,
  };
}

/** The string table that DT_STRTAB and DT_STRSZ name; undefined where there is none. */
export function dynamicStrings(
  elf: Elf,
  tags: ReadonlyMap<number, number>,
): ReturnType<typeof readVirtual> | undefined {
  const strtab = tags.get(DT.STRTAB);
  const size = tags.get(DT.STRSZ);
  return strtab === undefined || size === undefined
    ? undefined
    : readVirtual(elf, strtab, size, 'dynamic string table');
}

/** GNU build id in hexadecimal, from PT_NOTE; undefined where the file has none. */
export function buildIdOf(elf: Elf): string | undefined {
  for (const segment of elf.segments) {
    if (segment.type !== PT.NOTE) continue;
    const found = buildIdIn(elf, segment);
    if (found !== undefined) return found;
  }
  return undefined;
}

function buildIdIn(
  elf: Elf,
  segment: { readonly offset: number; readonly filesz: number; readonly align: number },
): string | undefined {
  const r = elf.source.reader(segment.offset, segment.filesz, 'notes');
  const align = segment.align === 8 ? 8 : 4;
  const pad = (n: number): number => Math.ceil(n / align) * align;
  while (r.remaining >= 12) {
    const namesz = r.u32();
    const descsz = r.u32();
    const type = r.u32();
    const nameAt = r.position;
    const descAt = pad(nameAt + namesz);
    if (descAt + descsz > r.bytes.length)
      throw new InputError('note runs beyond its segment', `${r.name} at offset ${nameAt - 12}`);
    const isGnu =
      namesz === 4 &&
      r.bytes[nameAt] === 0x47 &&
      r.bytes[nameAt + 1] === 0x4e &&
      r.bytes[nameAt + 2] === 0x55;
    if (isGnu && type === NT_GNU_BUILD_ID) return hex(r.bytes.subarray(descAt, descAt + descsz));
    r.position = Math.min(pad(descAt + descsz), r.bytes.length);
  }
  return undefined;
}
