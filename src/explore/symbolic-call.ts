// What a system call is given that clients' bytes are in: paths, arguments, addresses and numbers, read where the task
// passes them, before the kernel does anything.
import { decodeText } from '../bytes/index.ts';
import type { Expression } from '../expr/index.ts';
import type { ArgType, SyscallRow, Task } from '../linux/index.ts';
import { type ConcolicEngine, MemoryFault, PagedSpace } from '../machine/index.ts';

/** A text in guest memory: its bytes, and their expressions (0: the byte is what it is whatever clients send). */
export interface InputText {
  readonly kind: 'path' | 'text';
  readonly bytes: Uint8Array;
  readonly shadow: Int32Array;
}

/** A register. */
export interface InputNumber {
  readonly value: bigint;
  readonly expression: Expression;
}

export interface CallInputs {
  readonly texts: readonly InputText[];
  /** A socket address, as the call has it. */
  readonly address: InputText | undefined;
  /** User and group ids. */
  readonly numbers: readonly InputNumber[];
}

const PATH_LIMIT = 4096;
const TEXT_LIMIT = 16_384;
const MAX_TEXTS = 256;
const MAX_ADDRESS = 128;
/** Registers of system call arguments in order, as the engine numbers them. */
const ARGUMENTS = [7, 6, 2, 10, 8, 9] as const;

/** Undefined where no client's byte is in it; what can't be read, the kernel can't read either. */
export function callInputs(
  engine: ConcolicEngine,
  task: Task,
  row: SyscallRow,
  args: readonly bigint[],
): CallInputs | undefined {
  const { space } = task.process;
  if (!(space instanceof PagedSpace)) return undefined;
  const types = row.args.map((arg) => arg.slice(arg.lastIndexOf(':') + 1) as ArgType);
  const texts: InputText[] = [];
  let address: InputText | undefined;
  const numbers: InputNumber[] = [];
  for (const [i, type] of types.entries()) {
    const at = Number(args[i]);
    if (type === 'path' || type === 'string') add(texts, textAt(space, at, type));
    else if (type === 'argv')
      for (const pointer of pointersAt(space, at)) add(texts, textAt(space, pointer, 'string'));
    else if (type === 'sockaddr') address = bytesAt(space, at, Number(args[i + 1] & 0xffffffffn));
    else if (type === 'uid' || type === 'gid') {
      const expression = engine.shadowOf(task.registers, ARGUMENTS[i]);
      if (expression !== 0) numbers.push({ value: args[i], expression });
    }
  }
  if (row.name === 'sendmsg') {
    const head = readable(space, Number(args[1]), 12);
    if (head !== undefined) address = bytesAt(space, numberIn(head, 0, 8), numberIn(head, 8, 4));
  }
  if (texts.length === 0 && address === undefined && numbers.length === 0) return undefined;
  return { texts, address, numbers };
}

function add(texts: InputText[], text: InputText | undefined): void {
  if (text !== undefined && texts.length < MAX_TEXTS) texts.push(text);
}

/** The text at an address, if a client's byte is in it. */
function textAt(space: PagedSpace, address: number, type: 'path' | 'string'): InputText | undefined {
  if (address === 0) return undefined;
  const bytes = attempt(() => space.readCString(address, type === 'path' ? PATH_LIMIT : TEXT_LIMIT));
  if (bytes === undefined) return undefined;
  const shadow = space.shadow(address, bytes.length);
  return shadow === undefined ? undefined : { kind: type === 'path' ? 'path' : 'text', bytes, shadow };
}

function bytesAt(space: PagedSpace, address: number, length: number): InputText | undefined {
  if (address === 0 || length < 2 || length > MAX_ADDRESS) return undefined;
  const bytes = readable(space, address, length);
  const shadow = bytes === undefined ? undefined : space.shadow(address, length);
  return bytes === undefined || shadow === undefined ? undefined : { kind: 'text', bytes, shadow };
}

/** Pointers up to the first that is null. */
function pointersAt(space: PagedSpace, address: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < MAX_TEXTS; i++) {
    const bytes = readable(space, address + 8 * i, 8);
    const pointer = bytes === undefined ? 0 : numberIn(bytes, 0, 8);
    if (pointer === 0) break;
    out.push(pointer);
  }
  return out;
}

const readable = (space: PagedSpace, address: number, length: number): Uint8Array | undefined =>
  attempt(() => space.read(address, length));

/** Guest memory that is not there is no error of ours: the call will fail. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MemoryFault) return undefined;
    throw error;
  }
}

function numberIn(bytes: Uint8Array, at: number, size: number): number {
  let out = 0;
  for (let i = size - 1; i >= 0; i--) out = out * 256 + bytes[at + i];
  return out;
}

/** As the kernel reads it. */
export const decoded = ({ bytes }: InputText): string => decodeText(bytes);
