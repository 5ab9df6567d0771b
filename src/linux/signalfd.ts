// signalfd (fs/signalfd.c): signals that are blocked are read as records. It looks at the signals of whoever asks.
import type { FileType, Resource } from '../effect/index.ts';
import { E } from './errno.ts';
import { OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { pendingSet, takeSiginfo } from './signals.ts';
import type { Process, Task } from './task.ts';
import { type Block, block, type WaitQueue } from './wait.ts';

const RECORD = 128;

export class SignalFile extends OpenFile {
  readonly type: FileType = '?';
  readonly queue: WaitQueue;
  mask: bigint;

  constructor(flags: number, mask: bigint, process: Process) {
    super(flags);
    this.mask = mask;
    this.queue = process.signalQueue;
  }

  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[signalfd]' };
  }
  poll(_kernel: Kernel, task: Task): number {
    return (pendingSet(task) & this.mask) !== 0n ? POLL.IN : 0;
  }

  read(_kernel: Kernel, task: Task, length: number): Uint8Array | number | Block {
    if (length < RECORD) return -E.INVAL;
    const records: Uint8Array[] = [];
    while ((records.length + 1) * RECORD <= length) {
      const taken = takeSiginfo(task, this.mask);
      if (taken === undefined) break;
      records.push(packRecord(taken.signal, taken.info));
    }
    if (records.length === 0)
      return this.nonblocking ? -E.AGAIN : block([task.process.signalQueue], 'read signalfd');
    const out = new Uint8Array(records.length * RECORD);
    records.forEach((record, i) => {
      out.set(record, i * RECORD);
    });
    return out;
  }
  write(): number {
    return -E.INVAL;
  }
}

/** struct signalfd_siginfo from siginfo_t: what signals by kill, by a child, by a timer and by sigqueue fill in. */
function packRecord(signal: number, info: Uint8Array): Uint8Array {
  const out = new Uint8Array(RECORD);
  const to = new DataView(out.buffer);
  const from = new DataView(info.buffer, info.byteOffset, info.byteLength);
  to.setUint32(0, signal, true);
  to.setInt32(4, from.getInt32(4, true), true); // ssi_errno
  const code = from.getInt32(8, true);
  to.setInt32(8, code, true);
  const SI_TIMER = -2;
  if (code === SI_TIMER) {
    to.setUint32(24, from.getUint32(16, true), true); // ssi_tid: the timer
    to.setUint32(32, from.getUint32(20, true), true); // ssi_overrun
    to.setInt32(44, from.getInt32(24, true), true); // ssi_int
    to.setBigUint64(48, from.getBigUint64(24, true), true); // ssi_ptr
    return out;
  }
  to.setUint32(12, from.getUint32(16, true), true); // ssi_pid
  to.setUint32(16, from.getUint32(20, true), true); // ssi_uid
  if (signal === 17) {
    to.setInt32(40, from.getInt32(24, true), true); // ssi_status
    to.setBigUint64(56, from.getBigUint64(32, true), true); // ssi_utime
    to.setBigUint64(64, from.getBigUint64(40, true), true); // ssi_stime
  } else {
    to.setInt32(44, from.getInt32(24, true), true);
    to.setBigUint64(48, from.getBigUint64(24, true), true);
  }
  return out;
}
