// The machine and the real processor side by side: an engine that runs one task of a kernel instruction by instruction
// and has the same instruction run natively by stepper.c, from the same memory and registers. The first instruction
// that leaves other registers throws `Difference`. System calls, faults and signals are the machine's kernel's alone:
// what it changed in memory and registers is carried over, so nothing of the environment can differ.
//
// Memory is not compared: a wrong store is found when the value is loaded. Not followed: memory that other tasks write
// (threads, shared mappings), and what a repeated string instruction has done when a signal interrupts it.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDecoder, disassemble, flagFacts } from '../../src/isa/index.ts';
import type { Engine, EngineStop, Registers } from '../../src/machine/index.ts';
import { type AddressSpace, MemoryFault, PAGE_SIZE, PagedSpace, PROT } from '../../src/machine/index.ts';
import { compileTool } from './native.ts';

/** Flags that are compared: CF PF AF ZF SF DF OF. */
const FLAGS = 0xcd5;
const FX_SIZE = 512;
const RECORD_SIZE = 16 * 8 + 8 + 8 + 8;
const STATE_SIZE = 16 * 8 + 4 * 8 + FX_SIZE;
const ANSWER_SIZE = 16 + 16 * 8 + 16 + FX_SIZE;
/** Instructions that go to the processor in one message. */
const BATCH = 1024;
const BATCH_HEAD = 8;
const BATCH_BYTES = BATCH_HEAD + BATCH * (RECORD_SIZE + FX_SIZE);
const KIND = { step: 0, repeat: 1, fault: 2 } as const;
const WHAT = ['equal', 'registers', 'floating point state', 'stopped'] as const;

/** State after an instruction, on either side. */
export interface SideState {
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly rflags: bigint;
  /** FXSAVE image; the machine's is there only where the instruction touches such state. */
  readonly fx: Uint8Array | undefined;
}

/** The first instruction after which the two are not the same. */
export class Difference extends Error {
  readonly what: (typeof WHAT)[number];
  /** Number of the instruction among all that the machine ran. */
  readonly number: number;
  readonly address: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  /** Addresses of the instructions before it, the last one last. */
  readonly before: readonly number[];
  readonly machine: SideState;
  readonly native: SideState;
  /** Of the native stop. */
  readonly signal: number;

  constructor(parts: Omit<Difference, keyof Error>) {
    super(`${parts.what} differ after ${parts.text} at 0x${parts.address.toString(16)}`);
    this.name = 'Difference';
    this.what = parts.what;
    this.number = parts.number;
    this.address = parts.address;
    this.text = parts.text;
    this.bytes = parts.bytes;
    this.before = parts.before;
    this.machine = parts.machine;
    this.native = parts.native;
    this.signal = parts.signal;
  }
}

export interface LockstepOptions {
  /** Instructions that the machine runs alone before the comparison begins. */
  readonly from?: number;
  /** Compares so many instructions at a time … */
  readonly window?: number;
  /** … and then lets the machine run so many alone. Both absent: everything is compared. */
  readonly gap?: number;
}

/** What is known of the instruction at an address. */
interface Facts {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Flags that are defined afterwards. */
  readonly flags: number;
  /** Touches x87, MMX, SSE state. */
  readonly fx: boolean;
  readonly repeats: boolean;
  /** Its result belongs to the environment or the processor model: the machine's counts. */
  readonly foreign: boolean;
  /** Pushes flags: the native copy has the trap flag of single-stepping in it. */
  readonly pushesFlags: boolean;
}

const FOREIGN =
  /^(?:cpuid|rdtsc|rdtscp|rdpmc|rdpid|rdrand|rdseed|xgetbv|tzcnt|lzcnt|rcp|rsqrt|sysenter|syscall|sldt|str|sgdt|sidt|smsw)/;
const FX = /\b(?:[xy]?mm\d+|st(?:\(\d\))?)\b|^(?:f[a-z0-9]+|ldmxcsr|stmxcsr|emms)\b/;

export class LockstepEngine implements Engine {
  private readonly engine: Engine;
  private readonly processor: Processor;
  private readonly options: LockstepOptions;
  private readonly facts = new Map<number, Facts>();
  private readonly decoder = createDecoder();
  private followed: Registers | undefined;
  private space: PagedSpace | undefined;
  private watch: MemoryWatch | undefined;
  private readonly last = new Uint8Array(STATE_SIZE);
  private readonly batch = new Uint8Array(BATCH_BYTES);
  private readonly view = new DataView(this.batch.buffer);
  private readonly words = new BigUint64Array(this.batch.buffer);
  private used = BATCH_HEAD;
  private readonly addresses: number[] = [];
  private previous: readonly number[] = [];
  private readonly numbers: number[] = [];
  private lastRecord = 0;
  /** The kernel may have changed something, or the last instruction's result is to be carried over. */
  private stale = true;
  /** The registers are to be carried over even where the machine's did not change. */
  private force = true;
  /** Instructions compared so far. */
  compared = 0;

  constructor(engine: Engine, options: LockstepOptions = {}) {
    this.engine = engine;
    this.options = options;
    this.processor = new Processor();
  }

  get executed(): number {
    return this.engine.executed;
  }
  set executed(value: number) {
    this.engine.executed = value;
  }

  /** Compares what has not been compared. */
  compare(): void {
    this.flush();
  }

  close(): void {
    this.processor.close();
  }

  run(registers: Registers, space: AddressSpace, budget: number): EngineStop {
    this.followed ??= registers;
    if (registers !== this.followed || !(space instanceof PagedSpace))
      return this.engine.run(registers, space, budget);
    // between two runs the kernel may have changed anything
    let fresh = true;
    for (let left = budget; left > 0; ) {
      const alone = this.alone();
      if (alone > 0) {
        this.leave();
        const before = this.executed;
        const stop = this.engine.run(registers, space, Math.min(left, alone));
        left -= this.executed - before;
        fresh = true;
        if (stop.kind !== 'budget') return stop;
        continue;
      }
      if (fresh || this.stale) this.sync(registers, space);
      fresh = this.stale = false;
      const stop = this.step(registers, space);
      left--;
      if (stop.kind !== 'budget') return this.end(registers, stop);
    }
    return this.end(registers, { kind: 'budget' });
  }

  /** What the next run compares with, to see whether the kernel changed registers. */
  private end(registers: Registers, stop: EngineStop): EngineStop {
    this.last.set(stateOf(registers));
    this.completeLast(registers);
    return stop;
  }

  /** The last instruction before the kernel acts has its floating point state compared in any case. */
  private completeLast(registers: Registers): void {
    const at = this.lastRecord;
    if (
      this.addresses.length === 0 ||
      this.stale ||
      this.batch[at + 149] === 1 ||
      this.batch[at + 148] === KIND.fault
    )
      return;
    this.batch[at + 149] = 1;
    this.batch.set(registers.fxsave(), this.used);
    this.used += FX_SIZE;
  }

  /** Instructions that the machine may now run without comparison. */
  private alone(): number {
    const { from = 0, window, gap } = this.options;
    if (this.executed < from) return from - this.executed;
    if (window === undefined || gap === undefined) return 0;
    const at = (this.executed - from) % (window + gap);
    return at < window ? 0 : window + gap - at;
  }

  private leave(): void {
    if (this.space === undefined) return;
    this.flush();
    this.watch?.stop();
    this.space = undefined;
  }

  /** Carries over what the kernel has changed since the last instruction. */
  private sync(registers: Registers, space: PagedSpace): void {
    if (this.space !== space) {
      this.flush();
      this.watch?.stop();
      this.space = space;
      this.watch = new MemoryWatch(space);
      this.facts.clear();
      this.processor.empty();
      for (const region of space.regions()) this.processor.carry(space, region.start, region.end);
      this.carryRegisters(registers);
      return;
    }
    const ranges = this.watch?.take() ?? [];
    if (ranges.length > 0) {
      this.flush();
      this.facts.clear();
      for (const { start, end } of ranges) this.processor.carry(space, start, end);
    }
    const state = stateOf(registers);
    if (this.force || Buffer.compare(state, this.last) !== 0) {
      this.flush();
      this.carryRegisters(registers);
    }
  }

  private carryRegisters(registers: Registers): void {
    const state = stateOf(registers);
    this.last.set(state);
    this.force = false;
    this.processor.setState(state);
  }

  private step(registers: Registers, space: PagedSpace): EngineStop {
    const address = registers.rip;
    const facts = this.factsAt(space, address);
    const number = this.executed;
    this.watch?.pause();
    let stop = this.engine.run(registers, space, 1);
    // the processor leaves a repeated instruction with its last step, the machine one step later
    while (facts?.repeats === true && stop.kind === 'budget' && registers.rip === address)
      stop = this.engine.run(registers, space, 1);
    this.watch?.resume();
    // a system call is the kernel's, and so is an instruction that could not be fetched
    if (stop.kind === 'syscall' || stop.kind === 'unsupported' || facts === undefined) return stop;
    this.stale = facts.foreign || facts.pushesFlags;
    if (facts.foreign || stop.kind === 'fault') this.force = true;
    if (!facts.foreign) {
      const kind = stop.kind === 'fault' ? KIND.fault : facts.repeats ? KIND.repeat : KIND.step;
      this.append(registers, { address, number, facts, kind });
    }
    if (facts.pushesFlags) this.watch?.changed(Number(registers.gpr[4]), 8);
    return stop;
  }

  private append(
    registers: Registers,
    step: { readonly address: number; readonly number: number; readonly facts: Facts; readonly kind: number },
  ): void {
    const { view, words, batch } = this;
    const { address, number, facts, kind } = step;
    const fx = facts.fx && kind !== KIND.fault;
    const word = this.used / 8;
    this.lastRecord = this.used;
    words.set(registers.gpr, word);
    words[word + 16] = BigInt(registers.rip);
    words[word + 17] = registers.rflags;
    view.setUint32(this.used + 144, facts.flags, true);
    batch[this.used + 148] = kind;
    batch[this.used + 149] = fx ? 1 : 0;
    this.used += RECORD_SIZE;
    if (fx) {
      batch.set(registers.fxsave(), this.used);
      this.used += FX_SIZE;
    }
    this.addresses.push(address);
    this.numbers.push(number);
    if (this.addresses.length === BATCH) this.flush();
  }

  private flush(): void {
    const count = this.addresses.length;
    if (count === 0) return;
    this.words[0] = BigInt(count);
    const answer = this.processor.run(this.batch.subarray(0, this.used));
    const index = answer.view.getUint32(0, true);
    this.compared += index;
    if (index < count) throw this.difference(index, answer);
    this.previous = this.addresses.slice(-12);
    this.addresses.length = 0;
    this.numbers.length = 0;
    this.used = BATCH_HEAD;
  }

  private difference(
    index: number,
    { view, bytes }: { readonly view: DataView; readonly bytes: Uint8Array },
  ): Difference {
    const address = this.addresses[index];
    const facts = this.facts.get(address);
    const code = facts?.bytes.subarray(0, facts.length) ?? new Uint8Array(0);
    return new Difference({
      what: WHAT[view.getUint32(4, true)],
      signal: view.getUint32(8, true),
      number: this.numbers[index],
      address,
      bytes: code,
      text: code.length === 0 ? '(unknown)' : disassemble(code, address),
      before: [...this.previous, ...this.addresses.slice(0, index)].slice(-12),
      machine: this.recorded(index),
      native: {
        gpr: Array.from({ length: 16 }, (_, i) => view.getBigUint64(16 + 8 * i, true)),
        rip: view.getBigUint64(144, true),
        rflags: view.getBigUint64(152, true),
        fx: bytes.subarray(160),
      },
    });
  }

  private recorded(index: number): SideState {
    let at = BATCH_HEAD;
    for (let i = 0; i < index; i++) at += RECORD_SIZE + (this.batch[at + 149] === 1 ? FX_SIZE : 0);
    const fx =
      this.batch[at + 149] === 1 ? this.batch.slice(at + RECORD_SIZE, at + RECORD_SIZE + FX_SIZE) : undefined;
    return {
      gpr: Array.from({ length: 16 }, (_, i) => this.view.getBigUint64(at + 8 * i, true)),
      rip: this.view.getBigUint64(at + 128, true),
      rflags: this.view.getBigUint64(at + 136, true),
      fx,
    };
  }

  private factsAt(space: PagedSpace, address: number): Facts | undefined {
    const known = this.facts.get(address);
    if (known !== undefined) return known;
    const bytes = codeAt(space, address);
    this.decoder.start(bytes, address);
    const instruction = this.decoder.next();
    if (instruction === undefined) return undefined;
    const { mnemonic, length } = instruction;
    const text = disassemble(bytes, address);
    const facts: Facts = {
      bytes,
      length,
      flags: FLAGS & ~flagFacts(bytes).undefined,
      fx: FX.test(text),
      repeats:
        (instruction.rep || instruction.repne) && instruction.kinds.some((kind) => kind.startsWith('string')),
      foreign: FOREIGN.test(mnemonic),
      pushesFlags: mnemonic.startsWith('pushf'),
    };
    this.facts.set(address, facts);
    return facts;
  }
}

function codeAt(space: PagedSpace, address: number): Uint8Array {
  try {
    return space.read(address, 15);
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
  }
  try {
    return space.read(address, Math.min(15, PAGE_SIZE - (address % PAGE_SIZE)));
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    return new Uint8Array(0);
  }
}

/** 16 general registers, rip, rflags, fsbase, gsbase, FXSAVE image. */
function stateOf(registers: Registers): Uint8Array {
  const words = new BigUint64Array(STATE_SIZE / 8);
  words.set(registers.gpr);
  words.set([BigInt(registers.rip), registers.rflags, registers.fsbase, registers.gsbase], 16);
  const state = new Uint8Array(words.buffer);
  state.set(registers.fxsave(), 160);
  return state;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

const WATCHED = [
  'map',
  'unmap',
  'move',
  'discard',
  'protect',
  'write8',
  'write16',
  'write32',
  'write64',
  'write128',
  'write',
] as const;

/** Notes which pages the kernel changes, by standing in front of an address space's methods. */
class MemoryWatch {
  private readonly space: PagedSpace;
  private ranges: Range[] = [];
  private paused = false;

  constructor(space: PagedSpace) {
    this.space = space;
    const own = space as unknown as Record<string, unknown>;
    for (const name of WATCHED) {
      const original = space[name] as (...args: readonly unknown[]) => unknown;
      own[name] = (...args: readonly unknown[]): unknown => {
        const result = original.apply(space, [...args]);
        if (!this.paused) this.note(name, args);
        return result;
      };
    }
  }

  stop(): void {
    for (const name of WATCHED) Reflect.deleteProperty(this.space, name);
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }

  private note(name: (typeof WATCHED)[number], args: readonly unknown[]): void {
    if (name === 'map') {
      const { address, length } = args[0] as { readonly address: number; readonly length: number };
      this.changed(address, length);
      return;
    }
    const [at, length, to] = args as readonly [number, number, number];
    if (name === 'move') this.changed(to, length);
    if (name === 'write') this.changed(at, (args[1] as Uint8Array).length);
    else this.changed(at, name.startsWith('write') ? Number(name.slice(5)) / 8 : length);
  }

  changed(address: number, length: number): void {
    const start = address - (address % PAGE_SIZE);
    const end = address + length + ((PAGE_SIZE - ((address + length) % PAGE_SIZE)) % PAGE_SIZE);
    const last = this.ranges.at(-1);
    if (last !== undefined && start >= last.start && end <= last.end) return;
    this.ranges.push({ start, end });
  }

  take(): readonly Range[] {
    if (this.ranges.length === 0) return [];
    const taken = this.ranges;
    this.ranges = [];
    return taken;
  }
}

/** stepper.c's process: its messages, over two FIFOs, so that an engine can wait for the answers. */
class Processor {
  private readonly folder: string;
  private readonly to: number;
  private readonly from: number;
  private readonly kill: () => void;

  constructor() {
    const stepper = compileTool('stepper.c', ['-static']);
    this.folder = mkdtempSync(join(tmpdir(), 'effigy-stepper-'));
    const [to, from] = ['to', 'from'].map((name) => join(this.folder, name));
    execFileSync('mkfifo', [to, from]);
    const child = spawn(stepper, [to, from], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { GLIBC_TUNABLES: 'glibc.pthread.rseq=0' },
    });
    child.unref();
    this.to = openSync(to, 'w');
    this.from = openSync(from, 'r');
    this.kill = () => child.kill('SIGKILL');
    process.once('exit', this.kill);
  }

  close(): void {
    closeSync(this.to);
    closeSync(this.from);
    this.kill();
    process.off('exit', this.kill);
    rmSync(this.folder, { recursive: true, force: true });
  }

  empty(): void {
    this.send('E');
  }

  setState(state: Uint8Array): void {
    this.send('R', state);
  }

  run(batch: Uint8Array): { readonly view: DataView; readonly bytes: Uint8Array } {
    this.send('S', batch);
    const bytes = new Uint8Array(ANSWER_SIZE);
    for (let done = 0; done < bytes.length; ) {
      const n = readSync(this.from, bytes, done, bytes.length - done, null);
      if (n === 0) throw new Error('the native side ended');
      done += n;
    }
    return { view: new DataView(bytes.buffer), bytes };
  }

  /** Makes the native memory of a range what the machine's is. */
  carry(space: PagedSpace, start: number, end: number): void {
    this.numbers('U', start, end - start);
    for (const region of space.regions()) {
      const low = Math.max(start, region.start);
      const high = Math.min(end, region.end);
      if (low >= high) continue;
      this.numbers('M', low, high - low, PROT.READ | PROT.WRITE);
      if (region.prot !== 0) this.contents(space, region.backing === undefined, low, high);
      this.numbers('P', low, high - low, region.prot);
    }
  }

  private contents(space: PagedSpace, anonymous: boolean, low: number, high: number): void {
    const pages: number[] = [];
    if (!anonymous) for (let at = low; at < high; at += PAGE_SIZE) pages.push(at);
    else
      space.table.update(low, high, (entry, address) => {
        pages.push(address);
        return entry;
      });
    for (const page of pages) {
      try {
        const bytes = space.read(page, PAGE_SIZE);
        if (bytes.some((byte) => byte !== 0)) {
          this.numbers('W', page, PAGE_SIZE);
          this.write(bytes);
        }
      } catch (error) {
        // pages beyond the end of a file: natively they are zero, where the machine says SIGBUS
        if (!(error instanceof MemoryFault)) throw error;
      }
    }
  }

  private numbers(command: string, ...values: readonly number[]): void {
    this.send(command, new Uint8Array(BigUint64Array.from(values, BigInt).buffer));
  }

  private send(command: string, bytes: Uint8Array = new Uint8Array(0)): void {
    const message = new Uint8Array(1 + bytes.length);
    message[0] = command.charCodeAt(0);
    message.set(bytes, 1);
    this.write(message);
  }

  private write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.to, bytes, done);
  }
}
