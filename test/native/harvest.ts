// Instruction forms that occur in real programs: a linear sweep over the executable segments of this machine's shell, C
// library and loader by our own decoder. Enough of ELF to find the segments is here; the elf room does it properly.
import { existsSync, readFileSync } from 'node:fs';
import { createDecoder, type Instruction } from '../../src/isa/index.ts';
import { formOf } from './instances.ts';

export const PROGRAMS = [
  '/bin/dash',
  '/lib/x86_64-linux-gnu/libc.so.6',
  '/lib64/ld-linux-x86-64.so.2',
].filter((path) => existsSync(path));

/** More of what images have in them, for long runs: interpreters, servers, libraries with code written by hand. */
export const MORE_PROGRAMS = [
  ...PROGRAMS,
  '/bin/bash',
  '/usr/bin/perl',
  '/usr/bin/python3.11',
  '/usr/bin/openssl',
  '/usr/bin/sqlite3',
  '/usr/sbin/nginx',
  '/usr/bin/redis-server',
  '/usr/bin/memcached',
  '/lib/x86_64-linux-gnu/libm.so.6',
  '/usr/lib/x86_64-linux-gnu/libcrypto.so.3',
  '/usr/lib/x86_64-linux-gnu/libssl.so.3',
  '/usr/lib/x86_64-linux-gnu/libstdc++.so.6',
  '/usr/lib/x86_64-linux-gnu/libgmp.so.10',
  '/usr/lib/x86_64-linux-gnu/libsqlite3.so.0',
  '/usr/lib/x86_64-linux-gnu/libz.so.1',
  '/usr/lib/x86_64-linux-gnu/liblzma.so.5',
].filter((path) => existsSync(path));

export interface Harvested {
  readonly instruction: Instruction;
  /** Different encodings, the first few. */
  readonly encodings: Uint8Array[];
  count: number;
}

const KEEP = 40;

/** Forms by name, over all programs. Data between functions decodes to forms as well; what only occurs a few times may be that. */
export function harvest(programs: readonly string[]): Map<string, Harvested> {
  const forms = new Map<string, Harvested>();
  for (const path of programs) {
    const file = readFileSync(path);
    for (const [offset, size, address] of executableSegments(file))
      sweep(file.subarray(offset, offset + size), address, forms);
  }
  return forms;
}

function executableSegments(file: Buffer): (readonly [number, number, number])[] {
  const at = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, i) => at + i * size)
    .filter((p) => file.readUInt32LE(p) === 1 && (file.readUInt32LE(p + 4) & 1) !== 0)
    .map(
      (p) =>
        [
          Number(file.readBigUInt64LE(p + 8)),
          Number(file.readBigUInt64LE(p + 32)),
          Number(file.readBigUInt64LE(p + 16)),
        ] as const,
    );
}

function sweep(code: Uint8Array, address: number, forms: Map<string, Harvested>): void {
  const decoder = createDecoder();
  for (let at = 0; at < code.length; ) {
    decoder.start(code.subarray(at, Math.min(at + 4096, code.length)), address + at);
    let used = 0;
    for (let instruction = decoder.next(); instruction !== undefined; instruction = decoder.next()) {
      note(forms, instruction, code.subarray(at + used, at + used + instruction.length));
      used += instruction.length;
    }
    at += used === 0 ? 1 : used;
  }
}

function note(forms: Map<string, Harvested>, instruction: Instruction, bytes: Uint8Array): void {
  if (instruction.codeName === 'INVALID') return;
  const form = formOf(instruction);
  const known = forms.get(form);
  if (known === undefined) forms.set(form, { instruction, encodings: [bytes.slice()], count: 1 });
  else {
    known.count++;
    if (known.encodings.length < KEEP) known.encodings.push(bytes.slice());
  }
}
