// System call scripts: text cases that hold for our kernel and for the host's. One call a line:
//
//   open "/dir/one" O_RDWR|O_CREAT 0644 = 3
//   pread64 3 out:16 16 0 = 3 "one"
//   stat "/dir" out:144 = 0 u32@24=040755
//
// Arguments: numbers, names of constants joined by |, "strings" (C escapes, NUL-terminated), hex:0a0b (memory),
// out:N (N bytes of zeroed memory), same (the memory of the last out or hex argument). After `=`: a number, -ENAME,
// `blocks` (only for our kernel), or `*` (anything). Then checks on the last memory: "text" or u8|u16|u32|u64@offset=value.

import { AT, F, FALLOC, IOCTL, LOCK, O, RENAME, RESOLVE, S, SEAL, SEEK } from '../../src/linux/abi-file.ts';
import { CAP } from '../../src/linux/abi-process.ts';
import { catalogue } from '../../src/linux/catalogue.ts';
import { E } from '../../src/linux/errno.ts';
import { POLL } from '../../src/linux/file.ts';
import { IN } from '../../src/linux/inotify.ts';

export type Value =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'out'; readonly size: number }
  | { readonly kind: 'same' };

export type Check =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly width: number; readonly offset: number; readonly value: bigint };

export interface Step {
  readonly line: number;
  readonly text: string;
  readonly nr: number;
  readonly name: string;
  readonly args: readonly Value[];
  readonly expected: number | 'blocks' | 'any';
  readonly checks: readonly Check[];
}

function constants(prefix: string, table: Readonly<Record<string, number>>): [string, bigint][] {
  return Object.entries(table).map(([name, value]) => [`${prefix}${name}`, BigInt(value)]);
}

const CONSTANTS = new Map<string, bigint>([
  ...constants('O_', O),
  ...constants('AT_', AT),
  ...constants('F_', { ...F, RDLCK: LOCK.RDLCK, WRLCK: LOCK.WRLCK, UNLCK: LOCK.UNLCK }),
  ...constants('F_SEAL_', SEAL),
  ...constants('LOCK_', { SH: LOCK.SH, EX: LOCK.EX, NB: LOCK.NB, UN: LOCK.UN }),
  ...constants('SEEK_', SEEK),
  ...constants('RENAME_', RENAME),
  ...constants('RESOLVE_', RESOLVE),
  ...constants('FALLOC_', FALLOC),
  ...constants('S_', S),
  ...constants('IN_', IN),
  ...constants('POLL', POLL),
  ...constants('CAP_', CAP),
  ...constants('', IOCTL),
]);

/** More names, for the families that have scripts of their own. */
export function define(prefix: string, table: Readonly<Record<string, number>>): void {
  for (const [name, value] of constants(prefix, table)) CONSTANTS.set(name, value);
}

const numbers = new Map(catalogue.map(({ name, nr }) => [name, nr]));

function numberOf(text: string): bigint | undefined {
  if (/^-?(0x[0-9a-f]+|[0-9]+)$/i.test(text)) {
    const negative = text.startsWith('-');
    const digits = negative ? text.slice(1) : text;
    const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    return negative ? -value : value;
  }
  let sum = 0n;
  for (const name of text.split('|')) {
    const value = CONSTANTS.get(name) ?? (/^[0-9]/.test(name) ? numberOf(name) : undefined);
    if (value === undefined) return undefined;
    sum |= value;
  }
  return sum;
}

const unquote = (text: string): string =>
  text.replace(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) =>
    code === 'n'
      ? '\n'
      : code.startsWith('x')
        ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
        : code === '0'
          ? '\0'
          : code,
  );
const binary = (text: string): Uint8Array => Uint8Array.from(text, (ch) => ch.charCodeAt(0));

function argumentOf(token: string): Value {
  if (token.startsWith('"')) {
    const repeat = /^"(.*)"\*(\d+)$/.exec(token);
    const text = repeat === null ? unquote(token.slice(1, -1)) : unquote(repeat[1]).repeat(Number(repeat[2]));
    return { kind: 'bytes', bytes: binary(`${text}\0`) };
  }
  if (token.startsWith('hex:'))
    return {
      kind: 'bytes',
      bytes: Uint8Array.from(token.slice(4).match(/../g) ?? [], (h) => Number.parseInt(h, 16)),
    };
  if (token.startsWith('out:')) return { kind: 'out', size: Number(token.slice(4)) };
  if (token === 'same') return { kind: 'same' };
  const value = numberOf(token);
  if (value === undefined) throw new Error(`not an argument: ${token}`);
  return { kind: 'number', value };
}

function checkOf(token: string): Check {
  if (token.startsWith('"')) return { kind: 'text', text: unquote(token.slice(1, -1)) };
  const field = /^u(8|16|32|64)@(\d+)=(.+)$/.exec(token);
  const value = field === null ? undefined : numberOf(field[3]);
  if (field === null || value === undefined) throw new Error(`not a check: ${token}`);
  return { kind: 'field', width: Number(field[1]) / 8, offset: Number(field[2]), value };
}

export function parseScript(text: string): Step[] {
  const steps: Step[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/^\s*#.*$/, '').trim();
    if (line === '') continue;
    const tokens: string[] = line.match(/"(?:[^"\\]|\\.)*"(?:\*\d+)?|\S+/g) ?? [];
    const equals = tokens.indexOf('=');
    const name = tokens[0];
    const nr = numbers.get(name);
    if (nr === undefined || equals < 0) throw new Error(`line ${index + 1}: ${raw}`);
    const result = tokens[equals + 1];
    const known = result.startsWith('-E') ? E[result.slice(2) as keyof typeof E] : undefined;
    const expected =
      result === 'blocks'
        ? 'blocks'
        : result === '*'
          ? 'any'
          : known !== undefined
            ? -known
            : Number(numberOf(result));
    if (typeof expected === 'number' && Number.isNaN(expected))
      throw new Error(`line ${index + 1}: result ${result}`);
    steps.push({
      line: index + 1,
      text: line,
      nr,
      name,
      args: tokens.slice(1, equals).map(argumentOf),
      expected,
      checks: tokens.slice(equals + 2).map(checkOf),
    });
  }
  return steps;
}

/** What is wrong with the memory that a call filled; undefined: nothing. */
export function failedCheck(checks: readonly Check[], memory: Uint8Array): string | undefined {
  for (const check of checks) {
    if (check.kind === 'text') {
      const got = String.fromCharCode(...memory.subarray(0, check.text.length));
      if (got !== check.text) return `memory ${JSON.stringify(got)}, expected ${JSON.stringify(check.text)}`;
      continue;
    }
    let got = 0n;
    for (let i = check.width - 1; i >= 0; i--) got = (got << 8n) | BigInt(memory[check.offset + i]);
    if (got !== BigInt.asUintN(8 * check.width, check.value))
      return `u${8 * check.width}@${check.offset} is ${got} (0${got.toString(8)}), expected ${check.value}`;
  }
  return undefined;
}
