import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDecoder, disassemble, flagFacts, type Instruction } from '../../src/isa/index.ts';
import { Random } from '../native/random.ts';

test('reading the library’s memory gives what its getters give', () => {
  const raw = createDecoder('raw');
  const reference = createDecoder('public');
  const random = new Random(1);
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from({ length: 64 }, () => random.bits() & 0xff);
    raw.start(bytes, 0x7fff_0000_1000 + round);
    reference.start(bytes, 0x7fff_0000_1000 + round);
    for (;;) {
      const [a, b] = [raw.next(), reference.next()];
      assert.deepEqual(withoutUnused(a), withoutUnused(b), disassemble(bytes, 0));
      if (a === undefined) break;
    }
  }
});

/** The second immediate shares its place with displacements and means nothing beside them; registers only count where operands name them. */
function withoutUnused(i: Instruction | undefined): unknown {
  if (i === undefined) return undefined;
  const registers = i.registers.map((r, n) => (i.kinds[n] === 'register' ? r.name : 'none'));
  return { ...i, immediate2: i.codeName.startsWith('Enter') ? i.immediate2 : 0, registers };
}

test('an instruction that the window cuts is none; bad bytes are INVALID', () => {
  const decoder = createDecoder();
  decoder.start(Uint8Array.of(0x90, 0x48, 0x8b), 0x1000);
  assert.equal(decoder.next()?.mnemonic, 'nop');
  assert.equal(decoder.next(), undefined);
  decoder.start(Uint8Array.of(0x06, 0x90, 0x90), 0x1000);
  assert.equal(decoder.next()?.codeName, 'INVALID');
  decoder.start(new Uint8Array(0), 0);
  assert.equal(decoder.next(), undefined);
});

test('printing and flag facts', () => {
  assert.equal(disassemble(Uint8Array.of(0x48, 0x8b, 0x45, 0xf8), 0x1000), 'mov rax, [rbp-8]');
  assert.equal(disassemble(Uint8Array.of(0xe8, 0xfb, 0xff, 0xff, 0xff), 0x401000), 'call 0x401000');
  assert.deepEqual(flagFacts(Uint8Array.of(0x48, 0x0f, 0xaf, 0xc3)), {
    read: 0,
    modified: 0x8d5,
    undefined: 0xd4,
  });
});
