// `effigy telemetry`: what traces hold, in sum or record by record.
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import {
  blindSpots,
  COLUMNS,
  type Filter,
  fieldName,
  type Observation,
  observationJson,
  ProcessTree,
  parseFilter,
  printObservation,
  printRow,
  RowBook,
  rowJson,
  type SourceName,
  type SourceTraits,
  type Survey,
  Surveyor,
} from '../telemetry/index.ts';
import { addInputOptions, type InputOptions, inputHelp, readInputs } from './inputs.ts';

interface TelemetryCommandOptions extends InputOptions {
  readonly json?: boolean;
  readonly events?: boolean;
  readonly stats?: boolean;
  readonly tree?: boolean;
  readonly filter?: string;
  readonly columns: string;
}

export function addTelemetryCommand(program: Command): void {
  const command = program
    .command('telemetry')
    .description('what traces hold: one row a record, the tree of processes, or in sum')
    .argument('[trace...]', 'traces, or directories of them, read in the order of the numbers in their names')
    .option('--stats', 'in sum: containers, processes, operations, gaps, and what the source cannot see')
    .option('--tree', 'the tree of processes, with what each did folded below it')
    .option(
      '-f, --filter <filter>',
      'only such records: "proc.name = httpd and type = NF"; SysFlow\'s names of fields',
    )
    .option(
      '-c, --columns <names>',
      `of rows: ${COLUMNS.join(', ')}, or fields (proc.user, net.dport …)`,
      'type,proc,ops,entity',
    )
    .option('--json', 'print JSON: one object a row, with --stats one for all, with --events observations')
    .option('-e, --events', 'every observation as a line, with all that the monitor knows of it')
    .addHelpText(
      'after',
      `
Rows are FF and NF (flows on files and connections, or single operations on them), FE and PE (events of files and
processes). Letters: O open, A accept, C connect or close, R read, W write, M map, S shut down, T cut.

${inputHelp}

Examples:
  effigy telemetry /var/log/sysflow/
  effigy telemetry -c time,container,type,proc,args,ops,entity,counts trace.sf
  effigy telemetry --tree -f "container.name = web and not file.path startswith /usr/lib" trace.sf
  effigy telemetry --stats --json tetragon.log.gz`,
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

/** One way to look at a trace. */
interface Look {
  take(observation: Observation): void;
  end(read: readonly Read[]): void;
}

function runTelemetry(
  traces: readonly string[],
  options: TelemetryCommandOptions,
): Promise<void> | undefined {
  if ([options.stats, options.tree, options.events].filter(Boolean).length > 1)
    throw new InputError('--stats, --tree and --events exclude each other', 'effigy telemetry');
  const filter = options.filter === undefined ? undefined : parseFilter(options.filter);
  const lines = new Lines();
  const look = lookOf(options, filter, lines);
  const read: Read[] = [];
  const waits = readInputs(traces, options, {
    observe: (observation) => look.take(observation),
    say: (text) => process.stderr.write(`effigy: ${text}\n`),
    finished: (name, source, traits, skipped) => {
      read.push({ name, source, traits, skipped });
    },
  });
  const finish = (): void => {
    look.end(read);
    lines.flush();
  };
  if (waits !== undefined) return waits.then(finish);
  finish();
  return undefined;
}

function lookOf(options: TelemetryCommandOptions, filter: Filter | undefined, lines: Lines): Look {
  const { json } = options;
  const wanted = filter ?? (() => true);
  if (options.tree) {
    if (json) throw new InputError('the tree is text only', '--tree --json', 'leave one of them out');
    const tree = new ProcessTree();
    return {
      take: (observation) => tree.add(observation, wanted),
      end: () => {
        for (const line of tree.lines(filter === undefined)) lines.add(line);
      },
    };
  }
  const book = new RowBook();
  /** What is no record passes: entities, gaps. */
  const passes = (observation: Observation): boolean => {
    if (filter === undefined) return true;
    const row = book.row(observation);
    return row === undefined || filter(row);
  };
  if (options.stats) {
    const surveyor = new Surveyor();
    return {
      take: (observation) => {
        if (passes(observation)) surveyor.add(observation);
      },
      end: (read) => {
        const survey = surveyor.result();
        lines.add(json ? JSON.stringify(jsonOf(survey, read), null, 2) : textOf(survey, read).trimEnd());
      },
    };
  }
  if (options.events)
    return {
      take: (observation) => {
        if (passes(observation))
          lines.add(json ? observationJson(observation) : printObservation(observation));
      },
      end: () => {},
    };
  const columns = columnsOf(options.columns);
  return {
    take: (observation) => {
      const row = book.row(observation);
      if (row !== undefined && wanted(row)) lines.add(json ? rowJson(row) : printRow(row, columns));
      else if (observation.kind === 'gap') process.stderr.write(`effigy: ${printObservation(observation)}\n`);
    },
    end: () => {},
  };
}

function columnsOf(text: string): string[] {
  return text.split(',').map((each) => {
    const name = each.trim();
    const found = COLUMNS.includes(name) ? name : fieldName(name);
    if (found === undefined)
      throw new InputError(
        `${JSON.stringify(name)} is no column`,
        '--columns',
        `${COLUMNS.join(', ')}, or a field as in --filter`,
      );
    return found;
  });
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
