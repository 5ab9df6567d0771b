// `effigy syscalls`: the table of system calls, as the page of the documentation or as JSON.
import type { Command } from 'commander';
import { InputError } from '../bytes/index.ts';
import { type SupportLevel, type SyscallRow, syscallPage, syscallRows } from '../linux/index.ts';

interface SyscallsOptions {
  readonly level?: string;
  readonly json?: boolean;
}

const LEVELS: readonly SupportLevel[] = ['full', 'partial', 'refused', 'missing'];

export function addSyscallsCommand(program: Command): void {
  program
    .command('syscalls')
    .description('print which system calls the simulated kernel has, and how well')
    .option('--level <level>', `only those of a level: ${LEVELS.join(', ')}`)
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  effigy syscalls --level partial')
    .action((options: SyscallsOptions) => {
      const { level } = options;
      if (level !== undefined && !LEVELS.some((known) => known === level))
        throw new InputError(
          `there is no level ${JSON.stringify(level)}`,
          '--level',
          `one of ${LEVELS.join(', ')}`,
        );
      const rows = syscallRows.filter((row) => level === undefined || row.level === level);
      process.stdout.write(
        options.json === true ? `${JSON.stringify(rows.map(plain), null, 2)}\n` : syscallPage(rows),
      );
    });
}

const plain = ({ nr, name, args, level, note }: SyscallRow): object => ({
  number: nr,
  name,
  arguments: args.map((arg) => ({ name: arg.split(':')[0], type: arg.split(':')[1] })),
  level,
  note,
});
