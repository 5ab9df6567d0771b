// Directories of this machine by handle: reading one recursively, and writing a fresh one. As with openat(2), each
// operation takes one name in a directory that is already open (reached through /proc/self/fd), so no symlink that
// lies in the way, or appears while we work, can lead a write elsewhere.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { assert, decodeText, InputError } from '../bytes/index.ts';
import { hostError, hostPath } from './access.ts';

export interface HostMetadata {
  readonly mode: number;
  readonly mtime: number;
  readonly mtimeNs: number;
  /** Absent: the files stay the user's own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A file that is being written. */
export interface HostFile {
  write(bytes: Uint8Array, offset: number): void;
  /** Sets the size; what was not written is a hole. */
  resize(size: number): void;
  describe(metadata: HostMetadata): void;
  close(): void;
}

/** A directory that is being written. Names are single components; an existing one is an InputError. */
export interface HostDirectory {
  readonly path: string;
  makeDirectory(name: string): HostDirectory;
  makeFile(name: string): HostFile;
  makeSymlink(name: string, target: string, metadata: HostMetadata): void;
  makeLink(name: string, from: HostDirectory, existing: string): void;
  /** Device nodes and FIFOs, through mknod(1); says why it could not. */
  makeSpecial(
    name: string,
    kind: 'char' | 'block' | 'fifo',
    device: { readonly major: number; readonly minor: number },
    metadata: HostMetadata,
  ): string | undefined;
  /** Through setfattr(1); says why it could not. */
  setXattr(name: string, attribute: string, value: Uint8Array): string | undefined;
  openDirectory(name: string): HostDirectory;
  describe(metadata: HostMetadata): void;
  close(): void;
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw hostError(error, path);
  }
}

/** As node:fs takes it, exact to a microsecond. It takes negative numbers for the present, but not negative dates. */
function time({ mtime, mtimeNs }: HostMetadata): number | Date {
  return mtime < 0 ? new Date(mtime * 1000 + Math.floor(mtimeNs / 1e6)) : mtime + mtimeNs / 1e9;
}

/** Owner first: changing it clears the set-user-ID bits. */
function describeFd(fd: number, metadata: HostMetadata): void {
  if (metadata.owner !== undefined) fchownSync(fd, metadata.owner.uid, metadata.owner.gid);
  fchmodSync(fd, metadata.mode);
  futimesSync(fd, time(metadata), time(metadata));
}

class OpenFile implements HostFile {
  private readonly fd: number;
  private readonly path: string;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  write(bytes: Uint8Array, offset: number): void {
    attempt(this.path, () => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
    });
  }

  resize(size: number): void {
    attempt(this.path, () => ftruncateSync(this.fd, size));
  }

  describe(metadata: HostMetadata): void {
    attempt(this.path, () => describeFd(this.fd, metadata));
  }

  close(): void {
    closeSync(this.fd);
  }
}

class OpenDirectory implements HostDirectory {
  readonly path: string;
  private readonly fd: number;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** The name below this directory's handle. A child process gets the handle as its third. */
  private at(name: string, fd = this.fd): string | Buffer {
    assert(
      name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name),
      `not a name: ${JSON.stringify(name)}`,
    );
    return hostPath(`/proc/self/fd/${fd}/${name}`);
  }

  private named(name: string): string {
    return `${this.path}/${name}`;
  }

  makeDirectory(name: string): HostDirectory {
    attempt(this.named(name), () => mkdirSync(this.at(name), 0o700));
    return this.openDirectory(name);
  }

  openDirectory(name: string): HostDirectory {
    const path = this.named(name);
    return new OpenDirectory(
      attempt(path, () => openSync(this.at(name), directoryFlags)),
      path,
    );
  }

  makeFile(name: string): HostFile {
    const path = this.named(name);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return new OpenFile(
      attempt(path, () => openSync(this.at(name), flags, 0o600)),
      path,
    );
  }

  makeSymlink(name: string, target: string, metadata: HostMetadata): void {
    attempt(this.named(name), () => {
      symlinkSync(hostPath(target), this.at(name));
      this.describeEntry(name, metadata);
    });
  }

  private describeEntry(name: string, metadata: HostMetadata): void {
    const at = this.at(name);
    if (metadata.owner !== undefined) lchownSync(at, metadata.owner.uid, metadata.owner.gid);
    lutimesSync(at, time(metadata), time(metadata));
  }

  makeLink(name: string, from: HostDirectory, existing: string): void {
    assert(from instanceof OpenDirectory, 'a directory of another kind');
    attempt(this.named(name), () => linkSync(from.at(existing), this.at(name)));
  }

  makeSpecial(
    name: string,
    kind: 'char' | 'block' | 'fifo',
    device: { readonly major: number; readonly minor: number },
    metadata: HostMetadata,
  ): string | undefined {
    const numbers =
      kind === 'fifo' ? ['p'] : [kind === 'char' ? 'c' : 'b', String(device.major), String(device.minor)];
    const failed = this.command('mknod', ['-m', (metadata.mode & 0o777).toString(8), '--'], name, numbers);
    if (failed === undefined) attempt(this.named(name), () => this.describeEntry(name, metadata));
    return failed;
  }

  setXattr(name: string, attribute: string, value: Uint8Array): string | undefined {
    return this.command(
      'setfattr',
      ['-h', '-n', attribute, '-v', `0x${Buffer.from(value).toString('hex')}`, '--'],
      name,
      [],
    );
  }

  private command(
    program: string,
    before: readonly string[],
    name: string,
    after: readonly string[],
  ): string | undefined {
    if (/[\udc80-\udcff]/.test(name)) return `${program} can't be given this name`;
    const ran = spawnSync(program, [...before, String(this.at(name, 3)), ...after], {
      stdio: ['ignore', 'ignore', 'pipe', this.fd],
      encoding: 'utf8',
    });
    if (ran.error !== undefined)
      return `${program}: ${(ran.error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not installed' : ran.error.message}`;
    return ran.status === 0 ? undefined : `${program}: ${ran.stderr.trim().split(': ').pop() ?? 'failed'}`;
  }

  describe(metadata: HostMetadata): void {
    attempt(this.path, () => describeFd(this.fd, metadata));
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Whether files can be given to others and device nodes be made, as far as the user decides. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Makes a directory, or takes an empty one; InputError where something is in it. The parent must exist. */
export function freshDirectory(path: string): HostDirectory {
  return attempt(path, () => {
    try {
      mkdirSync(path, 0o755);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const fd = openSync(path, directoryFlags);
    if (readdirSync(`/proc/self/fd/${fd}`).length > 0) {
      closeSync(fd);
      throw new InputError(
        'directory is not empty',
        path,
        'name an empty directory or one that does not exist',
      );
    }
    return new OpenDirectory(fd, path);
  });
}

export interface HostEntry {
  /** Relative, with slashes. */
  readonly path: string;
  readonly kind: 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of symlinks, else ''. */
  readonly target: string;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** The same for hard links of one file; '' where there is but one name. */
  readonly identity: string;
}

/** Everything below a directory, parents first, sorted; symlinks are not followed. */
export function* scanDirectory(root: string, below = ''): Generator<HostEntry> {
  const names = attempt(root, () => readdirSync(hostPath(`${root}/${below}`), { encoding: 'buffer' }));
  for (const name of names.map((bytes) => decodeText(bytes)).sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const entry = attempt(`${root}/${path}`, () => hostEntry(`${root}/${path}`, path));
    yield entry;
    if (entry.kind === 'dir') yield* scanDirectory(root, path);
  }
}

const kinds: readonly (readonly [bits: number, kind: HostEntry['kind']])[] = [
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'dir'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
];

function hostEntry(full: string, path: string): HostEntry {
  const stat = lstatSync(hostPath(full), { bigint: true });
  const kind = kinds.find(([bits]) => bits === (Number(stat.mode) & constants.S_IFMT))?.[1];
  assert(kind !== undefined, `file type of ${path}`);
  const device = kind === 'char' || kind === 'block' ? stat.rdev : 0n;
  return {
    path,
    kind,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    target: kind === 'symlink' ? decodeText(readlinkSync(hostPath(full), { encoding: 'buffer' })) : '',
    rdevMajor: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    rdevMinor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn)),
    identity: kind === 'file' && stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : '',
  };
}
