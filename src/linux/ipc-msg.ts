// Message queues of System V as objects (ipc/msg.c); the calls are in sys-ipc-msg.ts.
import { IpcObject } from './ipc.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import { WaitQueue } from './wait.ts';

export interface Message {
  readonly type: bigint;
  readonly bytes: Uint8Array;
}

export class MsgQueue extends IpcObject {
  readonly messages: Message[] = [];
  /** Bytes in the messages, and how many may be. */
  used = 0;
  capacity: number;
  stime = 0n;
  rtime = 0n;
  lspid = 0;
  lrpid = 0;
  /** Receivers and senders that wait. */
  readonly arrival = new WaitQueue();
  readonly space = new WaitQueue();

  constructor(kernel: Kernel, task: Task, wanted: { key: number; mode: number; capacity: number }) {
    super(kernel, task, wanted.key, wanted.mode);
    this.capacity = wanted.capacity;
  }

  fits(length: number): boolean {
    return this.used + length <= this.capacity && this.messages.length + 1 <= this.capacity;
  }

  push(message: Message): void {
    this.messages.push(message);
    this.used += message.bytes.length;
    this.arrival.wake();
  }

  take(message: Message): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    this.used -= message.bytes.length;
    this.space.wake();
  }
}
