// What the demo needs from Debian, and getting it: installed by name where we may, else the line to run.
import { spawnSync } from 'node:child_process';
import { InputError } from '../../src/bytes/index.ts';
import { findProgram } from '../../src/record/index.ts';

/** Program and its package. */
const programs: Readonly<Record<string, string>> = {
  gcc: 'gcc',
  hostname: 'hostname',
  ip: 'iproute2',
  ldd: 'libc-bin',
  mount: 'mount',
  setpriv: 'util-linux',
  strace: 'strace',
  unshare: 'util-linux',
};

/** Installs what is missing (as root, with apt-get); InputError with the line to run where that can't be. */
export function prepare(): void {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  const advice = `run: ${install.join(' ')}`;
  if (process.geteuid?.() !== 0 || findProgram('apt-get') === undefined)
    throw new InputError(`missing: ${missing.join(', ')}`, 'this machine', advice);
  process.stdout.write(`$ ${install.join(' ')}\n`);
  if (!run(install)) {
    process.stdout.write('$ apt-get update\n');
    run(['apt-get', 'update']);
    run(install);
  }
  const left = missingPackages();
  if (left.length > 0) throw new InputError(`could not install ${left.join(', ')}`, 'apt-get', advice);
}

function missingPackages(): string[] {
  const missing = Object.entries(programs).flatMap(([program, name]) =>
    findProgram(program) === undefined ? [name] : [],
  );
  if (!hasHeaders()) missing.push('libc6-dev');
  return [...new Set(missing)].sort();
}

function hasHeaders(): boolean {
  return (
    spawnSync('gcc', ['-E', '-xc', '-'], {
      input: '#include <stdio.h>\n',
      stdio: ['pipe', 'ignore', 'ignore'],
    }).status === 0
  );
}

function run(argv: readonly string[]): boolean {
  return (
    spawnSync(argv[0], argv.slice(1), {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0
  );
}
