// IR as text, one operation a line, and back:
//
//   block 0x401000 7 bytes 2 instructions
//   insn 0x401000 4
//   v1:64 = get rbx
//   v2:64 = const 0x10
//   v3:64 = add v1 v2
//   flags:64 add v1 v2 _
//   set:64 rbx v3
//
// A value is named by the number of its line. `_` is an operand that is not there; after a dot stands aux where it is a
// number (`extract.8`), kinds and names are words. Numbers are decimal, addresses and constants hexadecimal.
import { InputError } from '../bytes/index.ts';
import { HELPERS } from './helpers.ts';
import {
  ATOMICS,
  type Block,
  FLAG_KINDS,
  FLAGS,
  IR,
  IR_OPS,
  type IrOp,
  JUMP_KINDS,
  REGISTERS,
  TRAPS,
  WORDS,
} from './ir.ts';
import { FLOAT_CONVERSIONS, VECTOR_OPS } from './vector-ops.ts';

/** Operations whose aux is an index in a list of names. */
const AUX_NAMES: Partial<Record<IrOp, readonly string[]>> = {
  atomic: ATOMICS,
  flags: FLAG_KINDS,
  call: HELPERS.map((row) => row.name),
  jump: JUMP_KINDS,
  vec: VECTOR_OPS.map((row) => row[0]),
  fcvt: FLOAT_CONVERSIONS.map((row) => row[0]),
  setrflags: ['popf', 'sahf', 'comis'],
};

/** Operations whose first immediate is an index in a list of names. */
const IMMEDIATE_NAMES: Partial<Record<IrOp, readonly string[]>> = { getf: FLAGS, setf: FLAGS, trap: TRAPS };

const REGISTER_NAMES = REGISTERS.map((row) => row.name);

function operandText(op: IrOp, kind: string, word: number): string | undefined {
  if (kind === 'v') return word < 0 ? '_' : `v${word}`;
  if (kind === 'r') return REGISTER_NAMES[word];
  if (kind === 'i') return IMMEDIATE_NAMES[op]?.[word] ?? String(word);
  return undefined;
}

const wordsToHex = (low: number, high: number): string =>
  `0x${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`;

/** One operation of a block's code, by number. */
export function printOperation(code: Int32Array, index: number): string {
  const at = index * WORDS;
  const head = code[at];
  const [op, operands, yields] = IR_OPS[head & 0xff];
  const width = (head >>> 8) & 0xff;
  const aux = head >>> 16;
  if (op === 'insn') return `insn ${wordsToHex(code[at + 1], code[at + 2])} ${code[at + 3]}`;
  const bits = width === 0 ? '' : `:${width}`;
  const names = AUX_NAMES[op];
  const parts = [yields === '' ? `${op}${bits}` : `v${index}${bits} = ${op}`];
  if (names !== undefined) parts.push(names[aux]);
  else if (aux !== 0) parts[0] += `.${aux}`;
  if (op === 'const') parts.push(wordsToHex(code[at + 1], code[at + 2]));
  else
    for (const [i, kind] of [...operands].entries())
      parts.push(operandText(op, kind, code[at + 1 + i]) ?? '');
  return parts.filter((part) => part !== '').join(' ');
}

/** A block as lines of text; `parseBlock` is the inverse. */
export function printBlock(block: Block): string {
  const lines = [
    `block 0x${block.start.toString(16)} ${block.length} bytes ${block.instructions} instructions`,
  ];
  for (let i = 0; i < block.code.length / WORDS; i++) lines.push(printOperation(block.code, i));
  return `${lines.join('\n')}\n`;
}

const HEAD = /^block 0x([0-9a-f]+) (\d+) bytes (\d+) instructions$/;
const LINE = /^(?:v\d+(?::(\d+))? = )?([a-z]+\d*[a-z]*)(?::(\d+))?(?:\.(\d+))?((?: \S+)*)$/;

/** Reads what `printBlock` writes; InputError with the line where it is something else. */
export function parseBlock(text: string, name = 'IR text'): Block {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const head = HEAD.exec(lines[0] ?? '');
  if (head === null) throw new InputError('no block header', `${name} line 1`);
  const code = new Int32Array((lines.length - 1) * WORDS);
  for (let i = 1; i < lines.length; i++)
    code.set(parseOperation(lines[i], `${name} line ${i + 1}`), (i - 1) * WORDS);
  return {
    start: Number.parseInt(head[1], 16),
    length: Number(head[2]),
    instructions: Number(head[3]),
    code,
  };
}

function parseOperation(line: string, where: string): number[] {
  const match = LINE.exec(line.trim());
  const op = match?.[2] as IrOp | undefined;
  if (match === null || op === undefined || !Object.hasOwn(IR, op))
    throw new InputError(`not an operation: ${line}`, where);
  const words = match[5].split(' ').filter((word) => word !== '');
  const width = Number(match[1] ?? match[3] ?? 0);
  const names = AUX_NAMES[op];
  const aux = names === undefined ? Number(match[4] ?? 0) : nameIndex(names, words.shift(), where);
  const header = IR[op] | (width << 8) | (aux << 16);
  if (op === 'insn') return [header, ...hexWords(words[0], where), Number(words[1])];
  if (op === 'const') return [header, ...hexWords(words[0], where), -1];
  const operands = [...IR_OPS[IR[op]][1]].map((kind) =>
    kind === '-' ? -1 : operandWord(op, kind, words.shift(), where),
  );
  return [header, ...operands];
}

function hexWords(word: string | undefined, where: string): readonly [number, number] {
  if (word === undefined || !/^0x[0-9a-f]{1,16}$/.test(word))
    throw new InputError(`not a hexadecimal number: ${word}`, where);
  const value = BigInt(word);
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

function operandWord(op: IrOp, kind: string, word: string | undefined, where: string): number {
  if (word === undefined) throw new InputError(`operand missing of ${op}`, where);
  if (kind === 'r') return nameIndex(REGISTER_NAMES, word, where);
  if (kind === 'v') {
    if (word === '_') return -1;
    if (!/^v\d+$/.test(word)) throw new InputError(`not a value: ${word}`, where);
    return Number(word.slice(1));
  }
  const names = IMMEDIATE_NAMES[op];
  if (names !== undefined) return nameIndex(names, word, where);
  if (!/^-?\d+$/.test(word)) throw new InputError(`not a number: ${word}`, where);
  return Number(word) | 0;
}

function nameIndex(names: readonly string[], word: string | undefined, where: string): number {
  const index = names.indexOf(word ?? '');
  if (index < 0) throw new InputError(`not known here: ${word}`, where);
  return index;
}
