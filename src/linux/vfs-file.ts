// Regular files: of the image with pages written over them, of tmpfs, and memfd.
import type { FileNode } from '../image/index.ts';
import { type Backing, PAGE_SIZE } from '../machine/index.ts';
import { F, O, S, SEAL } from './abi-file.ts';
import { SIG } from './abi-signal.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { isMarked } from './memory-marks.ts';
import { SHARED } from './shared.ts';
import { sendSignal } from './signals.ts';
import type { Task } from './task.ts';
import { FilePages } from './vfs-data.ts';
import { Inode, type Opening, realTime, type Superblock } from './vfs-inode.ts';
import { type Actor, actorOf, withoutPrivileges } from './vfs-permission.ts';
import { PlacedFile } from './vfs-placed.ts';

const RLIMIT_FSIZE = 1;
const LARGEST = Number.MAX_SAFE_INTEGER;
const DAY = 86_400_000_000_000n;

/** Is the Backing of its own mappings, so that shared mappings of one file share pages. */
export class RegularInode extends Inode implements Backing {
  readonly data: FilePages;
  /** F_SEAL bits; undefined where sealing is not allowed. */
  seals: number | undefined = undefined;

  constructor(superblock: Superblock, mode: number, lower?: FileNode) {
    super(superblock, S.IFREG | (mode & 0o7777), lower?.ino);
    this.data = new FilePages(lower);
  }

  override get size(): number {
    return this.data.size;
  }
  override get blocks(): number {
    const { data } = this;
    return Math.ceil((data.lower === undefined ? data.stored : data.size) / 4096) * 8;
  }

  open(opening: Opening): OpenFile {
    return new RegularFile(opening);
  }

  /** Of a file that is as the image has it: one object for ever, whose pages may be cached. */
  readOnlyBacking(): Backing {
    const { data } = this;
    return data.pristine && data.lower !== undefined ? imageBacking(data.lower) : this;
  }

  readInto(offset: number, into: Uint8Array): void {
    this.data.readInto(offset, into);
  }

  /** Bytes written, or a negative errno. */
  writeAt(kernel: Kernel, task: Task | undefined, offset: number, bytes: Uint8Array): number {
    if (this.seals !== undefined) {
      if ((this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0) return -E.PERM;
      if ((this.seals & SEAL.GROW) !== 0 && offset + bytes.length > this.size) return -E.PERM;
    }
    const limit = fileSizeLimit(task);
    if (bytes.length === 0) return 0;
    if (offset >= limit) {
      if (task !== undefined)
        sendSignal(kernel, task.process, SIG.XFSZ, {
          code: 0,
          pid: task.process.pid,
          uid: task.process.credentials.uid,
        });
      return -E.FBIG;
    }
    const fitting = bytes.length > limit - offset ? bytes.subarray(0, limit - offset) : bytes;
    kernel.machine.memory.sync(this);
    const before = this.data.stored;
    if (this.superblock.used + fitting.length > this.superblock.capacity && offset + fitting.length > before)
      return -E.NOSPC;
    this.data.write(offset, fitting);
    this.superblock.used += this.data.stored - before;
    kernel.machine.memory.backingChanged(this, offset, fitting.length);
    if (task !== undefined) this.mode = withoutPrivileges(actorOf(task), this);
    this.xattrs?.delete('security.capability');
    this.touch(kernel);
    return fitting.length;
  }

  /** Pages written through shared mappings come back; the size stays. */
  writeFrom(offset: number, bytes: Uint8Array): void {
    const fitting = bytes.subarray(0, Math.max(0, this.size - offset));
    const before = this.data.stored;
    this.data.write(offset, fitting);
    this.superblock.used += this.data.stored - before;
  }

  override truncate(kernel: Kernel, size: number, actor: Actor): number {
    if (this.seals !== undefined) {
      if ((this.seals & SEAL.SHRINK) !== 0 && size < this.size) return -E.PERM;
      if ((this.seals & SEAL.GROW) !== 0 && size > this.size) return -E.PERM;
    }
    kernel.machine.memory.sync(this);
    const before = this.data.stored;
    const length = this.size;
    this.data.truncate(size);
    this.superblock.used += this.data.stored - before;
    const shrunk = size < length;
    kernel.machine.memory.backingChanged(this, size, Number.MAX_SAFE_INTEGER - size);
    if (shrunk) this.unmapBeyond(kernel, size);
    this.mode = withoutPrivileges(actor, this);
    this.xattrs?.delete('security.capability');
    this.touch(kernel);
    return 0;
  }

  /** Pages that are wholly beyond the end go from all mappings, private copies too (unmap_mapping_range). */
  private unmapBeyond(kernel: Kernel, size: number): void {
    const end = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    for (const { space } of kernel.processes.values())
      for (const region of space.regions()) {
        if (region.backing !== this) continue;
        const from = region.start + Math.max(0, end - region.offset);
        if (from < region.end) space.discard(from, region.end - from);
      }
  }

  override free(): void {
    this.superblock.used -= this.data.stored;
    this.superblock.inodes--;
    this.data.truncate(0);
  }
}

export function fileSizeLimit(task: Task | undefined): number {
  const soft = task?.process.rlimits[RLIMIT_FSIZE]?.[0];
  return soft === undefined || soft > BigInt(LARGEST) ? LARGEST : Number(soft);
}

/** Contents of a file of the image. */
class ImageBacking implements Backing {
  readonly [SHARED] = true;
  readonly immutable = true;
  readonly size: number;
  private readonly node: FileNode;

  constructor(node: FileNode) {
    this.node = node;
    this.size = node.size;
  }
  readInto(offset: number, into: Uint8Array): void {
    this.node.readInto(offset, into);
  }
}

const imageBackings = new WeakMap<FileNode, ImageBacking>();

function imageBacking(node: FileNode): Backing {
  let backing = imageBackings.get(node);
  if (backing === undefined) {
    backing = new ImageBacking(node);
    imageBackings.set(node, backing);
  }
  return backing;
}

export class RegularFile extends PlacedFile {
  override get inode(): RegularInode {
    return this.place.dentry.inode as RegularInode;
  }

  read(kernel: Kernel, _task: Task, length: number, at: number | undefined): Uint8Array | number {
    if ((this.flags & O.ACCMODE) === O.WRONLY) return -E.BADF;
    const { inode } = this;
    kernel.machine.memory.sync(inode);
    const bytes = inode.data.read(at ?? this.position, length);
    if (at === undefined) this.position += bytes.length;
    if (bytes.length > 0 && (this.flags & O.NOATIME) === 0) this.accessed(kernel);
    return bytes;
  }

  /** relatime. */
  private accessed(kernel: Kernel): void {
    const { inode } = this;
    if (this.place.mount.flags.readOnly) return;
    const now = realTime(kernel);
    if (inode.atime <= inode.mtime || inode.atime <= inode.ctime || now - inode.atime > DAY)
      inode.atime = now;
  }

  write(kernel: Kernel, task: Task, bytes: Uint8Array, at: number | undefined): number {
    if ((this.flags & O.ACCMODE) === O.RDONLY) return -E.BADF;
    const { inode } = this;
    const offset = (this.flags & O.APPEND) !== 0 ? inode.size : (at ?? this.position);
    const result = inode.writeAt(kernel, task, offset, bytes);
    if (result > 0 && at === undefined) this.position = offset + result;
    return result;
  }

  /**
   * A file that is as the image has it and can't be written through this description is backed by the image's own
   * contents, which are the same object in every snapshot (code caches are keyed by it).
   */
  override backing(): Backing {
    const readOnly = (this.flags & O.ACCMODE) === O.RDONLY;
    return readOnly ? this.inode.readOnlyBacking() : this.inode;
  }
}

/** Whether somebody has a shared mapping that is or may become writable. */
function isMappedWritable(kernel: Kernel, inode: RegularInode): boolean {
  for (const process of kernel.processes.values()) {
    if (process.exitStatus !== undefined) continue;
    for (const { shared, backing, start, end } of process.space.regions())
      if (shared && backing === inode && !isMarked(process, start, end, 'unwritable')) return true;
  }
  return false;
}

/** fcntl(F_ADD_SEALS, F_GET_SEALS) on any file. */
export function sealCommand(
  kernel: Kernel,
  file: OpenFile,
  { command, argument }: { readonly command: number; readonly argument: number },
): number {
  if (!(file instanceof RegularFile) || file.inode.seals === undefined) return -E.INVAL;
  const { inode } = file;
  const seals = inode.seals ?? 0;
  if (command === F.GET_SEALS) return seals;
  if ((file.flags & O.ACCMODE) === O.RDONLY) return -E.PERM;
  if ((argument & ~0x3f) !== 0) return -E.INVAL;
  if ((seals & SEAL.SEAL) !== 0) return -E.PERM;
  if ((argument & SEAL.WRITE) !== 0 && (seals & SEAL.WRITE) === 0 && isMappedWritable(kernel, inode))
    return -E.BUSY;
  inode.seals = seals | argument;
  return 0;
}
