// C programs that use files, pipes and sockets, natively and in the machine: standard output and wait status must be
// the same.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { addProgram, compile, hasTool, runGuest, runNative, treeBuilder } from './guest.ts';

const folder = ['test/linux/cases/programs', join(import.meta.dirname, 'cases/programs')].find((path) =>
  existsSync(path),
) as string;

const LINKINGS = [
  { name: 'dynamic glibc', compiler: 'gcc', flags: ['-pthread'] },
  // The same calls with another start-up; EFFIGY_LONG=1 only.
  ...(process.env.EFFIGY_LONG === '1'
    ? [{ name: 'static glibc', compiler: 'gcc', flags: ['-static', '-pthread'] }]
    : []),
];

for (const file of readdirSync(folder).sort()) {
  for (const { name, compiler, flags } of LINKINGS) {
    const skip = hasTool(compiler) ? false : `${compiler} is not installed`;
    test(`${file}, ${name}: as natively`, { skip }, () => {
      const path = compile(readFileSync(join(folder, file), 'utf8'), { compiler, flags: [...flags, '-w'] });
      const builder = treeBuilder().addDir('/tmp', { mode: 0o1777 });
      addProgram(builder, path);
      addProgram(builder, realpathSync('/bin/sh'), '/bin/sh');
      addProgram(builder, realpathSync('/bin/cat'), '/bin/cat');
      const native = runNative(path);
      const guest = runGuest(builder, { argv: [path] });
      assert.equal(guest.stdout, native.stdout);
      assert.deepEqual(guest.stop, { kind: 'exited', status: native.status });
      assert.deepEqual(guest.cuts, []);
    });
  }
}
