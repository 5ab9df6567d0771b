// Random instances of integer instructions: every encoding of the opcode maps with random operands, and a state for
// each in which it does something: memory operands lead into the data pages (unaligned, across pages, read-only, not
// mapped, not canonical at times), counts are small, branch targets lie in the code page.
import { createDecoder, type Instruction } from '../../src/isa/index.ts';
import {
  type Case,
  CODE,
  DATA,
  DATA_SIZE,
  DATA_WRITABLE,
  defaultFx,
  ENTRY,
  GS_BASE,
  STACK,
  STACK_SIZE,
} from './native.ts';
import type { Random } from './random.ts';

export interface Instance {
  /** Form and operand shape, e.g. `Add_rm32_r32 memory lock`. */
  readonly form: string;
  readonly instruction: Instruction;
  readonly test: Case;
}

const decoder = createDecoder();

/** Decodes one instruction; undefined where the bytes are none or end inside it. */
export function decodeOne(bytes: Uint8Array, address = ENTRY): Instruction | undefined {
  decoder.start(bytes, address);
  const instruction = decoder.next();
  return instruction === undefined || instruction.codeName === 'INVALID' ? undefined : instruction;
}

export function formOf(instruction: Instruction): string {
  const { codeName, kinds, lock, rep, repne } = instruction;
  return `${codeName}${kinds.includes('memory') ? ' memory' : ''}${lock ? ' lock' : ''}${rep ? ' rep' : ''}${repne ? ' repne' : ''}`;
}

const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38]];

/** Random bytes that follow an opcode. */
function tail(random: Random): number[] {
  const out: number[] = [];
  const modrm = random.bits() & 0xff;
  out.push(modrm);
  // small displacements and immediates, so that sums of them and a solved register meet the data
  for (let i = 0; i < 12; i++)
    out.push(random.chance(30) ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.bits() & 0xff);
  return out;
}

/** Random bytes with this opcode in one of the three maps, as long as its instruction; undefined where there is none. */
export function encode(random: Random, map: number, opcode: number): Uint8Array | undefined {
  const bytes: number[] = [];
  if (random.chance(10)) bytes.push(0x65);
  if (random.chance(8)) bytes.push(0x67);
  if (random.chance(25)) bytes.push(0x66);
  const prefix = random.below(12);
  if (prefix < 3) bytes.push([0xf0, 0xf2, 0xf3][prefix]);
  if (random.chance(50)) bytes.push(0x40 | random.below(16));
  bytes.push(...MAPS[map], opcode, ...tail(random));
  const all = Uint8Array.from(bytes);
  const instruction = decodeOne(all.subarray(0, 15));
  return instruction === undefined ? undefined : all.slice(0, instruction.length);
}

/** Where a memory operand may lead. */
function targetAddress(random: Random): bigint {
  switch (random.below(16)) {
    case 0:
      return BigInt(DATA + 0x1000 - random.below(16)); // across two pages
    case 1:
      return BigInt(DATA + DATA_WRITABLE - random.below(16)); // into the read-only page
    case 2:
      return BigInt(DATA + DATA_WRITABLE + random.below(0x800)); // read-only
    case 3:
      return random.chance(50)
        ? BigInt(DATA + DATA_SIZE - random.below(16))
        : random.pick([0x10n, 0x4000_0000n, 1n << 47n, 0xffff_8000_0000_0000n, (1n << 63n) - 8n]);
    case 4:
      return BigInt(STACK + random.below(STACK_SIZE - 64));
    case 5:
    case 6:
      return BigInt(DATA + 16 * random.below(DATA_WRITABLE / 16 - 4)); // aligned
    default:
      return BigInt(DATA + random.below(DATA_WRITABLE - 64));
  }
}

const mask64 = (value: bigint): bigint => BigInt.asUintN(64, value);

const isCanonical = (address: bigint): boolean => address < 1n << 47n || address >= (1n << 64n) - (1n << 47n);

/** Sets the base or index register so that the operand's address is `target`; false where no register can. */
function solve(random: Random, instruction: Instruction, gpr: BigUint64Array, target: bigint): boolean {
  const { base, index, scale, addressWidth } = instruction;
  const displacement =
    (BigInt(instruction.displacementHigh) << 32n) | BigInt(instruction.displacementLow >>> 0);
  const wanted = instruction.segment === 'gs' ? target - BigInt(GS_BASE) : target;
  // whether the offset, too, must be canonical differs between vendors
  if (isCanonical(target) && !isCanonical(mask64(wanted))) return false;
  const hasBase = base.class === 'gpr';
  const hasIndex = index.class === 'gpr';
  const settle = (register: number, value: bigint): void => {
    gpr[register] =
      addressWidth === 64 ? mask64(value) : (gpr[register] & ~0xffffffffn) | BigInt.asUintN(32, value);
  };
  if (hasBase && hasIndex && base.number === index.number) {
    if (scale !== 2) return false; // 3 r = t has a solution modulo 2^64; the others need luck
    settle(base.number, (wanted - displacement) * 0xaaaa_aaaa_aaaa_aaabn);
    return true;
  }
  if (hasBase && base.number !== 4) {
    const rest = hasIndex ? gpr[index.number] * BigInt(scale) : 0n;
    settle(base.number, wanted - displacement - rest);
    return true;
  }
  if (hasIndex) {
    const difference = wanted - displacement - (hasBase ? gpr[base.number] : 0n);
    settle(
      index.number,
      random.chance(50) ? difference / BigInt(scale) : BigInt.asIntN(64, difference) / BigInt(scale),
    );
    return true;
  }
  return hasBase;
}

const STRING_WIDTHS = { b: 1, w: 2, d: 4, q: 8 } as const;

/** Pointers and counter of string instructions. */
function prepareString(random: Random, instruction: Instruction, gpr: BigUint64Array): void {
  const size = STRING_WIDTHS[instruction.mnemonic.slice(-1) as keyof typeof STRING_WIDTHS];
  const place = (): bigint =>
    random.chance(15) ? targetAddress(random) : BigInt(DATA + 0x400 + random.below(0x1400));
  gpr[6] = place();
  gpr[7] = random.chance(10) ? mask64(gpr[6] + BigInt(random.below(32) - 16)) : place();
  if (instruction.segment === 'gs') gpr[6] = mask64(gpr[6] - BigInt(GS_BASE));
  if (instruction.rep || instruction.repne)
    gpr[1] = BigInt(random.chance(10) ? random.below(6000) : random.below(40 * size));
  if (random.chance(30)) gpr[0] = 0n;
  if (instruction.addressWidth === 32)
    for (const r of [1, 6, 7]) gpr[r] = (gpr[r] & 0xffffffffn) | (random.wide() << 32n);
}

interface Draft {
  readonly random: Random;
  readonly instruction: Instruction;
  readonly gpr: BigUint64Array;
  readonly patches: { offset: number; bytes: Uint8Array }[];
}

/** Puts 8 bytes where the case will find them, if that is in a page that patches reach. */
function patchWord({ patches }: Draft, address: bigint, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, mask64(value), true);
  const at = Number(address);
  if (at >= DATA && at + 8 <= DATA + DATA_WRITABLE) patches.push({ offset: at - DATA, bytes });
  else if (at >= STACK && at + 8 <= STACK + STACK_SIZE)
    patches.push({ offset: DATA_SIZE + at - STACK, bytes });
}

const landing = (random: Random): bigint => BigInt(CODE + 0x100 + random.below(0x600));
/** Bit offsets that stay within the data. */
const bitOffset = (random: Random): bigint => mask64(BigInt(random.below(2048) - 1024));

/** What an instruction's meaning asks of registers, beyond memory operands. */
const PREPARE: Readonly<Record<string, (draft: Draft, address: bigint) => void>> = {
  div: prepareDivision,
  idiv: prepareDivision,
  leave: ({ random, gpr }) => {
    gpr[5] = random.chance(85) ? BigInt(STACK + 0x100 + random.below(0xe00)) : random.value();
  },
  enter: ({ random, gpr }) => {
    gpr[5] = BigInt(STACK + 0x800 + random.below(0x700));
  },
  ret: (draft) =>
    patchWord(draft, draft.gpr[4], draft.random.chance(80) ? landing(draft.random) : draft.random.value()),
  jmp: prepareTarget,
  call: prepareTarget,
  popf: prepareFlags,
  popfq: prepareFlags,
  xlatb: ({ random, gpr, instruction }) => {
    gpr[3] = mask64(targetAddress(random) - (instruction.segment === 'gs' ? BigInt(GS_BASE) : 0n));
  },
  loop: prepareCounter,
  loope: prepareCounter,
  loopne: prepareCounter,
  jrcxz: prepareCounter,
  jecxz: prepareCounter,
  bt: prepareBit,
  bts: prepareBit,
  btr: prepareBit,
  btc: prepareBit,
};

function prepareDivision(draft: Draft, address: bigint): void {
  const { random, gpr } = draft;
  if (random.chance(70)) {
    gpr[2] = random.chance(60)
      ? 0n
      : random.chance(50)
        ? mask64(BigInt.asIntN(64, gpr[0]) >> 63n)
        : BigInt(random.below(16));
    if (random.chance(50)) gpr[0] &= 0xffffn;
  }
  if (address !== 0n && random.chance(60)) patchWord(draft, address, random.value());
}

function prepareTarget(draft: Draft, address: bigint): void {
  const { random, instruction, gpr } = draft;
  if (random.chance(15)) return;
  if (instruction.kinds[0] === 'register' && instruction.registers[0].number !== 4)
    gpr[instruction.registers[0].number] = landing(random);
  else if (address !== 0n) patchWord(draft, address, landing(random));
}

/** TF, NT, AC and ID stay out: they change how the processor runs what follows. */
function prepareFlags(draft: Draft): void {
  patchWord(
    draft,
    draft.gpr[4],
    (draft.random.wide() & ~0xffff_ffffn) | BigInt((draft.random.bits() & 0xcd5) | 0x202),
  );
}

function prepareCounter({ random, gpr }: Draft): void {
  gpr[1] = random.pick([0n, 1n, 2n, 1n << 32n, (1n << 32n) + 1n, gpr[1]]);
}

function prepareBit({ random, instruction, gpr }: Draft): void {
  if (!instruction.kinds.includes('memory') || instruction.kinds[1] !== 'register') return;
  const { number } = instruction.registers[1];
  if (number === instruction.base.number || number === instruction.index.number || number === 4) return;
  gpr[number] = bitOffset(random);
  // the upper half of a 32-bit index is not looked at
  if (instruction.registers[1].width < 64)
    gpr[number] = (gpr[number] & 0xffff_ffffn) | (random.wide() & ~0xffff_ffffn);
}

/** The branch displacement made small enough to land in the code page; the bytes are changed in place. */
function tameBranch(random: Random, bytes: Uint8Array, instruction: Instruction): void {
  if (instruction.kinds[0] !== 'near') return;
  const size = /rel8/.test(instruction.codeName) ? 1 : 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - size);
  const distance = random.chance(50) ? 1 + random.below(100) : -32 - random.below(90);
  if (size === 1) view.setInt8(0, distance);
  else
    view.setInt32(
      0,
      random.chance(90) ? distance * random.below(10) + (distance > 0 ? 1 : -30) : random.bits(),
      true,
    );
}

/** A case for an instruction's bytes; undefined where no state makes sense of them. */
export function makeCase(random: Random, source: Uint8Array): Instance | undefined {
  const bytes = source.slice();
  const first = decodeOne(bytes);
  if (first === undefined || first.segment === 'fs') return undefined;
  tameBranch(random, bytes, first);
  const instruction = decodeOne(bytes);
  if (instruction === undefined) return undefined;
  const gpr = BigUint64Array.from({ length: 16 }, () => random.value());
  gpr[4] = BigInt(STACK + 0x400 + random.below(0x800));
  const draft: Draft = { random, instruction, gpr, patches: [] };
  if (instruction.kinds.some((kind) => kind.startsWith('string'))) prepareString(random, instruction, gpr);
  prepareBit(draft);
  let address = 0n;
  if (instruction.kinds.includes('memory') && instruction.mnemonic !== 'lea') {
    address = targetAddress(random);
    if (!solve(random, instruction, gpr, address)) return undefined;
  }
  const prepare = PREPARE[instruction.mnemonic];
  if (prepare !== undefined && prepare !== prepareBit) prepare(draft, address);
  const fx = defaultFx();
  const test: Case = {
    code: bytes,
    gpr,
    rflags: BigInt((random.bits() & 0xcd5) | 0x202),
    fx,
    patches: draft.patches,
  };
  return { form: formOf(instruction), instruction, test };
}
