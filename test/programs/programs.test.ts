// Real programs give byte-identical output natively and in the machine: standard output, standard error and exit status.
// EFFIGY_ENGINE=fast|reference chooses the engine; EFFIGY_LONG=1 takes real sizes; EFFIGY_ONLY=TEXT runs the cases with that in their name; EFFIGY_SHOW=1 says how long.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isElf } from '../../src/elf/index.ts';
import { type TreeBuilder, treeBuilder } from '../../src/image/index.ts';
import { createFastEngine, createMemory, createReferenceEngine } from '../../src/machine/index.ts';
import { addProgram, runGuest } from '../linux/guest.ts';
import { type ProgramCase, programCases } from './cases.ts';

const PATH = ['/usr/bin', '/bin'];
const ENVIRONMENT = {
  PATH: PATH.join(':'),
  LC_ALL: 'C',
  HOME: '/root',
  HOSTNAME: 'guest',
  OPENSSL_CONF: '/dev/null',
};
const long = process.env.EFFIGY_LONG === '1';
const createEngine = process.env.EFFIGY_ENGINE === 'reference' ? createReferenceEngine : createFastEngine;

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number | string;
}

function findProgram(name: string): string | undefined {
  const candidates = name.includes('/') ? [name] : PATH.map((directory) => `${directory}/${name}`);
  return candidates.find((path) => existsSync(path));
}

/** Everything below a directory of this machine (or one file) at the same place in the tree; shared objects with what they need. */
function addDirectory(builder: TreeBuilder, path: string, seen: Set<string>): void {
  const real = realpathSync(path);
  if (seen.has(path) || !existsSync(path)) return;
  seen.add(path);
  const status = statSync(real);
  if (status.isFile()) {
    const bytes = readFileSync(real);
    if (isElf(bytes)) addProgram(builder, real, path);
    else builder.addFile(path, bytes);
  } else if (status.isDirectory()) {
    for (const name of readdirSync(real)) {
      if (
        existsSync(join(path, name)) &&
        !/^(?:__pycache__|test|tests|idlelib|lib2to3|ensurepip)$/.test(name)
      )
        addDirectory(builder, join(path, name), seen);
    }
  }
}

function buildTree(item: ProgramCase, programs: readonly string[]): TreeBuilder {
  const builder = treeBuilder();
  const seen = new Set<string>();
  for (const program of programs) addDirectory(builder, program, seen);
  for (const directory of item.directories ?? [])
    if (existsSync(directory)) addDirectory(builder, directory, seen);
  builder
    .addDir('/tmp', { mode: 0o1777 })
    .addDir('/work')
    .addFile('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n')
    .addDir('/root');
  for (const [name, content] of Object.entries(item.files ?? {})) builder.addFile(`/work/${name}`, content);
  return builder;
}

function inMachine(item: ProgramCase, programs: readonly string[]): Outcome {
  const env = Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  const run = runGuest(
    buildTree(item, programs),
    { argv: item.argv, env, cwd: '/work' },
    { maxInstructions: 1e12, machine: { engine: createEngine(), memory: createMemory() } },
  );
  const [, stdout, stderr] = run.streams;
  const { stop, kernel } = run;
  if (process.env.EFFIGY_SHOW === '1')
    console.log(`${kernel.machine.engine.executed.toLocaleString('en')} instructions`);
  const exit =
    stop.kind !== 'exited'
      ? JSON.stringify(stop, (_, value) => (typeof value === 'bigint' ? String(value) : value))
      : (stop.status & 0x7f) === 0
        ? stop.status >> 8
        : `signal ${stop.status & 0x7f}`;
  const cuts = [...kernel.cuts.values()].map(({ cut }) => `${cut.kind} ${cut.what}`);
  kernel.release();
  assert.deepEqual(
    cuts.filter((cut) => cut.startsWith('instruction')),
    [],
  );
  return { stdout, stderr, exit };
}

function natively(item: ProgramCase, program: string): Outcome {
  const directory = mkdtempSync(join(tmpdir(), 'effigy-programs-'));
  try {
    for (const [name, content] of Object.entries(item.files ?? {})) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    const result = spawnSync(program, item.argv.slice(1), {
      argv0: item.argv[0],
      cwd: directory,
      env: ENVIRONMENT,
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 2 ** 28,
    });
    return { stdout: result.stdout, stderr: result.stderr, exit: result.status ?? `signal ${result.signal}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const item of programCases(long)) {
  if (!item.name.includes(process.env.EFFIGY_ONLY ?? '')) continue;
  test(item.name, (t) => {
    if (item.long && !long) return t.skip('takes long: EFFIGY_LONG=1');
    if (process.platform !== 'linux' || process.arch !== 'x64') return t.skip('needs an x86-64 Linux host');
    const names = [item.argv[0], ...(item.also ?? [])];
    const paths = names.map((name) => findProgram(name));
    const missing = names.filter((_, i) => paths[i] === undefined);
    if (missing.length > 0) return t.skip(`not installed: ${missing.join(', ')}`);
    const programs = paths as string[];
    const expected = natively(item, programs[0]);
    assert.equal(expected.exit, item.exit ?? 0, `natively: ${expected.stderr}`);
    assert.deepEqual(inMachine(item, programs), expected);
  });
}
