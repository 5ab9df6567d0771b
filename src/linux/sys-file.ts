import type { SyscallRow } from './syscall.ts';

export const fileRows: readonly SyscallRow[] = [];
