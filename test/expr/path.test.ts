// Columns, replacing, sets of bytes and conditions of paths.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ByteSet,
  columnOf,
  columnValue,
  Expressions,
  evaluateRows,
  PathCondition,
  substitute,
} from '../../src/expr/index.ts';
import { Garden, Random } from './random.ts';

test('columns have the values of evaluation', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const x = new Expressions();
    const widths = seed % 2 === 0 ? undefined : [1, 8, 24, 33, 48, 96];
    const garden = new Garden(x, new Random(seed * 31337), [8, 16, 32, 64, 8, 1], widths);
    const columns = new Map(
      [8, 16, 32, 64, 8, 1].map((width, v) => [
        v,
        columnOf(
          width,
          garden.assignments.map((at) => at.get(v)!),
        ),
      ]),
    );
    const made = Array.from({ length: 120 }, () => garden.grow()).filter(
      (one) => !/^rot[lr](24|33|48|96)/.test(one.what),
    );
    const results = evaluateRows(
      x,
      made.map(({ e }) => e),
      garden.assignments.length,
      columns,
    );
    for (const [i, one] of made.entries()) {
      for (const [row, at] of garden.assignments.entries()) {
        const told = `seed ${seed}, ${one.what}: ${x.text(one.e)}`;
        assert.equal(columnValue(results[i], row), x.evaluate(one.e, at), told);
      }
    }
  }
});

test('replacing variables is evaluation, part by part', () => {
  for (let seed = 1; seed <= 25; seed++) {
    const x = new Expressions();
    const variables = [8, 16, 32, 8];
    const garden = new Garden(x, new Random(seed * 4242), variables);
    const made = Array.from({ length: 100 }, () => garden.grow());
    const [at] = garden.assignments;
    const constants = variables.map((width, v) => [v, x.constantBig(width, at.get(v)!)] as const);
    const some = substitute(
      x,
      made.map(({ e }) => e),
      new Map(constants.slice(1)),
    );
    const all = substitute(x, some, new Map(constants.slice(0, 1)));
    for (const [i, one] of made.entries()) {
      assert.ok(x.isConstant(all[i]), x.text(all[i]));
      assert.equal(x.value(all[i]), one.values[0], `seed ${seed}, ${one.what}`);
      assert.equal(x.evaluate(some[i], new Map([[0, at.get(0)!]])), one.values[0]);
    }
  }
});

test('sets of bytes', () => {
  const digits = ByteSet.where((v) => v >= 48 && v < 58);
  assert.deepEqual([digits.size, digits.first, digits.has(57), digits.has(58)], [10, 48, true, false]);
  assert.ok(ByteSet.all.without(digits).and(digits).isEmpty);
  assert.ok(digits.or(ByteSet.of([255])).contains(digits));
  assert.ok(ByteSet.of(digits.values()).equals(digits));
  assert.equal(ByteSet.none.first, -1);
});

test('paths share what they have in common, and see contradictions', () => {
  const x = new Expressions();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => x.variable(8, name));
  const letter = (e: number, text: string): number => x.eq(e, x.constant(8, text.charCodeAt(0)));
  const start = PathCondition.start(x);
  const isG = start.and(letter(a, 'G'))!;
  assert.equal(isG.and(letter(a, 'P')), undefined);
  assert.equal(isG.and(letter(a, 'G')), isG);
  assert.equal(isG.and(x.not(letter(a, 'P'))), isG, 'what is implied adds nothing');
  assert.equal(start.domain(0).size, 256);
  assert.deepEqual(isG.domain(0).values(), [71]);
  const other = start.and(x.not(letter(a, 'G')))!;
  assert.equal(other.domain(0).size, 255);
  // both are conjuncts of one and
  const both = start.and(x.and(letter(a, 'x'), letter(b, 'y')))!;
  assert.deepEqual([both.domain(0).first, both.domain(1).first, both.length], [120, 121, 2]);
  // the negation of an or, too
  const neither = start.and(x.not(x.or(letter(a, 'x'), letter(b, 'y'))))!;
  assert.deepEqual([neither.domain(0).size, neither.domain(1).size], [255, 255]);
  const less = both.and(x.ltu(b, c))!.and(x.ltu(a, b))!;
  assert.equal(less.and(x.not(x.ltu(b, c))), undefined);
  assert.deepEqual(less.related([c]).length, 2);
  assert.deepEqual(less.conjuncts().length, 4);
  assert.deepEqual(less.restricted(), [0, 1]);
  assert.match(less.text(), /ltu a b/);
});

test('conjuncts of several variables are known again, on forks too', () => {
  const x = new Expressions();
  const bytes = Array.from({ length: 40 }, (_, i) => x.variable(8, `b${i}`));
  const conjuncts = bytes.slice(1).map((b, i) => x.ltu(bytes[i], b));
  const paths = [PathCondition.start(x)];
  for (const one of conjuncts) paths.push(paths[paths.length - 1].and(one)!);
  for (const [i, path] of paths.entries()) {
    for (const [j, one] of conjuncts.entries()) {
      assert.equal(path.and(one) === path, j < i, `${j} at ${i}`);
      assert.equal(path.and(x.not(one)) === undefined, j < i, `not ${j} at ${i}`);
    }
    // a fork that takes some in another order
    const fork = path.and(conjuncts[38])!.and(conjuncts[20])!;
    for (const [j, one] of conjuncts.entries())
      assert.equal(fork.and(one) === fork, j < i || j === 38 || j === 20, `${j} on the fork at ${i}`);
  }
});

test('variables of expressions of many variables', () => {
  const x = new Expressions();
  let hash = x.constant(32, 5381);
  const hashes: number[] = [];
  for (let i = 0; i < 3000; i++) {
    hash = x.add(x.binary('mul', hash, x.constant(32, 33)), x.zext(x.variable(8, `b${i}`), 32));
    hashes.push(hash);
  }
  assert.equal(x.variables(hashes[2999]).length, 3000);
  for (const i of [0, 22, 23, 24, 25, 26, 100, 1500])
    assert.deepEqual(
      [...x.variables(hashes[i])],
      Array.from({ length: i + 1 }, (_, k) => k),
    );
  // parts that share variables, one of them asked for before
  const both = x.xor(hashes[100], hashes[40]);
  assert.equal(x.variables(both).length, 101);
  assert.equal(x.variables(x.eq(both, x.variable(32, 'other'))).length, 102);
});
