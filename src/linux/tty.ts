// A pseudo terminal and its line discipline (drivers/tty/pty.c, n_tty.c): what the master writes is input that is
// edited, echoed and turned into signals; what the slave writes is processed and read by the master. Speeds, parity,
// delays and reprinting of lines do nothing.
import { SIG } from './abi-signal.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Kernel } from './kernel.ts';
import { groupMembers } from './process.ts';
import { sendSignal } from './signals.ts';
import { CC, I, L, OUT, standardTermios, type Termios } from './tty-termios.ts';
import { WaitQueue } from './wait.ts';

/** Input that waits to be read; more is dropped (N_TTY_BUF_SIZE). */
const INPUT_LIMIT = 4095;
/** Output that the master has not read; a writer waits for room. */
const OUTPUT_LIMIT = 65536;

/** Characters that send a signal. */
const SIGNALS = [
  [CC.INTR, SIG.INT],
  [CC.QUIT, SIG.QUIT],
  [CC.SUSP, SIG.TSTP],
] as const;

export class Pty {
  readonly index: number;
  termios: Termios = standardTermios();
  /** struct winsize as bytes: rows, columns, and pixels of both, u16 each. */
  windowSize: Uint8Array = new Uint8Array(8);
  /** TIOCSPTLCK: the slave can't be opened yet. */
  locked = true;
  exclusive = false;
  packet = false;
  masterOpen = true;
  /** Open descriptions of the slave, and whether there has been one. */
  slaves = 0;
  slaveOpened = false;
  /** Session that it controls, and its foreground process group; 0: none. */
  session = 0;
  foreground = 0;
  /** Stopped by the STOP character. */
  stopped = false;
  readonly output = new ByteQueue();
  /** What can be read: in canonical mode whole lines, each with its delimiter; an empty one is an end of file. */
  readonly lines: Uint8Array[] = [];
  /** The line that is being edited. */
  private line: number[] = [];
  private quoted = false;
  private column = 0;
  readonly queue = new WaitQueue();

  constructor(index: number) {
    this.index = index;
  }

  private local(bits: number): boolean {
    return (this.termios.lflag & bits) !== 0;
  }

  get canonical(): boolean {
    return this.local(L.ICANON);
  }

  /** Bytes that a read would get (FIONREAD). */
  get readable(): number {
    return this.lines.reduce((sum, line) => sum + line.length, 0) + (this.canonical ? 0 : this.line.length);
  }

  get room(): number {
    return this.stopped ? 0 : OUTPUT_LIMIT - this.output.length;
  }

  /** Whether there is something to read. In raw mode VMIN and VTIME say more. */
  get ready(): boolean {
    return this.lines.length > 0 || (!this.canonical && this.line.length > 0);
  }

  /** New settings; `flush`: with the input thrown away. */
  configure(termios: Termios, flush: boolean): void {
    const wasCanonical = this.canonical;
    this.termios = termios;
    if (flush) this.flushInput();
    // What is being edited can be read as it is, and the reverse, when the mode changes.
    if (wasCanonical && !this.canonical && this.line.length > 0) this.endLine();
    this.queue.wake();
  }

  flushInput(): void {
    this.lines.length = 0;
    this.line = [];
    this.queue.wake();
  }

  /** Up to `count` bytes of one line, or of raw input; undefined: nothing is there. */
  take(count: number): Uint8Array | undefined {
    if (this.canonical) {
      const line = this.lines[0];
      if (line === undefined) return undefined;
      const part = line.slice(0, count);
      if (part.length === line.length) this.lines.shift();
      else this.lines[0] = line.subarray(part.length);
      return part;
    }
    const all = [...this.lines.flatMap((line) => [...line]), ...this.line];
    if (all.length === 0) return undefined;
    this.lines.length = 0;
    this.line = all.slice(count);
    return Uint8Array.from(all.slice(0, count));
  }

  /** The master writes. */
  input(kernel: Kernel, bytes: Uint8Array): void {
    for (const byte of bytes) this.receive(kernel, byte);
    this.queue.wake();
  }

  private receive(kernel: Kernel, raw: number): void {
    const { iflag, cc } = this.termios;
    let byte = (iflag & I.ISTRIP) !== 0 ? raw & 0x7f : raw;
    if (this.quoted) {
      this.quoted = false;
      this.append(byte);
      return;
    }
    const is = (index: number): boolean => cc[index] !== 0 && byte === cc[index];
    if (this.control(kernel, byte, is)) return;
    if (byte === 13) {
      if ((iflag & I.IGNCR) !== 0) return;
      if ((iflag & I.ICRNL) !== 0) byte = 10;
    } else if (byte === 10 && (iflag & I.INLCR) !== 0) byte = 13;
    if (this.canonical && this.edit(byte, is)) return;
    this.append(byte);
  }

  /** Characters that send a signal, stop or start the output. */
  private control(kernel: Kernel, byte: number, is: (index: number) => boolean): boolean {
    const { iflag } = this.termios;
    if (this.local(L.ISIG)) {
      const found = SIGNALS.find(([index]) => is(index));
      if (found !== undefined) {
        this.signal(kernel, found[1], byte);
        return true;
      }
    }
    if ((iflag & I.IXON) === 0) return false;
    if (is(CC.START) || is(CC.STOP)) {
      this.stopped = !is(CC.START);
      return true;
    }
    if ((iflag & I.IXANY) !== 0) this.stopped = false;
    return false;
  }

  private append(byte: number): void {
    if (this.readable + (this.canonical ? this.line.length : 0) >= INPUT_LIMIT) return;
    this.echo(byte);
    this.line.push(byte);
  }

  /** Characters that edit or end the line. */
  private edit(byte: number, is: (index: number) => boolean): boolean {
    const extended = this.local(L.IEXTEN);
    if (is(CC.ERASE)) return this.erase(1);
    if (extended && is(CC.WERASE)) return this.erase(this.wordLength());
    if (is(CC.KILL)) {
      if (this.local(L.ECHOKE) && this.local(L.ECHOK)) return this.erase(this.line.length);
      this.line = [];
      this.echo(byte);
      if (this.local(L.ECHO) && this.local(L.ECHOK)) this.print(10);
      return true;
    }
    if (extended && is(CC.LNEXT)) {
      this.quoted = true;
      if (this.local(L.ECHO) && this.local(L.ECHOCTL)) this.output.push(Uint8Array.from([94, 8]));
      return true;
    }
    if (extended && is(CC.REPRINT)) return true;
    if (is(CC.EOF)) {
      this.endLine();
      return true;
    }
    const ends = byte === 10 || is(CC.EOL) || (extended && is(CC.EOL2));
    if (!ends) return false;
    if (this.local(L.ECHO) || (byte === 10 && this.local(L.ECHONL))) {
      if (byte === 10) this.print(10);
      else this.echo(byte);
    }
    this.line.push(byte);
    this.endLine();
    return true;
  }

  private endLine(): void {
    this.lines.push(Uint8Array.from(this.line));
    this.line = [];
  }

  private wordLength(): number {
    const isWord = (byte: number): boolean => /[0-9A-Za-z_]/.test(String.fromCharCode(byte));
    let at = this.line.length;
    while (at > 0 && !isWord(this.line[at - 1])) at--;
    while (at > 0 && isWord(this.line[at - 1])) at--;
    return this.line.length - at;
  }

  private erase(count: number): true {
    for (let i = 0; i < count && this.line.length > 0; i++) {
      const byte = this.line.pop() ?? 0;
      if (!this.local(L.ECHO)) continue;
      if (!this.local(L.ECHOE)) {
        this.echo(this.termios.cc[CC.ERASE]);
        continue;
      }
      const width = isControl(byte) ? (this.local(L.ECHOCTL) ? 2 : 0) : 1;
      for (let n = 0; n < width; n++) this.output.push(Uint8Array.from([8, 32, 8]));
    }
    return true;
  }

  private echo(byte: number): void {
    if (!this.local(L.ECHO)) return;
    if (this.local(L.ECHOCTL) && isControl(byte) && byte !== 9 && byte !== 10)
      this.output.push(Uint8Array.from([94, byte ^ 64]));
    else this.print(byte);
  }

  /** Output processing of one byte. */
  private print(byte: number): void {
    this.output.push(Uint8Array.from(this.process(byte)));
  }

  private process(byte: number): number[] {
    const { oflag } = this.termios;
    if ((oflag & OUT.OPOST) === 0) return [byte];
    switch (byte) {
      case 10: {
        const returns = (oflag & OUT.ONLCR) !== 0;
        if (returns || (oflag & OUT.ONLRET) !== 0) this.column = 0;
        return returns ? [13, 10] : [10];
      }
      case 13:
        if ((oflag & OUT.ONOCR) !== 0 && this.column === 0) return [];
        if ((oflag & OUT.OCRNL) !== 0) return [10];
        this.column = 0;
        return [13];
      case 9: {
        const spaces = 8 - (this.column & 7);
        this.column += spaces;
        return (oflag & OUT.TABS) === OUT.TABS ? new Array<number>(spaces).fill(32) : [9];
      }
      case 8:
        this.column = Math.max(0, this.column - 1);
        return [8];
      default: {
        if (!isControl(byte)) this.column++;
        const upper = (oflag & OUT.OLCUC) !== 0 && byte >= 97 && byte <= 122;
        return [upper ? byte - 32 : byte];
      }
    }
  }

  /** The slave writes; how many bytes were taken. */
  write(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, Math.max(0, this.room));
    const out: number[] = [];
    for (const byte of bytes.subarray(0, count)) for (const one of this.process(byte)) out.push(one);
    this.output.push(Uint8Array.from(out));
    if (count > 0) this.queue.wake();
    return count;
  }

  private signal(kernel: Kernel, signal: number, byte: number): void {
    if (!this.local(L.NOFLSH)) {
      this.flushInput();
      this.output.clear();
    }
    this.echo(byte);
    signalGroup(kernel, this.foreground, signal);
  }
}

const isControl = (byte: number): boolean => byte < 32 || byte === 127;

/** A signal of the kernel to a process group. */
export function signalGroup(kernel: Kernel, pgid: number, signal: number): void {
  if (pgid === 0) return;
  for (const member of groupMembers(kernel, pgid)) sendSignal(kernel, member, signal, { code: 0x80 });
}

/** The terminals of the container's devpts. */
export class PtyTable {
  private readonly byIndex = new Map<number, Pty>();

  create(): Pty {
    let index = 0;
    while (this.byIndex.has(index)) index++;
    const pty = new Pty(index);
    this.byIndex.set(index, pty);
    return pty;
  }

  remove(pty: Pty): void {
    this.byIndex.delete(pty.index);
  }

  /** The controlling terminal of a session. */
  ofSession(sid: number): Pty | undefined {
    for (const pty of this.byIndex.values()) if (pty.session === sid) return pty;
    return undefined;
  }
}

/** The session loses its terminal: its foreground group is told. */
export function giveUpTerminal(kernel: Kernel, pty: Pty): void {
  const { foreground } = pty;
  pty.session = pty.foreground = 0;
  signalGroup(kernel, foreground, SIG.HUP);
  signalGroup(kernel, foreground, SIG.CONT);
}
