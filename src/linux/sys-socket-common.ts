// What the socket families of calls share: the socket behind a descriptor, and addresses in guest memory.
import { AF, packAddress, parseAddress, SOCK, type SocketAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import { Socket } from './socket.ts';
import { fileOf } from './sys-file-common.ts';
import type { Task } from './task.ts';

export function socketOf(task: Task, fd: number): Socket | number {
  const file = fileOf(task, fd);
  if (file === undefined) return -E.BADF;
  return file instanceof Socket ? file : -E.NOTSOCK;
}

/** Shortest address that a domain takes. */
const LEAST: Readonly<Record<number, number>> = { [AF.INET]: 16, [AF.INET6]: 24 };

/** The sockaddr argument. Only a length out of all bounds is an error by itself. */
export function addressAt(
  task: Task,
  socket: Socket,
  address: number,
  length: number,
): SocketAddress | number {
  if (length < 0 || length > 128) return -E.INVAL;
  const bytes = length === 0 ? new Uint8Array(0) : task.process.space.read(address, length);
  if (length < 2) return { family: 'unusable', errno: E.INVAL };
  const family = bytes[0] | (bytes[1] << 8);
  if (family === AF.UNSPEC && socket.domain !== AF.UNIX) return { family: 'unspec' };
  // A datagram socket of IPv6 takes IPv4 addresses too.
  const least =
    family === AF.INET && socket.kind === SOCK.DGRAM ? LEAST[AF.INET] : (LEAST[socket.domain] ?? 2);
  if (length < least) return { family: 'unusable', errno: E.INVAL };
  return (
    parseAddress(bytes) ?? {
      family: 'unusable',
      errno: socket.domain === AF.UNIX || socket.domain === AF.NETLINK ? E.INVAL : E.AFNOSUPPORT,
    }
  );
}

/** Writes an address back as accept and getsockname do: cut to the caller's length, which becomes the whole length. */
export function giveAddress(
  task: Task,
  value: SocketAddress | undefined,
  address: number,
  lengthAt: number,
): number {
  if (address === 0) return 0;
  const { space } = task.process;
  const room = space.read32(lengthAt) | 0;
  if (room < 0) return -E.INVAL;
  const bytes = value === undefined ? new Uint8Array(0) : packAddress(value);
  space.write(address, bytes.subarray(0, room));
  space.write32(lengthAt, bytes.length);
  return 0;
}
