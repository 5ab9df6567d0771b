// The story of a recording: prepare, hold, attach, go, drive, stop, finish; and whatever happens, clear up.

import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '../bytes/index.ts';
import { hostError } from '../host/index.ts';
import { openImage } from '../image/index.ts';
import type { ContainerRecord } from '../telemetry/index.ts';
import { type ContainerPlan, findEntry, planContainer } from './container.ts';
import { type DriveResult, drive } from './drive.ts';
import { chooseIsolation, type Isolation } from './isolation.ts';
import { type Held, holdScript, launch } from './launch.ts';
import { preludePrograms, preludeScript } from './prelude.ts';
import { type Ending, type Gap, Recording } from './recording.ts';
import { prepareRoot } from './rootfs.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { findProgram, findTools } from './tools.ts';
import { startTracer, type Tracer } from './tracer.ts';
import { parseUsers, type Users } from './users.ts';

export interface RecordOptions {
  /** SysFlow file to write. */
  readonly output: string;
  /** Absent: the command is one of this machine. */
  readonly image?:
    | { readonly path: string; readonly ref?: string | undefined; readonly platform?: string | undefined }
    | undefined;
  /** With an image: replaces its Cmd where not empty. */
  readonly command: readonly string[];
  /** A shell command of this machine that acts as the client, once the service listens. */
  readonly drive?: string | undefined;
  /** Milliseconds to wait for the service to listen before driving it anyway; default 10,000. */
  readonly readyTimeout?: number | undefined;
  /** Milliseconds between the stop signal and SIGKILL; default 10,000. */
  readonly stopTimeout?: number | undefined;
  /** Milliseconds after which the service is stopped; default: when it ends, or the drive command does. */
  readonly duration?: number | undefined;
  /** With an image: its own network with a loopback interface (default), or this machine's. */
  readonly net?: 'own' | 'host' | undefined;
  /** `NAME=value`. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  /** Twelve hexadecimal digits; default random. */
  readonly containerId?: string | undefined;
  readonly containerName?: string | undefined;
  /** Whether the temporary directory stays. */
  readonly keep?: boolean | undefined;
  /** Where strace's text is kept. */
  readonly strace?: string | undefined;
  /** Our standard input is the service's. */
  readonly interactive?: boolean | undefined;
  /** Ends the recording as at its end: stop signal first. */
  readonly stop?: AbortSignal | undefined;
  /** Ends it at once. */
  readonly kill?: AbortSignal | undefined;
}

export interface RecordSummary {
  readonly output: string;
  readonly records: number;
  /** System calls that were recorded. */
  readonly calls: number;
  readonly seconds: number;
  readonly container:
    | { readonly id: string; readonly name: string; readonly image: string; readonly imageId: string }
    | undefined;
  /** How the command's first process ended. */
  readonly ending: Ending | undefined;
  /** Whether it listened on a socket. */
  readonly listened: boolean;
  readonly drive: DriveResult | undefined;
  /** Operations without a record in SysFlow, by system call. */
  readonly unrecorded: Readonly<Record<string, number>>;
  /** What the recorder could not make sense of. */
  readonly gaps: readonly Gap[];
  readonly notes: readonly string[];
  /** The temporary directory, where it was kept. */
  readonly kept: string | undefined;
}

/** What is recorded, ready to be held. */
interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly skipExecs: number;
  readonly plan: ContainerPlan | undefined;
  readonly isolation: Isolation | undefined;
  readonly users: Users;
  readonly stopSignal: number;
  readonly notes: readonly string[];
}

const sigterm = 15;
const sigkill = 9;
/** Milliseconds without a system call that count as quiet, and how long quiet is waited for at most. */
const quiet = 150;
const longestUnrest = 3000;

/** Runs the command and writes what it does; resolves when it has ended. InputError where it can't be run or recorded. */
export async function record(options: RecordOptions): Promise<RecordSummary> {
  const tools = findTools(['sh', 'strace', 'mkfifo']);
  const fd = openOutput(options.output);
  let isolation: Isolation | undefined;
  let scratch: Scratch | undefined;
  let done = false;
  try {
    scratch = makeScratch({
      shell: tools.sh,
      keep: options.keep === true,
      become: () => becomeOwner(isolation),
    });
    const subject = await (options.image === undefined
      ? hostSubject(options)
      : imageSubject(options, scratch.directory));
    isolation = subject.isolation;
    const session = new Session(options, subject, scratch, fd, tools);
    const summary = await session.run();
    done = true;
    const left = scratch.clear();
    return left === undefined ? summary : { ...summary, notes: [...summary.notes, left] };
  } finally {
    if (!done) {
      scratch?.clear();
      discard(fd, options.output);
    }
  }
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w', 0o644);
  } catch (error) {
    throw hostError(error, path);
  }
}

/** Nothing was recorded: no empty file is left. */
function discard(fd: number, path: string): void {
  try {
    closeSync(fd);
  } catch {
    // Closed already: there are records in it.
    return;
  }
  rmSync(path, { force: true });
}

function becomeOwner(isolation: Isolation | undefined): readonly string[] {
  const unshare = findProgram('unshare') ?? 'unshare';
  if (isolation === undefined || isolation.users === 'none') return [unshare, '--map-root-user', '--'];
  return [unshare, '--user', ...isolation.flags.filter((flag) => flag.startsWith('--map-')), '--'];
}

async function hostSubject(options: RecordOptions): Promise<Subject> {
  const { command } = options;
  if (command.length === 0)
    throw new InputError('no command given', 'record', 'give one after --, or an image with --image');
  if (!command[0].includes('/') && findProgram(command[0]) === undefined)
    throw new InputError('command not found', command[0]);
  const settings = (options.env ?? []).map((setting): [string, string] => {
    const equals = setting.indexOf('=');
    return [setting.slice(0, equals), setting.slice(equals + 1)];
  });
  return {
    name: command[0],
    command: [findTools(['sh']).sh, '-c', holdScript, 'sh', ...command],
    env: { ...process.env, ...Object.fromEntries(settings) },
    skipExecs: 0,
    plan: undefined,
    isolation: undefined,
    users: parseUsers(hostText('/etc/passwd'), hostText('/etc/group')),
    stopSignal: sigterm,
    notes: [],
  };
}

function hostText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

async function imageSubject(options: RecordOptions, scratch: string): Promise<Subject> {
  const tools = findTools([
    'chroot',
    'env',
    'hostname',
    'ip',
    'ln',
    'mkdir',
    'mkfifo',
    'mount',
    'nsenter',
    'pivot_root',
    'setpriv',
    'sh',
    'strace',
    'touch',
    'umount',
    'unshare',
  ]);
  const net = options.net ?? 'own';
  const isolation = chooseIsolation(tools, net);
  const { path, ref, platform } = options.image as NonNullable<RecordOptions['image']>;
  const image = await openImage(path, { ref, platform });
  try {
    const id = options.containerId ?? randomBytes(6).toString('hex');
    const plan = planContainer(image, {
      command: options.command,
      env: options.env ?? [],
      user: options.user,
      id,
      name: options.containerName,
    });
    if (isolation.users === 'single' && plan.account.uid !== 0)
      throw new InputError(
        `the image runs as user ${plan.account.uid}, and this user may only map one id`,
        path,
        'run as root, or give this user ids in /etc/subuid and /etc/subgid (package uidmap)',
      );
    findEntry(image.tree, plan, path);
    const root = prepareRoot(scratch, image.tree, plan, net);
    const stage = `${scratch}/stage`;
    mkdirSync(stage);
    const script = preludeScript({ tools, isolation, plan, root, stage, net });
    return {
      name: path,
      command: [tools.unshare, ...isolation.flags, '--', tools.sh, '-c', script],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      skipExecs: preludePrograms,
      plan,
      isolation,
      users: plan.users,
      stopSignal: plan.stopSignal,
      notes: root.notes,
    };
  } finally {
    image.close();
  }
}

/** One recording from the held process to its end. */
class Session {
  private readonly options: RecordOptions;
  private readonly subject: Subject;
  private readonly scratch: Scratch;
  private readonly fd: number;
  private readonly tools: Readonly<Record<'sh' | 'strace' | 'mkfifo', string>>;
  private readonly notes: string[];

  constructor(
    options: RecordOptions,
    subject: Subject,
    scratch: Scratch,
    fd: number,
    tools: Readonly<Record<'sh' | 'strace' | 'mkfifo', string>>,
  ) {
    this.options = options;
    this.subject = subject;
    this.scratch = scratch;
    this.fd = fd;
    this.tools = tools;
    this.notes = [...subject.notes];
  }

  async run(): Promise<RecordSummary> {
    const { options, subject, scratch, tools } = this;
    const held = await launch({
      shell: tools.sh,
      command: subject.command,
      env: subject.env,
      interactive: options.interactive === true,
      name: subject.name,
    });
    scratch.guard(held.pid);
    this.notes.push(...held.notes);
    const recording = new Recording(this.recordingOptions(held));
    let tracer: Tracer | undefined;
    const timer = setInterval(() => recording.idle(), 1000);
    const begun = process.hrtime.bigint();
    try {
      tracer = await startTracer({
        tools,
        scratch: scratch.directory,
        enter: this.enter(held.pid),
        pid: held.pid,
        keep: options.strace,
        onLine: (line) => recording.line(line),
      });
      held.release();
      const driven = await this.live(held, tracer, recording);
      await tracer.finished;
      await held.ended;
      if (!recording.started)
        throw new InputError('the command could not be executed', subject.name, 'see what it said above');
      recording.finish();
      return this.summary(recording, driven, Number(process.hrtime.bigint() - begun) / 1e9);
    } finally {
      clearInterval(timer);
      held.signal(sigkill);
      for (const pid of recording.processes) if (tracer?.traces(pid)) killProcess(pid);
      tracer?.kill();
    }
  }

  private recordingOptions(held: Held): ConstructorParameters<typeof Recording>[0] {
    const { plan, users, isolation, skipExecs } = this.subject;
    const single = isolation?.users === 'single';
    return {
      fd: this.fd,
      filename: basename(this.options.output),
      pid: held.pid,
      skipExecs,
      container: plan === undefined ? undefined : containerRecord(plan),
      users,
      uid: plan === undefined ? (process.geteuid?.() ?? 0) : single ? 0 : plan.account.uid,
      gid: plan === undefined ? (process.getegid?.() ?? 0) : single ? 0 : plan.account.gid,
      cwd: plan === undefined ? process.cwd() : plan.workingDir,
    };
  }

  /** From the start of the program to its end. */
  private async live(held: Held, tracer: Tracer, recording: Recording): Promise<DriveResult | undefined> {
    const { options } = this;
    let over = false;
    const finished = tracer.finished.then(() => {
      over = true;
    });
    const client = new AbortController();
    const driving =
      options.drive === undefined
        ? undefined
        : this.drive(options.drive, held, recording, () => over, client.signal);
    // Its failure is reported below; until then it must not count as unhandled.
    driving?.catch(() => undefined);
    const ends: Promise<unknown>[] = [finished, aborted(options.stop), aborted(options.kill)];
    if (driving !== undefined) ends.push(driving);
    if (options.duration !== undefined) ends.push(sleep(options.duration, undefined, { ref: false }));
    try {
      await Promise.race(ends);
    } finally {
      client.abort();
      if (!over) await this.end(held, tracer, recording, finished);
    }
    return await driving;
  }

  private async drive(
    command: string,
    held: Held,
    recording: Recording,
    over: () => boolean,
    stop: AbortSignal,
  ): Promise<DriveResult | undefined> {
    await Promise.race([
      recording.listening,
      waitWhile(() => !over() && !stop.aborted, this.options.readyTimeout ?? 10_000),
    ]);
    if (over() || stop.aborted) {
      this.notes.push('the service ended before it was driven');
      return undefined;
    }
    await calm(recording);
    const result = await drive({
      command,
      enter: this.enter(held.pid),
      shell: this.tools.sh,
      pid: held.pid,
      stop,
    });
    await calm(recording);
    return result;
  }

  /** How to get into the network of what is recorded. */
  private enter(pid: number): readonly string[] {
    const { isolation } = this.subject;
    if (isolation === undefined || !isolation.flags.includes('--net')) return [];
    const nsenter = findTools(['nsenter']).nsenter;
    const user = isolation.users === 'none' ? [] : [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'];
    return [nsenter, ...user, `--net=/proc/${pid}/ns/net`, '--'];
  }

  /** Stop signal, then SIGKILL, then strace itself. */
  private async end(
    held: Held,
    tracer: Tracer,
    recording: Recording,
    finished: Promise<void>,
  ): Promise<void> {
    let over = false;
    void finished.then(() => {
      over = true;
    });
    const { stopTimeout = 10_000, kill } = this.options;
    if (kill?.aborted !== true) {
      if (held.alive()) held.signal(this.subject.stopSignal);
      else
        for (const pid of recording.processes)
          if (tracer.traces(pid)) killProcess(pid, this.subject.stopSignal);
      await waitWhile(() => !over && kill?.aborted !== true, stopTimeout);
      if (!over)
        this.notes.push(
          `did not stop within ${stopTimeout / 1000} s of signal ${this.subject.stopSignal}; killed`,
        );
    }
    for (let attempts = 0; attempts < 50 && !over; attempts++) {
      held.signal(sigkill);
      for (const pid of recording.processes) if (tracer.traces(pid)) killProcess(pid);
      await waitWhile(() => !over, 100);
    }
    if (!over) {
      this.notes.push('strace had to be killed: the end of the trace is missing');
      tracer.kill();
    }
  }

  private summary(recording: Recording, driven: DriveResult | undefined, seconds: number): RecordSummary {
    const { options, subject } = this;
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
      kept: options.keep === true ? this.scratch.directory : undefined,
    };
  }
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

/** Waits until the recorded processes make no system calls for a while. */
async function calm(recording: Recording): Promise<void> {
  await waitWhile(() => Date.now() - recording.lastLine < quiet, longestUnrest);
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

function killProcess(pid: number, signal = sigkill): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
