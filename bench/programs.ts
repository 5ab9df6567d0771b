// Start to exit of real programs, each in a process of its own: processor seconds, the start of Node and of the machine
// included, with an empty cache of prepared code, a filled one, and on the reference engine; beside them qemu-user and
// native. `npm run bench programs`.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchRow } from './sysflow.ts';

const PROGRAMS: readonly (readonly string[])[] = [
  ['/bin/true'],
  ['/bin/bash', '-c', ':'],
  ['/usr/bin/perl', '-e', '1'],
  ['/usr/bin/python3.11', '-c', 'pass'],
  ['/usr/bin/python3.11', '-c', 'import http.server'],
  ['/usr/bin/node', '-v'],
];
/** The reference engine runs programs up to so many instructions. */
const REFERENCE_LIMIT = 20_000_000;
const CHILD = fileURLToPath(new URL('./program-whole.js', import.meta.url));

interface Ran {
  readonly seconds: number;
  readonly instructions: number;
}

function inMachine(engine: string, cache: string, argv: readonly string[]): Ran {
  return JSON.parse(
    execFileSync(process.execPath, [CHILD, engine, cache, ...argv], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .at(-1) ?? '',
  ) as Ran;
}

/** User and system seconds of a host command. */
function onHost(argv: readonly string[]): number {
  const script = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1';
  const { stderr } = spawnSync('bash', ['-c', script, 'bash', ...argv], { encoding: 'utf8' });
  return stderr
    .trim()
    .split(' ')
    .reduce((sum, part) => sum + Number(part), 0);
}

/** The least of some turns. */
const least = (turns: number, run: () => number): number =>
  Math.min(...Array.from({ length: turns }, () => run()));

/** `scratch`: a folder for the cache. */
export function benchPrograms(scratch: string): BenchRow[] {
  const qemu = spawnSync('qemu-x86_64', ['--version']).status === 0;
  return PROGRAMS.filter(([program]) => existsSync(program)).flatMap((argv, i) => {
    const cache = join(scratch, `code-${i}`);
    const cold = inMachine('fast', cache, argv);
    const long = cold.instructions > REFERENCE_LIMIT;
    const warm = least(long ? 2 : 4, () => inMachine('fast', cache, argv).seconds);
    const rows: (readonly [string, number])[] = [
      ['fast, empty cache', cold.seconds],
      ['fast, filled cache', warm],
    ];
    if (!long) rows.push(['reference', least(3, () => inMachine('reference', '-', argv).seconds)]);
    if (qemu) rows.push(['qemu-user', least(3, () => onHost(['qemu-x86_64', ...argv]))]);
    rows.push(['native', least(3, () => onHost(argv))]);
    const name = `${argv.join(' ')} (${(cold.instructions / 1e6).toFixed(1)} M)`;
    return rows.map(([engine, value]): BenchRow => ({ name: `${name}, ${engine}`, value, unit: 's' }));
  });
}
