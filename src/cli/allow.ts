// `effigy allow`: from findings to reviewed, named exceptions.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import { printEffect } from '../effect/index.ts';
import { hostError } from '../host/index.ts';
import { type Amendment, readAmendments, writeAmendments } from '../policy/index.ts';
import { type AllowOptions, allowFinding, type RecordedFinding, readFindings } from '../report/index.ts';
import { loadAmendments } from './amendments.ts';

interface AllowCommandOptions {
  readonly from: string;
  readonly output: string;
  readonly why: string;
  readonly by?: string;
  readonly name?: string;
  readonly expires?: string;
  readonly path?: string;
  readonly anyArgs?: boolean;
  readonly anyPeer?: boolean;
  readonly anyImage?: boolean;
  readonly anyAutomaton?: boolean;
}

export function addAllowCommand(program: Command): void {
  program
    .command('allow')
    .description('write down that a finding is all right: a reviewed, named exception to a policy')
    .argument('[finding...]', 'ids of findings; none where the file has only one')
    .requiredOption(
      '--from <file>',
      'findings, as effigy monitor --output json writes them; - for standard input',
    )
    .requiredOption('-o, --output <file>', 'amendment file to write, or to add to')
    .requiredOption('--why <text>', 'why it is all right')
    .option('--by <who>', 'who says so (the user who runs this)')
    .option('--name <name>', 'name of the amendment (made from program and effect)')
    .option(
      '--expires <date>',
      'YYYY-MM-DD, or a time as YYYY-MM-DDTHH:MM:SSZ; from then on it is a finding again',
    )
    .option(
      '--path <pattern>',
      'in place of the path of the file or program: * within a directory, ** anything',
    )
    .option('--any-args', 'the program with any arguments')
    .option('--any-peer', 'any address and port of the other side')
    .option('--any-image', 'in containers of any image')
    .option('--any-automaton', 'whatever the task follows in the policy')
    .addHelpText(
      'after',
      `
An amendment is as narrow as its finding, unless an option widens it. Who may open a file may use it as opened; who may
execute a program that the policy does not have may do with it whatever that does.

Example:
  effigy monitor -p shop.policy.json -o json=findings.ndjson -o text /var/log/sysflow/
  effigy allow 0123456789ab-1.2 --from findings.ndjson -o shop.allow.json --why 'nightly backup reads it'
  effigy monitor -p shop.policy.json --allow shop.allow.json /var/log/sysflow/`,
    )
    .action(runAllow);
}

function runAllow(ids: readonly string[], options: AllowCommandOptions): void {
  const findings = chosen(readFindings(readText(options.from), options.from), ids, options.from);
  if (options.name !== undefined && findings.length > 1)
    throw new InputError('several findings and one name', `--name ${options.name}`, 'one finding at a time');
  const before = existsSync(options.output) ? loadAmendments([options.output]) : [];
  const settings = settingsOf(options);
  const all: Amendment[] = [...before];
  for (const finding of findings) all.push(allowFinding(finding, settings, all));
  const text = writeAmendments(all);
  // What cannot be read back must not replace what can.
  readAmendments(text, options.output);
  replaceFile(options.output, text);
  for (const amendment of all.slice(before.length)) process.stdout.write(told(amendment));
}

function told({ name, program, automaton, effect, expires, image }: Amendment): string {
  const who = [program, automaton === '' ? '' : `(${automaton})`].filter((part) => part !== '').join(' ');
  const wide =
    effect.op === 'EXEC' ? '; where the policy does not have that program, it may do whatever it does' : '';
  const until = expires === undefined ? '' : ` until ${expires}`;
  return `${name}: ${printable(who)} of ${printable(image)} may ${printEffect(effect)}${until}${wide}\n`;
}

function settingsOf(options: AllowCommandOptions): AllowOptions {
  const { name = '', expires, path } = options;
  return {
    name,
    why: options.why,
    by: options.by ?? userInfo().username,
    created: `${new Date().toISOString().slice(0, 19)}Z`,
    ...(expires === undefined ? {} : { expires: dateOf(expires) }),
    ...(path === undefined ? {} : { path }),
    anyArgs: options.anyArgs === true,
    anyPeer: options.anyPeer === true,
    anyImage: options.anyImage === true,
    anyAutomaton: options.anyAutomaton === true,
  };
}

function dateOf(text: string): string {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(time) || Number.isNaN(Date.parse(time)))
    throw new InputError('no such date', `--expires ${text}`, 'YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ');
  return time;
}

function chosen(
  findings: readonly RecordedFinding[],
  ids: readonly string[],
  file: string,
): RecordedFinding[] {
  if (ids.length === 0) {
    if (findings.length === 1) return [...findings];
    throw new InputError(
      findings.length === 0 ? 'no findings' : `${findings.length} findings`,
      file,
      findings.length === 0 ? 'nothing to allow' : 'name those that are all right by their ids',
    );
  }
  return [...new Set(ids)].map((id) => {
    const found = findings.find((finding) => finding.id === id);
    if (found === undefined) throw new InputError(`no finding ${id}`, file, 'its lines have the ids');
    return found;
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw hostError(error, file);
  }
}

/** Whole or not at all. */
function replaceFile(file: string, text: string): void {
  const beside = `${file}.new`;
  try {
    writeFileSync(beside, text);
    renameSync(beside, file);
  } catch (error) {
    throw hostError(error, file);
  }
}
