// Expressions and questions: nodes built a second in the kinds of code that meet the environment's bytes, and questions
// answered a second by the means that answer them. `npm run bench expr`.
import { type Expression, Expressions, PathCondition } from '../src/expr/index.ts';
import { bytesPattern, Solver } from '../src/solve/index.ts';
import type { BenchRow } from './sysflow.ts';

/** Seconds of processor time that f takes, the least of three. */
function seconds(f: () => void): number {
  let least = Infinity;
  for (let i = 0; i < 3; i++) {
    const from = process.cpuUsage();
    f();
    const { user, system } = process.cpuUsage(from);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

const inputBytes = (x: Expressions, count: number): Expression[] =>
  Array.from({ length: count }, (_, i) => x.variable(8, `b${i}`));

/** The xorshift loop over 16 symbolic bytes: three shifts and three exclusive ors a step. */
function xorshift(x: Expressions, steps: number): void {
  const bytes = inputBytes(x, 16);
  let a = x.fromBytes(bytes.slice(0, 8));
  let b = x.fromBytes(bytes.slice(8));
  const k = (v: number): Expression => x.constant(64, v);
  for (let i = 0; i < steps; i++) {
    let t = x.xor(a, x.binary('shl', a, k(23)));
    t = x.xor(t, x.binary('shr', t, k(17)));
    t = x.xor(t, x.xor(b, x.binary('shr', b, k(26))));
    a = b;
    b = t;
  }
}

/** What a parser does with each byte: widens, compares, looks up, counts. */
function parser(x: Expressions, count: number): void {
  const classes = Array.from({ length: 256 }, (_, v) => BigInt(v % 7));
  let number = x.constant(32, 0);
  for (const [i, byte] of inputBytes(x, count).entries()) {
    const wide = x.zext(byte, 32);
    x.eq(wide, x.constant(32, 0x20));
    x.eq(wide, x.constant(32, 0x0a));
    const digit = x.sub(wide, x.constant(32, 48));
    x.ltu(digit, x.constant(32, 10));
    number = i % 8 === 0 ? digit : x.add(x.binary('mul', number, x.constant(32, 10)), digit);
    x.eq(x.and(x.table(byte, 16, classes), x.constant(16, 4)), x.constant(16, 0));
    x.or(wide, x.constant(32, 0x20));
    x.select(x.ltu(wide, x.constant(32, 0x61)), x.add(wide, x.constant(32, 32)), wide);
  }
}

/** Bytes to words and back, as memory does. */
function memory(x: Expressions, count: number): void {
  const bytes = inputBytes(x, count);
  for (let i = 0; i + 8 <= count; i += 4) {
    const word = x.fromBytes(bytes.slice(i, i + 8));
    for (let k = 0; k < 8; k++) x.byte(word, k);
    x.extract(word, 32, 32);
    x.add(word, x.constant(64, i));
  }
}

const BUILDS: readonly (readonly [string, (x: Expressions) => void])[] = [
  ['xorshift over 16 bytes, 200,000 steps', (x) => xorshift(x, 200_000)],
  ['parser, 20,000 bytes', (x) => parser(x, 20_000)],
  ['words of memory, 40,000 bytes', (x) => memory(x, 40_000)],
];

function digits(x: Expressions, path: PathCondition, count: number): [PathCondition, Expression] {
  let number = x.constant(32, 0);
  for (let i = 0; i < count; i++) {
    const digit = x.sub(x.zext(x.variable(8, `d${i}`), 32), x.constant(32, 48));
    path = path.and(x.ltu(digit, x.constant(32, 10)))!;
    number = x.add(x.binary('mul', number, x.constant(32, 10)), digit);
  }
  return [path, number];
}

/** Questions about single bytes: both sides of a comparison, and all values of a switch. */
function byteQuestions(): number {
  const x = new Expressions();
  const solver = new Solver(x);
  let path = PathCondition.start(x);
  for (const byte of inputBytes(x, 2000)) {
    const wide = x.zext(byte, 32);
    for (const v of [0x20, 0x0d, 0x2f, 0x25]) {
      const hit = x.eq(wide, x.constant(32, v));
      solver.check(path, hit);
      solver.check(path, x.not(hit));
      path = path.and(x.not(hit))!;
    }
    solver.values(path, x.and(wide, x.constant(32, 0xdf)), 256);
  }
  return solver.statistics.queries;
}

/** Questions about two bytes that are compared with each other, each other's and others. */
function pairQuestions(): number {
  const x = new Expressions();
  const solver = new Solver(x);
  const bytes = inputBytes(x, 200);
  let path = PathCondition.start(x);
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    const below = x.ltu(x.add(bytes[i], x.constant(8, i)), bytes[i + 1]);
    solver.check(path, below);
    solver.check(path, x.not(below));
    path = path.and(below)!;
  }
  return solver.statistics.queries;
}

/** Decimal numbers of seven digits against limits: needs clauses. */
function numberQuestions(): number {
  const x = new Expressions();
  const solver = new Solver(x);
  const [path, number] = digits(x, PathCondition.start(x), 7);
  for (let i = 0; i < 20; i++) solver.check(path, x.eq(number, x.constant(32, 123_457 * i)));
  return solver.statistics.queries;
}

/** Lengths: sums and differences of wide variables with limits. */
function lengthQuestions(): number {
  const x = new Expressions();
  const solver = new Solver(x);
  for (let i = 0; i < 50; i++) {
    const [a, b] = [x.variable(64, `a${i}`), x.variable(64, `b${i}`)];
    const path = PathCondition.start(x)
      .and(x.ltu(a, x.constant(64, 65_536)))!
      .and(x.ltu(b, a))!;
    solver.check(path, x.ltu(x.constant(64, 4096 + i), x.sub(a, b)));
    solver.check(path, x.ltu(x.add(a, x.constant(64, i)), x.sub(a, b)));
  }
  return solver.statistics.queries;
}

/** 1,024 paths of ten independent branches: both sides asked, then taken. */
function branches(): number {
  const x = new Expressions();
  const solver = new Solver(x);
  const bytes = inputBytes(x, 10);
  let paths = [PathCondition.start(x)];
  for (const [i, byte] of bytes.entries()) {
    const condition = x.ltu(byte, x.constant(8, 100 + i));
    const next: PathCondition[] = [];
    for (const path of paths) {
      for (const side of [condition, x.not(condition)])
        if (solver.feasible(path, side)) next.push(path.and(side)!);
    }
    paths = next;
  }
  return paths.length;
}

function patterns(): number {
  const x = new Expressions();
  const solver = new Solver(x);
  let path = PathCondition.start(x);
  const bytes = inputBytes(x, 4000);
  for (const byte of bytes) path = path.and(x.not(x.eq(byte, x.constant(8, 0x2f))))!;
  for (let i = 0; i + 40 <= bytes.length; i += 40) bytesPattern(solver, path, bytes.slice(i, i + 40));
  return bytes.length;
}

const QUESTIONS: readonly (readonly [string, string, () => number])[] = [
  ['single bytes: comparisons and switches', 'questions/s', byteQuestions],
  ['pairs of bytes', 'questions/s', pairQuestions],
  ['decimal numbers of seven digits', 'questions/s', numberQuestions],
  ['lengths of 64 bits', 'questions/s', lengthQuestions],
  ['ten independent branches', 'paths/s', branches],
  ['patterns of names', 'bytes/s', patterns],
];

export function benchExpr(): BenchRow[] {
  const rows: BenchRow[] = [];
  for (const [name, build] of BUILDS) {
    let nodes = 0;
    const time = seconds(() => {
      const x = new Expressions();
      build(x);
      nodes = x.count;
    });
    rows.push({ name: `build: ${name}`, value: nodes / time / 1e6, unit: 'M nodes/s' });
  }
  for (const [name, unit, ask] of QUESTIONS) {
    let count = 0;
    const time = seconds(() => {
      count = ask();
    });
    rows.push({ name: `ask: ${name}`, value: count / time, unit });
  }
  return rows;
}
