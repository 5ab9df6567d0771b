// The compiled decoder against the library: every layout of SysFlow and schemas made to be awkward.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRecords, DecodeError, parseSchema } from '../../src/telemetry/index.ts';
import { compileValue } from './avro-compile.ts';
import { anyValue, layouts, libraryType, ours, random, zigzag } from './avro-data.ts';

for (const { name, schema } of layouts()) {
  test(`layout ${name}: any record decodes as the library decodes it`, () => {
    const type = parseSchema(schema, name);
    const library = libraryType(schema);
    const decode = compileValue(type);
    const next = random(name.length);
    for (let i = 0; i < 300; i++) {
      const value = anyValue(type, next);
      const bytes = library.toBuffer(value);
      // Something before and after it, so that positions count.
      const block = Buffer.concat([Buffer.alloc(i % 5, 0xff), bytes, Buffer.from([0x55, 0x55])]);
      const got = decode(block, i % 5, block.length);
      assert.equal(got.next, (i % 5) + bytes.length);
      assert.deepEqual(got.value, ours(type, library.fromBuffer(bytes)));
    }
  });
}

const awkward = {
  type: 'record',
  name: 'a.Node',
  fields: [
    { name: 'constructor', type: 'int' },
    { name: 'f', type: 'float' },
    { name: 'd', type: 'double' },
    { name: 'raw', type: 'bytes' },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B', 'C'] } },
    { name: 'other', type: ['string', 'null', 'a.Kind', { type: 'fixed', name: 'b.Two', size: 2 }] },
    { name: 'map', type: { type: 'map', values: { type: 'array', items: ['null', 'long'] } } },
    { name: 'child', type: ['null', 'a.Node'] },
  ],
};

test('floats, bytes, enums, maps, unions in any order and recursive types', () => {
  const text = JSON.stringify(awkward);
  const type = parseSchema(text, 'awkward');
  const library = libraryType(text);
  const decode = compileValue(type);
  const next = random(1);
  for (let i = 0; i < 500; i++) {
    const bytes = library.toBuffer(anyValue(type, next));
    assert.deepEqual(decode(bytes, 0, bytes.length).value, ours(type, library.fromBuffer(bytes)));
  }
});

test('no name of a schema gets out of its string', () => {
  const schema = {
    type: 'record',
    name: 'R',
    fields: [{ name: '__proto__', type: { type: 'enum', name: 'E', symbols: ['A'] } }],
  };
  const decode = compileValue(parseSchema(JSON.stringify(schema), 'test'));
  const { value } = decode(zigzag(0), 0, 1) as { value: object };
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.getOwnPropertyNames(value), ['__proto__']);
});

/** A decoder for `{rec: union}` that collects what its one handler gets. */
function collector(
  schema: object,
  wanted: readonly (readonly [
    string,
    'bigint' | 'number' | 'pair' | 'string' | 'position' | 'strings' | 'boolean' | 'symbol',
  ])[],
) {
  const got: unknown[] = [];
  const skipped: string[] = [];
  const plan = { handler: (name: string) => (name === 'Wanted' ? 'it' : undefined), wanted: { it: wanted } };
  const handlers = {
    it: (...values: unknown[]) => void got.push(values),
    skipped: (name: string) => void skipped.push(name),
  };
  const decoder = compileRecords<typeof handlers>(parseSchema(JSON.stringify(schema), 'test'), plan);
  const decode = (bytes: Uint8Array, start: number, end: number): number =>
    decoder.decode(bytes, start, end, handlers);
  return { decoder: { decode }, got, skipped };
}

const union = (fields: readonly object[]): object => ({
  type: 'record',
  name: 'Top',
  fields: [
    {
      name: 'rec',
      type: [
        { type: 'record', name: 'Other', fields: [{ name: 'x', type: { type: 'array', items: 'string' } }] },
        { type: 'record', name: 'Wanted', fields },
      ],
    },
  ],
});

test('integers of every length arrive as pairs and whole, at the end of the bytes too', () => {
  const fields = [
    { name: 'a', type: 'long' },
    { name: 'b', type: 'long' },
  ];
  const { decoder, got } = collector(union(fields), [
    ['a', 'pair'],
    ['b', 'bigint'],
  ]);
  for (let bit = 0n; bit < 64n; bit++) {
    for (const near of [-1n, 0n, 1n, 0x1234_5678_9abc_def1n & ((1n << bit) - 1n)]) {
      for (const sign of [1n, -1n]) {
        const value = BigInt.asIntN(64, sign * ((1n << bit) + near));
        const other = BigInt.asIntN(64, value * 7n);
        const bytes = Buffer.concat([zigzag(1), zigzag(value), zigzag(other)]);
        assert.equal(decoder.decode(bytes, 0, bytes.length), bytes.length);
        const halves = [Number(value >> 32n), Number(BigInt.asIntN(32, value))];
        assert.deepEqual(got.pop(), [...halves, other], `${value}`);
        assert.throws(() => decoder.decode(bytes, 0, bytes.length - 1), DecodeError);
      }
    }
  }
});

test('wanted fields arrive in the order that was asked for, whatever the layout', () => {
  const id = {
    type: 'record',
    name: 'Id',
    fields: [
      { name: 'time', type: 'long' },
      { name: 'pid', type: 'long' },
    ],
  };
  const schema = union([
    { name: 'before', type: { type: 'map', values: 'double' } },
    { name: 'parent', type: ['null', id] },
    { name: 'name', type: ['string', 'null'] },
    { name: 'id', type: 'Id' },
    { name: 'foid', type: { type: 'fixed', name: 'F', size: 20 } },
    { name: 'state', type: { type: 'enum', name: 'S', symbols: ['ONE', 'TWO'] } },
    { name: 'list', type: { type: 'array', items: 'string' } },
    { name: 'yes', type: 'boolean' },
    { name: 'after', type: 'string' },
  ]);
  const { decoder, got, skipped } = collector(schema, [
    ['yes', 'boolean'],
    ['id.time', 'pair'],
    ['id.pid', 'number'],
    ['parent.pid', 'number'],
    ['parent.time', 'bigint'],
    ['name', 'string'],
    ['state', 'symbol'],
    ['list', 'strings'],
    ['foid', 'position'],
    ['missing', 'bigint'],
    ['missing.too', 'string'],
  ]);
  const library = libraryType(JSON.stringify(schema));
  const time = 1_700_000_000_123_456_789n;
  const record = (parent: object | null, name: object | null): Buffer =>
    library.toBuffer({
      rec: {
        Wanted: {
          before: { a: 1 },
          parent,
          name,
          id: { time, pid: 7n },
          foid: Buffer.alloc(20, 9),
          state: 'TWO',
          list: ['p', 'q'],
          yes: true,
          after: 'z',
        },
      },
    });
  const first = record(null, null);
  const second = record({ Id: { time: -1n, pid: 3n } }, { string: 'me' });
  const other = library.toBuffer({ rec: { Other: { x: ['a', 'b'] } } });
  const block = Buffer.concat([first, other, second]);
  let at = 0;
  for (let i = 0; i < 3; i++) at = decoder.decode(block, at, block.length);
  assert.equal(at, block.length);
  const [high, low] = [Number(time >> 32n), Number(BigInt.asIntN(32, time))];
  const [a, b] = got as unknown[][];
  assert.deepEqual(a.slice(0, 8), [true, high, low, 7, 0, 0n, '', 'TWO']);
  assert.deepEqual(b.slice(0, 8), [true, high, low, 7, 3, -1n, 'me', 'TWO']);
  assert.deepEqual(a.slice(8), [['p', 'q'], block.indexOf(Buffer.alloc(20, 9)), 0n, '']);
  assert.deepEqual(skipped, ['Other']);
});

test('arrays with negative counts are read, and passed over by their size', () => {
  const schema = union([
    { name: 'list', type: { type: 'array', items: 'string' } },
    { name: 'n', type: 'int' },
  ]);
  const text = (value: string): Buffer => Buffer.concat([zigzag(value.length), Buffer.from(value)]);
  const items = Buffer.concat([text('a'), text('bc')]);
  const blocks = Buffer.concat([zigzag(-2), zigzag(items.length), items, zigzag(1), text('d'), zigzag(0)]);
  const bytes = Buffer.concat([zigzag(1), blocks, zigzag(42)]);
  const read = collector(schema, [
    ['list', 'strings'],
    ['n', 'number'],
  ]);
  assert.equal(read.decoder.decode(bytes, 0, bytes.length), bytes.length);
  assert.deepEqual(read.got, [[['a', 'bc', 'd'], 42]]);
  const skip = collector(schema, [['n', 'number']]);
  assert.equal(skip.decoder.decode(bytes, 0, bytes.length), bytes.length);
  assert.deepEqual(skip.got, [[42]]);
});

const hostile: readonly (readonly [string, Buffer])[] = [
  ['branch out of range', Buffer.concat([zigzag(7)])],
  ['negative branch', Buffer.concat([zigzag(-1)])],
  ['nothing at all', Buffer.alloc(0)],
  ['string longer than the block', Buffer.concat([zigzag(0), zigzag(1), zigzag(1000), Buffer.from('abc')])],
  ['string of negative length', Buffer.concat([zigzag(0), zigzag(1), zigzag(-5), Buffer.from('abc')])],
  ['endless array', Buffer.concat([zigzag(0), zigzag(2 ** 40)])],
  ['integer without end', Buffer.alloc(64, 0xff)],
  ['array block size beyond the block', Buffer.concat([zigzag(0), zigzag(-1), zigzag(2 ** 40)])],
  ['ends inside of the record', Buffer.concat([zigzag(1), zigzag(0)])],
];

for (const [name, bytes] of hostile) {
  test(`damage: ${name}`, () => {
    const schema = union([
      { name: 'list', type: { type: 'array', items: 'string' } },
      { name: 'n', type: 'int' },
    ]);
    const { decoder } = collector(schema, [['n', 'number']]);
    assert.throws(() => decoder.decode(bytes, 0, bytes.length), DecodeError);
    const decode = compileValue(parseSchema(JSON.stringify(schema), 'test'));
    assert.throws(() => decode(bytes, 0, bytes.length), DecodeError);
  });
}

test('items without bytes cannot be counted up without end', () => {
  const schema = { type: 'array', items: { type: 'array', items: 'null' } };
  const decode = compileValue(parseSchema(JSON.stringify(schema), 'test'));
  const inner = Buffer.concat([zigzag(60_000), zigzag(0)]);
  const bytes = Buffer.concat([zigzag(2000), ...Array.from({ length: 2000 }, () => inner), zigzag(0)]);
  assert.throws(() => decode(bytes, 0, bytes.length), /more items/);
});

test('values nested without end are damage, not a crash', () => {
  const schema = { type: 'record', name: 'R', fields: [{ name: 'r', type: ['null', 'R'] }] };
  const decode = compileValue(parseSchema(JSON.stringify(schema), 'test'));
  const bytes = Buffer.alloc(1 << 20, 2);
  assert.throws(
    () => decode(bytes, 0, bytes.length),
    (error) => error instanceof RangeError || error instanceof DecodeError,
  );
});

for (const text of [
  '',
  '{',
  '{"type":"nonsense"}',
  '[1,2]',
  `${'['.repeat(100_000)}`,
  '{"type":"record","name":"1 bad","fields":[]}',
]) {
  test(`no schema: ${text.slice(0, 30)}`, () => {
    assert.throws(() => parseSchema(text, 'file.sf'), { name: 'InputError', where: 'file.sf' });
  });
}
