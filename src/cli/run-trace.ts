// Traces of a run in the machine: system calls, effects, instructions, one line each.
//
//   1 openat(AT_FDCWD, "/etc/passwd", 0x80000, 00) = 3
//   1 OPEN r /etc/passwd
//   1 0x7ffff7fe4b40 ld-linux-x86-64.so.2:_start  mov rdi, rsp  rdi=0x7fffffffe540
//
// The number is the task's. A system call has its line when it ends; one that never ends, at the end of the run.
import { printable } from '../bytes/index.ts';
import { printEffect } from '../effect/index.ts';
import { disassemble } from '../isa/index.ts';
import {
  type CallTexts,
  callStack,
  type EffectEvent,
  errnoName,
  type Frame,
  formatArguments,
  formatSyscall,
  type Kernel,
  type KernelHooks,
  placeOf,
  type SyscallRow,
  type Task,
} from '../linux/index.ts';
import type { AddressSpace, EngineStop, Registers } from '../machine/index.ts';
import { RegisterMemory } from './run-registers.ts';
import type { StepListener } from './run-step.ts';

export const TRACE_KINDS = ['insn', 'syscall', 'effect'] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];

export interface TraceOptions {
  readonly kinds: ReadonlySet<TraceKind>;
  /** Nothing is told before a task first comes to this place: a function's name, or an address in memory or in the program. */
  readonly from?: string | undefined;
  /** Only this process. */
  readonly pid?: number | undefined;
  /** The guest's call stack below each system call and effect. */
  readonly stacks: boolean;
}

/** One line of a trace and what it is about. */
export interface TraceEvent {
  readonly kind: TraceKind;
  readonly pid: number;
  readonly tid: number;
  readonly text: string;
  readonly stack?: readonly string[];
}

/** Calls that never return. */
const ENDS_TASK = new Set(['exit', 'exit_group']);

const ADDRESS = /^0x[0-9a-fA-F]{1,12}$/;

export class Tracer implements StepListener {
  private readonly options: TraceOptions;
  private readonly tell: (event: TraceEvent) => void;
  private readonly address: number | undefined;
  private started: boolean;
  private kernel: Kernel | undefined;
  private task: Task | undefined;
  private place: Frame | undefined;
  private readonly memory = new RegisterMemory();
  private readonly entries = new Map<Task, { readonly row: SyscallRow; readonly texts: CallTexts }>();
  private readonly decoded = new Map<number, { readonly bytes: Uint8Array; readonly text: string }>();

  constructor(options: TraceOptions, tell: (event: TraceEvent) => void) {
    this.options = options;
    this.tell = tell;
    this.started = options.from === undefined;
    this.address =
      options.from !== undefined && ADDRESS.test(options.from) ? Number(options.from) : undefined;
  }

  /** Whether instructions have to be looked at one by one. */
  get steps(): boolean {
    return !this.started || this.options.kinds.has('insn');
  }

  /** Whether the place to start from has not been reached. */
  get waits(): boolean {
    return !this.started;
  }

  attach(kernel: Kernel): void {
    this.kernel = kernel;
  }

  hooks(): Pick<KernelHooks, 'onSyscallEntry' | 'onSyscall'> {
    if (!this.options.kinds.has('syscall')) return {};
    return {
      onSyscallEntry: (task, row, args) => {
        if (!this.wants(task)) return;
        this.entries.set(task, { row, texts: formatArguments(task, row, args) });
        if (ENDS_TASK.has(row.name)) this.unfinished(task);
      },
      onSyscall: (task, row, args, result) => {
        const entry = this.entries.get(task);
        this.entries.delete(task);
        if (entry === undefined) return;
        this.say('syscall', task, formatSyscall(task, row, args, result, entry.texts), () =>
          this.stackOf(task),
        );
      },
    };
  }

  effect(event: EffectEvent): void {
    const { pid, tid } = event;
    if (!this.options.kinds.has('effect') || !this.started) return;
    if (this.options.pid !== undefined && this.options.pid !== pid) return;
    const failed = event.result < 0 ? `  (${errnoName(-event.result)})` : '';
    const stack = this.options.stacks
      ? { stack: [...event.stack.map(frameText), ...(event.stackCut ? ['…'] : [])] }
      : {};
    this.tell({ kind: 'effect', pid, tid, text: `${printEffect(event.effect)}${failed}`, ...stack });
  }

  /** The system calls that the end of the run found unfinished. */
  finish(): void {
    for (const task of [...this.entries.keys()]) this.unfinished(task);
  }

  private unfinished(task: Task): void {
    const entry = this.entries.get(task);
    if (entry === undefined) return;
    this.entries.delete(task);
    const why = task.state === 'dead' || task.wait === undefined ? '' : ` (waits for ${task.wait.reason})`;
    const shown = entry.texts.map((text) => text ?? '…').join(', ');
    this.say('syscall', task, `${entry.row.name}(${shown}) = ?${why}`, () => this.stackOf(task));
  }

  before(registers: Registers, space: AddressSpace): void {
    const task = this.taskOf(registers);
    if (task === undefined) return;
    if (this.started && !(this.options.kinds.has('insn') && this.wants(task))) return;
    this.place = placeOf(task);
    if (!this.started && this.reached(task, this.place)) this.started = true;
    if (this.started && this.options.kinds.has('insn')) this.memory.remember(registers);
    else this.place = undefined;
    if (this.place !== undefined) this.instructionAt(space, registers.rip);
  }

  after(registers: Registers, space: AddressSpace, stop: EngineStop): void {
    const { task, place } = this;
    if (task === undefined || place === undefined) return;
    this.place = undefined;
    const stopped = stop.kind === 'budget' || stop.kind === 'syscall' ? [] : [`(${stopText(stop)})`];
    const address = this.last;
    const parts = [
      `0x${address.toString(16)}`,
      frameText(place).padEnd(36),
      this.instructionAt(space, address).padEnd(36),
      [...this.memory.changes(registers), ...stopped].join(' '),
    ];
    this.say('insn', task, parts.join('  ').trimEnd(), () => []);
  }

  private last = 0;

  /** Disassembly of what stands at an address; the same bytes are disassembled once. */
  private instructionAt(space: AddressSpace, address: number): string {
    this.last = address;
    const bytes = readCode(space, address);
    const known = this.decoded.get(address);
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) return known.text;
    const text = bytes.length === 0 ? '(no code)' : disassemble(bytes, address);
    if (this.decoded.size > 200_000) this.decoded.clear();
    this.decoded.set(address, { bytes, text });
    return text;
  }

  private wants(task: Task): boolean {
    return this.started && (this.options.pid === undefined || this.options.pid === task.process.pid);
  }

  private reached(task: Task, place: Frame | undefined): boolean {
    if (this.options.pid !== undefined && this.options.pid !== task.process.pid) return false;
    if (this.address === undefined) return place?.symbol === `${this.options.from}+0x0`;
    return (
      task.registers.rip === this.address ||
      (place?.offset === this.address && place.module === task.process.exe)
    );
  }

  private taskOf(registers: Registers): Task | undefined {
    if (this.task?.registers !== registers)
      this.task = [...(this.kernel?.tasks.values() ?? [])].find((task) => task.registers === registers);
    return this.task;
  }

  private stackOf(task: Task): string[] {
    if (this.kernel === undefined) return [];
    const { frames, cut } = callStack(this.kernel, task);
    return [...frames.map(frameText), ...(cut ? ['…'] : [])];
  }

  private say(kind: TraceKind, task: Task, text: string, stack: () => readonly string[]): void {
    const { tid, process } = task;
    const base = { kind, pid: process.pid, tid, text };
    this.tell(this.options.stacks && kind !== 'insn' ? { ...base, stack: stack() } : base);
  }
}

/** `libc.so.6:strlen+0x1c`; without a symbol the offset in the file's own terms. */
export function frameText(frame: Frame): string {
  const module = printable(frame.module.slice(frame.module.lastIndexOf('/') + 1)) || '(no file)';
  return frame.symbol === undefined
    ? `${module}+0x${frame.offset.toString(16)}`
    : `${module}:${printable(frame.symbol).replace(/\+0x0$/, '')}`;
}

function stopText(stop: EngineStop): string {
  if (stop.kind === 'fault')
    return `${stop.fault} fault${stop.fault === 'page' ? `: ${stop.access} 0x${stop.address.toString(16)}` : ''}`;
  return stop.kind === 'unsupported' ? 'unsupported instruction' : stop.kind;
}

/** The bytes of the longest instruction that could stand there, as far as they are mapped. */
function readCode(space: AddressSpace, address: number): Uint8Array {
  for (let length = 15; length > 0; length--) {
    try {
      return space.read(address, length);
    } catch {
      // it ends at a page that is not mapped
    }
  }
  return new Uint8Array(0);
}
