// Malformed files: always an answer or an InputError, never anything else, in bounded time and memory.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import {
  buildIdOf,
  dynamicSymbols,
  ElfSource,
  evaluateExpression,
  functionsOf,
  interpreterOf,
  parseElf,
  readDynamic,
  readSections,
  staticSymbols,
  UnwindTable,
} from '../../src/elf/index.ts';

const program = '/bin/true';
const skip = existsSync(program) ? false : `${program} is not there`;

/** Everything that the room offers, on one file; how many parts were refused. */
function readAll(bytes: Uint8Array, name: string): number {
  let refused = 0;
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      assert.ok(error instanceof InputError, `${name}: ${String(error)}`);
      assert.match(error.message, /x\.elf/);
      refused++;
      return undefined;
    }
  };
  const elf = attempt(() => parseElf(ElfSource.ofBytes(bytes, 'x.elf')));
  if (elf === undefined) return refused;
  for (const read of [readSections, readDynamic, interpreterOf, buildIdOf, dynamicSymbols, staticSymbols])
    attempt(() => read(elf));
  const functions = functionsOf(elf);
  const table = attempt(() => new UnwindTable(elf));
  for (let at = 0x2000; at < 0x6000; at += 149) {
    functions.find(at);
    if (table !== undefined) attempt(() => table.find(at));
  }
  return refused;
}

function random(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

test('a whole file is read without a refusal', { skip }, () => {
  assert.equal(readAll(readFileSync(program), 'whole'), 0);
});

test('files cut off anywhere', { skip }, () => {
  const bytes = readFileSync(program);
  for (let length = 0; length < bytes.length; length += length < 1024 ? 7 : 1511)
    readAll(bytes.subarray(0, length), `cut at ${length}`);
});

test('bytes changed at random', { skip }, () => {
  const whole = readFileSync(program);
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const bytes = Uint8Array.from(whole);
    // Most of what can lie is in the headers, the dynamic section and the unwind tables.
    const areas = [
      [0, 64 + 13 * 56],
      [0x7dd8, 0x1e0],
      [0x6b10, 0xb00],
      [0, bytes.length],
    ];
    const [start, size] = areas[seed % areas.length];
    for (let i = 0; i < 8; i++) bytes[start + next(size)] = next(3) === 0 ? 0xff : next(256);
    readAll(bytes, `seed ${seed}`);
  }
});

test('lying counts and sizes', { skip }, () => {
  const whole = readFileSync(program);
  const lies: readonly (readonly [what: string, at: number, size: 2 | 4 | 8])[] = [
    ['e_phoff', 32, 8],
    ['e_shoff', 40, 8],
    ['e_phnum', 56, 2],
    ['e_shnum', 60, 2],
    ['e_shstrndx', 62, 2],
    ...Array.from({ length: 13 }, (_, i) =>
      [8, 16, 32, 40, 48].map((field) => [`phdr ${i}+${field}`, 64 + 56 * i + field, 8] as const),
    ).flat(),
    ...Array.from({ length: 30 }, (_, i) => [`dynamic ${i}`, 0x7dd8 + 16 * i + 8, 8] as const),
  ];
  for (const [what, at, size] of lies) {
    for (const value of [0n, 1n, 0x7fffffffn, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn]) {
      const bytes = Uint8Array.from(whole);
      const view = new DataView(bytes.buffer);
      if (size === 2) view.setUint16(at, Number(value & 0xffffn), true);
      else if (size === 4) view.setUint32(at, Number(value & 0xffffffffn), true);
      else view.setBigUint64(at, value, true);
      readAll(bytes, `${what} = ${value}`);
    }
  }
});

test('not ELF, 32 bits, big-endian, empty', () => {
  const refusal = (bytes: Uint8Array): string => {
    try {
      parseElf(ElfSource.ofBytes(bytes, 'x.elf'));
    } catch (error) {
      assert.ok(error instanceof InputError);
      return error.what;
    }
    return '';
  };
  const header = new Uint8Array(64);
  assert.match(refusal(new Uint8Array(0)), /outside/);
  assert.equal(refusal(header), 'not an ELF file');
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  assert.equal(refusal(header), 'not a 64-bit little-endian ELF file');
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1]);
  assert.equal(refusal(header), 'not a 64-bit little-endian ELF file');
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 9]);
  assert.equal(refusal(header), 'unknown ELF version 9');
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const elf = parseElf(ElfSource.ofBytes(header, 'x.elf'));
  assert.deepEqual(
    [elf.segments, readSections(elf), readDynamic(elf).needed, buildIdOf(elf), dynamicSymbols(elf)],
    [[], [], [], undefined, undefined],
  );
  assert.equal(new UnwindTable(elf).find(0x1000), undefined);
});

test('expressions', () => {
  const context = {
    register: (n: number) => (n === 7 ? 0x1000n : undefined),
    load: (address: bigint) => (address === 0x1008n ? 0xabcdn : undefined),
  };
  const run = (...code: number[]): bigint | undefined =>
    evaluateExpression(Uint8Array.from(code), context, undefined);
  assert.equal(run(119, 8), 0x1008n); // breg7+8
  assert.equal(run(119, 8, 6), 0xabcdn); // deref
  assert.equal(run(119, 0x78, 6), undefined); // breg7-8, unreadable
  assert.equal(run(112, 0), undefined); // an unknown register
  assert.equal(run(52, 50, 28), 2n); // lit4 lit2 minus
  // as in a procedure linkage table: rsp + 8 + ((rip & 15) >= 11) * 8
  assert.equal(run(119, 8, 51, 63, 26, 59, 42, 51, 36, 34), 0x1008n);
  assert.equal(run(49, 40, 1, 0, 53, 54), 6n); // lit1 bra over lit5
  for (const bad of [[34], [47, 0xfc, 0xff, 0x30], [47, 0x7f, 0x7f], [255], [8]])
    assert.throws(() => run(...bad), InputError, `${bad}`);
  assert.throws(() => run(47, 0xfd, 0xff), InputError, 'an endless loop'); // skip -3
});
