// strace as a process of ours: attached to a process that is held, its text read line by line from a named pipe. When we
// are slow, strace waits, and with it what it traces; nothing is buffered beyond one pipe and one chunk.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../bytes/index.ts';
import { STRACE_OPTIONS } from '../telemetry/index.ts';
import type { Tools } from './tools.ts';

export interface TracerOptions {
  readonly tools: Pick<Tools, 'strace' | 'mkfifo'>;
  /** A directory of ours. */
  readonly scratch: string;
  /** What enters the process's network, where strace looks sockets up: nsenter and its options, or nothing. */
  readonly enter: readonly string[];
  /** Process to attach to. */
  readonly pid: number;
  /** Where the raw text is kept as well. */
  readonly keep: string | undefined;
  /** Each line, without its newline, one character a byte. */
  readonly onLine: (line: string) => void;
}

export interface Tracer {
  /** Everything traced has ended and every line has been passed on. */
  readonly finished: Promise<void>;
  /** Ends strace, whatever is still traced; what it traced goes on untraced. */
  kill(): void;
  /** Whether this process is traced by this strace now. */
  traces(pid: number): boolean;
}

/** Resolves once strace is attached; InputError with its words where it can't be. */
export async function startTracer(options: TracerOptions): Promise<Tracer> {
  const { tools, scratch, pid } = options;
  const fifo = `${scratch}/strace`;
  const made = spawnSync(tools.mkfifo, ['-m', '600', fifo], { encoding: 'utf8' });
  if (made.status !== 0) throw new InputError(`can't make a named pipe: ${made.stderr.trim()}`, fifo);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  // Without a writer the pipe would be at its end before strace has opened it.
  const writer = openSync(fifo, constants.O_WRONLY);
  const keep = options.keep === undefined ? undefined : openSync(options.keep, 'w', 0o644);
  const argv = [...options.enter, tools.strace, ...STRACE_OPTIONS, '-o', fifo, '-p', String(pid)];
  const strace = spawn(argv[0], argv.slice(1), {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const finished = readLines(reader, keep, options.onLine).finally(() => {
    if (keep !== undefined) closeSync(keep);
  });
  try {
    await attached(strace, pid);
  } catch (error) {
    strace.kill('SIGKILL');
    throw error;
  } finally {
    closeSync(writer);
  }
  return {
    finished,
    kill: () => void strace.kill('SIGKILL'),
    traces: (other) => tracerOf(other) === strace.pid,
  };
}

async function readLines(
  fd: number,
  keep: number | undefined,
  onLine: (line: string) => void,
): Promise<void> {
  const stream = new Socket({ fd, readable: true, writable: false });
  let rest = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (keep !== undefined) writeWhole(keep, chunk);
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) onLine(line);
  }
  if (rest !== '') onLine(rest);
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Waits until the process has a tracer. */
async function attached(strace: ChildProcess, pid: number): Promise<void> {
  let said = '';
  let ended = false;
  strace.stderr?.on('data', (chunk: Buffer) => {
    if (said.length < 4096) said += chunk.toString('utf8');
  });
  strace.once('error', (error) => {
    said += error.message;
    ended = true;
  });
  strace.once('exit', () => {
    ended = true;
  });
  while (tracerOf(pid) !== strace.pid) {
    if (ended) {
      await sleep(10);
      throw new InputError(
        `strace can't attach: ${said.trim().replace(/\s*\n\s*/g, '; ') || 'it ended'}`,
        `process ${pid}`,
        'the host must allow ptrace (run as root, or sysctl kernel.yama.ptrace_scope=0)',
      );
    }
    await sleep(5);
  }
}

function tracerOf(pid: number): number | undefined {
  try {
    const tracer = Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
    return tracer > 0 ? tracer : undefined;
  } catch {
    return undefined;
  }
}
