// The host's side of a comparison: strace's text of one run of an image, from its first program on.
import { InputError } from '../bytes/index.ts';
import type { Effect } from '../effect/index.ts';
import { pieces, type RandomAccess } from '../host/index.ts';
import { signalNumber } from '../linux/index.ts';
import {
  type ActivityOptions,
  ActivityTracker,
  ExactObserver,
  StraceParser,
  type TraceEvent,
} from '../telemetry/index.ts';
import type { Course } from './machine.ts';
import { type Happening, HostHappenings, startingAt } from './runs.ts';

export interface HostRun {
  readonly happenings: readonly Happening[];
  readonly course: Course;
  /** What in the trace was not understood, with counts. */
  readonly gaps: ReadonlyMap<string, number>;
}

export interface HostRunOptions {
  /** What an exec of a path maps, see ActivityOptions. */
  readonly program: ActivityOptions['program'];
  /** The image's first EXEC: what comes before is the recorder's. */
  readonly start: Effect;
  /** Its number. */
  readonly stopSignal: number;
}

const stopTimeout = 10_000_000_000n;

/** Reads a trace. InputError where it is none, or not of this image. */
export function readHostRun(file: RandomAccess, options: HostRunOptions): HostRun {
  const reader = new TraceReader(file.name, options);
  let rest = '';
  for (const piece of pieces(file)) {
    const lines = (rest + Buffer.from(piece).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) reader.parser.line(line);
  }
  if (rest !== '') reader.parser.line(rest);
  return reader.finish();
}

class TraceReader {
  readonly parser: StraceParser;
  private readonly name: string;
  private readonly options: HostRunOptions;
  private readonly host = new HostHappenings();
  private readonly tracker: ActivityTracker;
  private readonly gaps = new Map<string, number>();
  /** Signals and ends of processes, by the recorder's pid. */
  private readonly signals: { pid: number; time: bigint; signal: string }[] = [];
  private readonly ends = new Map<number, { time: bigint; status: number }>();

  constructor(name: string, options: HostRunOptions) {
    this.name = name;
    this.options = options;
    const observer = new ExactObserver({ program: options.program }, (observation) => {
      if (observation.kind === 'gap')
        this.gaps.set(observation.reason, (this.gaps.get(observation.reason) ?? 0) + observation.records);
      else this.host.observe(observation);
    });
    this.tracker = new ActivityTracker({ program: options.program }, (activity) =>
      observer.activity(activity),
    );
    this.parser = new StraceParser({ name }, (event) => this.event(event));
  }

  private event(event: TraceEvent): void {
    if (event.kind === 'signal') this.signals.push(event);
    if (event.kind === 'exit' && event.tid === event.pid) this.ends.set(event.pid, event);
    this.tracker.event(event);
  }

  finish(): HostRun {
    this.parser.finish();
    this.tracker.finish();
    const happenings = startingAt(this.host.list, this.options.start);
    if (happenings === undefined)
      throw new InputError(
        'the trace does not start the program of the image',
        this.name,
        'is it a trace of this image?',
      );
    const [first] = happenings;
    const listen = happenings.find(({ effect, result }) => effect.op === 'LISTEN' && result >= 0);
    return {
      happenings,
      course: { start: first.time, listened: listen?.time, stopped: this.stopped(first, happenings) },
      gaps: this.gaps,
    };
  }

  /** A first process may ignore the stop signal, which strace then does not tell: it is killed after the timeout. */
  private stopped(first: Happening, happenings: readonly Happening[]): bigint {
    const pid = first.tid;
    const signal = this.signals.find(
      (each) =>
        each.pid === pid && signalNumber(each.signal) === this.options.stopSignal && each.time > first.time,
    );
    if (signal !== undefined) return signal.time;
    const end = this.ends.get(pid);
    if (end === undefined) return happenings[happenings.length - 1].time;
    const asked = (end.status & 127) === 9 ? end.time - stopTimeout : end.time;
    return asked > first.time ? asked : first.time;
  }
}
