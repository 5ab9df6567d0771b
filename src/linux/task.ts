// Tasks (threads) and processes, as the syscall families share them. Plain data: no closures (see wait.ts).
import type { AddressSpace, Backing, Registers } from '../machine/index.ts';
import type { AioContext } from './aio.ts';
import type { DescriptorTable } from './file.ts';
import type { MemoryMark } from './memory-marks.ts';
import type { Place } from './vfs-inode.ts';
import type { Block, WaitQueue } from './wait.ts';

/** loginuid of a process that nobody logged in: -1. */
export const NO_LOGIN = '4294967295';

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
  /** SECBIT_ flags of prctl(PR_SET_SECUREBITS). */
  securebits: number;
}

/** What CLONE_FS shares. Paths are absolute in the container's tree. */
export interface FsContext {
  cwd: string;
  /** Set by chdir: the directory itself, which stays the working directory when its path is removed. */
  cwdPlace?: Place | undefined;
  /** As the program named it, which relative names in effects go by; absent: `cwd`. */
  cwdName?: string | undefined;
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
  /** Works on pid 1 as on everybody: a fault of its own, or the host's SIGKILL and SIGSTOP. */
  readonly forced: boolean;
  /** The POSIX timer that sent it, to count overruns. */
  readonly timer: number | undefined;
}

/** ITIMER_REAL, and what timer_create makes. Times are virtual CLOCK_MONOTONIC ns. */
export interface Timer {
  /** Undefined: disarmed. */
  expires: bigint | undefined;
  interval: bigint;
}

export interface PosixTimer extends Timer {
  readonly id: number;
  readonly clock: number;
  /** sigev_notify: 0 signal, 1 none, 4 thread. */
  readonly notify: number;
  readonly signal: number;
  readonly value: bigint;
  readonly tid: number;
  overrun: number;
}

/** A change of state that wait has yet to report. */
export interface StopReport {
  readonly kind: 'stopped' | 'continued';
  readonly signal: number;
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
  /** Woken when this process changes state: pidfd and the like. */
  readonly exitQueue: WaitQueue;
  /** Woken when a signal becomes pending that nothing delivers at once: sigtimedwait, signalfd. */
  readonly signalQueue: WaitQueue;
  /** Path of the program in the container, its arguments and environment at exec. */
  exe = '';
  argv: readonly string[] = [];
  envp: readonly string[] = [];
  /** The program's file, for /proc/pid/exe and the call stacks. */
  exeBacking: Backing | undefined = undefined;
  comm = '';
  /** Where argument strings, environment and auxiliary vector stand in memory (/proc/pid/cmdline, environ, auxv). */
  layout = {
    argStart: 0,
    argEnd: 0,
    envStart: 0,
    envEnd: 0,
    auxv: 0,
    auxvLength: 0,
    stackStart: 0,
    codeStart: 0,
    codeEnd: 0,
    dataStart: 0,
    dataEnd: 0,
  };
  brkStart = 0;
  brk = 0;
  /** End addresses of mappings that grow downwards; the stack's is one of them. */
  growing: number[] = [];
  /** What fork and mprotect must know of ranges of memory (memory-marks.ts). */
  marks: readonly MemoryMark[] = [];
  /** prctl(PR_SET_THP_DISABLE) */
  thpDisabled = false;
  /** Soft and hard, by RLIMIT number. */
  rlimits: [bigint, bigint][] = [];
  /** The first thread, when it has ended: calls about it work until the process is waited for. */
  ended: Task | undefined = undefined;
  /** wait status once dead; undefined while alive. */
  exitStatus: number | undefined = undefined;
  stopReport: StopReport | undefined = undefined;
  /** Stopped by this signal (job control); 0: not stopped. */
  stopSignal = 0;
  dumpable = 1;
  /** /proc/PID/oom_score_adj; inherited. */
  oomScoreAdj = 0;
  /** /proc/PID/loginuid; inherited. */
  loginUid = NO_LOGIN;
  keepCaps = false;
  childSubreaper = false;
  /** Signal to the parent at exit. */
  exitSignal = 17;
  /** Has called execve since fork: setpgid by its parent is refused. */
  execed = false;
  personality = 0;
  nice = 0;
  timers: { real: Timer; virtual: Timer; prof: Timer } = {
    real: { expires: undefined, interval: 0n },
    virtual: { expires: undefined, interval: 0n },
    prof: { expires: undefined, interval: 0n },
  };
  /** libaio contexts, by their address. */
  readonly aio = new Map<number, AioContext>();
  readonly posixTimers = new Map<number, PosixTimer>();
  nextTimer = 0;
  /** Virtual ns at start, used so far, and used by children that were waited for. */
  readonly startTime: bigint;
  cpuTime = 0n;
  childCpuTime = 0n;
  /** membarrier registrations. */
  membarrier = 0;

  constructor(
    pid: number,
    parts: {
      space: AddressSpace;
      files: DescriptorTable;
      fs: FsContext;
      credentials: Credentials;
      actions: SignalAction[];
      childQueue: WaitQueue;
      exitQueue: WaitQueue;
      signalQueue: WaitQueue;
      pgid: number;
      sid: number;
      startTime: bigint;
    },
  ) {
    this.pid = pid;
    this.space = parts.space;
    this.files = parts.files;
    this.fs = parts.fs;
    this.credentials = parts.credentials;
    this.actions = parts.actions;
    this.childQueue = parts.childQueue;
    this.exitQueue = parts.exitQueue;
    this.signalQueue = parts.signalQueue;
    this.pgid = parts.pgid;
    this.sid = parts.sid;
    this.startTime = parts.startTime;
  }
}

export type TaskState = 'runnable' | 'blocked' | 'stopped' | 'dead';

export class Task {
  /** Changes only when a thread other than the leader calls execve: it becomes the leader. */
  tid: number;
  readonly process: Process;
  readonly registers: Registers;
  state: TaskState = 'runnable';
  /** Why it waits, while state is blocked. */
  wait: Block | undefined = undefined;
  /** Per-syscall memory across a wait (absolute deadline, bytes done); cleared when the syscall ends. */
  restart: { [name: string]: bigint | number | boolean | string } | undefined = undefined;
  /** The syscall that is being served: number and raw arguments; kept while blocked. */
  syscall: { readonly nr: number; readonly args: readonly bigint[] } | undefined = undefined;
  /**
   * The handler runs again because a signal came, not because something was woken. One that has a partial result
   * returns it now; one that answers a Block again is interrupted (EINTR, or restarted, as Block.restart says).
   */
  signalled = false;
  /** sched_yield: the rest of the quantum is given up. */
  yielded = false;
  blockedSignals = 0n;
  /** The mask to put back when the syscall ends (ppoll, sigsuspend): see temporaryMask. */
  savedMask: bigint | undefined = undefined;
  pending: PendingSignal[] = [];
  altStack = { sp: 0, flags: 2, size: 0 };
  clearChildTid = 0;
  robustList = 0;
  comm = '';
  /** vfork: the parent waits until this task execs or exits. */
  vforkQueue: WaitQueue | undefined = undefined;
  parentDeathSignal = 0;
  seccomp = 0;
  /** Allowed processors, bit i for processor i. */
  affinity = 0n;
  policy = 0;
  priority = 0;
  timerSlack = 50_000n;
  ioPriority = 0;
  cpuTime = 0n;
  /** Why it is going to end: wait status of an exit_group or of a fatal signal. */
  exitCode = 0;
  readonly startTime: bigint;

  constructor(tid: number, process: Process, registers: Registers, startTime = 0n) {
    this.tid = tid;
    this.process = process;
    this.registers = registers;
    this.startTime = startTime;
  }

  wake(): void {
    if (this.state === 'blocked') this.state = 'runnable';
  }
}
