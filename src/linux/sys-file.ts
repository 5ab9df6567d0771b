// The rows of the file families, joined.
import { ioRows } from './sys-file-io.ts';
import { openRows } from './sys-file-open.ts';
import { statRows } from './sys-file-stat.ts';
import type { SyscallRow } from './syscall.ts';

export const fileRows: readonly SyscallRow[] = [...ioRows, ...openRows, ...statRows];
