// Files of this machine read by offset, synchronously. Everything that reads an image goes through RandomAccess,
// so a file, a part of a file, a spool file and bytes in memory look the same.
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { encodeText, InputError } from '../bytes/index.ts';

export interface RandomAccess {
  /** For error messages: the path, or where in another file this one lies. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** A copy of at most `length` bytes; shorter only where the file ends. */
  read(offset: number, length: number): Uint8Array;
  /** Fills `target` from `offset`; how many bytes there were before the file's end. */
  readInto(offset: number, target: Uint8Array): number;
  close(): void;
}

/** A path in our text form as node:fs takes it: bytes where it is not valid UTF-8. */
export function hostPath(path: string): string | Buffer {
  return /[\udc80-\udcff]/.test(path) ? Buffer.from(encodeText(path)) : path;
}

/** What a failed system call means to the user: InputError for what he can change, anything else as it is. */
export function hostError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const said = code === undefined ? undefined : errnoTexts[code];
  return said === undefined ? error : new InputError(said[0], path, said[1]);
}

const errnoTexts: { readonly [code: string]: readonly [what: string, advice: string] | undefined } = {
  ENOENT: ['no such file or directory', 'check the path'],
  ENOTDIR: ['a part of the path is not a directory', 'check the path'],
  EISDIR: ['is a directory, a file is wanted', ''],
  EACCES: ['permission denied', ''],
  EPERM: ['not permitted', ''],
  ELOOP: ['too many symbolic links', ''],
  EEXIST: ['exists already', 'name a path that does not exist'],
  ENOTEMPTY: ['directory is not empty', 'name an empty directory'],
  ENAMETOOLONG: ['name too long', ''],
  ENOSPC: ['no space left on the device', 'free some, or set TMPDIR to a directory on a larger file system'],
  EROFS: ['file system is read-only', ''],
  EMFILE: ['too many open files', 'raise the limit (ulimit -n)'],
  ENXIO: ['no such device or address', ''],
  EIO: ['input/output error', ''],
};

class FileAccess implements RandomAccess {
  readonly name: string;
  readonly size: number;
  private fd: number;

  constructor(name: string, fd: number, size: number) {
    this.name = name;
    this.fd = fd;
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array {
    const target = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    this.readInto(offset, target);
    return target;
  }

  readInto(offset: number, target: Uint8Array): number {
    const wanted = Math.max(0, Math.min(target.length, this.size - offset));
    readFully(this.fd, this.name, offset, target, wanted);
    return wanted;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

/** Reads exactly `wanted` bytes; a file that has become shorter since it was opened is an InputError. */
export function readFully(
  fd: number,
  name: string,
  offset: number,
  target: Uint8Array,
  wanted: number,
): void {
  let done = 0;
  while (done < wanted) {
    const n = readSync(fd, target, done, wanted - done, offset + done);
    if (n <= 0)
      throw new InputError('the file became shorter while it was read', `${name} at offset ${offset + done}`);
    done += n;
  }
}

/** Opens a regular file. Its size is taken once; pipes, sockets and devices have none and are refused. */
export function openFile(path: string): RandomAccess {
  let fd: number;
  try {
    // Non-blocking, so that a FIFO in the file's place can't hold us.
    fd = openSync(hostPath(path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw hostError(error, path);
  }
  const stat = fstatSync(fd);
  if (!stat.isFile()) {
    closeSync(fd);
    throw new InputError(
      stat.isDirectory() ? 'is a directory, a file is wanted' : 'not a regular file',
      path,
      'reading needs a file that can be read by offset',
    );
  }
  return new FileAccess(path, fd, stat.size);
}

/** As `openFile`; undefined where nothing is there. `parts` are joined with slashes. */
export function openFileIfThere(...parts: readonly string[]): RandomAccess | undefined {
  const path = join(...parts);
  return pathKind(path) === 'missing' ? undefined : openFile(path);
}

/** What is at a path, symlinks followed. */
export function pathKind(path: string): 'file' | 'dir' | 'other' | 'missing' {
  try {
    const stat = statSync(hostPath(path));
    return stat.isFile() ? 'file' : stat.isDirectory() ? 'dir' : 'other';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    throw hostError(error, path);
  }
}

/** Bytes in memory; they are not copied. */
export function memoryAccess(name: string, bytes: Uint8Array): RandomAccess {
  const clip = (offset: number, length: number): Uint8Array =>
    bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length));
  return {
    name,
    size: bytes.length,
    // Not slice(): a Buffer's would be a view.
    read: (offset, length) => new Uint8Array(clip(offset, length)),
    readInto(offset, target) {
      const part = clip(offset, target.length);
      target.set(part);
      return part.length;
    },
    close() {},
  };
}

/** A part of another; closing it leaves the whole open. The part must lie within the whole. */
export function sliceAccess(whole: RandomAccess, name: string, start: number, size: number): RandomAccess {
  if (start < 0 || size < 0 || start + size > whole.size)
    throw new InputError(
      `truncated: ${size} bytes wanted at offset ${start}, the file has ${whole.size}`,
      name,
    );
  const clip = (offset: number, length: number): number => Math.max(0, Math.min(length, size - offset));
  return {
    name,
    size,
    read: (offset, length) => whole.read(start + offset, clip(offset, length)),
    readInto(offset, target) {
      const length = clip(offset, target.length);
      return length === 0 ? 0 : whole.readInto(start + offset, target.subarray(0, length));
    },
    close() {},
  };
}

/** The whole in pieces of at most `pieceSize` bytes. Each piece is valid until the next one is asked for. */
export function* pieces(file: RandomAccess, pieceSize = 1 << 20): Generator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(pieceSize, file.size));
  for (let offset = 0; offset < file.size; ) {
    const n = file.readInto(offset, buffer);
    yield n === buffer.length ? buffer : buffer.subarray(0, n);
    offset += n;
  }
}

/** Small reads in rising order (headers) without a system call for each. A result is valid until the next read. */
export class Window {
  readonly file: RandomAccess;
  private readonly buffer: Uint8Array;
  private start = 0;
  private filled = 0;

  constructor(file: RandomAccess, size = 65536) {
    this.file = file;
    this.buffer = new Uint8Array(size);
  }

  /** At most `length` bytes (no more than the window's size); fewer only where the file ends. */
  at(offset: number, length: number): Uint8Array {
    if (offset < this.start || offset + length > this.start + this.filled) {
      this.start = offset;
      this.filled = this.file.readInto(offset, this.buffer);
    }
    return this.buffer.subarray(offset - this.start, Math.min(offset - this.start + length, this.filled));
  }
}
