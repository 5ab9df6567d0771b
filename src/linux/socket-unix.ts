// Unix domain sockets: streams, datagrams, sequenced packets; path names, abstract names, descriptor passing
// (net/unix/af_unix.c).
import type { FileType, Resource } from '../effect/index.ts';
import { AT, S } from './abi-file.ts';
import { MSG, SHUT, SO, SOCK, SOL, type SocketAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import { type OpenFile, POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import {
  credentialsOf,
  type Incoming,
  type Outgoing,
  type PeerCredentials,
  received,
  Socket,
  type SocketParts,
} from './socket.ts';
import { type StreamEnd, streamPair } from './socket-stream.ts';
import type { Task } from './task.ts';
import { createEntry } from './vfs-change.ts';
import { permissions } from './vfs-open.ts';
import { actorOf, MAY, permission } from './vfs-permission.ts';
import { SocketInode, StoredSuperblock } from './vfs-tree.ts';
import { type Block, WaitQueue } from './wait.ts';

const CAPACITY = 212992;
/** unix_writable: at most a quarter is in use. */
const FREE = 3 / 4 - 1e-9;
/** net.unix.max_dgram_qlen. */
const DATAGRAMS_QUEUED = 512;

interface Pending {
  readonly end: StreamEnd;
  readonly peerPath: string;
  readonly credentials: PeerCredentials;
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: string;
  readonly files: readonly OpenFile[];
  readonly credentials: PeerCredentials | undefined;
}

export class UnixSocket extends Socket {
  readonly type: FileType = 'u';
  /** sun_path as bound: '' unnamed, a leading NUL abstract. */
  path = '';
  /** The bound path as effects name it. */
  private boundName = '';
  /** Name of what it is connected to, and of the listener that it came from. */
  private peerPath = '';
  private peerName = '';
  private inode: SocketInode | undefined = undefined;
  private end: StreamEnd | undefined = undefined;
  private backlog: number | undefined = undefined;
  private readonly pending: Pending[] = [];
  private readonly inbox: Datagram[] = [];
  private inboxBytes = 0;
  /** Of a datagram socket: where it is connected to. */
  private target: UnixSocket | undefined = undefined;
  private peer: PeerCredentials | undefined = undefined;
  private listener: PeerCredentials | undefined = undefined;
  private told = false;
  closed = false;
  /** Senders wait here for room in the inbox. */
  private readonly senders = new WaitQueue();

  constructor(parts: SocketParts) {
    super(parts);
  }

  private get datagrams(): boolean {
    return this.kind === SOCK.DGRAM;
  }
  private get records(): boolean {
    return this.kind === SOCK.SEQPACKET;
  }
  override get listening(): boolean {
    return this.backlog !== undefined;
  }
  override get peerCredentials(): PeerCredentials | undefined {
    return this.peer ?? this.listener;
  }
  override get available(): number {
    return this.datagrams ? (this.inbox[0]?.bytes.length ?? 0) : (this.end?.incoming.length ?? 0);
  }

  localAddress(): SocketAddress {
    return { family: 'unix', path: this.path };
  }
  peerAddress(): SocketAddress | undefined {
    return this.end !== undefined || this.target !== undefined
      ? { family: 'unix', path: this.peerPath }
      : undefined;
  }
  resourceWith(other: SocketAddress | undefined): Resource {
    const given = other?.family === 'unix' ? shownName(other.path) : '';
    return { kind: 'file', type: 'u', path: given || this.peerName || this.boundName };
  }

  // names

  bind(kernel: Kernel, task: Task, address: SocketAddress): number {
    if (address.family !== 'unix') return -E.INVAL;
    if (address.path === '' && this.path !== '') return 0;
    const path = address.path === '' ? kernel.net.takeUnixName() : address.path;
    if (path.startsWith('\0') && this.path !== '') return -E.INVAL;
    if (path.startsWith('\0')) {
      if (kernel.net.abstractNames.has(abstractKey(this.kind, path))) return -E.ADDRINUSE;
      kernel.net.abstractNames.set(abstractKey(this.kind, path), this);
    } else {
      const error = this.bindPath(kernel, task, path);
      if (error !== 0) return error;
    }
    this.path = path;
    this.boundName = effectName(kernel, task, path);
    return 0;
  }

  private bindPath(kernel: Kernel, task: Task, path: string): number {
    const actor = actorOf(task);
    const walked = kernel.vfs.walkAt(kernel, task, { dirfd: AT.FDCWD, path, names: true });
    if (typeof walked === 'number') return walked;
    if (walked.place !== undefined) return -E.ADDRINUSE;
    if (this.path !== '') return -E.INVAL;
    const { superblock } = walked.parent.dentry.inode;
    if (!(superblock instanceof StoredSuperblock)) return -E.PERM;
    const inode = new SocketInode(superblock, S.IFSOCK | permissions(task, 0o777));
    const dentry = createEntry({ kernel, task, actor }, walked, () => inode);
    if (typeof dentry === 'number') return dentry === -E.EXIST ? -E.ADDRINUSE : dentry;
    inode.owner = this;
    this.inode = inode;
    return 0;
  }

  /** The socket bound to a name. */
  private lookup(kernel: Kernel, task: Task, address: SocketAddress): UnixSocket | number {
    if (address.family !== 'unix') return -E.INVAL;
    const { path } = address;
    if (path.startsWith('\0'))
      return kernel.net.abstractNames.get(abstractKey(this.kind, path)) ?? -E.CONNREFUSED;
    if (path === '') return -E.CONNREFUSED;
    const place = kernel.vfs.find(kernel, task, { dirfd: AT.FDCWD, path });
    if (typeof place === 'number') return place;
    const { inode } = place.dentry;
    const denied = permission(actorOf(task), inode, MAY.WRITE);
    if (denied !== 0) return denied;
    if (!(inode instanceof SocketInode && inode.owner instanceof UnixSocket)) return -E.CONNREFUSED;
    return inode.owner.kind === this.kind ? inode.owner : -E.PROTOTYPE;
  }

  // connections

  override listen(_kernel: Kernel, task: Task, backlog: number): number {
    if (this.datagrams) return -E.OPNOTSUPP;
    if (this.path === '') return -E.INVAL;
    if (this.end !== undefined) return -E.INVAL;
    this.backlog = Math.min(Math.max(0, backlog), 4096);
    this.listener = credentialsOf(task);
    return 0;
  }

  connect(kernel: Kernel, task: Task, address: SocketAddress): number | Block {
    if (address.family === 'unspec') {
      if (!this.datagrams) return -E.INVAL;
      this.leaveTarget(kernel);
      this.peerPath = this.peerName = '';
      return 0;
    }
    const found = this.lookup(kernel, task, address);
    if (typeof found === 'number') return found;
    if (this.datagrams) {
      if (!found.takesFrom(this)) return -E.PERM;
      if (this.target !== found) this.leaveTarget(kernel);
      this.target = found;
    } else {
      if (!found.listening || found.shutRead) return -E.CONNREFUSED;
      if (found.pending.length > (found.backlog ?? 0)) return this.waitForBacklog(kernel, task, found);
      if (this.end !== undefined) return -E.ISCONN;
      if (this.listening) return -E.INVAL;
      const [mine, theirs] = streamPair(CAPACITY, { first: this.queue, free: FREE });
      this.end = mine;
      this.peer = found.listener;
      found.pending.push({ end: theirs, peerPath: this.path, credentials: credentialsOf(task) });
      found.queue.wake(POLL.IN | POLL.RDNORM);
    }
    this.peerPath = found.path;
    this.peerName = found.boundName;
    this.queue.wake(POLL.OUT | POLL.WRNORM);
    return 0;
  }

  private waitForBacklog(kernel: Kernel, task: Task, listener: UnixSocket): number | Block {
    const blocked = this.wait(kernel, task, 0, SO.SNDTIMEO, 'connect unix socket');
    return typeof blocked === 'number' ? blocked : { ...blocked, queues: [listener.senders] };
  }

  /** Name as effects have it where somebody outside could connect (a stream listener), else undefined. */
  get listensAs(): string | undefined {
    return this.listening && this.kind === SOCK.STREAM && this.boundName !== '' ? this.boundName : undefined;
  }

  /** A client outside of the container (through a shared volume) connects; its end, undefined where the backlog is full. */
  connectedOutside(): StreamEnd | undefined {
    if (this.pending.length > (this.backlog ?? 0)) return undefined;
    const [mine, theirs] = streamPair(CAPACITY);
    theirs.outgoing.log = [];
    this.pending.push({ end: theirs, peerPath: '', credentials: { pid: 0, uid: 0, gid: 0 } });
    this.queue.wake(POLL.IN | POLL.RDNORM);
    return mine;
  }

  override accept(kernel: Kernel, task: Task, flags: number): UnixSocket | number | Block {
    if (this.datagrams) return -E.OPNOTSUPP;
    if (!this.listening) return -E.INVAL;
    const next = this.pending.shift();
    if (next === undefined) {
      const blocked = this.wait(kernel, task, 0, SO.RCVTIMEO, `accept ${this.boundName}`);
      return this.shutRead && typeof blocked !== 'number' ? -E.INVAL : blocked;
    }
    this.senders.wake();
    const socket = new UnixSocket({
      domain: this.domain,
      kind: this.kind,
      protocol: this.protocol,
      flags,
      ino: kernel.vfs.takeIno(),
      queue: next.end.queue,
    });
    socket.end = next.end;
    socket.path = this.path;
    socket.boundName = this.boundName;
    socket.peerPath = next.peerPath;
    socket.peer = next.credentials;
    if (this.options.has(SOL.SOCKET, SO.PASSCRED)) socket.options.setNumber(SOL.SOCKET, SO.PASSCRED, 1);
    return socket;
  }

  /** socketpair(2). */
  static pair(
    kernel: Kernel,
    task: Task,
    parts: Omit<SocketParts, 'ino' | 'queue'>,
  ): readonly [UnixSocket, UnixSocket] {
    const first = new UnixSocket({ ...parts, ino: kernel.vfs.takeIno() });
    const [a, b] = streamPair(CAPACITY, { first: first.queue, free: FREE });
    const second = new UnixSocket({ ...parts, ino: kernel.vfs.takeIno(), queue: b.queue });
    first.peer = second.peer = credentialsOf(task);
    if (first.datagrams) {
      first.target = second;
      second.target = first;
    } else {
      first.end = a;
      second.end = b;
    }
    return [first, second];
  }

  // data

  send(kernel: Kernel, task: Task, message: Outgoing): number | Block {
    if ((message.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP;
    if (this.kind !== SOCK.STREAM && this.error !== 0) return -this.takeError();
    return this.datagrams ? this.sendDatagram(kernel, task, message) : this.sendStream(kernel, task, message);
  }

  /** unix_may_send: a connected socket takes datagrams from its peer only. */
  private takesFrom(sender: UnixSocket): boolean {
    return this.target === undefined || this.target === sender;
  }

  /** unix_dgram_disconnected: what the old peer sent is lost, and if it lives it is told. */
  private leaveTarget(kernel: Kernel): void {
    const { target } = this;
    this.target = undefined;
    if (target === undefined || this.inbox.length === 0) return;
    this.dropInbox(kernel);
    if (!target.closed && target.target === this) {
      target.error = E.CONNRESET;
      target.queue.wake();
    }
  }

  private dropInbox(kernel: Kernel): void {
    for (const { files } of this.inbox) for (const file of files) kernel.dropFile(file);
    this.inbox.length = 0;
    this.inboxBytes = 0;
    this.senders.wake();
  }

  private sendDatagram(kernel: Kernel, task: Task, message: Outgoing): number | Block {
    const { to, bytes } = message;
    if (to !== undefined && to.family !== 'unix') return -E.INVAL;
    if (bytes.length > CAPACITY - 32) return -E.MSGSIZE;
    if (this.shutWrite) return -E.PIPE;
    const target = to === undefined ? (this.target ?? -E.NOTCONN) : this.lookup(kernel, task, to);
    if (typeof target === 'number') return target;
    if (!target.takesFrom(this)) return -E.PERM;
    if (target.closed) {
      this.leaveTarget(kernel);
      return -E.CONNREFUSED;
    }
    if (target.shutRead) return -E.PIPE;
    if (target.inbox.length >= DATAGRAMS_QUEUED || target.inboxBytes + bytes.length > CAPACITY) {
      const blocked = this.wait(kernel, task, message.flags, SO.SNDTIMEO, 'send unix datagram');
      return typeof blocked === 'number' ? blocked : { ...blocked, queues: [target.senders] };
    }
    for (const file of message.files) file.references++;
    target.inbox.push({
      bytes: bytes.slice(),
      from: this.path,
      files: message.files,
      credentials: message.credentials ?? credentialsOf(task),
    });
    target.inboxBytes += bytes.length;
    target.queue.wake(POLL.IN | POLL.RDNORM);
    return bytes.length;
  }

  private sendStream(kernel: Kernel, task: Task, message: Outgoing): number | Block {
    const { end } = this;
    const { bytes, files, to } = message;
    if (end === undefined) return to !== undefined && !this.records ? -E.OPNOTSUPP : -E.NOTCONN;
    if (to !== undefined && !this.records) return -E.ISCONN;
    if (this.records && end.reset && !this.told) return -this.takeError();
    if (this.shutWrite || end.peer.closed || end.outgoing.refused) return -E.PIPE;
    let done = Number(task.restart?.done ?? 0);
    const part = this.records
      ? end.room >= Math.min(bytes.length, CAPACITY / 2)
        ? bytes.length
        : 0
      : Math.min(bytes.length - done, end.room);
    if (bytes.length === 0 && !this.records) return 0;
    if (this.records && bytes.length > CAPACITY - 32) return -E.MSGSIZE;
    if (part > 0 || (this.records && bytes.length === 0)) {
      const attached = done === 0 ? files : [];
      for (const file of attached) file.references++;
      end.push(bytes.subarray(done, done + part), attached, message.credentials ?? credentialsOf(task));
      done += part;
    }
    if (done === bytes.length) return done;
    const blocked = this.wait(kernel, task, message.flags, SO.SNDTIMEO, 'send unix socket');
    if (done > 0 && (typeof blocked === 'number' || task.signalled)) return done;
    task.restart = { ...task.restart, done };
    return blocked;
  }

  receive(kernel: Kernel, task: Task, length: number, flags: number): Incoming | number | Block {
    if (this.error !== 0) return -this.takeError();
    if ((flags & MSG.OOB) !== 0) return -E.OPNOTSUPP;
    return this.datagrams
      ? this.receiveDatagram(kernel, task, length, flags)
      : this.receiveStream(kernel, task, length, flags);
  }

  private receiveDatagram(
    kernel: Kernel,
    task: Task,
    length: number,
    flags: number,
  ): Incoming | number | Block {
    if (this.error !== 0) return -this.takeError();
    const next = this.inbox[0];
    if (next === undefined) {
      const blocked = this.wait(
        kernel,
        task,
        flags,
        SO.RCVTIMEO,
        `read ${this.boundName === '' ? 'unix datagram' : this.boundName}`,
      );
      // A shut socket has an end of file only for those who would wait.
      return this.shutRead && typeof blocked !== 'number' ? received(new Uint8Array(0)) : blocked;
    }
    const peek = (flags & MSG.PEEK) !== 0;
    if (peek) {
      for (const file of next.files) file.references++;
    } else {
      this.inbox.shift();
      this.inboxBytes -= next.bytes.length;
      this.senders.wake();
    }
    const { files, credentials } = next;
    const from: SocketAddress = { family: 'unix', path: next.from };
    return received(next.bytes.subarray(0, length), { length: next.bytes.length, from, files, credentials });
  }

  private receiveStream(
    kernel: Kernel,
    task: Task,
    length: number,
    flags: number,
  ): Incoming | number | Block {
    const { end } = this;
    if (end === undefined) return this.records ? -E.NOTCONN : -E.INVAL;
    if (this.records && end.reset && !this.told) return -this.takeError();
    const peek = (flags & MSG.PEEK) !== 0;
    const finished = end.incoming.ended || end.reset || this.shutRead;
    const enough = (flags & MSG.WAITALL) !== 0 && !peek && !this.records ? Math.min(length, CAPACITY / 2) : 1;
    const waiting = end.incoming.packets.length > 0;
    if (
      waiting &&
      (length > 0 || this.records) &&
      (end.incoming.length >= enough || finished || task.signalled || this.records)
    ) {
      const taken = end.take(length, { peek, records: this.records });
      if (taken !== undefined) {
        if (peek) for (const file of taken.files) file.references++;
        return { ...taken, from: undefined, to: undefined };
      }
    }
    if (length === 0 && waiting && !this.records) return received(new Uint8Array(0));
    if (end.reset && !this.told) return -this.takeError();
    if (finished || end.peer.closed) return received(new Uint8Array(0));
    return this.wait(kernel, task, flags, SO.RCVTIMEO, 'read unix socket');
  }

  override takeError(): number {
    if (this.end?.reset !== true || this.told) return super.takeError();
    this.told = true;
    return E.CONNRESET;
  }

  override shutdown(_kernel: Kernel, how: number): number {
    const { end } = this;
    if (how !== SHUT.WR) {
      this.shutRead = true;
      end?.endReading();
    }
    if (how !== SHUT.RD) {
      this.shutWrite = true;
      end?.endWriting();
    }
    this.queue.wake();
    return 0;
  }

  /** unix_poll and unix_dgram_poll. */
  poll(): number {
    const { end } = this;
    const gone = end?.peer.closed === true;
    const readEnded = this.shutRead || gone || end?.incoming.ended === true;
    const writeEnded = this.shutWrite || gone || end?.outgoing.refused === true;
    const waiting = this.listening
      ? this.pending.length > 0
      : this.datagrams
        ? this.inbox.length > 0
        : (end?.incoming.packets.length ?? 0) > 0;
    let events = 0;
    if (this.error !== 0 || (end?.reset === true && !this.told)) events |= POLL.ERR;
    if (readEnded && writeEnded) events |= POLL.HUP;
    if (readEnded) events |= POLL.RDHUP | POLL.IN | POLL.RDNORM;
    if (waiting) events |= POLL.IN | POLL.RDNORM;
    if (!this.datagrams && end === undefined && !this.listening) events |= POLL.HUP;
    if (this.mayWrite) events |= POLL.OUT | POLL.WRNORM | POLL.WRBAND;
    return events;
  }

  private get mayWrite(): boolean {
    if (this.listening) return false;
    const { target, end } = this;
    if (this.datagrams)
      return (
        target === undefined ||
        target.closed ||
        target.target === this ||
        target.inbox.length < DATAGRAMS_QUEUED
      );
    return end === undefined || end.peer.closed || end.writable;
  }

  override close(kernel: Kernel): void {
    this.closed = true;
    if (
      this.path.startsWith('\0') &&
      kernel.net.abstractNames.get(abstractKey(this.kind, this.path)) === this
    )
      kernel.net.abstractNames.delete(abstractKey(this.kind, this.path));
    if (this.inode?.owner === this) this.inode.owner = undefined;
    for (const { end } of this.pending) end.close(kernel, true);
    this.pending.length = 0;
    this.dropInbox(kernel);
    this.end?.close(kernel, false);
    this.senders.wake();
  }
}

/** Each type of socket has abstract names of its own. */
const abstractKey = (kind: number, path: string): string => `${kind}${path}`;

/** `@name` for abstract names. */
function shownName(path: string): string {
  return path.startsWith('\0') ? `@${path.slice(1)}` : path;
}

export function effectName(kernel: Kernel, task: Task, path: string): string {
  if (path === '' || path.startsWith('\0')) return shownName(path);
  return kernel.vfs.nameAt(task, AT.FDCWD, path);
}
