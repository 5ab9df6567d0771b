// Terminal settings: struct ktermios and its bits (asm-generic/termbits.h), x86-64.

/** ioctl requests (asm-generic/ioctls.h). */
export const TTY = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TCSETSW: 0x5403,
  TCSETSF: 0x5404,
  TCSBRK: 0x5409,
  TCXONC: 0x540a,
  TCFLSH: 0x540b,
  TIOCEXCL: 0x540c,
  TIOCNXCL: 0x540d,
  TIOCSCTTY: 0x540e,
  TIOCGPGRP: 0x540f,
  TIOCSPGRP: 0x5410,
  TIOCOUTQ: 0x5411,
  TIOCSTI: 0x5412,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  FIONREAD: 0x541b,
  TIOCPKT: 0x5420,
  TIOCNOTTY: 0x5422,
  TIOCGETD: 0x5424,
  TIOCGSID: 0x5429,
  TCGETS2: 0x802c542a,
  TCSETS2: 0x402c542b,
  TCSETSW2: 0x402c542c,
  TCSETSF2: 0x402c542d,
  TIOCGPTN: 0x80045430,
  TIOCSPTLCK: 0x40045431,
  TIOCGPKT: 0x80045438,
  TIOCGPTLCK: 0x80045439,
  TIOCGEXCL: 0x80045440,
  TIOCGPTPEER: 0x5441,
} as const;

export const I = {
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
  IUCLC: 0o1000,
  IXON: 0o2000,
  IXANY: 0o4000,
} as const;
export const OUT = { OPOST: 1, OLCUC: 2, ONLCR: 4, OCRNL: 8, ONOCR: 16, ONLRET: 32, TABS: 0o14000 } as const;
export const L = {
  ISIG: 1,
  ICANON: 2,
  ECHO: 0o10,
  ECHOE: 0o20,
  ECHOK: 0o40,
  ECHONL: 0o100,
  NOFLSH: 0o200,
  TOSTOP: 0o400,
  ECHOCTL: 0o1000,
  ECHOKE: 0o4000,
  IEXTEN: 0o100000,
} as const;
/** Indices of control characters. */
export const CC = {
  INTR: 0,
  QUIT: 1,
  ERASE: 2,
  KILL: 3,
  EOF: 4,
  TIME: 5,
  MIN: 6,
  START: 8,
  STOP: 9,
  SUSP: 10,
  EOL: 11,
  REPRINT: 12,
  WERASE: 14,
  LNEXT: 15,
  EOL2: 16,
} as const;

/** Size of struct termios; struct termios2 has two speeds more. */
export const TERMIOS_SIZE = 36;
export const TERMIOS2_SIZE = 44;
const SPEED = 38400;

export interface Termios {
  iflag: number;
  oflag: number;
  cflag: number;
  lflag: number;
  line: number;
  /** 19 control characters. */
  cc: Uint8Array;
  speeds: [number, number];
}

/** What a new terminal has (tty_std_termios). */
export const standardTermios = (): Termios => ({
  iflag: 0o2400,
  oflag: 0o5,
  cflag: 0o277,
  lflag: 0o105073,
  line: 0,
  cc: Uint8Array.from([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0]),
  speeds: [SPEED, SPEED],
});

/** struct termios: iflag, oflag, cflag, lflag u32 | line u8 | cc 19 bytes; termios2 adds ispeed, ospeed u32. */
export function encodeTermios(termios: Termios, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, termios.iflag, true);
  view.setUint32(4, termios.oflag, true);
  view.setUint32(8, termios.cflag, true);
  view.setUint32(12, termios.lflag, true);
  bytes[16] = termios.line;
  bytes.set(termios.cc, 17);
  if (size >= TERMIOS2_SIZE) {
    view.setUint32(36, termios.speeds[0], true);
    view.setUint32(40, termios.speeds[1], true);
  }
  return bytes;
}

export function decodeTermios(bytes: Uint8Array, old: Termios): Termios {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const two = bytes.length >= TERMIOS2_SIZE;
  return {
    iflag: view.getUint32(0, true),
    oflag: view.getUint32(4, true),
    // A pseudo terminal has eight bits, no parity, and always reads (pty_set_termios).
    cflag: (view.getUint32(8, true) & ~(0o60 | 0o400)) | 0o60 | 0o200,
    lflag: view.getUint32(12, true),
    line: bytes[16],
    cc: bytes.slice(17, 36),
    speeds: two ? [view.getUint32(36, true), view.getUint32(40, true)] : old.speeds,
  };
}
