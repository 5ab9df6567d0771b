// Tasks (threads) and processes, as the syscall families share them. Plain data: no closures (see wait.ts).
import type { AddressSpace, Registers } from '../machine/index.ts';
import type { DescriptorTable } from './file.ts';
import type { Block, WaitQueue } from './wait.ts';

export interface Credentials {
  uid: number;
  euid: number;
  suid: number;
  fsuid: number;
  gid: number;
  egid: number;
  sgid: number;
  fsgid: number;
  groups: number[];
  /** Capability sets as bit masks. */
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
  bounding: bigint;
  ambient: bigint;
  noNewPrivileges: boolean;
}

/** What CLONE_FS shares. Paths are absolute in the container's tree. */
export interface FsContext {
  cwd: string;
  root: string;
  umask: number;
  references: number;
}

export interface SignalAction {
  /** 0 SIG_DFL, 1 SIG_IGN, else the handler's address. */
  handler: number;
  flags: bigint;
  restorer: number;
  mask: bigint;
}

/** A queued signal; `info` is the 128-byte siginfo_t. */
export interface PendingSignal {
  readonly signal: number;
  readonly info: Uint8Array;
}

export class Process {
  /** Thread group id. */
  readonly pid: number;
  parent: Process | undefined;
  readonly children = new Set<Process>();
  readonly tasks = new Set<Task>();
  pgid: number;
  sid: number;
  space: AddressSpace;
  files: DescriptorTable;
  fs: FsContext;
  credentials: Credentials;
  /** 64 entries, [signal - 1]; shared under CLONE_SIGHAND. */
  actions: SignalAction[];
  pending: PendingSignal[] = [];
  /** Woken when a child changes state. */
  readonly childQueue: WaitQueue;
  /** Path of the program in the container, its arguments and environment at exec. */
  exe = '';
  argv: readonly string[] = [];
  comm = '';
  brkStart = 0;
  brk = 0;
  /** Soft and hard, by RLIMIT number. */
  rlimits: [bigint, bigint][] = [];
  /** wait status once dead; undefined while alive. */
  exitStatus: number | undefined = undefined;
  dumpable = 1;
  childSubreaper = false;
  exitSignal = 17;

  constructor(pid: number, parts: { space: AddressSpace; files: DescriptorTable; fs: FsContext; credentials: Credentials; actions: SignalAction[]; childQueue: WaitQueue; pgid: number; sid: number }) {
    this.pid = pid;
    this.space = parts.space;
    this.files = parts.files;
    this.fs = parts.fs;
    this.credentials = parts.credentials;
    this.actions = parts.actions;
    this.childQueue = parts.childQueue;
    this.pgid = parts.pgid;
    this.sid = parts.sid;
  }
}

export type TaskState = 'runnable' | 'blocked' | 'stopped' | 'dead';

export class Task {
  readonly tid: number;
  readonly process: Process;
  readonly registers: Registers;
  state: TaskState = 'runnable';
  /** Why it waits, while state is blocked. */
  wait: Block | undefined = undefined;
  /** Per-syscall memory across a wait (absolute deadline, bytes done); cleared when the syscall ends. */
  restart: { [name: string]: bigint | number | boolean | string } | undefined = undefined;
  /** The syscall that is being served: number and raw arguments; kept while blocked. */
  syscall: { readonly nr: number; readonly args: readonly bigint[] } | undefined = undefined;
  blockedSignals = 0n;
  savedMask: bigint | undefined = undefined;
  pending: PendingSignal[] = [];
  altStack = { sp: 0, flags: 2, size: 0 };
  clearChildTid = 0;
  robustList = 0;
  comm = '';
  /** vfork: the parent waits until this task execs or exits. */
  vforkQueue: WaitQueue | undefined = undefined;

  constructor(tid: number, process: Process, registers: Registers) {
    this.tid = tid;
    this.process = process;
    this.registers = registers;
  }

  wake(): void {
    if (this.state === 'blocked') this.state = 'runnable';
  }
}
