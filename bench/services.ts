// Images of real services to policies with all defaults, each in a process of its own: what became of the boot, seconds,
// memory, instructions. `npm run bench services -- IMAGE...` (archives, or directories of archives).
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceRun } from './services-one.ts';

const CHILD = fileURLToPath(new URL('./services-one.js', import.meta.url));
/** Seconds after which an image is given up. */
const PATIENCE = 900;

/** A table with a row an image, in Markdown. `scratch`: a folder for the caches of prepared code, empty at first. */
export function benchServices(paths: readonly string[], scratch: string): void {
  const images = paths.flatMap(imagesAt);
  if (images.length === 0) {
    process.stdout.write('  no images were named: npm run bench services -- IMAGE...\n');
    return;
  }
  print([
    'image',
    'outcome',
    's',
    'open',
    'boot',
    'serve',
    'graph',
    'cpu s',
    'MB',
    'M instructions',
    'scenarios',
    'cuts',
  ]);
  print(['---', '---', ...Array.from({ length: 9 }, () => '--:'), '---']);
  for (const path of images) print([basename(path).replace(/\.(?:tar|oci)$/, ''), ...cells(path, scratch)]);
}

const imagesAt = (path: string): string[] =>
  statSync(path).isDirectory() && !readdirSync(path).includes('index.json')
    ? readdirSync(path)
        .filter((name) => name.endsWith('.tar'))
        .sort()
        .map((name) => join(path, name))
    : [path];

function cells(path: string, scratch: string): string[] {
  const argv = ['--expose-gc', CHILD, path, join(scratch, `code-${basename(path)}`), '-'];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    timeout: PATIENCE * 1000,
    maxBuffer: 64 << 20,
  });
  if (status !== 0) return [`failed (${signal ?? status}): ${stderr.trim().split('\n').at(-1) ?? ''}`];
  const run = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ServiceRun;
  const seconds = (...names: readonly string[]): string =>
    names.reduce((sum, name) => sum + (run.passes[name] ?? 0), 0).toFixed(1);
  return [
    run.outcome.slice(0, 80),
    run.seconds.toFixed(1),
    seconds('open'),
    seconds('boot', 'boot again'),
    seconds('serve'),
    seconds('graph'),
    run.processorSeconds.toFixed(1),
    run.peakMegabytes.toFixed(0),
    (run.instructions / 1e6).toFixed(0),
    String(run.scenarios),
    Object.entries(run.cuts)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', '),
  ];
}

const print = (row: readonly string[]): void => {
  process.stdout.write(`| ${row.map((cell) => cell.replaceAll('|', '/')).join(' | ')} |\n`);
};
