// `effigy coverage`: how much of what traces of healthy containers show their policy has, and what it lacks.
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import { createMonitor } from '../monitor/index.ts';
import { Coverage, type CoverageResult, type Share } from '../report/index.ts';
import { addInputOptions, type InputOptions, inputHelp, readInputs } from './inputs.ts';
import { loadPolicy } from './monitor.ts';

interface CoverageOptions extends InputOptions {
  readonly policy: readonly string[];
  readonly json?: boolean;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function addCoverageCommand(program: Command): void {
  const command = program
    .command('coverage')
    .description('how much of what traces of healthy containers show their policy has')
    .argument('[trace...]', 'traces, or directories of them, read in the order of the numbers in their names')
    .option('-p, --policy <file>', 'a policy (repeatable)', collect, [])
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Each different effect of a program counts once, whatever its order and however often it came; exits and calls that
failed are left out. "Serving" is what was still done once clients had come.

${inputHelp}

Example:
  effigy coverage --policy shop.policy.json /var/log/sysflow/

Exit status: 0 the policy has all of it, 1 it lacks something, 2 error.`,
    )
    .action(runCoverage);
  addInputOptions(command);
}

function runCoverage(traces: readonly string[], options: CoverageOptions): Promise<void> | undefined {
  if (options.policy.length === 0)
    throw new InputError('no policy to hold the traces against', 'effigy coverage', 'add --policy FILE');
  const coverage = new Coverage();
  const monitor = createMonitor(options.policy.map(loadPolicy), {
    onFinding: (finding) => coverage.finding(finding),
  });
  const waits = readInputs(traces, options, {
    observe: (observation, traits) => {
      coverage.observe(observation);
      monitor.observe(observation, traits);
    },
    say: (text) => process.stderr.write(`effigy: ${text}\n`),
  });
  const finish = (): void => {
    monitor.flush();
    const result = coverage.result(monitor.summary().incidents);
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : textOf(result));
    if (result.missing.length > 0 || result.beyond > 0) process.exitCode = 1;
  };
  if (waits !== undefined) return waits.then(finish);
  finish();
  return undefined;
}

const percent = ({ recorded, known }: Share): string =>
  `${known} of ${recorded} (${recorded === 0 ? '-' : ((100 * known) / recorded).toFixed(1)} %)`;

function textOf({ total, serving, programs, missing, beyond }: CoverageResult): string {
  const rows: string[] = [];
  rows.push(`effects in the policy  ${percent(total)}`, `of them serving        ${percent(serving)}`, '');
  for (const share of programs) rows.push(`  ${percent(share).padEnd(24)} ${share.program}`);
  if (missing.length > 0) rows.push('', 'missing');
  for (const { program, effect, why } of missing) rows.push(`  ${program}  ${effect}  [${why}]`);
  if (beyond > 0) rows.push('', `${beyond} effects came when there were too many to keep: not counted`);
  return rows.map((row) => `${printable(row)}\n`).join('');
}
