// semget, semop, semtimedop, semctl (ipc/sem.c).
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { IPC, ipcGet, ipcOwner, ipcPermission, PERM_SIZE, secondsNow, setPerm, writePerm } from './ipc.ts';
import { SEM_MAX_VALUE, type SemOperation, SemSet, SemWaiter } from './ipc-sem.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { readTimespec } from './time.ts';
import { block, type SysResult } from './wait.ts';

/** kernel.sem: semaphores in a set, in all, operations in a call, sets. */
const LIMIT = { set: 32000, all: 1024000000, operations: 500, sets: 32000 } as const;

const SEM = {
  GETPID: 11,
  GETVAL: 12,
  GETALL: 13,
  GETNCNT: 14,
  GETZCNT: 15,
  SETVAL: 16,
  SETALL: 17,
  STAT: 18,
  INFO: 19,
  STAT_ANY: 20,
} as const;

function semget(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [key, count, flags] = [args.int(0), args.int(1), args.int(2)];
  if (count < 0 || count > LIMIT.set) return -E.INVAL;
  const table = kernel.ipc.sem;
  return ipcGet(
    task,
    table,
    { key, flags },
    {
      make: () => {
        if (count === 0) return -E.INVAL;
        if (table.count >= LIMIT.sets) return -E.NOSPC;
        return new SemSet(kernel, task, { key, count, mode: flags });
      },
      check: (set) => (count > set.values.length ? -E.INVAL : 0),
    },
  );
}

/** struct sembuf: num u16 | op i16 | flg i16. */
function readOperations(task: Task, address: number, count: number): SemOperation[] {
  const bytes = task.process.space.read(address, 6 * count);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => ({
    num: view.getUint16(6 * i, true),
    op: view.getInt16(6 * i + 2, true),
    flags: view.getInt16(6 * i + 4, true),
  }));
}

function semtimedop(kernel: Kernel, task: Task, args: SysArgs, timeoutAt: number): SysResult {
  const table = kernel.ipc.sem;
  const known = table.waiterOf(task);
  if (known !== undefined) return goOn(kernel, task, known);
  const timeout = timeoutAt === 0 ? undefined : readTimespec(task.process.space, timeoutAt);
  if (typeof timeout === 'number') return timeout;
  const count = args.uint(2);
  if (count < 1 || args.int(0) < 0) return -E.INVAL;
  if (count > LIMIT.operations) return -E['2BIG'];
  const operations = readOperations(task, args.pointer(1), count);
  const set = table.find(args.int(0));
  if (typeof set === 'number') return set;
  if (operations.some(({ num }) => num >= set.values.length)) return -E.FBIG;
  const denied = ipcPermission(task, set, operations.some(({ op }) => op !== 0) ? 0o222 : 0o444);
  if (denied !== 0) return denied;
  const outcome = set.perform(task.process, operations);
  switch (outcome.kind) {
    case 'failed':
      return -outcome.errno;
    case 'done':
      set.otime = secondsNow(kernel);
      if (operations.some(({ op }) => op !== 0)) set.settle(set.otime);
      return 0;
    default: {
      if (outcome.nowait) return -E.AGAIN;
      const waiter = new SemWaiter(task, task.syscall ?? {}, operations, outcome.at);
      set.add(waiter);
      table.enlist(waiter);
      task.restart = timeout === undefined ? {} : { deadline: kernel.now + timeout };
      return goOn(kernel, task, waiter);
    }
  }
}

function goOn(kernel: Kernel, task: Task, waiter: SemWaiter): SysResult {
  const deadline = task.restart?.['deadline'] as bigint | undefined;
  const expired = deadline !== undefined && kernel.now >= deadline;
  if (waiter.result === undefined && !expired)
    return block([waiter.queue], `semaphore ${waiter.operations[waiter.blockedAt].num}`, {
      deadline,
      restart: 'eintr',
    });
  kernel.ipc.sem.forget(task);
  return waiter.result ?? -E.AGAIN;
}

function semctl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const table = kernel.ipc.sem;
  const [id, command, address] = [args.int(0), args.int(2), args.pointer(3)];
  if (id < 0) return -E.INVAL;
  if (command === IPC.INFO || command === SEM.INFO) return information(kernel, task, command, address);
  const byIndex = command === SEM.STAT || command === SEM.STAT_ANY;
  const set = byIndex ? (table.at(id) ?? -E.INVAL) : table.find(id);
  if (typeof set === 'number') return set;
  switch (command) {
    case IPC.STAT:
    case SEM.STAT:
    case SEM.STAT_ANY: {
      const denied = command === SEM.STAT_ANY ? 0 : ipcPermission(task, set, 0o444);
      if (denied !== 0) return denied;
      writeSet(task, set, address);
      return byIndex ? set.id : 0;
    }
    case IPC.SET:
      if (!ipcOwner(task, set)) return -E.PERM;
      setPerm(kernel, task, set, address);
      return 0;
    case IPC.RMID:
      if (!ipcOwner(task, set)) return -E.PERM;
      table.remove(set);
      set.expel(-E.IDRM);
      return 0;
    default:
      return valueCommand(kernel, task, args, set);
  }
}

/** What looks at or sets the values. */
function valueCommand(kernel: Kernel, task: Task, args: SysArgs, set: SemSet): SysResult {
  const [num, command] = [args.int(1), args.int(2)];
  const { space } = task.process;
  const whole = command === SEM.GETALL || command === SEM.SETALL;
  if (command < SEM.GETPID || command > SEM.SETALL) return -E.INVAL;
  if (command === SEM.SETVAL && (args.int(3) < 0 || args.int(3) > SEM_MAX_VALUE)) return -E.RANGE;
  if (command === SEM.SETVAL && (num < 0 || num >= set.values.length)) return -E.INVAL;
  const writes = command === SEM.SETVAL || command === SEM.SETALL;
  const denied = ipcPermission(task, set, writes ? 0o222 : 0o444);
  if (denied !== 0) return denied;
  if (!whole && (num < 0 || num >= set.values.length)) return -E.INVAL;
  switch (command) {
    case SEM.GETPID:
      return set.pids[num];
    case SEM.GETVAL:
      return set.values[num];
    case SEM.GETNCNT:
      return set.waiting(num, false);
    case SEM.GETZCNT:
      return set.waiting(num, true);
    case SEM.GETALL: {
      const bytes = new Uint8Array(2 * set.values.length);
      const view = new DataView(bytes.buffer);
      for (const [i, value] of set.values.entries()) view.setUint16(2 * i, value, true);
      space.write(args.pointer(3), bytes);
      return 0;
    }
    case SEM.SETVAL:
      return store(kernel, task, set, [[num, args.int(3)]]);
    default: {
      const bytes = space.read(args.pointer(3), 2 * set.values.length);
      const view = new DataView(bytes.buffer);
      const values = set.values.map((_, i) => [i, view.getUint16(2 * i, true)] as const);
      return values.some(([, value]) => value > SEM_MAX_VALUE) ? -E.RANGE : store(kernel, task, set, values);
    }
  }
}

function store(
  kernel: Kernel,
  task: Task,
  set: SemSet,
  values: readonly (readonly [number, number])[],
): number {
  for (const [num, value] of values) {
    set.values[num] = value;
    set.pids[num] = task.process.pid;
    set.forgetUndo(num);
  }
  set.ctime = secondsNow(kernel);
  set.settle(set.ctime);
  return 0;
}

/** struct semid64_ds, 104 bytes: perm 48 | otime i64 | pad 8 | ctime i64 | pad 8 | nsems u64. */
function writeSet(task: Task, set: SemSet, address: number): void {
  const bytes = new Uint8Array(104);
  const view = new DataView(bytes.buffer);
  writePerm(view, set);
  view.setBigInt64(PERM_SIZE, set.otime, true);
  view.setBigInt64(64, set.ctime, true);
  view.setBigUint64(80, BigInt(set.values.length), true);
  task.process.space.write(address, bytes);
}

/** struct seminfo: map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem, i32 each; SEM_INFO has counts in usz and aem. */
function information(kernel: Kernel, task: Task, command: number, address: number): number {
  const table = kernel.ipc.sem;
  const counts = command === SEM.INFO;
  const total = table.all().reduce((sum, { values }) => sum + values.length, 0);
  const fields = [
    LIMIT.all,
    LIMIT.sets,
    LIMIT.all,
    LIMIT.all,
    LIMIT.set,
    LIMIT.operations,
    LIMIT.operations,
    counts ? table.count : 20,
    SEM_MAX_VALUE,
    counts ? total : SEM_MAX_VALUE,
  ];
  const view = new DataView(new ArrayBuffer(40));
  fields.forEach((field, i) => {
    view.setInt32(4 * i, field, true);
  });
  task.process.space.write(address, new Uint8Array(view.buffer));
  return table.highest;
}

export const semRows: readonly SyscallRow[] = [
  row('semget', semget),
  row('semop', (kernel, task, args) => semtimedop(kernel, task, args, 0)),
  row('semtimedop', (kernel, task, args) => semtimedop(kernel, task, args, args.pointer(3))),
  row('semctl', semctl),
];
