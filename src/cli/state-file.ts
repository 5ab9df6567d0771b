// `--state FILE`: where the monitor was, on disk. Two lines: what it is, with a checksum, then the state. Written to a
// file beside it and renamed, so that there is always a whole one. Positions in files are counted in records, not bytes:
// sources keep tables of what they read before, so a file is read again from its start and what was taken is passed over.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { InputError } from '../bytes/index.ts';
import { hostError, sha256 } from '../host/index.ts';
import type { MonitorState } from '../monitor/index.ts';

const format = 'effigy monitor state';
const version = 1;

/** How far one file was read. */
export interface Position {
  readonly path: string;
  /** Digest of its first bytes, and how many these are: whether it is the same file still. */
  readonly head: string;
  readonly headBytes: number;
  /** Observations and flows that were taken. */
  records: number;
  /** Bytes that were read. */
  bytes: number;
  /** It is complete: another came after it. */
  done: boolean;
}

/** Bytes that tell files apart: SysFlow's headers have a schema first, which all share, then a marker of their own. */
export const headMost = 65_536;

export class Positions {
  private readonly byPath: Map<string, Position>;
  /** Whether this goes on from a run before. */
  readonly resumed: boolean;

  constructor(positions: readonly Position[], resumed: boolean) {
    this.byPath = new Map(positions.map((position) => [position.path, position]));
    this.resumed = resumed;
  }

  get all(): readonly Position[] {
    return [...this.byPath.values()];
  }

  /** Whether nothing of such a file is new. */
  isDone(path: string, size: number): boolean {
    const position = this.byPath.get(path);
    return position?.done === true && position.bytes === size;
  }

  /** The file's position, and how many of its records were taken before; of another file at this path none. */
  open(path: string, head: Uint8Array): { readonly position: Position; readonly taken: number } {
    const before = this.byPath.get(path);
    if (before !== undefined && sha256(head.subarray(0, before.headBytes)) === before.head) {
      before.bytes = 0;
      before.done = false;
      return { position: before, taken: before.records };
    }
    const headBytes = Math.min(headMost, head.length);
    const position: Position = {
      path,
      head: sha256(head.subarray(0, headBytes)),
      headBytes,
      records: 0,
      bytes: 0,
      done: false,
    };
    this.byPath.set(path, position);
    return { position, taken: 0 };
  }
}

export interface SavedRun {
  readonly positions: Positions;
  /** Undefined at the first run. */
  readonly monitor: MonitorState | undefined;
}

/** A file that is not there is the first run; InputError where it is no state. */
export function readStateFile(path: string): SavedRun {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { positions: new Positions([], false), monitor: undefined };
    throw hostError(error, path);
  }
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  const refuse = (what: string): InputError =>
    new InputError(what, path, 'name another file, or remove it to begin anew');
  const head = parsed(text.slice(0, Math.max(0, end)));
  if (head?.['format'] !== format) throw refuse('not a state of effigy monitor');
  if (head['version'] !== version) throw refuse(`state of another version (${String(head['version'])})`);
  if (head['sha256'] !== sha256(Buffer.from(body))) throw refuse('damaged state: its checksum does not fit');
  const { positions, monitor } = JSON.parse(body) as {
    readonly positions: readonly Position[];
    readonly monitor: MonitorState;
  };
  return { positions: new Positions(positions, true), monitor };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

export function writeStateFile(path: string, positions: Positions, monitor: MonitorState): void {
  const body = `${JSON.stringify({ positions: positions.all, monitor })}\n`;
  const bytes = Buffer.from(
    `${JSON.stringify({ format, version, sha256: sha256(Buffer.from(body)) })}\n${body}`,
  );
  const beside = `${path}.new`;
  try {
    const fd = openSync(beside, 'w', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
  } catch (error) {
    throw hostError(error, path);
  }
}
