// Guest call stacks, taken when an effect happens: by the unwind tables of the mapped files, else by frame pointers,
// else by looking for return addresses that follow a call. Bounded; says where it had to guess or stop.
import { InputError } from '../bytes/index.ts';
import { evaluateExpression, type RegisterRule, type UnwindRow } from '../elf/index.ts';
import { type AddressSpace, MemoryFault, PROT } from '../machine/index.ts';
import type { Frame } from './events.ts';
import type { Kernel } from './kernel.ts';
import { moduleOf } from './module.ts';
import type { Process, Task } from './task.ts';

const FRAME_LIMIT = 64;
/** Words looked through for a return address where there are neither tables nor frame pointers. */
const SCAN_WORDS = 512;
const RIP = 16;
const RSP = 7;
const RBP = 6;
/** DWARF numbers of rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
const DWARF_NUMBER = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

export interface CallStack {
  /** Innermost first. */
  readonly frames: readonly Frame[];
  /** True where the stack could not be followed to its start, or only by guessing. */
  readonly cut: boolean;
}

/** Registers of a frame by DWARF number; undefined: not known. */
type Context = (bigint | undefined)[];

interface Code {
  readonly frame: Frame;
  readonly row: UnwindRow | undefined;
}

/** The stack of a task that is in the kernel. Never throws. */
export function callStack(_kernel: Kernel, task: Task): CallStack {
  const { registers } = task;
  if (task.process.exe === '') return { frames: [], cut: false }; // the runtime, before the entrypoint
  const { space } = task.process;
  let context: Context = [];
  DWARF_NUMBER.forEach((number, i) => {
    context[number] = registers.gpr[i];
  });
  context[RIP] = BigInt(registers.rip);
  const frames: Frame[] = [];
  let guessed = false;
  let exact = false;
  while (frames.length < FRAME_LIMIT) {
    const address = Number(context[RIP] ?? 0n);
    const code = codeAt(space, address, exact);
    if (code === undefined) return { frames, cut: true };
    frames.push(code.frame);
    const next = step(space, context, code.row);
    if (next === 'end') return { frames, cut: guessed };
    if (next === undefined) return { frames, cut: true };
    guessed ||= next.guessed;
    exact = code.row?.signalFrame ?? false;
    context = next.context;
  }
  return { frames, cut: true };
}

/** The place where a task is, for cuts. */
export function placeOf(task: Task): Frame | undefined {
  return codeAt(task.process.space, task.registers.rip, true)?.frame;
}

/** The code at an address of a process; undefined where nothing executable is. */
export function frameAt(process: Process, address: number): Frame | undefined {
  return codeAt(process.space, address, true)?.frame;
}

/** What stands at an address; `exact`: the instruction itself, not what follows a call. Undefined where nothing executable is. */
function codeAt(space: AddressSpace, address: number, exact: boolean): Code | undefined {
  const region = space.find(exact ? address : address - 1);
  if (region === undefined || (region.prot & PROT.EXEC) === 0) return undefined;
  if (region.backing === undefined || region.name === '')
    return { frame: { module: '', offset: address, symbol: undefined }, row: undefined };
  const module = moduleOf(region.backing, region.name);
  const at = exact ? address : address - 1;
  const vaddr = module.virtualAddress(region.offset + (at - region.start));
  return { frame: module.frame(vaddr + (address - at), exact), row: rowAt(module, vaddr) };
}

function rowAt(module: ReturnType<typeof moduleOf>, vaddr: number): UnwindRow | undefined {
  try {
    return module.unwindTable()?.find(vaddr);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    module.malformed = error.message;
    return undefined;
  }
}

/** The caller's registers; 'end' at the outermost frame; undefined where it can't be told. */
function step(
  space: AddressSpace,
  context: Context,
  row: UnwindRow | undefined,
): { readonly context: Context; readonly guessed: boolean } | 'end' | undefined {
  const unwound = row === undefined ? undefined : unwind(space, context, row);
  if (unwound === 'end') return 'end';
  if (unwound !== undefined) return { context: unwound, guessed: false };
  if (context[RBP] === 0n) return 'end'; // the ABI's mark of the outermost frame
  const byPointer = followFramePointer(space, context);
  if (byPointer !== undefined) return { context: byPointer, guessed: false };
  const found = scan(space, context);
  return found === undefined ? undefined : { context: found, guessed: true };
}

function load(space: AddressSpace, address: bigint, bytes = 8): bigint | undefined {
  if (address < 0n || address > 0x7fff_ffff_fff8n) return undefined;
  const at = Number(address);
  const region = space.find(at);
  if (region === undefined || region.prot === PROT.NONE) return undefined;
  try {
    const value = space.read64(at);
    return bytes >= 8 ? value : BigInt.asUintN(bytes * 8, value);
  } catch (error) {
    if (error instanceof MemoryFault) return undefined;
    throw error;
  }
}

function unwind(space: AddressSpace, context: Context, row: UnwindRow): Context | 'end' | undefined {
  const expression = {
    register: (n: number) => context[n],
    load: (address: bigint, bytes: number) => load(space, address, bytes),
  };
  const cfa =
    row.cfa.kind === 'expression'
      ? evaluate(row.cfa.code, expression, undefined)
      : plus(context[row.cfa.register], row.cfa.offset);
  if (cfa === undefined) return undefined;
  const rule = row.registers.get(row.returnRegister);
  if (rule?.kind === 'undefined') return 'end';
  const caller: Context = [...context];
  caller[RSP] = cfa;
  for (const [register, how] of row.registers) caller[register] = apply(space, context, cfa, how, expression);
  const target = caller[row.returnRegister];
  if (target === 0n) return 'end';
  caller[RIP] = target;
  // The stack grows down: a caller's frame lies above, unless a signal switched stacks.
  return target === undefined || (!row.signalFrame && (context[RSP] ?? 0n) >= cfa) ? undefined : caller;
}

const plus = (value: bigint | undefined, offset: number): bigint | undefined =>
  value === undefined ? undefined : BigInt.asUintN(64, value + BigInt(offset));

type Expression = Parameters<typeof evaluateExpression>[1];

function evaluate(code: Uint8Array, expression: Expression, initial: bigint | undefined): bigint | undefined {
  try {
    return evaluateExpression(code, expression, initial);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function apply(
  space: AddressSpace,
  context: Context,
  cfa: bigint,
  rule: RegisterRule,
  expression: Expression,
): bigint | undefined {
  switch (rule.kind) {
    case 'undefined':
      return undefined;
    case 'offset':
      return load(space, cfa + BigInt(rule.offset));
    case 'value-offset':
      return plus(cfa, rule.offset);
    case 'register':
      return context[rule.register];
    case 'expression': {
      const address = evaluate(rule.code, expression, cfa);
      return address === undefined ? undefined : load(space, address);
    }
    case 'value-expression':
      return evaluate(rule.code, expression, cfa);
  }
}

function followFramePointer(space: AddressSpace, context: Context): Context | undefined {
  const rbp = context[RBP];
  const rsp = context[RSP];
  if (rbp === undefined || rsp === undefined || rbp < rsp || rbp - rsp > 0x80_0000n || rbp % 8n !== 0n)
    return undefined;
  const target = load(space, rbp + 8n);
  if (target === undefined || followsCall(space, target) === undefined) return undefined;
  const caller: Context = [];
  caller[RBP] = load(space, rbp);
  caller[RSP] = rbp + 16n;
  caller[RIP] = target;
  return caller;
}

function scan(space: AddressSpace, context: Context): Context | undefined {
  const rsp = context[RSP];
  if (rsp === undefined || rsp > 0x7fff_ffff_fff8n) return undefined;
  const words = stackWords(space, Number(rsp));
  const pc = context[RIP] ?? 0n;
  for (let i = 0; i + 8 <= words.byteLength; i += 8) {
    const high = words.getUint32(i + 4, true);
    // most words are no addresses, and most addresses are not of code
    if (high >= 0x8000 || (high === 0 && words.getUint32(i, true) < 4096)) continue;
    const target = words.getBigUint64(i, true);
    if (!calls(space, target, pc)) continue;
    const caller: Context = [];
    caller[RBP] = context[RBP];
    caller[RSP] = rsp + BigInt(i + 8);
    caller[RIP] = target;
    return caller;
  }
  return undefined;
}

/** What lies above an address, as far as it is mapped and not more than is looked through. */
function stackWords(space: AddressSpace, from: number): DataView {
  let end = from;
  const wanted = from + 8 * SCAN_WORDS;
  while (end < wanted) {
    const region = space.find(end);
    if (region === undefined || region.prot === PROT.NONE) break;
    end = Math.min(region.end, wanted);
  }
  try {
    const bytes = space.read(from, end - from);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    // mapped, but beyond the end of its file: what is before the fault
    const length = Math.max(0, Math.min(error.address, end) - from);
    const bytes = space.read(from, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/** A function is at most this long, for telling a stale return address from a live one. */
const FUNCTION_LIMIT = 0x1_0000n;

/**
 * Whether the call before a return address may be the one that led to `pc`: an indirect one always, a direct one if it
 * goes to the start of what could be the function at `pc`, or to a jump (linkage tables).
 */
function calls(space: AddressSpace, target: bigint, pc: bigint): boolean {
  const kind = followsCall(space, target);
  if (kind !== 'direct') return kind === 'indirect';
  const to = target + BigInt(space.read32(Number(target) - 4) | 0);
  if (to <= pc && pc - to < FUNCTION_LIMIT) return true;
  const start = load(space, to) ?? 0n;
  return (start & 0xffffn) === 0x25ffn || (start & 0xffff_ffffn) === 0xfa1e_0ff3n;
}

/** What call the bytes before an executable address are: E8 rel32, or FF /2 with any operand, with or without REX. */
function followsCall(space: AddressSpace, target: bigint): 'direct' | 'indirect' | undefined {
  if (target < 8n || target > 0x7fff_ffff_ffffn) return undefined;
  const address = Number(target);
  const region = space.find(address - 1);
  if (region === undefined || (region.prot & PROT.EXEC) === 0 || address - 8 < region.start) return undefined;
  const b = space.read(address - 8, 8);
  if (b[3] === 0xe8) return 'direct';
  for (let length = 2; length <= 7; length++) {
    if (b[8 - length] === 0xff && callLength(b[9 - length], b[10 - length]) === length) return 'indirect';
  }
  return undefined;
}

/** Length of `FF /2` with this ModRM byte, 0 where it is no call. */
function callLength(modrm: number, sib: number): number {
  if (((modrm >> 3) & 7) !== 2) return 0;
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 3) return 2;
  const withSib = rm === 4 ? 1 : 0;
  if (mod === 0) return 2 + withSib + (rm === 5 || (withSib === 1 && (sib & 7) === 5) ? 4 : 0);
  return 2 + withSib + (mod === 1 ? 1 : 4);
}
