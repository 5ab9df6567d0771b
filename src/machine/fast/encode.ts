// Turns a lifted block into the interpreter's stream. Values get homes in linear memory: constants beside the stream,
// register reads the register itself where it is not overwritten meanwhile, results the register that they are about to
// be set to where nothing can tell the difference, low parts of a value the value's own bytes; the rest gets slots.
import { ATOMICS, FLAG_BITS, FLAGS, HELPERS, IR, REG, VECTOR_OPS, WORDS, XMM0 } from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { type Analysis, analyse, isConst, keepsFlags, operandsOf } from './analysis.ts';
import { CASE, NATIVE_NUMBERS, shapeKey } from './cases.ts';
import { shuffleLanes } from './emit.ts';
import { CPU, SLOT } from './layout.ts';

/** Byte offset of a register in the register file. */
export function registerOffset(register: number): number {
  if (register < 16) return 8 * register;
  if (register >= XMM0) return LAYOUT.xmm + 16 * (register - XMM0);
  if (register === REG['fsbase']) return LAYOUT.fsbase;
  if (register === REG['gsbase']) return LAYOUT.gsbase;
  if (register === REG['mxcsr']) return LAYOUT.mxcsr;
  throw new Error(`internal error: register ${register} is not read by IR`);
}

export interface Stream {
  /** Words from the header on; constants stand before it. */
  readonly words: Int32Array;
  /** Bytes of constants before the header. */
  readonly constants: number;
  /** Absolute address of each operation's value; 0 none. */
  readonly homes: Int32Array;
  /** Word index, from the header, where each instruction begins. */
  readonly marks: Uint16Array;
}

const FAULTING = new Set<number>([
  IR.insn,
  IR.load,
  IR.store,
  IR.align,
  IR.canonical,
  IR.exit,
  IR.atomic,
  IR.divu,
  IR.remu,
  IR.divs,
  IR.rems,
  IR.call,
  IR.fadd,
  IR.fsub,
  IR.fmul,
  IR.fdiv,
  IR.fsqrt,
  IR.fmin,
  IR.fmax,
  IR.fcmp,
  IR.fcomi,
  IR.fcvt,
]);
const FLOATS = new Set<number>([
  IR.fadd,
  IR.fsub,
  IR.fmul,
  IR.fdiv,
  IR.fsqrt,
  IR.fmin,
  IR.fmax,
  IR.fcmp,
  IR.fcomi,
  IR.fcvt,
]);

/** Which of the two leaf tables that are kept serves an address: 0 where it is made from rsp. */
export function leafPairOf(code: Int32Array, address: number): 0 | 1 {
  let value = address;
  for (let steps = 0; steps < 8; steps++) {
    const at = value * WORDS;
    const op = code[at] & 0xff;
    if (op === IR.get) return code[at + 1] === REG['rsp'] ? 0 : 1;
    if ((op === IR.add || op === IR.sub) && isConst(code, code[at + 2])) value = code[at + 1];
    else return 1;
  }
  return 1;
}

/** Registers that an operation besides `set` may write: XMM and MXCSR by helpers, MXCSR by floating point. */
function clobbers(head: number, register: number): boolean {
  const op = head & 0xff;
  if (FLOATS.has(op)) return register === REG['mxcsr'];
  if (op !== IR.call) return false;
  const { effect } = HELPERS[head >>> 16];
  if (effect === 'pure') return false;
  return register === REG['mxcsr'] || (register >= XMM0 && effect !== 'state');
}

class Encoder {
  private readonly analysis: Analysis;
  private readonly code: Int32Array;
  private readonly cpu: number;
  private readonly base: number;
  private readonly count: number;
  private readonly root: Int32Array;
  private readonly offset: Int32Array;
  private readonly clean: Uint8Array;
  private readonly last: Int32Array;
  private readonly homes: Int32Array;
  /** Sets whose value was computed in the register at once. */
  private readonly absorbed: Uint8Array;
  private readonly words: number[] = [0, 0, 0];
  private readonly marks: number[] = [];
  private readonly constantData: number[] = [];

  constructor(code: Int32Array, cpu: number, base: number) {
    this.analysis = analyse(code);
    this.code = this.analysis.code;
    this.cpu = cpu;
    this.base = base;
    this.count = this.analysis.count;
    this.root = new Int32Array(this.count);
    this.offset = new Int32Array(this.count);
    this.clean = new Uint8Array(this.count);
    this.last = new Int32Array(this.count);
    this.homes = new Int32Array(this.count);
    this.absorbed = new Uint8Array(this.count);
  }

  /** Undefined where the block needs more slots than there are. */
  encode(): Stream | undefined {
    this.findRoots();
    this.placeConstants();
    this.placeRegisters();
    if (!this.placeSlots()) return undefined;
    for (let i = 0; i < this.count; i++)
      this.homes[i] = this.analysis.width[i] === 0 ? 0 : this.homes[this.root[i]] + this.offset[i];
    for (let i = 0; i < this.count; i++) if (this.analysis.dead[i] === 0) this.operation(i);
    const constants = this.constantData.length * 4;
    const words = new Int32Array(this.constantData.length + this.words.length);
    words.set(this.constantData);
    words.set(this.words, this.constantData.length);
    return { words, constants, homes: this.homes, marks: Uint16Array.from(this.marks) };
  }

  private findRoots(): void {
    const { code, count, root, offset, clean, last } = this;
    const { width, lastUse } = this.analysis;
    for (let i = 0; i < count; i++) {
      root[i] = i;
      const at = i * WORDS;
      const op = code[at] & 0xff;
      const a = code[at + 1];
      const w = width[i];
      if (w === 0) continue;
      if (op === IR.const) clean[i] = 1;
      else if (op === IR.get) clean[i] = w >= 64 ? 1 : 0;
      else if ((op === IR.trunc || op === IR.extract) && w >= 8 && (code[at] >>> 16) % 8 === 0) {
        root[i] = root[a];
        offset[i] = offset[a] + (op === IR.extract ? code[at] >>> 19 : 0);
        clean[i] = w >= 64 ? 1 : 0;
      } else if (op === IR.zext && w <= 64 && clean[a] === 1) {
        root[i] = root[a];
        offset[i] = offset[a];
        clean[i] = 1;
      } else clean[i] = 1;
      last[root[i]] = Math.max(last[root[i]], lastUse[i]);
    }
  }

  private placeConstants(): void {
    const { code, count } = this;
    const shuffles: number[] = [];
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      const op = code[at] & 0xff;
      if (op === IR.const && this.analysis.dead[i] === 0) {
        this.homes[i] = this.base + 4 * this.constantData.length;
        this.constantData.push(code[at + 1], code[at + 2]);
      } else if (op === IR.vec && shuffleLanes(VECTOR_OPS[code[at] >>> 16][0], code[at + 3]) !== undefined)
        shuffles.push(i);
    }
    for (const i of shuffles) {
      const lanes = shuffleLanes(VECTOR_OPS[code[i * WORDS] >>> 16][0], code[i * WORDS + 3]) ?? [];
      this.masks.set(i, this.base + 4 * this.constantData.length);
      for (const from of [0, 16])
        this.constantData.push(
          ...packed(lanes.map((lane) => (lane >= from && lane < from + 16 ? lane - from : 0xff))),
        );
    }
  }
  private readonly masks = new Map<number, number>();

  private placeRegisters(): void {
    const { code, count, last } = this;
    /** By register: roots that live in it, and positions of sets. */
    const sets = new Map<number, number[]>();
    const occupants = new Map<number, number[]>();
    const push = (map: Map<number, number[]>, key: number, value: number): void => {
      const list = map.get(key);
      if (list === undefined) map.set(key, [value]);
      else list.push(value);
    };
    for (let i = 0; i < count; i++)
      if ((code[i * WORDS] & 0xff) === IR.set) push(sets, code[i * WORDS + 1], i);
    const overwritten = (register: number, from: number, to: number): boolean => {
      for (const s of sets.get(register) ?? []) if (s > from && s < to) return true;
      if (register >= 16)
        for (let i = from + 1; i < to; i++) if (clobbers(code[i * WORDS], register)) return true;
      return false;
    };
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      if ((code[at] & 0xff) !== IR.get || overwritten(code[at + 1], i, last[i])) continue;
      this.homes[i] = this.cpu + registerOffset(code[at + 1]);
      push(occupants, code[at + 1], i);
    }
    for (let s = 0; s < count; s++) {
      const at = s * WORDS;
      if ((code[at] & 0xff) !== IR.set) continue;
      const register = code[at + 1];
      const value = code[at + 2];
      const v = this.root[value];
      if (this.homes[v] !== 0 || this.offset[value] !== 0 || !this.fits(register, value, v)) continue;
      if (this.barrier(v, s, register) || overwritten(register, s, last[v])) continue;
      if ((occupants.get(register) ?? []).some((g) => last[g] > v)) continue;
      this.homes[v] = this.cpu + registerOffset(register);
      this.absorbed[s] = 1;
      push(occupants, register, v);
    }
  }

  /** Whether the value as it is stored is the register's content. */
  private fits(register: number, value: number, v: number): boolean {
    const { width } = this.analysis;
    const op = this.code[v * WORDS] & 0xff;
    if (op === IR.const || op === IR.get) return false;
    if (register < 16) return width[value] === 64 && width[v] <= 64;
    return register >= XMM0 && width[v] === 128;
  }

  /** Between v and s: something that may leave the block, or another set of the register. */
  private barrier(v: number, s: number, register: number): boolean {
    for (let i = v + 1; i < s; i++) {
      const op = this.code[i * WORDS] & 0xff;
      if (FAULTING.has(op) && this.analysis.dead[i] === 0) return true;
      if (op === IR.set && this.code[i * WORDS + 1] === register) return true;
    }
    return false;
  }

  private placeSlots(): boolean {
    const { count, last } = this;
    const free: number[] = [];
    const busy: { slot: number; last: number }[] = [];
    let fresh = this.cpu + CPU.slots;
    for (let i = 0; i < count; i++) {
      if (
        this.analysis.width[i] === 0 ||
        this.analysis.dead[i] !== 0 ||
        this.root[i] !== i ||
        this.homes[i] !== 0
      )
        continue;
      for (let k = busy.length - 1; k >= 0; k--) {
        if (busy[k].last > i) continue;
        free.push(busy[k].slot);
        busy[k] = busy[busy.length - 1];
        busy.pop();
      }
      let slot = free.pop();
      if (slot === undefined) {
        slot = fresh;
        fresh += SLOT;
        if (fresh > this.cpu + CPU.end) return false;
      }
      this.homes[i] = slot;
      busy.push({ slot, last: last[i] });
    }
    return true;
  }

  // operations

  private home(value: number): number {
    return value < 0 ? this.cpu + CPU.zero : this.homes[value];
  }

  private operation(i: number): void {
    const { code, words } = this;
    const at = i * WORDS;
    const head = code[at];
    const op = head & 0xff;
    const width = (head >>> 8) & 0xff;
    const [a, b, c] = [code[at + 1], code[at + 2], code[at + 3]];
    switch (op) {
      case IR.insn:
        this.marks.push(words.length);
        return;
      case IR.const:
      case IR.fence:
        return;
      case IR.get:
        this.copy(width, this.homes[i], this.cpu + registerOffset(a));
        return;
      case IR.set:
        if (this.absorbed[i] === 0) this.copy(width, this.cpu + registerOffset(a), this.home(b));
        return;
      case IR.trunc:
      case IR.extract:
        if (this.root[i] === i) this.bit(i);
        return;
      case IR.load:
        words.push(
          CASE[`${head >>> 16 === 1 ? 'update' : 'load'}${width as 8}.${leafPairOf(code, a)}`],
          this.homes[i],
          this.home(a),
          i,
        );
        return;
      case IR.store:
        words.push(CASE[`store${width as 8}.${leafPairOf(code, a)}`], this.home(a), this.home(b), i);
        return;
      case IR.atomic:
        if (width > 64) words.push(CASE.slow, i);
        else
          words.push(
            CASE[`atomic${width as 8}.${ATOMICS[head >>> 16]}`],
            this.homes[i],
            this.home(a),
            this.home(b),
            this.home(c),
            i,
          );
        return;
      case IR.align:
        words.push(CASE.align, this.home(a), i, (head >>> 16) - 1);
        return;
      case IR.canonical:
        words.push(CASE.canonical, this.home(a), i, 0);
        return;
      case IR.flags:
        words.push(
          keepsFlags(code, at) ? CASE.keepflags : CASE.flags,
          (head >>> 16) | (width << 8),
          this.home(a),
          this.home(b),
          this.home(c),
        );
        return;
      default:
        this.other(i, op, width);
    }
  }

  private other(i: number, op: number, width: number): void {
    const { code, words } = this;
    const at = i * WORDS;
    const [a, b, c] = [code[at + 1], code[at + 2], code[at + 3]];
    switch (op) {
      case IR.cond:
        words.push(CASE[`cond${a as 0}`], this.homes[i], 0);
        return;
      case IR.getf:
        words.push(CASE.getf, this.homes[i], FLAG_POSITIONS[a]);
        return;
      case IR.setf:
        words.push(CASE.setf, FLAG_POSITIONS[a], this.home(b));
        return;
      case IR.rflags:
        words.push(CASE.rflags, this.homes[i]);
        return;
      case IR.setrflags:
        words.push(CASE[`setrflags${(code[at] >>> 16) as 0}`], this.home(a));
        return;
      case IR.exit:
        words.push(CASE.exit, this.home(a), this.home(b));
        return;
      case IR.jump:
        words.push(CASE.jump, this.home(a));
        return;
      case IR.branch:
        words.push(CASE.branch, this.home(a), this.home(b), this.home(c));
        return;
      case IR.syscall:
        words.push(CASE.syscall, this.home(a));
        return;
      case IR.trap:
      case IR.unsupported:
        words.push(CASE.end);
        return;
      default:
        this.value(i, op, width);
    }
  }

  private value(i: number, op: number, width: number): void {
    const { code, words } = this;
    if (op === IR.zext && this.root[i] !== i) return;
    if (this.masks.has(i)) {
      this.shuffle(i);
      return;
    }
    const at = i * WORDS;
    const operands = operandsOf(code, at);
    const widths = [0, 1, 2].map((k) =>
      (operands & (1 << k)) === 0 ? 0 : this.analysis.width[code[at + 1 + k]],
    );
    const aux = op === IR.insert || op === IR.vec ? code[at] >>> 16 : 0;
    const number = NATIVE_NUMBERS.get(shapeKey(op, width, aux, widths[0], widths[1], widths[2]));
    if (number === undefined) {
      words.push(CASE.slow, i);
      return;
    }
    words.push(number, this.homes[i]);
    for (let k = 0; k < 3; k++) if (widths[k] > 0) words.push(this.home(code[at + 1 + k]));
    if (op >= IR.divu && op <= IR.rems) words.push(i);
  }

  private copy(width: number, to: number, from: number): void {
    if (to !== from)
      this.words.push(width === 128 ? CASE.copy128 : width === 64 ? CASE.copy64 : CASE.copy32, to, from);
  }

  private bit(i: number): void {
    const { code } = this;
    const at = i * WORDS;
    const from = (code[at] & 0xff) === IR.extract ? code[at] >>> 16 : 0;
    const width = (code[at] >>> 8) & 0xff;
    if (width !== 1) {
      this.words.push(CASE.slow, i);
      return;
    }
    this.words.push(CASE.bit32, this.homes[i], this.home(code[at + 1]) + 4 * (from >> 5), from & 31);
  }

  private shuffle(i: number): void {
    const at = i * WORDS;
    const [a, b] = [this.code[at + 1], this.code[at + 2]];
    const lanes = shuffleLanes(VECTOR_OPS[this.code[at] >>> 16][0], this.code[at + 3]) ?? [];
    const masks = this.masks.get(i) ?? 0;
    const usesA = lanes.some((lane) => lane >= 0 && lane < 16);
    const usesB = lanes.some((lane) => lane >= 16);
    if (usesA && usesB) this.words.push(CASE.swizzle2, this.homes[i], this.home(a), this.home(b), masks);
    else if (usesB) this.words.push(CASE.swizzle1, this.homes[i], this.home(b), masks + 16);
    else this.words.push(CASE.swizzle1, this.homes[i], this.home(a), masks);
  }
}

const FLAG_POSITIONS = FLAGS.map((name) => FLAG_BITS[name]);

function packed(bytes: readonly number[]): number[] {
  return [0, 4, 8, 12].map(
    (i) => bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24),
  );
}

/** The stream of a block for a CPU area at `cpu`, its constants to stand at `base` (a multiple of 16). */
export function encodeBlock(code: Int32Array, cpu: number, base: number): Stream | undefined {
  return new Encoder(code, cpu, base).encode();
}
