// The programs of conformance/ on the host and in the machine: every line that they print (a call, its result, its
// errno) must be the same.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { addProgram, compile, hasTool, runGuest, runNative, treeBuilder } from './guest.ts';

const directory = ['test/linux/conformance', join(import.meta.dirname, 'conformance')].find((path) =>
  existsSync(path),
);
assert.ok(directory !== undefined, 'test/linux/conformance');

const skip = !hasTool('gcc') ? 'gcc is not installed' : process.getuid?.() !== 0 ? 'not root' : false;

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

for (const file of readdirSync(directory).filter((name) => name.endsWith('.c'))) {
  test(`conformance, ${file.slice(0, -2)}: as on the host`, { skip }, () => {
    const source = join(directory, file);
    const path = compile(readFileSync(source, 'utf8'), {
      flags: ['-static', '-w', '-pthread', '-I', dirname(source)],
    });
    const builder = treeBuilder().addDir('/tmp', { mode: 0o1777 }).addDir('/etc', { mode: 0o755 });
    addProgram(builder, path);
    const got = linesOf(runGuest(builder, { argv: [path] }).stdout);
    // A busy host may let a child come too late: what must be is that the host can do as the machine does.
    let expected = linesOf(runNative(path).stdout);
    for (let again = 0; again < 3 && expected.join('\n') !== got.join('\n'); again++)
      expected = linesOf(runNative(path).stdout);
    assert.deepEqual(got, expected);
    assert.ok(expected.length > 0);
  });
}
