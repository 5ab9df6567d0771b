// The entities of one SysFlow stream: processes and files that later records name by identity. Both are looked up for
// every record: open hash tables of row numbers, keyed by the identities' own bits, and nothing is allocated to look up.
//
// Files that nothing has named for long are forgotten once there are very many: the collector writes an entity again
// when it comes back to it after having dropped it, and keeps far fewer itself.
import type { FileType, Resource } from '../effect/index.ts';
import { text } from './avro-value.ts';
import type { StreamFile, StreamProcess } from './flow-row.ts';
import { Kept } from './interned.ts';
import type { ProcessId } from './observation.ts';

export interface ProcessEntry extends StreamProcess {
  /** Halves of the creation time. */
  readonly high: number;
  readonly low: number;
  readonly parent: ProcessEntry | undefined;
  containerId: string;
  exe: string;
  args: string;
  uid: number;
  /** Ports on which it accepted, and the `address << 16 | port` that it connected to (see sysflow-sides.ts). */
  accepted: Set<number> | undefined;
  connected: Set<number> | undefined;
  /** The last of what it accepted on, as far as that is noted everywhere; port -1: none. */
  acceptedPort: number;
  acceptedAddress: number;
}

export class FileEntry implements StreamFile {
  readonly row: number;
  readonly type: FileType;
  note: unknown = undefined;
  noteOf: unknown = undefined;
  noteKey = 0;
  /** Bytes of its path, in what the tables keep. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  private text_: string | undefined = undefined;
  private made: Extract<Resource, { kind: 'file' }> | undefined = undefined;

  /** The path is what `kept` has kept last. */
  constructor(row: number, type: FileType, kept: Kept, length: number) {
    this.row = row;
    this.type = type;
    this.bytes = kept.chunk;
    this.start = kept.used - length;
    this.end = kept.used;
  }

  /** As the record has it. */
  get path(): string {
    this.text_ ??= text(this.bytes, this.start, this.end);
    return this.text_;
  }

  get resource(): Extract<Resource, { kind: 'file' }> {
    this.made ??= { kind: 'file', type: this.type, path: plainPath(this.type, this.path) };
    return this.made;
  }

  is(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.end - this.start !== end - start) return false;
    for (let i = start, j = this.start; i < end; i++, j++) if (bytes[i] !== this.bytes[j]) return false;
    return true;
  }
}

/** Exited processes that are still remembered: flows of theirs may be written a little later. */
const rememberExited = 4096;
/** A process that connects to more places than this is not remembered to have. */
export const maxConnected = 1024;
/** Files beyond which those go that were not named lately. */
const mostFiles = 1 << 20;
const usualSlots = 1 << 16;
/** A row of the table of files; a power of two, so that a row is in one line of a processor's cache. */
const wordsOfFile = 8;
const usedAt = 5;

export class SysFlowTables {
  private processes: (ProcessEntry | undefined)[] = [];
  private processSlots = emptySlots(256);
  private living = 0;
  private free: number[] = [];
  private exited: ProcessEntry[] = [];
  private last: ProcessEntry | undefined;
  private files: FileEntry[] = [];
  /** Of each file five words of identity, and when it was named last, in ticks. */
  private words = new Int32Array(wordsOfFile * 256);
  private fileSlots = emptySlots(512);
  private kept = new Kept();
  /** Counts files that were new, coarsely: how long ago something was named. */
  private tick = 0;
  private added = 0;
  private readonly mostFiles: number;

  constructor(limit = mostFiles) {
    this.mostFiles = limit;
  }

  /** Tables of a usual size stay as large as they are: the next stream is mostly like the last one. */
  clear(): void {
    this.processes = [];
    this.processSlots = this.processSlots.length > usualSlots ? emptySlots(256) : this.processSlots.fill(-1);
    this.living = 0;
    this.free = [];
    this.exited = [];
    this.last = undefined;
    this.files = [];
    this.fileSlots = this.fileSlots.length > usualSlots ? emptySlots(512) : this.fileSlots.fill(-1);
    if (this.words.length > wordsOfFile * usualSlots) this.words = new Int32Array(wordsOfFile * 256);
    this.kept = new Kept();
  }

  process(high: number, low: number, pid: number): ProcessEntry | undefined {
    const { last } = this;
    if (last !== undefined && last.low === low && last.id.pid === pid && last.high === high) return last;
    const { processes, processSlots } = this;
    const mask = processSlots.length - 1;
    for (let slot = hashOf(high, low, pid) & mask; ; slot = (slot + 1) & mask) {
      const row = processSlots[slot];
      if (row < 0) return undefined;
      const entry = processes[row];
      if (entry !== undefined && entry.low === low && entry.id.pid === pid && entry.high === high) {
        this.last = entry;
        return entry;
      }
    }
  }

  addProcess(
    high: number,
    low: number,
    pid: number,
    created: bigint,
    parent: ProcessEntry | undefined,
  ): ProcessEntry {
    const row = this.free.pop() ?? this.processes.length;
    const id: ProcessId = { created, pid };
    const entry: ProcessEntry = {
      row,
      high,
      low,
      id,
      parent,
      containerId: '',
      exe: '',
      args: '',
      uid: 0,
      accepted: undefined,
      connected: undefined,
      acceptedPort: -1,
      acceptedAddress: 0,
    };
    this.processes[row] = entry;
    this.living++;
    if (2 * this.living > this.processSlots.length)
      this.rebuildProcesses(Math.max(256, 2 * this.processSlots.length));
    else place(this.processSlots, hashOf(high, low, pid), row);
    return entry;
  }

  /** The process ended; it is forgotten once many others have. */
  endProcess(entry: ProcessEntry): void {
    this.exited.push(entry);
    if (this.exited.length < 2 * rememberExited) return;
    const old = new Set(this.exited.slice(0, rememberExited));
    this.exited = this.exited.slice(rememberExited).filter((each) => !old.has(each));
    for (const { row } of old) {
      this.processes[row] = undefined;
      this.free.push(row);
      this.living--;
    }
    this.last = undefined;
    this.rebuildProcesses(this.processSlots.length);
  }

  private rebuildProcesses(size: number): void {
    this.processSlots = emptySlots(size);
    for (const entry of this.processes)
      if (entry !== undefined)
        place(this.processSlots, hashOf(entry.high, entry.low, entry.id.pid), entry.row);
  }

  /** By the 20 bytes of a file's identity at `at`. */
  file(bytes: DataView, at: number): FileEntry | undefined {
    const { fileSlots, words } = this;
    const first = bytes.getInt32(at, true);
    const mask = fileSlots.length - 1;
    for (let slot = (first ^ (first >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const row = fileSlots[slot];
      if (row < 0) return undefined;
      const w = wordsOfFile * row;
      if (
        words[w] === first &&
        words[w + 1] === bytes.getInt32(at + 4, true) &&
        words[w + 2] === bytes.getInt32(at + 8, true) &&
        words[w + 3] === bytes.getInt32(at + 12, true) &&
        words[w + 4] === bytes.getInt32(at + 16, true)
      ) {
        words[w + usedAt] = this.tick;
        return this.files[row];
      }
    }
  }

  /** The file of this identity has this type and path, whose bytes are from `start` to `end`. `view`: of the same bytes. */
  addFile(bytes: Uint8Array, view: DataView, at: number, type: FileType, start: number, end: number): void {
    const known = this.file(view, at);
    if (known !== undefined) {
      // Written again, an identity mostly has the same path; perhaps another type.
      if (known.type === type && known.is(bytes, start, end)) return;
      this.kept.keep(bytes, view, start, end);
      this.files[known.row] = new FileEntry(known.row, type, this.kept, end - start);
      return;
    }
    if (++this.added >= this.mostFiles / 16) {
      this.added = 0;
      this.tick++;
    }
    if (this.files.length >= this.mostFiles) this.sweep();
    const row = this.files.length;
    if (wordsOfFile * row >= this.words.length) {
      const words = new Int32Array(2 * this.words.length);
      words.set(this.words);
      this.words = words;
    }
    for (let i = 0; i < 5; i++) this.words[wordsOfFile * row + i] = view.getInt32(at + 4 * i, true);
    this.words[wordsOfFile * row + usedAt] = this.tick;
    this.kept.keep(bytes, view, start, end);
    this.files.push(new FileEntry(row, type, this.kept, end - start));
    if (2 * this.files.length > this.fileSlots.length) this.rebuildFiles(2 * this.fileSlots.length);
    else place(this.fileSlots, hashOfFile(this.words[wordsOfFile * row]), row);
  }

  /** The half that was not named for longest goes. */
  private sweep(): void {
    const { files, words } = this;
    const named = new Map<number, number>();
    const usedOf = (row: number): number => words[wordsOfFile * row + usedAt];
    for (const { row } of files) named.set(usedOf(row), (named.get(usedOf(row)) ?? 0) + 1);
    let limit = this.tick;
    for (let stay = 0; limit > 0; limit--) {
      stay += named.get(limit) ?? 0;
      if (stay + (named.get(limit - 1) ?? 0) > this.mostFiles / 2) break;
    }
    const stays: FileEntry[] = [];
    const kept = new Kept();
    for (const { row, type, bytes, start, end } of files) {
      if (usedOf(row) < limit) continue;
      const to = stays.length;
      words.copyWithin(wordsOfFile * to, wordsOfFile * row, wordsOfFile * (row + 1));
      kept.keep(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), start, end);
      stays.push(new FileEntry(to, type, kept, end - start));
    }
    this.files = stays;
    this.kept = kept;
    this.rebuildFiles(this.fileSlots.length);
  }

  private rebuildFiles(size: number): void {
    this.fileSlots = emptySlots(size);
    for (let row = 0; row < this.files.length; row++)
      place(this.fileSlots, hashOfFile(this.words[wordsOfFile * row]), row);
  }

  get size(): { readonly processes: number; readonly files: number } {
    return { processes: this.living, files: this.files.length };
  }
}

const emptySlots = (size: number): Int32Array => new Int32Array(size).fill(-1);

function place(slots: Int32Array, hash: number, row: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] >= 0) slot = (slot + 1) & mask;
  slots[slot] = row;
}

function hashOf(high: number, low: number, pid: number): number {
  const mixed = Math.imul(low ^ Math.imul(pid, 0x9e3779b1) ^ high, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

const hashOfFile = (first: number): number => first ^ (first >>> 15);

/** Unix sockets are `hex->hex path`, with the kernel's addresses of both ends; pipes have no name but their number. */
function plainPath(type: FileType, path: string): string {
  if (type === 'u') return /^[0-9a-f]+->[0-9a-f]+ ?(.*)$/s.exec(path)?.[1] ?? path;
  return type === 'p' && (path === '' || path.startsWith('pipe:')) ? 'pipe:' : path;
}
