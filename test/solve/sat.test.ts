// The clause solver against trying all assignments.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Sat } from '../../src/solve/sat.ts';
import { Random } from '../expr/random.ts';

/** Whether some assignment of n variables fulfils the clauses of literals 2 * v + negated, v from 1. */
function brute(n: number, clauses: readonly (readonly number[])[]): boolean {
  for (let a = 0; a < 2 ** n; a++) {
    const holds = (literal: number): boolean => ((a >> ((literal >> 1) - 1)) & 1) !== (literal & 1);
    if (clauses.every((clause) => clause.some(holds))) return true;
  }
  return false;
}

test('random clauses: the answer of brute force, and models that hold', () => {
  const random = new Random(99);
  let unsat = 0;
  for (let round = 0; round < 1500; round++) {
    const n = 3 + random.below(8);
    const sat = new Sat();
    for (let i = 0; i < n; i++) sat.variable();
    const clauses: number[][] = [];
    const count = Math.floor(n * (2 + random.below(5)));
    for (let i = 0; i < count; i++) {
      const clause = Array.from({ length: 1 + random.below(4) }, () => 2 + random.below(2 * n));
      clauses.push(clause);
      sat.add(clause);
      // answers in between, so that clauses come to a solver that has learnt already
      if (random.below(10) === 0) sat.solve(100_000);
    }
    const answer = sat.solve(1_000_000);
    assert.equal(answer, brute(n, clauses) ? 'sat' : 'unsat', JSON.stringify(clauses));
    if (answer === 'unsat') unsat++;
    else
      assert.ok(
        clauses.every((clause) => clause.some((literal) => sat.value(literal))),
        'the model holds',
      );
  }
  assert.ok(unsat > 200 && unsat < 1300, `${unsat} of 1500 unsat`);
});

/** n + 1 pigeons in n holes. */
function pigeons(n: number): Sat {
  const sat = new Sat();
  const at = (pigeon: number, hole: number): number => 2 * (1 + pigeon * n + hole);
  for (let i = 0; i < (n + 1) * n; i++) sat.variable();
  for (let p = 0; p <= n; p++) sat.add(Array.from({ length: n }, (_, h) => at(p, h)));
  for (let h = 0; h < n; h++)
    for (let p = 0; p <= n; p++) for (let q = 0; q < p; q++) sat.add([at(p, h) ^ 1, at(q, h) ^ 1]);
  return sat;
}

test('pigeons need learning; a budget that ends is unknown, at the same step each time', () => {
  assert.equal(pigeons(7).solve(100_000_000), 'unsat');
  const [a, b] = [pigeons(9), pigeons(9)];
  assert.equal(a.solve(20_000), 'unknown');
  assert.equal(b.solve(20_000), 'unknown');
  assert.equal(a.conflicts, b.conflicts);
  assert.equal(a.propagations, b.propagations);
});
