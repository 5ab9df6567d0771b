// What every IR operation does to shadows, beside what the reference does to values.
import { BINARY, type BinaryName, type Expression, type UnaryName } from '../../expr/index.ts';
import { ATOMICS, FLAG_KINDS, HELPERS, type IrOp } from '../../isa/index.ts';
import type { Frame } from '../interpret.ts';
import type { ShadowStep, Stepper } from './stepper.ts';
import { vectorShadow } from './vector.ts';

const widthAt = (code: Int32Array, at: number): number => (code[at] >>> 8) & 0xff;
const auxAt = (code: Int32Array, at: number): number => code[at] >>> 16;

/** No value, and nothing of it depends on shadows. */
const plain: ShadowStep = (_c, m, code, at, concrete) => concrete(m, code, at);

/** Variables of what is kept as an expression although it decides where something is, or which of two values goes on. */
const FEW = 2;

/**
 * Where the first bit is set: of a mask of many bytes that is a place in a text, from which addresses and lengths are
 * made. The run goes on with the place that it has.
 */
const place =
  (name: 'ctz' | 'clz'): ShadowStep =>
  (c, m, code, at, concrete) => {
    concrete(m, code, at);
    const a = c.shadows[code[at + 1]];
    if (a === 0) {
      c.shadows[at >> 2] = 0;
      return;
    }
    const e = c.x.unary(name, a);
    if (c.x.variables(e).length <= FEW) c.yields(at, e);
    else {
      c.shadows[at >> 2] = 0;
      c.pin(m, 'place', e, m.values[at >> 2]);
    }
  };

/** One of two values: decided here, as by a branch, where it depends on several bytes. */
const selects: ShadowStep = (c, m, code, at, concrete) => {
  concrete(m, code, at);
  const [which, a, b] = [code[at + 1], code[at + 2], code[at + 3]];
  const condition = c.shadows[which];
  if ((condition | c.shadows[a] | c.shadows[b]) === 0) {
    c.shadows[at >> 2] = 0;
    return;
  }
  const taken = m.values[which] === 1n;
  if (condition === 0) c.yields(at, c.shadows[taken ? a : b]);
  else if (c.x.variables(condition).length < FEW)
    c.yields(at, c.x.select(condition, c.operand(m, code, a), c.operand(m, code, b)));
  else {
    c.pin(m, 'branch', condition, m.values[which]);
    c.yields(at, c.shadows[taken ? a : b]);
  }
};

/** A value that has no shadow whatever its operands are. */
const opaque =
  (what: string, operands: number): ShadowStep =>
  (c, m, code, at, concrete) => {
    concrete(m, code, at);
    c.shadows[at >> 2] = 0;
    for (let i = 1; i <= operands; i++)
      if (code[at + i] >= 0 && c.shadows[code[at + i]] !== 0) {
        c.loses(m, what);
        return;
      }
  };

const unary =
  (name: UnaryName): ShadowStep =>
  (c, m, code, at, concrete) => {
    concrete(m, code, at);
    const a = c.shadows[code[at + 1]];
    if (a === 0) c.shadows[at >> 2] = 0;
    else c.yields(at, c.x.unary(name, a));
  };

/** Bits beyond which logical operations are taken byte by byte: vectors are bytes in a row, mostly. */
const VECTOR = 128;

const binary = (name: BinaryName): ShadowStep => {
  const build = BINARY[name];
  const isLogical = name === 'and' || name === 'or' || name === 'xor';
  return (c, m, code, at, concrete) => {
    concrete(m, code, at);
    const a = code[at + 1];
    const b = code[at + 2];
    if (c.shadows[a] === 0 && c.shadows[b] === 0) {
      c.shadows[at >> 2] = 0;
      return;
    }
    const left = c.operand(m, code, a);
    const right = c.operand(m, code, b);
    const bytewise = isLogical && widthAt(code, at) === VECTOR;
    c.yields(
      at,
      bytewise ? bytePairs(c, name, left, right) : build(c.x, left, right, c.x.nodes.widthOf(left)),
    );
  };
};

function bytePairs(c: Stepper, name: BinaryName, a: Expression, b: Expression): Expression {
  const { x } = c;
  return x.fromBytes(
    Array.from({ length: VECTOR / 8 }, (_, i) => x.binary(name, x.byte(a, i), x.byte(b, i))),
  );
}

/** A value of one operand, of another width. */
const resized =
  (f: (c: Stepper, a: Expression, code: Int32Array, at: number) => Expression): ShadowStep =>
  (c, m, code, at, concrete) => {
    concrete(m, code, at);
    const a = c.shadows[code[at + 1]];
    if (a === 0) c.shadows[at >> 2] = 0;
    else c.yields(at, f(c, a, code, at));
  };

/** A value of several operands, built where one of them has a shadow. */
const built =
  (
    operands: number,
    f: (c: Stepper, of: (i: number) => Expression, code: Int32Array, at: number) => Expression,
  ): ShadowStep =>
  (c, m, code, at, concrete) => {
    concrete(m, code, at);
    for (let i = 1; i <= operands; i++) {
      if (c.shadows[code[at + i]] === 0) continue;
      c.yields(
        at,
        f(c, (k) => c.operand(m, code, code[at + k]), code, at),
      );
      return;
    }
    c.shadows[at >> 2] = 0;
  };

const divides = (kind: 'divu' | 'remu' | 'divs' | 'rems'): ShadowStep =>
  built(3, (c, of) => c.x.divide(kind, of(1), of(2), of(3)));

/** The address of an access, which has to be one. */
function pinAddress(c: Stepper, m: Frame, value: number): void {
  const shadow = c.shadows[value];
  if (shadow !== 0) c.pin(m, 'address', shadow, m.values[value]);
}

const branches: ShadowStep = (c, m, code, at, concrete) => {
  concrete(m, code, at);
  const condition = c.shadows[code[at + 1]];
  if (condition !== 0) c.pin(m, 'branch', condition, m.values[code[at + 1]]);
};

/** By kind of flags: whether it keeps all of them where its count is 0. */
const KEEPERS: readonly boolean[] = FLAG_KINDS.map((kind) => /^sh[lr]d?$|^sar$/.test(kind));

const setsFlags: ShadowStep = (c, m, code, at, concrete) => {
  const kind = auxAt(code, at);
  const a = code[at + 1];
  const b = code[at + 2];
  const d = code[at + 3];
  const shadowB = b < 0 ? 0 : c.shadows[b];
  const { flags } = c.task;
  const keeps = KEEPERS[kind];
  if (keeps && shadowB === 0 && m.values[b] === 0n) {
    concrete(m, code, at);
    return;
  }
  // flags of a shift by a symbolic count: hardly anybody looks at them, so they are what they are
  const any = (a < 0 ? 0 : c.shadows[a]) | shadowB | (d < 0 ? 0 : c.shadows[d]);
  if (any === 0 || (keeps && shadowB !== 0)) {
    flags.clear();
    concrete(m, code, at);
    return;
  }
  const given = (i: number): Expression => (i < 0 ? 0 : c.operand(m, code, i));
  flags.operation(c.x, kind, widthAt(code, at), given(a), given(b), given(d));
  c.active = true;
  concrete(m, code, at);
};

type AtomicShadow = (c: Stepper, old: Expression, by: Expression, replacement: Expression) => Expression;
const ATOMIC_SHADOWS: Readonly<Record<(typeof ATOMICS)[number], AtomicShadow>> = {
  add: (c, old, by) => c.x.add(old, by),
  sub: (c, old, by) => c.x.sub(old, by),
  and: (c, old, by) => c.x.and(old, by),
  or: (c, old, by) => c.x.or(old, by),
  xor: (c, old, by) => c.x.xor(old, by),
  xchg: (_c, _old, by) => by,
  cmpxchg: (c, old, expected, replacement) => c.x.select(c.x.eq(old, expected), replacement, old),
  neg: (c, old) => c.x.unary('neg', old),
};

const atomic: ShadowStep = (c, m, code, at, concrete) => {
  const [address, by, replacement] = [code[at + 1], code[at + 2], code[at + 3]];
  const width = widthAt(code, at);
  pinAddress(c, m, address);
  const place = Number(m.values[address]);
  // the concrete step writes, which takes the shadow away: look first
  const before = m.space.shadow(place, width / 8);
  concrete(m, code, at);
  const { x } = c;
  const value = m.values[at >> 2];
  const old =
    before === undefined
      ? 0
      : x.fromBytes(
          Array.from(before, (e, i) =>
            e !== 0 ? e : x.constant(8, Number((value >> BigInt(8 * i)) & 0xffn)),
          ),
        );
  c.shadows[at >> 2] = old;
  const given = (i: number): Expression => (i < 0 ? 0 : c.shadows[i]);
  if ((old | given(by) | given(replacement)) === 0) return;
  c.active = true;
  const operand = (i: number): Expression => (i < 0 ? 0 : c.operand(m, code, i));
  const was = old !== 0 ? old : x.constantBig(width, value);
  const result = ATOMIC_SHADOWS[ATOMICS[auxAt(code, at)]](c, was, operand(by), operand(replacement));
  if (!x.isConstant(result)) c.store(m.space, place, width / 8, result);
};

const load: ShadowStep = (c, m, code, at, concrete) => {
  const address = code[at + 1];
  const shadow = c.shadows[address];
  const size = widthAt(code, at) / 8;
  const table = shadow === 0 ? 0 : c.table(m, shadow, size);
  if (shadow !== 0 && table === 0) c.pin(m, 'address', shadow, m.values[address]);
  concrete(m, code, at);
  if (table !== 0) c.yields(at, table);
  else {
    const read = c.load(m.space, Number(m.values[address]), size, m.values[at >> 2]);
    if (read === 0) c.shadows[at >> 2] = 0;
    else c.yields(at, read);
  }
};

const store: ShadowStep = (c, m, code, at, concrete) => {
  const [address, value] = [code[at + 1], code[at + 2]];
  pinAddress(c, m, address);
  concrete(m, code, at);
  const shadow = c.shadows[value];
  if (shadow === 0) return;
  c.active = true;
  c.store(m.space, Number(m.values[address]), widthAt(code, at) / 8, shadow);
};

const call: ShadowStep = (c, m, code, at, concrete) => {
  const helper = HELPERS[auxAt(code, at)];
  opaque(`helper ${helper.name}`, 3)(c, m, code, at, concrete);
  if (helper.effect === 'vector' || helper.effect === 'memory') c.task.dropVectors();
};

export const SHADOW_STEPS: Readonly<Record<IrOp, ShadowStep>> = {
  insn: plain,
  const: (c, m, code, at, concrete) => {
    c.shadows[at >> 2] = 0;
    concrete(m, code, at);
  },
  get: (c, m, code, at, concrete) => {
    concrete(m, code, at);
    const shadow = c.task.registers[code[at + 1]];
    c.shadows[at >> 2] = shadow;
    if (shadow !== 0) c.active = true;
  },
  set: (c, m, code, at, concrete) => {
    concrete(m, code, at);
    c.task.set(code[at + 1], c.shadows[code[at + 2]]);
  },
  load,
  store,
  fence: plain,
  align: plain,
  canonical: plain,
  exit: branches,
  atomic,
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  mulhu: binary('mulhu'),
  mulhs: binary('mulhs'),
  and: binary('and'),
  or: binary('or'),
  xor: binary('xor'),
  not: unary('not'),
  neg: unary('neg'),
  shl: binary('shl'),
  shr: binary('shr'),
  sar: binary('sar'),
  rotl: binary('rotl'),
  rotr: binary('rotr'),
  clz: place('clz'),
  ctz: place('ctz'),
  popcnt: unary('popcnt'),
  bswap: unary('bswap'),
  divu: divides('divu'),
  remu: divides('remu'),
  divs: divides('divs'),
  rems: divides('rems'),
  eq: binary('eq'),
  ne: binary('ne'),
  ltu: binary('ltu'),
  leu: binary('leu'),
  lts: binary('lts'),
  les: binary('les'),
  select: selects,
  zext: resized((c, a, code, at) => c.x.zext(a, widthAt(code, at))),
  sext: resized((c, a, code, at) => c.x.sext(a, widthAt(code, at))),
  trunc: resized((c, a, code, at) => c.x.trunc(a, widthAt(code, at))),
  extract: resized((c, a, code, at) => c.x.extract(a, auxAt(code, at), widthAt(code, at))),
  insert: built(2, (c, of, code, at) => c.x.insert(of(1), auxAt(code, at), of(2))),
  concat: built(2, (c, of) => c.x.concat(of(1), of(2))),
  flags: setsFlags,
  cond: (c, m, code, at, concrete) => {
    const { flags } = c.task;
    if (!flags.any) {
      concrete(m, code, at);
      c.shadows[at >> 2] = 0;
      return;
    }
    const e = flags.condition(c.x, code[at + 1], m.flags);
    concrete(m, code, at);
    c.yields(at, e);
  },
  getf: (c, m, code, at, concrete) => {
    const { flags } = c.task;
    if (!flags.any) {
      concrete(m, code, at);
      c.shadows[at >> 2] = 0;
      return;
    }
    const e = flags.flag(c.x, code[at + 1], m.flags);
    concrete(m, code, at);
    c.yields(at, e);
  },
  setf: (c, m, code, at, concrete) => {
    concrete(m, code, at);
    c.task.flags.setFlag(c.x, code[at + 1], c.shadows[code[at + 2]]);
  },
  rflags: (c, m, code, at, concrete) => {
    concrete(m, code, at);
    c.shadows[at >> 2] = 0;
    if (c.task.flags.any) c.loses(m, 'the flags as a number');
  },
  setrflags: (c, m, code, at, concrete) => {
    concrete(m, code, at);
    if (c.shadows[code[at + 1]] !== 0) c.loses(m, 'flags from a number');
    c.task.flags.clear();
  },
  call,
  fadd: opaque('floating point', 2),
  fsub: opaque('floating point', 2),
  fmul: opaque('floating point', 2),
  fdiv: opaque('floating point', 2),
  fsqrt: opaque('floating point', 1),
  fmin: opaque('floating point', 2),
  fmax: opaque('floating point', 2),
  fcmp: opaque('floating point', 2),
  fcomi: opaque('floating point', 2),
  fcvt: opaque('floating point', 1),
  vec: vectorShadow,
  jump: (c, m, code, at, concrete) => {
    concrete(m, code, at);
    const target = c.shadows[code[at + 1]];
    if (target !== 0) c.pin(m, 'jump', target, m.values[code[at + 1]]);
  },
  branch: branches,
  syscall: plain,
  trap: plain,
  unsupported: plain,
};
