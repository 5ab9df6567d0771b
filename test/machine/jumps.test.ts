// Jumps, calls and returns to every kind of address: the ends of pages, of mappings and of user space, pages that are
// not there or may not be executed, the kernel half, addresses that are none. The fast engine against the reference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createFastEngine,
  createMemory,
  createReferenceEngine,
  createRegisters,
  type Engine,
  type EngineStop,
  type PagedSpace,
  PROT,
} from '../../src/machine/index.ts';

const CODE = 0x401000;
const DATA = 0x10000;
const STACK = 0x21000;
const bytes = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (h) => Number.parseInt(h, 16));

/** From rax or the stack; the address is in both, and in memory at rbx. */
const FORMS = ['ffe0', 'ffd0', 'c3', 'c20800', 'ff23', 'ff13', '50c3', '90ff23', '48ffc1ffe0'];

const U64 = 2n ** 64n;
const TARGETS: readonly bigint[] = [
  ...[0n, 1n, 15n, 4095n, 4096n, 0x400fffn, 0x401000n, 0x401ff0n, 0x401ffen, 0x401fffn, 0x402000n, 0x402fffn],
  ...[BigInt(CODE) + 0x100n, BigInt(CODE) + 0x101n, BigInt(DATA), BigInt(DATA) + 0xfffn, BigInt(STACK) - 8n],
  ...[1n, 2n, 4096n, 4097n].flatMap((n) => [2n ** 47n - n, 2n ** 47n + n - 1n, U64 - 2n ** 47n - n, U64 - n]),
  ...[
    U64 - 2n ** 47n,
    2n ** 63n,
    2n ** 63n - 1n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 31n,
    2n ** 48n + 0x401100n,
  ],
  // addresses with the hash of address 0 in a table of code
  ...[0x2001n, 0x4002n, 0x2_0000_0000n + 0x0004_0000n, 0xffff_ffff_ffff_e000n],
];

interface Outcome {
  readonly stop: EngineStop;
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly stack: Uint8Array;
}

function prepared(form: string): PagedSpace {
  const space = createMemory().createAddressSpace();
  space.map({ address: CODE, length: 0x1000, prot: PROT.READ | PROT.WRITE | PROT.EXEC });
  space.map({ address: DATA, length: 0x1000, prot: PROT.READ | PROT.WRITE });
  space.map({ address: STACK - 0x1000, length: 0x1000, prot: PROT.READ | PROT.WRITE });
  space.write(CODE, bytes(form));
  // inc rdx; int3, and the same up to the end of the page, where an instruction reaches out of it
  space.write(CODE + 0x100, bytes('48ffc2cc'));
  space.write(CODE + 0xff0, bytes('48ffc248ffc248ffc248ffc248ff'));
  return space;
}

function jump(engine: Engine, space: PagedSpace, target: bigint): Outcome {
  const registers = createRegisters();
  registers.rip = CODE;
  registers.gpr[0] = target;
  registers.gpr[3] = BigInt(DATA) + 0x80n;
  registers.gpr[4] = BigInt(STACK) - 0x100n;
  const word = new Uint8Array(8);
  new DataView(word.buffer).setBigUint64(0, target, true);
  space.write(DATA + 0x80, word);
  space.write(STACK - 0x100, word);
  const stop = engine.run(registers, space, 40);
  return {
    stop,
    gpr: [...registers.gpr],
    rip: new BigUint64Array(registers.buffer, registers.offset + 128, 1)[0],
    stack: space.read(STACK - 0x200, 0x200),
  };
}

for (const eager of [false, true, 'compact'] as const) {
  test(`odd targets${eager === false ? '' : eager === true ? ', all code translated' : ', all code translated compactly'}`, () => {
    for (const form of FORMS) {
      const expected = prepared(form);
      const actual = prepared(form);
      const engine = createFastEngine({ eager });
      const reference = createReferenceEngine();
      // translated when it runs for the second time
      for (let turn = 0; turn < (eager === false ? 1 : 2); turn++) {
        for (const target of TARGETS) {
          assert.deepEqual(
            jump(engine, actual, target),
            jump(reference, expected, target),
            `${form} to 0x${target.toString(16)}`,
          );
        }
      }
    }
  });
}
