// The meaning of IR, one handler an operation: the reference that every faster engine is compared with. Values are
// BigInts, unsigned, always reduced to their width.
import { assert, leadingZeros, limitedCount, population, trailingZeros } from '../bytes/index.ts';
import {
  ATOMICS,
  FLAG_BITS,
  FLAG_KINDS,
  FLAGS,
  IR,
  IR_OPS,
  type IrOp,
  JUMP_KINDS,
  REG,
  REGISTERS,
  TRAPS,
  VECTOR_OPS,
  WORDS,
  XMM0,
  YMMH0,
} from '../isa/index.ts';
import { NON_CANONICAL_END, toAddress } from './canonical.ts';
import { GuestFault } from './fault.ts';
import { condition, FLAG_FUNCTIONS, POPF, STATUS } from './flags.ts';
import { type FloatFunction, floatOps } from './float.ts';
import { floatConversion } from './float-convert.ts';
import { HELPER_FUNCTIONS, type HelperEnvironment } from './helpers.ts';
import type { RegisterFile } from './registers.ts';
import { ADDRESS_LIMIT, type PagedSpace } from './space.ts';
import { vectorOps } from './vector.ts';

/** How the block was left; `next` holds the address to go on at. */
export type Leave = 'run' | 'jump' | 'syscall' | 'trap' | 'unsupported' | 'budget' | 'again';

const SUB = FLAG_KINDS.indexOf('sub');

/** State of one run: the guest's, and the values of the block at hand. */
export class Frame {
  cpu!: RegisterFile;
  space!: PagedSpace;
  readonly environment: HelperEnvironment;
  readonly values: bigint[] = [];
  constants: readonly bigint[] = [];
  leave: Leave = 'run';
  next = 0n;
  trap = 0;
  /** Address and length of the instruction at hand. */
  address = 0;
  length = 0;
  /** Instructions that may still begin. */
  remaining = 0;
  /** The pool's count of code changes when the block was looked up. */
  codeChanges = 0;

  // Flags are computed when somebody looks. -1: RFLAGS is as it stands.
  private kind = -1;
  private width = 0;
  private a = 0n;
  private b = 0n;
  private c = 0n;

  constructor(environment: HelperEnvironment) {
    this.environment = environment;
  }

  /** RFLAGS with the pending computation done. */
  get flags(): number {
    if (this.kind >= 0) {
      const before = Number(this.cpu.rflags);
      const status = FLAG_FUNCTIONS[this.kind](this.width, this.a, this.b, this.c, before);
      this.kind = -1;
      this.cpu.rflags = BigInt((before & ~STATUS) | status);
    }
    return Number(this.cpu.rflags);
  }

  /** A condition as in Jcc; after comparisons without the detour of all flags. */
  holds(code: number): boolean {
    const { width, a, b } = this;
    if (this.kind === SUB) {
      const is = (pair: boolean): boolean => pair === ((code & 1) === 0);
      switch (code >> 1) {
        case 1:
          return is(a < b);
        case 2:
          return is(a === b);
        case 3:
          return is(a <= b);
        case 6:
          return is(BigInt.asIntN(width, a) < BigInt.asIntN(width, b));
        case 7:
          return is(BigInt.asIntN(width, a) <= BigInt.asIntN(width, b));
      }
    }
    return condition(code, this.flags);
  }

  set flags(value: number) {
    this.kind = -1;
    this.cpu.rflags = BigInt(value);
  }

  setPending(kind: number, width: number, a: bigint, b: bigint, c: bigint): void {
    this.kind = kind;
    this.width = width;
    this.a = a;
    this.b = b;
    this.c = c;
  }

  /** Leaves the flags in RFLAGS. */
  settle(): void {
    if (this.kind >= 0) void this.flags;
  }
}

type Handler = (m: Frame, code: Int32Array, at: number) => void;

/** Index of the operation's own value. */
const own = (at: number): number => at >> 2;
const widthAt = (code: Int32Array, at: number): number => (code[at] >>> 8) & 0xff;
const auxAt = (code: Int32Array, at: number): number => code[at] >>> 16;

/** Yields f of the operands, reduced to the width. */
const computes =
  (f: (a: bigint, b: bigint, width: number) => bigint): Handler =>
  (m, code, at) => {
    const width = widthAt(code, at);
    m.values[own(at)] = BigInt.asUintN(width, f(m.values[code[at + 1]], m.values[code[at + 2]], width));
  };

/** Yields 1 where f holds. */
const compares =
  (f: (a: bigint, b: bigint, width: number) => boolean): Handler =>
  (m, code, at) => {
    m.values[own(at)] = f(m.values[code[at + 1]], m.values[code[at + 2]], widthAt(code, at)) ? 1n : 0n;
  };

const signed = (width: number, value: bigint): bigint => BigInt.asIntN(width, value);

function reversedBytes(value: bigint, width: number): bigint {
  let out = 0n;
  for (let shift = 0n; shift < BigInt(width); shift += 8n) out = (out << 8n) | ((value >> shift) & 0xffn);
  return out;
}

/** Quotient and remainder of (high:low) by the divisor; a divide fault where the quotient does not fit. */
const divides =
  (isSigned: boolean, remainder: boolean): Handler =>
  (m, code, at) => {
    const width = widthAt(code, at);
    const [high, low, by] = [m.values[code[at + 1]], m.values[code[at + 2]], m.values[code[at + 3]]];
    const joined = (high << BigInt(width)) | low;
    const dividend = isSigned ? signed(2 * width, joined) : joined;
    const divisor = isSigned ? signed(width, by) : by;
    if (divisor === 0n) throw new GuestFault('divide');
    const quotient = dividend / divisor;
    const fits = isSigned
      ? signed(width, quotient) === quotient
      : BigInt.asUintN(width, quotient) === quotient;
    if (!fits) throw new GuestFault('divide');
    m.values[own(at)] = BigInt.asUintN(width, remainder ? dividend % divisor : quotient);
  };

// memory

function loadValue(space: PagedSpace, width: number, at: bigint): bigint {
  const address = toAddress(at, width / 8);
  switch (width) {
    case 8:
      return BigInt(space.read8(address));
    case 16:
      return BigInt(space.read16(address));
    case 32:
      return BigInt(space.read32(address));
    case 64:
      return space.read64(address);
    default:
      assert(width === 128, 'loads of 8 to 128 bits');
      return space.read128(address);
  }
}

function storeValue(space: PagedSpace, width: number, at: bigint, value: bigint): void {
  const address = toAddress(at, width / 8);
  if (width === 64) space.write64(address, value);
  else if (width === 32) space.write32(address, Number(value));
  else if (width === 8) space.write8(address, Number(value));
  else if (width === 16) space.write16(address, Number(value));
  else {
    assert(width === 128, 'stores of 8 to 128 bits');
    space.write128(address, value);
  }
}

type AtomicFunction = (old: bigint, operand: bigint, replacement: bigint) => bigint;
const ATOMIC_FUNCTIONS: Readonly<Record<(typeof ATOMICS)[number], AtomicFunction>> = {
  add: (old, x) => old + x,
  sub: (old, x) => old - x,
  and: (old, x) => old & x,
  or: (old, x) => old | x,
  xor: (old, x) => old ^ x,
  xchg: (_old, x) => x,
  cmpxchg: (old, expected, replacement) => (old === expected ? replacement : old),
  neg: (old) => -old,
};
const atomicFunctions = ATOMICS.map((kind) => ATOMIC_FUNCTIONS[kind]);

// registers

const FSBASE = REG['fsbase'];
const GSBASE = REG['gsbase'];
const MXCSR = REG['mxcsr'];

const pair = (halves: BigUint64Array, at: number): bigint => halves[at] | (halves[at + 1] << 64n);

function getRegister(cpu: RegisterFile, register: number): bigint {
  if (register < 16) return cpu.gpr[register];
  if (register >= YMMH0) return pair(cpu.ymmHigh, 2 * (register - YMMH0));
  if (register >= XMM0) return pair(cpu.xmm, 2 * (register - XMM0));
  if (register === FSBASE) return cpu.fsbase;
  if (register === GSBASE) return cpu.gsbase;
  assert(register === MXCSR, `register ${REGISTERS[register].name} is not read by IR`);
  return BigInt(cpu.mxcsr);
}

function setRegister(cpu: RegisterFile, register: number, value: bigint): void {
  if (register < 16) cpu.gpr[register] = value;
  else if (register >= XMM0) {
    const halves = register >= YMMH0 ? cpu.ymmHigh : cpu.xmm;
    const at = 2 * (register - (register >= YMMH0 ? YMMH0 : XMM0));
    halves[at] = value;
    halves[at + 1] = value >> 64n;
  } else if (register === FSBASE) cpu.fsbase = value;
  else if (register === GSBASE) cpu.gsbase = value;
  else {
    assert(register === MXCSR, `register ${REGISTERS[register].name} is not written by IR`);
    cpu.mxcsr = Number(value);
  }
}

const flagBits = FLAGS.map((name) => FLAG_BITS[name]);
const vectorFunctions = VECTOR_OPS.map((row) => vectorOps[row[0]]);
/** Kinds that change no flag at count 0. */
const FLAG_KEEPERS = new Set(
  (['shl', 'shr', 'sar', 'shld', 'shrd'] as const).map((kind) => FLAG_KINDS.indexOf(kind)),
);

const floating =
  (f: FloatFunction): Handler =>
  (m, code, at) => {
    const [a, b] = [m.values[code[at + 1]], m.values[code[at + 2]]];
    m.values[own(at)] = f(m.cpu, widthAt(code, at), auxAt(code, at), a, b ?? 0n, code[at + 3]);
  };

function jumpTo(m: Frame, target: bigint): void {
  m.next = target;
  m.leave = 'jump';
}

function setFlagsFrom(m: Frame, how: number, value: number): void {
  const before = m.flags;
  if (how === 0) m.flags = (before & ~POPF) | (value & POPF);
  else if (how === 1) m.flags = (before & ~0xd5) | (value & 0xd5);
  else m.flags = (before & ~STATUS) | (value & 0x45);
}

export const HANDLERS: Readonly<Record<IrOp, Handler>> = {
  insn: (m, code, at) => {
    m.address = (code[at + 2] >>> 0) * 2 ** 32 + (code[at + 1] >>> 0);
    m.length = code[at + 3];
    if (m.remaining === 0) m.leave = 'budget';
    else if (m.space.pool.codeChanges !== m.codeChanges) m.leave = 'again';
    else m.remaining--;
  },
  const: (m, _code, at) => {
    m.values[own(at)] = m.constants[own(at)];
  },
  get: (m, code, at) => {
    m.values[own(at)] = getRegister(m.cpu, code[at + 1]);
  },
  set: (m, code, at) => setRegister(m.cpu, code[at + 1], m.values[code[at + 2]]),
  load: (m, code, at) => {
    const address = m.values[code[at + 1]];
    const width = widthAt(code, at);
    if (auxAt(code, at) === 1) m.space.checkWrite(toAddress(address, width / 8), width / 8);
    m.values[own(at)] = loadValue(m.space, width, address);
  },
  store: (m, code, at) =>
    storeValue(m.space, widthAt(code, at), m.values[code[at + 1]], m.values[code[at + 2]]),
  fence: () => {},
  align: (m, code, at) => {
    if (m.values[code[at + 1]] % BigInt(auxAt(code, at)) !== 0n) throw new GuestFault('general');
  },
  canonical: (m, code, at) => {
    if (!isCanonical(m.values[code[at + 1]])) throw new GuestFault('general');
  },
  exit: (m, code, at) => {
    if (m.values[code[at + 1]] === 1n) jumpTo(m, m.values[code[at + 2]]);
  },
  atomic: (m, code, at) => {
    const width = widthAt(code, at);
    const address = m.values[code[at + 1]];
    m.space.checkWrite(toAddress(address, width / 8), width / 8);
    const old = loadValue(m.space, width, address);
    const result = atomicFunctions[auxAt(code, at)](
      old,
      m.values[code[at + 2]],
      m.values[code[at + 3]] ?? 0n,
    );
    storeValue(m.space, width, address, BigInt.asUintN(width, result));
    m.values[own(at)] = old;
  },
  // the most frequent ones are written out, so that each has a call site of its own for the compiler to specialize
  add: (m, code, at) => {
    m.values[own(at)] = BigInt.asUintN(widthAt(code, at), m.values[code[at + 1]] + m.values[code[at + 2]]);
  },
  sub: (m, code, at) => {
    m.values[own(at)] = BigInt.asUintN(widthAt(code, at), m.values[code[at + 1]] - m.values[code[at + 2]]);
  },
  mul: computes((a, b) => a * b),
  mulhu: computes((a, b, width) => (a * b) >> BigInt(width)),
  mulhs: computes((a, b, width) => (signed(width, a) * signed(width, b)) >> BigInt(width)),
  and: (m, code, at) => {
    m.values[own(at)] = m.values[code[at + 1]] & m.values[code[at + 2]];
  },
  or: (m, code, at) => {
    m.values[own(at)] = m.values[code[at + 1]] | m.values[code[at + 2]];
  },
  xor: (m, code, at) => {
    m.values[own(at)] = m.values[code[at + 1]] ^ m.values[code[at + 2]];
  },
  not: computes((a) => ~a),
  neg: computes((a) => -a),
  shl: computes((a, b, width) => a << limitedCount(b, width)),
  shr: computes((a, b, width) => a >> limitedCount(b, width)),
  sar: computes((a, b, width) => signed(width, a) >> limitedCount(b, width)),
  rotl: computes((a, b, width) => (a << (b % BigInt(width))) | (a >> (BigInt(width) - (b % BigInt(width))))),
  rotr: computes((a, b, width) => (a >> (b % BigInt(width))) | (a << (BigInt(width) - (b % BigInt(width))))),
  clz: computes((a, _b, width) => leadingZeros(width, a)),
  ctz: computes((a, _b, width) => trailingZeros(width, a)),
  popcnt: computes((a) => population(a)),
  bswap: computes((a, _b, width) => reversedBytes(a, width)),
  divu: divides(false, false),
  remu: divides(false, true),
  divs: divides(true, false),
  rems: divides(true, true),
  eq: compares((a, b) => a === b),
  ne: compares((a, b) => a !== b),
  ltu: compares((a, b) => a < b),
  leu: compares((a, b) => a <= b),
  lts: compares((a, b, width) => signed(width, a) < signed(width, b)),
  les: compares((a, b, width) => signed(width, a) <= signed(width, b)),
  select: (m, code, at) => {
    m.values[own(at)] = m.values[code[at + 1]] === 1n ? m.values[code[at + 2]] : m.values[code[at + 3]];
  },
  zext: (m, code, at) => {
    m.values[own(at)] = m.values[code[at + 1]];
  },
  sext: (m, code, at) => {
    const from = valueWidth(code, code[at + 1]);
    m.values[own(at)] = BigInt.asUintN(widthAt(code, at), signed(from, m.values[code[at + 1]]));
  },
  trunc: (m, code, at) => {
    m.values[own(at)] = BigInt.asUintN(widthAt(code, at), m.values[code[at + 1]]);
  },
  extract: (m, code, at) => {
    m.values[own(at)] = BigInt.asUintN(widthAt(code, at), m.values[code[at + 1]] >> BigInt(auxAt(code, at)));
  },
  insert: (m, code, at) => {
    const shift = BigInt(auxAt(code, at));
    const mask = ((1n << BigInt(valueWidth(code, code[at + 2]))) - 1n) << shift;
    m.values[own(at)] = (m.values[code[at + 1]] & ~mask) | (m.values[code[at + 2]] << shift);
  },
  concat: (m, code, at) => {
    m.values[own(at)] =
      (m.values[code[at + 1]] << BigInt(valueWidth(code, code[at + 2]))) | m.values[code[at + 2]];
  },
  flags: (m, code, at) => {
    const kind = auxAt(code, at);
    const value = (i: number): bigint => (code[at + i] < 0 ? 0n : m.values[code[at + i]]);
    const count = value(2);
    if (count === 0n && FLAG_KEEPERS.has(kind)) return;
    m.setPending(kind, widthAt(code, at), value(1), count, value(3));
  },
  cond: (m, code, at) => {
    m.values[own(at)] = m.holds(code[at + 1]) ? 1n : 0n;
  },
  getf: (m, code, at) => {
    m.values[own(at)] = BigInt((m.flags >> flagBits[code[at + 1]]) & 1);
  },
  setf: (m, code, at) => {
    const bit = flagBits[code[at + 1]];
    m.flags = (m.flags & ~(1 << bit)) | (Number(m.values[code[at + 2]]) << bit);
  },
  rflags: (m, _code, at) => {
    m.values[own(at)] = BigInt(m.flags >>> 0);
  },
  setrflags: (m, code, at) =>
    setFlagsFrom(m, auxAt(code, at), Number(BigInt.asUintN(32, m.values[code[at + 1]]))),
  call: (m, code, at) => {
    const value = (i: number): bigint => (code[at + i] < 0 ? 0n : m.values[code[at + i]]);
    const result = HELPER_FUNCTIONS[auxAt(code, at)](
      m.cpu,
      m.space,
      value(1),
      value(2),
      value(3),
      m.environment,
    );
    m.values[own(at)] = BigInt.asUintN(widthAt(code, at), result);
  },
  fadd: floating(floatOps.fadd),
  fsub: floating(floatOps.fsub),
  fmul: floating(floatOps.fmul),
  fdiv: floating(floatOps.fdiv),
  fsqrt: floating(floatOps.fsqrt),
  fmin: floating(floatOps.fmin),
  fmax: floating(floatOps.fmax),
  fcmp: floating(floatOps.fcmp),
  fcomi: floating(floatOps.fcomi),
  fcvt: (m, code, at) => {
    m.values[own(at)] = floatConversion(m.cpu, auxAt(code, at), m.values[code[at + 1]]);
  },
  vec: (m, code, at) => {
    m.values[own(at)] = vectorFunctions[auxAt(code, at)](
      m.values[code[at + 1]],
      m.values[code[at + 2]] ?? 0n,
      code[at + 3],
    );
  },
  jump: (m, code, at) => jumpTo(m, m.values[code[at + 1]]),
  branch: (m, code, at) =>
    jumpTo(m, m.values[code[at + 1]] === 1n ? m.values[code[at + 2]] : m.values[code[at + 3]]),
  syscall: (m, code, at) => {
    m.next = m.values[code[at + 1]];
    m.leave = 'syscall';
  },
  trap: (m, code, at) => {
    m.trap = code[at + 1];
    m.leave = 'trap';
  },
  unsupported: (m) => {
    m.leave = 'unsupported';
  },
};

const COMPARISONS = new Set(IR_OPS.flatMap((row, i) => (row[2] === 'v1' ? [i] : [])));

/** Bits of a value of the block. */
function valueWidth(code: Int32Array, value: number): number {
  const head = code[value * WORDS];
  return COMPARISONS.has(head & 0xff) ? 1 : (head >>> 8) & 0xff;
}

/** Handlers by opcode number. */
const table: readonly Handler[] = IR_OPS.map((row) => HANDLERS[row[0]]);
assert(
  table.every((handler) => typeof handler === 'function') && Object.keys(HANDLERS).length === IR_OPS.length,
  'every IR operation has a handler',
);
assert(JUMP_KINDS.length > 0 && TRAPS.length > 0, 'terminators are named');

/** A block's code, and the values of its constants by operation, made once. */
export interface PreparedBlock {
  readonly code: Int32Array;
  readonly constants: readonly bigint[];
}

export function prepare(code: Int32Array): PreparedBlock {
  const constants: bigint[] = [];
  for (let at = 0; at < code.length; at += WORDS) {
    if ((code[at] & 0xff) !== IR.const) constants.push(0n);
    else if (code[at + 2] === 0) constants.push(BigInt(code[at + 1] >>> 0));
    else constants.push((BigInt(code[at + 2] >>> 0) << 32n) | BigInt(code[at + 1] >>> 0));
  }
  return { code, constants };
}

/** Runs a block until it is left; guest faults travel as MemoryFault and GuestFault. */
export function interpret(m: Frame, block: PreparedBlock): void {
  const { code } = block;
  m.constants = block.constants;
  m.leave = 'run';
  for (let at = 0; m.leave === 'run'; at += WORDS) table[code[at] & 0xff](m, code, at);
}

/** Whether code can stand at the address at all. */
export function isCanonical(address: bigint): boolean {
  return address < BigInt(ADDRESS_LIMIT) || address >= NON_CANONICAL_END;
}
