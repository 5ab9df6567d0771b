// What bytes can be, as patterns of resources.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Expression, Expressions, PathCondition } from '../../src/expr/index.ts';
import { bytesPattern, mayClimb, mayContain, resourcePatterns, Solver } from '../../src/solve/index.ts';

const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function literalBytes(x: Expressions, text: string): Expression[] {
  return [...Buffer.from(text)].map((v) => x.constant(8, v));
}

function within(
  x: Expressions,
  path: PathCondition,
  byte: Expression,
  low: string,
  high: string,
): PathCondition {
  const from = x.constant(8, low.charCodeAt(0));
  const to = x.constant(8, high.charCodeAt(0));
  return path.and(x.and(x.binary('leu', from, byte), x.binary('leu', byte, to)))!;
}

test('digits between literals', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  let path = PathCondition.start(x);
  const digits = [0, 1, 2].map((i) => x.variable(8, `d${i}`));
  for (const digit of digits) path = within(x, path, digit, '0', '9');
  const bytes = [...literalBytes(x, 'temp-'), ...digits, ...literalBytes(x, '.rdb')];
  const found = bytesPattern(solver, path, bytes);
  assert.deepEqual(resourcePatterns(found, decode), ['temp-[0-9]+.rdb']);
  assert.equal(mayClimb(found), false);
  // digits that arithmetic made of a number
  const pid = x.variable(16, 'pid');
  const made = [100, 10, 1].map((unit) => {
    const digit = x.binary(
      'modu',
      x.binary('quotu', x.zext(pid, 32), x.constant(32, unit)),
      x.constant(32, 10),
    );
    return x.add(x.trunc(digit, 8), x.constant(8, 48));
  });
  assert.deepEqual(resourcePatterns(bytesPattern(solver, path, made), decode), ['[0-9]+']);
});

test('what a client sent: slashes and dots', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const sent = Array.from({ length: 6 }, (_, i) => x.variable(8, `b${i}`));
  let path = PathCondition.start(x);
  for (const b of sent) path = path.and(x.not(x.eq(b, x.constant(8, 0))))!;
  const bytes = [...literalBytes(x, '/usr/share/'), ...sent];
  const open = bytesPattern(solver, path, bytes);
  assert.deepEqual(resourcePatterns(open, decode), ['/usr/share/**']);
  assert.ok(mayClimb(open) && mayContain(open, 0x2f));
  for (const b of sent) path = path.and(x.not(x.eq(b, x.constant(8, 0x2f))))!;
  const flat = bytesPattern(solver, path, bytes);
  assert.deepEqual(resourcePatterns(flat, decode), ['/usr/share/*']);
  // two dots and four other bytes are a name
  assert.equal(mayClimb(flat), false);
  assert.equal(mayClimb(bytesPattern(solver, path, bytes.slice(0, 13))), true);
});

test('a long text is told by what is seen without asking', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const sent = Array.from({ length: 200 }, (_, i) => x.variable(8, `b${i}`));
  let path = PathCondition.start(x);
  for (const b of sent) path = path.and(x.not(x.eq(b, x.constant(8, 0x2f))))!;
  path = path.and(x.not(x.eq(sent[0], sent[1])))!;
  const found = bytesPattern(solver, path, [...literalBytes(x, '/srv/'), ...sent]);
  assert.deepEqual(resourcePatterns(found, decode), ['/srv/*']);
  assert.equal(found.complete, false);
  assert.equal(solver.statistics.queries, 0);
});

test('few texts are told one by one, dependences included', () => {
  const x = new Expressions();
  const solver = new Solver(x);
  const b = x.variable(8, 'b');
  const isOn = x.eq(b, x.constant(8, 1));
  const word = (a: string, other: string): Expression[] =>
    literalBytes(x, a).map((byte, i) => x.select(isOn, byte, literalBytes(x, other)[i]));
  const found = bytesPattern(solver, PathCondition.start(x), [
    ...literalBytes(x, '/run/'),
    ...word('lock', 'free'),
  ]);
  assert.deepEqual(resourcePatterns(found, decode), ['/run/free', '/run/lock']);
  const long = word('a-very-long-alternative', 'the-other-one-of-23-let');
  assert.equal(bytesPattern(solver, PathCondition.start(x), long).texts?.length, 2);
});
