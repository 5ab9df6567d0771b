// A region that is left often for the same places is translated anew with them inside: that happens, what comes of it
// is what the reference does, and it happens a bounded number of times.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Translator } from '../../src/machine/fast/translator.ts';
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
const TABLE = 0x10000;

const little = (value: number): string =>
  [0, 8, 16, 24].map((shift) => ((value >>> shift) & 255).toString(16).padStart(2, '0')).join('');

/** A loop that calls through a table, in turn, each of `count` functions on pages of their own. */
function machine(count: number): { readonly space: PagedSpace; readonly registers: RegisterFile } {
  const space = createMemory().createAddressSpace();
  space.map({ address: CODE, length: 0x1000 * (count + 2), prot: PROT.READ | PROT.WRITE | PROT.EXEC });
  space.map({ address: TABLE, length: 0x2000, prot: PROT.READ | PROT.WRITE });
  const put = (at: number, text: string): void => space.write(at, Buffer.from(text.replace(/ /g, ''), 'hex'));
  // inc ecx; cmp ecx, count; jb +2; xor ecx, ecx; call [TABLE + rcx*8]; dec rbx; jnz to the start; int3
  put(CODE, `ffc1 81f9 ${little(count)} 7202 31c9 ff14cd ${little(TABLE)} 48ffcb 75e8 cc`);
  for (let i = 0; i < count; i++) {
    const at = CODE + 0x1000 * (i + 1);
    space.write(TABLE + 8 * i, Buffer.from(little(at).padEnd(16, '0'), 'hex'));
    // add rax, i + 1; rol rax, 1; test al, 1; jz +3; xor rdx, rax; ret
    put(at, `4883c0 ${(i + 1).toString(16).padStart(2, '0')} 48d1c0 a801 7403 4831c2 c3`);
  }
  const registers = createRegisters();
  registers.rip = CODE;
  registers.gpr[4] = BigInt(TABLE + 0x1f00);
  return { space, registers };
}

/** What `grow` was asked for, and what it made, by counting at the translator. */
function watched<T>(body: () => T): { readonly result: T; readonly asked: number; readonly made: number } {
  const original = Translator.prototype.grow;
  let asked = 0;
  let made = 0;
  Translator.prototype.grow = function (...args): void {
    const before = this.regions;
    original.apply(this, args);
    asked++;
    made += this.regions - before;
  };
  try {
    return { result: body(), asked, made };
  } finally {
    Translator.prototype.grow = original;
  }
}

function run(engine: Engine, count: number, rounds: number): readonly unknown[] {
  const { space, registers } = machine(count);
  registers.gpr[3] = BigInt(rounds);
  let stop = engine.run(registers, space, 1_000_003);
  while (stop.kind === 'budget') stop = engine.run(registers, space, 1_000_003);
  assert.equal(stop.kind === 'fault' && stop.fault, 'breakpoint');
  return [...registers.gpr, registers.rip, registers.rflags, engine.executed];
}

for (const count of [2, 5, 30]) {
  test(`a region with ${count} places that it calls takes them in`, () => {
    const rounds = 400_000;
    const expected = run(createReferenceEngine(), count, rounds);
    for (const eager of [false, true, 'compact'] as const) {
      const { result, asked, made } = watched(() => run(createFastEngine({ eager }), count, rounds));
      assert.deepEqual(result, expected);
      assert.ok(asked > 0 && made > 0, `asked ${asked}, made ${made}`);
      // the second half leaves the region less often than once in a round
      assert.ok(asked < rounds / 65_536 + 8, `asked ${asked}`);
    }
  });
}
