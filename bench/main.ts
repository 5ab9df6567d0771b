// `npm run bench`: how fast each station is, in one run on one machine. Absolute numbers vary with the machine and its
// load; the ratios are what to compare (bench/RESULTS.md keeps them, with dates).
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchConcolic } from './concolic.ts';
import { benchEngine } from './engine.ts';
import { benchExpr } from './expr.ts';
import { benchMachine } from './machine.ts';
import { benchModel } from './model.ts';
import { benchMonitor } from './monitor.ts';
import { benchPrograms } from './programs.ts';
import { benchServices } from './services.ts';
import { type BenchRow, benchSysflow } from './sysflow.ts';

const scratch = mkdtempSync(join(tmpdir(), 'effigy-bench-'));
try {
  const [cpu] = cpus();
  process.stdout.write(
    `Node ${process.version}, ${cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'}\n\n`,
  );
  const parts: readonly (readonly [string, () => BenchRow[] | Promise<BenchRow[]>])[] = [
    ['machine', () => benchMachine()],
    ['engine', () => benchEngine(scratch)],
    ['programs', () => benchPrograms(scratch)],
    ['model', () => benchModel(scratch)],
    ['expr', () => benchExpr()],
    ['concolic', () => benchConcolic(scratch)],
    ['telemetry', () => benchSysflow()],
    ['monitor', () => benchMonitor()],
  ];
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'services') benchServices(rest, scratch);
  const wanted = first === undefined ? [] : [first, ...rest];
  for (const [name, run] of parts) {
    if (wanted[0] === 'services' || (wanted.length > 0 && !wanted.includes(name))) continue;
    process.stdout.write(`${name}\n`);
    for (const row of await run()) process.stdout.write(`  ${format(row)}\n`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function format({ name, value, unit, ratio }: BenchRow): string {
  const digits = value >= 100 ? 0 : value >= 1 ? 2 : 4;
  const number = value.toLocaleString('en', { maximumFractionDigits: digits });
  return `${name.padEnd(52)} ${number.padStart(14)} ${unit.padEnd(16)}${ratio === undefined ? '' : ` ×${ratio.toFixed(2)}`}`;
}
