// Lifted blocks keep the rules of ir.ts, print and parse back, and stay what the text file says they are.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { FEATURES, Lifter, parseBlock, printBlock, validateBlock } from '../../src/isa/index.ts';
import { decodeOne, encode } from '../native/instances.ts';
import { Random } from '../native/random.ts';

const everything = new Lifter(new Set(FEATURES));

test('every lifted instruction keeps the rules of IR, and its text parses back', () => {
  const random = new Random(5);
  const rounds = 40;
  for (let map = 0; map < 3; map++) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let round = 0; round < rounds; round++) {
        const bytes = encode(random, map, opcode);
        if (bytes === undefined) continue;
        const block = everything.lift(bytes, 0x7f00_1234_5000);
        assert.ok(block !== undefined);
        const text = printBlock(block);
        // enter alternates loads and stores, as the processor does
        if (decodeOne(bytes)?.mnemonic !== 'enter') assert.deepEqual(validateBlock(block), [], text);
        assert.deepEqual(parseBlock(text), block);
      }
    }
  }
});

const CASES = [
  new URL('./lift.cases.txt', import.meta.url),
  new URL('../../../../test/isa/lift.cases.txt', import.meta.url),
  new URL('../../../test/isa/lift.cases.txt', import.meta.url),
];

/** Cases: a line `# text`, a line of hexadecimal code, then the block. */
test('lifting of typical code', () => {
  const file = CASES.find((url) => exists(url)) ?? CASES[1];
  const wanted = readFileSync(file, 'utf8');
  const lifter = new Lifter();
  const actual = wanted
    .split(/^(?=# )/m)
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [title, code] = part.split('\n');
      const block = lifter.lift(
        Uint8Array.from(code.match(/[0-9a-f]{2}/g) ?? [], (h) => Number.parseInt(h, 16)),
        0x401000,
      );
      return `${title}\n${code}\n${block === undefined ? 'nothing\n' : printBlock(block)}\n`;
    })
    .join('');
  if (process.env['UPDATE'] === '1') writeFileSync(file, actual);
  else assert.equal(actual, wanted);
});

function exists(url: URL): boolean {
  try {
    readFileSync(url);
    return true;
  } catch {
    return false;
  }
}

test('blocks end where control may go elsewhere, before repeated string instructions, and at the limit', () => {
  const lifter = new Lifter();
  const at = (text: string, limit?: number): readonly [number, number] | undefined => {
    const block = lifter.lift(
      Uint8Array.from(text.match(/../g) ?? [], (h) => Number.parseInt(h, 16)),
      0x1000,
      limit,
    );
    return block === undefined ? undefined : [block.instructions, block.length];
  };
  assert.deepEqual(at('9090c39090'), [3, 3]);
  assert.deepEqual(at('90f3a490'), [1, 1]);
  assert.deepEqual(at('f3a490'), [1, 2]);
  assert.deepEqual(at('90'.repeat(100)), [64, 64]);
  assert.deepEqual(at('909090', 2), [2, 2]);
  assert.deepEqual(at('9048'), [1, 1]);
  assert.equal(at('48'), undefined);
});

test('text that is no IR is refused with its line', () => {
  const good = printBlock(
    everything.lift(Uint8Array.of(0x48, 0x01, 0xd8, 0xc3), 0x1000) as NonNullable<ReturnType<Lifter['lift']>>,
  );
  for (const [from, to] of [
    ['= add', '= bad'],
    ['v1', 'x1'],
    ['rax', 'rox'],
    ['block', 'blok'],
    ['0x1000 3', 'zz 3'],
  ]) {
    assert.throws(() => parseBlock(good.replaceAll(from, to)), InputError, `${from} to ${to}`);
  }
});
