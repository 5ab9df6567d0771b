// Calls to what they did: follows processes, their descriptors, working directories and identities, and says each
// operation with its resource. Exact: every call is one activity. Two readers: flows.ts folds them into SysFlow
// records, exact.ts makes each an observation. Which call does what is the table in activity-calls.ts.
import type { FileType, Op } from '../effect/index.ts';
import { CALLS } from './activity-calls.ts';
import { descriptorOf, known } from './activity-parts.ts';
import { DescriptorTable, type OpenFile } from './descriptors.ts';
import { CONSTANTS } from './linux-names.ts';
import type { SocketAddress, SyscallEvent, TraceEvent } from './syscall-event.ts';

/** A process while it runs. Mutable: exec, chdir and setuid change it. */
export interface ProcessState {
  readonly pid: number;
  /** Epoch ns of the main thread's start. */
  readonly created: bigint;
  readonly parent: ProcessState | undefined;
  /** Path of the program as it was named to exec; args is argv[1..]. */
  exe: string;
  args: readonly string[];
  env: readonly string[];
  cwd: string;
  /** Whether its own calls said what cwd is: that name then stays, whatever the kernel calls the directory. */
  entered: boolean;
  uid: number;
  gid: number;
  descriptors: DescriptorTable;
}

interface Base {
  /** Epoch ns at return and at entry. */
  readonly time: bigint;
  readonly start: bigint;
  readonly process: ProcessState;
  readonly tid: number;
  readonly syscall: string;
  readonly op: Op;
  /** The call's result: negative errno on failure. */
  readonly ret: number;
}

export type Activity =
  /** On something open. `flags`: O_ flags of OPEN, PROT_ flags of MMAP (no WRITE where private). `peer`: of one datagram, where it names one. */
  | (Base & {
      readonly kind: 'descriptor';
      readonly fd: number;
      readonly file: OpenFile;
      readonly flags: number;
      readonly peer: SocketAddress | undefined;
      /** READ and WRITE: how many. */
      readonly bytes: number;
    })
  /**
   * On a name, failed opens included. `to` is the other name: new name of RENAME and LINK; for SYMLINK `path` is the
   * new link and `to` the text in it.
   */
  | (Base & {
      readonly kind: 'path';
      readonly path: string;
      readonly to: string | undefined;
      readonly type: FileType;
      readonly flags: number;
    })
  | (Base & { readonly kind: 'exec'; readonly path: string; readonly args: readonly string[] })
  /** The parent's side of a new task; `child` is its tid as the recorder has it. */
  | (Base & { readonly kind: 'clone'; readonly child: number; readonly thread: boolean })
  /** The child's side: its first moment. `syscall` is what its parent called. */
  | (Base & { readonly kind: 'start'; readonly thread: boolean })
  /** Identity, namespaces, signals …: one short text. `task` where it is about another task. */
  | (Base & { readonly kind: 'text'; readonly text: string; readonly about: 'id' | 'task' | 'none' })
  /** `last`: the process ends, not just a thread. `ret` is the wait status. */
  | (Base & { readonly kind: 'exit'; readonly last: boolean })
  | { readonly kind: 'gap'; readonly reason: string; readonly records: number };

export interface ActivityOptions {
  /** Path by which the recorder sees the root of what it records; taken off the kernel's paths. Default: none. */
  readonly root?: string | undefined;
  /**
   * What a path given to exec maps: the program, and the arguments that the kernel puts before argv[1..] where the
   * path is a script (its interpreter's argument and its own name, as exec was given it: `named`). Default: the path
   * itself.
   */
  readonly program?:
    | ((
        path: string,
        named: string,
      ) => { readonly path: string; readonly before: readonly string[] } | undefined)
    | undefined;
  /** Of the first process, until its calls say otherwise. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly cwd?: string | undefined;
}

/** Feed it events in the recorder's order; it passes on activities in the same order. */
export class ActivityTracker {
  readonly options: ActivityOptions;
  readonly emit: (activity: Activity) => void;
  private readonly processes = new Map<number, ProcessState>();
  /** By tid: what the first argument of the call that it is in stood for when it began. */
  private readonly entered = new Map<number, { readonly fd: number; readonly file: OpenFile }>();
  private readonly unknownCalls = new Map<string, number>();

  constructor(options: ActivityOptions, emit: (activity: Activity) => void) {
    this.options = options;
    this.emit = emit;
  }

  event(event: TraceEvent): void {
    switch (event.kind) {
      case 'start':
        this.started(event);
        break;
      case 'syscall':
        this.syscall(event);
        break;
      case 'enter':
        this.enters(event);
        break;
      case 'exit': {
        this.entered.delete(event.tid);
        const process = this.process(event.pid, event.time);
        const last = event.tid === event.pid;
        this.emit({ ...this.base(event, process, 'exit', 'EXIT', event.status), kind: 'exit', last });
        if (last) this.processes.delete(event.pid);
        break;
      }
      case 'gap':
        this.emit(event);
        break;
      default:
        // A signal's arrival is no effect of this task; its sender's KILL is.
        break;
    }
  }

  /** What a task's call was begun on, where it was under way while others ran. */
  underWay(tid: number, fd: number): OpenFile | undefined {
    const at = this.entered.get(tid);
    return at?.fd === fd ? at.file : undefined;
  }

  /** Reports what was not understood. */
  finish(): void {
    for (const [reason, records] of this.unknownCalls) this.emit({ kind: 'gap', reason, records });
    this.unknownCalls.clear();
  }

  /** A descriptor that is used but unknown, an argument that cannot be read … */
  gap(reason: string): void {
    this.unknownCalls.set(reason, (this.unknownCalls.get(reason) ?? 0) + 1);
  }

  /** The path as the recorded program would name it. */
  strip = (path: string): string => {
    const root = this.options.root ?? '';
    return root !== '' && (path === root || path.startsWith(`${root}/`))
      ? path.slice(root.length) || '/'
      : path;
  };

  private syscall(event: SyscallEvent): void {
    const process = this.process(event.pid, event.time);
    // Not returned: exit, or a restart whose return will come.
    if (event.ret === undefined) {
      this.entered.delete(event.tid);
      return;
    }
    CALLS.get(event.name)?.(this, process, event, event.ret);
    this.entered.delete(event.tid);
  }

  private enters(event: Extract<TraceEvent, { kind: 'enter' }>): void {
    this.entered.delete(event.tid);
    const at = descriptorOf(event.descriptor);
    if (at === undefined || at.fd < 0) return;
    const process = this.process(event.pid, event.time);
    const file = known(this, process, at.fd, at.target);
    if (file === undefined) return;
    this.entered.set(event.tid, { fd: at.fd, file });
    // Linux frees the number before anything else that close does: another task may have it before close returns.
    if (event.name === 'close') process.descriptors.close(at.fd);
  }

  private started(event: Extract<TraceEvent, { kind: 'start' }>): void {
    const thread = event.pid !== event.tid;
    const { parent } = event;
    if (!thread)
      this.create(
        event.pid,
        event.time,
        parent === undefined ? undefined : this.process(parent.pid, event.time),
        parent?.flags ?? 0,
      );
    if (parent === undefined) return;
    const process = this.process(event.pid, event.time);
    this.emit({ ...this.base(event, process, parent.call, 'CLONE', 0), kind: 'start', thread });
  }

  private process(pid: number, time: bigint): ProcessState {
    return this.processes.get(pid) ?? this.create(pid, time, undefined, 0);
  }

  private create(
    pid: number,
    created: bigint,
    parent: ProcessState | undefined,
    flags: number,
  ): ProcessState {
    const shares = (flags & (CONSTANTS.get('CLONE_FILES') as number)) !== 0;
    const process: ProcessState = {
      pid,
      created,
      parent,
      exe: parent?.exe ?? '',
      args: parent?.args ?? [],
      env: parent?.env ?? [],
      cwd: parent?.cwd ?? this.options.cwd ?? '/',
      entered: parent?.entered ?? false,
      uid: parent?.uid ?? this.options.uid ?? 0,
      gid: parent?.gid ?? this.options.gid ?? 0,
      descriptors:
        parent === undefined
          ? new DescriptorTable()
          : shares
            ? parent.descriptors
            : parent.descriptors.copy(),
    };
    this.processes.set(pid, process);
    return process;
  }

  private base(
    event: { readonly time: bigint; readonly tid: number },
    process: ProcessState,
    syscall: string,
    op: Op,
    ret: number,
  ): Base {
    return { time: event.time, start: event.time, process, tid: event.tid, syscall, op, ret };
  }
}
