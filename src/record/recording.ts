// strace's lines to a SysFlow file: the parser, the tracker of processes and descriptors, the collector and the writer
// of the telemetry room, one behind the other; and what the story needs to know meanwhile (has the program started, does
// it listen, how did it end). Everything before the recorded program's own exec is left out.
import { closeSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import {
  type Activity,
  ActivityTracker,
  type ContainerRecord,
  createSysFlowWriter,
  StraceParser,
  SysFlowCollector,
  type SysFlowWriter,
  type TraceEvent,
} from '../telemetry/index.ts';
import { programFinder } from './programs.ts';
import type { Users } from './users.ts';

export interface RecordingOptions {
  /** Open for writing; closed by `finish`. */
  readonly fd: number;
  /** As the file's header names it. */
  readonly filename: string;
  /** The first process, as this machine numbers it. */
  readonly pid: number;
  /** How many programs it executes before the one that is recorded. */
  readonly skipExecs: number;
  readonly container: ContainerRecord | undefined;
  readonly users: Users;
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
  /** Directory of this machine that is the root of what is recorded; '' for this machine's. */
  readonly root: string;
}

export type Ending =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'killed'; readonly signal: number };

export interface Gap {
  readonly reason: string;
  readonly records: number;
}

export class Recording {
  /** Epoch ms when strace last said something. */
  lastLine = Date.now();
  /** The recorded program's exec was seen. */
  started = false;
  /** How the first process ended. */
  ending: Ending | undefined;
  /** System calls recorded. */
  calls = 0;
  /** A listen succeeded. */
  listened = false;
  readonly gaps: Gap[] = [];
  private readonly options: RecordingOptions;
  private readonly parser: StraceParser;
  private readonly tracker: ActivityTracker;
  private readonly collector: SysFlowCollector;
  private readonly writer: SysFlowWriter;
  private readonly alive = new Set<number>();
  private execs = 0;
  private flushed = 0;

  constructor(options: RecordingOptions) {
    this.options = options;
    const { fd, filename, container, users, uid, gid, cwd, root } = options;
    this.writer = createSysFlowWriter((bytes) => writeWhole(fd, bytes), {
      exporter: hostname(),
      ip: 'NA',
      filename,
    });
    this.collector = new SysFlowCollector(this.writer, {
      container,
      userName: users.userName,
      groupName: users.groupName,
    });
    this.tracker = new ActivityTracker({ uid, gid, cwd, program: programFinder(root) }, (activity) =>
      this.activity(activity),
    );
    this.parser = new StraceParser({ name: 'strace' }, (event) => this.event(event));
  }

  /** Records written so far. */
  get records(): number {
    return this.writer.records;
  }

  /** Operations that SysFlow has no records for, by system call. */
  get unrecorded(): ReadonlyMap<string, number> {
    return this.collector.unrecorded;
  }

  /** Processes that have not ended, as this machine numbers them. */
  get processes(): readonly number[] {
    return [...this.alive];
  }

  /** One line of strace. */
  line(text: string): void {
    this.lastLine = Date.now();
    this.parser.line(text);
  }

  /** To be called now and then: flows that are due are written, and what was written becomes readable. */
  idle(): void {
    if (!this.started || Date.now() - this.lastLine < 1000) return;
    this.collector.advance(BigInt(Date.now()) * 1_000_000n);
    if (this.writer.records > this.flushed) this.writer.flush();
    this.flushed = this.writer.records;
  }

  finish(): void {
    this.parser.finish();
    this.tracker.finish();
    this.collector.finish();
    this.writer.finish();
    closeSync(this.options.fd);
  }

  private event(event: TraceEvent): void {
    if (event.kind === 'gap') {
      this.gaps.push(event);
      return;
    }
    if (!this.started && !this.begins(event)) return;
    if (event.kind === 'syscall') {
      this.calls++;
      if (event.name === 'listen' && event.ret === 0) this.listened = true;
    } else if (event.kind === 'start' && event.pid === event.tid) this.alive.add(event.pid);
    else if (event.kind === 'exit' && event.pid === event.tid) this.exited(event);
    this.tracker.event(event);
  }

  /** Whether this event is the exec that the recording begins with; its process is then made known. */
  private begins(event: TraceEvent): boolean {
    if (event.kind !== 'syscall' || event.ret !== 0 || (event.name !== 'execve' && event.name !== 'execveat'))
      return false;
    if (this.execs++ < this.options.skipExecs) return false;
    this.started = true;
    const { pid, tid } = event;
    this.alive.add(pid);
    this.tracker.event({ kind: 'start', time: event.start, pid, tid, parent: undefined });
    return true;
  }

  private exited(event: Extract<TraceEvent, { kind: 'exit' }>): void {
    this.alive.delete(event.pid);
    if (event.pid !== this.options.pid) return;
    const signal = event.status & 127;
    this.ending = signal === 0 ? { kind: 'exited', code: event.status >> 8 } : { kind: 'killed', signal };
  }

  private activity(activity: Activity): void {
    if (activity.kind === 'gap') this.gaps.push({ reason: activity.reason, records: activity.records });
    else this.collector.activity(activity);
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
