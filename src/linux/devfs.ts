// Device nodes: the memory devices that every container has. Others exist as nodes but can't be opened, as the device
// cgroup of a container runtime has it.
import type { Backing } from '../machine/index.ts';
import { O, S } from './abi-file.ts';
import { E } from './errno.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { openControlling, openMaster } from './pty.ts';
import { share } from './shared.ts';
import type { Task } from './task.ts';
import { Inode, type Opening, type Superblock } from './vfs-inode.ts';
import { PlacedFile } from './vfs-placed.ts';

export class DeviceInode extends Inode {
  readonly device: { readonly major: number; readonly minor: number };

  constructor(
    superblock: Superblock,
    mode: number,
    device: { readonly major: number; readonly minor: number },
    ino?: number,
  ) {
    super(superblock, mode, ino);
    this.device = device;
  }
  override get rdevMajor(): number {
    return this.device.major;
  }
  override get rdevMinor(): number {
    return this.device.minor;
  }
  override truncate(): number {
    return this.type === S.IFCHR ? 0 : -E.INVAL;
  }

  open(opening: Opening): OpenFile | number {
    if (opening.place.mount.flags.nodev) return -E.ACCES;
    if (this.type === S.IFCHR) {
      switch (`${this.device.major}:${this.device.minor}`) {
        case '1:3':
          return new NullFile(opening);
        case '1:5':
          return new ZeroFile(opening, true);
        case '1:7':
          return new ZeroFile(opening, false);
        case '1:8':
        case '1:9':
          return new RandomFile(opening);
        case '5:0':
          return openControlling(opening);
        case '5:2':
          return openMaster(opening);
        case '5:1':
          return -E.IO;
        default:
          break;
      }
    }
    const { kernel, task } = opening;
    kernel.cut({
      kind: 'file',
      what: `device ${this.device.major}:${this.device.minor} (${opening.name})`,
      consequence: 'open answers EPERM',
      exe: task?.process.exe ?? '',
      at: undefined,
    });
    return -E.PERM;
  }
}

export class NullFile extends PlacedFile {
  read(): Uint8Array {
    return new Uint8Array(0);
  }
  write(_kernel: Kernel, _task: Task, bytes: Uint8Array): number {
    return bytes.length;
  }
}

/** /dev/zero (`accepts` writes) and /dev/full. */
class ZeroFile extends PlacedFile {
  private readonly accepts: boolean;
  constructor(opening: Opening, accepts: boolean) {
    super(opening);
    this.accepts = accepts;
  }
  read(_kernel: Kernel, _task: Task, length: number): Uint8Array {
    return new Uint8Array(length);
  }
  write(_kernel: Kernel, _task: Task, bytes: Uint8Array): number {
    return this.accepts ? bytes.length : -E.NOSPC;
  }
  /** Private mappings of /dev/zero are anonymous memory. */
  override backing() {
    return this.accepts ? zeros : undefined;
  }
}

const zeros: Backing = share({
  size: Number.MAX_SAFE_INTEGER,
  readInto: (_offset, into) => void into.fill(0),
});

class RandomFile extends PlacedFile {
  read(kernel: Kernel, _task: Task, length: number): Uint8Array {
    return kernel.random(length);
  }
  write(_kernel: Kernel, _task: Task, bytes: Uint8Array): number {
    return bytes.length;
  }
}

/** name, type and mode, major, minor of the nodes that runtimes make in /dev. */
export const STANDARD_DEVICES = [
  ['null', S.IFCHR | 0o666, 1, 3],
  ['zero', S.IFCHR | 0o666, 1, 5],
  ['full', S.IFCHR | 0o666, 1, 7],
  ['random', S.IFCHR | 0o666, 1, 8],
  ['urandom', S.IFCHR | 0o666, 1, 9],
  ['tty', S.IFCHR | 0o666, 5, 0],
] as const;

export const STANDARD_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['core', '/proc/kcore'],
  ['ptmx', 'pts/ptmx'],
] as const;

/** Whether a description was opened for reading. */
export const readable = (flags: number): boolean => (flags & O.ACCMODE) !== O.WRONLY;
export const writable = (flags: number): boolean => (flags & O.ACCMODE) !== O.RDONLY;
