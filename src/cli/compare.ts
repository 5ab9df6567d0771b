// `effigy compare`: an image booted on this machine under the recorder, and in the machine, effect by effect.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import {
  type Comparison,
  compareRuns,
  type DifferenceKind,
  hostHappenings,
  machineHappenings,
  processRun,
  startingAt,
} from '../compare/index.ts';
import { plainContainer } from '../deployment/index.ts';
import {
  DEFAULT_BUDGETS,
  ENVIRONMENTS,
  type Environment,
  Explorer,
  launchOf,
  type Step,
} from '../explore/index.ts';
import { openFile } from '../host/index.ts';
import { type Image, openImage } from '../image/index.ts';
import { CPU_LEVELS, type FeatureSet } from '../isa/index.ts';
import { createMachine, signalNumber } from '../linux/index.ts';
import { headSize, maxScripts, record, scriptLine } from '../record/index.ts';
import { openStrace } from '../telemetry/index.ts';

interface CompareOptions {
  readonly ref?: string;
  readonly strace?: string;
  readonly idle: string;
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
      "strace's text of an earlier run, in place of running it (effigy record --strace)",
    )
    .option('--idle <seconds>', 'between the start and the stop signal', '3')
    .option('--json', 'print the differences as JSON')
    .addHelpText(
      'after',
      `
The host's run needs root. Differences that come from values of the environment (numbers, names made at run time) are
counted only. Exit status: 0 the same, 1 differences, 2 error.

Example:
  effigy compare shop.tar`,
    )
    .action(async (path: string, options: CompareOptions) => {
      const idle = Number(options.idle);
      if (!/^\d+(\.\d+)?$/.test(options.idle) || idle > 3600)
        throw new InputError(
          `${JSON.stringify(options.idle)} is not a number of seconds up to an hour`,
          '--idle',
        );
      const image = await openImage(path, options.ref === undefined ? {} : { ref: options.ref });
      const scratch = mkdtempSync(join(tmpdir(), 'effigy-compare-'));
      try {
        const trace = options.strace ?? join(scratch, 'strace');
        if (options.strace === undefined) await runOnHost(path, options, idle, scratch, trace);
        const comparison = compareWith(image, trace, idle);
        process.stdout.write(
          options.json ? `${JSON.stringify(comparison, null, 2)}\n` : describe(comparison),
        );
        if (comparison.differences.length > 0) process.exitCode = 1;
      } finally {
        image.close();
        rmSync(scratch, { recursive: true, force: true });
      }
    });
}

const CONTAINER_ID = 'b7c1f0e2a934';

async function runOnHost(
  path: string,
  options: CompareOptions,
  idle: number,
  scratch: string,
  strace: string,
): Promise<void> {
  await record({
    output: join(scratch, 'trace.sf'),
    image: { path, ref: options.ref },
    command: [],
    drive: `sleep ${idle}`,
    containerId: CONTAINER_ID,
    net: 'own',
    strace,
  });
}

function compareWith(image: Image, trace: string, idle: number): Comparison {
  const machine = machineHappenings(runInMachine(image, idle));
  const file = openFile(trace);
  let host: ReturnType<typeof hostHappenings>;
  try {
    host = hostHappenings(
      openStrace(file, { program: (path, named) => programIn(image, path, named) }).observations(),
    );
  } finally {
    file.close();
  }
  const start = machine.find(({ effect }) => effect.op === 'EXEC');
  const begun = start === undefined ? undefined : startingAt(host, start.effect);
  if (begun === undefined)
    throw new InputError(
      'the trace does not start the program of the image',
      trace,
      'is it a trace of this image?',
    );
  return compareRuns(processRun(begun), processRun(machine));
}

/** What an exec of a path maps: the file behind its links, or the interpreter of a script. */
function programIn(
  image: Image,
  path: string,
  named: string,
): { path: string; before: readonly string[] } | undefined {
  let before: readonly string[] = [];
  let name = named;
  let place = image.tree.realpath(path);
  for (let depth = 0; depth < maxScripts && place !== undefined; depth++) {
    const node = image.tree.lookup(place);
    const script =
      node?.kind === 'file' ? scriptLine(node.read(0, Math.min(headSize, node.size))) : undefined;
    if (script === undefined) return { path: place, before };
    before = [...(script.argument === '' ? [] : [script.argument]), name, ...before];
    name = script.interpreter;
    place = image.tree.realpath(name);
  }
  return undefined;
}

/** Boot, idle, stop signal, and time to end. */
function runInMachine(image: Image, idle: number): readonly Step[] {
  const explorer = new Explorer({
    tree: image.tree,
    launch: launchOf(image, plainContainer('', ''), hostLike(ENVIRONMENTS[0])),
    machine: createMachine({ engine: 'fast', features: hostFeatures() }),
    budgets: DEFAULT_BUDGETS,
  });
  if (explorer.boot.stop.kind !== 'quiescent') return explorer.boot.steps;
  const { stopSignal } = image.config;
  const signal = stopSignal === '' ? 15 : (signalNumber(stopSignal) ?? 15);
  const rest = explorer.play({
    name: 'idle and stop',
    actions: [
      { do: 'wait', ms: idle * 1000 },
      { do: 'signal', signal },
      { do: 'wait', ms: 10_000 },
    ],
  });
  return [...explorer.boot.steps, ...rest.steps];
}

/** The level of this machine's processor: libraries are looked for by it. */
function hostFeatures(): FeatureSet {
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1].split(' '));
  const has = (...names: readonly string[]): boolean => names.every((name) => flags.has(name));
  if (has('avx2', 'bmi1', 'bmi2', 'fma', 'movbe', 'abm', 'f16c')) return CPU_LEVELS['x86-64-v3'];
  return has('sse4_2', 'popcnt', 'cx16', 'lahf_lm') ? CPU_LEVELS['x86-64-v2'] : CPU_LEVELS['x86-64'];
}

/** What this machine would decide, as far as it shows in what programs do. */
function hostLike(environment: Environment): Environment {
  return {
    ...environment,
    values: {
      ...environment.values,
      hostName: CONTAINER_ID,
      cpus: cpus().length,
      memory: totalmem(),
      kernelRelease: release(),
      uptime: BigInt(Math.floor(uptime())) * 1_000_000_000n,
      time: BigInt(Date.now()) * 1_000_000n,
    },
  };
}

function describe({ differences, common, environment }: Comparison): string {
  const lines: string[] = [];
  for (const [kind, meaning] of Object.entries(MEANING)) {
    const list = differences.filter((difference) => difference.kind === kind);
    if (list.length === 0) continue;
    lines.push(`${meaning}: ${list.length}`);
    for (const { where, effect, count } of list)
      lines.push(`    ${printable(where)}: ${printable(effect)}${count > 1 ? ` ×${count}` : ''}`);
  }
  lines.push(
    `${differences.length === 0 ? 'the same' : `${differences.length} differences`}: ${common} effects on both sides, ${environment} of them with other values of the environment`,
  );
  return `${lines.join('\n')}\n`;
}
