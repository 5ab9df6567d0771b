// x86-64 decoding and printing by iced-x86: the only file that imports it.
//
// The library runs in WebAssembly, and its getters cost a call each. We read its instruction structure straight from
// its memory, and hand it code by writing into its decoder's buffer: both are private layouts of version 1.21, so a
// self-test at start compares them with the public getters, and where they differ the public way is taken.
//
//   Instruction (offsets from its pointer; 8 bytes of borrow flag come first)
//   +8 next ip u64 | +16 displacement u64, or high half of a 64-bit immediate, or branch target | +24 operand kinds u8[4]
//   +28 flags u32: bits 5..7 segment (1 es .. 5 fs 6 gs), 29 rep, 30 repne, 31 lock | +32 immediate u32
//   +36 registers u8[4] | +40 code u16 | +42 log2 scale | +43 base | +44 index | +45 displacement size | +46 length
import * as iced from 'iced-x86';
import type { Instruction, OperandKind, RegisterClass, RegisterInfo } from './instruction.ts';

/** Bytes that one window may hold: a page and the rest of an instruction on the next. */
export const WINDOW = 4096 + 16;

interface CodeFacts {
  readonly name: string;
  readonly mnemonic: string;
  readonly memoryWidth: number;
  readonly operands: number;
}

const K = iced.OpKind;
const KIND_NAMES: OperandKind[] = [];
for (const kind of [K.NearBranch16, K.NearBranch32, K.NearBranch64]) KIND_NAMES[kind] = 'near';
for (const kind of [K.FarBranch16, K.FarBranch32]) KIND_NAMES[kind] = 'far';
for (let kind = K.Immediate8; kind <= K.Immediate32to64; kind++) KIND_NAMES[kind] = 'immediate';
for (const kind of [K.MemorySegSI, K.MemorySegESI, K.MemorySegRSI]) KIND_NAMES[kind] = 'string-source';
for (const kind of [K.MemorySegDI, K.MemorySegEDI, K.MemorySegRDI]) KIND_NAMES[kind] = 'masked-destination';
for (const kind of [K.MemoryESDI, K.MemoryESEDI, K.MemoryESRDI]) KIND_NAMES[kind] = 'string-destination';
KIND_NAMES[K.Register] = 'register';
KIND_NAMES[K.Memory] = 'memory';

const REGISTER_INFO: readonly RegisterInfo[] = Array.from({ length: 256 }, (_, i) => registerInfo(i));

function registerInfo(register: number): RegisterInfo {
  const name = (iced.Register[register] ?? 'None').toLowerCase();
  const make = (kind: RegisterClass, number: number, width: number): RegisterInfo => ({
    name,
    class: kind,
    number,
    width,
  });
  const within = (first: number, last: number): boolean => register >= first && register <= last;
  const R = iced.Register;
  if (within(R.AL, R.BL)) return make('gpr', register - R.AL, 8);
  if (within(R.AH, R.BH)) return make('gpr8h', register - R.AH, 8);
  if (within(R.SPL, R.R15L)) return make('gpr', register - R.SPL + 4, 8);
  if (within(R.AX, R.R15W)) return make('gpr', register - R.AX, 16);
  if (within(R.EAX, R.R15D)) return make('gpr', register - R.EAX, 32);
  if (within(R.RAX, R.R15)) return make('gpr', register - R.RAX, 64);
  if (register === R.EIP || register === R.RIP) return make('ip', 0, register === R.EIP ? 32 : 64);
  if (within(R.ES, R.GS)) return make('segment', register - R.ES, 16);
  if (within(R.XMM0, R.XMM31)) return make('xmm', register - R.XMM0, 128);
  if (within(R.YMM0, R.YMM31)) return make('ymm', register - R.YMM0, 256);
  if (within(R.ZMM0, R.ZMM31)) return make('zmm', register - R.ZMM0, 512);
  if (within(R.ST0, R.ST7)) return make('st', register - R.ST0, 80);
  if (within(R.MM0, R.MM7)) return make('mm', register - R.MM0, 64);
  return make(register === R.None ? 'none' : 'other', register, 0);
}

const facts: CodeFacts[] = [];

function factsOf(code: number, instruction: iced.Instruction): CodeFacts {
  return (facts[code] ??= {
    name: iced.Code[code],
    mnemonic: iced.Mnemonic[instruction.mnemonic].toLowerCase(),
    memoryWidth: iced.MemorySizeExt.size(instruction.memorySize) * 8,
    operands: instruction.opCount,
  });
}

/** The raw fields that everything else follows from; filled from memory or from the public getters. */
interface Raw {
  length: number;
  low16: number;
  high16: number;
  kinds: number;
  flags: number;
  immediate: number;
  registers: number;
  code: number;
  scale: number;
  base: number;
  index: number;
  displacementSize: number;
}

const kindLists = new Map<number, readonly OperandKind[]>();

function kindsOf(packed: number, operands: number): readonly OperandKind[] {
  const key = packed * 8 + operands;
  let list = kindLists.get(key);
  if (list === undefined) {
    list = Array.from({ length: Math.min(operands, 4) }, (_, i) => KIND_NAMES[(packed >>> (8 * i)) & 0xff]);
    kindLists.set(key, list);
  }
  return list;
}

function addressWidthOf(raw: Raw): 32 | 64 {
  for (let shift = 0; shift < 32; shift += 8) {
    const kind = (raw.kinds >>> shift) & 0xff;
    if (kind === K.MemorySegESI || kind === K.MemorySegEDI || kind === K.MemoryESEDI) return 32;
    if (kind !== K.Memory) continue;
    const registers = REGISTER_INFO[raw.base].width === 32 || REGISTER_INFO[raw.index].width === 32;
    const none = raw.base === iced.Register.None && raw.index === iced.Register.None;
    return registers || (none && raw.displacementSize === 4) ? 32 : 64;
  }
  return 64;
}

function immediateOf(raw: Raw): readonly [number, number] {
  const count = raw.kinds;
  for (let shift = 0; shift < 32; shift += 8) {
    const kind = (count >>> shift) & 0xff;
    switch (kind) {
      case K.NearBranch64:
      case K.NearBranch32:
      case K.NearBranch16:
        return [raw.low16, raw.high16];
      case K.Immediate8:
        return [raw.immediate & 0xff, 0];
      case K.Immediate8to16:
      case K.Immediate8to32:
      case K.Immediate8to64: {
        const value = (raw.immediate << 24) >> 24;
        return [value, value >> 31];
      }
      case K.Immediate16:
        return [raw.immediate & 0xffff, 0];
      case K.Immediate32to64:
        return [raw.immediate, raw.immediate >> 31];
      case K.Immediate32:
        return [raw.immediate, 0];
      case K.Immediate64:
        return [raw.immediate, raw.low16];
      default:
    }
  }
  return [0, 0];
}

function toInstruction(raw: Raw, fact: CodeFacts, address: number): Instruction {
  const [immediateLow, immediateHigh] = immediateOf(raw);
  const segment = (raw.flags >>> 5) & 7;
  return {
    address,
    length: raw.length,
    code: raw.code,
    codeName: fact.name,
    mnemonic: fact.mnemonic,
    kinds: kindsOf(raw.kinds, fact.operands),
    registers: [
      REGISTER_INFO[raw.registers & 0xff],
      REGISTER_INFO[(raw.registers >>> 8) & 0xff],
      REGISTER_INFO[(raw.registers >>> 16) & 0xff],
      REGISTER_INFO[raw.registers >>> 24],
    ],
    memoryWidth: fact.memoryWidth,
    base: REGISTER_INFO[raw.base],
    index: REGISTER_INFO[raw.index],
    scale: raw.scale,
    displacementLow: raw.low16,
    displacementHigh: raw.high16,
    addressWidth: addressWidthOf(raw),
    segment: segment === 5 ? 'fs' : segment === 6 ? 'gs' : 'none',
    immediateLow,
    immediateHigh,
    immediate2: raw.low16 & 0xff,
    lock: (raw.flags & 0x8000_0000) !== 0,
    rep: (raw.flags & 0x2000_0000) !== 0,
    repne: (raw.flags & 0x4000_0000) !== 0,
  };
}

/** Decodes instructions one after the other from a window of code bytes. */
export interface Decoder {
  /** Sets the window: at most WINDOW bytes of code that stand at `address`. */
  start(bytes: Uint8Array, address: number): void;
  /** The next instruction; undefined where the window ends inside or before it. Bad bytes decode to `INVALID`. */
  next(): Instruction | undefined;
}

class PublicDecoder implements Decoder {
  private decoder: iced.Decoder | undefined;
  private readonly instruction = new iced.Instruction();
  private size = 0;
  private address = 0;

  start(bytes: Uint8Array, address: number): void {
    this.decoder?.free();
    const padded = new Uint8Array(bytes.length + 16);
    padded.set(bytes);
    this.decoder = new iced.Decoder(64, padded, iced.DecoderOptions.None);
    this.decoder.ip = BigInt(address);
    this.size = bytes.length;
    this.address = address;
  }

  next(): Instruction | undefined {
    const decoder = this.decoder;
    if (decoder === undefined || decoder.position >= this.size) return undefined;
    const at = decoder.position;
    decoder.decodeOut(this.instruction);
    if (decoder.position > this.size) return undefined;
    const raw = rawFromGetters(this.instruction);
    return toInstruction(raw, factsOf(raw.code, this.instruction), this.address + at);
  }
}

/** The same fields as in memory, by the public getters. */
function rawFromGetters(i: iced.Instruction): Raw {
  let kinds = 0;
  let registers = 0;
  let immediate = 0;
  let wide = i.memoryDisplacementU64;
  for (let n = 0; n < Math.min(i.opCount, 4); n++) {
    const kind = i.opKind(n);
    kinds |= kind << (8 * n);
    if (kind === K.Register) registers |= i.opRegister(n) << (8 * n);
    else if (kind === K.NearBranch64) wide = i.nearBranch64;
    else if (kind === K.Immediate8_2nd) wide = BigInt(i.immediate8_2nd);
    else if (kind >= K.Immediate8 && kind <= K.Immediate32to64) {
      const value = i.immediate(n);
      immediate = Number(BigInt.asIntN(32, value));
      if (kind === K.Immediate64) wide = BigInt.asUintN(64, value) >> 32n;
    }
  }
  const segments: readonly iced.Register[] = [
    iced.Register.ES,
    iced.Register.CS,
    iced.Register.SS,
    iced.Register.DS,
    iced.Register.FS,
    iced.Register.GS,
  ];
  const segment = segments.indexOf(i.segmentPrefix) + 1;
  return {
    length: i.length,
    low16: Number(BigInt.asIntN(32, wide)),
    high16: Number(BigInt.asIntN(32, wide >> 32n)),
    kinds,
    flags:
      ((segment << 5) |
        (i.hasRepPrefix ? 1 << 29 : 0) |
        (i.hasRepnePrefix ? 1 << 30 : 0) |
        (i.hasLockPrefix ? 1 << 31 : 0)) >>>
      0,
    immediate,
    registers: registers >>> 0,
    code: i.code,
    scale: i.memoryIndexScale,
    base: i.memoryBase,
    index: i.memoryIndex,
    displacementSize: i.memoryDisplSize,
  };
}

/** A WebAssembly.Memory, as far as we look. */
interface LibraryMemory {
  readonly buffer: ArrayBuffer;
}

interface IcedInternals {
  readonly __wasm?: { readonly memory?: LibraryMemory };
}

class RawDecoder implements Decoder {
  private readonly decoder: iced.Decoder;
  private readonly instruction = new iced.Instruction();
  private readonly memory: LibraryMemory;
  private readonly pointer: number;
  private readonly window: number;
  private bytes: Uint8Array;
  private words: Int32Array;
  private size = 0;
  private address = 0;
  private position = 0;

  constructor(memory: LibraryMemory) {
    this.memory = memory;
    const mark = Uint8Array.from({ length: WINDOW + 16 }, (_, i) => (i * 167 + (i >> 8) * 91 + 13) & 0xff);
    this.decoder = new iced.Decoder(64, mark, iced.DecoderOptions.None);
    this.pointer = (this.instruction as unknown as { readonly __wbg_ptr: number }).__wbg_ptr;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.window = this.locate(mark);
  }

  /** Where the decoder keeps its copy of the bytes: the last place in its memory that holds all of them and follows writes. */
  private locate(mark: Uint8Array): number {
    const found: number[] = [];
    for (let at = this.bytes.indexOf(mark[0]); at >= 0; at = this.bytes.indexOf(mark[0], at + 1)) {
      if (mark.every((byte, i) => this.bytes[at + i] === byte)) found.push(at);
    }
    for (const at of found) {
      this.bytes.set([0x48, 0x01, 0xd8], at); // add rax,rbx
      this.decoder.position = 0;
      this.decoder.decodeOut(this.instruction);
      if (this.instruction.code === iced.Code.Add_rm64_r64 && this.instruction.length === 3) return at;
      this.bytes.set(mark.subarray(0, 3), at);
    }
    return -1;
  }

  usable(): boolean {
    return this.window > 0 && this.pointer > 0 && this.pointer % 4 === 0;
  }

  private refresh(): void {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
  }

  start(bytes: Uint8Array, address: number): void {
    if (this.bytes.length === 0) this.refresh();
    this.bytes.set(bytes, this.window);
    this.bytes.fill(0, this.window + bytes.length, this.window + bytes.length + 16);
    this.decoder.position = 0;
    this.decoder.ip = BigInt(address);
    this.size = bytes.length;
    this.address = address;
    this.position = 0;
  }

  next(): Instruction | undefined {
    const at = this.position;
    if (at >= this.size) return undefined;
    this.decoder.decodeOut(this.instruction);
    if (this.bytes.length === 0) this.refresh();
    const raw = this.rawFromMemory();
    this.position = at + raw.length;
    if (this.position > this.size) return undefined;
    return toInstruction(raw, factsOf(raw.code, this.instruction), this.address + at);
  }

  rawFromMemory(): Raw {
    const at = this.pointer;
    const words = this.words;
    const w = at >> 2;
    const tail = words[w + 11];
    return {
      length: (tail >>> 16) & 0xff,
      low16: words[w + 4],
      high16: words[w + 5],
      kinds: words[w + 6],
      flags: words[w + 7] >>> 0,
      immediate: words[w + 8],
      registers: words[w + 9] >>> 0,
      code: words[w + 10] & 0xffff,
      scale: 1 << ((words[w + 10] >>> 16) & 0xff),
      base: words[w + 10] >>> 24,
      index: tail & 0xff,
      displacementSize: [0, 1, 2, 4, 8][(tail >>> 8) & 0xff] ?? 0,
    };
  }
}

/** Encodings that exercise every field of the layout. */
const SELF_TEST = [
  '488b45f8',
  '6448 8b042528000000',
  'f00fb10b',
  'f3a4',
  'f2ae',
  'e801020304',
  '75fe',
  '488d0510000000',
  '48b80102030405060788',
  '4883c0ff',
  'c8100002',
  '678b448810',
  'a10102030405060708',
  '6548ab',
  '06',
  '80c0ff',
  '8b0425ffffffff',
  '678b0425ffffffff',
  '0f0b',
  '660f6fc8',
  '0fc6c1e4',
  'd8c1',
  '4c0fafe7',
  '668184c8112233445566',
  'f30f1efa',
  '4488bc8d78563412',
].map((text) => Uint8Array.from(text.replace(/ /g, '').match(/../g) ?? [], (h) => Number.parseInt(h, 16)));

function agree(raw: RawDecoder, reference: Decoder): boolean {
  for (const bytes of SELF_TEST) {
    raw.start(bytes, 0x7f12_3456_7890);
    reference.start(bytes, 0x7f12_3456_7890);
    if (JSON.stringify(raw.next()) !== JSON.stringify(reference.next())) return false;
  }
  return true;
}

/** A decoder. `way` forces one of the two ways (tests); by default raw where its self-test passes. */
export function createDecoder(way: 'raw' | 'public' | 'best' = 'best'): Decoder {
  if (way === 'public') return new PublicDecoder();
  const memory = (iced as unknown as IcedInternals).__wasm?.memory;
  if (memory !== undefined) {
    const raw = new RawDecoder(memory);
    if (raw.usable() && agree(raw, new PublicDecoder())) return raw;
  }
  if (way === 'raw') throw new Error('internal error: the decoder library has another layout than expected');
  return new PublicDecoder();
}

/** Intel syntax, e.g. `mov rax,[rbp-8]`. */
export function disassemble(bytes: Uint8Array, address: number): string {
  const decoder = new iced.Decoder(64, bytes, iced.DecoderOptions.None);
  decoder.ip = BigInt(address);
  const instruction = decoder.decode();
  const formatter = new iced.Formatter(iced.FormatterSyntax.Intel);
  formatter.hexPrefix = '0x';
  formatter.hexSuffix = '';
  formatter.uppercaseHex = false;
  formatter.branchLeadingZeros = false;
  formatter.spaceAfterOperandSeparator = true;
  const text = formatter.format(instruction);
  for (const thing of [formatter, instruction, decoder]) thing.free();
  return text;
}

/** What the processor manual says of an instruction's flags: bits as in RFLAGS. Modified: written, cleared, set or undefined. */
export interface FlagFacts {
  readonly read: number;
  readonly modified: number;
  readonly undefined: number;
}

/** Flag facts of the first instruction in `bytes`. */
export function flagFacts(bytes: Uint8Array): FlagFacts {
  const decoder = new iced.Decoder(64, bytes, iced.DecoderOptions.None);
  const instruction = decoder.decode();
  const result = {
    read: flagBits(instruction.rflagsRead),
    modified: flagBits(instruction.rflagsModified),
    undefined: flagBits(instruction.rflagsUndefined),
  };
  instruction.free();
  decoder.free();
  return result;
}

/** The library numbers flags in its own order. */
function flagBits(bits: number): number {
  const F = iced.RflagsBits;
  const rows: readonly (readonly [number, number])[] = [
    [F.OF, 11],
    [F.SF, 7],
    [F.ZF, 6],
    [F.AF, 4],
    [F.CF, 0],
    [F.PF, 2],
    [F.DF, 10],
    [F.IF, 9],
    [F.AC, 18],
  ];
  let out = 0;
  for (const [flag, bit] of rows) if ((bits & flag) !== 0) out |= 1 << bit;
  return out;
}
