// A run of an image in the machine: what is started, on which engine, and what came of it.
import { InputError } from '../bytes/index.ts';
import { ENVIRONMENTS } from '../explore/index.ts';
import type { Image, ImageConfig } from '../image/index.ts';
import type { FeatureSet } from '../isa/index.ts';
import {
  type CountedCut,
  callStack,
  createKernel,
  createMachine,
  type Kernel,
  type ProcessSpec,
  type RunStop,
} from '../linux/index.ts';
import {
  type CodeStore,
  createFastEngine,
  createReferenceEngine,
  type Engine,
  type EngineOptions,
  SHORT_PROGRAM,
} from '../machine/index.ts';
import { SteppingEngine } from './run-step.ts';
import { frameText, type TraceEvent, type TraceOptions, Tracer } from './run-trace.ts';

/** The fast engine, which short programs don't wait for. */
const createPatientEngine = (options: EngineOptions): Engine =>
  createFastEngine({ ...options, plainFirst: SHORT_PROGRAM });

/** Engines by name. */
export const ENGINES: Readonly<Record<string, (options: EngineOptions) => Engine>> = {
  reference: createReferenceEngine,
  fast: createPatientEngine,
};

/** What replaces parts of the image's configuration. */
export interface ProcessChanges {
  readonly entrypoint?: string | undefined;
  /** In place of Cmd; empty: Cmd stays, but with another entrypoint. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
}

/** The process that is started, as a container engine puts it together. InputError where nothing says what to run. */
export function processSpec(config: ImageConfig, changes: ProcessChanges, source: string): ProcessSpec {
  const entrypoint = changes.entrypoint === undefined ? config.entrypoint : [changes.entrypoint];
  const ownCmd = changes.args.length > 0 || changes.entrypoint !== undefined;
  const argv = [...entrypoint, ...(ownCmd ? changes.args : config.cmd)];
  if (argv.length === 0)
    throw new InputError(
      'the image has no entrypoint and no command',
      source,
      'give a program with --entrypoint, or a command after --',
    );
  const replaced = new Set(changes.env.map((entry) => entry.slice(0, entry.indexOf('='))));
  const kept = config.env.filter((entry) => !replaced.has(entry.slice(0, entry.indexOf('='))));
  return {
    argv,
    env: [...kept, ...changes.env],
    cwd: changes.workdir ?? (config.workingDir === '' ? '/' : config.workingDir),
    user: changes.user ?? config.user,
  };
}

/** What a run tells while it goes on. */
export interface RunListener {
  output(stream: 1 | 2, bytes: Uint8Array): void;
  trace(event: TraceEvent): void;
}

export interface RunRequest {
  readonly spec: ProcessSpec;
  /** Absent: the fast one, but the reference where instructions are looked at one by one. */
  readonly engine?: ((options: EngineOptions) => Engine) | undefined;
  /** Instruction sets of the processor. */
  readonly features: FeatureSet;
  readonly maxInstructions: number;
  /** Virtual ns that may pass while every task waits. */
  readonly horizon: bigint;
  /** Absent: no trace. */
  readonly trace?: TraceOptions | undefined;
  /** Where prepared code is kept from one process to the next; absent: nowhere. */
  readonly store?: CodeStore | undefined;
  /** Call stacks of the tasks that wait at the end. */
  readonly stacks: boolean;
}

/** Where a task was when the run ended. */
export interface WaitingTask {
  readonly pid: number;
  readonly tid: number;
  readonly exe: string;
  readonly syscall: string;
  readonly reason: string;
  readonly stack: readonly string[];
}

export interface RunResult {
  readonly stop: RunStop;
  readonly waiting: readonly WaitingTask[];
  readonly instructions: number;
  readonly cuts: readonly CountedCut[];
  /** The trace's starting place was never reached. */
  readonly traceNeverStarted: boolean;
}

/** Boots and runs to exit, quiescence or the end of the budget. */
export function runInMachine(image: Image, request: RunRequest, listener: RunListener): RunResult {
  const tracer =
    request.trace === undefined
      ? undefined
      : new Tracer(request.trace, (event) => {
          listener.trace(event);
        });
  const steps = tracer?.steps === true;
  const make = request.engine ?? (steps ? createReferenceEngine : createPatientEngine);
  const { features, store } = request;
  const engine = make({ features, ...(steps ? { blockInstructions: 1 } : { store }) });
  const kernel = createKernel({
    tree: image.tree,
    environment: ENVIRONMENTS[0].values,
    machine: {
      engine: tracer !== undefined && steps ? new SteppingEngine(engine, tracer) : engine,
      memory: createMachine().memory,
      features,
    },
    hooks: {
      onEffect: (event) => tracer?.effect(event),
      stacks: tracer !== undefined,
      onCut: () => {},
      onOutput: (stream, bytes) => listener.output(stream, bytes),
      ...tracer?.hooks(),
    },
  });
  tracer?.attach(kernel);
  kernel.spawnInit(request.spec);
  const stop = kernel.run({ maxInstructions: request.maxInstructions, horizon: request.horizon });
  tracer?.finish();
  const waiting = stop.kind === 'exited' ? [] : waitingTasks(kernel, stop, request.stacks);
  const result = { stop, waiting, instructions: engine.executed, cuts: [...kernel.cuts.values()] };
  kernel.release();
  engine.keep?.();
  return { ...result, traceNeverStarted: tracer?.waits === true };
}

function waitingTasks(
  kernel: Kernel,
  stop: Exclude<RunStop, { kind: 'exited' }>,
  stacks: boolean,
): WaitingTask[] {
  return stop.waiting.map(({ pid, tid, exe, syscall, reason }) => {
    const task = stacks ? kernel.tasks.get(tid) : undefined;
    const stack = task === undefined ? [] : callStack(kernel, task).frames.map(frameText);
    return { pid, tid, exe, syscall, reason, stack };
  });
}
