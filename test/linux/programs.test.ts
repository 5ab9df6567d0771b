// C programs of programs/ run natively and in the machine, linked in the ways that images have them; standard output
// and wait status must be the same.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { addProgram, compile, hasTool, runGuest, runNative, treeBuilder } from './guest.ts';

const source = (name: string): string => {
  const path = ['test/linux/programs', join(import.meta.dirname, 'programs')]
    .map((directory) => join(directory, `${name}.c`))
    .find((p) => existsSync(p));
  assert.ok(path !== undefined, `programs/${name}.c`);
  return readFileSync(path, 'utf8');
};

const LINKINGS = [
  { name: 'dynamic glibc', compiler: 'gcc', flags: ['-pthread', '-lm'] },
  { name: 'static glibc', compiler: 'gcc', flags: ['-static', '-pthread', '-lm'] },
  { name: 'static-pie glibc', compiler: 'gcc', flags: ['-static-pie', '-pthread', '-lm'] },
  { name: 'fixed address, dynamic', compiler: 'gcc', flags: ['-no-pie', '-pthread', '-lm'] },
  { name: 'static musl', compiler: 'musl-gcc', flags: ['-static', '-lm'] },
] as const;
type Linking = (typeof LINKINGS)[number]['name'];

const ALL = LINKINGS.map(({ name }) => name);
const PROGRAMS: readonly {
  readonly name: string;
  readonly linkings: readonly Linking[];
  readonly root?: boolean;
}[] = [
  { name: 'hello', linkings: ALL },
  { name: 'processes', linkings: ['dynamic glibc', 'static musl'] },
  { name: 'threads', linkings: ['dynamic glibc', 'static musl'] },
  { name: 'memory', linkings: ['dynamic glibc', 'static musl'] },
  { name: 'signals', linkings: ['dynamic glibc', 'static musl'] },
  { name: 'futex', linkings: ['dynamic glibc', 'static musl'] },
  { name: 'ids', linkings: ['dynamic glibc', 'static musl'], root: true },
];

for (const { name, linkings, root } of PROGRAMS) {
  for (const linking of LINKINGS.filter((row) => linkings.includes(row.name))) {
    const skip = !hasTool(linking.compiler)
      ? `${linking.compiler} is not installed`
      : root === true && process.getuid?.() !== 0
        ? 'not root'
        : false;
    test(`${name}, ${linking.name}: as natively`, { skip }, () => {
      const path = compile(source(name), { compiler: linking.compiler, flags: [...linking.flags] });
      const builder = treeBuilder().addDir('/tmp', { mode: 0o1777 });
      addProgram(builder, path);
      addProgram(builder, realpathSync('/bin/sh'), '/bin/sh');
      // pthread_cancel loads it by name.
      if (linking.name === 'dynamic glibc')
        addProgram(
          builder,
          realpathSync('/lib/x86_64-linux-gnu/libgcc_s.so.1'),
          '/lib/x86_64-linux-gnu/libgcc_s.so.1',
        );
      const native = runNative(path);
      const guest = runGuest(builder, { argv: [path] });
      assert.equal(guest.stdout, native.stdout);
      assert.deepEqual(guest.stop, { kind: 'exited', status: native.status });
      const unknown = guest.cuts.filter((cut) => !/^(syscall 999|prctl option 4711)$/.test(cut.what));
      assert.deepEqual(unknown, []);
    });
  }
}
