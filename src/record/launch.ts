// Starts the process that is to be recorded and holds it just before its exec, so that the recorder can attach.
// The service's standard output and error are pipes, as container runtimes make them, and are copied to our standard
// error; its standard input is empty unless asked for.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { InputError } from '../bytes/index.ts';
import { controlDescriptor } from './prelude.ts';
import { findProgram } from './tools.ts';

export interface LaunchOptions {
  readonly shell: string;
  /** Program and arguments; speaks the protocol of prelude.ts on its control descriptor. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly interactive: boolean;
  /** For errors. */
  readonly name: string;
}

export interface Held {
  /** As this machine numbers it. */
  readonly pid: number;
  readonly notes: readonly string[];
  /** Lets it go on to its exec. */
  release(): void;
  /** Whether the same process is still there. */
  alive(): boolean;
  /** Sends a signal unless the process has gone. */
  signal(number: number): void;
  /** All of it has ended and its output has been copied. */
  readonly ended: Promise<void>;
}

// Pipelines: inner for standard error, outer for standard output, both to our standard error.
const plumbing = 'exec 3>&2; { { "$@" 2>&1 >&4 3>&- 4>&- | cat >&3 4>&- 5>&-; } 4>&1 | cat >&3 5>&-; }';

/** Script for a command of this machine, in no namespaces of its own. */
export const holdScript = 'echo "pid $$" >&5; read -r go <&5 || exit 125; exec "$@" 5>&-';

/** Resolves when the process is held; InputError where preparing it failed. */
export async function launch(options: LaunchOptions): Promise<Held> {
  const child = spawn(options.shell, ['-c', plumbing, 'sh', ...withoutStrays(options.command)], {
    // Its own session: signals of our terminal are ours to translate.
    detached: true,
    env: options.env,
    stdio: [options.interactive ? 'inherit' : 'ignore', 2, 2, 'ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const notes: string[] = [];
  const control = (child.stdio as readonly unknown[])[controlDescriptor] as Duplex;
  control.on('error', () => undefined);
  const pid = await heldPid(control, child, notes, options.name);
  const started = startTime(pid);
  const alive = (): boolean => started !== undefined && startTime(pid) === started;
  return {
    pid,
    notes,
    release: () => void control.end('go\n'),
    alive,
    signal: (number) => {
      if (alive()) process.kill(pid, number);
    },
    ended,
  };
}

/**
 * Descriptors that we inherited from whoever started us would go on to the service. Few shells can close those above 9;
 * where there are any, bash does it.
 */
function withoutStrays(command: readonly string[]): readonly string[] {
  const strays = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > controlDescriptor && isInheritable(fd));
  const bash = strays.length === 0 ? undefined : findProgram('bash');
  if (bash === undefined) return command;
  // --norc: with a socket as standard input, bash would take itself for a remote shell and read the user's start file.
  return [
    bash,
    '--norc',
    '-c',
    `exec ${strays.map((fd) => `${fd}>&-`).join(' ')}; exec "$@"`,
    'bash',
    ...command,
  ];
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    return false;
  }
}

/** O_CLOEXEC, as fdinfo shows it. */
const closeOnExec = 0o2000000;

/** Reads the control descriptor until the pid is there. */
function heldPid(control: Duplex, child: ChildProcess, notes: string[], name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const messages: string[] = [];
    const fail = (what: string): void => {
      const said = messages.filter((line) => line !== '').join('; ');
      reject(new InputError(said === '' ? what : `${what}: ${said}`, name));
    };
    let text = '';
    control.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const [, kind, rest] = /^(pid|note|fail) (.*)$/.exec(line) ?? [];
        if (kind === 'pid') resolve(Number(rest));
        else if (kind === 'note') notes.push(rest);
        else if (kind === 'fail') fail(rest);
        else messages.push(line);
      }
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', () => fail('ended before it could be recorded'));
  });
}

/** Clock ticks since boot (field 22 of proc's stat): tells a pid's owner from a later one. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
