// Instances of AVX, AVX2, FMA and F16C instructions for the differential tests: the decoder's own list of VEX forms,
// encoded by rule. Opcode, map, prefix and W of each form are found by decoding every VEX encoding once.
import { createDecoder, type Instruction, LIFT_TABLE } from '../../src/isa/index.ts';
import { type Case, DATA, STACK } from '../native/native.ts';
import {
  generalRegisters,
  mxcsrValue,
  operandAddress,
  type Random,
  type ValueKind,
  vectorState,
  vectorValue,
  writeBits,
} from './float-cases.ts';

/** One encoding of a form: with a register or memory as last operand, or either. */
export interface VexForm {
  /** The decoder's name, e.g. `VEX_Vaddps_ymm_ymm_ymmm256`. */
  readonly name: string;
  readonly mnemonic: string;
  readonly map: number;
  readonly prefix: number;
  readonly wide: 0 | 1;
  readonly length: 0 | 1;
  readonly opcode: number;
  /** Extension of the opcode in ModRM, where it has one. */
  readonly digit: number | undefined;
  readonly memory: boolean;
  readonly register: boolean;
  readonly vsib: boolean;
  readonly immediate: boolean;
  readonly operands: number;
}

interface Fields {
  readonly map: number;
  readonly prefix: number;
  readonly wide: number;
  readonly length: number;
  readonly opcode: number;
  /** Registers, 0..15 each; vvvv is inverted when it is encoded. */
  readonly reg: number;
  readonly vvvv: number;
  readonly rm: number;
  /** ModRM's mod 3, or memory [rsi + disp32], or [rsi + vector * scale + disp32]. */
  readonly place: 'register' | 'memory' | 'vsib';
  readonly index?: number;
  readonly scale?: number;
  readonly displacement?: number;
  readonly immediate?: number;
}

/** Machine code with a three-byte VEX prefix. */
export function encodeVex(f: Fields): Uint8Array {
  const index = f.index ?? 0;
  const base = f.place === 'register' ? f.rm : 6;
  const bytes = [
    0xc4,
    (f.reg >= 8 ? 0 : 0x80) | (f.place === 'vsib' && index >= 8 ? 0 : 0x40) | (base >= 8 ? 0 : 0x20) | f.map,
    (f.wide << 7) | ((~f.vvvv & 15) << 3) | (f.length << 2) | f.prefix,
    f.opcode,
  ];
  const reg = (f.reg & 7) << 3;
  if (f.place === 'register') bytes.push(0xc0 | reg | (f.rm & 7));
  else {
    if (f.place === 'vsib') bytes.push(0x84 | reg, ((f.scale ?? 0) << 6) | ((index & 7) << 3) | 6);
    else bytes.push(0x80 | reg | 6);
    const d = f.displacement ?? 0;
    bytes.push(d & 0xff, (d >> 8) & 0xff, (d >> 16) & 0xff, (d >> 24) & 0xff);
  }
  if (f.immediate !== undefined) bytes.push(f.immediate);
  return Uint8Array.from(bytes);
}

const decoder = createDecoder();
function decode(bytes: Uint8Array): Instruction | undefined {
  const padded = new Uint8Array(16);
  padded.set(bytes);
  decoder.start(padded, 0x1000);
  const instruction = decoder.next();
  return instruction === undefined || instruction.codeName === 'INVALID' ? undefined : instruction;
}

/** Forms that the lifter has rows for, found by decoding every opcode of the three maps under every prefix. */
export function vexForms(): VexForm[] {
  const forms = new Map<string, VexForm>();
  for (const map of [1, 2, 3])
    for (let opcode = 0; opcode < 256; opcode++)
      for (const prefix of [0, 1, 2, 3])
        for (const wide of [0, 1] as const)
          for (const length of [0, 1] as const)
            for (const vvvv of [2, 0])
              for (let digit = 0; digit < 8; digit++)
                for (const place of ['register', 'memory', 'vsib'] as const)
                  note(forms, {
                    map,
                    opcode,
                    prefix,
                    wide,
                    length,
                    vvvv,
                    reg: digit,
                    rm: 3,
                    place,
                    index: 5,
                  });
  return [...forms.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function note(forms: Map<string, VexForm>, fields: Fields): void {
  const bytes = encodeVex(fields);
  const instruction = decode(bytes);
  if (instruction === undefined || !instruction.codeName.startsWith('VEX_')) return;
  if (LIFT_TABLE[instruction.codeName] === undefined && LIFT_TABLE[instruction.mnemonic] === undefined)
    return;
  const known = forms.get(instruction.codeName);
  const { map, prefix, opcode, place, reg } = fields;
  const group = reg !== 0 && known === undefined ? reg : undefined;
  forms.set(instruction.codeName, {
    name: instruction.codeName,
    mnemonic: instruction.mnemonic,
    map: known?.map ?? map,
    prefix: known?.prefix ?? prefix,
    wide: known?.wide ?? (fields.wide as 0 | 1),
    length: known?.length ?? (fields.length as 0 | 1),
    opcode: known?.opcode ?? opcode,
    digit: known === undefined ? group : known.digit,
    memory: (known?.memory ?? false) || place === 'memory',
    register: (known?.register ?? false) || place === 'register',
    vsib: (known?.vsib ?? false) || /_vm(32|64)[xy]_/.test(instruction.codeName),
    immediate: instruction.length > bytes.length,
    operands: instruction.kinds.length,
  });
}

function kindOf(name: string): ValueKind {
  if (/cvt(dq|si)/.test(name)) return 'int';
  if (/cvtt?ph/.test(name)) return 'int';
  if (/(ps|ss)(2|_)/.test(name) || /(ps|ss)$/.test(name)) return 'f32';
  return /(pd|sd)(2|_)/.test(name) ? 'f64' : 'int';
}

/** Values of the upper halves. */
function upperHalves(random: Random, kind: ValueKind): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let i = 0; i < 16; i++) writeBits(bytes, 16 * i, vectorValue(random, kind), 16);
  return bytes;
}

/** 32 bytes of operand where they are in the writable data. */
function operandPatches(random: Random, address: number, kind: ValueKind): Case['patches'] {
  return [0, 16].flatMap((more) => {
    const offset = address + more - DATA;
    if (offset < 0 || offset + 16 > 0x2000) return [];
    const bytes = new Uint8Array(16);
    writeBits(bytes, 0, vectorValue(random, kind), 16);
    return [{ offset, bytes }];
  });
}

/** Indices of a gather: small ones, so that elements lie in the data. */
function smallIndices(
  random: Random,
  fx: Uint8Array,
  ymm: Uint8Array,
  register: number,
  width: 32 | 64,
): void {
  for (const [bytes, at] of [
    [fx, 160 + 16 * register],
    [ymm, 16 * register],
  ] as const)
    for (let i = 0; i < 16; i += width / 8)
      writeBits(bytes, at + i, BigInt.asUintN(width, BigInt(random.below(200)) - 60n), width / 8);
}

/** A random case of the form. */
export function vexCase(form: VexForm, random: Random): Case {
  const kind = kindOf(form.name);
  const inMemory = form.memory && (!form.register || random.below(2) === 0);
  const displacement = random.pick([0, 8, -16, 128]);
  // aligned to 32 bytes mostly
  const near = operandAddress(random);
  const address = random.below(3) === 0 ? near : near & ~31;
  const fx = vectorState(random, kind, mxcsrValue(random));
  const ymm = upperHalves(random, kind);
  const any = (): number => random.below(16);
  // general registers as destinations or sources stay away from the pointers and the stack
  const general = /_r(32|64|m)|^VEX_(Andn|Bl|Bz|P|M|Bextr|Sh|Sar|Ror)|rm(32|64)/.test(form.name);
  const one = (): number => (general ? random.pick([0, 1, 2, 3, 5, 8, 9, 10, 13, 15]) : any());
  const index = any();
  const reg = form.digit ?? one();
  const vvvv = one();
  if (form.vsib) smallIndices(random, fx, ymm, index, /_vm32/.test(form.name) ? 32 : 64);
  const base = {
    map: form.map,
    prefix: form.prefix,
    wide: form.wide,
    length: form.length,
    opcode: form.opcode,
  };
  const place = form.vsib ? 'vsib' : inMemory ? 'memory' : 'register';
  const rest = {
    reg,
    rm: one(),
    place,
    index,
    scale: random.below(4),
    displacement,
    ...(form.immediate ? { immediate: random.below(3) === 0 ? random.below(256) : random.below(32) } : {}),
  } as const;
  const proposed = encodeVex({ ...base, ...rest, vvvv });
  // forms without a second source want vvvv to be zero
  const bytes =
    decode(proposed)?.codeName === form.name ? proposed : encodeVex({ ...base, ...rest, vvvv: 0 });
  const code = bytes.subarray(0, decode(bytes)?.length);
  const gpr = generalRegisters(random, place === 'register' ? address : address - displacement);
  if (form.mnemonic === 'vmaskmovdqu') gpr[7] = BigInt(address);
  gpr[4] = BigInt(STACK + 0x800);
  return { code, gpr, rflags: random.bits(12), fx, ymm, patches: operandPatches(random, address, kind) };
}
