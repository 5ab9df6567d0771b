import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IR_OPS } from '../../src/isa/index.ts';
import {
  createMemory,
  createReferenceEngine,
  createRegisters,
  type EngineStop,
  type PagedSpace,
  PROT,
  type RegisterFile,
} from '../../src/machine/index.ts';
import { HANDLERS } from '../../src/machine/interpret.ts';

const CODE = 0x401000;
const bytes = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (h) => Number.parseInt(h, 16));

function machine(
  code: string,
  at = CODE,
  prot: number = PROT.READ | PROT.WRITE | PROT.EXEC,
): { space: PagedSpace; registers: RegisterFile } {
  const space = createMemory().createAddressSpace();
  space.map({ address: CODE, length: 0x2000, prot });
  space.map({ address: 0x10000, length: 0x2000, prot: PROT.READ | PROT.WRITE });
  space.protect(CODE, 0x2000, PROT.READ | PROT.WRITE);
  space.write(at, bytes(code));
  space.protect(CODE, 0x2000, prot);
  const registers = createRegisters();
  registers.rip = at;
  registers.gpr[4] = 0x11800n;
  return { space, registers };
}

const kind = (stop: EngineStop): string => (stop.kind === 'fault' ? stop.fault : stop.kind);

test('every IR operation has a handler', () => {
  assert.deepEqual(Object.keys(HANDLERS).sort(), IR_OPS.map((row) => row[0]).sort());
});

test('the budget is exact, and running in pieces is the same as running on', () => {
  const code = '48ffc0 48ffc0 48ffc3 ebf5'; // inc rax, inc rax, inc rbx, back
  const whole = machine(code);
  const engine = createReferenceEngine();
  assert.equal(engine.run(whole.registers, whole.space, 1001).kind, 'budget');
  assert.equal(engine.executed, 1001);
  const pieces = machine(code);
  const other = createReferenceEngine();
  for (let left = 1001, n = 1; left > 0; left -= Math.min(n, left), n = (n % 5) + 1)
    assert.equal(other.run(pieces.registers, pieces.space, Math.min(n, left)).kind, 'budget');
  assert.deepEqual(pieces.registers.gpr, whole.registers.gpr);
  assert.equal(pieces.registers.rip, whole.registers.rip);
  assert.equal(pieces.registers.rflags, whole.registers.rflags);
  assert.equal(other.executed, 1001);
});

test('a budget may end inside a repeated string instruction', () => {
  const { space, registers } = machine('f3aa cc');
  registers.gpr[1] = 100n;
  registers.gpr[7] = 0x10000n;
  registers.gpr[0] = 0x55n;
  const engine = createReferenceEngine();
  assert.equal(engine.run(registers, space, 40).kind, 'budget');
  assert.equal(registers.gpr[1], 60n);
  assert.equal(registers.rip, CODE);
  assert.equal(kind(engine.run(registers, space, 1000)), 'breakpoint');
  assert.deepEqual(space.read(0x10000, 101), Uint8Array.from([...new Uint8Array(100).fill(0x55), 0]));
});

test('code that writes itself runs as written, even the next instruction', () => {
  // mov byte [rip+1],0x42 ; mov al,0x11 (becomes 0x42) ; int3
  const { space, registers } = machine('c6050100000042 b011 cc');
  const engine = createReferenceEngine();
  assert.equal(kind(engine.run(registers, space, 100)), 'breakpoint');
  assert.equal(registers.gpr[0], 0x42n);
  space.write8(CODE + 8, 0x43);
  space.write8(CODE + 6, 0x43);
  registers.rip = CODE;
  engine.run(registers, space, 100);
  assert.equal(registers.gpr[0], 0x43n, 'a write from outside counts as well');
});

test('a fork that writes code does not change the other’s', () => {
  const { space, registers } = machine('b011 cc');
  const engine = createReferenceEngine();
  engine.run(registers, space, 10);
  const child = space.fork();
  child.write8(CODE + 1, 0x22);
  const run = (where: PagedSpace): bigint => {
    registers.rip = CODE;
    engine.run(registers, where, 10);
    return registers.gpr[0];
  };
  assert.equal(run(child), 0x22n);
  assert.equal(run(space), 0x11n);
  assert.equal(run(child), 0x22n);
});

test('memory mapped twice: writing here changes the code there', () => {
  const memory = createMemory();
  const space = memory.createAddressSpace();
  const backing = { size: 4096, readInto: (): void => {} };
  space.map({ address: 0x10000, length: 4096, prot: PROT.READ | PROT.WRITE, shared: true, backing });
  space.map({ address: CODE, length: 4096, prot: PROT.READ | PROT.EXEC, shared: true, backing });
  const engine = createReferenceEngine();
  const registers = createRegisters();
  for (const value of [1, 2, 3]) {
    space.write(0x10000, Uint8Array.of(0xb0, value, 0xcc));
    registers.rip = CODE;
    assert.equal(kind(engine.run(registers, space, 10)), 'breakpoint');
    assert.equal(registers.gpr[0], BigInt(value));
  }
});

test('an instruction across two pages runs, and faults where the second is missing or changes where it changes', () => {
  const { space, registers } = machine('48b8 1122334455667788 cc', CODE + 0xffc);
  const engine = createReferenceEngine();
  assert.equal(kind(engine.run(registers, space, 10)), 'breakpoint');
  assert.equal(registers.gpr[0], 0x8877665544332211n);
  space.write8(CODE + 0x1000, 0x99);
  registers.rip = CODE + 0xffc;
  engine.run(registers, space, 10);
  assert.equal(registers.gpr[0], 0x8877665544992211n);
  space.unmap(CODE + 0x1000, 0x1000);
  registers.rip = CODE + 0xffc;
  assert.deepEqual(engine.run(registers, space, 10), {
    kind: 'fault',
    fault: 'page',
    address: CODE + 0x1000,
    access: 'execute',
  });
  assert.equal(registers.rip, CODE + 0xffc);
});

test('faults leave the state before the instruction', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['488b03', 'page', 'load'],
    ['488903', 'page', 'store'],
    ['48 01 03', 'page', 'read-modify-write'],
    ['48f7f1', 'divide', 'division by zero'],
    ['0f0b', 'illegal', 'ud2'],
    ['06', 'illegal', 'bad bytes'],
    ['f4', 'general', 'hlt'],
    ['ff23', 'page', 'jump through nothing'],
    ['f3a4', 'page', 'string move'],
    ['c5f877', 'unsupported', 'vzeroupper'],
    ['0fc7f0', 'unsupported', 'rdrand'],
  ];
  for (const [code, expected, name] of cases) {
    const { space, registers } = machine(`90 f9 ${code}`);
    registers.gpr[3] = 0x666000n;
    registers.gpr[6] = 0x666000n;
    registers.gpr[0] = 7n;
    if (name === 'string move') registers.gpr[1] = 5n;
    const before = registers.gpr.slice();
    const stop = createReferenceEngine().run(registers, space, 10);
    assert.equal(kind(stop), expected, name);
    assert.equal(registers.rip, CODE + 2, name);
    assert.deepEqual(registers.gpr, before, name);
    assert.equal(registers.rflags & 1n, 1n, name);
  }
});

test('unsupported instructions are named', () => {
  const { space, registers } = machine('c5fd6f00');
  assert.deepEqual(createReferenceEngine().run(registers, space, 5), {
    kind: 'unsupported',
    address: CODE,
    text: 'vmovdqa ymm0, [rax]',
    code: 'VEX_Vmovdqa_ymm_ymmm256',
  });
});

test('a system call leaves the next address in rip and rcx, the flags in r11', () => {
  const { space, registers } = machine('f9 0f05');
  assert.deepEqual(createReferenceEngine().run(registers, space, 5), { kind: 'syscall' });
  assert.equal(registers.rip, CODE + 3);
  assert.equal(registers.gpr[1], BigInt(CODE + 3));
  assert.equal(registers.gpr[11], 0x203n);
});

test('code without execute permission, and jumps to nowhere', () => {
  const { space, registers } = machine('ffe0');
  const engine = createReferenceEngine();
  const jump = (target: bigint): EngineStop => {
    registers.rip = CODE;
    registers.gpr[0] = target;
    return engine.run(registers, space, 5);
  };
  assert.deepEqual(jump(0x10000n), { kind: 'fault', fault: 'page', address: 0x10000, access: 'execute' });
  assert.equal(registers.rip, 0x10000);
  assert.deepEqual(jump(0n), { kind: 'fault', fault: 'page', address: 0, access: 'execute' });
  assert.equal(kind(jump(1n << 63n)), 'general');
  assert.equal(registers.rip, CODE);
});

test('cpuid says baseline, and more only when switched on; rdtsc counts', () => {
  const { space, registers } = machine('0fa2 cc');
  registers.gpr[0] = 1n;
  createReferenceEngine().run(registers, space, 5);
  assert.equal(registers.gpr[1], 0n, 'no SSE3 and later');
  assert.equal((registers.gpr[2] >> 26n) & 1n, 1n, 'SSE2');
  const other = machine('0fa2 cc');
  other.registers.gpr[0] = 1n;
  createReferenceEngine({ features: new Set(['popcnt']) }).run(other.registers, other.space, 5);
  assert.equal(other.registers.gpr[1], 1n << 23n);
  const clock = machine('0f31 cc');
  createReferenceEngine({ tsc: () => 0x1_0000_0002n }).run(clock.registers, clock.space, 5);
  assert.deepEqual([clock.registers.gpr[0], clock.registers.gpr[2]], [2n, 1n]);
});

test('without an extension, its encodings do what older processors do', () => {
  for (const [features, expected] of [
    [[], 4n],
    [['lzcnt'], 27n],
  ] as const) {
    const { space, registers } = machine('f30fbdc3 cc'); // lzcnt eax,ebx or bsr
    registers.gpr[3] = 0x10n;
    createReferenceEngine({ features: new Set(features) }).run(registers, space, 5);
    assert.equal(registers.gpr[0], expected);
  }
});

test('registers: fxsave and fxrstor are inverse, clones are apart', () => {
  const registers = createRegisters();
  for (let i = 0; i < 32; i++) registers.xmm[i] = BigInt(i) * 0x0101_0101_0101n;
  registers.fsw = 3 << 11;
  registers.st.fill(7, 0, 10);
  registers.mxcsr = 0x1fa0;
  registers.ftw = 1;
  const image = registers.fxsave();
  const copy = createRegisters();
  copy.fxrstor(image);
  assert.deepEqual(copy.fxsave(), image);
  assert.deepEqual(
    image.subarray(32 + 16 * 5, 32 + 16 * 5 + 10),
    new Uint8Array(10).fill(7),
    'R0 is ST(5) with TOP 3',
  );
  const clone = registers.clone();
  clone.gpr[0] = 1n;
  clone.rip = 5;
  assert.equal(registers.gpr[0], 0n);
  assert.equal(registers.rip, 0);
});
