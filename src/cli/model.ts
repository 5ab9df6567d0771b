// `effigy model`: from an image to its policy file.
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS } from '../explore/index.ts';
import { type Image, openImage } from '../image/index.ts';
import { createMachine, signalNumber } from '../linux/index.ts';
import { type ModelResult, modelImage } from '../model/index.ts';
import { type Policy, writePolicy } from '../policy/index.ts';
import { createProgress } from './progress.ts';
import { summary } from './show.ts';
import { packageVersion } from './version.ts';

type Engine = 'fast' | 'reference';

interface ModelCommandOptions {
  readonly output: string;
  readonly platform?: string;
  readonly ref?: string;
  readonly probes: boolean;
  readonly environments: string;
  readonly maxInstructions: string;
  readonly engine: string;
  readonly json?: boolean;
}

export function addModelCommand(program: Command): void {
  program
    .command('model')
    .description('derive the effect graph of an image, without running it on this machine')
    .argument('<image>', 'docker save archive, OCI archive, or OCI layout directory')
    .requiredOption('-o, --output <file>', 'policy file to write')
    .option('--platform <os/arch>', 'platform to choose from an index (linux/amd64)')
    .option('--ref <name>', 'which image of an archive that holds several')
    .option('--no-probes', 'model the start of the service only')
    .option(
      '--environments <n>',
      `boots to compare, 1 to ${ENVIRONMENTS.length}`,
      String(ENVIRONMENTS.length),
    )
    .option('--max-instructions <n>', 'instructions that a boot may take', String(DEFAULT_BUDGETS.boot))
    .option(
      '--engine <fast|reference>',
      'what executes the guest; both do the same, to the instruction',
      'fast',
    )
    .option('--json', 'print a summary of the policy as JSON')
    .addHelpText('after', '\nExample:\n  effigy model shop.tar -o shop.policy.json')
    .action(async (path: string, options: ModelCommandOptions) => {
      const count = wholeNumber(options.environments, '--environments', 1, ENVIRONMENTS.length);
      const budget = wholeNumber(options.maxInstructions, '--max-instructions', 1, Number.MAX_SAFE_INTEGER);
      const engine = engineNamed(options.engine);
      const image = await openImage(path, {
        ...(options.platform === undefined ? {} : { platform: options.platform }),
        ...(options.ref === undefined ? {} : { ref: options.ref }),
      });
      try {
        const started = process.hrtime.bigint();
        const result = runModel(image, path, { count, budget, probes: options.probes, engine });
        writeFileSync(options.output, writePolicy(result.policy));
        if (options.json) process.stdout.write(`${JSON.stringify(summary(result.policy), null, 2)}\n`);
        else report(result, options.output, Number(process.hrtime.bigint() - started) / 1e9);
      } finally {
        image.close();
      }
    });
}

function wholeNumber(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new InputError(`${JSON.stringify(text)} is not a whole number from ${least} to ${most}`, name);
  return value;
}

function engineNamed(name: string): Engine {
  if (name !== 'fast' && name !== 'reference')
    throw new InputError(`there is no engine ${JSON.stringify(name)}`, '--engine', 'fast or reference');
  return name;
}

function runModel(
  image: Image,
  path: string,
  options: { count: number; budget: number; probes: boolean; engine: Engine },
): ModelResult {
  const { config, platform } = image;
  if (platform.os !== 'linux' || platform.architecture !== 'amd64') {
    throw new InputError(
      `the image is for ${platform.os}/${platform.architecture}`,
      path,
      'only linux/amd64 can be modelled',
    );
  }
  const argv = [...config.entrypoint, ...config.cmd];
  if (argv.length === 0)
    throw new InputError('the image has no entrypoint and no command', path, 'nothing says what it runs');
  const stopSignal = config.stopSignal === '' ? 15 : signalNumber(config.stopSignal);
  if (stopSignal === undefined)
    throw new InputError(`unknown stop signal ${JSON.stringify(config.stopSignal)}`, path);
  const progress = createProgress('model');
  try {
    return modelImage(image, {
      environments: ENVIRONMENTS.slice(0, options.count),
      budgets: { ...DEFAULT_BUDGETS, boot: options.budget },
      probes: options.probes,
      spec: {
        argv,
        env: config.env,
        cwd: config.workingDir === '' ? '/' : config.workingDir,
        user: config.user,
        directories: config.volumes,
      },
      stopSignal,
      record: { environments: options.count, maxInstructions: options.budget, probes: options.probes },
      version: packageVersion(),
      machine: createMachine({ engine: options.engine }),
      onProgress: ({ pass, done, of }) => progress.update(pass, done, of),
    });
  } finally {
    progress.stop();
  }
}

function report({ policy, output }: ModelResult, file: string, seconds: number): void {
  const lines = [
    `${file}: ${count(policy.automata.length, 'program')}, ${count(total(policy, 'states'), 'state')}, ${count(total(policy, 'edges'), 'edge')}, ${count(policy.cuts.length, 'cut')}`,
    `${policy.coverage.instructions.toLocaleString('en')} instructions in ${seconds.toFixed(1)} s; ${count(policy.coverage.scenarios, 'scenario')}; listens: ${policy.coverage.listeners.join(', ') || 'nothing'}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  for (const cut of policy.cuts.slice(0, 10))
    process.stderr.write(
      `cut: ${cut.kind} ${printable(cut.what)} ×${cut.count} in ${printable(cut.program)} ${printable(cut.at)}: ${cut.consequence}\n`,
    );
  if (policy.cuts.length > 10)
    process.stderr.write(`cut: … ${policy.cuts.length - 10} more, see effigy show ${file}\n`);
  if (policy.complete) return;
  process.stderr.write(`INCOMPLETE: ${printable(policy.incomplete)}\n`);
  if (output !== '')
    process.stderr.write(`the service said:\n${output.slice(-2000).replace(/^/gm, '    ')}\n`);
}

const count = (n: number, what: string): string => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
const total = (policy: Policy, what: 'states' | 'edges'): number =>
  policy.automata.reduce((sum, automaton) => sum + automaton[what].length, 0);
