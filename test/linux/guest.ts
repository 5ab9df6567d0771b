// Programs of this machine in a container of ours: a tree with the program, its loader and libraries, booted in the
// machine; and the same program run natively, to compare.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printEffect } from '../../src/effect/index.ts';
import { ElfSource, interpreterOf, parseElf, readDynamic } from '../../src/elf/index.ts';
import { type TreeBuilder, treeBuilder } from '../../src/image/index.ts';
import {
  type Cut,
  createKernel,
  type EffectEvent,
  type EnvironmentValues,
  formatSyscall,
  type Kernel,
  type KernelOptions,
  type ProcessSpec,
  type RunStop,
} from '../../src/linux/index.ts';

export const environment: EnvironmentValues = {
  time: 1_700_000_000_123_456_789n,
  hostName: 'guest',
  firstPid: 2,
  seed: 42,
  cpus: 2,
  memory: 2 ** 31,
  kernelRelease: '6.1.0-18-amd64',
  address: '172.17.0.2',
  gateway: '172.17.0.1',
  nameserver: '172.17.0.1',
  clientAddress: '172.17.0.9',
  clientPort: 40000,
  uptime: 1000n * 1_000_000_000n,
  bootId: '6c8b4567-327b-23c6-643c-986966334873',
};

const LIBRARY_PATHS = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib64', '/usr/lib', '/lib'];

/** Puts a host program with everything that its loader will look for into the tree, at the same path or at `as`. */
export function addProgram(builder: TreeBuilder, path: string, as = path): TreeBuilder {
  addWithLibraries(builder, path, as, new Set());
  return builder;
}

function addWithLibraries(builder: TreeBuilder, path: string, as: string, seen: Set<string>): void {
  if (seen.has(as)) return;
  seen.add(as);
  const bytes = readFileSync(path);
  builder.addFile(as, bytes, { mode: 0o755 });
  const elf = parseElf(ElfSource.ofBytes(bytes, path));
  const interpreter = interpreterOf(elf);
  if (interpreter !== undefined) addWithLibraries(builder, realpathSync(interpreter), interpreter, seen);
  for (const name of readDynamic(elf).needed) {
    const found = LIBRARY_PATHS.map((directory) => `${directory}/${name}`).find((candidate) =>
      existsSync(candidate),
    );
    if (found !== undefined) addWithLibraries(builder, realpathSync(found), found, seen);
  }
}

export interface GuestRun {
  readonly kernel: Kernel;
  readonly stop: RunStop;
  readonly stdout: string;
  /** Bytes written to standard output [1] and error [2], one character a byte, however many. */
  readonly streams: readonly [string, string, string];
  readonly effects: readonly EffectEvent[];
  readonly cuts: readonly Cut[];
  /** strace-like, when asked for. */
  readonly trace: readonly string[];
  /** `OPEN r /etc/passwd` lines. */
  readonly lines: readonly string[];
}

export interface GuestOptions extends Partial<Omit<KernelOptions, 'tree' | 'hooks'>> {
  readonly maxInstructions?: number;
  readonly horizon?: bigint;
  readonly trace?: boolean;
  /** Called when a system call begins. */
  readonly onSyscall?: () => void;
}

/** Boots a program and runs it to its end (or rest). */
export function runGuest(builder: TreeBuilder, spec: ProcessSpec, options: GuestOptions = {}): GuestRun {
  const effects: EffectEvent[] = [];
  const cuts: Cut[] = [];
  const trace: string[] = [];
  const streams: [string, string, string] = ['', '', ''];
  const kernel = createKernel({
    environment,
    ...options,
    tree: builder.build(),
    hooks: {
      onEffect: (event) => effects.push(event),
      onCut: (cut) => cuts.push(cut),
      onOutput: (stream, bytes) => {
        streams[stream] += Buffer.from(bytes).toString('latin1');
      },
      ...(options.onSyscall === undefined ? {} : { onSyscallEntry: options.onSyscall }),
      ...(options.trace === true
        ? {
            onSyscall: (task, row, args, result) =>
              trace.push(`${task.tid} ${formatSyscall(task, row, args, result)}`),
          }
        : {}),
    },
  });
  kernel.spawnInit(spec);
  const stop = kernel.run({
    maxInstructions: options.maxInstructions ?? 300_000_000,
    ...(options.horizon === undefined ? {} : { horizon: options.horizon }),
  });
  return {
    kernel,
    stop,
    stdout: kernel.output(),
    streams,
    effects,
    cuts,
    trace,
    lines: effects.map((event) => printEffect(event.effect)),
  };
}

export const hasTool = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;

/** Compiles C source; the program's path. */
export function compile(
  source: string,
  options: { readonly compiler?: string; readonly flags?: readonly string[] } = {},
): string {
  const directory = workDirectory();
  const file = join(directory, `p${counter++}`);
  writeFileSync(`${file}.c`, source);
  execFileSync(options.compiler ?? 'gcc', ['-O1', '-o', file, `${file}.c`, ...(options.flags ?? [])], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return file;
}

let counter = 0;
let directory: string | undefined;
export function workDirectory(): string {
  if (directory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'effigy-guest-'));
    directory = made;
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  }
  return directory;
}

export interface NativeRun {
  readonly stdout: string;
  /** Wait status as the kernel reports it. */
  readonly status: number;
}

export function runNative(
  path: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): NativeRun {
  const result = spawnSync(path, [...args], {
    env: { PATH: '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (result.error !== undefined) throw result.error;
  const signal =
    result.signal === null
      ? 0
      : Number(execFileSync('sh', ['-c', `kill -l ${result.signal.slice(3)}`], { encoding: 'utf8' }));
  return { stdout: result.stdout + result.stderr, status: signal === 0 ? (result.status ?? 0) << 8 : signal };
}

export { treeBuilder };
