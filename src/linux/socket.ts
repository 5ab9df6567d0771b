// What all sockets share: state that every family has, the operations that families implement, and reading and
// writing through plain file calls. Families: socket-tcp, socket-udp, socket-unix, socket-netlink.
import type { FileType, Resource } from '../effect/index.ts';
import { O, S } from './abi-file.ts';
import { MSG, SOCK, type SocketAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { raiseSigpipe } from './signals.ts';
import { SocketOptions } from './socket-options.ts';
import type { Task } from './task.ts';
import { type Block, block, type SysResult, WaitQueue } from './wait.ts';

const SOCKFS_MINOR = 8;

/** struct ucred. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export const credentialsOf = (task: Task): PeerCredentials => {
  const { pid, credentials } = task.process;
  return { pid, uid: credentials.euid, gid: credentials.egid };
};

/** Something to send. `to`: destination of a datagram; `files` and `credentials`: SCM_RIGHTS and SCM_CREDENTIALS. */
export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly to: SocketAddress | undefined;
  readonly files: readonly OpenFile[];
  readonly credentials: PeerCredentials | undefined;
  readonly flags: number;
}

/** What was received. `length`: of the whole datagram, where `bytes` was cut. */
export interface Incoming {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly from: SocketAddress | undefined;
  readonly files: readonly OpenFile[];
  readonly credentials: PeerCredentials | undefined;
  /** Local address that a datagram came to, for IP_PKTINFO. */
  readonly to: string | undefined;
  /** End of a record (SOCK_SEQPACKET). */
  readonly record: boolean;
}

export const received = (bytes: Uint8Array, more: Partial<Incoming> = {}): Incoming => ({
  bytes,
  length: bytes.length,
  from: undefined,
  files: [],
  credentials: undefined,
  to: undefined,
  record: false,
  ...more,
});

export interface SocketParts {
  readonly domain: number;
  /** SOCK_STREAM and so on. */
  readonly kind: number;
  readonly protocol: number;
  readonly flags: number;
  readonly ino: number;
  /** A queue that others already wait on. */
  readonly queue?: WaitQueue;
}

export abstract class Socket extends OpenFile {
  readonly domain: number;
  readonly kind: number;
  readonly protocol: number;
  readonly ino: number;
  readonly queue: WaitQueue;
  readonly options = new SocketOptions();
  /** Errno for the next call and SO_ERROR. */
  error = 0;
  shutRead = false;
  shutWrite = false;
  abstract override readonly type: FileType;

  constructor(parts: SocketParts) {
    super(O.RDWR | (parts.flags & SOCK.NONBLOCK));
    this.domain = parts.domain;
    this.kind = parts.kind;
    this.protocol = parts.protocol;
    this.ino = parts.ino;
    this.queue = parts.queue ?? new WaitQueue();
  }

  abstract bind(kernel: Kernel, task: Task, address: SocketAddress): number;
  abstract connect(kernel: Kernel, task: Task, address: SocketAddress): number | Block;
  abstract localAddress(): SocketAddress;
  abstract peerAddress(): SocketAddress | undefined;
  /** Bytes taken, a negative errno (SIGPIPE is raised by the caller for -EPIPE on streams), or a wait. */
  abstract send(kernel: Kernel, task: Task, message: Outgoing): number | Block;
  abstract receive(kernel: Kernel, task: Task, length: number, flags: number): Incoming | number | Block;
  /** What effects on a message to or from `peer` name. */
  abstract resourceWith(peer: SocketAddress | undefined): Resource;

  listen(_kernel: Kernel, _task: Task, _backlog: number): number {
    return -E.OPNOTSUPP;
  }
  /** The accepted socket. */
  accept(_kernel: Kernel, _task: Task, _flags: number): Socket | number | Block {
    return -E.OPNOTSUPP;
  }
  shutdown(_kernel: Kernel, _how: number): number {
    return -E.OPNOTSUPP;
  }
  get listening(): boolean {
    return false;
  }
  /** SO_PEERCRED. */
  get peerCredentials(): PeerCredentials | undefined {
    return undefined;
  }
  /** Bytes that can be read (FIONREAD). */
  get available(): number {
    return 0;
  }

  resource(): Resource {
    return this.resourceWith(undefined);
  }
  override identity() {
    return { mode: S.IFSOCK | 0o777, ino: this.ino, minor: SOCKFS_MINOR };
  }

  read(kernel: Kernel, task: Task, length: number, at: number | undefined): Uint8Array | number | Block {
    if (at !== undefined) return -E.SPIPE;
    const result = this.receive(kernel, task, length, 0);
    if (typeof result === 'number' || 'kind' in result) return result;
    for (const file of result.files) kernel.dropFile(file);
    return result.bytes;
  }

  write(kernel: Kernel, task: Task, bytes: Uint8Array, at: number | undefined): number | Block {
    if (at !== undefined) return -E.SPIPE;
    const result = this.send(kernel, task, {
      bytes,
      to: undefined,
      files: [],
      credentials: undefined,
      flags: 0,
    });
    if (result === -E.PIPE && this.kind !== SOCK.DGRAM) raiseSigpipe(kernel, task);
    return result;
  }

  override ioctl(kernel: Kernel, task: Task, request: number, argument: number): SysResult {
    return kernel.net.ioctl(kernel, task, this, request, argument);
  }

  /** SO_ERROR is read once. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  /** -EAGAIN, or a wait with the socket's timeout. `waitFor`: SO.RCVTIMEO or SO.SNDTIMEO. */
  wait(
    kernel: Kernel,
    task: Task,
    flags: number,
    waitFor: number,
    reason: string,
    expired: number = -E.AGAIN,
  ): number | Block {
    if (this.nonblocking || (flags & MSG.DONTWAIT) !== 0) return -E.AGAIN;
    const timeout = this.options.timeout(waitFor);
    if (timeout === undefined) return block([this.queue], reason);
    const deadline =
      typeof task.restart?.deadline === 'bigint' ? task.restart.deadline : kernel.now + timeout;
    if (kernel.now >= deadline) return expired;
    task.restart = { ...task.restart, deadline };
    return block([this.queue], reason, { deadline, restart: 'eintr' });
  }
}
