// Expressions against BigInts: whatever is built has the value that its operations say, and its facts hold.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  BINARY_NAMES,
  columnOf,
  columnValue,
  type Expression,
  Expressions,
  evaluateRows,
  OP,
  parseText,
} from '../../src/expr/index.ts';
import { Garden, Random, resultWidth, TRUTH, WIDTHS } from './random.ts';

function holds(garden: Garden, made: ReturnType<Garden['grow']>, seed: number): void {
  const { x } = garden;
  const { min, max } = x.range(made.e);
  assert.equal(x.width(made.e), made.width);
  for (const [i, assignment] of garden.assignments.entries()) {
    const value = x.evaluate(made.e, assignment);
    const told = (): string =>
      `seed ${seed}, ${made.what}: ${x.text(made.e)} under ${[...assignment].join(' ')}`;
    if (value !== made.values[i]) assert.equal(value, made.values[i], told());
    if (value < min || value > max) assert.fail(`${told()}: ${value} is outside of ${min} to ${max}`);
    const { zeros, ones } = x.knownBits(made.e);
    if ((value & zeros) !== 0n || (value & ones) !== ones)
      assert.fail(`${told()}: ${value} against known bits ${zeros} ${ones}`);
  }
}

test('random expressions have the values of their operations, and facts that hold', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const garden = new Garden(new Expressions(), new Random(seed * 7919), [8, 8, 8, 8, 16, 32, 64, 1]);
    for (let i = 0; i < 150; i++) holds(garden, garden.grow(), seed);
  }
});

test('and of odd widths', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const widths = [1, 2, 4, 8, 24, 33, 40, 53, 54, 63, 65, 96];
    const garden = new Garden(new Expressions(), new Random(seed * 104729), [8, 8, 8, 4, 2], widths);
    for (let i = 0; i < 150; i++) {
      const made = garden.grow();
      // rotations by variable counts are of widths that are powers of two
      if (/^rot[lr](24|33|40|53|54|63|65|96)$/.test(made.what)) {
        garden.byWidth.get(made.width)!.pop();
        continue;
      }
      holds(garden, made, seed);
    }
  }
});

test('each operation on one small variable and each constant, exhaustively', () => {
  const x = new Expressions();
  const v = x.variable(4, 'v');
  for (const name of BINARY_NAMES) {
    for (let c = 0; c < 16; c++) {
      const k = x.constant(4, c);
      const [right, left] = [x.binary(name, v, k), x.binary(name, k, v)];
      for (let value = 0n; value < 16n; value++) {
        const at = new Map([[x.variableNumber(v), value]]);
        const to = resultWidth(name, 4);
        const told = `${name} ${value} ${c}`;
        assert.equal(x.evaluate(right, at), BigInt.asUintN(to, TRUTH[name](4, value, BigInt(c))), told);
        assert.equal(
          x.evaluate(left, at),
          BigInt.asUintN(to, TRUTH[name](4, BigInt(c), value)),
          `${told} left`,
        );
      }
    }
  }
});

test('two operations in a row with all pairs of constants, exhaustively', () => {
  const x = new Expressions();
  const v = x.variable(3, 'v');
  const assignments = Array.from({ length: 8 }, (_, i) => new Map([[0, BigInt(i)]]));
  const usable = BINARY_NAMES.filter((name) => !name.startsWith('rot'));
  for (const first of usable.filter((name) => resultWidth(name, 3) === 3)) {
    for (const second of usable) {
      for (let c = 0; c < 64; c += 1 + (c & 1)) {
        const [k, l] = [BigInt(c & 7), BigInt(c >> 3)];
        const inner = x.binary(first, v, x.constantBig(3, k));
        const e = x.binary(second, inner, x.constantBig(3, l));
        for (const [i, at] of assignments.entries()) {
          const mid = BigInt.asUintN(3, TRUTH[first](3, BigInt(i), k));
          const want = BigInt.asUintN(resultWidth(second, 3), TRUTH[second](3, mid, l));
          assert.equal(x.evaluate(e, at), want, `${first} ${k}, ${second} ${l} at ${i}: ${x.text(e)}`);
        }
      }
    }
  }
});

test('division of two words by one, and its fault', () => {
  const x = new Expressions();
  const [h, l, d] = [x.variable(8, 'h'), x.variable(8, 'l'), x.variable(8, 'd')];
  const random = new Random(5);
  const extended = x.binary('sar', l, x.constant(8, 7));
  for (const isSigned of [false, true]) {
    for (const high of [h, isSigned ? extended : x.constant(8, 0)]) {
      const quotient = x.divide(isSigned ? 'divs' : 'divu', high, l, d);
      const rest = x.divide(isSigned ? 'rems' : 'remu', high, l, d);
      const fault = x.divideFaults(isSigned, high, l, d);
      for (let i = 0; i < 3000; i++) {
        const at = new Map([h, l, d].map((e) => [x.variableNumber(e), random.bits(8)]));
        const as = (e: number, width: number): bigint =>
          isSigned ? BigInt.asIntN(width, x.evaluate(e, at)) : x.evaluate(e, at);
        const dividend = as(x.concat(high, l), 16);
        const by = as(d, 8);
        const q = by === 0n ? 0n : dividend / by;
        const fits = by !== 0n && q === (isSigned ? BigInt.asIntN(8, q) : BigInt.asUintN(8, q));
        assert.equal(x.evaluate(fault, at), fits ? 0n : 1n, `${dividend} / ${by}`);
        if (!fits) continue;
        assert.equal(as(quotient, 8), q);
        assert.equal(as(rest, 8), dividend % by);
      }
    }
  }
});

test('bytes that are put together and taken apart are what they were', () => {
  const x = new Expressions();
  const bytes = Array.from({ length: 16 }, (_, i) => x.variable(8, `b${i}`));
  const word = x.fromBytes(bytes.slice(0, 4));
  for (let i = 0; i < 4; i++) assert.equal(x.byte(word, i), bytes[i]);
  // little-endian assembly by shifts and ors, as compilers write it
  let shifted = x.zext(bytes[0], 32);
  for (let i = 1; i < 4; i++)
    shifted = x.or(x.binary('shl', x.zext(bytes[i], 32), x.constant(32, 8 * i)), shifted);
  assert.equal(shifted, word);
  let added = x.zext(bytes[3], 32);
  for (let i = 2; i >= 0; i--) added = x.add(x.binary('shl', added, x.constant(32, 8)), x.zext(bytes[i], 32));
  assert.equal(added, word);
  assert.equal(x.unary('bswap', x.unary('bswap', word)), word);
  const v = x.variable(64, 'v');
  assert.equal(x.fromBytes(Array.from({ length: 8 }, (_, i) => x.byte(v, i))), v);
  assert.equal(x.insert(v, 0, x.trunc(v, 8)), v);
  const wide = x.fromBytes(bytes);
  assert.equal(x.xor(wide, wide), x.constantBig(128, 0n));
  assert.equal(x.byte(x.xor(x.xor(wide, x.zext(word, 128)), x.zext(word, 128)), 9), bytes[9]);
});

test('normal forms', () => {
  const x = new Expressions();
  const [a, b] = [x.variable(32, 'a'), x.variable(32, 'b')];
  const byte = x.variable(8, 'c');
  const k = (v: number, width = 32): number => x.constant(width, v);
  const same = (e: number, text: string): void => assert.equal(x.text(e), text);
  same(x.xor(a, a), '0x0:32');
  same(x.sub(x.add(a, k(5)), k(5)), 'a');
  same(x.sub(x.add(a, b), b), 'a');
  same(x.binary('mul', a, k(8)), x.text(x.binary('shl', a, k(3))));
  same(x.eq(x.zext(byte, 32), k(0x41)), '(eq c 0x41:8)');
  same(x.eq(x.zext(byte, 32), k(0x141)), '0x0:1');
  same(x.ltu(x.zext(byte, 32), k(256)), '0x1:1');
  same(x.eq(x.sub(a, b), k(0)), '(eq a b)');
  same(x.eq(x.add(x.zext(byte, 32), k(-48)), k(5)), '(eq c 0x35:8)');
  same(x.and(x.or(a, k(0xff)), k(0xff)), '0xff:32');
  same(x.binary('modu', x.zext(byte, 32), k(300)), '(zext32 c)');
  same(x.select(x.eq(byte, k(0, 8)), k(1), k(0)), '(zext32 (eq c 0x0:8))');
  same(x.eq(x.zext(x.eq(byte, k(0, 8)), 32), k(0)), '(not (eq c 0x0:8))');
  assert.equal(x.add(a, b), x.add(b, a));
});

test('the first one of a mask of bytes is a condition of each byte alone', () => {
  const x = new Expressions();
  const bytes = Array.from({ length: 4 }, (_, i) => x.variable(8, `b${i}`));
  const found = bytes.map((b) => x.eq(b, x.constant(8, 10)));
  const mask = x.zext(x.fromBytes(found), 32);
  const place = x.unary('ctz', mask);
  const text = (e: number): string => x.text(e);
  assert.equal(text(x.eq(place, x.constant(32, 1))), text(x.and(x.not(found[0]), found[1])));
  assert.equal(text(x.ltu(place, x.constant(32, 1))), text(found[0]));
  assert.equal(text(x.eq(x.zext(place, 64), x.constant(64, 40))), '0x0:1');
  // the same, looked for as the first difference in a mask of what is equal
  const equal = x.zext(x.fromBytes(found.map((e) => x.not(e))), 32);
  assert.equal(x.unary('ctz', x.sub(equal, x.constant(32, 15))), place);
  for (let a = 0n; a < 16n; a++) {
    const at = new Map(bytes.map((_, i) => [i, (a >> BigInt(i)) & 1n ? 10n : 0n]));
    assert.equal(x.evaluate(place, at), TRUTH_CTZ[Number(a)]);
  }
});

const TRUTH_CTZ = [32n, 0n, 1n, 0n, 2n, 0n, 1n, 0n, 3n, 0n, 1n, 0n, 2n, 0n, 1n, 0n];

test('tables', () => {
  const x = new Expressions();
  const c = x.variable(8, 'c');
  const entries = Array.from({ length: 256 }, (_, i) => BigInt(i >= 48 && i < 58 ? 4 : 0));
  const e = x.table(x.zext(c, 64), 16, entries);
  assert.deepEqual(x.range(e), { min: 0n, max: 4n });
  assert.equal(x.evaluate(x.and(e, x.constant(16, 4)), new Map([[0, 50n]])), 4n);
  assert.equal(x.evaluate(x.eq(e, x.constant(16, 0)), new Map([[0, 50n]])), 0n);
  const identity = x.table(
    c,
    8,
    Array.from({ length: 256 }, (_, i) => BigInt(i)),
  );
  assert.equal(identity, c);
});

test('depth, variables and very deep expressions', () => {
  const x = new Expressions();
  let e = x.variable(32, 'a');
  const b = x.variable(32, 'b');
  for (let i = 0; i < 40_000; i++) e = x.xor(x.add(e, b), x.binary('rotl', e, x.constant(32, 5)));
  assert.equal(x.depth(e), 65535);
  assert.deepEqual([...x.variables(e)], [0, 1]);
  assert.equal(typeof x.evaluate(e, new Map([[0, 1n]])), 'bigint');
  assert.match(x.text(e), /nodes of 32 bits/);
  assert.deepEqual(
    WIDTHS.map((width) => x.width(x.constant(width, 1))),
    [...WIDTHS],
  );
});

test('texts parse back to expressions of the same value, nearly always the same one', () => {
  let [same, all] = [0, 0];
  for (let seed = 1; seed <= 20; seed++) {
    const x = new Expressions();
    const garden = new Garden(x, new Random(seed * 65537), [8, 8, 16, 32, 64]);
    for (let i = 0; i < 100; i++) {
      const { e, values } = garden.grow();
      const back = parseText(x, x.text(e));
      all++;
      if (back === e) same++;
      for (const [row, at] of garden.assignments.entries())
        assert.equal(x.evaluate(back, at), values[row], `${x.text(e)} and ${x.text(back)}`);
    }
  }
  assert.ok(same > 0.97 * all, `${same} of ${all} are normal forms`);
  const x = new Expressions();
  x.variable(8, 'a');
  for (const wrong of ['', '(', '(add a', '(add a a) b', 'b', '(frob a)', '(add a)', ')', '(add a 0x1:8'])
    assert.throws(() => parseText(x, wrong), { name: 'InputError' }, wrong);
});

test('two operations on two variables, each with each, exhaustively', () => {
  for (const width of [1, 2, 4]) {
    const x = new Expressions();
    const [v, w] = [x.variable(width, 'v'), x.variable(width, 'w')];
    const rows = 4 ** width;
    const mask = (1n << BigInt(width)) - 1n;
    const ofV = Array.from({ length: rows }, (_, i) => BigInt(i) & mask);
    const ofW = Array.from({ length: rows }, (_, i) => BigInt(i) >> BigInt(width));
    const columns = new Map([
      [0, columnOf(width, ofV)],
      [1, columnOf(width, ofW)],
    ]);
    for (const first of BINARY_NAMES.filter((name) => resultWidth(name, width) === width)) {
      const inner = x.binary(first, v, w);
      const mid = ofV.map((a, i) => BigInt.asUintN(width, TRUTH[first](width, a, ofW[i])));
      for (const second of BINARY_NAMES) {
        const to = resultWidth(second, width);
        const cases = [
          [inner, v, mid, ofV],
          [inner, w, mid, ofW],
          [v, inner, ofV, mid],
          [x.not(inner), x.not(w), mid.map((a) => ~a & mask), ofW.map((a) => ~a & mask)],
        ] as const;
        const made = cases.map(([a, b]) => x.binary(second, a, b));
        for (const [k, column] of evaluateRows(x, made, rows, columns).entries()) {
          for (let i = 0; i < rows; i++) {
            const want = BigInt.asUintN(to, TRUTH[second](width, cases[k][2][i], cases[k][3][i]));
            if (columnValue(column, i) !== want)
              assert.equal(
                columnValue(column, i),
                want,
                `${second} of ${first}, case ${k}: ${x.text(made[k])}`,
              );
          }
        }
      }
    }
  }
});

test('divisions by constants, as compilers write them, are quotients and remainders', () => {
  const x = new Expressions();
  const v = x.variable(32, 'v');
  const wide = x.zext(v, 64);
  const big = (value: bigint): Expression => x.constantBig(64, value);
  // v / 10 and v % 10, of 32 bits
  const tenth = x.trunc(x.binary('shr', x.binary('mul', wide, big(0xcccccccdn)), big(35n)), 32);
  assert.equal(tenth, x.binary('quotu', v, x.constant(32, 10)));
  const five = x.add(x.binary('shl', tenth, x.constant(32, 2)), tenth);
  assert.equal(x.sub(v, x.add(five, five)), x.binary('modu', v, x.constant(32, 10)));
  // v / 100 of 64 bits with the whole product: shr(v, 2) * M >> 66
  const w = x.variable(64, 'w');
  const hundredth = x.binary(
    'shr',
    x.binary('mulhu', x.binary('shr', w, big(2n)), big(0x28f5c28f5c28f5c3n)),
    big(2n),
  );
  assert.equal(hundredth, x.binary('quotu', x.binary('shr', w, big(2n)), big(25n)));
  assert.equal(x.binary('quotu', tenth, x.constant(32, 10)), x.binary('quotu', v, x.constant(32, 100)));
  // the second digit: what the quotient's quotient leaves of the quotient
  const second = x.sub(
    tenth,
    x.binary('mul', x.binary('quotu', tenth, x.constant(32, 10)), x.constant(32, 10)),
  );
  assert.equal(second, x.binary('modu', tenth, x.constant(32, 10)));
  // an index, from its address in a table and back
  const index = x.zext(x.binary('modu', x.variable(16, 'n'), x.constant(16, 10)), 64);
  assert.equal(x.sub(x.add(index, big(0x48f4e0n)), big(0x48f4e0n)), index);
  // no reciprocal: of too few bits for the values, or of a product that does not fit
  const rough = x.binary('shr', x.binary('mul', wide, big(0xcccdn)), big(19n));
  assert.notEqual(x.op(rough), OP.quotu);
  const cut = x.binary('shr', x.binary('mul', v, x.constant(32, 0xcccdccd)), x.constant(32, 30));
  assert.notEqual(x.op(cut), OP.quotu);
  let state = 12345;
  for (let i = 0; i < 2000; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const assignment = { get: () => BigInt(state) };
    assert.equal(x.evaluate(tenth, assignment), BigInt(state) / 10n);
    assert.equal(x.evaluate(rough, assignment), (BigInt(state) * 0xcccdn) >> 19n);
    assert.equal(x.evaluate(x.sub(v, x.add(five, five)), assignment), BigInt(state) % 10n);
  }
});
