import type { SyscallRow } from './syscall.ts';

export const socketRows: readonly SyscallRow[] = [];
