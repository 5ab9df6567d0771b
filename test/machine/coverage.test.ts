// Which instruction forms of real programs the differential tests have instances of: all but the few that are listed
// here with the reason.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEGER_TABLE, LIFT_TABLE } from '../../src/isa/index.ts';
import { harvest, MORE_PROGRAMS, PROGRAMS } from '../native/harvest.ts';
import { decodeOne } from '../native/instances.ts';
import { vexForms } from './avx-forms.ts';
import { Random } from './float-cases.ts';
import {
  makeCase,
  parseForms,
  SSE_APPROXIMATE,
  SSE_EXTENDED,
  SSE_FLOAT,
  SSE_MOVES,
  SSE_PACKED,
} from './sse-forms.ts';
import { x87Forms } from './x87-forms.ts';

/** Not compared with the processor, or elsewhere. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/^(Syscall|Sysenter|Int_imm8|Int1|Hlt)/, 'leaves user mode'],
  [/^(Cpuid|Rdtsc|Rdtscp|Xgetbv|Rdrand|Rdseed|Rdpid|Rdpmc)/, 'its result is the processor’s own'],
  [/^(Xsave|Xrstor)/, 'xsave.test.ts, as round trips'],
  [/^(Mov_.*Sreg|Mov_Sreg|Pop[wq]_|Push[wq]_|Lds|Les|Lfs|Lgs|Lss|Retf|.*_m16(16|32|64)$)/, 'segments'],
  [/^EVEX_|^VEX_K/, 'AVX-512, which is not lifted'],
  [/^(VEX_)?V?(aes|pclmul|gf2p8)/i, 'not lifted'],
  [/^Sha/, 'not lifted'],
  [/^XOP_|^VEX_Vfn?m(add|sub)[ps][sd]_|^Femms/, 'of processors that are gone: XOP, FMA4, 3DNow'],
  [/^Iret/, 'not lifted; data between functions'],
  [/^(Xbegin|Xend|Xabort|Xtest|Rdpkru|Wrpkru)/, 'no processor of these levels has it'],
];

function covered(): Set<string> {
  const names = new Set<string>(vexForms().map((form) => form.name));
  for (const form of x87Forms()) names.add(form.instruction.codeName);
  for (const form of [SSE_MOVES, SSE_PACKED, SSE_FLOAT, SSE_EXTENDED, SSE_APPROXIMATE].flatMap(parseForms)) {
    const random = new Random(form.name);
    // both operand kinds: some have names of their own
    for (let i = 0; i < 8; i++) {
      const instruction = decodeOne(makeCase(form, random).code);
      if (instruction !== undefined) names.add(instruction.codeName);
    }
  }
  return names;
}

test('what programs are made of is compared with the processor', (t) => {
  if (PROGRAMS.length === 0) {
    t.skip('needs the programs of a Debian machine');
    return;
  }
  const names = covered();
  const programs = process.env['EFFIGY_DIFF'] === undefined ? PROGRAMS : MORE_PROGRAMS;
  // what occurs once or twice may be data between functions
  const seen = [...harvest(programs).values()].filter(({ count }) => count > 2);
  const missing = seen
    .map(({ instruction }) => instruction)
    .filter(
      ({ codeName, mnemonic }) =>
        !names.has(codeName) &&
        !Object.hasOwn(INTEGER_TABLE, codeName) &&
        !(Object.hasOwn(INTEGER_TABLE, mnemonic) && !/^E?VEX_/.test(codeName)) &&
        !ELSEWHERE.some(([form]) => form.test(codeName)),
    )
    .map(
      ({ codeName, mnemonic }) => `${codeName}${Object.hasOwn(LIFT_TABLE, mnemonic) ? '' : ' (not lifted)'}`,
    );
  t.diagnostic(`${seen.length} forms in ${programs.length} programs`);
  assert.deepEqual([...new Set(missing)].sort(), []);
});
