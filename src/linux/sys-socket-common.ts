// What the socket families of calls share: the socket behind a descriptor, and addresses in guest memory.
import { AF, packAddress, parseAddress, type SocketAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import { Socket } from './socket.ts';
import { fileOf } from './sys-file-common.ts';
import type { Task } from './task.ts';

export function socketOf(task: Task, fd: number): Socket | number {
  const file = fileOf(task, fd);
  if (file === undefined) return -E.BADF;
  return file instanceof Socket ? file : -E.NOTSOCK;
}

/** The sockaddr argument; a negative errno where it is none that the socket could take. */
export function addressAt(
  task: Task,
  socket: Socket,
  address: number,
  length: number,
): SocketAddress | number {
  if (length < 2 || length > 128) return -E.INVAL;
  const bytes = task.process.space.read(address, length);
  const family = bytes[0] | (bytes[1] << 8);
  return (
    parseAddress(bytes) ?? -(family === socket.domain || socket.domain === AF.UNIX ? E.INVAL : E.AFNOSUPPORT)
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
