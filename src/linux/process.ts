// Making processes and threads (kernel/fork.c's rules), and finding them.
import { CLONE } from './abi-process.ts';
import { DescriptorTable } from './file.ts';
import type { Kernel } from './kernel.ts';
import { forkMarks } from './memory-marks.ts';
import { defaultActions } from './signals.ts';
import { type Credentials, Process, type SignalAction, Task, type Timer } from './task.ts';
import { WaitQueue } from './wait.ts';

/** Next free id, shared by processes and threads. */
export function takePid(kernel: Kernel): number {
  for (;;) {
    const pid = kernel.nextPid++;
    if (kernel.nextPid > 4_194_303) kernel.nextPid = 300;
    const taken =
      kernel.tasks.has(pid) ||
      kernel.processes.has(pid) ||
      [...kernel.processes.values()].some((p) => p.pgid === pid || p.sid === pid);
    if (!taken) return pid;
  }
}

export function copyCredentials(credentials: Credentials): Credentials {
  return { ...credentials, groups: [...credentials.groups] };
}

const copyActions = (actions: readonly SignalAction[]): SignalAction[] =>
  actions.map((action) => ({ ...action }));
const disarmed = (): Timer => ({ expires: undefined, interval: 0n });

/** Copies a descriptor table as fork does; every file gets a reference more. */
export function copyDescriptors(table: DescriptorTable): DescriptorTable {
  const copy = new DescriptorTable();
  table.slots.forEach((slot, fd) => {
    if (slot !== undefined) copy.put(fd, slot.file, slot.cloexec);
  });
  return copy;
}

export interface CloneRequest {
  readonly flags: number;
  /** 0: the caller's stack pointer. */
  readonly stack: number;
  readonly tls: bigint;
  readonly exitSignal: number;
  /** clone3 set_tid: 0 for the next free id. */
  readonly tid: number;
}

const has = (flags: number, flag: number): boolean => Math.floor(flags / flag) % 2 === 1;

/** The new task, runnable, with registers as the child sees them. Flags must have been checked. */
export function cloneTask(kernel: Kernel, parent: Task, request: CloneRequest): Task {
  const { flags } = request;
  const tid = request.tid === 0 ? takePid(kernel) : request.tid;
  const process = has(flags, CLONE.THREAD)
    ? parent.process
    : forkProcess(kernel, parent, tid, flags, request.exitSignal);
  const registers = parent.registers.clone();
  registers.gpr[0] = 0n;
  if (request.stack !== 0) registers.gpr[4] = BigInt(request.stack);
  if (has(flags, CLONE.SETTLS)) registers.fsbase = request.tls;
  const task = new Task(tid, process, registers, kernel.now);
  task.blockedSignals = parent.savedMask ?? parent.blockedSignals;
  task.comm = parent.comm;
  task.seccomp = parent.seccomp;
  task.affinity = parent.affinity;
  task.policy = parent.policy;
  task.priority = parent.priority;
  task.timerSlack = parent.timerSlack;
  if (!has(flags, CLONE.VM) || has(flags, CLONE.VFORK)) task.altStack = { ...parent.altStack };
  process.tasks.add(task);
  kernel.tasks.set(tid, task);
  return task;
}

function forkProcess(kernel: Kernel, caller: Task, pid: number, flags: number, exitSignal: number): Process {
  const from = caller.process;
  const share = <T extends { references: number }>(flag: number, object: T, copy: (object: T) => T): T => {
    if (!has(flags, flag)) return copy(object);
    object.references++;
    return object;
  };
  const child = new Process(pid, {
    space: has(flags, CLONE.VM) ? from.space : from.space.fork(),
    files: share(CLONE.FILES, from.files, copyDescriptors),
    fs: share(CLONE.FS, from.fs, (fs) => ({ ...fs, references: 1 })),
    credentials: copyCredentials(from.credentials),
    actions: has(flags, CLONE.SIGHAND) ? from.actions : copyActions(from.actions),
    childQueue: new WaitQueue(),
    exitQueue: new WaitQueue(),
    signalQueue: new WaitQueue(),
    pgid: from.pgid,
    sid: from.sid,
    startTime: kernel.now,
  });
  if (has(flags, CLONE.CLEAR_SIGHAND)) clearHandlers(child.actions);
  const parent = has(flags, CLONE.PARENT) ? (from.parent ?? from) : from;
  child.parent = parent;
  parent.children.add(child);
  inherit(child, from);
  child.exitSignal = has(flags, CLONE.PARENT) ? from.exitSignal : exitSignal;
  kernel.processes.set(pid, child);
  return child;
}

/** What a child has of its parent beside the shared or copied structures. */
function inherit(child: Process, from: Process): void {
  child.exe = from.exe;
  child.exeBacking = from.exeBacking;
  child.argv = from.argv;
  child.envp = from.envp;
  child.comm = from.comm;
  child.layout = { ...from.layout };
  child.brkStart = from.brkStart;
  child.brk = from.brk;
  child.growing = [...from.growing];
  if (child.space === from.space) child.marks = from.marks;
  else forkMarks(child, from, child.space);
  child.thpDisabled = from.thpDisabled;
  child.rlimits = from.rlimits.map(([soft, hard]) => [soft, hard]);
  child.dumpable = from.dumpable;
  child.oomScoreAdj = from.oomScoreAdj;
  child.loginUid = from.loginUid;
  child.keepCaps = from.keepCaps;
  child.personality = from.personality;
  child.nice = from.nice;
  child.timers = { real: disarmed(), virtual: disarmed(), prof: disarmed() };
}

/** Handlers become default; ignored signals stay ignored (execve, CLONE_CLEAR_SIGHAND). */
export function clearHandlers(actions: SignalAction[]): void {
  for (const action of actions) {
    if (action.handler !== 1) action.handler = 0;
    action.flags = 0n;
    action.restorer = 0;
    action.mask = 0n;
  }
}

/** The thread of an id, 0 the caller's own; one that has ended as long as its process was not waited for. */
export const taskOf = (kernel: Kernel, task: Task, tid: number): Task | undefined =>
  tid === 0 ? task : (kernel.tasks.get(tid) ?? kernel.processes.get(tid)?.ended);

/** Processes of a group, zombies included. */
export function groupMembers(kernel: Kernel, pgid: number): Process[] {
  return [...kernel.processes.values()].filter((process) => process.pgid === pgid);
}

/** Whether another process than this lives in the same address space (vfork, CLONE_VM). */
export function sharesSpace(kernel: Kernel, process: Process): boolean {
  for (const other of kernel.processes.values())
    if (other !== process && other.exitStatus === undefined && other.space === process.space) return true;
  return false;
}

export function newProcessParts(): {
  actions: SignalAction[];
  childQueue: WaitQueue;
  exitQueue: WaitQueue;
  signalQueue: WaitQueue;
  files: DescriptorTable;
} {
  return {
    actions: defaultActions(),
    childQueue: new WaitQueue(),
    exitQueue: new WaitQueue(),
    signalQueue: new WaitQueue(),
    files: new DescriptorTable(),
  };
}

/** No member of the group has a parent in another group of the session: nobody would continue what stops there. */
export function isOrphaned(kernel: Kernel, pgid: number): boolean {
  return !groupMembers(kernel, pgid).some(
    ({ parent, sid, exitStatus }) =>
      exitStatus === undefined && parent !== undefined && parent.pgid !== pgid && parent.sid === sid,
  );
}
