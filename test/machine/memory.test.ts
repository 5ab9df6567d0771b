import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AddressSpace,
  type Backing,
  createAddressSpace,
  createMemory,
  MemoryFault,
  PROT,
} from '../../src/machine/index.ts';

const RW = PROT.READ | PROT.WRITE;
const PAGE = 4096;

class Bytes implements Backing {
  readonly bytes: Uint8Array;
  reads = 0;
  readonly immutable: boolean;
  readonly written: [number, number][] = [];

  constructor(size: number, immutable = false) {
    this.bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    this.immutable = immutable;
  }
  get size(): number {
    return this.bytes.length;
  }
  readInto(offset: number, into: Uint8Array): void {
    this.reads++;
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
  writeFrom(offset: number, bytes: Uint8Array): void {
    this.written.push([offset, bytes.length]);
    this.bytes.set(bytes, offset);
  }
}

function fault(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MemoryFault) return `${error.fault} ${error.access} 0x${error.address.toString(16)}`;
    throw error;
  }
  return 'none';
}

const map = (space: AddressSpace, address: number, length: number, prot: number = RW, more = {}): void =>
  space.map({ address, length, prot, ...more });

test('reserving tens of gigabytes costs nothing; touching costs the page', () => {
  const memory = createMemory();
  const space = memory.createAddressSpace();
  const before = memory.statistics().used;
  map(space, 0x1_0000_0000, 64 * 2 ** 30);
  assert.equal(memory.statistics().used, before);
  for (let i = 0; i < 64; i++) space.write64(0x1_0000_0000 + i * 2 ** 30, BigInt(i));
  for (let i = 0; i < 64; i++) assert.equal(space.read64(0x1_0000_0000 + i * 2 ** 30), BigInt(i));
  assert.ok(memory.statistics().used - before < 64 * (PAGE + 16384) + 4 * 16384);
  space.unmap(0x1_0000_0000, 64 * 2 ** 30);
  assert.equal(
    fault(() => space.read8(0x1_0000_0000)),
    'page read 0x100000000',
  );
  space.release();
  assert.equal(memory.statistics().used, before);
});

test('accesses of every width, across pages, precise where the second page is missing', () => {
  const space = createAddressSpace();
  map(space, 0x10000, 2 * PAGE);
  for (const at of [0x10000, 0x10ff9, 0x10ffd, 0x10fff]) {
    space.write64(at, 0x1122334455667788n);
    assert.equal(space.read64(at), 0x1122334455667788n);
    assert.equal(space.read32(at), 0x55667788);
    assert.equal(space.read16(at), 0x7788);
    assert.equal(space.read8(at), 0x88);
    space.write32(at, 0xdeadbeef);
    space.write16(at + 4, 0x1234);
    assert.equal(space.read64(at), 0x11221234deadbeefn);
  }
  const end = 0x12000;
  space.write64(end - 8, 5n);
  assert.equal(
    fault(() => space.write64(end - 4, -1n)),
    'page write 0x12000',
  );
  assert.equal(space.read64(end - 8), 5n, 'nothing was written');
  assert.equal(
    fault(() => space.read64(end - 1)),
    'page read 0x12000',
  );
  assert.equal(
    fault(() => space.read8(2 ** 47)),
    `page read 0x${(2 ** 47).toString(16)}`,
  );
  assert.equal(
    fault(() => space.read8(-1)),
    'page read 0x-1',
  );
});

test('permissions, also across splits and joins of regions', () => {
  const space = createAddressSpace();
  map(space, 0x10000, 8 * PAGE, RW, { name: 'x' });
  space.write(0x10000, new Uint8Array(8 * PAGE).fill(1));
  assert.ok(space.protect(0x12000, 2 * PAGE, PROT.READ));
  assert.deepEqual(
    space.regions().map((r) => [r.start, r.end, r.prot]),
    [
      [0x10000, 0x12000, 3],
      [0x12000, 0x14000, 1],
      [0x14000, 0x18000, 3],
    ],
  );
  assert.equal(
    fault(() => space.write8(0x12000, 2)),
    'page write 0x12000',
  );
  assert.equal(space.read8(0x13fff), 1);
  space.protect(0x12000, PAGE, PROT.NONE);
  assert.equal(
    fault(() => space.read8(0x12000)),
    'page read 0x12000',
  );
  assert.ok(space.protect(0x10000, 8 * PAGE, RW));
  assert.equal(space.regions().length, 1);
  assert.equal(space.read8(0x12000), 1, 'the content outlives PROT_NONE');
  space.write8(0x12000, 9);
  assert.equal(space.protect(0x10000, 9 * PAGE, RW), false);
  space.unmap(0x11000, PAGE);
  assert.equal(
    fault(() => space.read8(0x11000)),
    'page read 0x11000',
  );
  assert.deepEqual(
    space.regions().map((r) => [r.start, r.end]),
    [
      [0x10000, 0x11000],
      [0x12000, 0x18000],
    ],
  );
  assert.equal(space.find(0x11800), undefined);
  assert.equal(space.find(0x17fff)?.name, 'x');
  map(space, 0x11000, PAGE, RW, { name: 'x' });
  assert.equal(space.regions().length, 1, 'neighbours that continue each other join');
  assert.equal(space.read8(0x11000), 0);
});

test('a fork shares pages until one side writes', () => {
  const memory = createMemory();
  const parent = memory.createAddressSpace();
  map(parent, 0x10000, 100 * PAGE);
  for (let i = 0; i < 100; i++) parent.write8(0x10000 + i * PAGE, i);
  const before = memory.statistics().used;
  const child = parent.fork();
  assert.ok(memory.statistics().used - before <= 4 * 16384, 'page tables only');
  parent.write8(0x10000, 200);
  child.write8(0x10001, 7);
  assert.deepEqual([...parent.read(0x10000, 2)], [200, 0]);
  assert.deepEqual([...child.read(0x10000, 2)], [0, 7]);
  const grandchild = child.fork();
  child.release();
  grandchild.write8(0x11000, 5);
  assert.equal(parent.read8(0x11000), 1);
  assert.equal(grandchild.read8(0x10001), 7);
  grandchild.release();
  for (let i = 1; i < 100; i++) assert.equal(parent.read8(0x10000 + i * PAGE), i);
  parent.release();
  assert.equal(memory.statistics().used, createMemory().statistics().used);
});

test('file pages come on touch, private writes stay private, beyond the end is a bus fault', () => {
  const file = new Bytes(PAGE + 100);
  const space = createAddressSpace();
  map(space, 0x10000, 3 * PAGE, RW, { backing: file });
  assert.equal(file.reads, 0);
  assert.deepEqual(
    space.read(0x10000 + PAGE + 90, 20),
    Uint8Array.from([...file.bytes.subarray(PAGE + 90), ...new Uint8Array(10)]),
  );
  assert.equal(file.reads, 1);
  space.write8(0x10000, 77);
  assert.notEqual(file.bytes[0], 77);
  assert.equal(
    fault(() => space.read8(0x12000)),
    'bus read 0x12000',
  );
  const other = space.fork();
  other.write8(0x10000, 78);
  assert.equal(space.read8(0x10000), 77);
  space.discard(0x10000, PAGE);
  assert.equal(space.read8(0x10000), file.bytes[0], 'discarded private pages come again from the file');
});

test('shared mappings share, over forks and over mappings of one backing, and are written back', () => {
  const memory = createMemory();
  const file = new Bytes(2 * PAGE);
  const a = memory.createAddressSpace();
  const b = memory.createAddressSpace();
  map(a, 0x10000, 2 * PAGE, RW, { backing: file, shared: true });
  map(b, 0x50000, PAGE, RW, { backing: file, shared: true, offset: PAGE });
  a.write32(0x11000, 0xcafe);
  assert.equal(b.read32(0x50000), 0xcafe);
  const child = b.fork();
  child.write32(0x50004, 0xbabe);
  assert.equal(a.read32(0x11004), 0xbabe);
  assert.deepEqual(file.written, []);
  for (const space of [a, b, child]) space.release();
  assert.deepEqual(file.written, [[PAGE, PAGE]]);
  assert.equal(file.bytes[PAGE], 0xfe);
  const c = memory.createAddressSpace();
  map(c, 0x10000, PAGE, RW, { shared: true });
  const d = c.fork();
  d.write8(0x10000, 3);
  assert.equal(c.read8(0x10000), 3, 'anonymous shared memory is shared with children');
});

test('pages of immutable files stay for the next process, of others they are read anew; a change is seen', () => {
  const memory = createMemory();
  const [library, log] = [new Bytes(PAGE, true), new Bytes(PAGE)];
  for (let round = 0; round < 2; round++) {
    const space = memory.createAddressSpace();
    map(space, 0x10000, PAGE, PROT.READ, { backing: library });
    map(space, 0x20000, PAGE, PROT.READ, { backing: log });
    space.read8(0x10000);
    space.read8(0x20000);
    log.bytes[5] = 99;
    memory.backingChanged(log, 5, 1);
    assert.equal(space.read8(0x20005), 99);
    space.release();
  }
  assert.equal(library.reads, 1);
  assert.equal(log.reads, 4);
});

test('forks taken apart, as snapshots need them, share among themselves and with nobody else', () => {
  const memory = createMemory();
  const file = new Bytes(2 * PAGE);
  const parent = memory.createAddressSpace();
  map(parent, 0x10000, PAGE, RW, { shared: true });
  map(parent, 0x20000, 2 * PAGE, RW, { backing: file, shared: true });
  map(parent, 0x30000, PAGE, RW, { backing: file });
  map(parent, 0x40000, PAGE);
  for (const at of [0x10000, 0x20000, 0x40000]) parent.write8(at, 1);
  assert.equal(parent.read8(0x30000), 1, 'a clean private page is the file’s');
  const child = parent.fork();
  const other = new Bytes(2 * PAGE);
  const [parent2, child2] = [parent.fork(), child.fork()];
  memory.separate([parent2, child2], () => other);
  for (const at of [0x10000, 0x20000]) {
    assert.equal(child2.read8(at), 1);
    child2.write8(at, 2);
    assert.equal(parent2.read8(at), 2);
    assert.equal(parent.read8(at), 1);
    child.write8(at, 3);
    assert.equal(parent.read8(at), 3);
    assert.equal(parent2.read8(at), 2);
  }
  assert.equal(parent.read8(0x30000), 3);
  assert.equal(parent2.read8(0x30000), 2);
  parent2.write8(0x40000, 9);
  assert.equal(parent.read8(0x40000), 1);
  assert.equal(child2.read8(0x40000), 1);
  for (const space of [parent2, child2]) space.release();
  assert.deepEqual([file.written.length, other.written], [0, [[0, PAGE]]]);
  for (const space of [parent, child]) space.release();
  assert.deepEqual(file.written, [[0, PAGE]]);
  assert.equal(memory.statistics().used, createMemory().statistics().used);
});

test('the limit is a fault, and unused file pages give way first', () => {
  const memory = createMemory({ limit: 2 ** 20 });
  const file = new Bytes(64 * PAGE, true);
  const first = memory.createAddressSpace();
  map(first, 0x10000, 64 * PAGE, PROT.READ, { backing: file });
  first.read(0x10000, 64 * PAGE);
  first.release();
  const space = memory.createAddressSpace();
  map(space, 0x10000, 4096 * PAGE);
  let touched = 0;
  const result = fault(() => {
    for (;;) space.write8(0x10000 + PAGE * touched++, 1);
  });
  assert.match(result, /^memory write/);
  assert.ok(touched > 200, `${touched} pages`);
  assert.equal(space.read8(0x10000), 1);
});

test('free ranges are found from above', () => {
  const space = createAddressSpace();
  const top = 0x7fff_0000_0000;
  assert.equal(space.findFree(PAGE, top), top - PAGE);
  map(space, top - 4 * PAGE, 2 * PAGE);
  assert.equal(space.findFree(2 * PAGE, top), top - 2 * PAGE);
  assert.equal(space.findFree(3 * PAGE, top), top - 7 * PAGE);
  assert.equal(space.findFree(PAGE, top - 3 * PAGE), top - 5 * PAGE);
  assert.equal(space.findFree(2 ** 46, 2 ** 46), undefined);
});

test('moving keeps pages, contents and file offsets', () => {
  const space = createAddressSpace();
  const file = new Bytes(4 * PAGE);
  map(space, 0x10000, 2 * PAGE, RW, { backing: file, offset: PAGE });
  space.write8(0x10000, 42);
  map(space, 0x40000, PAGE);
  space.move(0x10000, 2 * PAGE, 0x40000);
  assert.equal(space.read8(0x40000), 42);
  assert.equal(space.read8(0x41000), file.bytes[2 * PAGE]);
  assert.equal(space.find(0x10000), undefined);
  assert.equal(space.find(0x41000)?.offset, PAGE);
});

test('strings end at NUL or at the limit', () => {
  const space = createAddressSpace();
  map(space, 0x10000, 2 * PAGE);
  space.write(0x10ffd, Uint8Array.of(65, 66, 67, 68, 69, 0, 70));
  assert.deepEqual(space.readCString(0x10ffd, 100), Uint8Array.of(65, 66, 67, 68, 69));
  assert.equal(space.readCString(0x10ffd, 4), undefined);
  assert.deepEqual(space.readCString(0x11fff, 100), new Uint8Array(0));
  space.write8(0x11fff, 1);
  assert.equal(
    fault(() => space.readCString(0x11fff, 100)),
    'page read 0x12000',
  );
});

test('random operations against a plain model', () => {
  const memory = createMemory();
  const space = memory.createAddressSpace();
  const model = new Map<number, { prot: number; bytes: Uint8Array }>();
  let state = 12345;
  const below = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % n;
  };
  const base = 0x7f00_0000_0000 - 16 * PAGE;
  for (let step = 0; step < 20_000; step++) {
    const page = below(32);
    const count = 1 + below(6);
    const at = base + page * PAGE;
    const pages = Array.from({ length: count }, (_, i) => page + i);
    switch (below(6)) {
      case 0: {
        const prot = below(4);
        space.map({ address: at, length: count * PAGE, prot });
        for (const p of pages) model.set(p, { prot, bytes: new Uint8Array(PAGE) });
        break;
      }
      case 1:
        space.unmap(at, count * PAGE);
        for (const p of pages) model.delete(p);
        break;
      case 2: {
        const prot = below(4);
        const all = pages.every((p) => model.has(p));
        assert.equal(space.protect(at, count * PAGE, prot), all);
        if (all)
          for (const p of pages) model.set(p, { prot, bytes: (model.get(p) as { bytes: Uint8Array }).bytes });
        break;
      }
      case 3: {
        const offset = below(PAGE);
        const known = model.get(page);
        const value = below(256);
        const result = fault(() => space.write8(at + offset, value));
        assert.equal(result === 'none', known !== undefined && (known.prot & PROT.WRITE) !== 0);
        if (result === 'none' && known !== undefined) known.bytes[offset] = value;
        break;
      }
      default: {
        const offset = below(PAGE);
        const known = model.get(page);
        if (known === undefined || known.prot === 0)
          assert.notEqual(
            fault(() => space.read8(at + offset)),
            'none',
          );
        else assert.equal(space.read8(at + offset), known.bytes[offset]);
      }
    }
  }
});

test('single bytes are read right while reading makes the memory grow', () => {
  const space = createAddressSpace();
  const backing = new Bytes(24 * 2 ** 20, true);
  map(space, 0x1000_0000, backing.size, PROT.READ, { backing });
  for (let at = 0; at < backing.size; at += PAGE)
    assert.equal(space.read8(0x1000_0000 + at), backing.bytes[at], `byte ${at}`);
});
