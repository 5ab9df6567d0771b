// One run of a program of this machine in the simulated kernel, for programs.ts: `node program.js ENGINE CACHE PROGRAM
// [ARGUMENT...]`, CACHE a directory or -. Prints the processor seconds of the whole process, start of Node included, and
// the instructions, as JSON. What interpreters load comes along: their libraries' directories.
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ElfSource, interpreterOf, isElf, parseElf, readDynamic } from '../src/elf/index.ts';
import { ENVIRONMENTS } from '../src/explore/index.ts';
import { openCodeCache } from '../src/host/index.ts';
import { type TreeBuilder, treeBuilder } from '../src/image/index.ts';
import { createKernel, createMachine } from '../src/linux/index.ts';

const LIBRARIES = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib64'];
/** What programs load at run time, by a word in their name. */
const DIRECTORIES: readonly (readonly [string, readonly string[]])[] = [
  ['python3', ['/usr/lib/python3.11']],
  ['perl', ['/usr/lib/x86_64-linux-gnu/perl-base', '/usr/share/perl/5.36.0']],
];
const LEFT_OUT = /^(?:tests?|idlelib|lib2to3|ensurepip|dist-packages|turtledemo|tkinter)$/;

function add(builder: TreeBuilder, path: string, seen: Set<string>): void {
  if (seen.has(path) || !existsSync(path)) return;
  seen.add(path);
  const real = realpathSync(path);
  const status = statSync(real);
  if (status.isDirectory()) {
    for (const name of readdirSync(path)) if (!LEFT_OUT.test(name)) add(builder, join(path, name), seen);
    return;
  }
  if (!status.isFile()) return;
  const bytes = readFileSync(real);
  // compiled Python code names the time of its source
  builder.addFile(path, bytes, { mode: 0o755, mtime: Math.floor(status.mtimeMs / 1000) });
  if (!isElf(bytes)) return;
  const elf = parseElf(ElfSource.ofBytes(bytes, path));
  const needed = readDynamic(elf).needed.map(
    (name) => LIBRARIES.map((folder) => `${folder}/${name}`).find((candidate) => existsSync(candidate)) ?? '',
  );
  for (const other of [interpreterOf(elf) ?? '', ...needed]) if (other !== '') add(builder, other, seen);
}

const [engineName, cache, ...argv] = process.argv.slice(2);
const builder = treeBuilder();
const seen = new Set<string>();
add(builder, argv[0], seen);
for (const [word, directories] of DIRECTORIES)
  if (argv[0].includes(word)) for (const directory of directories) add(builder, directory, seen);
builder.addDir('/tmp', { mode: 0o1777 });
const machine = createMachine({
  engine: engineName === 'reference' ? 'reference' : 'fast',
  store: cache === '-' ? undefined : openCodeCache({ directory: cache }),
});
const kernel = createKernel({
  tree: builder.build(),
  environment: ENVIRONMENTS[0].values,
  machine,
  hooks: { onEffect: () => {}, onCut: () => {} },
});
kernel.spawnInit({ argv, env: ['PATH=/usr/bin:/bin', 'LC_ALL=C.UTF-8'] });
kernel.run({ maxInstructions: 20_000_000_000 });
machine.engine.keep?.();
const { user, system } = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({ seconds: (user + system) / 1e6, instructions: machine.engine.executed })}\n`,
);
