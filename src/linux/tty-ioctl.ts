// ioctls of terminals (ioctl_tty(2)).
import { CAP, capBit } from './abi-process.ts';
import { SIG } from './abi-signal.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { groupMembers } from './process.ts';
import { background } from './pty.ts';
import type { Task } from './task.ts';
import { giveUpTerminal, type Pty, signalGroup } from './tty.ts';
import { decodeTermios, encodeTermios, TERMIOS_SIZE, TERMIOS2_SIZE, TTY } from './tty-termios.ts';
import type { SysResult } from './wait.ts';

interface Terminal {
  readonly kernel: Kernel;
  readonly task: Task;
  readonly pty: Pty;
  /** By the master's side. */
  readonly master: boolean;
}

type Handler = (terminal: Terminal, argument: number) => SysResult;

const get =
  (size: number): Handler =>
  ({ task, pty }, at) => {
    task.process.space.write(at, encodeTermios(pty.termios, size));
    return 0;
  };

const set =
  (size: number, flush: boolean): Handler =>
  (terminal, at) => {
    const { task, pty, master } = terminal;
    const refused = master ? 0 : background(terminal.kernel, task, pty, SIG.TTOU);
    if (refused !== 0) return refused;
    pty.configure(decodeTermios(task.process.space.read(at, size), pty.termios), flush);
    return 0;
  };

const drained: Handler = (terminal) =>
  terminal.master ? 0 : background(terminal.kernel, terminal.task, terminal.pty, SIG.TTOU);

/** 0 input, 1 output, 2 both. */
const flush: Handler = (terminal, which) => {
  const refused = drained(terminal, which);
  if (refused !== 0) return refused;
  if (which < 0 || which > 2) return -E.INVAL;
  if (which !== 1) terminal.pty.flushInput();
  if (which !== 0) terminal.pty.output.clear();
  return 0;
};

/** TCOOFF 0, TCOON 1, TCIOFF 2, TCION 3. */
const flow: Handler = (terminal, which) => {
  const refused = drained(terminal, which);
  if (refused !== 0) return refused;
  if (which < 0 || which > 3) return -E.INVAL;
  if (which < 2) terminal.pty.stopped = which === 0;
  terminal.pty.queue.wake();
  return 0;
};

/** Only the session whose terminal it is; the master may look at its slave. */
const owns = ({ task, pty, master }: Terminal): boolean =>
  master || (pty.session !== 0 && pty.session === task.process.sid);

const getGroup: Handler = (terminal, at) => {
  if (!owns(terminal)) return -E.NOTTY;
  terminal.task.process.space.write32(at, terminal.pty.foreground);
  return 0;
};

const setGroup: Handler = (terminal, at) => {
  const { kernel, task, pty } = terminal;
  const { process } = task;
  const refused = terminal.master ? 0 : background(kernel, task, pty, SIG.TTOU);
  if (refused !== 0) return refused;
  if (pty.session === 0 || pty.session !== process.sid) return -E.NOTTY;
  const pgid = process.space.read32(at) | 0;
  if (pgid < 0) return -E.INVAL;
  const members = groupMembers(kernel, pgid);
  if (members.length === 0) return -E.SRCH;
  if (members.every(({ sid }) => sid !== process.sid)) return -E.PERM;
  pty.foreground = pgid;
  return 0;
};

const getSession: Handler = (terminal, at) => {
  if (!owns(terminal) || terminal.pty.session === 0) return -E.NOTTY;
  terminal.task.process.space.write32(at, terminal.pty.session);
  return 0;
};

const take: Handler = ({ kernel, task, pty, master }, force) => {
  const { process } = task;
  const mine = process.sid === process.pid;
  if (mine && pty.session === process.sid) return 0;
  if (!mine || master || kernel.ptys.ofSession(process.sid) !== undefined) return -E.PERM;
  if (pty.session !== 0) {
    if (force !== 1 || (process.credentials.effective & capBit(CAP.SYS_ADMIN)) === 0n) return -E.PERM;
    pty.session = 0;
  }
  pty.session = process.sid;
  pty.foreground = process.pgid;
  return 0;
};

const giveUp: Handler = ({ kernel, task, pty }) => {
  const { process } = task;
  if (pty.session !== process.sid) return -E.NOTTY;
  if (process.sid === process.pid) giveUpTerminal(kernel, pty);
  return 0;
};

const setWindow: Handler = ({ kernel, task, pty }, at) => {
  const size = task.process.space.read(at, 8);
  if (size.every((byte, i) => byte === pty.windowSize[i])) return 0;
  pty.windowSize = size;
  signalGroup(kernel, pty.foreground, SIG.WINCH);
  return 0;
};

const word =
  (value: (pty: Pty) => number): Handler =>
  ({ task, pty }, at) => {
    task.process.space.write32(at, value(pty));
    return 0;
  };

const exclusive =
  (on: boolean): Handler =>
  ({ pty }) => {
    pty.exclusive = on;
    return 0;
  };

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [TTY.TCGETS, get(TERMIOS_SIZE)],
  [TTY.TCGETS2, get(TERMIOS2_SIZE)],
  [TTY.TCSETS, set(TERMIOS_SIZE, false)],
  [TTY.TCSETSW, set(TERMIOS_SIZE, false)],
  [TTY.TCSETSF, set(TERMIOS_SIZE, true)],
  [TTY.TCSETS2, set(TERMIOS2_SIZE, false)],
  [TTY.TCSETSW2, set(TERMIOS2_SIZE, false)],
  [TTY.TCSETSF2, set(TERMIOS2_SIZE, true)],
  [TTY.TCSBRK, drained],
  [TTY.TCXONC, flow],
  [TTY.TCFLSH, flush],
  [TTY.TIOCEXCL, exclusive(true)],
  [TTY.TIOCNXCL, exclusive(false)],
  [TTY.TIOCGEXCL, word((pty) => (pty.exclusive ? 1 : 0))],
  [TTY.TIOCSCTTY, take],
  [TTY.TIOCNOTTY, giveUp],
  [TTY.TIOCGPGRP, getGroup],
  [TTY.TIOCSPGRP, setGroup],
  [TTY.TIOCGSID, getSession],
  [TTY.TIOCOUTQ, word(() => 0)],
  [TTY.TIOCSTI, ({ task, pty }) => (pty.session === task.process.sid ? -E.IO : -E.PERM)],
  [
    TTY.TIOCGWINSZ,
    ({ task, pty }, at) => {
      task.process.space.write(at, pty.windowSize);
      return 0;
    },
  ],
  [TTY.TIOCSWINSZ, setWindow],
  [TTY.FIONREAD, word((pty) => pty.readable)],
  [TTY.TIOCGETD, word(() => 0)],
]);

export function terminalIoctl(terminal: Terminal, request: number, argument: number): SysResult {
  return HANDLERS.get(request)?.(terminal, argument) ?? -E.NOTTY;
}
