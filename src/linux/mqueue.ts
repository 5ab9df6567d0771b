// POSIX message queues (ipc/mqueue.c): files of the mqueue file system.
import { S } from './abi-file.ts';
import { SI } from './abi-signal.ts';
import { E } from './errno.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { sendSignal } from './signals.ts';
import type { Process, Task } from './task.ts';
import { Inode, type Opening, type Superblock } from './vfs-inode.ts';
import { PlacedFile } from './vfs-placed.ts';
import { WaitQueue } from './wait.ts';

/** stat says that every queue has so many bytes: room for the status text. */
const STATUS_SIZE = 80;

export interface MqMessage {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

/** Who is told when a message arrives in the empty queue. */
export interface MqNotification {
  readonly process: Process;
  /** 0: nobody is signalled, the place is only taken. */
  readonly signal: number;
  readonly value: bigint;
}

export class MqInode extends Inode {
  readonly maxMessages: number;
  readonly messageSize: number;
  /** Highest priority first, then in order of arrival. */
  readonly messages: MqMessage[] = [];
  notification: MqNotification | undefined = undefined;
  /** Receivers that wait: a message that one of them takes is not announced. */
  receivers = new Set<Task>();
  readonly queue = new WaitQueue();

  constructor(
    superblock: Superblock,
    mode: number,
    limits: { readonly maxMessages: number; readonly messageSize: number },
  ) {
    super(superblock, S.IFREG | (mode & 0o7777));
    this.maxMessages = limits.maxMessages;
    this.messageSize = limits.messageSize;
  }

  override get size(): number {
    return STATUS_SIZE;
  }
  open(opening: Opening): MqFile {
    return new MqFile(opening);
  }

  get full(): boolean {
    return this.messages.length >= this.maxMessages;
  }

  send(kernel: Kernel, sender: Task, message: MqMessage): void {
    const wasEmpty = this.messages.length === 0;
    const at = this.messages.findIndex(({ priority }) => priority < message.priority);
    this.messages.splice(at < 0 ? this.messages.length : at, 0, message);
    for (const task of this.receivers) if (task.state === 'dead') this.receivers.delete(task);
    if (wasEmpty && this.receivers.size === 0) this.announce(kernel, sender);
    this.queue.wake();
  }

  receive(): MqMessage | undefined {
    const message = this.messages.shift();
    if (message !== undefined) this.queue.wake();
    return message;
  }

  private announce(kernel: Kernel, sender: Task): void {
    const { notification } = this;
    if (notification === undefined) return;
    this.notification = undefined;
    const { process, signal, value } = notification;
    if (signal === 0 || process.exitStatus !== undefined) return;
    const { pid, credentials } = sender.process;
    sendSignal(kernel, process, signal, { code: SI.MESGQ, pid, uid: credentials.uid, value });
  }

  status(): string {
    const bytes = this.messages.reduce((sum, message) => sum + message.bytes.length, 0);
    const { notification } = this;
    const signal = notification?.signal ?? 0;
    const kind = notification !== undefined && signal === 0 ? 1 : 0;
    const field = (name: string, value: number, width: number): string =>
      `${name}:${String(value).padEnd(width)}`;
    return `${field('QSIZE', bytes, 10)} ${field('NOTIFY', kind, 5)} ${field('SIGNO', signal, 5)} ${field('NOTIFY_PID', notification?.process.pid ?? 0, 6)}\n`;
  }
}

/** The descriptor of a queue; read gives its status as text. */
export class MqFile extends PlacedFile {
  override readonly queue: WaitQueue;

  constructor(opening: Opening) {
    super(opening);
    this.queue = this.inode.queue;
  }

  override get pollable(): boolean {
    return true;
  }
  override get inode(): MqInode {
    return this.place.dentry.inode as MqInode;
  }
  read(_kernel: Kernel, _task: Task, length: number, at: number | undefined): Uint8Array {
    const text = new TextEncoder().encode(this.inode.status());
    const offset = at ?? this.position;
    const part = text.slice(offset, offset + length);
    if (at === undefined) this.position += part.length;
    return part;
  }
  write(): number {
    return -E.INVAL;
  }
  override poll(): number {
    const { inode } = this;
    return (
      (inode.messages.length > 0 ? POLL.IN | POLL.RDNORM : 0) | (inode.full ? 0 : POLL.OUT | POLL.WRNORM)
    );
  }
}

/** mq_notify is undone when its process closes a descriptor of the queue (mqueue_flush_file). */
export function dropNotification(file: MqFile, process: Process): void {
  if (file.inode.notification?.process === process) file.inode.notification = undefined;
}
