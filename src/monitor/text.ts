// Incidents, notes and summaries as text for people. Control characters of what a container named are escaped.
import { grouped, printable } from '../bytes/index.ts';
import type { AmendmentUse } from './allowed.ts';
import type {
  ContainerRef,
  EffectText,
  Expected,
  Finding,
  Incident,
  IncidentProcess,
  Note,
} from './finding.ts';
import type { MonitorSummary } from './monitor.ts';

/** One incident: its processes as a tree, then its findings, then what else foreign processes did. */
export function printIncident(incident: Incident): string {
  const { id, severity, container, time, lastTime, findings, more, processes, effects } = incident;
  const lines = [
    `incident ${printable(id)}  ${severity}`,
    `  container ${containerText(container)}`,
    `  ${timeText(time)}${lastTime > time ? `, for ${durationText(lastTime - time)}` : ''}`,
    '',
    ...tree(processes).map((line) => `  ${line}`),
    '',
    ...findings.flatMap((finding) => printFinding(finding, time)),
  ];
  if (more > 0) lines.push(`  and ${more} more findings of this incident`);
  if (effects.length > 0) {
    lines.push('  foreign processes then did:');
    for (const { op, count, examples } of effects) {
      const shown = examples.map(printable).join(', ');
      const rest = count > examples.length && examples.length > 0 ? ', …' : '';
      lines.push(`    ${op} ×${count}${shown === '' ? '' : `  ${shown}${rest}`}`);
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function printFinding(finding: Finding, start: bigint): string[] {
  const { kind, severity, effect, pid, tid, exe, why, expected, technique, count } = finding;
  const after = finding.time - start;
  const thread = tid === pid ? '' : ` thread ${tid}`;
  const times = count > 1 ? `  (${count} times)` : '';
  const attack = technique === undefined ? '' : `  [${technique.id} ${technique.name}]`;
  return [
    `  +${durationText(after)}  ${kind}  ${severity}  ${effectText(effect)}${times}${attack}`,
    `    ${pid}${thread} ${printable(exe)}: ${printable(why)}`,
    ...expected.map((each, i) => `    ${i === 0 ? 'expected' : '      or'} ${expectedText(each)}`),
    '',
  ];
}

const expectedText = ({ effect, at, phase }: Expected): string =>
  `${effectText(effect)}  (${phase}${at === '' ? '' : `, from ${printable(at)}`})`;

const effectText = ({ op, access, resource }: EffectText): string =>
  [op, access, resource].filter((part) => part !== '').join(' ');

/** One line a process, children below their parents. */
function tree(processes: readonly IncidentProcess[]): string[] {
  const lines: string[] = [];
  const visit = (process: IncidentProcess, before: string, own: string): void => {
    const { pid, exe, args, foreign, effects } = process;
    const what = foreign ? `  foreign${effects > 0 ? `, ${effects} effects` : ''}` : '';
    lines.push(`${before}${own}${pid} ${printable(`${exe} ${args}`.trim())}${what}`);
    const children = processes.filter((other) => other.parent === pid && other !== process);
    const below = before + (own === '' ? '' : own === '└─ ' ? '   ' : '│  ');
    children.forEach((child, i) => {
      visit(child, below, i === children.length - 1 ? '└─ ' : '├─ ');
    });
  };
  for (const process of processes) if (process.parent === 0) visit(process, '', '');
  return lines;
}

/** One line. */
export function printNote(note: Note): string {
  switch (note.kind) {
    case 'unwatched-container':
      return `container ${containerText(note.container)}: ${note.why}; what it does is not checked`;
    case 'unwatched-host':
      return 'processes outside of containers: no policy is for them; what they do is not checked';
    case 'bound':
      return `container ${containerText(note.container)}: policy ${printable(note.policy)}, by ${note.by}`;
    case 'other-image':
      return `container ${containerText(note.container)}: policy ${printable(note.policy)}, by name; but its image is ${printable(note.found)} and the policy is for ${note.expected}: model the image again`;
    case 'mid-life':
      return `container ${containerText(note.container)}: was running before the trace (process ${note.pid} ${printable(note.exe)}); its processes may be in any state`;
    case 'gap':
      return `${note.records} records lost (${printable(note.reason)}); order is held again after them`;
    case 'died':
      return `container ${containerText(note.container)}: process ${note.pid} ${printable(note.exe)} died of signal ${note.signal}`;
    case 'not-started':
      return `container ${containerText(note.container)}: its entrypoint was not seen to start`;
    case 'ahead':
      return `a record of process ${note.pid} has a time far ahead of all others (${timeText(note.time)}): such records are judged as of the time when they come`;
    case 'early':
      return `more than ${note.pending} observations wait for their verdict on order; the oldest are judged early, without findings about order`;
    default:
      return `${note.processes} processes were forgotten for want of room`;
  }
}

/** What was read and what became of it. */
export function printSummary({
  counters,
  containers,
  incidents,
  moreIncidents,
  amendments,
}: MonitorSummary): string {
  const {
    absent,
    watched,
    prelude,
    foreign,
    unwatched,
    unattributed,
    late,
    early,
    undecided,
    shared,
    lostRecords,
    dropped,
  } = counters;
  const found = incidents.length + moreIncidents;
  const lines = [
    `${number(counters.events + counters.flows)} events and flows: ${number(watched)} checked, ${number(unwatched)} of containers and processes without a policy`,
    `${plural(found, 'incident')}, ${plural(counters.findings, 'finding')}${counters.repeated > 0 ? `, ${number(counters.repeated)} repeated` : ''}`,
  ];
  const details: readonly (readonly [number, string])[] = [
    [counters.unreported, 'findings counted in their incidents only, because there were too many'],
    [counters.unknown, 'processes and threads that nothing explains, let pass'],
    [counters.allowed, 'covered by amendments'],
    [prelude, 'before an entrypoint was executed'],
    [foreign, 'of foreign processes, counted in their incidents'],
    [absent, 'attempts on files that were not there, beyond those in the policy'],
    [unattributed, 'of processes that were never announced: not checked'],
    [lostRecords, 'records that could not be used'],
    [late, 'too late for their order to be checked'],
    [counters.ahead, 'with a time far ahead of all others, judged as of the time when they came'],
    [early, 'judged early for want of room'],
    [shared, 'steps of a thread that were due from another of its process'],
    [undecided, 'questions of order left open because records may be missing'],
    [dropped, 'dropped while it was not known whose they are'],
  ];
  for (const [count, what] of details) if (count > 0) lines.push(`  ${number(count)} ${what}`);
  for (const use of amendments) lines.push(`  ${amendmentText(use)}`);
  for (const { container, policy, why, records, effects, seen } of containers) {
    const how =
      policy === undefined
        ? `no policy: ${why}`
        : `policy ${printable(policy)}, order of ${number(seen)} of its ${number(effects)} effects is told by the source`;
    lines.push(`  container ${containerText(container)}: ${plural(records, 'record')}, ${how}`);
  }
  if (counters.host > 0) lines.push(`  outside of containers: ${plural(counters.host, 'record')}, no policy`);
  return `${lines.join('\n')}\n`;
}

function amendmentText({ amendment, policy, covered, expired }: AmendmentUse): string {
  const { name, expires = '' } = amendment;
  const whose = policy === '' ? '' : ` of ${printable(policy)}`;
  const used = covered === 0 ? 'never matched' : `covered ${plural(covered, 'finding')}`;
  const over = expired === 0 ? '' : `; expired ${expires}, ${plural(expired, 'finding')} since`;
  return `amendment ${name}${whose}: ${used}${over}`;
}

const number = (n: number): string => grouped(n);
const plural = (n: number, noun: string): string => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;

const containerText = ({ id, name, image }: ContainerRef): string =>
  printable([name === '' ? id : `${name} (${id})`, image].filter((part) => part !== '').join(' '));

/** `2020-09-11 18:11:30.123456789Z`. */
export function timeText(time: bigint): string {
  const seconds = time / 1_000_000_000n;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return `${time} ns`;
  const fraction = String(time % 1_000_000_000n).padStart(9, '0');
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}.${fraction}Z`;
}

/** `1.250 s`. */
function durationText(nanoseconds: bigint): string {
  const ms = Number(nanoseconds) / 1e6;
  if (ms < 1000) return `${ms.toFixed(3)} ms`;
  return ms < 600_000 ? `${(ms / 1000).toFixed(3)} s` : `${(ms / 60_000).toFixed(1)} min`;
}
