// `effigy compare`: an image booted on this machine under the recorder, and in the machine, effect by effect.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import type { Difference, DifferenceKind, ToleranceKind } from '../compare/index.ts';
import { openImage } from '../image/index.ts';
import { compareImage, type ImageComparison, recordOnHost } from './compare-image.ts';
import { CPU_NAMES, cpuNamed } from './cpu.ts';

interface CompareOptions {
  readonly ref?: string;
  readonly strace?: string;
  readonly keep?: string;
  readonly idle: string;
  readonly cpu: string;
  readonly tolerated?: boolean;
  readonly json?: boolean;
}

const MEANING: Readonly<Record<DifferenceKind, string>> = {
  'host-only': 'on the host only',
  'machine-only': 'in the machine only',
  order: 'in another order',
  count: 'not as often',
  'host-task': 'made on the host only',
  'machine-task': 'made in the machine only',
};

const TOLERATED: Readonly<Record<ToleranceKind, string>> = {
  value: 'with other values of the environment',
  name: 'with another name of the same file',
  listing: "in another order, which is that of a directory's names",
  transfers: 'that read or write another number of times',
  rounds: 'that a timer repeats, another number of times',
};

export function addCompareCommand(program: Command): void {
  program
    .command('compare')
    .description(
      'start, idle and stop an image here under strace and in the machine, and compare what it does',
    )
    .argument('<image>', 'docker save archive, OCI archive, or OCI layout directory')
    .option('--ref <name>', 'which image of an archive that holds several')
    .option(
      '--strace <file>',
      "strace's text of an earlier run, in place of running it (of --keep, or of effigy record --strace)",
    )
    .option('--keep <file>', "where strace's text of the run here is kept")
    .option('--idle <seconds>', 'between the start and the stop signal', '3')
    .option(`--cpu <host|${CPU_NAMES}>`, 'processor that programs find in the machine', 'host')
    .option('--tolerated', 'list what differs and counts as the same')
    .option('--json', 'print differences and what is tolerated as JSON')
    .addHelpText(
      'after',
      `
The host's run needs root and strace. Exit status: 0 the same, 1 differences, 2 error.
--json prints { common, differences: [{ kind, where, effect, count }], tolerated: [{ kind, where, host, machine }],
notes }; the kinds are explained in docs/law.md.

Example:
  effigy compare shop.tar`,
    )
    .action(async (path: string, options: CompareOptions) => {
      const idle = seconds(options.idle);
      const features = options.cpu === 'host' ? undefined : cpuNamed(options.cpu);
      if (options.strace !== undefined && options.keep !== undefined)
        throw new InputError('nothing is run where --strace is given', '--keep', 'use one of them');
      const image = await openImage(path, options.ref === undefined ? {} : { ref: options.ref });
      const scratch = mkdtempSync(join(tmpdir(), 'effigy-compare-'));
      try {
        const trace = options.strace ?? options.keep ?? join(scratch, 'strace');
        const notes =
          options.strace === undefined
            ? await recordOnHost({ image, path, ref: options.ref, idle, scratch, strace: trace })
            : [];
        const comparison = compareImage({ image, path, trace, features });
        const all = { ...comparison, notes: [...notes, ...comparison.notes] };
        process.stdout.write(
          options.json
            ? `${JSON.stringify(all, null, 2)}\n`
            : describe(all, options.tolerated === true).join('\n'),
        );
        if (all.differences.length > 0) process.exitCode = 1;
      } finally {
        image.close();
        rmSync(scratch, { recursive: true, force: true });
      }
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value > 3600)
    throw new InputError(`${JSON.stringify(text)} is not a number of seconds up to an hour`, '--idle');
  return value;
}

/** Differences process by process, then how much was the same. */
function describe({ differences, tolerated, common, notes }: ImageComparison, all: boolean): string[] {
  const lines = notes.map((note) => `note: ${printable(note)}`);
  for (const where of new Set(differences.map((difference) => difference.where))) {
    lines.push(`${printable(where)}:`);
    for (const [kind, meaning] of Object.entries(MEANING)) {
      const list = differences.filter((each) => each.where === where && each.kind === kind);
      if (list.length > 0) lines.push(`  ${meaning}:`, ...list.map(line));
    }
  }
  for (const [kind, meaning] of Object.entries(TOLERATED)) {
    const list = tolerated.filter((each) => each.kind === kind);
    if (list.length === 0) continue;
    lines.push(`tolerated: ${list.length} ${meaning}`);
    if (all)
      for (const { where, host, machine } of list)
        lines.push(`    ${printable(where)}: ${printable(host)} | ${printable(machine)}`);
  }
  lines.push(
    `${differences.length === 0 ? 'the same' : `${differences.length} differences`}: ${common} effects on both sides`,
    '',
  );
  return lines;
}

const line = ({ effect, count }: Difference): string =>
  `    ${printable(effect)}${count > 1 ? ` ×${count}` : ''}`;
