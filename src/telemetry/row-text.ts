// Rows as text, as sysprint prints them, and as JSON objects by the names of the fields.
import { printable } from '../bytes/index.ts';
import { type Op, printResource } from '../effect/index.ts';
import { endsOf, FIELDS, type FieldValue } from './fields.ts';
import type { Row } from './rows.ts';

/** Letters of what flows have; operations without one are spelled out. In sysprint's order. */
const letters: readonly (readonly [op: Op, letter: string])[] = [
  ['OPEN', 'O'],
  ['ACCEPT', 'A'],
  ['CONNECT', 'C'],
  ['WRITE', 'W'],
  ['READ', 'R'],
  ['SETNS', 'N'],
  ['MMAP', 'M'],
  ['SHUTDOWN', 'S'],
  ['CLOSE', 'C'],
];
const lettered: ReadonlySet<Op> = new Set(letters.map(([op]) => op));

/** `O R C` of flows (T: cut), the name of what is an event. */
export function opsText({ type, ops, observation }: Row): string {
  if (type === 'PE' || type === 'FE') return ops.join(' ');
  const out = letters.filter(([op]) => ops.includes(op)).map(([, letter]) => letter);
  out.push(...ops.filter((op) => !lettered.has(op)));
  if (observation.kind === 'flow' && observation.cut) out.push('T');
  return out.join(' ');
}

/** What it was done to: a path, the other end of a connection (of a server's the client), a program with arguments. */
export function entityText(row: Row): string {
  const { observation } = row;
  const resource = observation.kind === 'event' ? observation.effect.resource : observation.resource;
  if (resource.kind !== 'net') return printResource(resource);
  const ends = endsOf(row);
  if (ends === undefined) return '';
  const text = ({ address, port }: { readonly address: string; readonly port: string }): string =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return `${text(ends.source)}-${text(ends.destination)}`;
}

export const programText = ({ process, observation }: Row): string =>
  printable(process?.exe || `(${observation.task.process.pid})`);

const clock = (time: bigint): string => {
  const date = new Date(Number(time / 1_000_000n));
  if (Number.isNaN(date.getTime())) return String(time);
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
};

/** Columns that are no fields. */
const columns: Readonly<Record<string, (row: Row) => string>> = {
  time: (row) => clock(FIELDS['ts'](row)[0] as bigint),
  proc: programText,
  ops: opsText,
  entity: entityText,
  container: ({ container, process }) => printable(container?.name || process?.containerId || 'host'),
  pid: ({ observation: { task } }) =>
    task.tid === task.process.pid ? String(task.tid) : `${task.process.pid}/${task.tid}`,
  args: ({ process }) => printable(process?.args ?? ''),
  counts: ({ observation: o }) =>
    o.kind === 'event' ? `ret ${o.ret}` : `r ${o.bytesRead}/${o.reads} w ${o.bytesWritten}/${o.writes}`,
};

export const COLUMNS: readonly string[] = Object.keys(columns);

const valueText = (value: FieldValue): string =>
  typeof value === 'string' ? printable(value) : String(value);

/** One line; `names` are columns or names of fields. What is empty leaves no gap where it is a column, `-` of fields. */
export function printRow(row: Row, names: readonly string[]): string {
  return names
    .map((name) => columns[name]?.(row) ?? (FIELDS[name](row).map(valueText).join(',') || '-'))
    .filter((text) => text !== '')
    .join(' ');
}

/** Every field that has a value, nested by its name. Beyond 2^53 numbers are texts. */
export function rowJson(row: Row): string {
  const out: Record<string, unknown> = {};
  for (const [name, get] of Object.entries(FIELDS)) {
    const values = get(row);
    if (values.length === 0) continue;
    const list = many.has(name) ? values.map(plain) : plain(values[0]);
    const [first, second] = name.split('.');
    if (second === undefined) out[first] = list;
    else {
      out[first] ??= {};
      (out[first] as Record<string, unknown>)[second] = list;
    }
  }
  return JSON.stringify(out);
}

const plain = (value: FieldValue): unknown => (typeof value === 'bigint' ? String(value) : value);
const many: ReadonlySet<string> = new Set([
  'opflags',
  'proc.aname',
  'proc.aexe',
  'proc.acmdline',
  'proc.apid',
  'file.openflags',
  'net.ip',
  'net.port',
]);
