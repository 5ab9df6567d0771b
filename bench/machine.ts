// Instructions per second of the engines on a hash loop (FNV-1a over 64 KiB, again and again).
import {
  createMemory,
  createReferenceEngine,
  createRegisters,
  type Engine,
  PROT,
} from '../src/machine/index.ts';
import type { BenchRow } from './sysflow.ts';

// again: mov rax, offset basis; mov rsi, buffer; mov ecx, 65536
// loop:  movzx edx, byte [rsi]; inc rsi; xor rax, rdx; imul rax, prime; dec ecx; jnz loop; jmp again
const CODE = [
  0x48, 0xb8, 0x25, 0x23, 0x22, 0x84, 0xe4, 0x9c, 0xf2, 0xcb, 0x48, 0xbe, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00,
  0x00, 0x00, 0xb9, 0x00, 0x00, 0x01, 0x00, 0x48, 0xbf, 0xb3, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x0f,
  0xb6, 0x16, 0x48, 0xff, 0xc6, 0x48, 0x31, 0xd0, 0x48, 0x0f, 0xaf, 0xc7, 0xff, 0xc9, 0x75, 0xef, 0xeb, 0xca,
];
const CODE_AT = 0x10_0000 - 0x1000;
const DATA_AT = 0x10_0000;

/** Instructions/s of one engine, the best of several turns. */
export function hashLoop(engine: Engine, seconds: number): number {
  const space = createMemory().createAddressSpace();
  space.map({ address: CODE_AT, length: 0x1000, prot: PROT.READ | PROT.WRITE | PROT.EXEC });
  space.map({ address: DATA_AT, length: 0x1_0000, prot: PROT.READ | PROT.WRITE });
  space.write(CODE_AT, Uint8Array.from(CODE));
  const registers = createRegisters();
  registers.rip = CODE_AT;
  let best = 0;
  for (let turn = 0; turn < 4; turn++) {
    const before = engine.executed;
    const started = process.hrtime.bigint();
    let elapsed = 0;
    while (elapsed < seconds) {
      const stop = engine.run(registers, space, 200_000);
      if (stop.kind !== 'budget') throw new Error(`the hash loop stopped: ${stop.kind}`);
      elapsed = Number(process.hrtime.bigint() - started) / 1e9;
    }
    best = Math.max(best, (engine.executed - before) / elapsed);
  }
  space.release();
  return best;
}

export function benchMachine(): BenchRow[] {
  return [
    {
      name: 'reference engine, hash loop',
      value: hashLoop(createReferenceEngine(), 0.5),
      unit: 'instructions/s',
    },
  ];
}
