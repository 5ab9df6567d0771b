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
} from '../monitor/index.ts';
import { readPolicy } from '../policy/index.ts';
import { loadAmendments } from './amendments.ts';
import { addInputOptions, type InputOptions, inputHelp, readInputs } from './inputs.ts';
import { type Outputs, openOutputs } from './outputs.ts';

interface MonitorCommandOptions extends InputOptions {
  readonly policy: readonly string[];
  readonly container: readonly string[];
  readonly output: readonly string[];
  readonly allow: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
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
    .option('-q, --quiet', 'no notes and no summary on standard error')
    .addHelpText(
      'after',
      `
${inputHelp}

Containers are bound to policies by image digest, else by image name; what has no policy is said and counted. Findings
that follow from one cause are one incident. Notes and a summary go to standard error.

Example:
  effigy monitor --policy shop.policy.json /var/log/sysflow/
  effigy monitor --policy shop.policy.json --container shop-1 --json trace.sf
  effigy monitor --policy shop.policy.json -o ecs=findings.ndjson -o text --allow shop.allow.json trace.sf
  effigy monitor --policy shop.policy.json --listen /var/run/sysflow.sock
  tail -F tetragon.log | effigy monitor --policy shop.policy.json -

Exit status: 0 no findings, 1 findings, 2 error.`,
    )
    .action(runMonitor);
  addInputOptions(command);
}

function runMonitor(traces: readonly string[], options: MonitorCommandOptions): Promise<void> | undefined {
  if (options.policy.length === 0)
    throw new InputError('no policy to hold the traces against', 'effigy monitor', 'add --policy FILE');
  const policies = options.policy.map(loadPolicy);
  const amendments = loadAmendments(options.allow);
  const outputs = openOutputs(options.output, options.json === true);
  const say = (text: string): void => {
    if (!options.quiet) process.stderr.write(text);
  };
  const live = options.follow === true || options.listen !== undefined;
  const monitor = createMonitor(policies, {
    assignments: options.container.map((text) => assignment(text, options.policy)),
    amendments,
    onNote: (note) => {
      // The summary has these.
      if (!summarized.has(note.kind)) say(`effigy: ${printNote(note)}\n`);
    },
    onFinding: (finding) => {
      outputs.finding(finding);
      // The report for people comes at the end, which may be far.
      if (live && outputs.people) say(`effigy: ${printBriefly(finding)}\n`);
    },
  });
  const waits = readInputs(traces, options, {
    observe: (observation, traits) => monitor.observe(observation, traits),
    flow: (row, traits) => monitor.flow(row, traits),
    say: (text) => say(`effigy: ${text}\n`),
  });
  const finish = (): void => report(monitor, outputs, say);
  if (waits !== undefined) return waits.then(finish);
  finish();
  return undefined;
}

/** One line, for who watches. */
function printBriefly({ severity, kind, container, pid, exe, effect, why }: Finding): string {
  const what = [effect.op, effect.access, effect.resource].filter((part) => part !== '').join(' ');
  return printable(
    `${severity}: ${kind} in ${container.name || container.id}, ${pid} ${exe}: ${what} (${why})`,
  );
}

function report(monitor: Monitor, outputs: Outputs, say: (text: string) => void): void {
  monitor.flush();
  const summary = monitor.summary();
  outputs.end(summary);
  say(`${outputs.people ? '\n' : ''}${printSummary(summary)}`);
  if (summary.counters.findings > 0) process.exitCode = 1;
}

function loadPolicy(file: string): NamedPolicy {
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
