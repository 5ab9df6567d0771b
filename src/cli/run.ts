// `effigy run`: an image's program in the machine, nothing of it on the host; what it writes, traces, disassembly.
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { decodeText, grouped, InputError, printable } from '../bytes/index.ts';
import { openCodeCache } from '../host/index.ts';
import { type Image, openImage } from '../image/index.ts';
import type { FeatureSet } from '../isa/index.ts';
import type { ProcessSpec } from '../linux/index.ts';
import { CPU_NAMES, cpuNamed, DEFAULT_CPU } from './cpu.ts';
import { listing, parseListing, printListing, programPath } from './run-listing.ts';
import { ENGINES, processSpec, type RunListener, type RunResult, runInMachine } from './run-machine.ts';
import { TRACE_KINDS, type TraceEvent, type TraceKind, type TraceOptions } from './run-trace.ts';

interface RunCommandOptions {
  readonly entrypoint?: string;
  readonly env: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly trace?: string;
  readonly traceFrom?: string;
  readonly pid?: string;
  readonly stacks?: boolean;
  readonly output?: string;
  readonly disassemble?: string;
  readonly ir?: boolean;
  readonly engine?: string;
  readonly cpu: string;
  readonly maxInstructions: string;
  readonly horizon: string;
  readonly exitCode?: boolean;
  readonly cache: boolean;
  readonly json?: boolean;
  readonly platform?: string;
  readonly ref?: string;
}

const help = `
What the program writes goes to standard output and error as it is written; traces and the summary go to standard
error. Exit status: 0 when the program could be run, whatever its own status (--exit-code passes that on), 2 for errors.

With --json every line on standard output is an object: kind "output" (stream, text), "syscall", "effect", "insn" (pid,
tid, text, stack), at last "end" (stop, status or signal, waiting, instructions, cuts).

Examples:
  effigy run shop.tar
  effigy run shop.tar --entrypoint /bin/sh -- -c 'ls -l /etc'
  effigy run shop.tar --trace syscall,effect --stacks 2> shop.trace
  effigy run shop.tar --trace insn --trace-from main -o insn.txt
  effigy run shop.tar --disassemble main --ir
  effigy run shop.tar --disassemble /lib/x86_64-linux-gnu/libc.so.6:strlen,64`;

/** Where text goes; bytes as they are. */
export interface Streams {
  readonly stdout: (text: string | Uint8Array) => void;
  readonly stderr: (text: string | Uint8Array) => void;
}

const processStreams: Streams = {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
};

export function addRunCommand(program: Command, streams = processStreams): void {
  program
    .command('run')
    .description('run an image in the machine, for looking at what it does; nothing of it runs on the host')
    .argument('<image>', 'docker save archive, OCI archive, or OCI layout directory')
    .argument('[args...]', "after --: in place of the image's Cmd")
    .option('--entrypoint <path>', "program in place of the image's Entrypoint (and Cmd)")
    .option('-e, --env <name=value>', 'environment variable (may be given several times)', collect, [])
    .option('--user <user[:group]>', "in place of the image's User")
    .option('--workdir <path>', "in place of the image's WorkingDir")
    .option('--trace <kinds>', `what to trace, comma-separated: ${TRACE_KINDS.join(', ')}`)
    .option('--trace-from <place>', 'no trace before a function (by name) or address (0x…) is reached')
    .option('--pid <n>', 'trace this process only')
    .option('--stacks', 'call stacks with system calls, effects and waiting tasks')
    .option('-o, --output <file>', 'write the trace there')
    .option('--disassemble <place>', 'do not run: disassemble [FILE:]SYMBOL|ADDRESS[,LENGTH]')
    .option('--ir', 'with --disassemble: what each instruction is lifted to')
    .option(
      '--engine <name>',
      `${Object.keys(ENGINES).join(' or ')} (fast, but reference where instructions are looked at one by one)`,
    )
    .option(
      `--cpu <${CPU_NAMES}>`,
      'processor that programs find; the level that they were built for',
      DEFAULT_CPU,
    )
    .option('--max-instructions <n>', 'stop after so many', '10000000000')
    .option('--horizon <seconds>', 'virtual time that may pass while everything waits', '10')
    .option('--exit-code', "exit with the program's status (128 + signal)")
    .option('--no-cache', 'keep no prepared code on disk (EFFIGY_CACHE says where it is kept)')
    .option('--json', 'one JSON object a line on standard output')
    .option('--platform <os/arch>', 'which platform of several (linux/amd64)')
    .option('--ref <name>', 'which image of an archive that holds several')
    .addHelpText('after', help)
    .action(async (path: string, args: readonly string[], options: RunCommandOptions) => {
      const checked = check(options);
      const image = await openImage(path, {
        ...(options.platform === undefined ? {} : { platform: options.platform }),
        ...(options.ref === undefined ? {} : { ref: options.ref }),
      });
      try {
        const spec = processSpec(image.config, { ...options, args }, path);
        const action = { options, streams };
        if (options.disassemble === undefined) run(image, spec, checked, action);
        else disassembleOnly(image, spec, options.disassemble, checked, action);
      } finally {
        image.close();
      }
    });
}

interface Checked {
  readonly features: FeatureSet;
  readonly maxInstructions: number;
  readonly horizon: bigint;
  readonly trace: TraceOptions | undefined;
}

/** Everything that can be wrong before the image is opened. */
function check(options: RunCommandOptions): Checked {
  for (const entry of options.env)
    if (!/^[^=]+=/.test(entry)) throw new InputError('NAME=VALUE is wanted', `--env ${entry}`);
  if (options.engine !== undefined && !Object.hasOwn(ENGINES, options.engine))
    throw new InputError(
      'no such engine',
      `--engine ${options.engine}`,
      `one of ${Object.keys(ENGINES).join(', ')}`,
    );
  const kinds = options.trace === undefined ? [] : options.trace.split(',');
  for (const kind of kinds)
    if (!TRACE_KINDS.some((known) => known === kind))
      throw new InputError('cannot be traced', `--trace ${kind}`, `one or more of ${TRACE_KINDS.join(', ')}`);
  for (const name of ['traceFrom', 'pid', 'output'] as const)
    if (options[name] !== undefined && kinds.length === 0)
      throw new InputError('means nothing without --trace', OPTION_NAMES[name]);
  const pid = options.pid === undefined ? undefined : wholeNumber(options.pid, '--pid');
  return {
    features: cpuNamed(options.cpu),
    maxInstructions: wholeNumber(options.maxInstructions, '--max-instructions'),
    horizon: BigInt(wholeNumber(options.horizon, '--horizon')) * 1_000_000_000n,
    trace:
      kinds.length === 0
        ? undefined
        : {
            kinds: new Set(kinds as TraceKind[]),
            from: options.traceFrom,
            pid,
            stacks: options.stacks ?? false,
          },
  };
}

const OPTION_NAMES = { traceFrom: '--trace-from', pid: '--pid', output: '--output' } as const;

function wholeNumber(text: string, name: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > Number.MAX_SAFE_INTEGER)
    throw new InputError(`${JSON.stringify(text)} is not a whole number`, name);
  return value;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

interface Action {
  readonly options: RunCommandOptions;
  readonly streams: Streams;
}

function disassembleOnly(
  image: Image,
  spec: ProcessSpec,
  place: string,
  { features }: Checked,
  { options, streams }: Action,
): void {
  const { ir = false, json = false } = options;
  const request = parseListing(place, () => programPath(image.tree, spec.argv, spec.env ?? []));
  const instructions = listing(image.tree, request, features);
  if (!json) streams.stdout(printListing(request.file, instructions, ir));
  else for (const one of instructions) streams.stdout(jsonLine(ir ? one : { ...one, ir: undefined }));
}

function run(image: Image, spec: ProcessSpec, checked: Checked, { options, streams }: Action): void {
  const { os, architecture } = image.platform;
  if (os !== 'linux' || architecture !== 'amd64')
    throw new InputError(
      `the image is for ${os}/${architecture}`,
      image.source,
      'only linux/amd64 can be run',
    );
  const { json = false, stacks = false } = options;
  const trace = options.output === undefined ? undefined : openSync(options.output, 'w');
  try {
    const engine = options.engine === undefined ? undefined : ENGINES[options.engine];
    const store = options.cache ? openCodeCache() : undefined;
    const result = runInMachine(
      image,
      { ...checked, spec, engine, stacks, store },
      listener(json, streams, trace),
    );
    if (json) streams.stdout(jsonLine(endObject(result)));
    else streams.stderr(endText(result, options.traceFrom));
    if (options.exitCode === true && result.stop.kind === 'exited')
      process.exitCode = exitCode(result.stop.status);
  } finally {
    if (trace !== undefined) closeSync(trace);
  }
}

const jsonLine = (value: object): string => `${JSON.stringify(value)}\n`;

/** Where output and traces go; `file`: a descriptor for the trace. */
function listener(json: boolean, streams: Streams, file: number | undefined): RunListener {
  const traces = json ? streams.stdout : streams.stderr;
  return {
    output(stream, bytes) {
      if (json) streams.stdout(jsonLine({ kind: 'output', stream, text: decodeText(bytes) }));
      else (stream === 1 ? streams.stdout : streams.stderr)(bytes);
    },
    trace(event) {
      const text = json ? jsonLine(event) : traceText(event);
      if (file !== undefined) writeSync(file, text);
      else traces(text);
    },
  };
}

function traceText({ tid, text, stack = [] }: TraceEvent): string {
  return [`${tid} ${text}`, ...stack.map((frame) => `      ${frame}`), ''].join('\n');
}

const exitCode = (status: number): number => ((status & 0x7f) === 0 ? status >> 8 : 128 + (status & 0x7f));

function endObject({ stop, waiting, instructions, cuts }: RunResult): object {
  const how =
    stop.kind !== 'exited'
      ? { waiting, ...(stop.kind === 'quiescent' ? { repeating: stop.repeating } : {}) }
      : (stop.status & 0x7f) === 0
        ? { status: stop.status >> 8 }
        : { signal: stop.status & 0x7f };
  return {
    kind: 'end',
    stop: stop.kind,
    ...how,
    instructions,
    cuts: cuts.map(({ cut, count }) => ({ ...cut, count })),
  };
}

function endText({ stop, waiting, instructions, cuts, traceNeverStarted }: RunResult, from?: string): string {
  const lines = cuts.map(
    ({ cut, count }) =>
      `cut: ${cut.kind} ${printable(cut.what)} ×${count} in ${printable(cut.exe)} ${printable(cut.at?.symbol ?? '')}: ${cut.consequence}`,
  );
  if (traceNeverStarted) lines.push(`--trace-from ${from}: never reached`);
  lines.push(`${endPhrase(stop)}; ${grouped(instructions)} instructions`);
  for (const { pid, tid, exe, syscall, reason, stack } of waiting)
    lines.push(
      `  ${pid}${tid === pid ? '' : `/${tid}`} ${printable(exe)}: ${syscall === '' ? '' : `${syscall}: `}${reason}`,
      ...stack.map((frame) => `      ${frame}`),
    );
  return `${lines.map((line) => `effigy: ${line}`).join('\n')}\n`;
}

function endPhrase(stop: RunResult['stop']): string {
  switch (stop.kind) {
    case 'exited':
      return (stop.status & 0x7f) === 0
        ? `exited with ${stop.status >> 8}`
        : `killed by signal ${stop.status & 0x7f}`;
    case 'budget':
      return 'stopped: the instructions of --max-instructions are used up';
    case 'quiescent':
      return stop.repeating ? 'quiescent: it only repeats itself' : 'quiescent: every task waits';
  }
}
