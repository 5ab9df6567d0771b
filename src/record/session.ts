// One recording from the held process to its end.
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../bytes/index.ts';
import type { ContainerRecord } from '../telemetry/index.ts';
import type { ContainerPlan } from './container.ts';
import { type DriveResult, drive } from './drive.ts';
import { type Held, launch } from './launch.ts';
import type { RecordOptions, RecordSummary } from './options.ts';
import { Recording } from './recording.ts';
import type { Scratch } from './scratch.ts';
import type { Subject } from './subject.ts';
import { findTools, type Tools } from './tools.ts';
import { startTracer, type Tracer } from './tracer.ts';

const sigkill = 9;
/** Milliseconds without a system call that count as quiet, and how long quiet is waited for at most. */
const quiet = 150;
const longestUnrest = 1000;

export interface SessionInput {
  readonly options: RecordOptions;
  readonly subject: Subject;
  readonly scratch: Scratch;
  /** The output, open for writing. */
  readonly fd: number;
  readonly tools: Pick<Tools, 'sh' | 'strace' | 'mkfifo'>;
}

/** The parts that exist once the process is held and traced. */
interface Running {
  readonly held: Held;
  readonly tracer: Tracer;
  readonly recording: Recording;
}

/** Runs what was prepared until it has ended; nothing of it runs afterwards, however this ends. */
export async function runSession(input: SessionInput): Promise<RecordSummary> {
  const { options, subject, scratch, tools } = input;
  const held = await launch({
    shell: tools.sh,
    command: subject.command,
    env: subject.env,
    interactive: options.interactive === true,
    name: subject.name,
  });
  scratch.guard(held.pid);
  try {
    const recording = new Recording(recordingOptions(input, held));
    const tracer = await startTracer({
      tools,
      scratch: scratch.directory,
      enter: enterNetwork(subject, held.pid),
      pid: held.pid,
      keep: options.strace,
      onLine: (line) => recording.line(line),
    });
    return await new Session(input, { held, tracer, recording }).run();
  } finally {
    held.signal(sigkill);
  }
}

class Session {
  private readonly input: SessionInput;
  private readonly running: Running;
  private readonly notes: string[];
  /** Everything that was traced has ended, and all of it has been read. */
  private over = false;

  constructor(input: SessionInput, running: Running) {
    this.input = input;
    this.running = running;
    this.notes = [...input.subject.notes, ...running.held.notes];
  }

  async run(): Promise<RecordSummary> {
    const { held, tracer, recording } = this.running;
    const begun = process.hrtime.bigint();
    const timer = setInterval(() => recording.idle(), 1000);
    const finished = tracer.finished.finally(() => {
      this.over = true;
    });
    try {
      held.release();
      const driven = await this.live(finished);
      await finished;
      await held.ended;
      if (!recording.started)
        throw new InputError(
          'the command could not be executed',
          this.input.subject.name,
          'see what it said above',
        );
      recording.finish();
      return this.summary(driven, Number(process.hrtime.bigint() - begun) / 1e9);
    } finally {
      clearInterval(timer);
      this.killTraced();
      tracer.kill();
    }
  }

  /** From the start of the program to its end. */
  private async live(finished: Promise<void>): Promise<DriveResult | undefined> {
    const { options } = this.input;
    const client = new AbortController();
    const driving = options.drive === undefined ? undefined : this.drive(options.drive, client.signal);
    const ends: Promise<unknown>[] = [finished, aborted(options.stop), aborted(options.kill)];
    if (driving !== undefined) ends.push(driving);
    if (options.duration !== undefined) ends.push(sleep(options.duration, undefined, { ref: false }));
    try {
      await Promise.race(ends);
    } finally {
      client.abort();
      if (!this.over) await this.end();
      await driving;
    }
    return await driving;
  }

  private async drive(command: string, stop: AbortSignal): Promise<DriveResult | undefined> {
    const { options, subject, tools } = this.input;
    const { held, recording } = this.running;
    await waitWhile(() => !recording.listened && !this.over && !stop.aborted, options.readyTimeout ?? 10_000);
    await this.calm();
    if (this.over || stop.aborted) {
      this.notes.push('the service ended before it was driven');
      return undefined;
    }
    const result = await drive({
      command,
      enter: enterNetwork(subject, held.pid),
      shell: tools.sh,
      pid: held.pid,
      stop,
    });
    await this.calm();
    return result;
  }

  /** Waits until the recorded processes make no system calls for a while. */
  private async calm(): Promise<void> {
    const { recording } = this.running;
    await waitWhile(() => !this.over && Date.now() - recording.lastLine < quiet, longestUnrest);
  }

  /** Stop signal, then SIGKILL, then strace itself. */
  private async end(): Promise<void> {
    const { held, tracer, recording } = this.running;
    const { stopSignal } = this.input.subject;
    const { stopTimeout = 10_000, kill } = this.input.options;
    const hurry = (): boolean => kill?.aborted === true;
    if (!hurry()) {
      // Without the first process, those that it left behind are asked.
      if (held.alive()) held.signal(stopSignal);
      else this.killTraced(stopSignal);
      await waitWhile(() => !this.over && !hurry(), stopTimeout);
      if (!this.over && !hurry())
        this.notes.push(`did not stop within ${stopTimeout / 1000} s of signal ${stopSignal}; killed`);
    }
    for (let attempts = 0; attempts < 50 && !this.over; attempts++) {
      held.signal(sigkill);
      this.killTraced();
      await waitWhile(() => !this.over, 100);
    }
    if (this.over) return;
    this.notes.push(
      `strace had to be killed, the end of the trace is missing (${recording.processes.length} processes)`,
    );
    tracer.kill();
  }

  /** Only what our strace traces right now: a number may belong to somebody else by now. */
  private killTraced(signal = sigkill): void {
    const { tracer, recording } = this.running;
    for (const pid of recording.processes) {
      if (!tracer.traces(pid)) continue;
      try {
        process.kill(pid, signal);
      } catch {
        // It has just ended.
      }
    }
  }

  private summary(driven: DriveResult | undefined, seconds: number): RecordSummary {
    const { options, subject, scratch } = this.input;
    const { recording } = this.running;
    const { plan } = subject;
    return {
      output: options.output,
      records: recording.records,
      calls: recording.calls,
      seconds,
      container:
        plan === undefined
          ? undefined
          : { id: plan.id, name: plan.name, image: plan.image, imageId: plan.imageId },
      ending: recording.ending,
      listened: recording.listened,
      drive: driven,
      unrecorded: Object.fromEntries([...recording.unrecorded].sort(([a], [b]) => (a < b ? -1 : 1))),
      gaps: recording.gaps,
      notes: this.notes,
      kept: options.keep === true ? scratch.directory : undefined,
    };
  }
}

function recordingOptions(
  { fd, options, subject }: SessionInput,
  held: Held,
): ConstructorParameters<typeof Recording>[0] {
  const { plan, users, isolation, skipExecs } = subject;
  // In a namespace with one id, everything runs as that namespace's root.
  const account =
    plan === undefined
      ? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
      : isolation?.users === 'single'
        ? { uid: 0, gid: 0 }
        : plan.account;
  return {
    fd,
    filename: basename(options.output),
    pid: held.pid,
    skipExecs,
    container: plan === undefined ? undefined : containerRecord(plan),
    users,
    uid: account.uid,
    gid: account.gid,
    cwd: plan === undefined ? process.cwd() : plan.workingDir,
    root: subject.root,
  };
}

function containerRecord(plan: ContainerPlan): ContainerRecord {
  return {
    id: plan.id,
    name: plan.name,
    image: plan.image,
    imageid: plan.imageId,
    // What readers take for an ordinary container; the schema has no word for ours.
    type: 'CT_DOCKER',
    privileged: false,
    podId: undefined,
  };
}

/** How to get into the network of what is recorded: a program and its options, nothing where it is ours. */
function enterNetwork({ isolation }: Subject, pid: number): readonly string[] {
  if (isolation === undefined || !isolation.flags.includes('--net')) return [];
  const { nsenter } = findTools(['nsenter']);
  const user = isolation.users === 'none' ? [] : [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'];
  return [nsenter, ...user, `--net=/proc/${pid}/ns/net`, '--'];
}

/** Waits at most so many milliseconds. */
async function waitWhile(condition: () => boolean, longest: number): Promise<void> {
  const until = Date.now() + longest;
  while (condition() && Date.now() < until) await sleep(20);
}

/** Resolves when the signal is aborted; without a signal never. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
