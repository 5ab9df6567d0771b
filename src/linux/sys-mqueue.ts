// mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr (ipc/mqueue.c). Names have no slash:
// the C library takes the first one away.
import { decodeText } from '../bytes/index.ts';
import { O } from './abi-file.ts';
import { CAP, capBit, RLIMIT } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { dropNotification, MqFile, MqInode } from './mqueue.ts';
import { fileOf, install } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { absoluteToNow, CLOCK, readTimespec } from './time.ts';
import { createEntry, unlinkEntry } from './vfs-change.ts';
import type { DirectoryInode, Place } from './vfs-inode.ts';
import { actorOf, MAY, permission } from './vfs-permission.ts';
import type { Walked } from './vfs-walk.ts';
import { type Block, block, type SysResult } from './wait.ts';

/** fs.mqueue: messages in a queue, their size, queues; and what a queue without attributes gets. */
const LIMIT = { messages: 10, size: 8192, queues: 256 } as const;
const PRIORITIES = 32768;
const NAME_MAX = 255;
const SIGEV = { SIGNAL: 0, NONE: 1, THREAD: 2 } as const;

/** The root of the file system of queues, which is the IPC namespace's wherever it is mounted. */
function queuesOf(kernel: Kernel): Place | undefined {
  const mount = kernel.vfs.mounts.find(({ superblock }) => superblock.type === 'mqueue');
  return mount === undefined ? undefined : { mount, dentry: mount.root };
}

/** What a walk to the name finds. */
function walkTo(kernel: Kernel, task: Task, address: number): Walked | number {
  const root = queuesOf(kernel);
  const bytes = task.process.space.readCString(address, 4096);
  if (bytes === undefined) return -E.NAMETOOLONG;
  const name = decodeText(bytes);
  if (root === undefined) return -E.NOSYS;
  if (name === '') return -E.NOENT;
  if (name === '.' || name === '..' || name.includes('/')) return -E.ACCES;
  if (bytes.length > NAME_MAX) return -E.NAMETOOLONG;
  const found = (root.dentry.inode as DirectoryInode).lookup({ kernel, task }, root.dentry, name);
  const place = found === undefined ? undefined : { mount: root.mount, dentry: found };
  return { place, parent: root, name, slash: false } as Walked;
}

interface Attributes {
  readonly flags: number;
  readonly maxMessages: number;
  readonly messageSize: number;
}

/** struct mq_attr: flags, maxmsg, msgsize, curmsgs i64; 64 bytes. */
function readAttributes(task: Task, address: number): Attributes {
  const { space } = task.process;
  const long = (at: number): number => Number(BigInt.asIntN(64, space.read64(at)));
  return { flags: long(address), maxMessages: long(address + 8), messageSize: long(address + 16) };
}

function mqOpen(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [flags, mode] = [args.int(1), args.uint(2)];
  const wanted = args.pointer(3) === 0 ? undefined : readAttributes(task, args.pointer(3));
  const walked = walkTo(kernel, task, args.pointer(0));
  if (typeof walked === 'number') return walked;
  let { place } = walked;
  if (place === undefined) {
    if ((flags & O.CREAT) === 0) return -E.NOENT;
    const made = create(kernel, task, walked, { mode, wanted });
    if (typeof made === 'number') return made;
    place = made;
  } else {
    if ((flags & (O.CREAT | O.EXCL)) === (O.CREAT | O.EXCL)) return -E.EXIST;
    if ((flags & O.ACCMODE) === O.ACCMODE) return -E.INVAL;
    const asked = [MAY.READ, MAY.WRITE, MAY.READ | MAY.WRITE][flags & O.ACCMODE];
    const denied = permission(actorOf(task), place.dentry.inode, asked);
    if (denied !== 0) return denied;
  }
  const kept = flags & (O.ACCMODE | O.NONBLOCK);
  const file = new MqFile({ kernel, task, flags: kept, place, name: `/dev/mqueue/${walked.name}` });
  return install(kernel, task, file, true);
}

function create(
  kernel: Kernel,
  task: Task,
  walked: Walked,
  options: { readonly mode: number; readonly wanted: Attributes | undefined },
): Place | number {
  const { process } = task;
  const root = walked.parent;
  const { maxMessages, messageSize } = options.wanted ?? {
    maxMessages: LIMIT.messages,
    messageSize: LIMIT.size,
  };
  const denied = permission(actorOf(task), root.dentry.inode, MAY.WRITE | MAY.EXEC);
  if (denied !== 0) return denied;
  if (root.dentry.inode.superblock.inodes > LIMIT.queues) return -E.NOSPC;
  if (maxMessages <= 0 || messageSize <= 0) return -E.INVAL;
  const free = (process.credentials.effective & capBit(CAP.SYS_RESOURCE)) !== 0n;
  const tooLarge = free
    ? maxMessages > 65536 || messageSize > 16777216
    : maxMessages > LIMIT.messages || messageSize > LIMIT.size;
  if (tooLarge) return -E.INVAL;
  if (BigInt(maxMessages * (messageSize + 48)) > process.rlimits[RLIMIT.MSGQUEUE][0]) return -E.MFILE;
  const mode = options.mode & 0o777 & ~process.fs.umask;
  const made = createEntry(
    { kernel, task, actor: actorOf(task) },
    walked,
    ({ superblock }) => new MqInode(superblock, mode, { maxMessages, messageSize }),
  );
  return typeof made === 'number' ? made : { mount: root.mount, dentry: made };
}

function mqUnlink(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const walked = walkTo(kernel, task, args.pointer(0));
  if (typeof walked === 'number') return walked;
  return unlinkEntry({ kernel, task, actor: actorOf(task) }, walked);
}

function queueFile(task: Task, fd: number): MqFile | undefined {
  const file = fileOf(task, fd);
  return file instanceof MqFile ? file : undefined;
}

/** The wait for room or for a message; a timeout is absolute CLOCK_REALTIME. */
function waitOn(kernel: Kernel, file: MqFile, timeout: bigint | undefined): number | Block {
  if (file.nonblocking) return -E.AGAIN;
  const deadline = timeout === undefined ? undefined : absoluteToNow(kernel, CLOCK.REALTIME, timeout);
  if (deadline !== undefined && kernel.now >= deadline) return -E.TIMEDOUT;
  return block([file.queue], 'message queue', { deadline });
}

function timeoutOf(task: Task, address: number): bigint | undefined | number {
  return address === 0 ? undefined : readTimespec(task.process.space, address);
}

function mqTimedsend(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const timeout = timeoutOf(task, args.pointer(4));
  if (typeof timeout === 'number') return timeout;
  if (args.uint(3) >= PRIORITIES) return -E.INVAL;
  const file = queueFile(task, args.int(0));
  if (file === undefined || (file.flags & O.ACCMODE) === O.RDONLY) return -E.BADF;
  const { inode } = file;
  if (args.size(2) > inode.messageSize) return -E.MSGSIZE;
  const bytes = task.process.space.read(args.pointer(1), args.size(2));
  if (inode.full) return waitOn(kernel, file, timeout);
  inode.send(kernel, task, { priority: args.uint(3), bytes });
  return 0;
}

function mqTimedreceive(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const timeout = timeoutOf(task, args.pointer(4));
  if (typeof timeout === 'number') return timeout;
  const file = queueFile(task, args.int(0));
  if (file === undefined || (file.flags & O.ACCMODE) === O.WRONLY) return -E.BADF;
  const { inode } = file;
  if (args.size(2) < inode.messageSize) return -E.MSGSIZE;
  inode.receivers.delete(task);
  const message = inode.receive();
  if (message === undefined) {
    const answer = waitOn(kernel, file, timeout);
    if (typeof answer !== 'number' && !task.signalled) inode.receivers.add(task);
    return answer;
  }
  space.write(args.pointer(1), message.bytes);
  if (args.pointer(3) !== 0) space.write32(args.pointer(3), message.priority);
  return message.bytes.length;
}

/** struct sigevent: value u64 | signo i32 | notify i32. */
function mqNotify(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { process } = task;
  const address = args.pointer(1);
  const event =
    address === 0
      ? undefined
      : {
          value: process.space.read64(address),
          signal: process.space.read32(address + 8) | 0,
          notify: process.space.read32(address + 12) | 0,
        };
  if (event !== undefined) {
    if (event.notify === SIGEV.THREAD) {
      kernel.cutHere(task, {
        kind: 'syscall-option',
        what: 'mq_notify SIGEV_THREAD',
        consequence: 'answered EINVAL',
      });
      return -E.INVAL;
    }
    if (event.notify !== SIGEV.NONE && event.notify !== SIGEV.SIGNAL) return -E.INVAL;
    if (event.notify === SIGEV.SIGNAL && (event.signal < 0 || event.signal > 64)) return -E.INVAL;
  }
  const file = queueFile(task, args.int(0));
  if (file === undefined) return -E.BADF;
  if (event === undefined) {
    dropNotification(file, process);
    return 0;
  }
  const known = file.inode.notification;
  if (known !== undefined && known.process.exitStatus === undefined) return -E.BUSY;
  const signal = event.notify === SIGEV.SIGNAL ? event.signal : 0;
  file.inode.notification = { process, signal, value: event.value };
  return 0;
}

function mqGetsetattr(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const wanted = args.pointer(1) === 0 ? undefined : readAttributes(task, args.pointer(1));
  if (wanted !== undefined && (wanted.flags & ~O.NONBLOCK) !== 0) return -E.INVAL;
  const file = queueFile(task, args.int(0));
  if (file === undefined) return -E.BADF;
  const { inode } = file;
  const old = [file.flags & O.NONBLOCK, inode.maxMessages, inode.messageSize, inode.messages.length];
  if (wanted !== undefined) file.flags = (file.flags & ~O.NONBLOCK) | wanted.flags;
  const at = args.pointer(2);
  if (at === 0) return 0;
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  old.forEach((value, i) => {
    view.setBigInt64(8 * i, BigInt(value), true);
  });
  space.write(at, bytes);
  return 0;
}

export const mqueueRows: readonly SyscallRow[] = [
  row('mq_open', mqOpen),
  row('mq_unlink', mqUnlink),
  row('mq_timedsend', mqTimedsend),
  row('mq_timedreceive', mqTimedreceive),
  row('mq_notify', mqNotify, 'partial', 'SIGEV_THREAD answers EINVAL and is a cut'),
  row('mq_getsetattr', mqGetsetattr),
];
