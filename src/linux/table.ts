// The system call table: the rows of every family joined, and a `missing` row for each call that no family has.
import { catalogue } from './catalogue.ts';
import type { EffectEvent } from './events.ts';
import { fileRows } from './sys-file.ts';
import { pollRows } from './sys-poll.ts';
import { socketRows } from './sys-socket.ts';
import type { SyscallRow } from './syscall.ts';

const families: readonly (readonly SyscallRow[])[] = [fileRows, pollRows, socketRows];

function join(): readonly (SyscallRow | undefined)[] {
  const table: (SyscallRow | undefined)[] = [];
  for (const rows of families) {
    for (const row of rows) {
      if (table[row.nr] !== undefined) throw new Error(`internal error: two rows for system call ${row.name}`);
      table[row.nr] = row;
    }
  }
  for (const entry of catalogue) {
    table[entry.nr] ??= { ...entry, level: 'missing', note: 'answers ENOSYS and is a cut', handler: () => -38 };
  }
  return table;
}

/** By number; undefined where Linux 6.12 has no such call. */
export const syscallTable = join();

/** Rows in order of number. */
export const syscallRows: readonly SyscallRow[] = syscallTable.filter((row) => row !== undefined);

/** Name by number, for provenance. */
export function syscallName(nr: number): EffectEvent['syscall'] {
  return syscallTable[nr]?.name ?? `syscall_${nr}`;
}
