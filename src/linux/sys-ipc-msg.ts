// Message queues of System V: msgget, msgsnd, msgrcv, msgctl (ipc/msg.c).
import { CAP, capBit } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { IPC, ipcGet, ipcOwner, ipcPermission, secondsNow, setPerm, writePerm } from './ipc.ts';
import { type Message, MsgQueue } from './ipc-msg.ts';
import type { Kernel } from './kernel.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { block, type SysResult } from './wait.ts';

const MSG = {
  NOERROR: 0o10000,
  EXCEPT: 0o20000,
  COPY: 0o40000,
  STAT: 11,
  INFO: 12,
  STAT_ANY: 13,
} as const;
/** kernel.msgmax, msgmnb, msgmni. */
const LIMIT = { message: 8192, queue: 16384, queues: 32000 } as const;

function msgget(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [key, flags] = [args.int(0), args.int(1)];
  const table = kernel.ipc.msg;
  return ipcGet(
    task,
    table,
    { key, flags },
    {
      make: () =>
        table.count >= LIMIT.queues
          ? -E.NOSPC
          : new MsgQueue(kernel, task, { key, mode: flags, capacity: LIMIT.queue }),
      check: () => 0,
    },
  );
}

/** The queue of a call that may have waited: one that is gone meanwhile is EIDRM, not EINVAL. */
function queueOf(kernel: Kernel, task: Task, id: number): MsgQueue | number {
  const queue = kernel.ipc.msg.find(id);
  if (typeof queue === 'number') return task.restart === undefined ? queue : -E.IDRM;
  return queue;
}

/** struct msgbuf: type i64 | text. */
function msgsnd(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, pid } = task.process;
  const [id, address, length, flags] = [args.int(0), args.pointer(1), args.long(2), args.int(3)];
  const type = BigInt.asIntN(64, space.read64(address));
  if (length < 0n || length > BigInt(LIMIT.message) || id < 0 || type < 1n) return -E.INVAL;
  const bytes = space.read(address + 8, Number(length));
  const queue = queueOf(kernel, task, id);
  if (typeof queue === 'number') return queue;
  const denied = ipcPermission(task, queue, 0o222);
  if (denied !== 0) return denied;
  if (!queue.fits(bytes.length)) {
    if ((flags & IPC.NOWAIT) !== 0) return -E.AGAIN;
    task.restart = {};
    return block([queue.space], 'message queue with room', { restart: 'restart-nohand' });
  }
  queue.push({ type, bytes });
  queue.stime = secondsNow(kernel);
  queue.lspid = pid;
  return 0;
}

/** Type 0 takes any; positive that type (MSG_EXCEPT: any other); negative the lowest type up to its absolute value. */
function choose(queue: MsgQueue, type: bigint, except: boolean): Message | undefined {
  if (type === 0n) return queue.messages[0];
  if (type > 0n) return queue.messages.find((message) => (message.type === type) !== except);
  let best: Message | undefined;
  for (const message of queue.messages)
    if (message.type <= -type && (best === undefined || message.type < best.type)) best = message;
  return best;
}

function msgrcv(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, pid } = task.process;
  const [id, address, length] = [args.int(0), args.pointer(1), args.long(2)];
  const [type, flags] = [args.long(3), args.int(4)];
  if (id < 0 || length < 0n) return -E.INVAL;
  const copy = (flags & MSG.COPY) !== 0;
  if (copy && ((flags & IPC.NOWAIT) === 0 || (flags & MSG.EXCEPT) !== 0)) return -E.INVAL;
  const queue = queueOf(kernel, task, id);
  if (typeof queue === 'number') return queue;
  const denied = ipcPermission(task, queue, 0o444);
  if (denied !== 0) return denied;
  const message = copy ? queue.messages[Number(type)] : choose(queue, type, (flags & MSG.EXCEPT) !== 0);
  if (message === undefined) {
    if ((flags & IPC.NOWAIT) !== 0) return -E.NOMSG;
    task.restart = {};
    return block([queue.arrival], 'message queue', { restart: 'restart-nohand' });
  }
  if (BigInt(message.bytes.length) > length && (flags & MSG.NOERROR) === 0) return -E['2BIG'];
  if (!copy) {
    queue.take(message);
    queue.rtime = secondsNow(kernel);
    queue.lrpid = pid;
  }
  const text = message.bytes.subarray(0, Number(length));
  space.write64(address, message.type);
  space.write(address + 8, text);
  return text.length;
}

/**
 * struct msqid64_ds, 120 bytes: perm 48 | stime i64 | rtime i64 | ctime i64 | cbytes u64 | qnum u64 | qbytes u64 |
 * lspid i32 | lrpid i32.
 */
function writeQueue(task: Task, queue: MsgQueue, address: number): void {
  const bytes = new Uint8Array(120);
  const view = new DataView(bytes.buffer);
  writePerm(view, queue);
  view.setBigInt64(48, queue.stime, true);
  view.setBigInt64(56, queue.rtime, true);
  view.setBigInt64(64, queue.ctime, true);
  view.setBigUint64(72, BigInt(queue.used), true);
  view.setBigUint64(80, BigInt(queue.messages.length), true);
  view.setBigUint64(88, BigInt(queue.capacity), true);
  view.setInt32(96, queue.lspid, true);
  view.setInt32(100, queue.lrpid, true);
  task.process.space.write(address, bytes);
}

function msgctl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const table = kernel.ipc.msg;
  const [id, command, address] = [args.int(0), args.int(1), args.pointer(2)];
  if (id < 0 || command < 0) return -E.INVAL;
  if (command === IPC.INFO || command === MSG.INFO) return information(kernel, task, command, address);
  const byIndex = command === MSG.STAT || command === MSG.STAT_ANY;
  const queue = byIndex ? (table.at(id) ?? -E.INVAL) : table.find(id);
  if (typeof queue === 'number') return queue;
  switch (command) {
    case IPC.STAT:
    case MSG.STAT:
    case MSG.STAT_ANY: {
      const denied = command === MSG.STAT_ANY ? 0 : ipcPermission(task, queue, 0o444);
      if (denied !== 0) return denied;
      writeQueue(task, queue, address);
      return byIndex ? queue.id : 0;
    }
    case IPC.SET:
      return change(kernel, task, queue, address);
    case IPC.RMID:
      if (!ipcOwner(task, queue)) return -E.PERM;
      table.remove(queue);
      queue.arrival.wake();
      queue.space.wake();
      return 0;
    default:
      return -E.INVAL;
  }
}

function change(kernel: Kernel, task: Task, queue: MsgQueue, address: number): number {
  const capacity = Number(task.process.space.read64(address + 88));
  if (!ipcOwner(task, queue)) return -E.PERM;
  const { effective } = task.process.credentials;
  if (capacity > LIMIT.queue && (effective & capBit(CAP.SYS_RESOURCE)) === 0n) return -E.PERM;
  queue.capacity = capacity;
  setPerm(kernel, task, queue, address);
  queue.arrival.wake();
  queue.space.wake();
  return 0;
}

/** struct msginfo: pool, map, max, mnb, mni, ssz, tql, i32 each, seg u16; MSG_INFO has counts in pool, map, tql. */
function information(kernel: Kernel, task: Task, command: number, address: number): number {
  const table = kernel.ipc.msg;
  const queues = table.all();
  const sum = (of: (queue: MsgQueue) => number): number =>
    queues.reduce((total, queue) => total + of(queue), 0);
  const counts = command === MSG.INFO;
  const fields = [
    counts ? table.count : (LIMIT.queues * LIMIT.queue) / 1024,
    counts ? sum((queue) => queue.messages.length) : LIMIT.queue,
    LIMIT.message,
    LIMIT.queue,
    LIMIT.queues,
    16,
    counts ? sum((queue) => queue.used) : LIMIT.queue,
  ];
  const view = new DataView(new ArrayBuffer(32));
  fields.forEach((field, i) => {
    view.setInt32(4 * i, field, true);
  });
  view.setUint16(28, 0xffff, true);
  task.process.space.write(address, new Uint8Array(view.buffer));
  return table.highest;
}

export const msgRows: readonly SyscallRow[] = [
  row('msgget', msgget),
  row('msgsnd', msgsnd),
  row('msgrcv', msgrcv),
  row('msgctl', msgctl),
];
