// Disassembly of a part of a program of the image, with its symbols, and the IR that each instruction is lifted to.
// Reads the file only: addresses are the file's own.
import { InputError, printable } from '../bytes/index.ts';
import {
  dynamicSymbols,
  type Elf,
  ElfSource,
  type ElfSymbol,
  EM_X86_64,
  type FunctionIndex,
  fileOffset,
  functionsOf,
  isElf,
  PF,
  PT,
  parseElf,
  STT,
  type SymbolTable,
  staticSymbols,
} from '../elf/index.ts';
import type { Tree } from '../image/index.ts';
import {
  createDecoder,
  disassemble,
  type FeatureSet,
  type Instruction,
  Lifter,
  printOperation,
  WORDS,
} from '../isa/index.ts';

/** Bytes shown where neither the request nor a symbol says how many. */
const DEFAULT_LENGTH = 64;
const LONGEST_LISTING = 1 << 20;
const LONGEST_INSTRUCTION = 15;

export interface ListingRequest {
  /** Path in the image. */
  readonly file: string;
  /** A function's name, or an address of the file. */
  readonly what: string;
  /** Bytes. */
  readonly length: number | undefined;
}

/** `[FILE:]SYMBOL|ADDRESS[,LENGTH]`; `program` is the file where none is named. */
export function parseListing(text: string, program: () => string): ListingRequest {
  const match = /^(?:(\/.*):)?([^,]+)(?:,(0x[0-9a-fA-F]+|\d+))?$/.exec(text);
  const length = match?.[3] === undefined ? undefined : Number(match[3]);
  if (match === null || (length !== undefined && !(length > 0 && length <= LONGEST_LISTING)))
    throw new InputError(
      'not a place to disassemble',
      `--disassemble ${text}`,
      `[FILE:]SYMBOL|ADDRESS[,LENGTH] is wanted, LENGTH at most ${LONGEST_LISTING}`,
    );
  return { file: match[1] ?? program(), what: match[2], length };
}

/** Path of the program that would be started: as the image's PATH finds it. */
export function programPath(tree: Tree, argv: readonly string[], env: readonly string[]): string {
  const [name] = argv;
  if (name.includes('/')) return name;
  const path =
    env.find((entry) => entry.startsWith('PATH='))?.slice(5) ??
    '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
  const found = path
    .split(':')
    .map((directory) => `${directory}/${name}`)
    .find((candidate) => tree.lookup(candidate)?.kind === 'file');
  if (found === undefined) throw new InputError(`no such program in PATH (${path})`, name);
  return found;
}

/** An instruction of a listing. */
export interface ListedInstruction {
  readonly address: number;
  /** `main+0x1c` where a function covers it. */
  readonly symbol: string;
  readonly bytes: string;
  readonly text: string;
  /** IR operations, one a line, without the marker that opens an instruction. */
  readonly ir: readonly string[];
}

/** `features`: the instruction sets of the processor that IR is for. */
export function listing(tree: Tree, request: ListingRequest, features: FeatureSet): ListedInstruction[] {
  const elf = openProgram(tree, request.file);
  const functions = functionsOf(elf);
  const { start, length } = range(elf, functions, request);
  const code = readCode(elf, start, length);
  const lifter = new Lifter(features);
  const decoder = createDecoder();
  const out: ListedInstruction[] = [];
  for (let at = 0; at < length; ) {
    const bytes = code.subarray(at, at + LONGEST_INSTRUCTION);
    decoder.start(bytes, start + at);
    const instruction = decoder.next();
    if (instruction === undefined) break;
    const own = bytes.subarray(0, instruction.length);
    const block = lifter.lift(own, start + at, 1);
    out.push({
      address: start + at,
      symbol: symbolText(functions, start + at),
      bytes: Buffer.from(own).toString('hex'),
      text: disassemble(own, start + at) + targetText(functions, instruction),
      ir: block === undefined ? [] : operations(block.code, instruction),
    });
    at += instruction.length;
  }
  return out;
}

function openProgram(tree: Tree, path: string): Elf {
  const node = tree.lookup(path);
  if (node === undefined) throw new InputError('no such file in the image', path);
  if (node.kind !== 'file') throw new InputError(`is a ${node.kind}, not a file`, path);
  if (!isElf(node.read(0, 4)))
    throw new InputError('not an ELF file', path, 'name the program: --disassemble /path/in/image:SYMBOL');
  const elf = parseElf(new ElfSource(node, path));
  if (elf.machine !== EM_X86_64) throw new InputError('not for x86-64', path);
  return elf;
}

function range(
  elf: Elf,
  functions: FunctionIndex,
  request: ListingRequest,
): { readonly start: number; readonly length: number } {
  const { what, file } = request;
  if (/^(?:0x[0-9a-fA-F]{1,13}|\d{1,15})$/.test(what)) {
    const start = Number(what);
    const covering = functions.find(start);
    const rest = covering === undefined ? 0 : covering.value + covering.size - start;
    return { start, length: request.length ?? (rest > 0 ? rest : DEFAULT_LENGTH) };
  }
  const symbol = functionNamed(elf, what);
  if (symbol === undefined)
    throw new InputError(
      `no function ${JSON.stringify(what)}`,
      file,
      'give an address (0x…), or the library that has it: --disassemble /path/in/image:SYMBOL',
    );
  return { start: symbol.value, length: request.length ?? (symbol.size || DEFAULT_LENGTH) };
}

function functionNamed(elf: Elf, name: string): ElfSymbol | undefined {
  for (const table of [staticSymbols(elf), dynamicSymbols(elf)]) {
    const found = table === undefined ? undefined : findFunction(table, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findFunction(table: SymbolTable, name: string): ElfSymbol | undefined {
  for (let i = 0; i < table.count; i++) {
    const type = table.type(i);
    const isCode = type === STT.FUNC || type === STT.GNU_IFUNC;
    if (isCode && table.section(i) !== 0 && table.name(i) === name) return table.at(i);
  }
  return undefined;
}

/** Code of the file, and of what follows as far as the segment goes, for an instruction cut by `length`. */
function readCode(elf: Elf, start: number, length: number): Uint8Array {
  const segment = elf.segments.find(
    (s) => s.type === PT.LOAD && (s.flags & PF.X) !== 0 && start >= s.vaddr && start < s.vaddr + s.filesz,
  );
  if (segment === undefined)
    throw new InputError(`no code at address 0x${start.toString(16)}`, elf.source.name);
  const end = Math.min(start + length + LONGEST_INSTRUCTION, segment.vaddr + segment.filesz);
  const offset = fileOffset(elf, start, end - start);
  if (offset === undefined)
    throw new InputError(`no code at address 0x${start.toString(16)}`, elf.source.name);
  return elf.source.read(offset, end - start, 'code');
}

function symbolText(functions: FunctionIndex, address: number): string {
  const found = functions.find(address);
  return found === undefined
    ? ''
    : `${printable(found.name)}${address === found.value ? '' : `+0x${(address - found.value).toString(16)}`}`;
}

/** `  ; name+0x1c` for a branch to a place with a name. */
function targetText(functions: FunctionIndex, instruction: Instruction): string {
  if (instruction.kinds[0] !== 'near') return '';
  const target = (instruction.immediateHigh >>> 0) * 2 ** 32 + (instruction.immediateLow >>> 0);
  const name = symbolText(functions, target);
  return name === '' ? '' : `  ; ${name}`;
}

/** Operation 0 is the instruction's marker; the step to the next instruction, which ends every block, is left out. */
function operations(code: Int32Array, { address, length, mnemonic }: Instruction): string[] {
  const lines = Array.from({ length: code.length / WORDS - 1 }, (_, i) => printOperation(code, i + 1));
  const [target, jump] = lines.slice(-2);
  const goesOn = mnemonic !== 'jmp' && jump?.startsWith('jump:64 jump ') === true;
  return goesOn && target.endsWith(` = const 0x${(address + length).toString(16)}`)
    ? lines.slice(0, -2)
    : lines;
}

/** Lines for people; `ir`: with the IR below each instruction. */
export function printListing(file: string, instructions: readonly ListedInstruction[], ir: boolean): string {
  const lines = [`${printable(file)}:`];
  let previous = '';
  for (const { address, symbol, bytes, text, ir: operations } of instructions) {
    const name = symbol.replace(/\+0x[0-9a-f]+$/, '');
    if (name !== previous && name !== '') lines.push(`${symbol}:`);
    previous = name;
    lines.push(`  0x${address.toString(16).padEnd(8)} ${bytes.padEnd(20)} ${text}`);
    if (ir) for (const operation of operations) lines.push(`${' '.repeat(33)}| ${operation}`);
  }
  return `${lines.join('\n')}\n`;
}
