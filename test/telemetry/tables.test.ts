// Tables of a stream's entities: found by identity, bounded, and what is still named stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SysFlowTables } from '../../src/telemetry/sysflow-tables.ts';

const bytesOf = (n: number): Buffer => {
  const bytes = Buffer.alloc(20);
  // Neighbours fall into one place of the table: they are told apart by the rest.
  bytes.writeUInt32LE(n >>> 3, 0);
  bytes.writeUInt32LE(n, 16);
  return bytes;
};

const words = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const identity = (n: number): DataView => words(bytesOf(n));

function add(tables: SysFlowTables, n: number, path = `/file/${n}`, type: 'f' | 'd' = 'f'): void {
  const bytes = Buffer.concat([bytesOf(n), Buffer.from(path)]);
  tables.addFile(bytes, words(bytes), 0, type, 20, bytes.length);
}

test('files: found by all of their identity; written again with another path or type they are that', () => {
  const tables = new SysFlowTables();
  for (let n = 0; n < 5000; n++) add(tables, n);
  for (let n = 0; n < 5000; n++) assert.equal(tables.file(identity(n), 0)?.path, `/file/${n}`);
  assert.equal(tables.file(identity(5001), 0), undefined);
  const before = tables.file(identity(7), 0);
  add(tables, 7);
  assert.equal(tables.file(identity(7), 0), before, 'the same again is the same object');
  add(tables, 7, '/other');
  add(tables, 8, '/file/8', 'd');
  assert.equal(tables.file(identity(7), 0)?.path, '/other');
  assert.deepEqual(tables.file(identity(8), 0)?.resource, { kind: 'file', type: 'd', path: '/file/8' });
  tables.clear();
  assert.deepEqual([tables.size.files, tables.file(identity(7), 0)], [0, undefined]);
});

test('files: beyond the limit those go that were not named for longest', () => {
  const tables = new SysFlowTables(1000);
  for (let n = 0; n < 20_000; n++) {
    add(tables, n);
    // Two that are in use all the time, one of them the very first.
    for (const used of [0, 5])
      if (n >= used) assert.ok(tables.file(identity(used), 0) !== undefined, `${used} at ${n}`);
    assert.ok(tables.size.files <= 1000);
    // What came just now is there.
    for (let k = Math.max(0, n - 300); k <= n; k += 50)
      assert.equal(tables.file(identity(k), 0)?.path, `/file/${k}`);
  }
  assert.equal(tables.file(identity(100), 0), undefined);
});

test('processes: by creation time and pid, in either half', () => {
  const tables = new SysFlowTables();
  const made = [];
  for (let i = 0; i < 3000; i++) made.push(tables.addProcess(i % 3, i % 7, i >> 2, BigInt(i), undefined));
  for (const entry of made) {
    const found = tables.process(entry.high, entry.low, entry.id.pid);
    assert.deepEqual([found?.high, found?.low, found?.id.pid], [entry.high, entry.low, entry.id.pid]);
  }
  assert.equal(tables.process(9, 9, 9), undefined);
  const rows = new Set(made.map(({ row }) => row));
  assert.equal(rows.size, made.length);
});
