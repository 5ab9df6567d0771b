// `effigy model`: from images, as they are or as a deployment starts them, to policy files.
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { grouped, InputError, printable } from '../bytes/index.ts';
import { type ClientInput, DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../explore/index.ts';
import { openCodeCache } from '../host/index.ts';
import { openImage } from '../image/index.ts';
import type { FeatureSet } from '../isa/index.ts';
import { createMachine, signalNumber } from '../linux/index.ts';
import type { CodeStore } from '../machine/index.ts';
import { type ModelResult, modelImage } from '../model/index.ts';
import { repositoryOf } from '../monitor/index.ts';
import { type Amendment, isForImage, type Policy, standingOf, writePolicy } from '../policy/index.ts';
import { loadAmendments } from './amendments.ts';
import { loadInputs } from './client-inputs.ts';
import { CPU_NAMES, cpuNamed, DEFAULT_CPU, HIGHEST_CPU } from './cpu.ts';
import { createProgress } from './progress.ts';
import { summary } from './show.ts';
import { type OpenedImage, type Target, type TargetOptions, targetsOf } from './targets.ts';
import { packageVersion } from './version.ts';

type Engine = 'fast' | 'reference';

interface ModelCommandOptions extends TargetOptions {
  readonly output: string;
  readonly platform?: string;
  readonly ref?: string;
  readonly probes: boolean;
  readonly inputs?: string;
  readonly symbolic: string;
  readonly environments: string;
  readonly maxInstructions: string;
  readonly engine: string;
  readonly cpu: string;
  readonly cache: boolean;
  readonly allow: readonly string[];
  readonly json?: boolean;
}

export function addModelCommand(program: Command): void {
  program
    .command('model')
    .description('derive the effect graph of an image, without running it on this machine')
    .argument('<image...>', 'docker save archives, OCI archives, or OCI layout directories')
    .requiredOption('-o, --output <file>', 'policy file to write; a directory where there are several')
    .option('--platform <os/arch>', 'platform to choose from an index (linux/amd64)')
    .option('--ref <name>', 'which image of an archive that holds several')
    .option('--deployment <file>', 'Kubernetes manifest or Compose file that says how containers are started')
    .option('--container <name>', 'only this container of the deployment, whatever image it names')
    .option('--entrypoint <command>', "in place of the image's Entrypoint; words as in a shell")
    .option('--args <words>', "in place of the image's Cmd; words as in a shell")
    .option(
      '-e, --env <name[=value]>',
      'environment variable; without a value: one that is not known',
      collect,
      [],
    )
    .option('-u, --user <user[:group]>', 'user, in place of the image’s')
    .option('--workdir <path>', 'working directory, in place of the image’s')
    .option('--hostname <name>', 'host name (unknown)')
    .option(
      '--mount <mount>',
      'type=bind|tmpfs|volume|unknown[,source=PATH],target=PATH[,readonly] (repeatable)',
      collect,
      [],
    )
    .option('--read-only', 'root file system read-only')
    .option('--no-probes', 'model the start of the service only')
    .option('--inputs <directory>', 'what clients say: files of one connection each, pcap or pcapng captures')
    .option(
      '--symbolic <runs>',
      'search for messages that probes do not know: runs on symbolic input, a listener each',
      '0',
    )
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
    .option(
      `--cpu <${CPU_NAMES}>`,
      'processor that programs find; the level that they were built for',
      DEFAULT_CPU,
    )
    .option('--no-cache', 'keep no prepared code on disk (EFFIGY_CACHE says where it is kept)')
    .option('--allow <file>', 'reviewed exceptions to keep in the policy (repeatable)', collect, [])
    .option('--json', 'print a summary of the policy as JSON')
    .addHelpText(
      'after',
      `
Examples:
  effigy model shop.tar -o shop.policy.json
  effigy model shop.tar db.tar --deployment shop.yaml -o policies`,
    )
    .action(async (paths: string[], options: ModelCommandOptions) => {
      const settings: Settings = {
        count: wholeNumber(options.environments, '--environments', 1, ENVIRONMENTS.length),
        budget: wholeNumber(options.maxInstructions, '--max-instructions', 1, Number.MAX_SAFE_INTEGER),
        engine: engineNamed(options.engine),
        features: cpuNamed(options.cpu),
        given: givenOptions(options),
        probes: options.probes,
        inputs: options.inputs === undefined ? [] : loadInputs(options.inputs),
        symbolic: wholeNumber(options.symbolic, '--symbolic', 0, 1_000_000),
        amendments: loadAmendments(options.allow),
        store: options.cache ? openCodeCache() : undefined,
      };
      const images: OpenedImage[] = [];
      try {
        for (const path of paths) {
          const image = await openImage(path, {
            ...(options.platform === undefined ? {} : { platform: options.platform }),
            ...(options.ref === undefined ? {} : { ref: options.ref }),
          });
          images.push({ path, image });
        }
        modelAll(targetsOf(images, options), options, settings);
      } finally {
        for (const { image } of images) image.close();
      }
    });
}

/** Names of variables alone: their values may be secrets. */
function givenOptions(options: ModelCommandOptions): Settings['given'] {
  const texts = { entrypoint: options.entrypoint, args: options.args, user: options.user };
  const places = { workdir: options.workdir, hostname: options.hostname };
  const given = Object.entries({ ...texts, ...places }).filter(([, value]) => value !== undefined);
  return {
    cpu: options.cpu,
    ...Object.fromEntries(given.map(([name, value]) => [name, value ?? ''])),
    ...(options.env.length === 0 ? {} : { env: options.env.map((entry) => entry.split('=')[0]) }),
    ...(options.mount.length === 0 ? {} : { mount: options.mount }),
    ...(options.readOnly === true ? { readOnly: true } : {}),
  };
}

interface Settings {
  readonly count: number;
  readonly budget: number;
  readonly probes: boolean;
  readonly inputs: readonly ClientInput[];
  readonly symbolic: number;
  readonly engine: Engine;
  readonly features: FeatureSet;
  readonly store: CodeStore | undefined;
  readonly amendments: readonly Amendment[];
  /** Further options that decide the result, as they were given. */
  readonly given: Readonly<Record<string, string | boolean | readonly string[]>>;
}

const collect = (value: string, sofar: readonly string[]): readonly string[] => [...sofar, value];

function modelAll(targets: readonly Target[], options: ModelCommandOptions, settings: Settings): void {
  const files = filesOf(targets, options.output);
  const summaries = targets.map((target, i) => {
    const started = process.hrtime.bigint();
    const result = amended(runModel(target, settings), settings.amendments, files[i]);
    writeFileSync(files[i], writePolicy(result.policy));
    if (!options.json) report(result, files[i], Number(process.hrtime.bigint() - started) / 1e9);
    return summary(result.policy);
  });
  if (options.json)
    process.stdout.write(`${JSON.stringify(summaries.length === 1 ? summaries[0] : summaries, null, 2)}\n`);
}

/** One policy is the file that was named, or in the directory; several are in a directory, named by their containers. */
function filesOf(targets: readonly Target[], output: string): string[] {
  const isDirectory = statSync(output, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (targets.length === 1 && !isDirectory) return [output];
  if (!isDirectory) mkdirSync(output, { recursive: true });
  const taken = new Set<string>();
  return targets.map(({ container, opened, deployment }) => {
    const plain = container.name === '' ? (opened.image.names[0] ?? 'image') : container.name;
    const base = plain.replace(/[^\w.-]+/g, '-');
    const names = [base, `${deployment.replace(/[^\w.-]+/g, '-')}-${base}`];
    let name = names.find((each) => !taken.has(each)) ?? base;
    for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
    taken.add(name);
    return join(output, `${name}.policy.json`);
  });
}

/** With the amendments that are for this image; says which of them the model has no need of. */
function amended(result: ModelResult, amendments: readonly Amendment[], file: string): ModelResult {
  const repositories = result.policy.image.names.map(repositoryOf);
  const own = amendments.filter((amendment) => isForImage(amendment, repositories));
  for (const amendment of own) {
    const standing = standingOf(amendment, result.policy);
    const said = `${printable(file)}: amendment ${amendment.name}`;
    if (standing.kind === 'unneeded')
      process.stderr.write(
        `${said} is no longer needed: ${printable(standing.automaton)} has this effect itself\n`,
      );
    else if (standing.kind === 'homeless')
      process.stderr.write(`${said} is no longer needed: nothing in the policy is what it is for\n`);
  }
  if (own.length === 0) return result;
  return { ...result, policy: { ...result.policy, amendments: own } };
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

function runModel({ opened, container, deployment, notes }: Target, settings: Settings): ModelResult {
  const { image, path } = opened;
  const { platform } = image;
  if (platform.os !== 'linux' || platform.architecture !== 'amd64') {
    throw new InputError(
      `the image is for ${platform.os}/${platform.architecture}`,
      path,
      'only linux/amd64 can be modelled',
    );
  }
  for (const { what, where } of notes) process.stderr.write(`${printable(where)}: ${printable(what)}\n`);
  const launches = ENVIRONMENTS.slice(0, settings.count).map((environment) =>
    launchOf(image, container, environment),
  );
  const [{ spec }] = launches;
  if (spec.argv.length === 0)
    throw new InputError(
      'the image has no entrypoint and no command',
      path,
      'nothing says what it runs: --entrypoint or --args can',
    );
  const stopName = container.stopSignal ?? image.config.stopSignal;
  const stopSignal = stopName === '' ? 15 : signalNumber(stopName);
  if (stopSignal === undefined) throw new InputError(`unknown stop signal ${JSON.stringify(stopName)}`, path);
  const { engine, features, store } = settings;
  const machine = createMachine({ engine, features, store });
  const progress = createProgress('model');
  try {
    const result = modelImage(image, {
      launches,
      budgets: { ...DEFAULT_BUDGETS, boot: settings.budget },
      probes: settings.probes,
      inputs: settings.inputs,
      symbolic: settings.symbolic,
      stopSignal,
      ...(deployment === ''
        ? {}
        : { deployment: { name: deployment, container: container.name, program: spec.argv[0] } }),
      record: {
        environments: settings.count,
        maxInstructions: settings.budget,
        probes: settings.probes,
        ...(settings.inputs.length === 0 ? {} : { inputs: settings.inputs.map(({ name }) => name) }),
        ...(settings.symbolic === 0 ? {} : { symbolic: settings.symbolic }),
        ...settings.given,
      },
      version: packageVersion(),
      machine,
      ...(features.size > 0
        ? {}
        : { higherMachine: () => createMachine({ engine, features: cpuNamed(HIGHEST_CPU), store }) }),
      onProgress: ({ pass, done, of }) => progress.update(pass, done, of),
    });
    machine.engine.keep?.();
    return result;
  } finally {
    progress.stop();
  }
}

/** The failed boot's processes, with their last calls. */
function whereItStopped(stopped: ModelResult['stopped']): string[] {
  return stopped.flatMap(({ pid, exe, how, stack, calls }) => [
    `  ${printable(exe)} (pid ${pid}): ${how}`,
    ...stack.map((frame) => `      at ${printable(frame)}`),
    ...calls.map((call) => `      ${printable(call)}`),
  ]);
}

function report({ policy, output, stopped }: ModelResult, file: string, seconds: number): void {
  const lines = [
    `${file}: ${count(policy.automata.length, 'program')}, ${count(total(policy, 'states'), 'state')}, ${count(total(policy, 'edges'), 'edge')}, ${count(policy.cuts.length, 'cut')}`,
    `${grouped(policy.coverage.instructions)} instructions in ${seconds.toFixed(1)} s; ${count(policy.coverage.scenarios, 'scenario')}; listens: ${policy.coverage.listeners.join(', ') || 'nothing'}`,
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
  const where = whereItStopped(stopped);
  if (where.length > 0) process.stderr.write(`where it stopped:\n${where.join('\n')}\n`);
  if (output !== '')
    process.stderr.write(`the service said:\n${output.slice(-2000).replace(/^/gm, '    ')}\n`);
}

const count = (n: number, what: string): string => `${grouped(n)} ${what}${n === 1 ? '' : 's'}`;
const total = (policy: Policy, what: 'states' | 'edges'): number =>
  policy.automata.reduce((sum, automaton) => sum + automaton[what].length, 0);
