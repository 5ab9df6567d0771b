import type { SyscallRow } from './syscall.ts';

export const pollRows: readonly SyscallRow[] = [];
