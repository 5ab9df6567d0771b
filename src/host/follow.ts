// Files that grow, read as they do: one file (which may be moved away and begun anew, as rotating loggers do), or a
// directory into which one file after the other is written. By polling: notices of the kernel don't cross network file
// systems and containers' mounts. What the bytes mean is the caller's.
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { hostError, hostPath } from './access.ts';

export interface FollowSink {
  /** Bytes of another file come now. */
  begin(path: string): void;
  /** Valid during the call. */
  bytes(piece: Uint8Array): void;
  /** The file of the last `begin` is complete: another came after it, or following ends. */
  end(): void;
  /** The file became shorter while it was read: it begins anew. */
  restarted(path: string): void;
}

export interface FollowOptions {
  /** Following ends: what is there is read, then `end` is called. */
  readonly signal: AbortSignal;
  /** Milliseconds between two looks; default 250. */
  readonly poll?: number;
  /** Order of the names in a directory. */
  readonly order: (a: string, b: string) => number;
}

/** Ends when the signal says so. InputError where the path is not there. */
export async function follow(path: string, sink: FollowSink, options: FollowOptions): Promise<void> {
  let directory: boolean;
  try {
    directory = statSync(hostPath(path)).isDirectory();
  } catch (error) {
    throw hostError(error, path);
  }
  if (directory) await followDirectory(path, sink, options);
  else await followFile(path, sink, options);
}

async function followFile(path: string, sink: FollowSink, options: FollowOptions): Promise<void> {
  const { signal, poll = 250 } = options;
  let reader = new Reader(path, sink);
  for (;;) {
    const last = signal.aborted;
    reader.read();
    const inode = inodeOf(path);
    if (inode !== undefined && inode !== reader.inode) {
      reader.finish();
      reader = new Reader(path, sink);
      continue;
    }
    if (last) break;
    await pause(poll, signal);
  }
  reader.finish();
}

async function followDirectory(path: string, sink: FollowSink, options: FollowOptions): Promise<void> {
  const { signal, poll = 250, order } = options;
  let done = new Set<string>();
  let current: { readonly name: string; readonly reader: Reader } | undefined;
  for (;;) {
    const last = signal.aborted;
    const names = filesOf(path).sort(order);
    done = new Set(names.filter((name) => done.has(name)));
    const next = names.find((name) => !done.has(name) && name !== current?.name);
    // A file is complete when there is another; what was written to it before that is read now.
    current?.reader.read();
    if (next !== undefined) {
      current?.reader.finish();
      if (current !== undefined) done.add(current.name);
      current = { name: next, reader: new Reader(join(path, next), sink) };
      continue;
    }
    if (last) break;
    await pause(poll, signal);
  }
  current?.reader.finish();
}

function filesOf(path: string): string[] {
  try {
    return readdirSync(hostPath(path), { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
  } catch (error) {
    throw hostError(error, path);
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(hostPath(path)).ino;
  } catch {
    // Moved away, and not begun anew yet.
    return undefined;
  }
}

class Reader {
  readonly inode: number;
  private readonly path: string;
  private readonly sink: FollowSink;
  private readonly fd: number;
  private readonly buffer = new Uint8Array(1 << 20);
  private at = 0;

  constructor(path: string, sink: FollowSink) {
    this.path = path;
    this.sink = sink;
    try {
      this.fd = openSync(hostPath(path), 'r');
      this.inode = fstatSync(this.fd).ino;
    } catch (error) {
      throw hostError(error, path);
    }
    sink.begin(path);
  }

  /** Everything that is there now. */
  read(): void {
    if (fstatSync(this.fd).size < this.at) {
      this.sink.restarted(this.path);
      this.at = 0;
    }
    for (;;) {
      const n = readSync(this.fd, this.buffer, 0, this.buffer.length, this.at);
      if (n <= 0) return;
      this.at += n;
      this.sink.bytes(this.buffer.subarray(0, n));
    }
  }

  finish(): void {
    closeSync(this.fd);
    this.sink.end();
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(milliseconds, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
