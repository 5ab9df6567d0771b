// Finds the first instruction of a program after which the machine and the real processor have different registers.
//
//   node dist/test/native/first-difference.js [OPTION...] PROGRAM [ARGUMENT...]
//
// PROGRAM is one of this machine (its libraries come along), or with --image one of an image. docs/debugging.md
// explains. Exit status: 0 nothing differs, 1 something does, 2 it could not be tried.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError } from '../../src/bytes/index.ts';
import { ENVIRONMENTS } from '../../src/explore/index.ts';
import { openImage, type Tree } from '../../src/image/index.ts';
import { Lifter, printBlock, REGISTERS, XMM0 } from '../../src/isa/index.ts';
import { createKernel, createMachine, type Kernel, placeOf, type Task } from '../../src/linux/index.ts';
import { createReferenceEngine, type Engine } from '../../src/machine/index.ts';
import { addProgram, treeBuilder } from '../linux/guest.ts';
import { Difference, LockstepEngine, type LockstepOptions, type SideState } from './lockstep.ts';

const stepped = (): Engine => createReferenceEngine({ blockInstructions: 1 });
const ENGINES: Readonly<Record<string, () => Engine>> = { reference: stepped };

const USAGE = `usage: first-difference [OPTION...] PROGRAM [ARGUMENT...]
  --image IMAGE     the program is the image's
  --env NAME=VALUE  environment variable (several times)
  --from N          compare from the Nth instruction on
  --window N --gap M   compare N instructions, let M go by, and again
  --max N           stop after N instructions
  --engine NAME     ${Object.keys(ENGINES).join(', ')}`;

export interface Comparison {
  readonly difference: Difference | undefined;
  /** Instructions compared, and run. */
  readonly compared: number;
  readonly executed: number;
  /** What the program wrote to its standard output. */
  readonly stdout: string;
  /** Lines that explain the difference. */
  readonly report: string;
}

export interface ComparisonRequest extends LockstepOptions {
  readonly tree: Tree;
  readonly argv: readonly string[];
  readonly env?: readonly string[];
  readonly max?: number;
  readonly engine?: () => Engine;
}

/** Runs a program in the machine and on the processor at once. */
export function compareWithProcessor(request: ComparisonRequest): Comparison {
  const inner = (request.engine ?? stepped)();
  const engine = new LockstepEngine(inner, request);
  const kernel = createKernel({
    tree: request.tree,
    environment: ENVIRONMENTS[0].values,
    machine: { engine, memory: createMachine().memory },
    hooks: { onEffect() {}, onCut() {} },
  });
  const done = (difference: Difference | undefined, report: string): Comparison => ({
    difference,
    compared: engine.compared,
    executed: engine.executed,
    stdout: kernel.output(),
    report,
  });
  try {
    const task = kernel.spawnInit({ argv: request.argv, env: request.env ?? [] });
    try {
      kernel.run({ maxInstructions: request.max ?? 1e12 });
      engine.compare();
      return done(undefined, '');
    } catch (error) {
      if (!(error instanceof Difference)) throw error;
      return done(error, describe(kernel, task, error));
    }
  } finally {
    engine.close();
    kernel.release();
  }
}

function describe(kernel: Kernel, task: Task, found: Difference): string {
  const lines = [
    `${found.what === 'stopped' ? `the processor stopped (signal ${found.signal})` : `${found.what} differ`} after instruction ${found.number.toLocaleString('en')}:`,
    '',
    ...found.before.map((address) => `    ${placeText(kernel, task, address)}`),
    `  > ${placeText(kernel, task, found.address)}  ${Buffer.from(found.bytes).toString('hex')}  ${found.text}`,
    '',
    ...differences(found.machine, found.native).map((line) => `    ${line}`),
    '',
  ];
  const block = found.bytes.length === 0 ? undefined : new Lifter().lift(found.bytes, found.address, 1);
  return [...lines, ...(block === undefined ? [] : [printBlock(block)])].join('\n');
}

function placeText(kernel: Kernel, task: Task, address: number): string {
  const { rip } = task.registers;
  task.registers.rip = address;
  const place = kernel.tasks.size === 0 ? undefined : placeOf(task);
  task.registers.rip = rip;
  const where =
    place === undefined ? '' : `${place.module}:${place.symbol ?? `0x${place.offset.toString(16)}`}`;
  return `0x${address.toString(16)} ${where}`;
}

function differences(machine: SideState, native: SideState): string[] {
  const out: string[] = [];
  const compare = (name: string, a: bigint, b: bigint): void => {
    if (a !== b) out.push(`${name.padEnd(6)} machine 0x${a.toString(16)}  processor 0x${b.toString(16)}`);
  };
  for (let i = 0; i < 16; i++) compare(REGISTERS[i].name, machine.gpr[i], native.gpr[i]);
  compare('rip', machine.rip, native.rip);
  compare('flags', machine.rflags & 0xcd5n, native.rflags & 0xcd5n);
  if (machine.fx === undefined || native.fx === undefined) return out;
  const { fx } = machine;
  const number = (image: Uint8Array, at: number, size: number): bigint =>
    BigInt(`0x${Buffer.from(image.slice(at, at + size).reverse()).toString('hex')}`);
  const both = (name: string, at: number, size: number): void =>
    compare(name, number(fx, at, size), number(native.fx ?? fx, at, size));
  both('fcw', 0, 2);
  both('fsw', 2, 2);
  both('ftw', 4, 1);
  both('mxcsr', 24, 4);
  for (let i = 0; i < 8; i++) both(`st${i}`, 32 + 16 * i, 10);
  for (let i = 0; i < 16; i++) both(REGISTERS[XMM0 + i].name, 160 + 16 * i, 16);
  return out;
}

async function main(args: readonly string[]): Promise<number> {
  // what stands after the program is the program's
  let own = 0;
  while (args[own]?.startsWith('--') === true) own += args[own].includes('=') ? 1 : 2;
  const positionals = args.slice(own);
  const { values } = parseArgs({
    args: args.slice(0, own),
    options: {
      image: { type: 'string' },
      env: { type: 'string', multiple: true },
      from: { type: 'string' },
      window: { type: 'string' },
      gap: { type: 'string' },
      max: { type: 'string' },
      engine: { type: 'string', default: 'reference' },
    },
  });
  const [program] = positionals;
  const engine = ENGINES[values.engine];
  if (program === undefined || engine === undefined) throw new InputError(USAGE, 'arguments');
  const tree = values.image === undefined ? hostTree(program) : (await openImage(values.image)).tree;
  const numbers = (['from', 'window', 'gap', 'max'] as const).flatMap((name) =>
    values[name] === undefined ? [] : [[name, count(values[name], `--${name}`)] as const],
  );
  const result = compareWithProcessor({
    tree,
    argv: values.image === undefined ? [resolve(program), ...positionals.slice(1)] : positionals,
    env: values.env ?? [],
    engine,
    ...Object.fromEntries(numbers),
  });
  console.log(
    `${result.compared.toLocaleString('en')} of ${result.executed.toLocaleString('en')} instructions compared: ${result.difference === undefined ? 'nothing differs' : 'different'}`,
  );
  if (result.difference === undefined) return 0;
  console.log(`\n${result.report}`);
  return 1;
}

function count(text: string, name: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InputError(`${text} is no number of instructions`, name);
  return Number(text);
}

function hostTree(program: string): Tree {
  if (!existsSync(program)) throw new InputError('no such file', program);
  return addProgram(treeBuilder(), resolve(program)).build();
}

if (process.argv[1] !== undefined && import.meta.url.endsWith(process.argv[1].replace(/^.*\//, '/'))) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}
