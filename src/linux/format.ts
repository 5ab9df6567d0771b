// strace-like text of a system call, from the table's argument types.
import { decodeText } from '../bytes/index.ts';
import { signalName } from './abi-signal.ts';
import { errnoName } from './errno.ts';
import { type ArgType, SysArgs, type SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { isBlock, type SysResult } from './wait.ts';

const TEXT_LIMIT = 200;
const LIST_LIMIT = 32;

/** `openat(AT_FDCWD, "/etc/passwd", 0x80000, 000) = 3`. Reads guest memory as it is now. */
export function formatSyscall(
  task: Task,
  row: SyscallRow,
  raw: readonly bigint[],
  result: SysResult,
): string {
  const args = new SysArgs(raw);
  const texts = row.args.map((arg, i) => argument(task, args, i, arg.slice(arg.indexOf(':') + 1) as ArgType));
  return `${row.name}(${texts.join(', ')}) = ${answer(result)}`;
}

function answer(result: SysResult): string {
  if (result === 'none') return '?';
  if (isBlock(result)) return `? (waits for ${result.reason})`;
  const value = Number(result);
  if (value < 0 && value > -4096) return `-1 ${errnoName(-value)}`;
  return value > 0xffffff ? `0x${value.toString(16)}` : String(value);
}

function argument(task: Task, args: SysArgs, i: number, type: ArgType): string {
  const value = args.raw[i];
  const hex = (): string => `0x${BigInt.asUintN(64, value).toString(16)}`;
  switch (type) {
    case 'path':
    case 'string':
      return text(task, args.pointer(i)) ?? (value === 0n ? 'NULL' : hex());
    case 'argv':
      return list(task, args.pointer(i)) ?? hex();
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

function text(task: Task, address: number): string | undefined {
  try {
    const bytes = task.process.space.readCString(address, 4096);
    if (bytes === undefined) return undefined;
    const shown = JSON.stringify(decodeText(bytes.subarray(0, TEXT_LIMIT)));
    return bytes.length > TEXT_LIMIT ? `${shown}...` : shown;
  } catch {
    return undefined;
  }
}

function list(task: Task, address: number): string | undefined {
  const parts: string[] = [];
  try {
    for (let i = 0; i < LIST_LIMIT; i++) {
      const pointer = Number(task.process.space.read64(address + 8 * i));
      if (pointer === 0) return `[${parts.join(', ')}]`;
      parts.push(text(task, pointer) ?? '?');
    }
    return `[${parts.join(', ')}, ...]`;
  } catch {
    return undefined;
  }
}
