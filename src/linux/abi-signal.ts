// Signals of x86-64 Linux (asm/signal.h, asm-generic/siginfo.h): numbers, default actions, flags, siginfo_t.

export const SIG = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
} as const;
export const SIGNAL_COUNT = 64;
/** First real-time signal: queued as often as sent. */
export const SIGRTMIN = 32;

const names = new Map<number, string>(Object.entries(SIG).map(([name, value]) => [value, `SIG${name}`]));
export const signalName = (signal: number): string =>
  names.get(signal) ?? (signal >= SIGRTMIN ? `SIGRT_${signal - SIGRTMIN}` : `${signal}`);

export type DefaultAction = 'terminate' | 'core' | 'ignore' | 'stop' | 'continue';

const defaults = new Map<number, DefaultAction>([
  ...[SIG.QUIT, SIG.ILL, SIG.TRAP, SIG.ABRT, SIG.BUS, SIG.FPE, SIG.SEGV, SIG.XCPU, SIG.XFSZ, SIG.SYS].map(
    (s) => [s, 'core'] as const,
  ),
  ...[SIG.CHLD, SIG.URG, SIG.WINCH].map((s) => [s, 'ignore'] as const),
  ...[SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU].map((s) => [s, 'stop'] as const),
  [SIG.CONT, 'continue'],
]);
export const defaultAction = (signal: number): DefaultAction => defaults.get(signal) ?? 'terminate';

export const bit = (signal: number): bigint => 1n << BigInt(signal - 1);
/** Signals that can be neither blocked nor caught. */
export const UNBLOCKABLE = bit(SIG.KILL) | bit(SIG.STOP);
export const STOP_SIGNALS: readonly number[] = [SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU];
/** Faults of the task itself come before everything else. */
export const SYNCHRONOUS =
  bit(SIG.SEGV) | bit(SIG.BUS) | bit(SIG.ILL) | bit(SIG.TRAP) | bit(SIG.FPE) | bit(SIG.SYS);

export const SA = {
  NOCLDSTOP: 1n,
  NOCLDWAIT: 2n,
  SIGINFO: 4n,
  RESTORER: 0x04000000n,
  ONSTACK: 0x08000000n,
  RESTART: 0x10000000n,
  NODEFER: 0x40000000n,
  RESETHAND: 0x80000000n,
} as const;
export const SIG_DFL = 0;
export const SIG_IGN = 1;
export const SS = { ONSTACK: 1, DISABLE: 2, AUTODISARM: 0x80000000 } as const;

/** si_code */
export const SI = { USER: 0, KERNEL: 0x80, QUEUE: -1, TIMER: -2, MESGQ: -3, TKILL: -6 } as const;
export const CLD = { EXITED: 1, KILLED: 2, DUMPED: 3, STOPPED: 5, CONTINUED: 6 } as const;
export const SEGV = { MAPERR: 1, ACCERR: 2 } as const;
export const BUS = { ADRALN: 1, ADRERR: 2 } as const;
export const FPE = { INTDIV: 1, FLTINV: 7 } as const;
export const ILL_ILLOPN = 2;
export const TRAP_BRKPT = 1;

export const SIGINFO_SIZE = 128;

/**
 * siginfo_t: si_signo i32 | si_errno i32 | si_code i32 | pad | union at 16: pid i32, uid u32, then si_value u64 or
 * si_status i32 at 24; si_addr u64 at 16; timer id i32 at 16, overrun i32 at 20, si_value at 24.
 */
export interface SignalInfo {
  readonly code: number;
  readonly pid?: number;
  readonly uid?: number;
  readonly status?: number;
  readonly value?: bigint;
  readonly address?: number;
}

export function encodeSiginfo(signal: number, info: SignalInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_SIZE);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, signal, true);
  view.setInt32(8, info.code, true);
  if (info.address !== undefined) {
    view.setBigUint64(16, BigInt.asUintN(64, BigInt(Math.trunc(info.address))), true);
    return bytes;
  }
  view.setInt32(16, info.pid ?? 0, true);
  view.setUint32(20, info.uid ?? 0, true);
  if (info.status !== undefined) view.setInt32(24, info.status, true);
  if (info.value !== undefined) view.setBigUint64(24, BigInt.asUintN(64, info.value), true);
  return bytes;
}
