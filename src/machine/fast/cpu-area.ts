// The CPU area of a core in linear memory (layout.ts): registers in and out, fields, what regions remember.
import type { FramePool } from '../frames.ts';
import type { Frame } from '../interpret.ts';
import { LAYOUT, RegisterFile } from '../registers.ts';
import { CALLS, CPU, FIRST_NUMBER, LEAVES, NUMBERS, type Places, WINDOW_SIZE, WINDOWS } from './layout.ts';

export abstract class CpuArea {
  readonly pool: FramePool;
  readonly places: Places;
  /** State of slow operations. */
  abstract readonly frame: Frame;
  protected abstract settle(): number;
  private epoch = 0;
  private root = 0;
  /** mappingChanges of the pool when the epoch began. */
  private changesSeen = -1;

  constructor(pool: FramePool, places: Places) {
    this.pool = pool;
    this.places = places;
  }

  /** The register file in linear memory; renewed when memory grew. */
  cpu(): RegisterFile {
    const { frame } = this;
    if (frame.cpu === undefined || frame.cpu.buffer !== this.pool.linear.buffer)
      frame.cpu = new RegisterFile(this.pool.linear.buffer, this.places.cpu);
    return frame.cpu;
  }

  // registers

  load(registers: RegisterFile, root: number): void {
    const { bytes, view } = this.pool;
    const at = this.places.cpu;
    bytes.set(new Uint8Array(registers.buffer, registers.offset, LAYOUT.size), at);
    view.setInt32(at + CPU.pending, -1, true);
    view.setUint32(at + CPU.root, root * 4, true);
    if (root === this.root && this.pool.mappingChanges === this.changesSeen) return;
    this.root = root;
    this.newEpoch();
  }

  /** What was found at an address is to be looked up again. */
  newEpoch(): void {
    this.changesSeen = this.pool.mappingChanges;
    this.epoch = (this.epoch % 0x3fff_ffff) + 1;
    this.pool.view.setUint32(this.places.cpu + CPU.epoch, this.epoch, true);
  }

  // values

  protected read(at: number, width: number): bigint {
    const { view } = this.pool;
    if (width <= 32)
      return BigInt(
        width === 32 ? view.getUint32(at, true) : width === 16 ? view.getUint16(at, true) : view.getUint8(at),
      );
    const low = view.getBigUint64(at, true);
    return width === 64 ? low : low | (view.getBigUint64(at + 8, true) << 64n);
  }

  protected write(at: number, width: number, value: bigint): void {
    const { view } = this.pool;
    view.setBigUint64(at, width === 128 ? BigInt.asUintN(64, value) : value, true);
    if (width === 128) view.setBigUint64(at + 8, value >> 64n, true);
  }

  /** Constants that streams have in common. */
  protected writeNumbers(): void {
    const first = this.places.cpu + CPU.numbers;
    for (let i = 0; i < NUMBERS; i++)
      this.pool.view.setBigInt64(first + 8 * i, BigInt(FIRST_NUMBER + i), true);
  }

  // stops between instructions

  /** The page table may have changed. */
  protected closeWindows(): void {
    const first = this.places.cpu + CPU.windows;
    this.pool.bytes.fill(0, first, first + WINDOWS * WINDOW_SIZE);
  }

  /** Links of calls may lead to blocks that are no more. */
  protected forgetCalls(): void {
    const first = this.places.cpu + CPU.calls;
    this.pool.bytes.fill(0, first, first + CALLS);
  }

  /** The address space is another one. */
  forgetLeaves(): void {
    const first = this.places.cpu + CPU.leaves;
    this.pool.bytes.fill(0xff, first, first + LEAVES * 16);
  }

  save(registers: RegisterFile): void {
    this.settle();
    const at = this.places.cpu;
    new Uint8Array(registers.buffer, registers.offset, LAYOUT.size).set(
      this.pool.bytes.subarray(at, at + LAYOUT.size),
    );
  }

  setRoot(root: number): void {
    this.pool.view.setUint32(this.places.cpu + CPU.root, root * 4, true);
  }

  /** Low and high halves of rip; the second is 0 in user space for addresses below 2^47. */
  get ripHigh(): number {
    return this.pool.view.getUint32(this.places.cpu + LAYOUT.rip + 4, true);
  }
  get rip(): number {
    return this.ripHigh * 2 ** 32 + this.pool.view.getUint32(this.places.cpu + LAYOUT.rip, true);
  }
  set rip(value: number) {
    const { view } = this.pool;
    view.setUint32(this.places.cpu + LAYOUT.rip, value % 2 ** 32, true);
    view.setUint32(this.places.cpu + LAYOUT.rip + 4, Math.floor(value / 2 ** 32), true);
  }
  field(offset: number): number {
    return this.pool.view.getInt32(this.places.cpu + offset, true);
  }
}
