// What the world outside of the container does: clients that connect, send, close; datagrams; answers to connections
// that the container asked for. Plain actions on a kernel at rest. Connections are named by numbers and listeners by
// their endpoints, so both mean the same in a snapshot.
import { assert, joined } from '../bytes/index.ts';
import type { InetAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { isAny, type Outside, type PortUser, type WorldConnection } from './net.ts';
import { PipeFile } from './pipe.ts';
import { streamPair } from './socket-stream.ts';
import { TcpSocket } from './socket-tcp.ts';
import { UdpSocket } from './socket-udp.ts';
import { UnixSocket } from './socket-unix.ts';
import type { Process } from './task.ts';

/** An endpoint that somebody outside can reach. */
export interface Listener {
  readonly protocol: 'tcp' | 'udp' | 'unix';
  /** As bound; `0.0.0.0` and `::` are any. Of a unix socket its path, or `@name`. */
  readonly address: string;
  /** 0 of a unix socket. */
  readonly port: number;
  /** Connections, not datagrams. */
  readonly stream: boolean;
}

/** Where a client calls from. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Unix sockets have no address on the network. */
const NOWHERE: InetAddress = { family: 'inet', address: '0.0.0.0', port: 0 };
/** Bytes that a connection holds in each direction. */
const CAPACITY = 212_992;

/** Listening stream sockets and bound, unconnected UDP sockets, each endpoint once, sorted. */
function listeners(kernel: Kernel): Listener[] {
  const found = new Map<string, Listener>();
  const add = (protocol: Listener['protocol'], local: Pick<InetAddress, 'address' | 'port'>): void => {
    const { address, port } = local;
    found.set(`${protocol} ${address} ${port}`, { protocol, address, port, stream: protocol !== 'udp' });
  };
  for (const socket of unixListeners(kernel)) add('unix', { address: socket.listensAs ?? '', port: 0 });
  for (const users of kernel.net.tcp.values())
    for (const socket of users)
      if (socket instanceof TcpSocket && socket.listening && socket.local !== undefined)
        add('tcp', socket.local);
  for (const users of kernel.net.udp.values())
    for (const socket of users)
      if (socket instanceof UdpSocket && socket.local !== undefined && socket.peerAddress() === undefined)
        add('udp', socket.local);
  return [...found.values()].sort((a, b) =>
    a.protocol === b.protocol
      ? a.port - b.port || (a.address < b.address ? -1 : 1)
      : a.protocol < b.protocol
        ? -1
        : 1,
  );
}

/** Processes that hold the listener's socket: who answers there. */
function servers(kernel: Kernel, listener: Listener): readonly Process[] {
  return [...kernel.processes.values()].filter(
    ({ exitStatus, files }) =>
      exitStatus === undefined &&
      files.slots.some((slot) => slot !== undefined && listensAt(slot.file, listener)),
  );
}

/** Their programs, each once. */
function holders(kernel: Kernel, listener: Listener): readonly string[] {
  return [...new Set(servers(kernel, listener).map(({ exe }) => exe))];
}

function listensAt(file: OpenFile, { protocol, address, port }: Listener): boolean {
  if (protocol === 'unix') return file instanceof UnixSocket && file.listensAs === address;
  if (!(file instanceof (protocol === 'tcp' ? TcpSocket : UdpSocket))) return false;
  if (file instanceof TcpSocket && !file.listening) return false;
  return file.local?.port === port && file.local.address === address;
}

/** Unix sockets that listen, wherever a process holds them. */
function unixListeners(kernel: Kernel): UnixSocket[] {
  const out = new Set<UnixSocket>();
  for (const { files } of kernel.processes.values())
    for (const slot of files.slots)
      if (slot?.file instanceof UnixSocket && slot.file.listensAs !== undefined) out.add(slot.file);
  return [...out];
}

/**
 * The endpoint that a client addresses, and where it then calls from: loopback listeners have local clients only, and
 * clients within the container have an address of its own.
 */
function route(kernel: Kernel, listener: Listener, peer: Peer): { local: InetAddress; from: InetAddress } {
  const { net } = kernel;
  const { address, port } = listener;
  const family = address.includes(':') && !isAny(address) ? 'inet6' : 'inet';
  const within = net.isLoopback(peer.address);
  const own = within ? peer.address : net.address;
  const local: InetAddress = { family, address: isAny(address) ? own : address, port };
  const near = within || net.isLoopback(local.address);
  return { local, from: { family, address: near ? local.address : peer.address, port: peer.port } };
}

/** A client connects; the number of the connection, or undefined where nobody listens any more or the backlog is full. */
function connect(kernel: Kernel, listener: Listener, peer: Peer): number | undefined {
  if (listener.protocol === 'unix') return connectUnix(kernel, listener.address);
  const { local, from } = route(kernel, listener, peer);
  const { net } = kernel;
  const listening = (user: PortUser): user is TcpSocket => user instanceof TcpSocket && user.listening;
  const socket = net.match(net.tcp, local, listening).find((user) => user.hasRoom);
  if (socket === undefined) return undefined;
  const [theirs, mine] = streamPair(CAPACITY);
  theirs.outgoing.log = [];
  const id = net.takeId();
  net.connections.set(id, { id, direction: 'in', local, peer: from, end: mine });
  socket.arrive({ end: theirs, local, peer: from });
  return id;
}

function connectUnix(kernel: Kernel, name: string): number | undefined {
  const end = unixListeners(kernel)
    .find((socket) => socket.listensAs === name)
    ?.connectedOutside();
  if (end === undefined) return undefined;
  const id = kernel.net.takeId();
  kernel.net.connections.set(id, { id, direction: 'in', local: NOWHERE, peer: NOWHERE, end });
  return id;
}

function connection(kernel: Kernel, id: number): WorldConnection {
  const found = kernel.net.connections.get(id);
  assert(found !== undefined, `world connection ${id} exists`);
  return found;
}

/** Bytes arrive. Nothing happens on a connection that either side has closed. */
function send(kernel: Kernel, id: number, bytes: Uint8Array): void {
  const { end } = connection(kernel, id);
  if (!end.closed && !end.outgoing.ended && !end.outgoing.refused && bytes.length > 0) end.push(bytes);
}

/** What the guest has sent so far, at most the first MiB. */
function received(kernel: Kernel, id: number): Uint8Array {
  return joined(connection(kernel, id).end.incoming.log ?? []);
}

/** The client sends no more but still reads. */
function closeWrite(kernel: Kernel, id: number): void {
  const { end } = connection(kernel, id);
  if (!end.closed) end.endWriting();
}

function close(kernel: Kernel, id: number): void {
  connection(kernel, id).end.close(kernel, false);
}

function reset(kernel: Kernel, id: number): void {
  connection(kernel, id).end.close(kernel, true);
}

/** A datagram arrives; lost where nobody is there. */
function datagram(kernel: Kernel, listener: Listener, peer: Peer, bytes: Uint8Array): void {
  const { local, from } = route(kernel, listener, peer);
  const { net } = kernel;
  const takes = (user: PortUser): user is UdpSocket => user instanceof UdpSocket && user.takesFrom(from);
  net.match(net.udp, local, takes)[0]?.arrive(bytes, from, local.address);
}

/** A connection that the container asked for and nobody has answered. */
export interface OutboundRequest {
  readonly id: number;
  readonly peer: InetAddress;
}

function outbound(kernel: Kernel): OutboundRequest[] {
  return [...kernel.net.outbound.values()].map(({ id, peer }) => ({ id, peer }));
}

/** The other side takes the connection; its number. */
function acceptOutbound(kernel: Kernel, id: number): number {
  const request = kernel.net.outbound.get(id);
  assert(request !== undefined, `outbound request ${id} exists`);
  const end = request.socket.acceptedOutside(kernel);
  kernel.net.connections.set(id, { id, direction: 'out', local: request.local, peer: request.peer, end });
  return id;
}

/** The other side refuses (or, with another errno, cannot be reached). */
function refuseOutbound(kernel: Kernel, id: number, errno: number = E.CONNREFUSED): void {
  const request = kernel.net.outbound.get(id);
  assert(request !== undefined, `outbound request ${id} exists`);
  request.socket.refusedOutside(kernel, errno);
}

/** A datagram that the container sent to the outside: a DNS query to the name server, a log line. */
export interface SentDatagram {
  readonly id: number;
  readonly local: InetAddress;
  readonly peer: InetAddress;
  readonly bytes: Uint8Array;
}

/** The last thousand or so, in order. */
function sentDatagrams(kernel: Kernel): SentDatagram[] {
  return kernel.net.datagrams.map(({ id, local, peer, bytes }) => ({ id, local, peer, bytes }));
}

/** The one that a datagram was sent to answers it; false where the socket is closed or takes nothing from there. */
function answerDatagram(kernel: Kernel, id: number, bytes: Uint8Array): boolean {
  const sent = kernel.net.datagrams.find((one) => one.id === id);
  assert(sent !== undefined, `sent datagram ${id} exists`);
  const { socket, local, peer } = sent;
  if (socket.references <= 0 || !socket.takesFrom(peer)) return false;
  socket.arrive(bytes, peer, local.address);
  return true;
}

/** From now on this comes of what the container sends outside, and of connections that it asks for there. */
function setOutside(kernel: Kernel, outside: Outside): void {
  kernel.net.outside = outside;
}

const outside = (kernel: Kernel): Outside => kernel.net.outside;

/** Numbers of the connections that the container asked for and got. */
const asked = (kernel: Kernel): number[] =>
  [...kernel.net.connections.values()].flatMap(({ id, direction }) => (direction === 'out' ? [id] : []));

/** Who the container speaks to. */
const peerOf = (kernel: Kernel, id: number): InetAddress => connection(kernel, id).peer;

/** What the container wrote to its standard output (1) or error (2): at most the first MiB. */
function output(kernel: Kernel, stream: 1 | 2): Uint8Array {
  const file = kernel.streams[stream];
  const parts = file instanceof PipeFile ? (file.pipe.sink?.parts ?? []) : [];
  return joined(parts);
}

export const world = {
  listeners,
  holders,
  servers,
  connect,
  send,
  received,
  closeWrite,
  close,
  reset,
  datagram,
  outbound,
  acceptOutbound,
  refuseOutbound,
  sentDatagrams,
  answerDatagram,
  setOutside,
  outside,
  asked,
  peerOf,
  output,
} as const;
