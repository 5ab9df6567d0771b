// Unwind tables: .eh_frame and its search table .eh_frame_hdr (LSB core, DWARF 5 section 6.4 with the eh_frame
// differences). Says, for one address, how the caller's registers follow from the callee's. Evaluates the register
// rules of DW_CFA programs; walking a stack is the user's business. Language data (LSDA) is not read.
import { type ByteReader, InputError } from '../bytes/index.ts';
import { type Cie, type Fde, rowAt, type UnwindRow } from './cfa.ts';
import { PT } from './constants.ts';
import { bytesAfter, type Elf, fileOffset, readSections } from './file.ts';
import { encoded, low64, sleb, uleb } from './leb.ts';

/** Frame descriptions indexed by a scan (no search table), at most. */
const SCAN_LIMIT = 200_000;
/** An entry (CIE or FDE) is at most this long. */
const ENTRY_LIMIT = 1 << 20;

export class UnwindTable {
  private readonly elf: Elf;
  private readonly hdr: number;
  private readonly frame: number;
  /** Sorted pairs (start, FDE address) from .eh_frame_hdr: signed 32-bit, relative to it. */
  private readonly search: DataView | undefined;
  private scanned: { readonly start: number; readonly end: number; readonly at: number }[] | undefined;
  private readonly cies = new Map<number, Cie>();
  private readonly rows = new Map<number, UnwindRow | undefined>();

  /** Empty where the file has no tables; InputError where they are malformed. */
  constructor(elf: Elf) {
    this.elf = elf;
    const segment = elf.segments.find((s) => s.type === PT.GNU_EH_FRAME);
    if (segment === undefined || segment.filesz < 4) {
      this.hdr = 0;
      this.frame =
        segment === undefined ? (readSections(elf).find((s) => s.name === '.eh_frame')?.addr ?? 0) : 0;
      return;
    }
    const r = elf.source.reader(segment.offset, segment.filesz, '.eh_frame_hdr');
    this.hdr = segment.vaddr;
    if (r.u8() !== 1) throw new InputError('unknown version', r.name);
    const frameEncoding = r.u8();
    const countEncoding = r.u8();
    const tableEncoding = r.u8();
    const relative = (encoding: number, at: number): number =>
      (encoding & 0x70) === 0x10 ? this.hdr + at : (encoding & 0x70) === 0x30 ? this.hdr : 0;
    const at = r.position;
    this.frame = frameEncoding === 0xff ? 0 : relative(frameEncoding, at) + encoded(r, frameEncoding);
    if (countEncoding === 0xff || tableEncoding !== 0x3b) return;
    const count = encoded(r, countEncoding);
    const bytes = r.slice(count * 8);
    this.search = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The row for the instruction at this virtual address of the file; undefined where no description covers it. */
  find(vaddr: number): UnwindRow | undefined {
    if (this.rows.has(vaddr)) return this.rows.get(vaddr);
    const fde = this.search === undefined ? this.findScanned(vaddr) : this.findSorted(this.search, vaddr);
    const row =
      fde === undefined || vaddr < fde.start || vaddr >= fde.end
        ? undefined
        : rowAt(fde, vaddr, this.elf.source.name);
    if (this.rows.size > 65_536) this.rows.clear();
    this.rows.set(vaddr, row);
    return row;
  }

  private findSorted(table: DataView, vaddr: number): Fde | undefined {
    const wanted = vaddr - this.hdr;
    let low = 0;
    let high = table.byteLength / 8;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (table.getInt32(middle * 8, true) <= wanted) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    return this.fde(this.hdr + table.getInt32((low - 1) * 8 + 4, true));
  }

  private findScanned(vaddr: number): Fde | undefined {
    this.scanned ??= this.scan();
    const hit = this.scanned.find((entry) => vaddr >= entry.start && vaddr < entry.end);
    return hit === undefined ? undefined : this.fde(hit.at);
  }

  /** Without a search table: every FDE from the start of .eh_frame on. */
  private scan(): { readonly start: number; readonly end: number; readonly at: number }[] {
    const found: { readonly start: number; readonly end: number; readonly at: number }[] = [];
    if (this.frame === 0) return found;
    const end = this.frame + bytesAfter(this.elf, this.frame);
    for (let at = this.frame; at + 4 <= end && found.length < SCAN_LIMIT; ) {
      const entry = this.entry(at);
      if (entry === undefined) break;
      if (entry.id !== 0) {
        const fde = this.fde(at);
        if (fde !== undefined) found.push({ start: fde.start, end: fde.end, at });
      }
      at = entry.next;
    }
    return found;
  }

  /** Header of a CIE or FDE: body after the id, the id, its address; undefined at the terminator. */
  private entry(
    at: number,
  ):
    | { readonly r: ByteReader; readonly id: number; readonly idAt: number; readonly next: number }
    | undefined {
    const head = this.reader(at, Math.min(12, bytesAfter(this.elf, at)));
    const short = head.u32();
    if (short === 0) return undefined;
    const long = short === 0xffffffff;
    const length = long ? low64(head) : short;
    if (length < 4 || length > ENTRY_LIMIT)
      throw new InputError(
        `entry of ${length} bytes in .eh_frame at 0x${at.toString(16)}`,
        this.elf.source.name,
      );
    const idAt = at + (long ? 12 : 4);
    const r = this.reader(idAt, length);
    const id = r.u32();
    return { r, id, idAt, next: idAt + length };
  }

  private reader(vaddr: number, length: number): ByteReader {
    const offset = fileOffset(this.elf, vaddr, length);
    if (offset === undefined)
      throw new InputError(
        `.eh_frame entry at 0x${vaddr.toString(16)} is in no segment`,
        this.elf.source.name,
      );
    return this.elf.source.reader(offset, length, '.eh_frame');
  }

  private fde(at: number): Fde | undefined {
    const entry = this.entry(at);
    if (entry === undefined || entry.id === 0) return undefined;
    const cie = this.cie(entry.idAt - entry.id);
    const { r } = entry;
    const base = (cie.encoding & 0x70) === 0x10 ? entry.idAt + r.position : 0;
    const start = base + encoded(r, cie.encoding);
    const size = encoded(r, cie.encoding & 7);
    if (cie.augmented) r.skip(uleb(r));
    return { cie, start, end: start + size, program: r.slice(r.remaining) };
  }

  private cie(at: number): Cie {
    const known = this.cies.get(at);
    if (known !== undefined) return known;
    const entry = this.entry(at);
    if (entry === undefined || entry.id !== 0)
      throw new InputError(`no CIE at 0x${at.toString(16)}`, this.elf.source.name);
    const cie = parseCie(entry.r);
    this.cies.set(at, cie);
    return cie;
  }
}

function parseCie(r: ByteReader): Cie {
  const version = r.u8();
  if (version !== 1 && version !== 3 && version !== 4)
    throw new InputError(`unknown CIE version ${version}`, r.name);
  const augmentation = r.cString();
  if (version === 4) r.skip(2);
  const codeAlign = uleb(r);
  const dataAlign = sleb(r);
  const returnRegister = version === 1 ? r.u8() : uleb(r);
  const augmented = augmentation.startsWith('z');
  let encoding = 0;
  if (augmented) {
    const size = uleb(r);
    const end = r.position + size;
    for (const letter of augmentation.slice(1)) {
      if (letter === 'R') encoding = r.u8();
      else if (letter === 'P') encoded(r, r.u8());
      else if (letter === 'L') r.skip(1);
    }
    r.position = Math.min(end, r.bytes.length);
  }
  return {
    codeAlign,
    dataAlign,
    returnRegister,
    encoding,
    augmented,
    signalFrame: augmentation.includes('S'),
    program: r.slice(r.remaining),
  };
}
