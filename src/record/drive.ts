// The client side of a recording: a command of this machine that is run, unrecorded, in the network of what is recorded.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../bytes/index.ts';

export interface DriveOptions {
  /** For `sh -c`; finds the recorded process in EFFIGY_PID. */
  readonly command: string;
  /** What enters the network: nsenter and its options, or nothing. */
  readonly enter: readonly string[];
  readonly shell: string;
  readonly pid: number;
  readonly stop: AbortSignal;
}

export interface DriveResult {
  readonly command: string;
  /** Exit status; undefined where a signal ended it. */
  readonly status: number | undefined;
  readonly signal: string | undefined;
}

/** Resolves when the command has ended. `stop` ends it with all that it started. */
export function drive(options: DriveOptions): Promise<DriveResult> {
  const { command, enter, shell, pid, stop } = options;
  const argv = [...enter, shell, '-c', command];
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {
      // A group of its own, so that all of it can be ended.
      detached: true,
      env: { ...process.env, EFFIGY_PID: String(pid) },
      stdio: ['ignore', 2, 2],
    });
    const end = (): void => void endGroup(child);
    if (stop.aborted) end();
    stop.addEventListener('abort', end, { once: true });
    child.once('error', (error) => reject(new InputError(error.message, '--drive')));
    child.once('exit', (status, signal) => {
      stop.removeEventListener('abort', end);
      resolve({ command, status: status ?? undefined, signal: signal ?? undefined });
    });
  });
}

async function endGroup(child: ChildProcess): Promise<void> {
  signalGroup(child, 'SIGTERM');
  for (let waited = 0; waited < 2000 && running(child); waited += 50) await sleep(50);
  if (running(child)) signalGroup(child, 'SIGKILL');
}

function running(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || !running(child)) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just ended.
  }
}
