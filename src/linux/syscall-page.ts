// The system call table as a page of the documentation (docs/syscalls.md), which a test holds to the table.
import type { SupportLevel, SyscallRow } from './syscall.ts';

const LEVELS: Readonly<Record<SupportLevel, string>> = {
  full: 'results and errors as Linux gives them',
  partial: 'as Linux, but for what the note says',
  refused: 'answers the error that a container without the privilege or the feature gets',
  missing: 'answers ENOSYS, and the policy has a cut',
};

/** How many rows there are of each level. */
export function countLevels(rows: readonly SyscallRow[]): Readonly<Record<SupportLevel, number>> {
  const counts = { full: 0, partial: 0, refused: 0, missing: 0 };
  for (const { level } of rows) counts[level]++;
  return counts;
}

/** `openat(dirfd: dirfd, pathname: path, flags: flags, mode: mode)` */
export const signature = ({ name, args }: SyscallRow): string =>
  `${name}(${args.map((arg) => arg.replace(':', ': ')).join(', ')})`;

/** Markdown: what the levels mean, and one line for each call. */
export function syscallPage(rows: readonly SyscallRow[]): string {
  const counts = countLevels(rows);
  const levels = Object.entries(LEVELS) as readonly (readonly [SupportLevel, string])[];
  return [
    '# System calls',
    '',
    `All ${rows.length} calls of x86-64 Linux up to 6.12, and what the simulated kernel does with each. This page is`,
    '`effigy syscalls`; the same table dispatches the calls and prints them in traces.',
    '',
    '| level | calls | meaning |',
    '|---|---:|---|',
    ...levels.map(([level, meaning]) => `| ${level} | ${counts[level]} | ${meaning} |`),
    '',
    '| number | call | level | note |',
    '|---:|---|---|---|',
    ...rows.map(
      (row) => `| ${row.nr} | \`${signature(row)}\` | ${row.level} | ${row.note.replaceAll('|', '\\|')} |`,
    ),
    '',
  ].join('\n');
}
