// Integer instructions against the real processor: every form of the opcode maps with random operands and states, the
// encodings that occur in this machine's programs, and the cases that once differed (test/native/vectors).
// EFFIGY_DIFF=200 for a long run, EFFIGY_SEED for another one, EFFIGY_KEEP=1 to keep what differs.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  disassemble,
  type Feature,
  flagFacts,
  INTEGER_TABLE,
  type Instruction,
  LIFT_TABLE,
} from '../../src/isa/index.ts';
import { chosenFor, runTested, TESTED_ENGINES } from '../native/engines.ts';
import { harvest, MORE_PROGRAMS, PROGRAMS } from '../native/harvest.ts';
import { decodeOne, encode, formOf, type Instance, makeCase } from '../native/instances.ts';
import {
  CODE,
  CODE_SIZE,
  compare,
  DATA,
  describe,
  ENTRY,
  GS_BASE,
  hostFeatures,
  type Mask,
  nativeUnavailable,
  runNative,
} from '../native/native.ts';
import { instancesPerForm, Random, runSeed } from '../native/random.ts';
import { keepVectors, loadVectors, printCase } from '../native/vectors.ts';

/** Not comparable: they ask for the host's identity or time, or leave the machine. */
const HOST_ONLY = new Set([
  'syscall',
  'sysenter',
  'cpuid',
  'rdtsc',
  'rdtscp',
  'xgetbv',
  'int1',
  'rdpmc',
  'rdfsbase',
  'rdgsbase',
  'wrfsbase',
  'wrgsbase',
]);

/** Reported as `unsupported`: software interrupts (32-bit system calls among them), segment loads, far transfers. */
const UNSUPPORTED = /^(Int_imm8|Mov_Sreg|Pop[wq]_[FG]S|(Jmp|Call)_m16|Retf|(Jmp|Call)_rel16|(Jmp|Call)_rm16)/;

function rowName({ codeName, mnemonic }: Instruction, table: typeof LIFT_TABLE): string | undefined {
  return [codeName, mnemonic].find((key) => Object.hasOwn(table, key));
}

/** Whether the instruction is an integer one that the host has, and whose meaning does not depend on the host. */
function comparable(instance: Instance, features: ReadonlySet<Feature>): boolean {
  const { instruction } = instance;
  const name = rowName(instruction, INTEGER_TABLE);
  if (name === undefined || HOST_ONLY.has(instruction.mnemonic) || UNSUPPORTED.test(instruction.codeName))
    return false;
  const row = INTEGER_TABLE[name];
  return (typeof row === 'function' || features.has(row.needs)) && !vendorDependent(instance);
}

const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

/**
 * With an operand size prefix, near branches have 16-bit targets on some vendors' processors and not on others'; with a
 * rep prefix, some look at ZF in loopcc as if the other condition were meant, and see xchg r8,rax for pause. Movsxd into
 * 16 bits reads two bytes or four.
 */
function vendorDependent(instance: Instance): boolean {
  const { instruction, test: c } = instance;
  const { mnemonic } = instruction;
  if (readsKernelHalf(instance) || leadsToVsyscall(instance)) return true;
  if ((mnemonic === 'loope' || mnemonic === 'loopne') && (instruction.rep || instruction.repne)) return true;
  if (instruction.codeName === 'Movsxd_r16_rm16') return true;
  if (mnemonic === 'pause' && c.code.length > 2) return true;
  if (instruction.kinds[0] !== 'near' && !['ret', 'jmp', 'call'].includes(mnemonic)) return false;
  // a REX counts only as the last prefix
  const opcode = c.code.findIndex((byte) => (byte & 0xf0) !== 0x40 && !PREFIXES.includes(byte));
  return c.code.subarray(0, opcode).includes(0x66) && (c.code[opcode - 1] & 0xf8) !== 0x48;
}

/** The first byte of the kernel's half: repeated moves from there end in another fault than single ones. */
const KERNEL_HALF = 0xffff_8000_0000_0000n;

function readsKernelHalf({ instruction, test: c }: Instance): boolean {
  if (!(instruction.rep || instruction.repne) || !/^movs/.test(instruction.mnemonic)) return false;
  const base = instruction.segment === 'gs' ? BigInt(GS_BASE) : 0n;
  return BigInt.asUintN(64, base + c.gpr[6]) === KERNEL_HALF;
}

/** Where Linux keeps a page of code in the kernel's half, which the machine has not. */
const VSYSCALL = 0xffff_ffff_ff60_0000n;

function leadsToVsyscall({ instruction, test: c }: Instance): boolean {
  if (instruction.kinds[0] !== 'near' || c.code.length < 5) return false;
  const view = new DataView(c.code.buffer, c.code.byteOffset, c.code.length);
  const target = BigInt(ENTRY + c.code.length + view.getInt32(c.code.length - 4, true));
  return BigInt.asUintN(64, target) >> 12n === VSYSCALL >> 12n;
}

/** Instances of every form, `perForm` each, from random encodings of every opcode. */
function generate(random: Random, features: ReadonlySet<Feature>, perForm: number): Map<string, Instance[]> {
  const forms = new Map<string, Instance[]>();
  const opcodes = [0, 1, 2].flatMap((map) =>
    Array.from({ length: 256 }, (_, opcode) => [map, opcode] as const),
  );
  for (const [map, opcode] of opcodes) {
    // a form is one of up to eight of a group, with one of a few prefixes, over memory or register
    for (let dry = 0; dry < 60 + 12 * perForm; ) {
      const bytes = encode(random, map, opcode);
      const instance = bytes === undefined ? undefined : makeCase(random, bytes);
      const list =
        instance === undefined || !comparable(instance, features) ? undefined : listOf(forms, instance.form);
      if (instance !== undefined && list !== undefined && list.length < perForm) list.push(instance);
      else dry++;
    }
  }
  return forms;
}

function listOf(forms: Map<string, Instance[]>, form: string): Instance[] {
  const known = forms.get(form);
  if (known !== undefined) return known;
  const fresh: Instance[] = [];
  forms.set(form, fresh);
  return fresh;
}

const OF = 1 << 11;
const AF = 1 << 4;
const CF = 1;

/** Flags that the manual leaves undefined for this very instance, counts looked at. */
function maskOf({ instruction, test: c }: Instance): Mask {
  const last = instruction.kinds[instruction.kinds.length - 1];
  const count = last === 'immediate' ? instruction.immediateLow & 0xff : Number(c.gpr[1] & 0xffn);
  const width = instruction.kinds[0] === 'memory' ? instruction.memoryWidth : instruction.registers[0].width;
  const masked = count & (width === 64 ? 63 : 31);
  switch (instruction.mnemonic) {
    case 'shl':
    case 'sal':
    case 'shr':
    case 'sar':
      return { rflags: masked === 0 ? 0 : AF | (masked === 1 ? 0 : OF) | (masked >= width ? CF : 0) };
    case 'rol':
    case 'ror':
    case 'rcl':
    case 'rcr':
      return { rflags: masked > 1 ? OF : 0 };
    case 'shld':
    case 'shrd':
      return { rflags: masked === 0 ? 0 : AF | (masked === 1 ? 0 : OF), everything: masked > width };
    default:
      return { rflags: flagFacts(c.code).undefined };
  }
}

/** Fails with the first differences; keeps them if asked to. */
function check(t: TestContext, instances: readonly Instance[]): void {
  const cases = instances.map((instance) => instance.test);
  const native = runNative(cases);
  let compared = 0;
  const forms = instances.map((instance) => instance.form);
  const found = TESTED_ENGINES.flatMap((engine) => {
    const chosen = chosenFor(engine, forms);
    const outcomes = runTested(
      engine,
      chosen.map((i) => cases[i]),
      hostFeatures(),
    );
    compared += chosen.length;
    return chosen.flatMap((i, k) => {
      const instance = instances[i];
      const differences = compare(native[i], outcomes[k], maskOf(instance));
      const what = `${instance.form} (${engine.name}): ${describe(instance.test)}`;
      return differences.length === 0
        ? []
        : [{ instance, text: `${what}\n    ${differences.join('\n    ')}` }];
    });
  });
  keepVectors(
    'integer.txt',
    found.map(({ instance }) => ({ test: instance.test, remark: describe(instance.test) })),
  );
  t.diagnostic(
    `${new Set(instances.map((instance) => instance.form)).size} forms, ${instances.length} instances, ${compared} runs, ${found.length} differences`,
  );
  assert.equal(
    found.length,
    0,
    `${found.length} of ${compared} differ:\n${found
      .slice(0, 20)
      .map((f) => f.text)
      .join('\n')}`,
  );
}

function skips(t: TestContext): boolean {
  const reason = nativeUnavailable();
  if (reason !== undefined) t.skip(reason);
  return reason !== undefined;
}

test('integer instructions do what the processor does', (t) => {
  if (skips(t)) return;
  const forms = generate(new Random(runSeed()), new Set(hostFeatures()), instancesPerForm(5));
  check(t, [...forms.values()].flat());
});

/** Cases for the encodings that occur in this machine's programs. */
function harvested(random: Random, features: ReadonlySet<Feature>, perForm: number): Instance[] {
  const instances: Instance[] = [];
  for (const { encodings } of harvest(
    process.env['EFFIGY_DIFF'] === undefined ? PROGRAMS : MORE_PROGRAMS,
  ).values()) {
    let made = 0;
    for (let tries = 0; tries < 3 * perForm && made < perForm; tries++) {
      const instance = makeCase(random, encodings[tries % encodings.length]);
      if (instance === undefined || !comparable(instance, features)) continue;
      instances.push(instance);
      made++;
    }
  }
  return instances;
}

test('so do the encodings that occur in the shell, the C library and the loader', (t) => {
  if (skips(t)) return;
  check(t, harvested(new Random(runSeed() + 1), new Set(hostFeatures()), instancesPerForm(6)));
});

/** Leave out of sequences: transfers, what sets TF, and results that the manual leaves open. */
const NOT_IN_SEQUENCES = /^(j|loop|call|ret|jmp|popf|shld|shrd|int|ud|hlt|bswap)/;

/**
 * Several instructions in a row, so that values and flags go from one to the next inside a block, and faults happen in
 * the middle of one. Flags that one leaves undefined are not read by those after it.
 */
function makeSequence(
  random: Random,
  pool: readonly Instance[],
): { readonly test: Instance['test']; readonly mask: number } {
  const code: number[] = [];
  let undefinedFlags = 0;
  let mask = 0;
  const first = random.pick(pool);
  const gpr = first.test.gpr.map((value) =>
    random.chance(30) ? BigInt(DATA + random.below(0x1800)) : value,
  );
  for (let tries = 0; tries < 30 && code.length < 48; tries++) {
    const { test: c, instruction } = random.pick(pool);
    const risky =
      instruction.kinds.some((kind) => kind !== 'register' && kind !== 'immediate') ||
      /div/.test(instruction.mnemonic);
    if (risky && random.chance(92)) continue;
    const facts = flagFacts(c.code);
    if ((facts.read & undefinedFlags) !== 0 || code.length + c.code.length > 64) continue;
    code.push(...c.code);
    // by a count that may be 0 flags may stay
    if (instruction.registers.some((register) => register.name === 'cl'))
      undefinedFlags |= facts.undefined | (facts.modified & 0x811);
    else undefinedFlags = (undefinedFlags & ~facts.modified) | facts.undefined;
    mask |= undefinedFlags;
  }
  // what a repeated store makes of its own code, the processor may see at once or when it is done
  if (gpr[7] >= BigInt(CODE) && gpr[7] < BigInt(CODE + CODE_SIZE)) gpr[7] = BigInt(DATA);
  return { test: { ...first.test, code: Uint8Array.from(code), gpr }, mask };
}

test('sequences of instructions do what the processor does', (t) => {
  if (skips(t)) return;
  const random = new Random(runSeed() + 2);
  const features = new Set(hostFeatures());
  const all = harvested(random, features, 6);
  const alone = runNative(all.map((instance) => instance.test));
  const pool = all.filter(
    ({ instruction }, i) => alone[i].stop === 'end' && !NOT_IN_SEQUENCES.test(instruction.mnemonic),
  );
  const sequences = Array.from({ length: instancesPerForm(10) * 200 }, () => makeSequence(random, pool));
  const cases = sequences.map((sequence) => sequence.test);
  const native = runNative(cases);
  // a short run takes some of ten sequences
  const groups = sequences.map((_, i) => String(Math.floor(i / 10)));
  const found = TESTED_ENGINES.flatMap((engine) => {
    const chosen = chosenFor(engine, groups);
    const outcomes = runTested(
      engine,
      chosen.map((i) => cases[i]),
      hostFeatures(),
    );
    return chosen.flatMap((i, k) => {
      const { test: c, mask } = sequences[i];
      const differences = compare(native[i], outcomes[k], { rflags: mask });
      return differences.length === 0
        ? []
        : [`${engine.name}\n${disassembleAll(c.code)}\n  ${printCase(c)}\n    ${differences.join('\n    ')}`];
    });
  });
  t.diagnostic(
    `${sequences.length} sequences, ${native.filter((outcome) => outcome.stop === 'end').length} without a fault, ${found.length} differences`,
  );
  assert.equal(
    found.length,
    0,
    `${found.length} of ${cases.length} differ:\n${found.slice(0, 5).join('\n')}`,
  );
});

function disassembleAll(code: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < code.length; ) {
    const length = decodeOne(code.subarray(at, at + 15))?.length ?? 1;
    lines.push(`  ${disassemble(code.subarray(at, at + length), at)}`);
    at += length;
  }
  return lines.join('\n');
}

test('cases that once differed', (t) => {
  if (skips(t)) return;
  const instances = loadVectors('integer.txt').flatMap((c): Instance[] => {
    const instruction = decodeOne(c.code);
    return instruction === undefined ? [] : [{ form: formOf(instruction), instruction, test: c }];
  });
  assert.ok(instances.length > 0);
  check(
    t,
    instances.filter((instance) => comparable(instance, new Set(hostFeatures()))),
  );
});

/** Transactions, protection keys and extended state: what no processor that says baseline has. */
const NOT_BASELINE = /^(Xtest|Xabort|Xbegin|Xend|RdpkrU|Rdpkru|Wrpkru|Xrstor|Xsave|Xsavec)/;

test('every form in the shell, the C library and the loader has a meaning', (t) => {
  if (PROGRAMS.length === 0) {
    t.skip('needs the programs of a Debian machine');
    return;
  }
  const missing = [...harvest(PROGRAMS).values()]
    .map(({ instruction }) => instruction)
    .filter(
      (instruction) =>
        !/^(VEX|EVEX)_/.test(instruction.codeName) &&
        !NOT_BASELINE.test(instruction.codeName) &&
        rowName(instruction, LIFT_TABLE) === undefined,
    );
  assert.deepEqual(
    missing.map((instruction) => instruction.codeName),
    [],
  );
});
