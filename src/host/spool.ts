// Temporary files without a name: written from front to back once, then read by offset. The file is unlinked as
// soon as it exists, so nothing is left behind however the process ends.
import { randomBytes } from 'node:crypto';
import { accessSync, closeSync, constants, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../bytes/index.ts';
import { hostError, type RandomAccess, readFully } from './access.ts';

export interface Spool extends RandomAccess {
  /** Appends. More than the limit in all is an InputError. */
  write(bytes: Uint8Array): void;
}

export interface SpoolOptions {
  /** For error messages. */
  readonly name: string;
  /** Bytes that may be written in all. */
  readonly limit: number;
  /** Where the file goes; default: TMPDIR, else /var/tmp (which is on a disk where /tmp may be memory), else the system's. */
  readonly directory?: string | undefined;
}

/** Written at once; aligned blocks of zeros become holes. */
const blockSize = 65536;
const zeros = Buffer.alloc(blockSize);

class SpoolFile implements Spool {
  readonly name: string;
  size = 0;
  private fd: number;
  private readonly limit: number;
  /** The bytes since the last multiple of the block size. */
  private readonly block = new Uint8Array(blockSize);
  private settled = 0;

  constructor(fd: number, options: SpoolOptions) {
    this.fd = fd;
    this.name = options.name;
    this.limit = options.limit;
  }

  write(bytes: Uint8Array): void {
    if (this.size + bytes.length > this.limit)
      throw new InputError(`more than ${this.limit} bytes`, this.name);
    for (let at = 0; at < bytes.length; ) {
      const filled = this.size % blockSize;
      const part = bytes.subarray(at, at + blockSize - filled);
      if (part.length === blockSize) {
        this.put(part, this.size);
      } else {
        this.block.set(part, filled);
        if (filled + part.length === blockSize) this.put(this.block, this.size - filled);
      }
      this.size += part.length;
      at += part.length;
    }
  }

  /** Zeros become a hole. */
  private put(part: Uint8Array, position: number): void {
    if (zeros.compare(part, 0, part.length, 0, part.length) === 0) return;
    try {
      for (let done = 0; done < part.length; )
        done += writeSync(this.fd, part, done, part.length - done, position + done);
    } catch (error) {
      throw hostError(error, `${this.name} (temporary file)`);
    }
  }

  /** Writes the block that is not full yet, and gives a hole at the end its bytes. */
  private settle(): void {
    if (this.settled === this.size) return;
    const filled = this.size % blockSize;
    this.put(this.block.subarray(0, filled), this.size - filled);
    ftruncateSync(this.fd, this.size);
    this.settled = this.size;
  }

  read(offset: number, length: number): Uint8Array {
    const target = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    this.readInto(offset, target);
    return target;
  }

  readInto(offset: number, target: Uint8Array): number {
    this.settle();
    const wanted = Math.max(0, Math.min(target.length, this.size - offset));
    readFully(this.fd, this.name, offset, target, wanted);
    return wanted;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

export function createSpool(options: SpoolOptions): Spool {
  const path = join(options.directory ?? spoolDirectory(), `effigy-${randomBytes(12).toString('hex')}`);
  try {
    const fd = openSync(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    unlinkSync(path);
    return new SpoolFile(fd, options);
  } catch (error) {
    throw hostError(error, path);
  }
}

function spoolDirectory(): string {
  const named = process.env['TMPDIR'];
  if (named !== undefined && named !== '') return named;
  try {
    accessSync('/var/tmp', constants.W_OK | constants.X_OK);
    return '/var/tmp';
  } catch {
    return tmpdir();
  }
}
