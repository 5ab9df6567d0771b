// `effigy telemetry`: what traces hold, in sum or record by record.
import type { Command } from 'commander';
import { printable } from '../bytes/index.ts';
import {
  blindSpots,
  observationJson,
  printObservation,
  type SourceName,
  type SourceTraits,
  type Survey,
  Surveyor,
} from '../telemetry/index.ts';
import { addInputOptions, type InputOptions, inputHelp, readInputs } from './inputs.ts';

interface TelemetryCommandOptions extends InputOptions {
  readonly json?: boolean;
  readonly events?: boolean;
}

export function addTelemetryCommand(program: Command): void {
  const command = program
    .command('telemetry')
    .description(
      'what traces hold: containers, processes, operations, gaps, and what their source cannot see',
    )
    .argument('[trace...]', 'traces, or directories of them, read in the order of the numbers in their names')
    .option('--json', 'print JSON: the summary, or with --events one object a line')
    .option('-e, --events', 'print every observation as a line')
    .addHelpText(
      'after',
      `
${inputHelp}

Examples:
  effigy telemetry /var/log/sysflow/
  effigy telemetry --events --json tetragon.log.gz`,
    )
    .action(runTelemetry);
  addInputOptions(command);
}

interface Read {
  readonly name: string;
  readonly source: SourceName;
  readonly traits: SourceTraits;
  readonly skipped: ReadonlyMap<string, number>;
}

function runTelemetry(
  traces: readonly string[],
  options: TelemetryCommandOptions,
): Promise<void> | undefined {
  const surveyor = new Surveyor();
  const read: Read[] = [];
  const lines = new Lines();
  const waits = readInputs(traces, options, {
    observe(observation) {
      if (!options.events) surveyor.add(observation);
      else lines.add(options.json ? observationJson(observation) : printObservation(observation));
    },
    say: (text) => process.stderr.write(`effigy: ${text}\n`),
    finished: (name, source, traits, skipped) => {
      read.push({ name, source, traits, skipped });
    },
  });
  const finish = (): void => {
    lines.flush();
    if (options.events) return;
    const survey = surveyor.result();
    process.stdout.write(
      options.json ? `${JSON.stringify(jsonOf(survey, read), null, 2)}\n` : textOf(survey, read),
    );
  };
  if (waits !== undefined) return waits.then(finish);
  finish();
  return undefined;
}

/** Written in larger pieces: a system call for each line costs more than the line. What comes live is not held back. */
class Lines {
  private held: string[] = [];
  private size = 0;

  add(line: string): void {
    if (this.held.length === 0) setImmediate(() => this.flush());
    this.held.push(line, '\n');
    this.size += line.length;
    if (this.size > 65_536) this.flush();
  }

  flush(): void {
    if (this.held.length > 0) process.stdout.write(this.held.join(''));
    this.held = [];
    this.size = 0;
  }
}

/** Sources in order of their first trace, each once. */
const sourcesOf = (read: readonly Read[]): Map<SourceName, SourceTraits> =>
  new Map([...read].reverse().map(({ source, traits }) => [source, traits]));

function skippedOf(read: readonly Read[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const { source, skipped } of read)
    for (const [kind, count] of skipped)
      if (source !== 'sysflow' || unobserved.has(kind)) sum.set(kind, (sum.get(kind) ?? 0) + count);
  return sum;
}

/** SysFlow's counts are of all its records; these are not observed. */
const unobserved: ReadonlySet<string> = new Set(['ProcessFlow', 'Pod', 'K8sEvent', 'NetworkEvent']);

const time = (ns: bigint): string => {
  const date = new Date(Number(ns / 1_000_000n));
  return Number.isNaN(date.getTime())
    ? String(ns)
    : `${date.toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
};

function textOf(survey: Survey, read: readonly Read[]): string {
  const out: string[] = [];
  for (const { name, source } of read) out.push(`${printable(name)}: ${source}`);
  if (survey.first !== undefined && survey.last !== undefined)
    out.push(`from ${time(survey.first)}, for ${(Number(survey.last - survey.first) / 1e9).toFixed(3)} s`);
  out.push(`${survey.events} events, ${survey.flows} flows, ${survey.processes} processes`);
  for (const { container, processes, programs, records } of survey.containers) {
    const { id, name, image, imageId } = container;
    const what =
      id === ''
        ? 'host'
        : [
            'container',
            name,
            `(${id})`,
            image === '' ? 'image unknown' : image,
            imageId.replace(/^sha256:/, '').slice(0, 12),
          ]
            .filter((part) => part !== '')
            .map(printable)
            .join(' ');
    out.push('', `${what}: ${processes} processes, ${records} records`);
    for (const program of programs) out.push(`  ${printable(program)}`);
  }
  out.push('', 'operations');
  for (const [op, count] of survey.operations) out.push(`  ${op.padEnd(12)} ${count}`);
  const skipped = skippedOf(read);
  if (skipped.size > 0) {
    out.push('', 'not observed');
    for (const [kind, count] of skipped) out.push(`  ${printable(kind)}: ${count}`);
  }
  out.push('', survey.gaps.size === 0 ? 'no gaps' : 'gaps');
  for (const [reason, records] of survey.gaps) out.push(`  ${printable(reason)}: ${records}`);
  for (const [source, traits] of sourcesOf(read)) {
    out.push('', `${source} cannot see`);
    for (const line of blindSpots(traits)) out.push(`  ${line}`);
  }
  return `${out.join('\n')}\n`;
}

function jsonOf(survey: Survey, read: readonly Read[]): object {
  const { first, last, operations, gaps, ...rest } = survey;
  return {
    traces: read.map(({ name, source }) => ({ name, source })),
    first: first === undefined ? null : String(first),
    last: last === undefined ? null : String(last),
    ...rest,
    operations: Object.fromEntries(operations),
    notObserved: Object.fromEntries(skippedOf(read)),
    gaps: Object.fromEntries(gaps),
    sources: Object.fromEntries(
      [...sourcesOf(read)].map(([source, traits]) => [
        source,
        {
          operations: [...traits.ops],
          syscalls: traits.syscalls === undefined ? null : [...traits.syscalls],
          failures: traits.failures,
          ipv6: traits.ipv6,
          flows: traits.flows,
          maxDelay: String(traits.maxDelay),
          cannotSee: blindSpots(traits),
        },
      ]),
    ),
  };
}
