// The solver against trying all values of narrow variables; each stage of it by questions that only it can answer.
import assert from 'node:assert/strict';
import test from 'node:test';
import { BINARY_NAMES, type Expression, Expressions, PathCondition } from '../../src/expr/index.ts';
import { Solver, type SolverOptions } from '../../src/solve/index.ts';
import { Garden, Random } from '../expr/random.ts';

/** All assignments of variables of few bits. */
function* assignments(x: Expressions, variables: readonly number[]): Generator<Map<number, bigint>> {
  const widths = variables.map((v) => x.variableAt(v).width);
  const bits = widths.reduce((a, b) => a + b, 0);
  for (let a = 0; a < 2 ** bits; a++) {
    let rest = a;
    const out = new Map<number, bigint>();
    for (const [i, v] of variables.entries()) {
      out.set(v, BigInt(rest & ((1 << widths[i]) - 1)));
      rest >>= widths[i];
    }
    yield out;
  }
}

/** Random conditions over three variables of four bits and less. */
function againstBruteForce(seed: number, options: SolverOptions, rounds: number): Solver['statistics'] {
  const random = new Random(seed);
  const x = new Expressions();
  const garden = new Garden(x, random, [4, 4, 3], [1, 4, 4, 8]);
  const solver = new Solver(x, options);
  for (let i = 0; i < 120; i++) garden.grow();
  for (let round = 0; round < rounds; round++) {
    garden.grow();
    const conditions: Expression[] = [];
    let path: PathCondition | undefined = PathCondition.start(x);
    for (let i = 0; i < 3; i++) {
      const condition = garden.any(1).e;
      conditions.push(condition);
      path = path?.and(condition);
    }
    const e = garden.any(4).e;
    const wanted = new Set<bigint>();
    for (const at of assignments(x, [0, 1, 2]))
      if (conditions.every((c) => x.evaluate(c, at) === 1n)) wanted.add(x.evaluate(e, at));
    const told = (): string => `seed ${seed}: ${conditions.map((c) => x.text(c)).join(' ∧ ')}`;
    const answer = path === undefined ? 'unsat' : solver.check(path);
    assert.equal(answer, wanted.size > 0 ? 'sat' : 'unsat', told());
    if (path === undefined || answer === 'unsat') continue;
    const model = solver.model(path);
    assert.ok(
      model !== undefined && conditions.every((c) => x.evaluate(c, model) === 1n),
      `model of ${told()}`,
    );
    const sorted = [...wanted].sort((a, b) => Number(a - b));
    assert.deepEqual(
      solver.values(path, e, 16),
      { values: sorted, complete: true },
      `${x.text(e)} in ${told()}`,
    );
    const few = solver.values(path, e, 1);
    assert.equal(few.complete, wanted.size === 1);
    assert.ok(wanted.has(few.values[0]));
  }
  return solver.statistics;
}

test('answers, models and values are those of brute force', () => {
  for (let seed = 1; seed <= 6; seed++) againstBruteForce(seed * 977, {}, 12);
});

test('and with clauses only', () => {
  let searches = 0;
  for (let seed = 1; seed <= 6; seed++) searches += againstBruteForce(seed * 1361, { rows: 0 }, 12).searches;
  assert.ok(searches > 15, `${searches} searches`);
});

test('circuits of all operations say what evaluation says', () => {
  for (const width of [4, 5, 8, 16]) {
    const x = new Expressions();
    const random = new Random(width);
    // variables wider than a byte and no rows, so that clauses decide
    const [a, b] = [x.variable(width, 'a'), x.variable(width, 'b')];
    const solver = new Solver(x, { rows: 0 });
    const unary = (['not', 'neg', 'clz', 'ctz', 'popcnt'] as const).map((name) => x.unary(name, a));
    const usable = BINARY_NAMES.filter((name) => !name.startsWith('rot') || width !== 5);
    for (const e of [...unary, ...usable.map((name) => x.binary(name, a, b))]) {
      for (let i = 0; i < 3; i++) {
        const at = new Map([
          [0, random.bits(width)],
          [1, i === 0 ? 0n : random.bits(width)],
        ]);
        const start = PathCondition.start(x);
        const sum = x.xor(x.constantBig(width, (at.get(0)! + at.get(1)!) & 15n), x.add(a, b));
        // the two values, said in a way that no replacing sees through
        const given = x.and(
          x.and(
            x.not(x.ltu(a, x.constantBig(width, at.get(0)!))),
            x.not(x.ltu(x.constantBig(width, at.get(0)!), a)),
          ),
          x.and(
            x.not(x.ltu(b, x.constantBig(width, at.get(1)!))),
            x.not(x.ltu(x.constantBig(width, at.get(1)!), b)),
          ),
        );
        const path = start.and(given)!.and(x.not(x.eq(sum, x.constantBig(width, 1n << BigInt(width - 1)))));
        if (path === undefined || solver.check(path) === 'unsat') continue;
        const value = x.evaluate(e, at);
        assert.deepEqual(
          solver.values(path, e, 4),
          { values: [value], complete: true },
          `${x.text(e)} at ${[...at]}`,
        );
      }
    }
  }
});

test('byte comparisons never reach clauses', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const bytes = Array.from({ length: 64 }, (_, i) => x.variable(8, `b${i}`));
  let path = PathCondition.start(x);
  for (const b of bytes) {
    const wide = x.zext(b, 32);
    const isDigit = x.ltu(x.sub(wide, x.constant(32, 48)), x.constant(32, 10));
    assert.equal(solver.check(path, isDigit), 'sat');
    assert.equal(solver.check(path, x.not(isDigit)), 'sat');
    path = path.and(isDigit)!;
    assert.equal(solver.check(path, x.eq(wide, x.constant(32, 47))), 'unsat');
    const digit = x.sub(wide, x.constant(32, 48));
    assert.deepEqual(solver.values(path, digit, 16).values.map(Number), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
  assert.equal(solver.statistics.searches, 0);
  assert.equal(solver.statistics.rows, 0);
});

test('numbers in decimal: sums of several digits, and their limits', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  let path = PathCondition.start(x);
  let number = x.constant(32, 0);
  for (let i = 0; i < 5; i++) {
    const digit = x.sub(x.zext(x.variable(8, `d${i}`), 32), x.constant(32, 48));
    path = path.and(x.ltu(digit, x.constant(32, 10)))!;
    number = x.add(x.binary('mul', number, x.constant(32, 10)), digit);
  }
  assert.equal(solver.check(path, x.eq(number, x.constant(32, 65535))), 'sat');
  assert.equal(solver.check(path, x.eq(number, x.constant(32, 100_000))), 'unsat');
  const model = solver.model(path, x.eq(number, x.constant(32, 40_961)))!;
  assert.equal([0, 1, 2, 3, 4].map((i) => String.fromCharCode(Number(model.get(i)))).join(''), '40961');
});

test('wide variables: lengths and their arithmetic', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const length = x.variable(64, 'length');
  const path = PathCondition.start(x)
    .and(x.ltu(length, x.constant(64, 4097)))!
    .and(x.not(x.ltu(length, x.constant(64, 10))))!;
  assert.equal(solver.check(path, x.ltu(x.sub(length, x.constant(64, 4)), x.constant(64, 6))), 'unsat');
  assert.equal(solver.check(path, x.ltu(x.sub(length, x.constant(64, 4)), x.constant(64, 7))), 'sat');
  const page = x.binary('shr', length, x.constant(64, 12));
  assert.deepEqual(solver.values(path, page, 8), { values: [0n, 1n], complete: true });
  assert.equal(solver.values(path, length, 8).complete, false);
});

test('a witness changes only where the condition is bound to it', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => x.variable(8, name));
  const path = PathCondition.start(x)
    .and(x.ltu(a, b))!
    .and(x.not(x.eq(c, x.constant(8, 3))))!;
  const base = new Map([
    [0, 10n],
    [1, 20n],
    [2, 99n],
  ]);
  const model = solver.model(path, x.eq(b, x.constant(8, 1)), base)!;
  assert.deepEqual([model.get(0), model.get(1), model.get(2)], [0n, 1n, 99n]);
  assert.equal(solver.model(path, x.eq(b, x.constant(8, 0)), base), undefined);
});

test('a question beyond the budget is unknown, counted, and the same each time', () => {
  const counts = [0, 1].map(() => {
    const x = new Expressions();
    const solver = new Solver(x, { budget: 3000 });
    let hash = x.constant(32, 0x811c9dc5);
    for (let i = 0; i < 8; i++)
      hash = x.binary('mul', x.xor(hash, x.zext(x.variable(8, `b${i}`), 32)), x.constant(32, 0x01000193));
    const path = PathCondition.start(x);
    assert.equal(solver.check(path, x.eq(hash, x.constant(32, 0x12345678))), 'unknown');
    assert.ok(solver.feasible(path, x.eq(hash, x.constant(32, 0x12345678))));
    assert.equal(solver.statistics.unknown, 1);
    assert.equal(solver.statistics.cached, 1);
    return solver.statistics;
  });
  assert.deepEqual(counts[0], counts[1]);
});

test('texts that are none of many words', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const bytes = Array.from({ length: 8 }, (_, i) => x.variable(8, `b${i}`));
  const is = (word: string): Expression =>
    [...Buffer.from(word)].reduce(
      (out, v, i) => x.and(out, x.eq(bytes[i], x.constant(8, v))),
      x.constant(1, 1),
    );
  let path = PathCondition.start(x);
  for (const word of ['GET ', 'POST ', 'HEAD ', 'PUT ', 'DELETE ', 'OPTIONS ']) {
    assert.equal(solver.check(path, is(word)), 'sat');
    assert.equal(solver.check(path, x.not(is(word))), 'sat');
    path = path.and(x.not(is(word)))!;
    assert.equal(solver.check(path, is(word)), 'unsat');
    // some byte can still be this one
    assert.equal(solver.check(path, x.eq(bytes[0], x.constant(8, word.charCodeAt(0)))), 'sat');
  }
  assert.equal(solver.statistics.searches, 0, JSON.stringify(solver.statistics));
});

test('a condition of very many bytes', () => {
  const x = new Expressions();
  let all = x.constant(1, 1);
  for (let i = 0; i < 12_000; i++) all = x.and(all, x.eq(x.variable(8, `b${i}`), x.constant(8, i & 0xff)));
  const path = PathCondition.start(x).and(all)!;
  assert.equal(path.length, 12_000);
  assert.equal(PathCondition.start(x).and(x.not(all))?.length, 1);
});
