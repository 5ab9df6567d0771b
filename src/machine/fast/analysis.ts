// What both tiers want to know of a block's IR: widths, last uses, instruction boundaries; and conditions folded into
// comparisons where the flags that they read were set in the same block.
import { FLAG_KINDS, FLOAT_OPS, IR, IR_OPS, WORDS } from '../../isa/index.ts';

/** Operations that only folding makes: comparisons of one operand with 0; whether any bit of a mask (aux) is set, or, with ANY_OF_NOT, none is. */
const FIRST_FOLDED = IR_OPS.length;
export const FOLDED = {
  eqz: FIRST_FOLDED,
  nez: FIRST_FOLDED + 1,
  ltz: FIRST_FOLDED + 2,
  gez: FIRST_FOLDED + 3,
  lez: FIRST_FOLDED + 4,
  gtz: FIRST_FOLDED + 5,
  anyOf: FIRST_FOLDED + 6,
} as const;
export const ANY_OF_NOT = 0x80;
/** A load or store at a (the value) plus c (a number of 16 bits): only folding for the interpreter makes it. */
export const DISPLACED = { load: FIRST_FOLDED + 7, store: FIRST_FOLDED + 8 } as const;

/** Positions of value operands by opcode: bit i set where operand i is a value. */
const VALUE_OPERANDS = Uint8Array.from([
  ...IR_OPS.map((row) => [...row[1]].reduce((bits, kind, i) => bits | (kind === 'v' ? 1 << i : 0), 0)),
  ...Object.keys(FOLDED).map(() => 1),
  ...[1, 3],
]);
const ONE_BIT = [...IR_OPS.map((row) => row[2] === 'v1'), ...Object.keys(FOLDED).map(() => true)];
const YIELDS = [
  ...IR_OPS.map((row) => row[2] !== ''),
  ...Object.keys(FOLDED).map(() => true),
  ...[true, false],
];

const KEEPERS = Uint8Array.from(FLAG_KINDS, (kind) =>
  ['shl', 'shr', 'sar', 'shld', 'shrd'].includes(kind) ? 1 : 0,
);

/** Pending flags of a signed product, by its factors: what imul's flags become, so that the high half is not needed. */
export const SIGNED_FACTORS = FLAG_KINDS.length;

export interface Analysis {
  /** The block's words, conditions folded. */
  readonly code: Int32Array;
  readonly count: number;
  /** Bits of each operation's value, 0 where it yields none. */
  readonly width: Uint8Array;
  /** Last operation that uses the value; the operation itself where nothing does. */
  readonly lastUse: Int32Array;
  /** Nothing needs it. */
  readonly dead: Uint8Array;
}

export function operandsOf(code: Int32Array, at: number): number {
  const mask = VALUE_OPERANDS[code[at] & 0xff];
  let out = 0;
  for (let i = 0; i < 3; i++) if ((mask & (1 << i)) !== 0 && code[at + 1 + i] >= 0) out |= 1 << i;
  return out;
}

/** Bits of a value of the (folded or original) words. */
export function widthOfValue(code: Int32Array, value: number): number {
  const head = code[value * WORDS];
  return ONE_BIT[head & 0xff] ? 1 : (head >>> 8) & 0xff;
}

export function isConst(code: Int32Array, value: number): boolean {
  return value >= 0 && (code[value * WORDS] & 0xff) === IR.const;
}

/** Whether flags of this kind with this count leave the earlier ones as they were when the count is 0. */
export function keepsFlags(code: Int32Array, at: number): boolean {
  if (KEEPERS[code[at] >>> 16] !== 1) return false;
  const count = code[at + 2];
  return !(isConst(code, count) && code[count * WORDS + 1] !== 0);
}

/** 1: not dead where nothing uses the value. A call may fault even then (check_mxcsr). */
const EFFECTS = new Uint8Array(256);
for (const op of [
  IR.call,
  IR.insn,
  IR.set,
  IR.load,
  IR.store,
  IR.fence,
  IR.align,
  IR.canonical,
  IR.exit,
  IR.atomic,
  IR.divu,
  IR.remu,
  IR.divs,
  IR.rems,
  IR.flags,
  IR.setf,
  IR.setrflags,
  ...FLOAT_OPS,
  DISPLACED.load,
  DISPLACED.store,
  IR.jump,
  IR.branch,
  IR.syscall,
  IR.trap,
  IR.unsupported,
])
  EFFECTS[op] = 1;

export function analyse(original: Int32Array): Analysis {
  const count = original.length / WORDS;
  const facts = {
    code: original.slice(),
    count,
    width: new Uint8Array(count),
    lastUse: new Int32Array(count),
    dead: new Uint8Array(count),
  };
  fold(facts, false);
  findUses(facts);
  return facts;
}

/** The same in arrays that are kept from one block to the next and may be longer than `count`. */
export class AnalysisScratch implements Analysis {
  code: Int32Array = new Int32Array(0);
  count = 0;
  width = new Uint8Array(0);
  lastUse = new Int32Array(0);
  dead = new Uint8Array(0);
  /** A sum with a number that a `set` is the first to want (`firstUse`): it may be computed there. */
  late = new Uint8Array(0);
  firstUse = new Int32Array(0);

  /** Folds the words in place. */
  analyse(code: Int32Array): void {
    const count = code.length / WORDS;
    if (this.width.length < count) {
      this.width = new Uint8Array(2 * count + 512);
      this.lastUse = new Int32Array(2 * count + 512);
      this.dead = new Uint8Array(2 * count + 512);
      this.late = new Uint8Array(2 * count + 512);
      this.firstUse = new Int32Array(2 * count + 512);
    }
    this.code = code;
    this.count = count;
    fold(this, true);
    findUses(this, this);
  }
}

/** An access at a sum with a number takes both for itself. */
function foldAddress(code: Int32Array, at: number): void {
  const sum = code[at + 1];
  if (!isNumberAdded(code, sum)) return;
  const number = code[sum * WORDS + 2] * WORDS;
  const low = code[number + 1];
  if (code[number + 2] !== low >> 31 || low >= 0x8000 || low <= -0x8000) return;
  const subtracted = (code[sum * WORDS] & 0xff) === IR.sub;
  const load = (code[at] & 0xff) === IR.load;
  code[at] = (code[at] & ~0xff) | (load ? DISPLACED.load : DISPLACED.store);
  code[at + 1] = code[sum * WORDS + 1];
  code[at + 3] = subtracted ? -low : low;
}

/** The value is a sum or difference of 64 bits with a constant. */
function isNumberAdded(code: Int32Array, value: number): boolean {
  const head = code[value * WORDS];
  const op = head & 0xff;
  return (
    (op === IR.add || op === IR.sub) && ((head >>> 8) & 0xff) === 64 && isConst(code, code[value * WORDS + 2])
  );
}

/** What may be computed late, and the first use of each value. */
interface Lateness {
  readonly late: Uint8Array;
  readonly firstUse: Int32Array;
}

/** From the last operation to the first: what is dead, last uses, and, where it is asked for, what may be late. */
function findUses({ code, count, lastUse, dead }: Analysis, lateness?: Lateness): void {
  for (let i = count - 1; i >= 0; i--) {
    const at = i * WORDS;
    const op = code[at] & 0xff;
    if (lateness !== undefined) lateness.late[i] = 0;
    if (lastUse[i] === i && EFFECTS[op] === 0) {
      dead[i] = 1;
      continue;
    }
    dead[i] = 0;
    let until = i;
    if (lateness !== undefined && lastUse[i] > i && isNumberAdded(code, i)) {
      const first = lateness.firstUse[i];
      if ((code[first * WORDS] & 0xff) === IR.set) {
        lateness.late[i] = 1;
        until = first;
      }
    }
    const operands = VALUE_OPERANDS[op];
    for (let k = 0; operands >> k !== 0; k++) {
      const value = code[at + 1 + k];
      if ((operands & (1 << k)) === 0 || value < 0) continue;
      if (lastUse[value] < until) lastUse[value] = until;
      if (lateness !== undefined) lateness.firstUse[value] = i;
    }
  }
}

/** Flags of a product whose high half is there only for them take the factors instead. */
function foldProduct(code: Int32Array, at: number): void {
  const low = code[at + 1] * WORDS;
  const high = code[at + 2] * WORDS;
  if ((code[low] & 0xff) !== IR.mul || (code[high] & 0xff) !== IR.mulhs) return;
  const [x, y] = [code[low + 1], code[low + 2]];
  if (x !== code[high + 1] || y !== code[high + 2]) return;
  code[at] = (code[at] & 0xffff) | (SIGNED_FACTORS << 16);
  code[at + 1] = x;
  code[at + 2] = y;
}

/** Kind of `setrflags` after a comparison of floats: all status flags, of which three may be set. */
const COMIS = 2;

type Fold = { readonly op: number; readonly swap?: boolean };
/** Conditions after a subtraction a - b, by code; others need the result. */
const AFTER_SUB: Readonly<Record<number, Fold>> = {
  2: { op: IR.ltu },
  3: { op: IR.leu, swap: true },
  4: { op: IR.eq },
  5: { op: IR.ne },
  6: { op: IR.leu },
  7: { op: IR.ltu, swap: true },
  12: { op: IR.lts },
  13: { op: IR.les, swap: true },
  14: { op: IR.les },
  15: { op: IR.lts, swap: true },
};
/** After a logical operation: overflow and carry are 0. */
const AFTER_LOGIC: Readonly<Record<number, number>> = {
  4: FOLDED.eqz,
  5: FOLDED.nez,
  6: FOLDED.eqz,
  7: FOLDED.nez,
  8: FOLDED.ltz,
  9: FOLDED.gez,
  12: FOLDED.ltz,
  13: FOLDED.gez,
  14: FOLDED.lez,
  15: FOLDED.gtz,
};
/** Conditions on the result alone. */
const ON_RESULT: Readonly<Record<number, number>> = {
  4: FOLDED.eqz,
  5: FOLDED.nez,
  8: FOLDED.ltz,
  9: FOLDED.gez,
};

const KIND = Object.fromEntries(FLAG_KINDS.map((kind, i) => [kind, i])) as Readonly<
  Record<(typeof FLAG_KINDS)[number], number>
>;

/** 1: operations that `fold` looks at. */
const FOLDABLE = new Uint8Array(256);
for (const op of [IR.flags, IR.setf, IR.setrflags, IR.getf, IR.cond]) FOLDABLE[op] = 1;
/** 2: where addresses are folded. */
for (const op of [IR.load, IR.store]) FOLDABLE[op] = 2;

/**
 * From the first operation to the last: conditions on flags of the same block become comparisons of what set them;
 * widths of values; last uses as if there were none.
 */
function fold({ code, count, width, lastUse }: Analysis, addresses: boolean): void {
  let flags = -1;
  let compared = -1;
  for (let i = 0; i < count; i++) {
    const at = i * WORDS;
    lastUse[i] = i;
    const op = code[at] & 0xff;
    if (FOLDABLE[op] === 1) {
      if (op === IR.cond) foldCondition(code, at, flags, compared);
      else if (op === IR.getf) foldCarry(code, at, flags);
      else {
        compared = op === IR.setrflags && code[at] >>> 16 === COMIS ? code[at + 1] : -1;
        flags = op === IR.flags && !keepsFlags(code, at) ? at : -1;
        if (op === IR.flags && code[at] >>> 16 === KIND.smul) foldProduct(code, at);
      }
    } else if (addresses && FOLDABLE[op] === 2) foldAddress(code, at);
    width[i] = YIELDS[code[at] & 0xff] ? widthOfValue(code, i) : 0;
  }
}

function foldCondition(code: Int32Array, at: number, flags: number, compared: number): void {
  if (compared >= 0) {
    const width = widthOfValue(code, compared);
    if (width >= 32 && width <= 64) foldComparison(code, at, compared, width);
  } else if (flags >= 0) foldOne(code, at, flags);
}

function foldCarry(code: Int32Array, at: number, flags: number): void {
  if (code[at + 1] !== 0 || flags < 0) return;
  const kind = code[flags] >>> 16;
  if (kind === KIND.sub)
    replace(code, at, IR.ltu, (code[flags] >>> 8) & 0xff, code[flags + 1], code[flags + 2]);
  else if (kind === KIND.inc || kind === KIND.dec) replace(code, at, IR.trunc, 1, code[flags + 3], -1);
  else if (kind === KIND.logic) {
    code[at] = IR.const | (1 << 8);
    code[at + 1] = 0;
    code[at + 2] = 0;
  }
}

/** Flags (of ZF, PF, CF, the others being 0) that conditions are about after a floating point comparison, by code. */
const AFTER_COMPARISON: readonly number[] = [0, 0x01, 0x40, 0x41, 0, 0x04, 0, 0x40];
export const COMPARISON_MASKS: readonly number[] = [0x01, 0x04, 0x40, 0x41];

function foldComparison(code: Int32Array, at: number, value: number, width: number): void {
  const condition = code[at + 1];
  const mask = AFTER_COMPARISON[condition >> 1];
  if (mask === 0) {
    code[at] = IR.const | (1 << 8);
    code[at + 1] = condition & 1;
    code[at + 2] = 0;
    return;
  }
  replace(code, at, FOLDED.anyOf, width, value, -1);
  code[at] |= (mask | ((condition & 1) !== 0 ? ANY_OF_NOT : 0)) << 16;
}

function foldOne(code: Int32Array, at: number, flags: number): void {
  const condition = code[at + 1];
  const width = (code[flags] >>> 8) & 0xff;
  const kind = code[flags] >>> 16;
  if (kind === KIND.sub && AFTER_SUB[condition] !== undefined) {
    const { op, swap } = AFTER_SUB[condition];
    const [a, b] = [code[flags + 1], code[flags + 2]];
    replace(code, at, op, width, swap ? b : a, swap ? a : b);
  } else if (kind === KIND.logic) {
    if (AFTER_LOGIC[condition] !== undefined)
      replace(code, at, AFTER_LOGIC[condition], width, code[flags + 1], -1);
    else if (condition < 4) {
      // no overflow, no carry
      code[at] = IR.const | (1 << 8);
      code[at + 1] = condition & 1;
      code[at + 2] = 0;
    }
  } else if (ON_RESULT[condition] !== undefined) {
    const result = resultOf(code, flags, kind, width);
    if (result >= 0) replace(code, at, ON_RESULT[condition], width, result, -1);
  }
}

const RESULT_OPS: Readonly<Record<number, number>> = {
  [KIND.add]: IR.add,
  [KIND.sub]: IR.sub,
  [KIND.inc]: IR.add,
  [KIND.dec]: IR.sub,
  [KIND.shl]: IR.shl,
  [KIND.shr]: IR.shr,
  [KIND.sar]: IR.sar,
};

/** The value that the flags are about, where an operation before them computed it; -1 otherwise. */
function resultOf(code: Int32Array, flags: number, kind: number, width: number): number {
  const op = RESULT_OPS[kind];
  if (op === undefined) return -1;
  const first = Math.max(0, flags - 12 * WORDS);
  for (let at = flags - WORDS; at >= first; at -= WORDS) {
    if ((code[at] & 0xff) !== op || ((code[at] >>> 8) & 0xff) !== width || code[at + 1] !== code[flags + 1])
      continue;
    const b = code[at + 2];
    const one = kind === KIND.inc || kind === KIND.dec;
    if (
      one ? isConst(code, b) && code[b * WORDS + 1] === 1 && code[b * WORDS + 2] === 0 : b === code[flags + 2]
    )
      return at / WORDS;
  }
  return -1;
}

function replace(code: Int32Array, at: number, op: number, width: number, a: number, b: number): void {
  code[at] = op | (width << 8);
  code[at + 1] = a;
  code[at + 2] = b;
  code[at + 3] = -1;
}
