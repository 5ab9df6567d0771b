#!/usr/bin/env node
// The command line: one file a command; this one only puts them together and turns errors into exit statuses
// (0 fine, 1 findings, 2 error).
import { Command, CommanderError } from 'commander';
import { InputError } from '../bytes/index.ts';
import { packageVersion } from './version.ts';

type Add = (program: Command) => void;

/** Commands in the order of the help text. Each is loaded when it is called for: start-up is what a shell loop pays. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  image: async () => (await import('./image.ts')).addImageCommand,
  model: async () => (await import('./model.ts')).addModelCommand,
  show: async () => (await import('./show.ts')).addShowCommand,
  record: async () => (await import('./record.ts')).addRecordCommand,
  monitor: async () => (await import('./monitor.ts')).addMonitorCommand,
  coverage: async () => (await import('./coverage.ts')).addCoverageCommand,
  telemetry: async () => (await import('./telemetry.ts')).addTelemetryCommand,
  allow: async () => (await import('./allow.ts')).addAllowCommand,
  compare: async () => (await import('./compare.ts')).addCompareCommand,
  run: async () => (await import('./run.ts')).addRunCommand,
  syscalls: async () => (await import('./syscalls.ts')).addSyscallsCommand,
};

/** The command that the line calls for, or all of them where it calls for none (help, a typing error). */
async function wantedCommands(argv: readonly string[]): Promise<Add[]> {
  const name = argv.slice(2).find((word) => !word.startsWith('-'));
  const load =
    name !== undefined && Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]] : Object.values(COMMANDS);
  return Promise.all(load.map((command) => command()));
}

async function createProgram(): Promise<Command> {
  const program = new Command('effigy')
    .description(
      'Derive from a container image what its services do, and report what a running container does beyond that.',
    )
    .version(packageVersion())
    .option('--debug', 'show the stack of errors')
    .showHelpAfterError('(add --help for the options)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Example:
  effigy model shop.tar -o shop.policy.json
  effigy monitor --policy shop.policy.json /var/log/sysflow/

Exit status: 0 fine, 1 findings, 2 error.`,
    );
  for (const add of await wantedCommands(process.argv)) add(program);
  for (const command of program.commands)
    command.exitOverride().showHelpAfterError('(add --help for the options)');
  return program;
}

function report(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InputError) process.stderr.write(`effigy: ${message.replace(/\s*\n\s*/g, ' ')}\n`);
  else if (isSystemError(error)) process.stderr.write(`effigy: ${systemMessage(error)}\n`);
  else
    process.stderr.write(
      `effigy: ${message.replace(/\s*\n\s*/g, ' ')} (this is a defect of effigy; --debug shows where)\n`,
    );
  if (debug && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  return 2;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}

function systemMessage(error: NodeJS.ErrnoException): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    EISDIR: 'is a directory',
    ENOTDIR: 'is not a directory',
    ENOSPC: 'no space left on the device',
    EROFS: 'read-only file system',
    EMFILE: 'too many open files',
  };
  return `${error.path ?? error.syscall ?? 'system'}: ${reasons[error.code ?? ''] ?? error.message}`;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of our output has gone (a pager, head): nothing is left to say.
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  throw error;
});

try {
  await (await createProgram()).parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error, process.argv.includes('--debug'));
}
