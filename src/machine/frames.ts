// Page frames: 4 KiB pieces of one WebAssembly memory, counted references. One linear memory holds the frames of all
// processes and their page tables, so that translated code reaches guest memory with loads of its own. Frame 0 is never
// given out (an entry of 0 means nothing), frame 1 is the zero page.
import { assert } from '../bytes/index.ts';
import type { Shadows } from './concolic/shadows.ts';
import { createWasmMemory, type WasmMemory } from './wasm.ts';

export const FRAME_SIZE = 4096;
const FRAMES_PER_WASM_PAGE = 16;
/** 4 GiB: what 32-bit offsets reach. */
const MAX_FRAMES = 2 ** 20;
export const ZERO_FRAME = 1;

export class FramePool {
  private readonly memory: WasmMemory;
  /** Views of the whole memory; replaced when it grows. */
  bytes: Uint8Array;
  words: Uint32Array;
  view: DataView;
  /** References by frame: page table entries and page caches. */
  private references: Int32Array;
  /** Grows whenever what stands in a frame that holds code changes, or the frame is given back; never falls. */
  versions: Uint32Array;
  /** 1 where code of the frame was decoded since its version. */
  code: Uint8Array;
  /** Counts changes to code anywhere: engines compare it to see whether to look again. */
  codeChanges = 0;
  /** Counts executable pages that stood in a page table and were replaced, removed or made not executable. */
  mappingChanges = 0;
  /** Expressions of bytes, where inputs are symbolic; they go where the bytes go. */
  shadows: Shadows | undefined;
  private next = 2;
  private readonly limit: number;
  private readonly free: number[] = [];
  private readonly freeTables: number[] = [];

  /** At most `limitBytes` of frames and tables. */
  constructor(limitBytes: number) {
    this.limit = Math.min(MAX_FRAMES, Math.floor(limitBytes / FRAME_SIZE));
    this.memory = createWasmMemory(64, MAX_FRAMES / FRAMES_PER_WASM_PAGE);
    const frames = this.memory.buffer.byteLength / FRAME_SIZE;
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.references = new Int32Array(frames);
    this.versions = new Uint32Array(frames);
    this.code = new Uint8Array(frames);
    this.references[ZERO_FRAME] = 1;
  }

  /** Frames in use, tables included. */
  get used(): number {
    return this.next - this.free.length - this.freeTables.length * TABLE_FRAMES;
  }

  /** The linear memory, for translated code. */
  get linear(): WasmMemory {
    return this.memory;
  }

  /** A zeroed frame with one reference, or 0 where the limit is reached. */
  allocate(): number {
    const reused = this.free.pop();
    if (reused !== undefined) {
      this.bytes.fill(0, reused * FRAME_SIZE, (reused + 1) * FRAME_SIZE);
      this.references[reused] = 1;
      return reused;
    }
    const frame = this.extend(1);
    if (frame !== 0) this.references[frame] = 1;
    return frame;
  }

  /** A zeroed page table (TABLE_FRAMES frames in a row), as a word index; 0 where the limit is reached. */
  allocateTable(): number {
    const reused = this.freeTables.pop();
    if (reused !== undefined) {
      this.words.fill(0, reused, reused + TABLE_ENTRIES);
      return reused;
    }
    return this.extend(TABLE_FRAMES) * (FRAME_SIZE / 4);
  }

  freeTable(table: number): void {
    this.freeTables.push(table);
  }

  /** Zeroed frames in a row that are never given back (an engine's own tables and code); 0 where the limit is reached. */
  reserve(frames: number): number {
    return this.extend(frames);
  }

  /** Grows the memory now where fewer than `frames` could be given out without; its buffer stays the same until then. */
  ensure(frames: number): void {
    if (this.free.length < frames && this.next + frames > this.references.length) this.grow();
  }

  private extend(frames: number): number {
    const first = this.next;
    if (first + frames > this.limit) return 0;
    while (first + frames > this.references.length) {
      if (!this.grow()) return 0;
    }
    this.next = first + frames;
    return first;
  }

  private grow(): boolean {
    const now = this.references.length;
    const step = Math.min(Math.max(now, 1024), 32768, MAX_FRAMES - now);
    if (step <= 0) return false;
    try {
      this.memory.grow(Math.ceil(step / FRAMES_PER_WASM_PAGE));
    } catch {
      return false;
    }
    const frames = this.memory.buffer.byteLength / FRAME_SIZE;
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.references = extended(this.references, new Int32Array(frames));
    this.versions = extended(this.versions, new Uint32Array(frames));
    this.code = extended(this.code, new Uint8Array(frames));
    return true;
  }

  count(frame: number): number {
    return this.references[frame];
  }

  /** One more reference; the zero frame is not counted. */
  retain(frame: number): void {
    if (frame !== ZERO_FRAME) this.references[frame]++;
  }

  /** One reference less; the last gives the frame back. */
  drop(frame: number): void {
    if (frame === ZERO_FRAME) return;
    assert(this.references[frame] > 0, 'a dropped frame is in use');
    if (--this.references[frame] > 0) return;
    this.codeChanged(frame);
    this.shadows?.forget(frame);
    this.free.push(frame);
  }

  /** What stands in the frame changes: decoded code of it is void. */
  codeChanged(frame: number): void {
    if (this.code[frame] === 0) return;
    this.code[frame] = 0;
    this.versions[frame]++;
    this.codeChanges++;
  }

  copy(from: number, to: number): void {
    this.bytes.copyWithin(to * FRAME_SIZE, from * FRAME_SIZE, (from + 1) * FRAME_SIZE);
    this.shadows?.copy(from, to);
  }

  frameBytes(frame: number): Uint8Array {
    return this.bytes.subarray(frame * FRAME_SIZE, (frame + 1) * FRAME_SIZE);
  }
}

/** Entries of a page table at each of the three levels; 16 KiB. */
export const TABLE_ENTRIES = 4096;
const TABLE_FRAMES = (TABLE_ENTRIES * 4) / FRAME_SIZE;

function extended<T extends { set(source: T): void }>(old: T, fresh: T): T {
  fresh.set(old);
  return fresh;
}
