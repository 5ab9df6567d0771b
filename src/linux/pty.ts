// Pseudo terminals as files: /dev/ptmx, /dev/pts/N, /dev/tty (drivers/tty/pty.c, tty_io.c, tty_jobctrl.c).
import { O, S } from './abi-file.ts';
import { bit, SIG, SIG_IGN } from './abi-signal.ts';
import { E } from './errno.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { groupMembers, isOrphaned } from './process.ts';
import { install } from './sys-file-common.ts';
import type { Task } from './task.ts';
import { giveUpTerminal, type Pty, signalGroup } from './tty.ts';
import { terminalIoctl } from './tty-ioctl.ts';
import { CC, L, TTY } from './tty-termios.ts';
import {
  Dentry,
  type DirectoryInode,
  Inode,
  type Opening,
  type Place,
  realTime,
  type Superblock,
} from './vfs-inode.ts';
import { PlacedFile } from './vfs-placed.ts';
import { type Block, block, type SysResult } from './wait.ts';

const SLAVE_MAJOR = 136;
/** The group that owns terminals (devpts gid=5,mode=620). */
const TTY_GROUP = 5;

/** /dev/pts/N. */
export class PtyInode extends Inode {
  readonly pty: Pty;

  constructor(superblock: Superblock, pty: Pty) {
    super(superblock, S.IFCHR | 0o620, pty.index + 3);
    this.pty = pty;
  }
  override get rdevMajor(): number {
    return SLAVE_MAJOR;
  }
  override get rdevMinor(): number {
    return this.pty.index;
  }
  override truncate(): number {
    return 0;
  }
  open(opening: Opening): PtySlave | number {
    const { pty } = this;
    if (pty.locked || !pty.masterOpen) return -E.IO;
    if (pty.exclusive && (opening.task?.process.credentials.effective ?? 0n) === 0n) return -E.BUSY;
    return openSlave(opening, pty);
  }
}

function openSlave(opening: Opening, pty: Pty): PtySlave {
  const file = new PtySlave(opening, pty);
  const { task, kernel } = opening;
  if (task !== undefined && opening.noTerminal !== true) adopt(kernel, task, pty);
  return file;
}

/** A session leader without a terminal takes the first one that it opens. */
function adopt(kernel: Kernel, { process }: Task, pty: Pty): void {
  if (process.sid !== process.pid || pty.session !== 0) return;
  if (kernel.ptys.ofSession(process.sid) !== undefined) return;
  pty.session = process.sid;
  pty.foreground = process.pgid;
}

/** /dev/ptmx: a new terminal, whose slave appears beside. */
export function openMaster(opening: Opening): PtyMaster {
  const { kernel, task, place } = opening;
  const pty = kernel.ptys.create();
  const directory = place.dentry.parent ?? place.dentry;
  const inode = new PtyInode(directory.inode.superblock, pty);
  inode.uid = task?.process.credentials.fsuid ?? 0;
  inode.gid = TTY_GROUP;
  inode.atime = inode.mtime = inode.ctime = inode.btime = realTime(kernel);
  const slave = new Dentry(String(pty.index), directory, inode);
  (directory.inode as DirectoryInode).insert(kernel, slave);
  return new PtyMaster(opening, pty, { mount: place.mount, dentry: slave });
}

/** /dev/tty: the terminal of the session. */
export function openControlling(opening: Opening): PtySlave | number {
  const pty =
    opening.task === undefined ? undefined : opening.kernel.ptys.ofSession(opening.task.process.sid);
  return pty === undefined || !pty.masterOpen ? -E.NXIO : new PtySlave(opening, pty);
}

export class PtyMaster extends PlacedFile {
  readonly pty: Pty;
  private readonly slave: Place;
  override readonly queue;

  constructor(opening: Opening, pty: Pty, slave: Place) {
    super(opening);
    this.pty = pty;
    this.slave = slave;
    this.queue = pty.queue;
  }

  override get seekable(): boolean {
    return false;
  }
  override get pollable(): boolean {
    return true;
  }

  /** Once there was a slave and the last is closed. */
  private get hungUp(): boolean {
    return this.pty.slaveOpened && this.pty.slaves === 0;
  }

  override poll(): number {
    const { pty } = this;
    const input = pty.output.length > 0 && !pty.stopped ? POLL.IN | POLL.RDNORM : 0;
    return input | POLL.OUT | POLL.WRNORM | (this.hungUp ? POLL.HUP : 0);
  }

  read(_kernel: Kernel, _task: Task, length: number): Uint8Array | number | Block {
    const { pty } = this;
    if (pty.output.length > 0 && !pty.stopped && length > 0) {
      const bytes = pty.output.take(pty.packet ? length - 1 : length);
      pty.queue.wake();
      return pty.packet ? Uint8Array.from([0, ...bytes]) : bytes;
    }
    if (this.hungUp) return -E.IO;
    return this.nonblocking ? -E.AGAIN : block([pty.queue], 'terminal');
  }

  write(kernel: Kernel, _task: Task, bytes: Uint8Array): number {
    this.pty.input(kernel, bytes);
    return bytes.length;
  }

  override close(kernel: Kernel): void {
    const { pty, slave } = this;
    pty.masterOpen = false;
    const directory = slave.dentry.parent?.inode as DirectoryInode | undefined;
    directory?.remove(kernel, slave.dentry);
    slave.dentry.gone = true;
    slave.dentry.inode.nlink = 0;
    if (pty.session !== 0) hangUp(kernel, pty);
    if (pty.slaves === 0) kernel.ptys.remove(pty);
    pty.queue.wake();
    super.close(kernel);
  }

  override ioctl(kernel: Kernel, task: Task, request: number, argument: number): SysResult {
    const { space } = task.process;
    const { pty } = this;
    switch (request) {
      case TTY.TIOCGPTN:
        space.write32(argument, pty.index);
        return 0;
      case TTY.TIOCSPTLCK:
        pty.locked = space.read32(argument) !== 0;
        return 0;
      case TTY.TIOCGPTLCK:
        space.write32(argument, pty.locked ? 1 : 0);
        return 0;
      case TTY.TIOCPKT:
        pty.packet = space.read32(argument) !== 0;
        return 0;
      case TTY.TIOCGPKT:
        space.write32(argument, pty.packet ? 1 : 0);
        return 0;
      case TTY.TIOCGPTPEER: {
        const name = `/dev/pts/${pty.index}`;
        const flags = argument & ~(O.CLOEXEC | O.NOCTTY);
        const opening = { kernel, task, flags, place: this.slave, name, noTerminal: true };
        return install(kernel, task, openSlave(opening, pty), (argument & O.CLOEXEC) !== 0);
      }
      case TTY.FIONREAD:
        space.write32(argument, pty.output.length);
        return 0;
      default:
        return terminalIoctl({ kernel, task, pty, master: true }, request, argument);
    }
  }
}

/** The master is gone: the session leader and the foreground group are told. */
function hangUp(kernel: Kernel, pty: Pty): void {
  const leader = kernel.processes.get(pty.session);
  const { foreground, session } = pty;
  pty.session = pty.foreground = 0;
  for (const process of new Set([
    ...(leader === undefined ? [] : [leader]),
    ...groupMembers(kernel, foreground),
  ]))
    if (process.sid === session) hangUpProcess(kernel, process.pgid, process === leader);
}

function hangUpProcess(kernel: Kernel, pgid: number, leader: boolean): void {
  signalGroup(kernel, pgid, SIG.HUP);
  if (leader) signalGroup(kernel, pgid, SIG.CONT);
}

export class PtySlave extends PlacedFile {
  readonly pty: Pty;
  override readonly queue;

  constructor(opening: Opening, pty: Pty) {
    super(opening);
    this.pty = pty;
    this.queue = pty.queue;
    pty.slaves++;
    pty.slaveOpened = true;
    pty.queue.wake();
  }

  override get seekable(): boolean {
    return false;
  }
  override get pollable(): boolean {
    return true;
  }

  override poll(): number {
    const { pty } = this;
    if (!pty.masterOpen) return POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM | POLL.ERR | POLL.HUP;
    const { cc } = pty.termios;
    const least = pty.canonical || cc[CC.TIME] > 0 ? 1 : Math.max(1, cc[CC.MIN]);
    const input = pty.ready && (pty.canonical || pty.readable >= least);
    return (input ? POLL.IN | POLL.RDNORM : 0) | (pty.room > 0 ? POLL.OUT | POLL.WRNORM : 0);
  }

  read(kernel: Kernel, task: Task, length: number): Uint8Array | number | Block {
    const { pty } = this;
    if (!pty.masterOpen) return new Uint8Array(0);
    const refused = background(kernel, task, pty, SIG.TTIN);
    if (refused !== 0) return refused;
    const { cc } = pty.termios;
    if (pty.canonical) {
      const line = pty.take(length);
      return line ?? (this.nonblocking ? -E.AGAIN : block([pty.queue], 'terminal'));
    }
    const least = Math.min(cc[CC.MIN], length);
    if (pty.readable > 0 && (pty.readable >= least || this.nonblocking))
      return pty.take(length) ?? new Uint8Array(0);
    if (cc[CC.MIN] === 0 && cc[CC.TIME] === 0) return new Uint8Array(0);
    if (this.nonblocking) return -E.AGAIN;
    return this.timedRead(kernel, task, length);
  }

  /** VTIME in tenths of a second: from the start where VMIN is 0, else between bytes. */
  private timedRead(kernel: Kernel, task: Task, length: number): Uint8Array | Block {
    const { pty } = this;
    const { cc } = pty.termios;
    const time = BigInt(cc[CC.TIME]) * 100_000_000n;
    const counts = time > 0n && (cc[CC.MIN] === 0 || pty.readable > 0);
    if (!counts) return block([pty.queue], 'terminal');
    task.restart ??= {};
    const known = task.restart['bytes'];
    if (known !== pty.readable) task.restart = { bytes: pty.readable, deadline: kernel.now + time };
    const deadline = task.restart['deadline'] as bigint;
    if (kernel.now >= deadline) return pty.take(length) ?? new Uint8Array(0);
    return block([pty.queue], 'terminal', { deadline });
  }

  write(kernel: Kernel, task: Task, bytes: Uint8Array): number | Block {
    const { pty } = this;
    if (!pty.masterOpen) return -E.IO;
    if ((pty.termios.lflag & L.TOSTOP) !== 0) {
      const refused = background(kernel, task, pty, SIG.TTOU);
      if (refused !== 0) return refused;
    }
    if (bytes.length === 0) return 0;
    const count = pty.write(bytes);
    if (count > 0) return count;
    return this.nonblocking ? -E.AGAIN : block([pty.queue], 'terminal');
  }

  override close(kernel: Kernel): void {
    const { pty } = this;
    pty.slaves--;
    if (pty.slaves === 0 && !pty.masterOpen) kernel.ptys.remove(pty);
    pty.queue.wake();
    super.close(kernel);
  }

  override ioctl(kernel: Kernel, task: Task, request: number, argument: number): SysResult {
    if (!this.pty.masterOpen) return -E.IO;
    return terminalIoctl({ kernel, task, pty: this.pty, master: false }, request, argument);
  }
}

/** 0 where the task is in the foreground or its group may go on; else what the call answers (tty_check_change). */
export function background(kernel: Kernel, task: Task, pty: Pty, signal: number): number | Block {
  const { process } = task;
  if (pty.session !== process.sid || pty.foreground === 0 || pty.foreground === process.pgid) return 0;
  const ignores =
    process.actions[signal - 1].handler === SIG_IGN || (task.blockedSignals & bit(signal)) !== 0n;
  if (ignores) return signal === SIG.TTIN ? -E.IO : 0;
  if (isOrphaned(kernel, process.pgid)) return -E.IO;
  signalGroup(kernel, process.pgid, signal);
  return block([], 'terminal in the background');
}

/** A session leader ends: its terminal is free again. */
export function leaveTerminal(kernel: Kernel, sid: number): void {
  const pty = kernel.ptys.ofSession(sid);
  if (pty !== undefined) giveUpTerminal(kernel, pty);
}
