// What the file families share: descriptors, path arguments, vectors, and the effects that name them.
import { decodeText } from '../bytes/index.ts';
import type { Effect, Op, Resource } from '../effect/index.ts';
import { type AddressSpace, carryShadow, shadowedPart } from '../machine/index.ts';
import { MAX_RW, O, PATH_MAX } from './abi-file.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { Place } from './vfs-inode.ts';
import { fileTypeOf, PathFile } from './vfs-placed.ts';

export const RLIMIT_NOFILE = 7;
/** Highest descriptor that sysctl fs.nr_open allows. */
const NR_OPEN = 1048576;

/** A descriptor that can be read, written, and so on; O_PATH descriptors can't (EBADF). */
export function fileOf(task: Task, fd: number): OpenFile | undefined {
  const file = task.process.files.get(fd);
  return file instanceof PathFile ? undefined : file;
}

export function descriptorLimit(task: Task): number {
  const soft = task.process.rlimits[RLIMIT_NOFILE]?.[0] ?? 1024n;
  return soft > BigInt(NR_OPEN) ? NR_OPEN : Number(soft);
}

/** Gives a new description a descriptor, or closes it and answers -EMFILE. */
export function install(kernel: Kernel, task: Task, file: OpenFile, cloexec: boolean, from = 0): number {
  const { files } = task.process;
  file.references++;
  const limit = descriptorLimit(task);
  let fd = from;
  while (fd < limit && files.get(fd) !== undefined) fd++;
  if (fd < limit) files.put(fd, file, cloexec);
  kernel.dropFile(file);
  return fd < limit ? fd : -E.MFILE;
}

/** Whether no descriptor is left: what would make one is not begun then. */
export function tableIsFull({ process: { files } }: Task, limit: number): boolean {
  let fd = 0;
  while (fd < limit && files.get(fd) !== undefined) fd++;
  return fd === limit;
}

/** A path argument's text; throws MemoryFault on a bad address. */
export function pathAt(task: Task, address: number): string | number {
  const bytes = task.process.space.readCString(address, PATH_MAX);
  return bytes === undefined ? -E.NAMETOOLONG : decodeText(bytes);
}

export interface Vector {
  readonly address: number;
  readonly length: number;
}

/** struct iovec[]; -EINVAL where the count or the sum is out of range. */
export function vectorsAt(space: AddressSpace, address: number, count: number): Vector[] | number {
  if (count < 0 || count > 1024) return -E.INVAL;
  const out: Vector[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const length = space.read64(address + 16 * i + 8);
    if (length > 0x7fffffffffffffffn) return -E.INVAL;
    const fitting = Math.min(Number(length), MAX_RW - total);
    total += fitting;
    out.push({ address: Number(space.read64(address + 16 * i)), length: fitting });
  }
  return out;
}

export const totalLength = (vectors: readonly Vector[]): number =>
  vectors.reduce((sum, { length }) => sum + length, 0);

/** The bytes of all vectors, one after the other. */
export function gather(space: AddressSpace, vectors: readonly Vector[]): Uint8Array {
  if (vectors.length === 1) return space.read(vectors[0].address, vectors[0].length);
  const out = new Uint8Array(totalLength(vectors));
  let at = 0;
  for (const { address, length } of vectors) {
    const part = length > 0 ? space.read(address, length) : out.subarray(0, 0);
    out.set(part, at);
    carryShadow(out, at, part);
    at += length;
  }
  return out;
}

/** Spreads bytes over the vectors, in order. */
export function scatter(space: AddressSpace, vectors: readonly Vector[], bytes: Uint8Array): void {
  let at = 0;
  for (const { address, length } of vectors) {
    if (at >= bytes.length) return;
    const part = shadowedPart(bytes, at, at + length);
    if (part.length > 0) space.write(address, part);
    at += part.length;
  }
}

export const fileResource = (place: Place | undefined, path: string): Resource => ({
  kind: 'file',
  type: place === undefined ? 'f' : fileTypeOf(place.dentry.inode.mode),
  path,
});

export const effectOn = (op: Op, resource: Resource, access = ''): Effect => ({ op, resource, access });

/** Access letters of an OPEN. */
export function accessLetters(flags: number): string {
  const access = flags & O.ACCMODE;
  let out = '';
  if ((flags & O.PATH) !== 0) return out;
  if (access === O.RDONLY || access === O.RDWR) out += 'r';
  if (access === O.WRONLY || access === O.RDWR) out += 'w';
  if ((flags & O.CREAT) !== 0) out += 'c';
  if ((flags & O.TRUNC) !== 0) out += 't';
  if ((flags & O.APPEND) !== 0) out += 'a';
  return out;
}
