// Integer instructions against the real processor: every form of the opcode maps, random operands and states.
// EFFIGY_DIFF=200 for a long run, EFFIGY_SEED for another one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Feature, flagFacts, INTEGER_TABLE } from '../../src/isa/index.ts';
import { encode, type Instance, makeCase } from '../native/instances.ts';
import {
  compare,
  describe,
  hostFeatures,
  type Mask,
  nativeUnavailable,
  type Outcome,
  runEngine,
  runNative,
} from '../native/native.ts';
import { instancesPerForm, Random, runSeed } from '../native/random.ts';

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

function covered(instance: Instance, features: ReadonlySet<Feature>): boolean {
  const { mnemonic, codeName } = instance.instruction;
  const name = [codeName, mnemonic].find((key) => Object.hasOwn(INTEGER_TABLE, key));
  if (name === undefined) return false;
  const row = INTEGER_TABLE[name];
  const here = typeof row === 'function' || features.has(row.needs);
  return here && !vendorDependent(instance) && !HOST_ONLY.has(mnemonic) && !UNSUPPORTED.test(codeName);
}

/** Instances of every form, `perForm` each, from `rounds` random encodings of every opcode. */
function generate(random: Random, features: ReadonlySet<Feature>, perForm: number): Map<string, Instance[]> {
  const forms = new Map<string, Instance[]>();
  const opcodes: readonly (readonly [number, number])[] = [0, 1, 2].flatMap((map) =>
    Array.from({ length: 256 }, (_, opcode) => [map, opcode] as const),
  );
  for (const [map, opcode] of opcodes) {
    // a form is one of up to eight of a group, with one of a few prefixes, over memory or register
    for (let dry = 0; dry < 60 + 12 * perForm; ) {
      const bytes = encode(random, map, opcode);
      const instance = bytes === undefined ? undefined : makeCase(random, bytes);
      if (instance === undefined || !covered(instance, features)) {
        dry++;
        continue;
      }
      const list = forms.get(instance.form);
      if (list === undefined) forms.set(instance.form, [instance]);
      else if (list.length < perForm) list.push(instance);
      else dry++;
    }
  }
  return forms;
}

/**
 * With an operand size prefix, near branches have 16-bit targets on some vendors' processors and not on others'; with a
 * rep prefix, some look at ZF in loopcc as if the other condition were meant.
 */
function vendorDependent({ instruction, test: c }: Instance): boolean {
  if (['loope', 'loopne'].includes(instruction.mnemonic) && (instruction.rep || instruction.repne))
    return true;
  // rep xchg r8,rax: some see pause there
  if (instruction.mnemonic === 'pause' && c.code.length > 2) return true;
  if (instruction.kinds[0] !== 'near' && !['ret', 'jmp', 'call'].includes(instruction.mnemonic)) return false;
  // a REX counts only as the last prefix
  const opcode = c.code.findIndex((byte) => (byte & 0xf0) !== 0x40 && !PREFIXES.includes(byte));
  return c.code.subarray(0, opcode).includes(0x66) && (c.code[opcode - 1] & 0xf8) !== 0x48;
}

const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const OF = 1 << 11;
const AF = 1 << 4;
const CF = 1;

/** Flags that the manual leaves undefined for this very instance, counts looked at. */
function maskOf(instance: Instance): Mask {
  const { instruction, test: c } = instance;
  const undefinedFlags = flagFacts(c.code).undefined;
  const count =
    instruction.kinds[instruction.kinds.length - 1] === 'immediate'
      ? instruction.immediateLow & 0xff
      : Number(c.gpr[1] & 0xffn);
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
      return { rflags: undefinedFlags };
  }
}

function differences(
  instances: readonly Instance[],
  native: readonly Outcome[],
  engine: readonly Outcome[],
): string[] {
  const out: string[] = [];
  instances.forEach((instance, i) => {
    const found = compare(native[i], engine[i], maskOf(instance));
    if (found.length > 0)
      out.push(`${instance.form}: ${describe(instance.test)}\n    ${found.join('\n    ')}`);
  });
  return out;
}

test('integer instructions do what the processor does', (t) => {
  const reason = nativeUnavailable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const features = hostFeatures();
  const forms = generate(new Random(runSeed()), new Set(features), instancesPerForm(6));
  const instances = [...forms.values()].flat();
  const native = runNative(instances.map((i) => i.test));
  const engine = runEngine(
    instances.map((i) => i.test),
    features,
  );
  const found = differences(instances, native, engine);
  t.diagnostic(`${forms.size} forms, ${instances.length} instances, ${found.length} differences`);
  assert.equal(
    found.length,
    0,
    `${found.length} of ${instances.length} differ:\n${found.slice(0, 20).join('\n')}`,
  );
});
