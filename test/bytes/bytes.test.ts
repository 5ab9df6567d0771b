import assert from 'node:assert/strict';
import test from 'node:test';
import {
  ByteReader,
  decodeText,
  encodeText,
  hex,
  InputError,
  printable,
  unhex,
} from '../../src/bytes/index.ts';

test('names: any bytes survive decoding and encoding', () => {
  let seed = 12345;
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: random(40) }, () =>
      random(3) === 0 ? random(256) : 32 + random(90),
    );
    assert.deepEqual(encodeText(decodeText(bytes)), bytes);
  }
  assert.equal(decodeText(Uint8Array.of(0xc3, 0xa9)), 'é');
  assert.equal(decodeText(Uint8Array.of(0xc3)), '\udcc3');
  assert.deepEqual(encodeText('a\udcff'), Uint8Array.of(0x61, 0xff));
});

test('printable: nothing that moves a cursor gets through', () => {
  assert.equal(printable('a\nb\u001b[0m\u009b\udc80'), 'a\\x0ab\\x1b[0m\\x9b\\x80');
});

test('reader: reading past the end says where', () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4, 5), 'file');
  assert.equal(reader.u32(), 0x04030201);
  assert.throws(
    () => reader.u16(),
    (error: unknown) =>
      error instanceof InputError && error.message === 'file at offset 4: truncated: 2 bytes wanted, 1 left',
  );
  assert.throws(() => new ByteReader(new Uint8Array(8).fill(255), 'x').size64(), InputError);
  assert.equal(new ByteReader(Uint8Array.of(97, 98, 0, 99), 'x').cString(), 'ab');
});

test('hex: round trip, and undefined for what is not hexadecimal', () => {
  assert.equal(hex(Uint8Array.of(0, 255, 16)), '00ff10');
  assert.deepEqual(unhex('00 ff 10'), Uint8Array.of(0, 255, 16));
  assert.equal(unhex('0'), undefined);
  assert.equal(unhex('zz'), undefined);
});
