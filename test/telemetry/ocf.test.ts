// Container files: what is read, what is refused, and how much of a damaged file is still read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { type OcfItem, OcfReader } from '../../src/telemetry/index.ts';
import { type Container, container, fileOf, random, syncMarker, zigzag } from './avro-data.ts';

const schema = '"long"';
const block = (n: number): { count: number; data: Buffer } => ({ count: 100, data: Buffer.alloc(1000, n) });
const read = (bytes: Uint8Array): OcfItem[] => [...new OcfReader(fileOf(bytes)).items()];
/** Items as text: records and first byte of each block, reasons of damage. */
const brief = (bytes: Uint8Array): string[] =>
  read(bytes).map((item) => (item.kind === 'block' ? `${item.records}:${item.data[0]}` : item.reason));

for (const [name, codec, negative] of [
  ['without a codec', undefined, false],
  ['null', 'null', false],
  ['deflate', 'deflate', false],
  ['metadata in blocks with sizes', 'deflate', true],
] as const) {
  test(`blocks are read: ${name}`, () => {
    const file: Container = {
      schema,
      blocks: [block(1), block(2), { count: 1, data: Buffer.from([7]) }],
      negative,
      ...(codec === undefined ? {} : { codec }),
    };
    assert.deepEqual(brief(container(file)), ['100:1', '100:2', '1:7']);
    assert.equal(new OcfReader(fileOf(container(file))).schema, schema);
  });
}

test('a file without blocks', () => assert.deepEqual(read(container({ schema, blocks: [] })), []));

const whole = container({ schema, codec: 'deflate', blocks: [block(1)] });
for (const [name, bytes, message] of [
  ['empty', Buffer.alloc(0), /not an Avro object container file/],
  ['text', Buffer.from('{"version":4}\n'), /not an Avro object container file/],
  ['header cut short', whole.subarray(0, 30), /header/],
  ['header of lies', Buffer.concat([Buffer.from('Obj\x01'), zigzag(3), zigzag(2 ** 40)]), /header/],
  [
    'endless metadata',
    Buffer.concat([Buffer.from('Obj\x01'), zigzag(2 ** 50), Buffer.alloc(1 << 16)]),
    /header/,
  ],
  ['no schema', Buffer.concat([Buffer.from('Obj\x01'), zigzag(0), syncMarker]), /without avro.schema/],
  [
    'zstandard',
    container({ schema, codec: 'zstandard', blocks: [] }),
    /unsupported Avro codec "zstandard".*null and deflate/,
  ],
  ['snappy', container({ schema, codec: 'snappy', blocks: [] }), /unsupported Avro codec "snappy"/],
] as const) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => new OcfReader(fileOf(bytes, 'x.sf')),
      (error: Error) =>
        error.name === 'InputError' && message.test(error.message) && error.message.startsWith('x.sf'),
    );
  });
}

const five = container({ schema, codec: 'deflate', blocks: [1, 2, 3, 4, 5].map(block) });
const start = new OcfReader(fileOf(five)).start;
const sizes = read(five).map((item) => item.next - item.at);
const at = (i: number): number => start + sizes.slice(0, i).reduce((a, b) => a + b, 0);
const damaged = (change: (bytes: Buffer) => Buffer | undefined): string[] => {
  const bytes = Buffer.from(five);
  return brief(change(bytes) ?? bytes);
};

test('a changed sync marker costs its block and, as it looks, the next one', () => {
  const got = damaged((bytes) => void bytes.fill(0, at(2) - 16, at(2)));
  assert.deepEqual(got, ['100:1', 'no sync marker after a block', '100:4', '100:5']);
});

test('a wrong size is skipped to the next marker', () => {
  const got = damaged((bytes) => void bytes.set(zigzag(7), at(1) + 2));
  assert.deepEqual(got, ['100:1', 'no sync marker after a block', '100:3', '100:4', '100:5']);
});

test('a size beyond the limit, beyond the file, and negative', () => {
  for (const size of [2 ** 40, 2 ** 24, -3]) {
    const got = damaged((bytes) =>
      Buffer.concat([bytes.subarray(0, at(1) + 2), zigzag(size), bytes.subarray(at(1) + 3)]),
    );
    assert.equal(got.length, 5, String(size));
    assert.deepEqual(got.toSpliced(1, 1), ['100:1', '100:3', '100:4', '100:5']);
  }
});

test('data that cannot be inflated costs its block only', () => {
  const got = damaged((bytes) => void bytes.fill(0xff, at(1) + 4, at(1) + 8));
  assert.deepEqual(got, ['100:1', 'block cannot be inflated', '100:3', '100:4', '100:5']);
});

test('a file that is cut anywhere gives the blocks before the cut', () => {
  for (let cut = start; cut < five.length; cut++) {
    const got = read(five.subarray(0, cut));
    const blocks = got.filter((item) => item.kind === 'block').length;
    assert.equal(blocks, [1, 2, 3, 4, 5].filter((i) => at(i) <= cut).length);
    assert.equal(got.length - blocks, [0, 1, 2, 3, 4].some((i) => at(i) === cut) ? 0 : 1, `cut at ${cut}`);
  }
});

test('reading goes on from an offset', () => {
  const reader = new OcfReader(fileOf(five));
  const [first] = reader.items();
  assert.deepEqual(
    [...reader.items(first.next)].map((item) => item.records),
    [100, 100, 100, 100],
  );
});

test('a deflate bomb is damage within the limit', () => {
  const bomb = deflateRawSync(Buffer.alloc(64 << 20));
  const file = Buffer.concat([
    five.subarray(0, start),
    zigzag(10),
    zigzag(bomb.length),
    bomb,
    syncMarker,
    five.subarray(start),
  ]);
  const items = [...new OcfReader(fileOf(file), { header: 1 << 20, block: 1 << 20 }).items()];
  assert.deepEqual(
    items.map((item) => item.kind),
    ['damage', 'block', 'block', 'block', 'block', 'block'],
  );
});

test('random damage: no crash, no endless loop, and blocks that are untouched are mostly found', () => {
  const next = random(5);
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(five);
    bytes[start + next(bytes.length - start)] = next(256);
    const blocks = read(bytes).filter((item) => item.kind === 'block').length;
    assert.ok(blocks >= 3, `${blocks} blocks`);
  }
});

test('blocks read ahead are the same, in the same order, damage included', async () => {
  const bytes = container({
    schema,
    blocks: Array.from({ length: 40 }, (_, i) => block(i)),
    codec: 'deflate',
  });
  for (let cut = 0; cut < 60; cut++) {
    const damaged = bytes.slice(0, cut % 3 === 0 ? bytes.length - cut : bytes.length);
    if (cut % 3 !== 0) damaged[bytes.length - 17 * cut] ^= 0x55;
    const reader = new OcfReader(fileOf(damaged));
    const ahead: OcfItem[] = [];
    for await (const item of reader.itemsAhead(reader.start, 1 + (cut % 9))) ahead.push(item);
    const plain = (items: readonly OcfItem[]): unknown[] =>
      items.map((item) => (item.kind === 'block' ? { ...item, data: [...item.data] } : item));
    assert.deepEqual(plain(ahead), plain([...reader.items()]));
  }
});
