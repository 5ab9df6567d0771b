// What the fast engine keeps across instructions, blocks and runs: exact budgets, code that changes, address spaces in
// turn, system calls; in its interpreter and translating at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createFastEngine,
  createMemory,
  createReferenceEngine,
  createRegisters,
  type Engine,
  type PagedSpace,
  PROT,
  type RegisterFile,
} from '../../src/machine/index.ts';

const CODE = 0x401000;
const bytes = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (h) => Number.parseInt(h, 16));

function machine(
  code: string,
  memory = createMemory(),
): { readonly space: PagedSpace; readonly registers: RegisterFile } {
  const space = memory.createAddressSpace();
  space.map({ address: CODE, length: 0x2000, prot: PROT.READ | PROT.WRITE | PROT.EXEC });
  space.map({ address: 0x10000, length: 0x2000, prot: PROT.READ | PROT.WRITE });
  space.write(CODE, bytes(code));
  const registers = createRegisters();
  registers.rip = CODE;
  registers.gpr[4] = 0x11800n;
  return { space, registers };
}

const MODES = [false, true, 'compact'] as const;
const engines = (): Engine[] => [
  ...MODES.map((eager) => createFastEngine({ eager })),
  // begins on the reference, and hands over in the middle of things
  createFastEngine({ plainFirst: 777 }),
];

/** A loop over memory with a call, flags that live across blocks, and a rotate. */
const LOOP = '4801d8 488b0c24 48d1c0 4883c301 39d8 7703 48ffc6 e802000000 ebe4 4883ee01 c3';

test('any pieces of a budget are the same as the whole, and as the reference', () => {
  for (const sizes of [[1], [2, 3], [7, 1, 64], [1000], [5000]]) {
    for (const engine of engines()) {
      const [expected, actual] = [machine(LOOP), machine(LOOP)];
      const reference = createReferenceEngine();
      assert.equal(reference.run(expected.registers, expected.space, 12_001).kind, 'budget');
      for (let left = 12_001, i = 0; left > 0; i++) {
        const piece = Math.min(left, sizes[i % sizes.length]);
        assert.equal(engine.run(actual.registers, actual.space, piece).kind, 'budget');
        left -= piece;
      }
      assert.equal(engine.executed, 12_001);
      assert.deepEqual(actual.registers.gpr, expected.registers.gpr);
      assert.equal(actual.registers.rip, expected.registers.rip);
      assert.equal(actual.registers.rflags, expected.registers.rflags);
    }
  }
});

test('code that writes itself runs as written, even the next instruction', () => {
  for (const engine of engines()) {
    const { space, registers } = machine('c6050100000042 b011 cc');
    for (const value of [0x42n, 0x43n, 0x44n]) {
      space.write8(CODE + 6, Number(value));
      space.write8(CODE + 8, 0x11);
      registers.rip = CODE;
      const stop = engine.run(registers, space, 100);
      assert.equal(stop.kind === 'fault' && stop.fault, 'breakpoint');
      assert.equal(registers.gpr[0], value);
    }
  }
});

test('a loop whose body is rewritten while it is hot', () => {
  // inc rbx; dec ecx; jnz back; int3 — the step becomes add rbx, 2 half way, from outside
  for (const engine of engines()) {
    const { space, registers } = machine('48ffc3 90 ffc9 75f8 cc');
    registers.gpr[1] = 20_000n;
    engine.run(registers, space, 40_000);
    const done = registers.gpr[3];
    const rest = registers.gpr[1];
    assert.equal(done + rest, 20_000n);
    space.write(CODE, bytes('4883c302'));
    const stop = engine.run(registers, space, 1_000_000);
    assert.equal(stop.kind === 'fault' && stop.fault, 'breakpoint');
    assert.equal(registers.gpr[3], done + 2n * rest);
  }
});

test('address spaces in turn, forks that differ in code and data', () => {
  for (const engine of engines()) {
    const { space, registers } = machine('8b0425 00000100 0511000000 cc');
    const child = space.fork();
    child.write8(CODE + 8, 0x22);
    child.write32(0x10000, 0x1000);
    for (let i = 0; i < 40; i++) {
      const where = i % 2 === 0 ? space : child;
      registers.rip = CODE;
      engine.run(registers, where, 10);
      assert.equal(registers.gpr[0], i % 2 === 0 ? 0x11n : 0x1022n);
    }
    child.release();
    registers.rip = CODE;
    engine.run(registers, space, 10);
    assert.equal(registers.gpr[0], 0x11n);
  }
});

test('pages that go away, lose a permission or come back', () => {
  for (const engine of engines()) {
    const { space, registers } = machine('890425 00000100 cc');
    const once = (): string => {
      registers.rip = CODE;
      const stop = engine.run(registers, space, 10);
      return stop.kind === 'fault' ? stop.fault : stop.kind;
    };
    for (let i = 0; i < 3; i++) {
      assert.equal(once(), 'breakpoint');
      space.protect(0x10000, 0x1000, PROT.READ);
      assert.equal(once(), 'page');
      assert.equal(registers.rip, CODE);
      space.unmap(0x10000, 0x1000);
      assert.equal(once(), 'page');
      space.map({ address: 0x10000, length: 0x1000, prot: PROT.READ | PROT.WRITE });
    }
    space.protect(CODE, 0x1000, PROT.READ);
    assert.equal(once(), 'page');
  }
});

/** A jump through a table, calls from two places, a call within a call. */
const SWITCH =
  '89cd 83e503 488d1544000000 ff24ea 4883c305 e81e000000 eb17 e81f000000 48c1c303 eb0c 51 e80b000000 59 eb03 4831cb' +
  'ffc9 75cb cc 39cb 7703 48ffc6 c3 4883ec08 e8efffffff 4883c408 c3 0f1f40' +
  '000f104000000000001a1040000000000025104000000000002e10400000000000';

test('computed jumps, calls and returns in a hot loop', () => {
  for (const engine of engines()) {
    const [expected, actual] = [machine(SWITCH), machine(SWITCH)];
    for (const { registers } of [expected, actual]) registers.gpr[1] = 40_000n;
    const wanted = createReferenceEngine().run(expected.registers, expected.space, 2_000_000);
    // in pieces: regions are left and entered where the pieces end
    let stop = engine.run(actual.registers, actual.space, 77_777);
    while (stop.kind === 'budget') stop = engine.run(actual.registers, actual.space, 77_777);
    assert.deepEqual(stop, wanted);
    assert.deepEqual(actual.registers.gpr, expected.registers.gpr);
    assert.equal(actual.registers.rip, expected.registers.rip);
    assert.equal(actual.registers.rflags, expected.registers.rflags);
  }
});

test('a pointer that walks over pages faults where they end, or may not be written, or no address is', () => {
  // back: mov [rdi], rax; mov rax, [rdi]; add rdi, 3; inc rbx; jmp back
  const walk = '488907 488b07 4883c703 48ffc3 ebf1';
  const starts = [
    0x20000n,
    0x22ff0n,
    0x50000n,
    2n ** 63n,
    2n ** 63n + 8n,
    2n ** 64n - 4n,
    2n ** 47n - 20n,
    0n,
  ];
  for (const readOnly of [false, true]) {
    for (const engine of engines()) {
      for (const start of readOnly ? starts.slice(0, 2) : starts) {
        const [expected, actual] = [machine(walk), machine(walk)];
        for (const { registers, space } of [expected, actual]) {
          // touched in an order in which frames do not follow each other
          space.map({ address: 0x20000, length: 0xc000, prot: PROT.READ | PROT.WRITE });
          for (const page of [0, 1, 2, 3, 4, 5, 6, 7, 9, 8, 11]) space.write8(0x20000 + page * 0x1000, page);
          if (readOnly) space.protect(0x2b000, 0x1000, PROT.READ);
          registers.gpr[0] = 0x1122_3344_5566_7788n;
          registers.gpr[7] = start;
        }
        const wanted = createReferenceEngine().run(expected.registers, expected.space, 200_000);
        assert.deepEqual(engine.run(actual.registers, actual.space, 200_000), wanted);
        assert.deepEqual(actual.registers.gpr, expected.registers.gpr);
        assert.equal(actual.registers.rip, expected.registers.rip);
        assert.deepEqual(actual.space.read(0x20000, 0xc000), expected.space.read(0x20000, 0xc000));
      }
    }
  }
});

test('an instruction that may go on before it is done: what it goes on to does not change where it is', () => {
  // mov ecx, 3; rep stosq; inc rbx; dec rsi; jnz back; int3 — over new pages, so some stores leave the region
  const run = (engine: Engine): unknown => {
    const { space, registers } = machine('b903000000 f348ab 48ffc3 48ffce 75f0 cc');
    space.map({ address: 0x100000, length: 0x100000, prot: PROT.READ | PROT.WRITE });
    registers.gpr[0] = 0x1122n;
    registers.gpr[6] = 30_000n;
    registers.gpr[7] = 0x100000n;
    const stop = engine.run(registers, space, 1_000_000);
    return [stop, registers.gpr.slice(), registers.rip, engine.executed, space.read64(0x180000)];
  };
  const expected = run(createReferenceEngine());
  for (const engine of engines()) assert.deepEqual(run(engine), expected);
});

test('pause ends the run, behind it, with what was executed counted', () => {
  for (const engine of [createReferenceEngine(), ...engines()]) {
    // inc rax; pause; inc rax; jmp to the start
    const { space, registers } = machine('48ffc0 f390 48ffc0 ebf6');
    for (let i = 1; i <= 1000; i++) {
      assert.deepEqual(engine.run(registers, space, 100), { kind: 'pause' });
      assert.equal(registers.rip, CODE + 5);
      assert.equal(engine.executed, 4 * i - 2);
      assert.equal(registers.gpr[0], BigInt(2 * i - 1));
    }
    assert.equal(engine.run(registers, space, 3).kind, 'budget');
    assert.equal(registers.rip, CODE + 3);
  }
});
