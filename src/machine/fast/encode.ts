// Turns a lifted block into the interpreter's stream. Values get homes in linear memory: constants beside the stream,
// register reads the register itself where it is not overwritten meanwhile, results the register that they are about to
// be set to where nothing can tell the difference, low parts of a value the value's own bytes; the rest gets slots.
import {
  ATOMICS,
  FLAG_BITS,
  FLAGS,
  IR,
  JUMP_KINDS,
  REG,
  REGISTERS,
  VECTOR_OPS,
  WORDS,
  XMM0,
} from '../../isa/index.ts';
import { LAYOUT } from '../registers.ts';
import { AnalysisScratch, DISPLACED, isConst, keepsFlags, operandsOf } from './analysis.ts';
import { CASE, GUARDED, NATIVE_NUMBERS, shapeKey } from './cases.ts';
import { shuffleLanes } from './emit.ts';
import { fuse } from './fused.ts';
import { CPU, FIRST_NUMBER, HEADER, NUMBERS, SLOT } from './layout.ts';
import { clobbers, FAULTING, FLOATS, HAS_AUX } from './stream-effects.ts';

/** Byte offset of a register in the register file. */
export function registerOffset(register: number): number {
  if (register < 16) return 8 * register;
  if (register >= XMM0) return LAYOUT.xmm + 16 * (register - XMM0);
  if (register === REG['fsbase']) return LAYOUT.fsbase;
  if (register === REG['gsbase']) return LAYOUT.gsbase;
  if (register === REG['mxcsr']) return LAYOUT.mxcsr;
  throw new Error(`internal error: register ${register} is not read by IR`);
}

/** Where a stream goes: word `at` of `words`, which stands at byte address `base`. */
export interface StreamPlace {
  readonly words: Int32Array | Uint32Array;
  readonly at: number;
  readonly base: number;
}

const GENERAL = 16;

/**
 * Writes streams. One object serves all blocks of a core and keeps its working arrays: a block is encoded once and
 * mostly run a few times, so that allocating would cost more than encoding. Results hold until the next block.
 */
export class StreamEncoder {
  private readonly cpu: number;
  private readonly analysis = new AnalysisScratch();
  private code: Int32Array = new Int32Array(0);
  private base = 0;
  private count = 0;
  private root = new Int32Array(0);
  private offset = new Int32Array(0);
  private clean = new Uint8Array(0);
  private last = new Int32Array(0);
  /** Sets whose value was computed in the register at once. */
  private absorbed = new Uint8Array(0);
  /** By operation: address of a shuffle's masks, 0 none. */
  private masks = new Int32Array(0);
  private freeSlots = new Int32Array(0);
  private busySlots = new Int32Array(0);
  private busyLast = new Int32Array(0);
  /** By register: the last of its sets, and of the values that live in it; each names the one before, + 1. */
  private readonly setHead = new Int32Array(REGISTERS.length);
  private setLink = new Int32Array(0);
  private readonly occupantHead = new Int32Array(REGISTERS.length);
  private occupantLink = new Int32Array(0);
  private out: Int32Array | Uint32Array = new Int32Array(0);
  private outAt = 0;
  private shuffles = 0;
  private clobbering = false;
  /** Absolute address of each operation's value; 0 none. */
  homes = new Int32Array(0);
  /** Where each instruction begins: word from the header | bytes from the block's start << 16. */
  readonly marks = new Uint32Array(4096);
  private markCount = 0;
  private textLength = 0;
  /** Bytes of constants before the header. */
  constants = 0;
  /** Words written: constants, header, operations. */
  length = 0;

  constructor(cpu: number) {
    this.cpu = cpu;
  }

  private prepare(count: number): void {
    if (this.root.length >= count) return;
    const size = 2 * count + 512;
    this.root = new Int32Array(size);
    this.offset = new Int32Array(size);
    this.clean = new Uint8Array(size);
    this.last = new Int32Array(size);
    this.homes = new Int32Array(size);
    this.absorbed = new Uint8Array(size);
    this.masks = new Int32Array(size);
    this.freeSlots = new Int32Array(size);
    this.busySlots = new Int32Array(size);
    this.busyLast = new Int32Array(size);
    this.setLink = new Int32Array(size);
    this.occupantLink = new Int32Array(size);
  }

  /**
   * False where the block needs more slots than there are. The header's words are left as they are; those of the code
   * are folded in place (analysis.ts).
   */
  encode(code: Int32Array, place: StreamPlace): boolean {
    this.count = code.length / WORDS;
    this.prepare(this.count);
    this.code = code;
    this.analysis.analyse(code);
    this.base = place.base;
    this.out = place.words;
    this.outAt = place.at;
    this.markCount = 0;
    this.textLength = 0;
    if (this.shuffles > 0) this.masks.fill(0);
    this.shuffles = 0;
    this.setHead.fill(0);
    this.occupantHead.fill(0);
    this.findRoots();
    this.placeConstants();
    this.placeRegisters();
    if (!this.placeSlots()) return false;
    this.constants = 4 * (this.outAt - place.at);
    this.header = this.outAt;
    this.outAt += HEADER / 4;
    const { dead, late, width } = this.analysis;
    const { homes, root, offset, count } = this;
    for (let i = 0; i < count; i++) {
      if (root[i] !== i) homes[i] = homes[root[i]] + offset[i];
      if (width[i] === 0) homes[i] = 0;
      if (dead[i] === 0 && late[i] === 0) this.operation(i);
    }
    fuse(this.out, this.header + HEADER / 4, this.outAt);
    this.length = this.outAt - place.at;
    return true;
  }
  private header = 0;

  private findRoots(): void {
    const { code, count, root, offset, clean, last, homes, absorbed } = this;
    const { width, lastUse } = this.analysis;
    this.clobbering = false;
    for (let i = 0; i < count; i++) {
      root[i] = i;
      offset[i] = 0;
      last[i] = 0;
      homes[i] = 0;
      absorbed[i] = 0;
      const at = i * WORDS;
      const op = code[at] & 0xff;
      const a = code[at + 1];
      const w = width[i];
      if (FLOATS[op] !== 0 || op === IR.call) this.clobbering = true;
      if (op === IR.set) {
        this.setLink[i] = this.setHead[a];
        this.setHead[a] = i + 1;
      }
      clean[i] = w === 0 ? 0 : 1;
      if (w === 0) continue;
      if (op === IR.get) clean[i] = w >= 64 ? 1 : 0;
      else if ((op === IR.trunc || op === IR.extract) && w >= 8 && (code[at] >>> 16) % 8 === 0) {
        root[i] = root[a];
        offset[i] = offset[a] + (op === IR.extract ? code[at] >>> 19 : 0);
        clean[i] = w >= 64 ? 1 : 0;
      } else if (op === IR.zext && w <= 64 && clean[a] === 1) {
        root[i] = root[a];
        offset[i] = offset[a];
      }
      if (lastUse[i] > last[root[i]]) last[root[i]] = lastUse[i];
    }
  }

  private constant(word: number): void {
    this.out[this.outAt++] = word;
  }

  private placeConstant(value: number, first: number): void {
    const { code } = this;
    const at = value * WORDS;
    if ((code[at] & 0xff) !== IR.const || this.homes[value] !== 0) return;
    const low = code[at + 1];
    const high = code[at + 2];
    const number = low - FIRST_NUMBER;
    if (high === low >> 31 && number >= 0 && number < NUMBERS) {
      this.homes[value] = this.cpu + CPU.numbers + 8 * number;
      return;
    }
    this.homes[value] = this.base + 4 * (this.outAt - first);
    this.constant(low);
    this.constant(high);
  }

  private placeConstants(): void {
    const { code, count } = this;
    const { dead } = this.analysis;
    const first = this.outAt;
    // targets, which are read when a link is made, stand farthest from the operations
    const end = (count - 1) * WORDS;
    const last = code[end] & 0xff;
    if (last === IR.branch) {
      this.placeConstant(code[end + 2], first);
      this.placeConstant(code[end + 3], first);
    } else if (last === IR.jump) this.placeConstant(code[end + 1], first);
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      const op = code[at] & 0xff;
      if (op === IR.const) {
        if (dead[i] === 0) this.placeConstant(i, first);
      } else if (op === IR.vec && shuffleLanes(VECTOR_OPS[code[at] >>> 16][0], code[at + 3]) !== undefined)
        this.shuffles++;
    }
    if (this.shuffles === 0) return;
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      if ((code[at] & 0xff) !== IR.vec) continue;
      const lanes = shuffleLanes(VECTOR_OPS[code[at] >>> 16][0], code[at + 3]);
      if (lanes === undefined) continue;
      this.masks[i] = this.base + 4 * (this.outAt - first);
      for (const from of [0, 16])
        for (const word of packed(
          lanes.map((lane) => (lane >= from && lane < from + 16 ? lane - from : 0xff)),
        ))
          this.constant(word);
    }
  }

  /** Something between writes the register. */
  private overwritten(register: number, from: number, to: number): boolean {
    const { setLink, code } = this;
    for (let s = this.setHead[register] - 1; s > from; s = setLink[s] - 1) if (s < to) return true;
    if (register >= GENERAL && this.clobbering)
      for (let i = from + 1; i < to; i++) if (clobbers(code[i * WORDS], register)) return true;
    return false;
  }

  private occupy(register: number, value: number): void {
    this.occupantLink[value] = this.occupantHead[register];
    this.occupantHead[register] = value + 1;
  }

  /** A value that lives in the register is needed after `v` is made. */
  private occupied(register: number, v: number): boolean {
    for (let g = this.occupantHead[register] - 1; g >= 0; g = this.occupantLink[g] - 1)
      if (this.last[g] > v) return true;
    return false;
  }

  private placeRegisters(): void {
    const { code, count, last } = this;
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      if ((code[at] & 0xff) !== IR.get || this.overwritten(code[at + 1], i, last[i])) continue;
      this.homes[i] = this.cpu + registerOffset(code[at + 1]);
      this.occupy(code[at + 1], i);
    }
    for (let s = 0; s < count; s++) {
      const at = s * WORDS;
      if ((code[at] & 0xff) !== IR.set) continue;
      const register = code[at + 1];
      const value = code[at + 2];
      const v = this.root[value];
      if (this.homes[v] !== 0 || this.offset[value] !== 0 || !this.fits(register, value, v)) continue;
      // where it is computed
      const made = this.analysis.late[v] !== 0 ? this.analysis.firstUse[v] : v;
      if (this.barrier(made, s, register) || this.overwritten(register, s, last[v])) continue;
      if (this.occupied(register, made)) continue;
      this.homes[v] = this.cpu + registerOffset(register);
      this.absorbed[s] = 1;
      this.occupy(register, v);
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
    const { code } = this;
    const { dead } = this.analysis;
    for (let i = v + 1; i < s; i++) {
      const op = code[i * WORDS] & 0xff;
      if (FAULTING[op] !== 0 && dead[i] === 0) return true;
      if (op === IR.set && code[i * WORDS + 1] === register) return true;
    }
    return false;
  }

  private placeSlots(): boolean {
    const { count, last, root, homes, freeSlots, busySlots, busyLast } = this;
    const { width, dead } = this.analysis;
    let free = 0;
    let busy = 0;
    let fresh = this.cpu + CPU.slots;
    for (let i = 0; i < count; i++) {
      if (width[i] === 0 || dead[i] !== 0 || root[i] !== i || homes[i] !== 0) continue;
      for (let k = busy - 1; k >= 0; k--) {
        if (busyLast[k] > i) continue;
        freeSlots[free++] = busySlots[k];
        busy--;
        busySlots[k] = busySlots[busy];
        busyLast[k] = busyLast[busy];
      }
      let slot: number;
      if (free > 0) slot = freeSlots[--free];
      else {
        slot = fresh;
        fresh += SLOT;
        if (fresh > this.cpu + CPU.numbers) return false;
      }
      homes[i] = slot;
      busySlots[busy] = slot;
      busyLast[busy++] = last[i];
    }
    return true;
  }

  // operations

  private put(word: number): void {
    this.out[this.outAt++] = word;
  }

  private put2(a: number, b: number): void {
    const { out, outAt } = this;
    out[outAt] = a;
    out[outAt + 1] = b;
    this.outAt = outAt + 2;
  }

  private put3(a: number, b: number, c: number): void {
    const { out, outAt } = this;
    out[outAt] = a;
    out[outAt + 1] = b;
    out[outAt + 2] = c;
    this.outAt = outAt + 3;
  }

  private put4(a: number, b: number, c: number, d: number): void {
    this.put2(a, b);
    this.put2(c, d);
  }

  private home(value: number): number {
    return value < 0 ? this.cpu + CPU.zero : this.homes[value];
  }

  private operation(i: number): void {
    const { code } = this;
    const at = i * WORDS;
    const head = code[at];
    const op = head & 0xff;
    const width = (head >>> 8) & 0xff;
    const a = code[at + 1];
    const b = code[at + 2];
    const c = code[at + 3];
    switch (op) {
      case IR.insn:
        this.marks[this.markCount++] = (this.outAt - this.header) | (this.textLength << 16);
        this.textLength += c;
        return;
      case IR.const:
      case IR.fence:
        return;
      case IR.get:
        this.copy(width, this.homes[i], this.cpu + registerOffset(a));
        return;
      case IR.set:
        if (this.analysis.late[b] !== 0 && this.analysis.firstUse[b] === i)
          this.value(b, code[b * WORDS] & 0xff, 64);
        if (this.absorbed[i] === 0) this.copy(width, this.cpu + registerOffset(a), this.home(b));
        return;
      case IR.trunc:
      case IR.extract:
        if (this.root[i] === i) this.bit(i);
        return;
      case IR.load:
        this.put4(
          ACCESS_CASES[accessIndex(head >>> 16 === 1 ? 1 : 0, width)],
          this.homes[i],
          this.home(a),
          i,
        );
        return;
      case IR.store:
        this.put4(ACCESS_CASES[accessIndex(2, width)], this.home(a), this.home(b), i);
        return;
      case DISPLACED.load:
        this.put3(
          DISPLACED_CASES[accessIndex(head >>> 16 === 1 ? 1 : 0, width)],
          this.homes[i],
          this.home(a),
        );
        this.put2(c & 0xffff, i);
        return;
      case DISPLACED.store:
        this.put3(DISPLACED_CASES[accessIndex(2, width)], this.home(a), c & 0xffff);
        this.put2(this.home(b), i);
        return;
      case IR.atomic:
        if (width > 64) this.put2(CASE.slow, i);
        else {
          this.put3(CASE[`atomic${width as 8}.${ATOMICS[head >>> 16]}`], this.homes[i], this.home(a));
          this.put3(this.home(b), this.home(c), i);
        }
        return;
      case IR.align:
        this.put4(CASE.align, this.home(a), (head >>> 16) - 1, i);
        return;
      case IR.canonical:
        this.put3(CASE.canonical, this.home(a), i);
        return;
      case IR.flags:
        this.flags(at, keepsFlags(code, at));
        return;
      default:
        this.other(i, op, width);
    }
  }

  private flags(at: number, keeps: boolean): void {
    const { code } = this;
    const a = code[at + 1];
    const b = code[at + 2];
    const c = code[at + 3];
    const kind = (code[at] >>> 16) | (((code[at] >>> 8) & 0xff) << 8);
    if (keeps || c >= 0) {
      this.put2(keeps ? CASE.keepflags : CASE.flags, kind);
      this.put3(this.home(a), this.home(b), this.home(c));
    } else if (b >= 0) this.put4(CASE.flags2, kind, this.home(a), this.home(b));
    else this.put3(CASE.flags1, kind, this.home(a));
  }

  private jump(i: number): void {
    const { code } = this;
    const target = code[i * WORDS + 1];
    const kind = JUMP_KINDS[code[i * WORDS] >>> 16];
    const direct = isConst(code, target);
    if (kind === 'ret') {
      this.put2(CASE.ret, this.home(target));
      return;
    }
    const site = kind === 'call' || kind === 'indirect-call' ? this.returnAddress(i) : -1;
    if (site >= 0) this.put3(direct ? CASE.call : CASE.callto, this.home(target), this.home(site));
    else this.put2(direct ? CASE.goto : CASE.jump, this.home(target));
  }

  /** What a call that ends the block stores: a constant, or -1. */
  private returnAddress(end: number): number {
    const { code } = this;
    for (let at = (end - 1) * WORDS; at >= 0; at -= WORDS) {
      const op = code[at] & 0xff;
      if (op === IR.store || op === DISPLACED.store) return isConst(code, code[at + 2]) ? code[at + 2] : -1;
    }
    return -1;
  }

  private other(i: number, op: number, width: number): void {
    const { code } = this;
    const at = i * WORDS;
    const a = code[at + 1];
    const b = code[at + 2];
    const c = code[at + 3];
    switch (op) {
      case IR.cond:
        this.put2(CONDITION_CASES[a], this.homes[i]);
        return;
      case IR.getf:
        this.put3(CASE.getf, this.homes[i], FLAG_POSITIONS[a]);
        return;
      case IR.setf:
        this.put3(CASE.setf, FLAG_POSITIONS[a], this.home(b));
        return;
      case IR.rflags:
        this.put2(CASE.rflags, this.homes[i]);
        return;
      case IR.setrflags:
        this.put2(CASE[`setrflags${(code[at] >>> 16) as 0}`], this.home(a));
        return;
      case IR.exit:
        this.put3(CASE.exit, this.home(a), this.home(b));
        return;
      case IR.jump:
        this.jump(i);
        return;
      case IR.branch:
        this.put4(
          isConst(code, b) && isConst(code, c) ? CASE.fork : CASE.branch,
          this.home(b),
          this.home(c),
          this.home(a),
        );
        return;
      case IR.syscall:
        this.put2(CASE.syscall, this.home(a));
        return;
      case IR.trap:
      case IR.unsupported:
        this.put(CASE.end);
        return;
      default:
        this.value(i, op, width);
    }
  }

  private value(i: number, op: number, width: number): void {
    const { code } = this;
    if (op === IR.zext && this.root[i] !== i) return;
    if (this.shuffles > 0 && this.masks[i] !== 0) {
      this.shuffle(i);
      return;
    }
    const at = i * WORDS;
    const operands = operandsOf(code, at);
    const widths = this.analysis.width;
    const wa = (operands & 1) === 0 ? 0 : widths[code[at + 1]];
    const wb = (operands & 2) === 0 ? 0 : widths[code[at + 2]];
    const wc = (operands & 4) === 0 ? 0 : widths[code[at + 3]];
    const aux = HAS_AUX[op] !== 0 ? code[at] >>> 16 : 0;
    const number = NATIVE_NUMBERS.get(shapeKey(op, width, aux, wa, wb, wc));
    if (number === undefined) {
      this.put2(CASE.slow, i);
      return;
    }
    this.put2(number, this.homes[i]);
    if (wa > 0) this.put(this.home(code[at + 1]));
    if (wb > 0) this.put(this.home(code[at + 2]));
    if (wc > 0) this.put(this.home(code[at + 3]));
    if (GUARDED[number] !== 0) this.put(i);
  }

  private copy(width: number, to: number, from: number): void {
    if (to !== from)
      this.put3(width === 128 ? CASE.copy128 : width === 64 ? CASE.copy64 : CASE.copy32, to, from);
  }

  private bit(i: number): void {
    const { code } = this;
    const at = i * WORDS;
    const from = (code[at] & 0xff) === IR.extract ? code[at] >>> 16 : 0;
    const width = (code[at] >>> 8) & 0xff;
    if (width !== 1) {
      this.put2(CASE.slow, i);
      return;
    }
    this.put4(CASE.bit32, this.homes[i], this.home(code[at + 1]) + 4 * (from >> 5), from & 31);
  }

  private shuffle(i: number): void {
    const at = i * WORDS;
    const [a, b] = [this.code[at + 1], this.code[at + 2]];
    const lanes = shuffleLanes(VECTOR_OPS[this.code[at] >>> 16][0], this.code[at + 3]) ?? [];
    const masks = this.masks[i];
    const usesA = lanes.some((lane) => lane >= 0 && lane < 16);
    const usesB = lanes.some((lane) => lane >= 16);
    if (usesA && usesB) {
      this.put3(CASE.swizzle2, this.homes[i], this.home(a));
      this.put2(this.home(b), masks);
    } else if (usesB) this.put4(CASE.swizzle1, this.homes[i], this.home(b), masks + 16);
    else this.put4(CASE.swizzle1, this.homes[i], this.home(a), masks);
  }
}

/** Cases of memory accesses by kind (0 load, 1 update, 2 store) and width. */
const accessIndex = (kind: number, width: number): number => (kind << 8) | width;
const ACCESS_CASES = new Uint16Array(3 << 8);
const DISPLACED_CASES = new Uint16Array(3 << 8);
for (const width of [8, 16, 32, 64, 128] as const)
  (['load', 'update', 'store'] as const).forEach((kind, i) => {
    ACCESS_CASES[accessIndex(i, width)] = CASE[`${kind}${width}`];
    DISPLACED_CASES[accessIndex(i, width)] = CASE[`${kind}at${width}`];
  });
const CONDITION_CASES = Array.from({ length: 16 }, (_, i) => CASE[`cond${i as 0}`]);

const FLAG_POSITIONS = FLAGS.map((name) => FLAG_BITS[name]);

function packed(bytes: readonly number[]): number[] {
  return [0, 4, 8, 12].map(
    (i) => bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24),
  );
}
