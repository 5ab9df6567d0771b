// poll, select and epoll; eventfd, timerfd, signalfd and inotify descriptors.
import { AT, O, S } from './abi-file.ts';
import { row } from './catalogue.ts';
import { EPOLL, EpollFile } from './epoll.ts';
import { E } from './errno.ts';
import { EventFile } from './eventfd.ts';
import { type OpenFile, POLL } from './file.ts';
import { IN, InotifyFile } from './inotify.ts';
import type { Kernel } from './kernel.ts';
import { SignalFile } from './signalfd.ts';
import { temporaryMask } from './signals.ts';
import { fileOf, install, pathAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { absoluteToNow } from './time.ts';
import { TimerFile } from './timerfd.ts';
import { actorOf, MAY, permission } from './vfs-permission.ts';
import { PlacedFile } from './vfs-placed.ts';
import { block, type SysResult, type WaitQueue } from './wait.ts';

const SECOND = 1_000_000_000n;

/** Relative timeout in ns from struct timespec; undefined: none; negative errno where malformed. */
function timespecAt(task: Task, address: number): bigint | undefined | number {
  if (address === 0) return undefined;
  const { space } = task.process;
  const seconds = BigInt.asIntN(64, space.read64(address));
  const ns = BigInt.asIntN(64, space.read64(address + 8));
  return seconds < 0n || ns < 0n || ns >= SECOND ? -E.INVAL : seconds * SECOND + ns;
}

/** The absolute end of the wait, the same on every run of the handler; undefined: none. */
function deadlineOf(kernel: Kernel, task: Task, timeout: bigint | undefined): bigint | undefined {
  if (timeout === undefined) return undefined;
  const known = task.restart?.deadline;
  if (typeof known === 'bigint') return known;
  const deadline = kernel.now + timeout;
  task.restart = { ...task.restart, deadline };
  return deadline;
}

const earlier = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined || a < b ? a : b;

/** Waits on files until one of them changes, one of their own times passes, or the deadline. */
function waitForFiles(
  kernel: Kernel,
  files: readonly OpenFile[],
  deadline: bigint | undefined,
  reason: string,
): SysResult {
  const queues = new Set<WaitQueue>();
  let until = deadline;
  for (const file of files) {
    queues.add(file.queue);
    until = earlier(until, file.pollDeadline(kernel));
  }
  return block([...queues], reason, {
    ...(until === undefined ? {} : { deadline: until }),
    restart: 'eintr',
  });
}

function eventsOf(kernel: Kernel, task: Task, file: OpenFile): number {
  const deadline = file.pollDeadline(kernel);
  if (deadline !== undefined && deadline <= kernel.now) file.expire(kernel);
  return file.poll(kernel, task);
}

/** struct pollfd: fd, events and revents (16 bit each). */
function pollFiles(
  kernel: Kernel,
  task: Task,
  address: number,
  count: number,
  timeout: bigint | undefined,
): SysResult {
  const { space, rlimits } = task.process;
  if (BigInt(count) > (rlimits[7]?.[0] ?? 1024n)) return -E.INVAL;
  const deadline = deadlineOf(kernel, task, timeout);
  const files: OpenFile[] = [];
  let ready = 0;
  for (let i = 0; i < count; i++) {
    const at = address + 8 * i;
    const fd = space.read32(at) | 0;
    const file = fd < 0 ? undefined : fileOf(task, fd);
    let revents = 0;
    if (fd >= 0 && file === undefined) revents = POLL.NVAL;
    else if (file !== undefined) {
      revents = eventsOf(kernel, task, file) & (space.read16(at + 4) | POLL.ERR | POLL.HUP);
      files.push(file);
    }
    space.write16(at + 6, revents);
    if (revents !== 0) ready++;
  }
  if (ready > 0 || (deadline !== undefined && kernel.now >= deadline)) return ready;
  return waitForFiles(kernel, files, deadline, 'poll');
}

function poll(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const ms = args.int(2);
  return pollFiles(kernel, task, args.pointer(0), args.uint(1), ms < 0 ? undefined : BigInt(ms) * 1_000_000n);
}

/** A signal mask argument replaces the task's for the time of the call. */
function applyMask(task: Task, address: number, size: number): number {
  if (address === 0) return 0;
  if (size !== 8) return -E.INVAL;
  temporaryMask(task, task.process.space.read64(address));
  return 0;
}

function ppoll(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const timeout = timespecAt(task, args.pointer(2));
  if (typeof timeout === 'number') return timeout;
  const error = applyMask(task, args.pointer(3), args.size(4));
  return error !== 0 ? error : pollFiles(kernel, task, args.pointer(0), args.uint(1), timeout);
}

// select

const SETS = [
  { wanted: POLL.IN | POLL.RDNORM | POLL.RDBAND | POLL.HUP | POLL.ERR },
  { wanted: POLL.OUT | POLL.WRNORM | POLL.WRBAND | POLL.ERR },
  { wanted: POLL.PRI },
] as const;

function selectFiles(
  kernel: Kernel,
  task: Task,
  count: number,
  sets: readonly number[],
  timeout: bigint | undefined,
): SysResult {
  if (count < 0) return -E.INVAL;
  const { space, files: table } = task.process;
  const limit = Math.min(count, Math.max(table.slots.length, 64));
  const size = Math.ceil(limit / 64) * 8;
  const deadline = deadlineOf(kernel, task, timeout);
  const given = sets.map((address) => (address === 0 ? new Uint8Array(size) : space.read(address, size)));
  const out = given.map(() => new Uint8Array(size));
  const files: OpenFile[] = [];
  let ready = 0;
  for (let fd = 0; fd < limit; fd++) {
    const bit = 1 << (fd & 7);
    if (given.every((set) => (set[fd >> 3] & bit) === 0)) continue;
    const file = fileOf(task, fd);
    if (file === undefined) return -E.BADF;
    files.push(file);
    const events = eventsOf(kernel, task, file);
    SETS.forEach(({ wanted }, i) => {
      if ((given[i][fd >> 3] & bit) === 0 || (events & wanted) === 0) return;
      out[i][fd >> 3] |= bit;
      ready++;
    });
  }
  if (ready === 0 && !(deadline !== undefined && kernel.now >= deadline))
    return waitForFiles(kernel, files, deadline, 'select');
  sets.forEach((address, i) => {
    if (address !== 0) space.write(address, out[i]);
  });
  return ready;
}

const setAddresses = (args: SysArgs): number[] => [args.pointer(1), args.pointer(2), args.pointer(3)];

/** Linux writes the time that is left back into select's timeval. */
function select(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const at = args.pointer(4);
  const { space } = task.process;
  let timeout: bigint | undefined;
  if (at !== 0) {
    const [seconds, micro] = [BigInt.asIntN(64, space.read64(at)), BigInt.asIntN(64, space.read64(at + 8))];
    if (seconds < 0n || micro < 0n) return -E.INVAL;
    timeout = seconds * SECOND + micro * 1000n;
  }
  const deadline = deadlineOf(kernel, task, timeout);
  const result = selectFiles(kernel, task, args.int(0), setAddresses(args), timeout);
  if (typeof result === 'number' && deadline !== undefined) {
    const left = deadline > kernel.now ? deadline - kernel.now : 0n;
    space.write64(at, left / SECOND);
    space.write64(at + 8, (left % SECOND) / 1000n);
  }
  return result;
}

function pselect6(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const timeout = timespecAt(task, args.pointer(4));
  if (typeof timeout === 'number') return timeout;
  const pair = args.pointer(5);
  if (pair !== 0) {
    const { space } = task.process;
    const error = applyMask(task, Number(space.read64(pair)), Number(space.read64(pair + 8)));
    if (error !== 0) return error;
  }
  const deadline = deadlineOf(kernel, task, timeout);
  const result = selectFiles(kernel, task, args.int(0), setAddresses(args), timeout);
  if (typeof result === 'number' && deadline !== undefined) {
    const left = deadline > kernel.now ? deadline - kernel.now : 0n;
    task.process.space.write64(args.pointer(4), left / SECOND);
    task.process.space.write64(args.pointer(4) + 8, left % SECOND);
  }
  return result;
}

// epoll

function epollCreate(kernel: Kernel, task: Task, flags: number): SysResult {
  if ((flags & ~O.CLOEXEC) !== 0) return -E.INVAL;
  return install(kernel, task, new EpollFile(O.RDWR), (flags & O.CLOEXEC) !== 0);
}

/** struct epoll_event is packed: events (32 bit), data (64 bit). */
const EVENT = 12;

function epollCtl(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [operation, fd, at] = [args.int(1), args.int(2), args.pointer(3)];
  const { space } = task.process;
  const needed = operation !== EPOLL.CTL_DEL;
  const events = needed ? space.read32(at) : 0;
  const data = needed ? space.read64(at + 4) : 0n;
  const epoll = fileOf(task, args.int(0));
  const file = fileOf(task, fd);
  if (epoll === undefined || file === undefined) return -E.BADF;
  // Files, directories, /dev/null and /proc have no poll of their own.
  if (file instanceof PlacedFile && !file.pollable) return -E.PERM;
  if (!(epoll instanceof EpollFile)) return -E.INVAL;
  return epoll.control(kernel, task, operation, file, { fd, events, data });
}

function epollWait(kernel: Kernel, task: Task, args: SysArgs, timeout: bigint | undefined): SysResult {
  const count = args.int(2);
  if (count <= 0 || count > Math.floor(0x7fffffff / EVENT)) return -E.INVAL;
  const epoll = fileOf(task, args.int(0));
  if (epoll === undefined) return -E.BADF;
  if (!(epoll instanceof EpollFile)) return -E.INVAL;
  const deadline = deadlineOf(kernel, task, timeout);
  const found = epoll.collect(kernel, task, count);
  found.forEach(({ events, data }, i) => {
    task.process.space.write32(args.pointer(1) + i * EVENT, events);
    task.process.space.write64(args.pointer(1) + i * EVENT + 4, data);
  });
  if (found.length > 0 || (deadline !== undefined && kernel.now >= deadline)) return found.length;
  return waitForFiles(kernel, [epoll], deadline, 'epoll_wait');
}

const milliseconds = (ms: number): bigint | undefined => (ms < 0 ? undefined : BigInt(ms) * 1_000_000n);

function epollPwait(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const error = applyMask(task, args.pointer(4), args.size(5));
  return error !== 0 ? error : epollWait(kernel, task, args, milliseconds(args.int(3)));
}
function epollPwait2(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const timeout = timespecAt(task, args.pointer(3));
  if (typeof timeout === 'number') return timeout;
  const error = applyMask(task, args.pointer(4), args.size(5));
  return error !== 0 ? error : epollWait(kernel, task, args, timeout);
}

// descriptors

function eventfd(kernel: Kernel, task: Task, initial: number, flags: number): SysResult {
  if ((flags & ~(1 | O.CLOEXEC | O.NONBLOCK)) !== 0) return -E.INVAL;
  return install(
    kernel,
    task,
    new EventFile(O.RDWR | (flags & O.NONBLOCK), initial, (flags & 1) !== 0),
    (flags & O.CLOEXEC) !== 0,
  );
}

function signalfd(kernel: Kernel, task: Task, args: SysArgs, flags: number): SysResult {
  if (args.size(2) !== 8 || (flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -E.INVAL;
  const unblockable = (1n << 8n) | (1n << 18n); // SIGKILL, SIGSTOP
  const mask = task.process.space.read64(args.pointer(1)) & ~unblockable;
  const fd = args.int(0);
  if (fd === -1)
    return install(
      kernel,
      task,
      new SignalFile(O.RDWR | (flags & O.NONBLOCK), mask, task.process),
      (flags & O.CLOEXEC) !== 0,
    );
  const file = fileOf(task, fd);
  if (file === undefined) return -E.BADF;
  if (!(file instanceof SignalFile)) return -E.INVAL;
  file.mask = mask;
  file.queue.wake(POLL.IN | POLL.RDNORM);
  return fd;
}

/** realtime, monotonic, boottime and their alarm forms. */
const TIMER_CLOCKS: readonly number[] = [0, 1, 7, 8, 9];

function timerfdCreate(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const [clock, flags] = [args.int(0), args.int(1)];
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0 || !TIMER_CLOCKS.includes(clock)) return -E.INVAL;
  if (clock >= 8) return -E.PERM; // CAP_WAKE_ALARM
  const file = new TimerFile(O.RDWR | (flags & O.NONBLOCK), clock);
  return install(kernel, task, file, (flags & O.CLOEXEC) !== 0);
}

function giveTimer(kernel: Kernel, task: Task, file: TimerFile, address: number): void {
  const { left, interval } = file.remaining(kernel);
  const { space } = task.process;
  for (const [at, value] of [
    [address, interval],
    [address + 16, left],
  ] as const) {
    space.write64(at, value / SECOND);
    space.write64(at + 8, value % SECOND);
  }
}

function timerfdSettime(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  const flags = args.int(1);
  const interval = timespecAt(task, args.pointer(2));
  const value = timespecAt(task, args.pointer(2) + 16);
  if ((flags & ~3) !== 0 || typeof interval !== 'bigint' || typeof value !== 'bigint') return -E.INVAL;
  if (file === undefined) return -E.BADF;
  if (!(file instanceof TimerFile)) return -E.INVAL;
  if (args.pointer(3) !== 0) giveTimer(kernel, task, file, args.pointer(3));
  const absolute = (flags & 1) !== 0;
  const first =
    value === 0n ? undefined : absolute ? absoluteToNow(kernel, file.clock, value) : kernel.now + value;
  file.arm(kernel, first, interval);
  return 0;
}

function timerfdGettime(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined) return -E.BADF;
  if (!(file instanceof TimerFile)) return -E.INVAL;
  giveTimer(kernel, task, file, args.pointer(1));
  return 0;
}

function inotifyInit(kernel: Kernel, task: Task, flags: number): SysResult {
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -E.INVAL;
  return install(kernel, task, new InotifyFile(O.RDONLY | (flags & O.NONBLOCK)), (flags & O.CLOEXEC) !== 0);
}

function inotifyAddWatch(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const mask = args.uint(2);
  const file = fileOf(task, args.int(0));
  if ((mask & 0xfff) === 0 || ((mask & IN.MASK_ADD) !== 0 && (mask & IN.MASK_CREATE) !== 0)) return -E.INVAL;
  if (file === undefined) return -E.BADF;
  if (!(file instanceof InotifyFile)) return -E.INVAL;
  const path = pathAt(task, args.pointer(1));
  if (typeof path === 'number') return path;
  const place = kernel.vfs.find(kernel, task, {
    dirfd: AT.FDCWD,
    path,
    follow: (mask & IN.DONT_FOLLOW) === 0,
  });
  if (typeof place === 'number') return place;
  const { inode } = place.dentry;
  if ((mask & IN.ONLYDIR) !== 0 && inode.type !== S.IFDIR) return -E.NOTDIR;
  const denied = permission(actorOf(task), inode, MAY.READ);
  return denied !== 0 ? denied : file.add(inode, mask);
}

function inotifyRmWatch(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const file = fileOf(task, args.int(0));
  if (file === undefined) return -E.BADF;
  return file instanceof InotifyFile ? file.removeWatch(args.int(1)) : -E.INVAL;
}

export const pollRows: readonly SyscallRow[] = [
  row('poll', poll),
  row('ppoll', ppoll),
  row('select', select),
  row('pselect6', pselect6),
  row('epoll_create', (kernel, task, args) => (args.int(0) <= 0 ? -E.INVAL : epollCreate(kernel, task, 0))),
  row('epoll_create1', (kernel, task, args) => epollCreate(kernel, task, args.int(0))),
  row('epoll_ctl', epollCtl),
  row('epoll_wait', (kernel, task, args) => epollWait(kernel, task, args, milliseconds(args.int(3)))),
  row('epoll_pwait', epollPwait),
  row('epoll_pwait2', epollPwait2),
  row('eventfd', (kernel, task, args) => eventfd(kernel, task, args.uint(0), 0)),
  row('eventfd2', (kernel, task, args) => eventfd(kernel, task, args.uint(0), args.int(1))),
  row('signalfd', (kernel, task, args) => signalfd(kernel, task, args, 0)),
  row('signalfd4', (kernel, task, args) => signalfd(kernel, task, args, args.int(3))),
  row('timerfd_create', timerfdCreate),
  row(
    'timerfd_settime',
    timerfdSettime,
    'partial',
    'TFD_TIMER_CANCEL_ON_SET does nothing: the clock is never set',
  ),
  row('timerfd_gettime', timerfdGettime),
  row('inotify_init', (kernel, task) => inotifyInit(kernel, task, 0)),
  row('inotify_init1', (kernel, task, args) => inotifyInit(kernel, task, args.int(0))),
  row(
    'inotify_add_watch',
    inotifyAddWatch,
    'partial',
    'events for changes by system calls, not for stores through mappings',
  ),
  row('inotify_rm_watch', inotifyRmWatch),
];
