// Unwind tables: .eh_frame and its search table .eh_frame_hdr (LSB core, DWARF 5 section 6.4 with the eh_frame
// differences). Says, for one address, how the caller's registers follow from the callee's. Evaluates the register
// rules of DW_CFA programs; walking a stack is the user's business. Language data (LSDA) is not read.
import { ByteReader, InputError } from '../bytes/index.ts';
import { PT } from './constants.ts';
import { bytesAfter, type Elf, fileOffset, readSections } from './file.ts';

export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly code: Uint8Array };

/** Where the caller's value of a register is. Offsets are from the CFA. Registers without a rule are unchanged. */
export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'value-offset'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'expression'; readonly code: Uint8Array }
  | { readonly kind: 'value-expression'; readonly code: Uint8Array };

/** DWARF register numbers of x86-64: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp 8..15 r8..r15, 16 return address. */
export interface UnwindRow {
  readonly cfa: CfaRule;
  readonly registers: ReadonlyMap<number, RegisterRule>;
  readonly returnRegister: number;
  /** The frame of a signal trampoline: its return address is exact, not after a call. */
  readonly signalFrame: boolean;
}

interface Cie {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnRegister: number;
  readonly encoding: number;
  readonly augmented: boolean;
  readonly signalFrame: boolean;
  readonly program: Uint8Array;
}

interface Fde {
  readonly cie: Cie;
  readonly start: number;
  readonly end: number;
  readonly program: Uint8Array;
}

/** Frame descriptions indexed by a scan (no search table), at most. */
const SCAN_LIMIT = 200_000;
/** An entry (CIE or FDE) is at most this long. */
const ENTRY_LIMIT = 1 << 20;

const low64 = (r: ByteReader): number => Number(r.i64());

function uleb(r: ByteReader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = r.u8();
    if (shift < 49) value += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) return value;
    if (shift > 70) throw new InputError('number runs too long', `${r.name} at offset ${r.position}`);
  }
}

function sleb(r: ByteReader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = r.u8();
    if (shift < 49) value += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) return (byte & 0x40) !== 0 && shift < 49 ? value - 2 ** (shift + 7) : value;
    if (shift > 70) throw new InputError('number runs too long', `${r.name} at offset ${r.position}`);
  }
}

/** DW_EH_PE format part: low four bits. */
function encoded(r: ByteReader, format: number): number {
  switch (format & 15) {
    case 0:
    case 4:
    case 12:
      return low64(r);
    case 1:
      return uleb(r);
    case 2:
      return r.u16();
    case 3:
      return r.u32();
    case 9:
      return sleb(r);
    case 10:
      return (r.u16() << 16) >> 16;
    case 11:
      return r.i32();
    default:
      throw new InputError(`unknown pointer encoding ${format}`, `${r.name} at offset ${r.position}`);
  }
}

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
        : execute(fde, vaddr, this.elf.source.name);
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

interface State {
  cfa: CfaRule;
  registers: Map<number, RegisterRule>;
}

/** Runs the CIE's and the FDE's programs up to the row that covers `vaddr`. */
function execute(fde: Fde, vaddr: number, name: string): UnwindRow {
  const { cie } = fde;
  const initial: State = { cfa: { kind: 'register', register: 7, offset: 8 }, registers: new Map() };
  run(new ByteReader(cie.program, `${name} CIE`), initial, initial, cie, fde.start, Number.POSITIVE_INFINITY);
  const state: State = { cfa: initial.cfa, registers: new Map(initial.registers) };
  run(new ByteReader(fde.program, `${name} FDE`), state, initial, cie, fde.start, vaddr);
  return {
    cfa: state.cfa,
    registers: state.registers,
    returnRegister: cie.returnRegister,
    signalFrame: cie.signalFrame,
  };
}

/** DW_CFA programs; stops before the first row that starts after `vaddr`. */
function run(r: ByteReader, state: State, initial: State, cie: Cie, start: number, vaddr: number): void {
  const saved: State[] = [];
  let location = start;
  const offsetRule = (register: number, offset: number): void =>
    void state.registers.set(register, { kind: 'offset', offset: offset * cie.dataAlign });
  const restore = (register: number): void => {
    const rule = initial.registers.get(register);
    if (rule === undefined) state.registers.delete(register);
    else state.registers.set(register, rule);
  };
  const cfaRegister = (): number => (state.cfa.kind === 'register' ? state.cfa.register : 7);
  while (r.remaining > 0 && location <= vaddr) {
    const op = r.u8();
    const low = op & 0x3f;
    if (op >= 0xc0) restore(low);
    else if (op >= 0x80) offsetRule(low, uleb(r));
    else if (op >= 0x40) location += low * cie.codeAlign;
    else {
      switch (op) {
        case 0: // nop
          break;
        case 1: // set_loc
          location = encoded(r, cie.encoding);
          break;
        case 2: // advance_loc1
          location += r.u8() * cie.codeAlign;
          break;
        case 3:
          location += r.u16() * cie.codeAlign;
          break;
        case 4:
          location += r.u32() * cie.codeAlign;
          break;
        case 5: // offset_extended
          offsetRule(uleb(r), uleb(r));
          break;
        case 6:
          restore(uleb(r));
          break;
        case 7:
          state.registers.set(uleb(r), { kind: 'undefined' });
          break;
        case 8: // same_value
          state.registers.delete(uleb(r));
          break;
        case 9:
          state.registers.set(uleb(r), { kind: 'register', register: uleb(r) });
          break;
        case 10: // remember_state
          if (saved.length > 64) throw new InputError('states nest too deep', r.name);
          saved.push({ cfa: state.cfa, registers: new Map(state.registers) });
          break;
        case 11: {
          const back = saved.pop();
          if (back === undefined) throw new InputError('no state to restore', r.name);
          state.cfa = back.cfa;
          state.registers = back.registers;
          break;
        }
        case 12: // def_cfa
          state.cfa = { kind: 'register', register: uleb(r), offset: uleb(r) };
          break;
        case 13:
          state.cfa = {
            kind: 'register',
            register: uleb(r),
            offset: state.cfa.kind === 'register' ? state.cfa.offset : 0,
          };
          break;
        case 14:
          state.cfa = { kind: 'register', register: cfaRegister(), offset: uleb(r) };
          break;
        case 15:
          state.cfa = { kind: 'expression', code: r.slice(uleb(r)) };
          break;
        case 16:
          state.registers.set(uleb(r), { kind: 'expression', code: r.slice(uleb(r)) });
          break;
        case 17: // offset_extended_sf
          offsetRule(uleb(r), sleb(r));
          break;
        case 18: // def_cfa_sf
          state.cfa = { kind: 'register', register: uleb(r), offset: sleb(r) * cie.dataAlign };
          break;
        case 19:
          state.cfa = { kind: 'register', register: cfaRegister(), offset: sleb(r) * cie.dataAlign };
          break;
        case 20: // val_offset
          state.registers.set(uleb(r), { kind: 'value-offset', offset: uleb(r) * cie.dataAlign });
          break;
        case 21:
          state.registers.set(uleb(r), { kind: 'value-offset', offset: sleb(r) * cie.dataAlign });
          break;
        case 22:
          state.registers.set(uleb(r), { kind: 'value-expression', code: r.slice(uleb(r)) });
          break;
        case 0x2e: // GNU_args_size
          uleb(r);
          break;
        case 0x2f: // GNU_negative_offset_extended
          offsetRule(uleb(r), -uleb(r));
          break;
        default:
          throw new InputError(`unknown unwind operation ${op}`, r.name);
      }
    }
  }
}
