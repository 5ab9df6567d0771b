// What a process has open, followed call by call: descriptor tables, the files and sockets behind them, paths made
// absolute. Recorders say what a descriptor is when it is used (which covers what was inherited); the calls say the
// rest: the name that the program gave, addresses, who connected to whom.
import type { DescriptorTarget, SocketAddress } from './syscall-event.ts';

export type Family = 'inet' | 'inet6' | 'unix' | 'netlink' | 'other';

export interface OpenPath {
  readonly kind: 'file';
  /** d where it was opened as a directory; everything else with a path is f, as SysFlow's collector has it. */
  readonly type: 'f' | 'd';
  /** Absolute, as the program named it (symbolic links not followed), or as the kernel names what was inherited. */
  readonly path: string;
  /** What the kernel calls it where that is no path: the name was a link to a pipe (a log that is standard output). */
  readonly behind?: DescriptorTarget | undefined;
}

export interface OpenPipe {
  readonly kind: 'pipe';
  readonly inode: number;
}

export interface OpenAnon {
  readonly kind: 'anon';
  /** `[eventfd]` …, `memfd:NAME`. */
  readonly name: string;
}

/** Mutable: addresses become known bit by bit. */
export interface OpenSocket {
  readonly kind: 'socket';
  readonly family: Family;
  /** SOCK_ number, and the protocol number as given to socket(2). */
  readonly type: number;
  readonly protocol: number;
  local: SocketAddress | undefined;
  peer: SocketAddress | undefined;
  /** Client: it connected or sent first. Server: it was accepted or received first. */
  role: 'client' | 'server' | undefined;
  /** Whom the last datagram was from or to, on a socket without a peer. */
  lastPeer: SocketAddress | undefined;
  listening: boolean;
  /** It was connected again: recorders that remember addresses by socket have old ones, only calls tell the new. */
  reconnected: boolean;
  /** Unix sockets: the peer is whom it failed to connect to. */
  refused: boolean;
  /** What bind gave it; stays when an association is dissolved. */
  bound: SocketAddress | undefined;
  inode: number | undefined;
  peerInode: number | undefined;
}

export type OpenFile = OpenPath | OpenPipe | OpenAnon | OpenSocket;

interface Slot {
  readonly file: OpenFile;
  closeOnExec: boolean;
}

/** One descriptor table; threads share one. */
export class DescriptorTable {
  private readonly slots = new Map<number, Slot>();

  get(fd: number): OpenFile | undefined {
    return this.slots.get(fd)?.file;
  }

  set(fd: number, file: OpenFile, closeOnExec: boolean): void {
    this.slots.set(fd, { file, closeOnExec });
  }

  setCloseOnExec(fd: number, value: boolean): void {
    const slot = this.slots.get(fd);
    if (slot !== undefined) slot.closeOnExec = value;
  }

  close(fd: number): void {
    this.slots.delete(fd);
  }

  /** Descriptors from first to last, in order. */
  between(first: number, last: number): number[] {
    return [...this.slots.keys()].filter((fd) => fd >= first && fd <= last).sort((a, b) => a - b);
  }

  /** For fork: another table with the same files. */
  copy(): DescriptorTable {
    const other = new DescriptorTable();
    for (const [fd, slot] of this.slots) other.slots.set(fd, { ...slot });
    return other;
  }

  exec(): void {
    for (const [fd, slot] of this.slots) if (slot.closeOnExec) this.slots.delete(fd);
  }
}

/** A file that only the recorder's annotation tells of. */
export function fileOf(target: DescriptorTarget, strip: (path: string) => string): OpenFile {
  switch (target.kind) {
    case 'path':
      return { kind: 'file', type: 'f', path: strip(target.path) };
    case 'pipe':
      return { kind: 'pipe', inode: target.inode };
    case 'anon':
      return { kind: 'anon', name: target.name };
    default: {
      const [family, type] = protocols[target.protocol] ?? (['other', 0] as const);
      const socket: OpenSocket = { ...newSocket(family, type, 0) };
      learn(socket, target);
      return socket;
    }
  }
}

/** strace's names of socket protocols to family and SOCK_ type. */
const protocols: { readonly [name: string]: readonly [Family, number] | undefined } = {
  TCP: ['inet', 1],
  TCPv6: ['inet6', 1],
  UDP: ['inet', 2],
  UDPv6: ['inet6', 2],
  'UDP-Lite': ['inet', 2],
  RAW: ['inet', 3],
  RAWv6: ['inet6', 3],
  PING: ['inet', 2],
  UNIX: ['unix', 2],
  'UNIX-STREAM': ['unix', 1],
  'UNIX-DGRAM': ['unix', 2],
  'UNIX-SEQPACKET': ['unix', 5],
  NETLINK: ['netlink', 3],
};

export function newSocket(family: Family, type: number, protocol: number): OpenSocket {
  return {
    kind: 'socket',
    family,
    type,
    protocol,
    local: undefined,
    peer: undefined,
    role: undefined,
    lastPeer: undefined,
    listening: false,
    reconnected: false,
    refused: false,
    bound: undefined,
    inode: undefined,
    peerInode: undefined,
  };
}

/** Takes over what an annotation knows of a socket. */
export function learn(socket: OpenSocket, target: DescriptorTarget | undefined): void {
  if (target?.kind !== 'socket') return;
  if (!socket.reconnected) {
    socket.local = target.local ?? socket.local;
    socket.peer = target.peer ?? socket.peer;
  }
  socket.inode = target.inode ?? socket.inode;
  socket.peerInode = target.peerInode ?? socket.peerInode;
}

/**
 * Whether an annotation can be about this file. Paths are not compared: the program's name and the kernel's differ by
 * links, and names like /dev/stdout can stand for anything.
 */
export function agrees(file: OpenFile, target: DescriptorTarget): boolean {
  if (file.kind === 'file')
    return target.kind === 'path' || /^\/(dev|proc)\//.test(file.path) || sameTarget(file.behind, target);
  if (file.kind === 'anon' && file.name.startsWith('memfd:')) return target.kind === 'path';
  if (target.kind === 'path') return false;
  if (target.kind === 'pipe') return file.kind === 'pipe' && file.inode === target.inode;
  return file.kind === target.kind;
}

const sameTarget = (a: DescriptorTarget | undefined, b: DescriptorTarget): boolean =>
  a !== undefined && a.kind === b.kind && (a.kind !== 'pipe' || b.kind !== 'pipe' || a.inode === b.inode);

/** Absolute and without `.`, `..` and repeated slashes; links are not followed. */
export function absolutePath(base: string, path: string): string {
  const parts: string[] = [];
  const whole = path.startsWith('/') ? path : `${base}/${path}`;
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The path that a unix socket goes by: the peer's that it connected to, else its own; '' without a name. */
export function unixPath(socket: OpenSocket): string {
  const end = socket.peer?.kind === 'unix' && socket.peer.path !== '' ? socket.peer : socket.local;
  return end?.kind === 'unix' ? end.path : '';
}
