// The entities of one SysFlow stream: processes and files that later records name by identity. Both are looked up
// for every record, so keys are small integers and nothing is allocated for a look-up.
import type { FileType, Resource } from '../effect/index.ts';
import type { ProcessId, TaskRef } from './observation.ts';

export interface ProcessEntry {
  /** Halves of the creation time. */
  readonly high: number;
  readonly low: number;
  readonly id: ProcessId;
  readonly parent: ProcessEntry | undefined;
  containerId: string;
  exe: string;
  args: string;
  uid: number;
  /** The task that the last record was about: mostly the next one's, too. */
  task: TaskRef;
  /** Ports on which it accepted, and the `address << 16 | port` that it connected to (see sysflow-sides.ts). */
  readonly accepted: Set<number>;
  readonly connected: Set<number>;
  next: ProcessEntry | undefined;
}

export interface FileEntry {
  readonly word0: number;
  readonly word1: number;
  readonly word2: number;
  readonly word3: number;
  readonly word4: number;
  readonly type: FileType;
  /** As the record has it. */
  readonly path: string;
  readonly resource: Resource;
  next: FileEntry | undefined;
}

/** Exited processes that are still remembered: flows of theirs may be written a little later. */
const rememberExited = 4096;
/** A process that connects to more places than this is not remembered to have. */
export const maxConnected = 1024;

export class SysFlowTables {
  private readonly processes = new Map<number, ProcessEntry>();
  private readonly files = new Map<number, FileEntry>();
  private exited: ProcessEntry[] = [];

  clear(): void {
    this.processes.clear();
    this.files.clear();
    this.exited = [];
  }

  process(high: number, low: number, pid: number): ProcessEntry | undefined {
    let entry = this.processes.get(pid);
    while (entry !== undefined && (entry.low !== low || entry.high !== high)) entry = entry.next;
    return entry;
  }

  addProcess(
    high: number,
    low: number,
    pid: number,
    created: bigint,
    parent: ProcessEntry | undefined,
  ): ProcessEntry {
    const id: ProcessId = { created, pid };
    const entry: ProcessEntry = {
      high,
      low,
      id,
      parent,
      containerId: '',
      exe: '',
      args: '',
      uid: 0,
      task: { process: id, tid: pid },
      accepted: new Set(),
      connected: new Set(),
      next: this.processes.get(pid),
    };
    this.processes.set(pid, entry);
    return entry;
  }

  /** The process ended; it is forgotten once many others have. */
  endProcess(entry: ProcessEntry): void {
    this.exited.push(entry);
    if (this.exited.length < 2 * rememberExited) return;
    for (const old of this.exited.slice(0, rememberExited)) this.removeProcess(old);
    this.exited = this.exited.slice(rememberExited);
  }

  private removeProcess(old: ProcessEntry): void {
    const { pid } = old.id;
    let entry = this.processes.get(pid);
    if (entry === old) {
      if (old.next === undefined) this.processes.delete(pid);
      else this.processes.set(pid, old.next);
    }
    for (; entry !== undefined; entry = entry.next) if (entry.next === old) entry.next = old.next;
  }

  /** By the 20 bytes of a file's identity at `at`. */
  file(bytes: Uint8Array, at: number): FileEntry | undefined {
    const first = word(bytes, at);
    let entry = this.files.get(first >>> 2);
    while (entry !== undefined) {
      if (
        entry.word0 === first &&
        entry.word1 === word(bytes, at + 4) &&
        entry.word2 === word(bytes, at + 8) &&
        entry.word3 === word(bytes, at + 12) &&
        entry.word4 === word(bytes, at + 16)
      ) {
        return entry;
      }
      entry = entry.next;
    }
    return undefined;
  }

  /** Written again, an identity has the same path but perhaps another type. */
  addFile(bytes: Uint8Array, at: number, type: FileType, path: string, resource: Resource): void {
    const first = word(bytes, at);
    const key = first >>> 2;
    this.files.set(key, {
      word0: first,
      word1: word(bytes, at + 4),
      word2: word(bytes, at + 8),
      word3: word(bytes, at + 12),
      word4: word(bytes, at + 16),
      type,
      path,
      resource,
      next: this.chainWithout(this.files.get(key), this.file(bytes, at)),
    });
  }

  private chainWithout(chain: FileEntry | undefined, old: FileEntry | undefined): FileEntry | undefined {
    if (old === undefined) return chain;
    if (chain === old) return old.next;
    for (let entry = chain; entry !== undefined; entry = entry.next)
      if (entry.next === old) entry.next = old.next;
    return chain;
  }

  get size(): { readonly processes: number; readonly files: number } {
    return { processes: this.processes.size, files: this.files.size };
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
