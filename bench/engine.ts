// Million guest instructions a second on small kernels, in one run: native, qemu-user, the fast engine, the reference
// engine; then start to exit of real programs in the simulated kernel. `npm run bench engine`. Instructions are those
// that the engines count; native and qemu-user are timed around the process, less an empty run of it. "warm" is what a
// long run of the fast engine takes more than a short one, so that start and first translations are in both.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { ElfSource, interpreterOf, parseElf, readDynamic } from '../src/elf/index.ts';
import { ENVIRONMENTS } from '../src/explore/index.ts';
import { type Tree, treeBuilder } from '../src/image/index.ts';
import { createKernel } from '../src/linux/index.ts';
import {
  createFastEngine,
  createMemory,
  createReferenceEngine,
  type Engine,
  SHORT_PROGRAM,
} from '../src/machine/index.ts';
import type { BenchRow } from './sysflow.ts';

/** Kernels with iterations that take a processor about a quarter of a second. */
const KERNELS: Readonly<Record<string, number>> = {
  fnv: 3000,
  mix: 2500,
  strlen: 8000,
  words: 3000,
  crc: 2500,
  fib: 6000,
  sort: 900,
  vm: 1500,
  sha: 1500,
};
/** The reference engine runs a fraction of them. */
const REFERENCE_PART = 300;
/** A short run is this part of a whole one. */
const SHORT = 5;

const SOURCES = [
  './kernels/kernels.c',
  '../../bench/kernels/kernels.c',
  '../../../bench/kernels/kernels.c',
].map((path) => new URL(path, import.meta.url));

interface Measured {
  readonly seconds: number;
  readonly output: string;
}

function timed(run: () => string, turns = 3): Measured {
  let seconds = Number.POSITIVE_INFINITY;
  let output = '';
  for (let i = 0; i < turns; i++) {
    const started = process.hrtime.bigint();
    output = run();
    seconds = Math.min(seconds, Number(process.hrtime.bigint() - started) / 1e9);
  }
  return { seconds, output };
}

/** Runs a program of the tree to its end; its output and the instructions that it took. */
function inMachine(
  tree: Tree,
  argv: readonly string[],
  engine: Engine,
): { readonly output: string; readonly executed: number } {
  const before = engine.executed;
  const kernel = createKernel({
    tree,
    environment: ENVIRONMENTS[0].values,
    machine: { engine, memory: createMemory() },
    hooks: { onEffect: () => {}, onCut: () => {} },
  });
  kernel.spawnInit({ argv });
  kernel.run({ maxInstructions: 20_000_000_000 });
  return { output: kernel.output(), executed: engine.executed - before };
}

const LIBRARIES = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib64'];

function treeOf(program: string): Tree {
  const builder = treeBuilder();
  const seen = new Set<string>();
  const add = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const bytes = readFileSync(realpathSync(path));
    builder.addFile(path, bytes, { mode: 0o755 });
    const elf = parseElf(ElfSource.ofBytes(bytes, path));
    const interpreter = interpreterOf(elf);
    if (interpreter !== undefined) add(interpreter);
    for (const name of readDynamic(elf).needed) {
      const found = LIBRARIES.map((folder) => `${folder}/${name}`).find((candidate) => existsSync(candidate));
      if (found !== undefined) add(found);
    }
  };
  add(program);
  return builder.build();
}

/** Rows of one kernel: million instructions a second; the ratio is to native. */
function kernelRows(binary: string, tree: Tree, name: string, n: number): BenchRow[] {
  const host = (argv: readonly string[]): string =>
    execFileSync(argv[0], argv.slice(1), { encoding: 'utf8' });
  const empty = timed(() => host([binary, name, '0'])).seconds;
  const native = timed(() => host([binary, name, String(n)]));
  const engine = createFastEngine();
  let executed = 0;
  const fast = timed(() => {
    const ran = inMachine(tree, [binary, name, String(n)], engine);
    executed = ran.executed;
    return ran.output;
  });
  if (fast.output !== native.output) throw new Error(`${name}: ${fast.output} is not ${native.output}`);
  let brief = 0;
  const short = timed(() => {
    const ran = inMachine(tree, [binary, name, String(Math.round(n / SHORT))], engine);
    brief = ran.executed;
    return ran.output;
  });
  const part = Math.max(1, Math.round(n / REFERENCE_PART));
  const reference = createReferenceEngine();
  const slow = timed(() => inMachine(tree, [binary, name, String(part)], reference).output, 1);
  const rate = (count: number, seconds: number): number => count / seconds / 1e6;
  const base = rate(executed, Math.max(native.seconds - empty, 1e-3));
  const row = (engineName: string, value: number): BenchRow => ({
    name: `${name}, ${engineName}`,
    value,
    unit: 'M instr/s',
    ratio: value / base,
  });
  const rows = [row('native', base)];
  if (hasQemu()) {
    const start = timed(() => host(['qemu-x86_64', binary, name, '0'])).seconds;
    const qemu = timed(() => host(['qemu-x86_64', binary, name, String(n)]));
    rows.push(row('qemu-user', rate(executed, Math.max(qemu.seconds - start, 1e-3))));
  }
  rows.push(
    row('fast, warm', rate(executed - brief, Math.max(fast.seconds - short.seconds, 1e-3))),
    row('fast, start included', rate(executed, fast.seconds)),
    row('reference', rate(reference.executed, slow.seconds)),
  );
  return rows;
}

const hasQemu = (): boolean => spawnSync('qemu-x86_64', ['--version']).status === 0;

/** Start to exit, in seconds, with a new engine each; in turns, since the first runs are those of a cold host. */
function programRows(): BenchRow[] {
  const programs = [['/bin/true'], ['/bin/bash', '-c', ':']];
  const engines = [
    ['fast', () => createFastEngine({ plainFirst: SHORT_PROGRAM })],
    ['reference', () => createReferenceEngine()],
  ] as const;
  return programs.flatMap((argv) => {
    const tree = treeOf(argv[0]);
    const best = engines.map(() => Number.POSITIVE_INFINITY);
    for (let turn = 0; turn < 6; turn++) {
      engines.forEach(([, create], i) => {
        best[i] = Math.min(best[i], timed(() => inMachine(tree, argv, create()).output, 1).seconds);
      });
    }
    return engines.map(
      ([name], i): BenchRow => ({ name: `${argv.join(' ')}, ${name}`, value: best[i], unit: 's' }),
    );
  });
}

/** `scratch`: a folder for the compiled kernels. */
export function benchEngine(scratch: string): BenchRow[] {
  const source = SOURCES.find((url) => existsSync(url));
  if (source === undefined || spawnSync('gcc', ['--version']).status !== 0) return programRows();
  const binary = join(scratch, 'kernels');
  execFileSync('gcc', ['-O2', '-fno-tree-vectorize', '-static', '-o', binary, source.pathname]);
  const tree = treeOf(binary);
  const rows = Object.entries(KERNELS).flatMap(([name, n]) => kernelRows(binary, tree, name, n));
  for (const engine of ['native', 'qemu-user', 'fast, warm', 'fast, start included', 'reference']) {
    const values = rows.filter(({ name }) => name.endsWith(`, ${engine}`)).map(({ value }) => value);
    if (values.length > 0)
      rows.push({
        name: `geometric mean, ${engine}`,
        value: Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length),
        unit: 'M instr/s',
      });
  }
  return [...rows, ...programRows()];
}
