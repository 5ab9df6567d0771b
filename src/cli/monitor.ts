// `effigy monitor`: holds traces against policies.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import { hostError, openFile } from '../host/index.ts';
import {
  type Assignment,
  createMonitor,
  type Finding,
  type NamedPolicy,
  type Note,
  printIncident,
  printNote,
  printSummary,
} from '../monitor/index.ts';
import { readPolicy } from '../policy/index.ts';
import { openSysFlow, type Source } from '../telemetry/index.ts';

interface MonitorCommandOptions {
  readonly policy: readonly string[];
  readonly container: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const summarized: ReadonlySet<Note['kind']> = new Set(['bound', 'unwatched-container', 'unwatched-host']);

const collect = (value: string, sofar: readonly string[]): readonly string[] => [...sofar, value];

export function addMonitorCommand(program: Command): void {
  program
    .command('monitor')
    .description('hold what containers did against their policies and report what is not in them')
    .argument(
      '<trace...>',
      'SysFlow files, or directories of them, read in the order of the numbers in their names',
    )
    .option('-p, --policy <file>', 'policy made by effigy model (repeatable)', collect, [])
    .option(
      '--container <name[=policy]>',
      'hold the container of this name or id (* for all) against this policy, whatever its image (repeatable)',
      collect,
      [],
    )
    .option('--json', 'print each finding as one line of JSON, as it is made')
    .option('-q, --quiet', 'no notes and no summary on standard error')
    .addHelpText(
      'after',
      `
Containers are bound to policies by image digest, else by image name; what has no policy is said and counted. Findings
that follow from one cause are one incident. Notes and a summary go to standard error.

Example:
  effigy monitor --policy shop.policy.json /var/log/sysflow/
  effigy monitor --policy shop.policy.json --container shop-1 --json trace.sf

Exit status: 0 no findings, 1 findings, 2 error.`,
    )
    .action(runMonitor);
}

function runMonitor(traces: readonly string[], options: MonitorCommandOptions): void {
  if (options.policy.length === 0)
    throw new InputError('no policy to hold the traces against', 'effigy monitor', 'add --policy FILE');
  const policies = options.policy.map(loadPolicy);
  const say = (text: string): void => {
    if (!options.quiet) process.stderr.write(text);
  };
  const monitor = createMonitor(policies, {
    assignments: options.container.map((text) => assignment(text, options.policy)),
    onNote: (note) => {
      // The summary has these.
      if (!summarized.has(note.kind)) say(`effigy: ${printNote(note)}\n`);
    },
    onFinding: (finding) => {
      if (options.json) process.stdout.write(`${findingJson(finding)}\n`);
    },
  });
  for (const { path, listed } of traces.flatMap(traceFiles)) {
    const source = openTrace(path, listed);
    if (source === undefined) {
      say(`effigy: ${printable(path)}: not a SysFlow trace; skipped\n`);
      continue;
    }
    for (const observation of source.observations()) monitor.observe(observation, source.traits);
  }
  monitor.flush();
  const summary = monitor.summary();
  if (!options.json) {
    const { incidents } = summary;
    process.stdout.write(incidents.length === 0 ? 'no findings\n' : incidents.map(printIncident).join('\n'));
  }
  say(`${options.json ? '' : '\n'}${printSummary(summary)}`);
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

interface TraceFile {
  readonly path: string;
  /** Found in a directory: may be something else. */
  readonly listed: boolean;
}

/** Files of a directory in the order of the number in their names, as the ecosystem's tools do; then by name. */
function traceFiles(path: string): TraceFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, listed: false }];
    const names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
    if (names.length === 0) throw new InputError('no traces in this directory', path, 'name a SysFlow file');
    return names.sort(byNumber).map((name) => ({ path: join(path, name), listed: true }));
  } catch (error) {
    throw hostError(error, path);
  }
}

function byNumber(a: string, b: string): number {
  const [x, y] = [digits(a), digits(b)];
  if (x !== y) return x < y ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

const digits = (name: string): bigint => BigInt(name.replace(/\D/g, '') || '0');

/** Undefined where a file of a directory is no trace. */
function openTrace(path: string, listed: boolean): Source | undefined {
  try {
    return openSysFlow(openFile(path));
  } catch (error) {
    if (listed && error instanceof InputError) return undefined;
    throw error;
  }
}

/** The documented shape of a finding as JSON: 64-bit times as decimal text. */
function findingJson(finding: Finding): string {
  const { container, time, kind, severity, technique, ...rest } = finding;
  return JSON.stringify({
    time: String(time),
    kind,
    severity,
    container: container.id,
    containerName: container.name,
    image: container.image,
    ...rest,
    ...(technique === undefined ? {} : { technique }),
  });
}
