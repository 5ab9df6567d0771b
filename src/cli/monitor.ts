// `effigy monitor`: holds traces against policies.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import { hostError } from '../host/index.ts';
import {
  type Assignment,
  createMonitor,
  type Finding,
  type Monitor,
  type NamedPolicy,
  type Note,
  printNote,
  printSummary,
  SEVERITIES,
  type Severity,
} from '../monitor/index.ts';
import { readPolicy } from '../policy/index.ts';
import { printMetrics } from '../report/index.ts';
import type { FlowRow, Observation, SourceTraits } from '../telemetry/index.ts';
import { loadAmendments } from './amendments.ts';
import { addInputOptions, type InputOptions, type InputSink, inputHelp, readInputs } from './inputs.ts';
import { serveMetrics } from './metrics-server.ts';
import { type Outputs, openOutputs } from './outputs.ts';
import { readStateFile, type SavedRun, writeStateFile } from './state-file.ts';

interface MonitorCommandOptions extends InputOptions {
  readonly policy: readonly string[];
  readonly container: readonly string[];
  readonly output: readonly string[];
  readonly allow: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly state?: string;
  readonly metrics?: string;
  readonly fail: 'open' | 'closed';
  readonly severity: Severity;
}

const summarized: ReadonlySet<Note['kind']> = new Set(['bound', 'unwatched-container', 'unwatched-host']);

const collect = (value: string, sofar: readonly string[]): readonly string[] => [...sofar, value];

export function addMonitorCommand(program: Command): void {
  const command = program
    .command('monitor')
    .description('hold what containers did against their policies and report what is not in them')
    .argument('[trace...]', 'traces, or directories of them, read in the order of the numbers in their names')
    .option('-p, --policy <file>', 'policy made by effigy model (repeatable)', collect, [])
    .option(
      '--container <name[=policy]>',
      'hold the container of this name or id (* for all) against this policy, whatever its image (repeatable)',
      collect,
      [],
    )
    .option(
      '-o, --output <format[=file]>',
      'text, json, sysflow, ecs, ocsf, falco, sarif or syslog; on standard output, or to a file (repeatable)',
      collect,
      [],
    )
    .option('--json', 'the same as --output json: each finding as one line, as it is made')
    .option('--allow <file>', 'reviewed exceptions, made by effigy allow (repeatable)', collect, [])
    .option(
      '--state <file>',
      'go on where the last run with this file was, and keep there what is known: nothing is judged or told twice',
    )
    .option('--metrics <[host:]port>', 'serve metrics for Prometheus while running')
    .option('-q, --quiet', 'no notes and no summary on standard error')
    .addHelpText(
      'after',
      `
${inputHelp}

Containers are bound to policies by image digest, else by image name; what has no policy is said and counted. Findings
that follow from one cause are one incident. Notes and a summary go to standard error.

While it follows or listens, SIGTERM and SIGINT end it in order, and SIGHUP has it read policies and exceptions again.

Example:
  effigy monitor --policy shop.policy.json /var/log/sysflow/
  effigy monitor --policy shop.policy.json --follow --state shop.state --metrics 9464 /var/log/sysflow/
  effigy monitor --policy shop.policy.json --container shop-1 --json trace.sf
  effigy monitor --policy shop.policy.json --severity high trace.sf
  effigy monitor --policy shop.policy.json -o ecs=findings.ndjson -o text --allow shop.allow.json trace.sf
  effigy monitor --policy shop.policy.json --listen /var/run/sysflow.sock
  tail -F tetragon.log | effigy monitor --policy shop.policy.json -

Exit status: 0 no findings, 1 findings, 2 error.`,
    )
    .action(runMonitor);
  command.addOption(
    command
      .createOption(
        '--fail <how>',
        'what nothing in the policy explains: find it (closed) or let it pass (open)',
      )
      .choices(['open', 'closed'])
      .default('closed'),
  );
  command.addOption(
    command
      .createOption(
        '--severity <least>',
        'findings and incidents below it are counted only, and are no reason for exit status 1',
      )
      .choices(SEVERITIES)
      .default('low'),
  );
  addInputOptions(command);
}

/** How often what is known is kept, ms; and at the latest after a finding. */
const keepEvery = 30_000;
const keepAfterFinding = 1000;

function runMonitor(traces: readonly string[], options: MonitorCommandOptions): Promise<void> | undefined {
  if (options.policy.length === 0)
    throw new InputError('no policy to hold the traces against', 'effigy monitor', 'add --policy FILE');
  const watch = new WatchRun(options);
  const live = options.follow === true || options.listen !== undefined || watch.keeps;
  if (live || options.metrics !== undefined) return watch.live(traces);
  const waits = readInputs(traces, options, watch);
  if (waits !== undefined) return waits.then(() => watch.finish());
  watch.finish();
  return undefined;
}

/** One run of the command: the monitor, where its findings go, and what is kept of it. */
class WatchRun implements InputSink {
  private readonly options: MonitorCommandOptions;
  private readonly saved: SavedRun | undefined;
  private readonly outputs: Outputs;
  private readonly monitor: Monitor;
  private readonly started = Date.now();
  private found = 0;
  /** Findings of less than the severity that is asked for. */
  private below = 0;
  private reloads = 0;
  private keptAt = Date.now();
  private foundSince = false;

  constructor(options: MonitorCommandOptions) {
    this.options = options;
    const policies = options.policy.map(loadPolicy);
    const amendments = loadAmendments(options.allow);
    this.saved = options.state === undefined ? undefined : readStateFile(options.state);
    const goesOn = this.saved?.monitor !== undefined;
    this.outputs = openOutputs(options.output, options.json === true, goesOn);
    const now = options.follow === true || options.listen !== undefined;
    this.monitor = createMonitor(policies, {
      assignments: options.container.map((text) => assignment(text, options.policy)),
      amendments,
      fail: options.fail,
      // What is read as it happens has the time of now; a trace from another machine need not.
      wall: now ? () => BigInt(Date.now()) * 1_000_000n : undefined,
      onNote: (note) => {
        // The summary has these.
        if (!summarized.has(note.kind)) this.say(printNote(note));
      },
      onFinding: (finding) => {
        if (!this.shows(finding)) {
          this.below++;
          return;
        }
        this.found++;
        this.foundSince = true;
        this.outputs.finding(finding);
        // The report for people comes at the end, which may be far.
        if (now && this.outputs.people) this.say(printBriefly(finding));
      },
    });
    if (this.saved?.monitor !== undefined && options.state !== undefined)
      this.monitor.restore(this.saved.monitor, options.state);
  }

  get keeps(): boolean {
    return this.saved !== undefined;
  }

  observe(observation: Observation, traits: SourceTraits): void {
    this.monitor.observe(observation, traits);
  }

  flow(row: FlowRow, traits: SourceTraits): void {
    this.monitor.flow(row, traits);
  }

  say(text: string): void {
    if (!this.options.quiet) process.stderr.write(`effigy: ${text}\n`);
  }

  /** Keeps what is known now and then, and soon after a finding. */
  pause(): void {
    const since = Date.now() - this.keptAt;
    if (since >= keepEvery || (this.foundSince && since >= keepAfterFinding)) this.keep();
  }

  /** With signals and metrics, until the input ends. */
  async live(traces: readonly string[]): Promise<void> {
    const { options, saved } = this;
    const reload = (): void => this.reload();
    const server =
      options.metrics === undefined ? undefined : await serveMetrics(options.metrics, () => this.metrics());
    if (server !== undefined) this.say(`metrics on port ${server.port}`);
    process.on('SIGHUP', reload);
    const timer = saved === undefined ? undefined : setInterval(() => this.pause(), keepAfterFinding);
    try {
      await readInputs(traces, options, this, saved?.positions);
    } finally {
      clearInterval(timer);
      process.off('SIGHUP', reload);
      server?.close();
    }
    this.finish();
  }

  /** With a state the end of the input is not the end: what waits for its order goes on waiting. */
  finish(): void {
    const { monitor, outputs } = this;
    if (this.keeps) this.keep();
    else monitor.flush();
    const summary = monitor.summary();
    outputs.end({ ...summary, incidents: summary.incidents.filter((incident) => this.shows(incident)) });
    if (!this.options.quiet) process.stderr.write(`${outputs.people ? '\n' : ''}${printSummary(summary)}`);
    if (this.below > 0) this.say(`${this.below} findings below ${this.options.severity} not shown`);
    const told = this.keeps || this.options.severity !== SEVERITIES[0];
    if (told ? this.found > 0 : summary.counters.findings > 0) process.exitCode = 1;
  }

  private shows({ severity }: { readonly severity: Severity }): boolean {
    return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(this.options.severity);
  }

  private keep(): void {
    const { saved, options } = this;
    this.keptAt = Date.now();
    this.foundSince = false;
    if (saved !== undefined && options.state !== undefined)
      writeStateFile(options.state, saved.positions, this.monitor.state());
  }

  /** SIGHUP: files of policies and exceptions anew; where one is no good, everything stays as it was. */
  private reload(): void {
    try {
      const policies = this.options.policy.map(loadPolicy);
      const changed = this.monitor.reload(policies, loadAmendments(this.options.allow));
      this.reloads++;
      this.say(`policies read again: ${changed === 0 ? 'none has changed' : `${changed} changed`}`);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.say(`policies stay as they were: ${error.message.replace(/\s*\n\s*/g, ' ')}`);
    }
  }

  private metrics(): string {
    const summary = this.monitor.summary();
    const { rss, heapUsed } = process.memoryUsage();
    const { latest } = summary;
    return printMetrics(summary, {
      resident: rss,
      heap: heapUsed,
      lag: latest === undefined ? undefined : Date.now() / 1000 - Number(latest / 1_000_000n) / 1000,
      started: this.started / 1000,
      reloads: this.reloads,
    });
  }
}

/** One line, for who watches. */
function printBriefly({ severity, kind, container, pid, exe, effect, why }: Finding): string {
  const what = [effect.op, effect.access, effect.resource].filter((part) => part !== '').join(' ');
  return printable(
    `${severity}: ${kind} in ${container.name || container.id}, ${pid} ${exe}: ${what} (${why})`,
  );
}

export function loadPolicy(file: string): NamedPolicy {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw hostError(error, file);
  }
  return { name: basename(file), policy: readPolicy(text, file) };
}

/** `NAME` (the first policy) or `NAME=POLICYFILE`. */
function assignment(text: string, files: readonly string[]): Assignment {
  const at = text.lastIndexOf('=');
  const container = at < 0 ? text : text.slice(0, at);
  const file = at < 0 ? files[0] : text.slice(at + 1);
  const policy = files.indexOf(file);
  if (policy < 0)
    throw new InputError('not one of the policies', `--container ${text}`, `add --policy ${file}`);
  return { container, policy };
}
