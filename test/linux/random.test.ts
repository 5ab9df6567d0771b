// The programs of random/ on the host and in the machine: sequences of system calls by seeds, and every line that they
// print must be the same. EFFIGY_SEEDS=N runs more of them, EFFIGY_FAMILY=NAME one program only.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { createMachine } from '../../src/linux/index.ts';
import { addProgram, compile, hasTool, runGuest, runNative, treeBuilder } from './guest.ts';

const directory = ['test/linux/random', join(import.meta.dirname, 'random')].find((path) => existsSync(path));
assert.ok(directory !== undefined, 'test/linux/random');

const skip = !hasTool('gcc') ? 'gcc is not installed' : process.getuid?.() !== 0 ? 'not root' : false;
const first = Number(process.env.EFFIGY_FIRST_SEED ?? 1);
const seeds = Number(process.env.EFFIGY_SEEDS ?? 5);
/** Calls of one sequence, and seeds that one boot runs. */
const CALLS = '100';
const AT_ONCE = 10;
/** Lines before a difference that are shown. */
const SHOWN = Number(process.env.EFFIGY_SHOWN ?? 25);

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

function differenceOf(got: readonly string[], expected: readonly string[]): string | undefined {
  const at = got.findIndex((line, i) => line !== expected[i]);
  if (at < 0 && got.length === expected.length) return undefined;
  const i = at < 0 ? got.length : at;
  const before = got.slice(Math.max(0, i - SHOWN), i);
  return [...before, `machine: ${got[i] ?? 'nothing'}`, `host:    ${expected[i] ?? 'nothing'}`].join('\n');
}

function compareSeeds(path: string, from: number, to: number): void {
  const args = [String(from), String(to), CALLS];
  const builder = treeBuilder().addDir('/tmp', { mode: 0o1777 }).addDir('/etc', { mode: 0o755 });
  addProgram(builder, path);
  const got = linesOf(
    runGuest(
      builder,
      { argv: [path, ...args] },
      { machine: createMachine({ engine: 'fast' }), maxInstructions: 2_000_000_000 },
    ).stdout,
  );
  assert.ok(got.length > to - from, `${got.length} lines`);
  // A busy host may let something come too late: what must be is that the host can do as the machine does.
  let difference: string | undefined;
  for (let tries = 0; tries < 3; tries++) {
    difference = differenceOf(got, linesOf(runNative(path, args).stdout));
    if (difference === undefined) return;
  }
  assert.fail(difference);
}

for (const file of readdirSync(directory).filter((name) => name.endsWith('.c'))) {
  const family = file.slice(0, -2);
  if (process.env.EFFIGY_FAMILY !== undefined && process.env.EFFIGY_FAMILY !== family) continue;
  test(`random calls, ${family}: as on the host`, { skip }, () => {
    const source = join(directory, file);
    const path = compile(readFileSync(source, 'utf8'), {
      flags: ['-static', '-w', '-pthread', '-I', dirname(source)],
    });
    for (let seed = first; seed < first + seeds; seed += AT_ONCE)
      compareSeeds(path, seed, Math.min(seed + AT_ONCE, first + seeds) - 1);
  });
}
