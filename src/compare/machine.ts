// The machine's side of a comparison: start, idle and stop at the times at which the host had them.
import type { Effect } from '../effect/index.ts';
import type { Launch } from '../explore/index.ts';
import type { Tree } from '../image/index.ts';
import {
  type Cut,
  createKernel,
  type Kernel,
  type Machine,
  type RunStop,
  sendSignal,
} from '../linux/index.ts';
import { type Happening, machineHappening } from './runs.ts';

/** When the host's run was where; ns, of one clock. */
export interface Course {
  readonly start: bigint;
  /** A socket listened for the first time. */
  readonly listened: bigint | undefined;
  /** The stop signal came, or was ignored, or it ended by itself. */
  readonly stopped: bigint;
}

export interface MachineRunOptions {
  readonly tree: Tree;
  readonly launch: Launch;
  readonly machine: Machine;
  readonly course: Course;
  readonly stopSignal: number;
  /** For the start, and again for what follows. */
  readonly maxInstructions: number;
}

export interface MachineRun {
  readonly happenings: readonly Happening[];
  readonly cuts: readonly Cut[];
  /** Where it was when the idle time was over, before the stop signal. */
  readonly rested: RunStop;
}

const second = 1_000_000_000n;
/** Virtual time that the machine has to listen where the host did, beyond what the host took. */
const patience = 20n * second;
/** Between the stop signal and SIGKILL. */
const stopTimeout = 10n * second;
const SIGKILL = 9;

type Subject = Pick<MachineRunOptions, 'tree' | 'launch' | 'machine'>;

/** The first program's EXEC, as the machine has it. */
export function firstEffect(subject: Subject): Effect {
  const recorder = new Recorder();
  boot(subject, recorder).release();
  return recorder.happenings[0].effect;
}

function boot({ tree, launch, machine }: Subject, recorder: Recorder): Kernel {
  const kernel = createKernel({
    tree,
    environment: launch.environment.values,
    machine,
    hooks: recorder,
    mounts: launch.mounts,
    readOnlyRoot: launch.readOnlyRoot,
  });
  recorder.kernel = kernel;
  kernel.spawnInit(launch.spec);
  return kernel;
}

/** Start, idle time as on the host, stop signal, SIGKILL. */
export function runInMachine(options: MachineRunOptions): MachineRun {
  const { course, stopSignal, maxInstructions } = options;
  const recorder = new Recorder();
  const kernel = boot(options, recorder);
  const begun = kernel.now;
  const idle = course.stopped - (course.listened ?? course.start);
  const latest = begun + (course.stopped - course.start) + patience;
  const end = (): bigint =>
    course.listened === undefined
      ? begun + idle
      : recorder.listened === undefined
        ? latest
        : recorder.listened + idle;
  // In steps: when it listens decides how far to go.
  let rested = kernel.run({ maxInstructions, horizon: 0n });
  while (rested.kind === 'quiescent' && kernel.now < end()) {
    const until = min(kernel.now + second, end());
    rested = runUntil(kernel, until, maxInstructions);
  }
  if (rested.kind === 'quiescent') {
    sendSignal(kernel, 1, stopSignal);
    const stop = runUntil(kernel, kernel.now + stopTimeout, maxInstructions);
    if (stop.kind === 'quiescent') {
      sendSignal(kernel, 1, SIGKILL);
      kernel.run({ maxInstructions, horizon: 0n });
    }
  }
  const { happenings, cuts } = recorder;
  kernel.release();
  return { happenings, cuts, rested };
}

/** A container that only repeats itself goes on here: the host's does. */
function runUntil(kernel: Kernel, until: bigint, maxInstructions: number): RunStop {
  for (;;) {
    const from = kernel.now;
    const stop = kernel.run({ maxInstructions, horizon: until - kernel.now });
    if (stop.kind === 'quiescent' && stop.repeating && kernel.now < until && kernel.now > from) continue;
    if (stop.kind === 'quiescent' && kernel.now < until) kernel.now = until;
    return stop;
  }
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

class Recorder {
  readonly happenings: Happening[] = [];
  readonly cuts: Cut[] = [];
  kernel: Kernel | undefined;
  listened: bigint | undefined;

  onEffect(event: Parameters<typeof machineHappening>[0]): void {
    const now = this.kernel?.now ?? 0n;
    const happening = machineHappening(event, now);
    this.happenings.push(happening);
    if (happening.effect.op === 'LISTEN' && happening.result >= 0) this.listened ??= now;
  }

  onCut(cut: Cut): void {
    this.cuts.push(cut);
  }
}
