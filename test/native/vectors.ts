// Cases as text, to keep those that once differed. One case a line, fields in any order, what is absent is zero or the
// default:
//
//   code=4801d8 rflags=202 rax=5 rbx=7 rsp=30000800 fx=FXSAVE-image ymm=upper-halves at.10=0102 # remark
//
// `at.OFFSET` are bytes put into the memory image. All numbers are hexadecimal.
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { hex, InputError, unhex } from '../../src/bytes/index.ts';
import { REGISTERS } from '../../src/isa/index.ts';
import { type Case, defaultFx } from './native.ts';

const NAMES: readonly string[] = REGISTERS.slice(0, 16).map((row) => row.name);

/** Folder of the vectors, whether tests run from source or compiled. */
export function vectorFolder(): URL {
  const candidates = ['./vectors/', '../../../../test/native/vectors/', '../../../test/native/vectors/'].map(
    (path) => new URL(path, import.meta.url),
  );
  return candidates.find((url) => existsSync(url)) ?? candidates[1];
}

export function printCase(c: Case, remark = ''): string {
  const parts = [`code=${hex(c.code)}`, `rflags=${c.rflags.toString(16)}`];
  c.gpr.forEach((value, i) => {
    if (value !== 0n) parts.push(`${NAMES[i]}=${value.toString(16)}`);
  });
  const fx = hex(c.fx);
  if (fx !== hex(defaultFx())) parts.push(`fx=${fx}`);
  if (c.ymm !== undefined) parts.push(`ymm=${hex(c.ymm)}`);
  for (const patch of c.patches) parts.push(`at.${patch.offset.toString(16)}=${hex(patch.bytes)}`);
  return `${parts.join(' ')}${remark === '' ? '' : ` # ${remark}`}`;
}

export function parseCase(line: string, where: string): Case {
  const gpr = new BigUint64Array(16);
  const patches: { offset: number; bytes: Uint8Array }[] = [];
  let code: Uint8Array | undefined;
  let rflags = 0x202n;
  let fx = defaultFx();
  let ymm: Uint8Array | undefined;
  const bytesOf = (text: string): Uint8Array => {
    const bytes = unhex(text);
    if (bytes === undefined) throw new InputError(`not hexadecimal: ${text}`, where);
    return bytes;
  };
  for (const field of line.replace(/#.*/, '').trim().split(/\s+/)) {
    const [key, value = ''] = field.split('=');
    if (key === 'code') code = bytesOf(value);
    else if (key === 'rflags') rflags = BigInt(`0x${value}`);
    else if (key === 'fx') fx = bytesOf(value);
    else if (key === 'ymm') ymm = bytesOf(value);
    else if (key.startsWith('at.'))
      patches.push({ offset: Number.parseInt(key.slice(3), 16), bytes: bytesOf(value) });
    else if (NAMES.includes(key)) gpr[NAMES.indexOf(key)] = BigInt(`0x${value}`);
    else throw new InputError(`unknown field ${key}`, where);
  }
  if (code === undefined) throw new InputError('no code', where);
  return { code, gpr, rflags, fx, ...(ymm === undefined ? {} : { ymm }), patches };
}

/** The cases of one file of the folder, e.g. `integer.txt`; all files' without a name. */
export function loadVectors(name?: string): Case[] {
  const folder = vectorFolder();
  const names =
    name === undefined
      ? readdirSync(folder)
          .filter((file) => file.endsWith('.txt'))
          .sort()
      : [name];
  return names.flatMap((file) => {
    const url = new URL(file, folder);
    if (!existsSync(url)) return [];
    const lines = readFileSync(url, 'utf8').split('\n');
    return lines.flatMap((line, i) =>
      /^\s*(#|$)/.test(line) ? [] : [parseCase(line, `${file} line ${i + 1}`)],
    );
  });
}

/** Appends cases to a file of the folder where EFFIGY_KEEP=1 asks for it. */
export function keepVectors(
  name: string,
  cases: readonly { readonly test: Case; readonly remark: string }[],
): void {
  if (process.env['EFFIGY_KEEP'] !== '1') return;
  for (const { test, remark } of cases)
    appendFileSync(new URL(name, vectorFolder()), `${printCase(test, remark)}\n`);
}
