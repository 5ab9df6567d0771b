// Prepared guest code on disk, from one process to the next: one file an entry, in the user's cache directory. Entries
// hang on the program that made them (a digest of its modules), so another version never sees them. Several processes
// may use one directory: entries are written aside and renamed into place, and whoever comes last wins. What is read is
// not trusted to be whole; the machine checks that.
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export interface CodeCacheOptions {
  /** Default: EFFIGY_CACHE, else effigy in XDG_CACHE_HOME or ~/.cache. */
  readonly directory?: string | undefined;
  /** Bytes of all entries; beyond, those not used for longest go. Default: 1 GiB. */
  readonly limit?: number;
  /** What entries hang on; default: digest of this program's modules. */
  readonly version?: string | undefined;
}

/** As the machine wants it (its CodeStore). */
export interface CodeCache {
  load(name: string): Uint8Array | undefined;
  save(name: string, bytes: Uint8Array): void;
}

const LIMIT = 2 ** 30;
const SUFFIX = '.code';
/** What a process left behind that ended while it wrote. */
const STALE_MS = 3_600_000;
/** An entry's time of use is noted at most so often. */
const USE_MS = 86_400_000;

class DirectoryCache implements CodeCache {
  private readonly directory: string;
  private readonly limit: number;
  private readonly version: string;
  /** Bytes in the directory, as far as this process knows. */
  private used: number | undefined;

  constructor(directory: string, limit: number, version: string) {
    this.directory = directory;
    this.limit = limit;
    this.version = version;
  }

  private path(name: string): string {
    const digest = createHash('sha256').update(`${this.version}\n${name}`).digest('hex');
    return join(this.directory, digest.slice(0, 40) + SUFFIX);
  }

  load(name: string): Uint8Array | undefined {
    const path = this.path(name);
    try {
      const bytes = readFileSync(path);
      const now = Date.now();
      if (now - statSync(path).mtimeMs > USE_MS) utimesSync(path, now / 1000, now / 1000);
      return bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
    } catch {
      return undefined;
    }
  }

  save(name: string, bytes: Uint8Array): void {
    if (bytes.length > this.limit) return;
    const aside = join(this.directory, `.${process.pid}.${randomBytes(8).toString('hex')}`);
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      writeFileSync(aside, bytes, { mode: 0o600, flag: 'wx' });
      renameSync(aside, this.path(name));
      this.used = this.used === undefined ? this.scan(0) : this.used + bytes.length;
      if (this.used > this.limit) this.used = this.scan(this.limit * 0.8);
    } catch {
      remove(aside);
    }
  }

  /** Bytes of all entries; with a bound, after removing those that were not used for longest until it holds. */
  private scan(bound: number): number {
    const entries: { readonly path: string; readonly size: number; readonly time: number }[] = [];
    for (const name of readdirSync(this.directory)) {
      const path = join(this.directory, name);
      const status = statSync(path, { throwIfNoEntry: false });
      if (status === undefined || !status.isFile()) continue;
      if (name.endsWith(SUFFIX)) entries.push({ path, size: status.size, time: status.mtimeMs });
      else if (name.startsWith('.') && Date.now() - status.mtimeMs > STALE_MS) remove(path);
    }
    let used = entries.reduce((sum, { size }) => sum + size, 0);
    if (bound === 0) return used;
    for (const { path, size } of entries.sort((a, b) => a.time - b.time)) {
      if (used <= bound) break;
      remove(path);
      used -= size;
    }
    return used;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // another process was faster
  }
}

/** The cache; undefined where there is no directory for it that is this user's alone. */
export function openCodeCache(options: CodeCacheOptions = {}): CodeCache | undefined {
  const directory = options.directory ?? defaultDirectory();
  const version = options.version ?? programVersion();
  if (directory === undefined || version === undefined || !isAbsolute(directory)) return undefined;
  const status = statSync(directory, { throwIfNoEntry: false });
  // what others may write could be made to lie
  if (status !== undefined && (!status.isDirectory() || !isOwn(status))) return undefined;
  return new DirectoryCache(directory, options.limit ?? LIMIT, version);
}

function isOwn(status: { readonly uid: number; readonly mode: number }): boolean {
  return (status.mode & 0o022) === 0 && (process.getuid === undefined || status.uid === process.getuid());
}

function defaultDirectory(): string | undefined {
  const { EFFIGY_CACHE: own, XDG_CACHE_HOME: base } = process.env;
  if (own !== undefined && own !== '') return own;
  if (base !== undefined && isAbsolute(base)) return join(base, 'effigy');
  try {
    return join(homedir(), '.cache', 'effigy');
  } catch {
    return undefined;
  }
}

/** Rooms whose modules decide what is kept. */
const ROOMS = ['isa', 'machine'];

/** Digest of the modules that prepare code; undefined where they can't be read. */
function programVersion(): string | undefined {
  const hash = createHash('sha256');
  try {
    for (const room of ROOMS) {
      const directory = new URL(`../${room}/`, import.meta.url);
      for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
        if (!/\.[jt]s$/.test(name)) continue;
        hash.update(`${name}\n`).update(readFileSync(new URL(name, directory)));
      }
    }
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}
