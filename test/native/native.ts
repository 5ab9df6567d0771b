// Differential tests against the real processor: runs the same cases natively (runner.c, compiled on first use) and in
// an engine, and compares what they leave behind. Layouts of cases and results are those of runner.c.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disassemble, FEATURES, type Feature } from '../../src/isa/index.ts';
import {
  type AddressSpace,
  createMemory,
  createReferenceEngine,
  createRegisters,
  type Engine,
  type EngineStop,
  type Fault,
  PROT,
  type RegisterFile,
} from '../../src/machine/index.ts';

/** Where a case finds its memory. Data: two pages read-write, one read-only, then nothing mapped. */
export const CODE = 0x1000_0000;
export const ENTRY = CODE + 0x800;
export const DATA = 0x2000_0000;
export const DATA_WRITABLE = 0x2000;
export const DATA_SIZE = 0x3000;
export const STACK = 0x3000_0000;
export const STACK_SIZE = 0x1000;
export const GS_BASE = DATA + 0x800;
export const CODE_SIZE = 0x2000;
const IMAGE_SIZE = DATA_SIZE + STACK_SIZE;
/** CF PF AF ZF SF DF OF: what a case may set and what is compared. */
export const USER_FLAGS = 0xcd5;

export interface Case {
  /** At most 64 bytes; runs from ENTRY; int3 follows. */
  readonly code: Uint8Array;
  /** 16 general registers in encoding order. */
  readonly gpr: BigUint64Array;
  readonly rflags: bigint;
  /** FXSAVE image of 512 bytes: x87, MXCSR, XMM. */
  readonly fx: Uint8Array;
  /** Upper halves of the YMM registers, 256 bytes; zeros where not given. */
  readonly ymm?: Uint8Array;
  /** Bytes (at most 16 each) in place of the image's, at offsets: 0..0x1fff data, 0x3000..0x3fff stack. */
  readonly patches: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

export interface Outcome {
  /** `end`: the int3 after the code (or at a branch target) was reached. `hang`: did not end. `other`: see `detail`. */
  readonly stop: 'end' | 'hang' | 'other' | Fault;
  readonly detail: string;
  /** Page faults: address and whether it was a write. */
  readonly address: number;
  readonly write: boolean;
  readonly gpr: BigUint64Array;
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly fx: Uint8Array;
  /** Upper halves of the YMM registers; zeros where the host's processor has none. */
  readonly ymm: Uint8Array;
  /** 8-byte words that changed: offset to new value. */
  readonly changes: ReadonlyMap<number, bigint>;
}

/** The memory that every case starts from: small numbers, edge values, then noise, all fixed. */
export const IMAGE: Uint8Array = makeImage();

function makeImage(): Uint8Array {
  const image = new Uint8Array(IMAGE_SIZE);
  let x = 0x9e3779b9;
  for (let i = 0; i < image.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    const mode = (i >> 6) % 4;
    image[i] =
      mode === 0 ? [0, 1, 0x7f, 0x80, 0xff][(x >>> 8) % 5] : mode === 1 && (x & 1) === 0 ? 0 : x >>> 16;
  }
  return image;
}

/** An FXSAVE image with default control words and zero registers. */
export function defaultFx(): Uint8Array {
  return createRegisters().fxsave();
}

// native

/** Programs compiled so far, by source. */
const tools = new Map<string, string>();

/** Why native runs are impossible here; undefined where they work. */
export function nativeUnavailable(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs an x86-64 Linux host';
  try {
    runnerPath();
    return undefined;
  } catch (error) {
    return `needs gcc: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

const runnerPath = (): string => compileTool('runner.c');

/** Path of a C program of this folder, compiled once and kept for later runs; throws where gcc can't. */
export function compileTool(name: string, flags: readonly string[] = []): string {
  const known = tools.get(name);
  if (known !== undefined) return known;
  const source = ['./', '../../../test/native/', '../../../../test/native/']
    .map((folder) => new URL(`${folder}${name}`, import.meta.url))
    .find((url) => existsSync(url));
  if (source === undefined) throw new Error(`${name} not found`);
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `effigy-native-${hash}`);
  const path = join(folder, name.replace(/\.c$/, ''));
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const fresh = `${path}.${process.pid}`;
    execFileSync('gcc', ['-O1', '-fno-stack-protector', ...flags, '-o', fresh, source.pathname], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    renameSync(fresh, path);
  }
  tools.set(name, path);
  return path;
}

/** Instruction sets that this machine's processor has, by Linux's names for them. */
export function hostFeatures(): readonly Feature[] {
  const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
  const flags = new Set((line?.[1] ?? '').trim().split(/\s+/));
  const names: Readonly<Partial<Record<Feature, string>>> = {
    sse3: 'pni',
    'sse4.1': 'sse4_1',
    'sse4.2': 'sse4_2',
    lzcnt: 'abm',
    pclmul: 'pclmulqdq',
    sha: 'sha_ni',
    lahf: 'lahf_lm',
  };
  return FEATURES.filter((feature) => flags.has(names[feature] ?? feature));
}

const CASE_SIZE = 8 + 64 + 128 + 8 + 512 + 256;
const PATCH_SIZE = 24;
const RESULT_SIZE = 8 + 24 + 128 + 16 + 512 + 256 + 8;
const BATCH = 20_000;

/** Runs the cases on this machine's processor. */
export function runNative(cases: readonly Case[]): Outcome[] {
  const out: Outcome[] = [];
  for (let i = 0; i < cases.length; i += BATCH) out.push(...runBatch(cases.slice(i, i + BATCH)));
  return out;
}

function runBatch(cases: readonly Case[]): Outcome[] {
  const child = spawnSync(runnerPath(), [], { input: encodeCases(cases), maxBuffer: 2 ** 31 - 1 });
  const output = child.stdout;
  const outcomes: Outcome[] = [];
  for (let at = 0; at + RESULT_SIZE <= output.length; ) {
    const changes = output.readUInt32LE(at + RESULT_SIZE - 8);
    outcomes.push(decodeResult(output, at, changes));
    at += RESULT_SIZE + 16 * changes;
  }
  if (outcomes.length !== cases.length) {
    const last = cases[outcomes.length];
    throw new Error(
      `native runner ended (${child.signal ?? child.status}) at case ${outcomes.length}: ${describe(last)} ${child.stderr}`,
    );
  }
  return outcomes;
}

function encodeCases(cases: readonly Case[]): Buffer {
  const size = cases.reduce((sum, c) => sum + CASE_SIZE + PATCH_SIZE * c.patches.length, 8 + IMAGE_SIZE);
  const buffer = Buffer.alloc(size);
  buffer.writeUInt32LE(cases.length, 0);
  buffer.set(IMAGE, 8);
  let at = 8 + IMAGE_SIZE;
  for (const c of cases) {
    if (c.code.length > 64) throw new Error('a case has at most 64 bytes of code');
    buffer.writeUInt32LE(c.code.length, at);
    buffer.writeUInt32LE(c.patches.length, at + 4);
    buffer.set(c.code, at + 8);
    for (let i = 0; i < 16; i++) buffer.writeBigUInt64LE(c.gpr[i], at + 72 + 8 * i);
    buffer.writeBigUInt64LE(c.rflags, at + 200);
    buffer.set(c.fx, at + 208);
    if (c.ymm !== undefined) buffer.set(c.ymm, at + 720);
    at += CASE_SIZE;
    for (const patch of c.patches) {
      buffer.writeUInt32LE(patch.offset, at);
      buffer.writeUInt32LE(patch.bytes.length, at + 4);
      buffer.set(patch.bytes, at + 8);
      at += PATCH_SIZE;
    }
  }
  return buffer;
}

function decodeResult(bytes: Buffer, at: number, changeCount: number): Outcome {
  const signal = bytes.readUInt32LE(at);
  const error = Number(bytes.readBigUInt64LE(at + 16));
  const trap = Number(bytes.readBigUInt64LE(at + 24));
  const gpr = BigUint64Array.from({ length: 16 }, (_, i) => bytes.readBigUInt64LE(at + 32 + 8 * i));
  const changes = new Map<number, bigint>();
  for (let i = 0; i < changeCount; i++) {
    const c = at + RESULT_SIZE + 16 * i;
    changes.set(bytes.readUInt32LE(c), bytes.readBigUInt64LE(c + 8));
  }
  return {
    stop: stopOf(signal, trap),
    detail: `signal ${signal} code ${bytes.readInt32LE(at + 4)} trap ${trap} error ${error}`,
    address: trap === 14 ? Number(bytes.readBigUInt64LE(at + 8)) : 0,
    write: trap === 14 && (error & 2) !== 0,
    gpr,
    rip: bytes.readBigUInt64LE(at + 160),
    rflags: bytes.readBigUInt64LE(at + 168) & BigInt(USER_FLAGS),
    fx: Uint8Array.from(bytes.subarray(at + 176, at + 176 + 512)),
    ymm: Uint8Array.from(bytes.subarray(at + 688, at + 688 + 256)),
    changes,
  };
}

/** Exception vectors of the processor manual. */
const VECTORS: Readonly<Record<number, Outcome['stop']>> = {
  0: 'divide',
  1: 'debug',
  3: 'end',
  4: 'overflow',
  6: 'illegal',
  12: 'general',
  13: 'general',
  14: 'page',
  16: 'float',
  17: 'align',
  19: 'float',
};

function stopOf(signal: number, trap: number): Outcome['stop'] {
  return signal === 14 ? 'hang' : (VECTORS[trap] ?? 'other');
}

// engine

/** Instructions after which an engine's case counts as hanging: more than any rep count that a case may use. */
const ENGINE_BUDGET = 1_000_000;

/** Runs the cases in an engine (default: a reference engine with the given instruction sets on). */
/** The processor goes on behind a pause. */
function runOn(
  engine: Engine,
  registers: RegisterFile,
  space: AddressSpace,
): Exclude<EngineStop, { readonly kind: 'pause' }> {
  for (;;) {
    const stop = engine.run(registers, space, ENGINE_BUDGET);
    if (stop.kind !== 'pause') return stop;
  }
}

export function runEngine(
  cases: readonly Case[],
  features: readonly Feature[] = [],
  engine: Engine = createReferenceEngine({ features: new Set(features) }),
): Outcome[] {
  const memory = createMemory();
  const space = memory.createAddressSpace();
  space.map({ address: CODE, length: CODE_SIZE, prot: PROT.READ | PROT.WRITE | PROT.EXEC });
  space.map({ address: DATA, length: DATA_SIZE, prot: PROT.READ | PROT.WRITE });
  space.map({ address: STACK, length: STACK_SIZE, prot: PROT.READ | PROT.WRITE });
  space.write(DATA, IMAGE.subarray(0, DATA_SIZE));
  space.protect(DATA + DATA_WRITABLE, DATA_SIZE - DATA_WRITABLE, PROT.READ);
  const filler = new Uint8Array(CODE_SIZE).fill(0xcc);
  const expected = new Uint8Array(IMAGE_SIZE);
  const outcomes = cases.map((c): Outcome => {
    expected.set(IMAGE);
    for (const patch of c.patches) expected.set(patch.bytes, patch.offset);
    filler.set(c.code, ENTRY - CODE);
    space.write(CODE, filler);
    filler.fill(0xcc, ENTRY - CODE, ENTRY - CODE + c.code.length);
    space.write(DATA, expected.subarray(0, DATA_WRITABLE));
    space.write(STACK, expected.subarray(DATA_SIZE));
    const registers = createRegisters();
    registers.fxrstor(c.fx);
    if (c.ymm !== undefined) ymmBytes(registers).set(c.ymm);
    registers.gpr.set(c.gpr);
    registers.rflags = (c.rflags & BigInt(USER_FLAGS)) | 0x202n;
    registers.gsbase = BigInt(GS_BASE);
    registers.rip = ENTRY;
    const stop = runOn(engine, registers, space);
    const page = stop.kind === 'fault' && stop.fault === 'page';
    return {
      stop:
        stop.kind === 'fault'
          ? stop.fault === 'breakpoint'
            ? 'end'
            : stop.fault
          : stop.kind === 'budget'
            ? 'hang'
            : 'other',
      detail: stop.kind === 'unsupported' ? `unsupported ${stop.text} (${stop.code})` : stop.kind,
      address: page ? stop.address : 0,
      write: page && stop.access === 'write',
      gpr: registers.gpr.slice(),
      rip: registers.view.getBigUint64(128, true),
      rflags: registers.rflags & BigInt(USER_FLAGS),
      fx: registers.fxsave(),
      ymm: ymmBytes(registers).slice(),
      changes: changesOf(expected, space.read(DATA, DATA_SIZE), space.read(STACK, STACK_SIZE)),
    };
  });
  space.release();
  return outcomes;
}

const ymmBytes = (registers: RegisterFile): Uint8Array =>
  new Uint8Array(registers.buffer, registers.ymmHigh.byteOffset, 256);

function changesOf(expected: Uint8Array, data: Uint8Array, stack: Uint8Array): Map<number, bigint> {
  const changes = new Map<number, bigint>();
  const before = new BigUint64Array(expected.buffer);
  const now = [
    new BigUint64Array(data.buffer, data.byteOffset, DATA_SIZE / 8),
    new BigUint64Array(stack.buffer, stack.byteOffset, STACK_SIZE / 8),
  ];
  for (let i = 0; i < before.length; i++) {
    const value = i < DATA_SIZE / 8 ? now[0][i] : now[1][i - DATA_SIZE / 8];
    if (value !== before[i]) changes.set(8 * i, value);
  }
  return changes;
}

// comparison

/** What the processor manual leaves open, so that a difference there is none. */
export interface Mask {
  /** RFLAGS bits. */
  readonly rflags?: number;
  /** The case's result is undefined as a whole; only that it ended is compared. */
  readonly everything?: boolean;
  /** Bits of FSW (condition codes). */
  readonly fsw?: number;
  /** Bits of MXCSR. */
  readonly mxcsr?: number;
}

const NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];
const FLAG_TEXT: readonly (readonly [string, number])[] = [
  ['CF', 0],
  ['PF', 2],
  ['AF', 4],
  ['ZF', 6],
  ['SF', 7],
  ['DF', 10],
  ['OF', 11],
];

/** Differences as text, e.g. `rax native 0x1 engine 0x2`; empty where both agree. The x87 instruction and data pointers and the opcode are not compared. */
export function compare(native: Outcome, engine: Outcome, mask: Mask = {}): string[] {
  if (native.stop !== engine.stop)
    return [`stop native ${native.stop} (${native.detail}) engine ${engine.stop} (${engine.detail})`];
  if (mask.everything === true) return [];
  const out: string[] = [];
  const differ = (what: string, a: bigint | number | string, b: bigint | number | string): void => {
    const show = (v: bigint | number | string): string => (typeof v === 'string' ? v : `0x${v.toString(16)}`);
    if (a !== b) out.push(`${what} native ${show(a)} engine ${show(b)}`);
  };
  for (let i = 0; i < 16; i++) differ(NAMES[i], native.gpr[i], engine.gpr[i]);
  differ('rip', native.rip, engine.rip);
  const flags = BigInt(USER_FLAGS & ~(mask.rflags ?? 0));
  for (const [name, bit] of FLAG_TEXT)
    differ(
      name,
      ((native.rflags & flags) >> BigInt(bit)) & 1n,
      ((engine.rflags & flags) >> BigInt(bit)) & 1n,
    );
  differ('fault address', native.address, engine.address);
  if (native.stop === 'page') differ('fault is a write', String(native.write), String(engine.write));
  compareFx(native.fx, engine.fx, mask, differ);
  for (let i = 0; i < 16; i++)
    differ(`ymm${i} upper half`, word(native.ymm, 16 * i, 16), word(engine.ymm, 16 * i, 16));
  for (const offset of new Set([...native.changes.keys(), ...engine.changes.keys()])) {
    differ(
      `memory ${offset.toString(16)}`,
      native.changes.get(offset) ?? 'unchanged',
      engine.changes.get(offset) ?? 'unchanged',
    );
  }
  return out;
}

const word = (image: Uint8Array, at: number, size: number): bigint => {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(image[at + i]);
  return value;
};

function compareFx(
  native: Uint8Array,
  engine: Uint8Array,
  mask: Mask,
  differ: (what: string, a: bigint | string | number, b: bigint | string | number) => void,
): void {
  const masked = (what: string, at: number, size: number, ignore = 0): void =>
    differ(what, word(native, at, size) & ~BigInt(ignore), word(engine, at, size) & ~BigInt(ignore));
  masked('fcw', 0, 2);
  masked('fsw', 2, 2, mask.fsw);
  masked('ftw', 4, 1);
  masked('mxcsr', 24, 4, mask.mxcsr);
  for (let i = 0; i < 8; i++) masked(`st${i}`, 32 + 16 * i, 10);
  for (let i = 0; i < 16; i++) masked(`xmm${i}`, 160 + 16 * i, 16);
}

/** One line: bytes and disassembly. */
export function describe(c: Case): string {
  const bytes = [...c.code].map((b) => b.toString(16).padStart(2, '0')).join('');
  return `${bytes}  ${disassemble(c.code, ENTRY)}`;
}
