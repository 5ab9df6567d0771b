// strace-like text of a system call, from the table's argument types. In two halves, as the call has two ends: what
// the caller passes is read when the call begins (execve takes the memory away), what the kernel fills in when it ends.
import { decodeText } from '../bytes/index.ts';
import { signalName } from './abi-signal.ts';
import { parseAddress } from './abi-socket.ts';
import { errnoName } from './errno.ts';
import { type ArgType, SysArgs, type SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { isBlock, type SysResult } from './wait.ts';

const TEXT_LIMIT = 200;
const BUFFER_LIMIT = 48;
const LIST_LIMIT = 32;

/** Calls whose buffers the kernel fills. */
const FILLS = new Set(['read', 'pread64', 'recvfrom', 'readv', 'preadv', 'preadv2']);

/** Texts of a call's arguments; undefined: only its end will tell. */
export type CallTexts = readonly (string | undefined)[];

/** What the caller passes, as guest memory has it now. */
export function formatArguments(task: Task, row: SyscallRow, raw: readonly bigint[]): CallTexts {
  const args = new SysArgs(raw);
  return row.args.map((arg, i) => {
    const type = typeOf(arg);
    return (type === 'buffer' || type === 'iovec') && FILLS.has(row.name)
      ? undefined
      : argument(task, args, i, type);
  });
}

/**
 * `openat(AT_FDCWD, "/etc/passwd", 0x80000, 000) = 3`. `texts` are what formatArguments gave when the call began;
 * without them guest memory is read as it is now.
 */
export function formatSyscall(
  task: Task,
  row: SyscallRow,
  raw: readonly bigint[],
  result: SysResult,
  texts: CallTexts = formatArguments(task, row, raw),
): string {
  const args = new SysArgs(raw);
  const all = texts.map((known, i) => known ?? filled(task, args, i, typeOf(row.args[i]), result));
  return `${row.name}(${all.join(', ')}) = ${answer(result)}`;
}

const typeOf = (arg: string): ArgType => arg.slice(arg.indexOf(':') + 1) as ArgType;
const hexText = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;

function answer(result: SysResult): string {
  if (result === 'none') return '?';
  if (isBlock(result)) return `? (waits for ${result.reason})`;
  const value = Number(result);
  if (value < 0 && value > -4096) return `-1 ${errnoName(-value)}`;
  return value > 0xffffff ? `0x${value.toString(16)}` : String(value);
}

/** A buffer that the kernel has put `result` bytes into. */
function filled(task: Task, args: SysArgs, i: number, type: ArgType, result: SysResult): string {
  const length = typeof result === 'number' || typeof result === 'bigint' ? Number(result) : -1;
  const shown =
    length < 0
      ? undefined
      : type === 'iovec'
        ? vector(task, args, i, length)
        : buffer(task, args.pointer(i), length);
  return shown ?? hexText(args.raw[i]);
}

function argument(task: Task, args: SysArgs, i: number, type: ArgType): string {
  const value = args.raw[i];
  const hex = (): string => hexText(value);
  switch (type) {
    case 'path':
    case 'string':
      return text(task, args.pointer(i)) ?? (value === 0n ? 'NULL' : hex());
    case 'argv':
      return list(task, args.pointer(i)) ?? hex();
    case 'buffer':
      return value === 0n ? 'NULL' : (buffer(task, args.pointer(i), args.size(i + 1)) ?? hex());
    case 'iovec':
      return vector(task, args, i, Number.MAX_SAFE_INTEGER) ?? hex();
    case 'sockaddr':
      return value === 0n ? 'NULL' : (address(task, args.pointer(i), args.uint(i + 1)) ?? hex());
    case 'timespec':
      return value === 0n ? 'NULL' : (time(task, args.pointer(i)) ?? hex());
    case 'dirfd':
      return args.int(i) === -100 ? 'AT_FDCWD' : String(args.int(i));
    case 'signal':
      return signalName(args.int(i));
    case 'mode':
      return `0${args.uint(i).toString(8)}`;
    case 'int':
    case 'fd':
    case 'pid':
    case 'clock':
      return String(args.int(i));
    case 'uint':
      return String(args.uint(i));
    case 'uid':
    case 'gid':
      return String(args.int(i));
    case 'long':
    case 'offset':
      return String(args.long(i));
    case 'size':
      return value.toString();
    default:
      return value === 0n && type !== 'flags' && type !== 'hex' ? 'NULL' : hex();
  }
}

/** What `read` gives; undefined where guest memory does not have it. */
function reading<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function text(task: Task, at: number): string | undefined {
  const bytes = reading(() => task.process.space.readCString(at, 4096));
  if (bytes === undefined) return undefined;
  const shown = JSON.stringify(decodeText(bytes.subarray(0, TEXT_LIMIT)));
  return bytes.length > TEXT_LIMIT ? `${shown}...` : shown;
}

function buffer(task: Task, at: number, length: number): string | undefined {
  const bytes = reading(() => task.process.space.read(at, Math.min(length, BUFFER_LIMIT)));
  if (bytes === undefined) return undefined;
  const shown = JSON.stringify(decodeText(bytes));
  return length > BUFFER_LIMIT ? `${shown}...` : shown;
}

/** struct iovec: base u64, length u64; at most `total` bytes of all of them mean something. */
function vector(task: Task, args: SysArgs, i: number, total: number): string | undefined {
  const { space } = task.process;
  const count = Math.min(args.size(i + 1), LIST_LIMIT);
  let left = total;
  return reading(() => {
    const parts: string[] = [];
    for (let n = 0; n < count; n++) {
      const at = args.pointer(i) + 16 * n;
      const length = Math.min(Number(space.read64(at + 8)), left);
      parts.push(buffer(task, Number(space.read64(at)), length) ?? '?');
      left -= length;
    }
    return `[${parts.join(', ')}${args.size(i + 1) > count ? ', ...' : ''}]`;
  });
}

function address(task: Task, at: number, length: number): string | undefined {
  const parsed = reading(() => parseAddress(task.process.space.read(at, Math.min(length, 128))));
  if (parsed === undefined) return undefined;
  switch (parsed.family) {
    case 'inet':
      return `{${parsed.address}:${parsed.port}}`;
    case 'inet6':
      return `{[${parsed.address}]:${parsed.port}}`;
    case 'unix':
      return `{unix ${JSON.stringify(parsed.path)}}`;
    default:
      return `{${parsed.family}}`;
  }
}

function time(task: Task, at: number): string | undefined {
  const { space } = task.process;
  return reading(
    () => `{${BigInt.asIntN(64, space.read64(at))}.${String(space.read64(at + 8)).padStart(9, '0')}}`,
  );
}

function list(task: Task, at: number): string | undefined {
  return reading(() => {
    const parts: string[] = [];
    for (let i = 0; i < LIST_LIMIT; i++) {
      const pointer = Number(task.process.space.read64(at + 8 * i));
      if (pointer === 0) return `[${parts.join(', ')}]`;
      parts.push(text(task, pointer) ?? '?');
    }
    return `[${parts.join(', ')}, ...]`;
  });
}
