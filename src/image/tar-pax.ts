// POSIX.1-2001 extended headers ("pax"): records `LENGTH KEY=VALUE\n`, LENGTH counting all of the record. Values are
// bytes; an empty one takes an earlier value back.
import { decodeText, InputError, printable } from '../bytes/index.ts';

export type PaxRecords = ReadonlyMap<string, Uint8Array>;

/** Keys that a sparse file of format 0.0 repeats; their values are joined by commas, as format 0.1 writes them. */
const repeated = new Set(['GNU.sparse.offset', 'GNU.sparse.numbytes']);

export function parsePax(bytes: Uint8Array, where: () => string): PaxRecords {
  const fail = (): never => {
    throw new InputError('malformed extended header', where());
  };
  const records = new Map<string, Uint8Array>();
  const map: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : decodeText(bytes.subarray(at, Math.min(space, at + 12)));
    const length = Number(digits);
    const end = at + length;
    if (!/^[1-9][0-9]*$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a) fail();
    const equals = bytes.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) fail();
    const key = decodeText(bytes.subarray(space + 1, equals));
    const value = bytes.slice(equals + 1, end - 1);
    if (key === '' || key.includes('\0')) fail();
    if (repeated.has(key)) map.push(decodeText(value));
    else if (value.length === 0 && !key.startsWith('SCHILY.xattr.')) records.delete(key);
    else records.set(key, value);
    at = end;
  }
  if (map.length > 0) records.set('GNU.sparse.map', new TextEncoder().encode(map.join(',')));
  return records;
}

/** A record as text; undefined where there is none. NUL bytes are an InputError. */
export function paxText(
  records: PaxRecords | undefined,
  key: string,
  where: () => string,
): string | undefined {
  const value = records?.get(key);
  if (value === undefined) return undefined;
  if (value.includes(0)) throw new InputError(`extended header: ${key} holds a NUL byte`, where());
  return decodeText(value);
}

/** A record as a whole number that is not negative. */
export function paxNumber(
  records: PaxRecords | undefined,
  key: string,
  where: () => string,
): number | undefined {
  const said = paxText(records, key, where);
  if (said === undefined) return undefined;
  const value = Number(said);
  if (!/^[0-9]+$/.test(said) || !Number.isSafeInteger(value))
    throw new InputError(`extended header: ${key} is no number (${printable(said)})`, where());
  return value;
}

/** Decimal seconds with a fraction; nanoseconds count upwards from the second below, also for negative times. */
export function paxTime(
  records: PaxRecords | undefined,
  key: string,
  where: () => string,
): { readonly seconds: number; readonly ns: number } | undefined {
  const said = paxText(records, key, where);
  if (said === undefined) return undefined;
  const parts = /^(-?)([0-9]+)(?:\.([0-9]*))?$/.exec(said);
  const whole = Number(parts?.[2]);
  if (parts === null || !Number.isSafeInteger(whole))
    throw new InputError(`extended header: ${key} is no time (${printable(said)})`, where());
  const ns = Number((parts[3] ?? '').padEnd(9, '0').slice(0, 9));
  if (parts[1] === '') return { seconds: whole, ns };
  return ns === 0 ? { seconds: -whole || 0, ns: 0 } : { seconds: -whole - 1, ns: 1_000_000_000 - ns };
}

const xattrPrefix = 'SCHILY.xattr.';
const none: ReadonlyMap<string, Uint8Array> = new Map();

/** Extended attributes as star, GNU tar and Go write them. (libarchive's own keys repeat them in base 64; engines ignore those.) */
export function paxXattrs(records: PaxRecords | undefined): ReadonlyMap<string, Uint8Array> {
  if (records === undefined) return none;
  let found: Map<string, Uint8Array> | undefined;
  for (const [key, value] of records) {
    if (!key.startsWith(xattrPrefix) || key.length === xattrPrefix.length) continue;
    found ??= new Map();
    found.set(key.slice(xattrPrefix.length), value);
  }
  return found ?? none;
}
