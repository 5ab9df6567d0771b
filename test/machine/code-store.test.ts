// Prepared code that is kept: taken where the guest's bytes are those that it was made from, and nowhere else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Backing,
  type CodeStore,
  createFastEngine,
  createMemory,
  createReferenceEngine,
  createRegisters,
  type Engine,
  PROT,
} from '../../src/machine/index.ts';

const CODE = 0x40_0000;
const DATA = 0x10_0000;

class MapStore implements CodeStore {
  readonly entries = new Map<string, Uint8Array>();
  saved = 0;
  load(name: string): Uint8Array | undefined {
    return this.entries.get(name)?.slice();
  }
  save(name: string, bytes: Uint8Array): void {
    this.saved++;
    this.entries.set(name, bytes.slice());
  }
}

/** Two pages as of a file: the first says who it is, code begins near its end and goes on in the second. */
function program(step: number): Uint8Array {
  const bytes = new Uint8Array(0x2000).fill(0xcc);
  bytes.fill(7, 0, 64);
  const hex = [
    'b9a0860100', // mov ecx, 100000
    `4883c3${step.toString(16).padStart(2, '0')}`, // loop: add rbx, step
    '48891e', // mov [rsi], rbx
    '48031e', // add rbx, [rsi]
    '48d1eb', // shr rbx, 1
    'd9e8 d91e', // fld1; fstp dword [rsi]
    '660fefc0 f30f2ac1 f30f5ac0', // pxor xmm0,xmm0; cvtsi2ss xmm0,ecx; cvtss2sd xmm0,xmm0
    '660f70c04e', // pshufd xmm0,xmm0,0x4e
    'ffc9', // dec ecx
    '75da', // jnz loop
    'cc',
  ].join('');
  bytes.set(
    Uint8Array.from(hex.replace(/ /g, '').match(/../g) ?? [], (h) => Number.parseInt(h, 16)),
    0x1000 - 20,
  );
  return bytes;
}

function fileOf(bytes: Uint8Array): Backing {
  return {
    size: bytes.length,
    immutable: true,
    readInto: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}

/** All that a run leaves: registers, memory, how it ended, how many instructions it took. */
function outcome(engine: Engine, bytes: Uint8Array): object {
  const space = createMemory().createAddressSpace();
  space.map({ address: CODE, length: bytes.length, prot: PROT.READ | PROT.EXEC, backing: fileOf(bytes) });
  space.map({ address: DATA, length: 0x1000, prot: PROT.READ | PROT.WRITE });
  const registers = createRegisters();
  registers.rip = CODE + 0x1000 - 20;
  registers.gpr[6] = BigInt(DATA);
  const stops: string[] = [];
  for (;;) {
    const stop = engine.run(registers, space, 30_011);
    if (stop.kind === 'budget') continue;
    stops.push(JSON.stringify(stop));
    break;
  }
  const result = {
    stops,
    executed: engine.executed,
    rip: registers.rip,
    rflags: registers.rflags,
    gpr: [...registers.gpr],
    xmm: [...registers.xmm],
    fx: [...registers.fxsave()],
    memory: [...space.read(DATA, 16)],
  };
  engine.keep?.();
  space.release();
  return result;
}

const known = new Map<number, object>();
function expected(step: number): object {
  const before = known.get(step) ?? outcome(createReferenceEngine(), program(step));
  known.set(step, before);
  return before;
}

test('the same with an empty and a filled store; what is there is not made again', () => {
  const store = new MapStore();
  assert.deepEqual(outcome(createFastEngine({ store }), program(3)), expected(3));
  assert.ok(
    [...store.entries.keys()].some((name) => name.startsWith('regions.')),
    'hot code is kept as regions',
  );
  const { saved } = store;
  assert.ok(saved >= 3, 'core, streams, regions');
  for (let i = 0; i < 2; i++) assert.deepEqual(outcome(createFastEngine({ store }), program(3)), expected(3));
  assert.equal(store.saved, saved);
});

test('code that only looks the same from its headers is not taken', () => {
  const store = new MapStore();
  outcome(createFastEngine({ store }), program(3));
  assert.deepEqual(outcome(createFastEngine({ store }), program(5)), expected(5));
  assert.deepEqual(outcome(createFastEngine({ store }), program(3)), expected(3));
});

test('entries that are damaged, cut short or in each other’s place', () => {
  const whole = new MapStore();
  outcome(createFastEngine({ store: whole }), program(3));
  const names = [...whole.entries.keys()];
  const changes: readonly ((bytes: Uint8Array, i: number) => Uint8Array)[] = [
    (bytes) => bytes.subarray(0, bytes.length >> 1),
    (bytes) => bytes.subarray(0, 3),
    (bytes) => bytes.map((byte, at) => (at % 97 === 50 ? byte ^ 1 : byte)),
    (bytes) => bytes.map((byte, at) => (at === bytes.length - 5 ? byte ^ 0x80 : byte)),
    (_, i) => whole.entries.get(names[(i + 1) % names.length]) ?? new Uint8Array(0),
  ];
  for (const change of changes) {
    const store = new MapStore();
    names.forEach((name, i) => {
      store.entries.set(name, change(whole.entries.get(name)?.slice() ?? new Uint8Array(0), i));
    });
    assert.deepEqual(outcome(createFastEngine({ store }), program(3)), expected(3));
  }
});

test('any byte of the index or of a stream damaged', () => {
  const whole = new MapStore();
  outcome(createFastEngine({ store: whole }), program(3));
  for (const [name, bytes] of whole.entries) {
    if (name.startsWith('core.')) continue;
    for (let at = 0; at < bytes.length; at += 1 + Math.floor(bytes.length / 5)) {
      const store = new MapStore();
      for (const [other, kept] of whole.entries) store.entries.set(other, kept.slice());
      store.entries.get(name)?.fill(bytes[at] ^ 0xff, at, at + 1);
      assert.deepEqual(outcome(createFastEngine({ store }), program(3)), expected(3), `${name} byte ${at}`);
    }
  }
});
