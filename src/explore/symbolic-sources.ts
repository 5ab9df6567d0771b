// Where the expressions of one run come from: messages that clients send, with their lengths; what those outside answer;
// files that came to be there; and what the kernel says of the environment (time, pids, random bytes, who calls). Messages,
// answers and files are other ones in other runs; the rest stays as it is, so that it makes patterns of resources and no
// further runs.
//
// Values of the environment that a program took while it booted, or has by auxiliary vectors, have no expressions here.
import type { Expressions } from '../expr/index.ts';
import type { SyscallRow, Task } from '../linux/index.ts';
import { byteShadow, type ConcolicEngine, MemoryFault, PagedSpace, setByteShadow } from '../machine/index.ts';
import { isBelow } from './restarts.ts';
import {
  answerSource,
  type Given,
  hasMessage,
  lengthBase,
  lengthSource,
  messageOf,
  messageSource,
  placeOf,
  type SymbolicInput,
  variableName,
} from './symbolic-input.ts';

/** Files that may be there and are not, that one run tells of. */
const MAX_WANTED = 4;
const RAX = 0;
/** Of one call (UIO_MAXIOV). */
const MAX_SPANS = 1024;
/** Of process numbers (PID_MAX_LIMIT). */
const PID_BITS = 22;
const REALTIME: readonly bigint[] = [0n, 5n];
const RANDOM_FILES: readonly string[] = ['/dev/urandom', '/dev/random'];
const [INET, INET6] = [2, 10];

export interface SourcesOptions {
  readonly x: Expressions;
  readonly engine: ConcolicEngine;
  readonly input: SymbolicInput;
  /** Directories of which nobody knows what is in them. */
  readonly unknown: readonly string[];
}

/** Bytes of guest memory. */
interface Span {
  readonly address: number;
  readonly count: number;
}

/** What a system call says of the environment, once it has ended well. */
type Telling = (s: RunSources, task: Task, args: readonly bigint[], result: number) => void;

export class RunSources {
  /** What the run was given beside its messages. */
  readonly given = new Map<string, Given>();
  /** Paths in unknown directories that were looked for. */
  readonly wanted = new Set<string>();
  private readonly options: SourcesOptions;
  private readonly lengths: readonly number[];
  /** By message: whether it is sent as it is. */
  private readonly known: readonly boolean[];
  private next = 0;
  /** Expressions of the bytes of files, by path. */
  private readonly files = new Map<string, Int32Array>();
  private readonly numbers = new Map<string, number>();

  constructor(options: SourcesOptions) {
    this.options = options;
    const { input } = options;
    this.lengths = input.messages.map(({ length }) => length);
    let sends = 0;
    this.known = input.scenario.actions
      .filter(hasMessage)
      .map((action) => action.do === 'send' && sends++ < input.known);
  }

  /** The bytes with shadows, as the next message of the run. */
  send(bytes: Uint8Array): Uint8Array {
    const message = this.next++;
    return this.known[message] === true ? bytes : this.shadowed(messageSource(message), bytes);
  }

  /** An answer from outside, with shadows. */
  answer(nth: number, bytes: Uint8Array): Uint8Array {
    const source = answerSource(nth);
    this.given.set(source, { bytes: bytes.slice(), open: true });
    return this.shadowed(source, bytes);
  }

  onPlaced(path: string, bytes: Uint8Array): void {
    const shadow = byteShadow(bytes);
    if (shadow !== undefined) this.files.set(path, shadow);
  }

  onPath(path: string): void {
    const { unknown } = this.options;
    if (this.files.has(path) || this.wanted.size >= MAX_WANTED) return;
    if (unknown.some((directory) => path !== directory && isBelow(path, directory))) this.wanted.add(path);
  }

  onResult(task: Task, row: SyscallRow, args: readonly bigint[], result: number): void {
    if (result < 0) return;
    try {
      TELLINGS[row.name]?.(this, task, args, result);
    } catch (error) {
      // memory that another thread has unmapped since
      if (!(error instanceof MemoryFault)) throw error;
    }
  }

  private shadowed(source: string, bytes: Uint8Array): Uint8Array {
    const out = bytes.slice();
    setByteShadow(out, this.variables(source, bytes.length));
    return out;
  }

  private variables(source: string, count: number): Int32Array {
    return Int32Array.from({ length: count }, (_, i) => this.options.x.variable(8, variableName(source, i)));
  }

  /** A name for another one of its kind: `pid0`, `pid1`. */
  private named(kind: string): string {
    const nth = this.numbers.get(kind) ?? 0;
    this.numbers.set(kind, nth + 1);
    return `${kind}${nth}`;
  }

  /** Bytes in guest memory are the environment's. */
  tells(task: Task, kind: string, address: number, count: number): void {
    const { space } = task.process;
    if (!(space instanceof PagedSpace) || address === 0 || count <= 0) return;
    const bytes = space.read(address, count);
    const source = this.named(kind);
    this.given.set(source, { bytes: bytes.slice(), open: false });
    space.setShadow(address, this.variables(source, count));
  }

  /** A number in guest memory, of at most four bytes, is the environment's: one variable. */
  counts(task: Task, kind: string, address: number, count: number): void {
    const { space } = task.process;
    if (!(space instanceof PagedSpace) || address === 0) return;
    const { x } = this.options;
    const source = this.named(kind);
    this.given.set(source, { bytes: space.read(address, count).slice(), open: false });
    const variable = x.variable(8 * count, variableName(source, 0));
    space.setShadow(
      address,
      Int32Array.from({ length: count }, (_, i) => x.byte(variable, i)),
    );
  }

  /** The result is the number of a process or thread: the same is the same variable. */
  returns(task: Task, kind: string, result: number): void {
    if (result <= 0 || result >= 2 ** PID_BITS) return;
    const { x, engine } = this.options;
    const source = `${kind}${result}`;
    const bytes = Uint8Array.of(result & 0xff, (result >> 8) & 0xff, result >> 16);
    this.given.set(source, { bytes, open: false });
    engine.giveShadow(task.registers, RAX, x.zext(x.variable(PID_BITS, variableName(source, 0)), 64));
  }

  /** The address of who calls: its port and its number. */
  peer(task: Task, address: number, lengthAt: number): void {
    const { space } = task.process;
    if (!(space instanceof PagedSpace) || address === 0 || lengthAt === 0) return;
    const [family, high] = space.read(address, 2);
    if (high !== 0 || (family !== INET && family !== INET6)) return;
    const length = space.read(lengthAt, 1)[0];
    if (length < (family === INET ? 8 : 24)) return;
    const port = space.read(address + 2, 2);
    const [at, count] = family === INET ? [4, 4] : [8, 16];
    const source = `peer${port.join('.')}-${space.read(address + at, count).join('.')}-`;
    const whole = Uint8Array.from([...port, ...space.read(address + at, count)]);
    this.given.set(source, { bytes: whole, open: false });
    const variables = this.variables(source, whole.length);
    space.setShadow(address + 2, variables.subarray(0, 2));
    // of an IPv4 client that is seen by IPv6 the first 12 bytes are the same for all
    const fixed = family === INET6 && whole.subarray(2, 12).every((byte) => byte === 0) ? 12 : 0;
    space.setShadow(address + at + fixed, variables.subarray(2 + fixed));
  }

  /** Bytes of a file, or of a connection, were read into spans of memory, one after the other. */
  read(task: Task, fd: number, spans: readonly Span[], result: number, offset: number | undefined): void {
    const { space, files } = task.process;
    const file = files.get(fd);
    if (result === 0 || file === undefined || !(space instanceof PagedSpace)) return;
    const filled = filledSpans(spans, result);
    const resource = file.resource();
    if (resource.kind !== 'file') {
      this.measure(task, space, filled);
      return;
    }
    if (RANDOM_FILES.includes(resource.path))
      for (const { address, count } of filled) this.tells(task, 'random', address, count);
    const content = this.files.get(resource.path);
    if (content === undefined) return;
    let from = offset ?? file.position - result;
    if (from < 0) return;
    for (const { address, count } of filled) {
      const part = content.slice(from, from + count);
      if (part.length > 0) space.setShadow(address, part);
      from += count;
    }
  }

  /** The last bytes of a message were read: how many, depends on how long it is. */
  private measure(task: Task, space: PagedSpace, spans: readonly Span[]): void {
    const { x, engine } = this.options;
    const [head, tail] = [spans.at(0), spans.at(-1)];
    if (head === undefined || tail === undefined) return;
    const [first] = space.shadow(head.address, 1) ?? [0];
    const [last] = space.shadow(tail.address + tail.count - 1, 1) ?? [0];
    const [from, to] = [x.variableNumber(first), x.variableNumber(last)];
    if (first === 0 || last === 0 || from < 0 || to < 0) return;
    const [start, end] = [placeOf(x, from), placeOf(x, to)];
    const message = messageOf(start.source);
    const length = this.lengths[message];
    if (message < 0 || start.source !== end.source || end.at !== length - 1) return;
    const variable = x.zext(x.variable(8, variableName(lengthSource(message), 0)), 64);
    const known = x.constant(64, lengthBase(length) - start.at, lengthBase(length) < start.at ? -1 : 0);
    engine.giveShadow(task.registers, RAX, x.add(variable, known));
  }

  get expressions(): Expressions {
    return this.options.x;
  }
}

const at = (value: bigint): number => Number(value);
const whole = (address: bigint, count: number): readonly Span[] => [{ address: at(address), count }];

function wordAt(task: Task, address: number): number {
  const bytes = task.process.space.read(address, 8);
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

/** What an array of `struct iovec` names. */
function spansAt(task: Task, address: number, count: number): readonly Span[] {
  return Array.from({ length: Math.min(count, MAX_SPANS) }, (_, i) => ({
    address: wordAt(task, address + 16 * i),
    count: wordAt(task, address + 16 * i + 8),
  }));
}

/** Those of the spans, and as much of the last one, as so many bytes fill. */
function filledSpans(spans: readonly Span[], bytes: number): readonly Span[] {
  const out: Span[] = [];
  let left = bytes;
  for (const { address, count } of spans) {
    const taken = Math.min(count, left);
    if (taken > 0) out.push({ address, count: taken });
    left -= taken;
  }
  return out;
}

const pid: Telling = (s, task, _args, result) => s.returns(task, 'pid', result);
const accepted: Telling = (s, task, args) => s.peer(task, at(args[1]), at(args[2]));

const TELLINGS: Readonly<Record<string, Telling>> = {
  read: (s, task, args, result) => s.read(task, at(args[0]), whole(args[1], result), result, undefined),
  pread64: (s, task, args, result) => s.read(task, at(args[0]), whole(args[1], result), result, at(args[3])),
  readv: (s, task, args, result) =>
    s.read(task, at(args[0]), spansAt(task, at(args[1]), at(args[2])), result, undefined),
  preadv: (s, task, args, result) =>
    s.read(task, at(args[0]), spansAt(task, at(args[1]), at(args[2])), result, at(args[3])),
  recvfrom: (s, task, args, result) => {
    s.read(task, at(args[0]), whole(args[1], result), result, undefined);
    s.peer(task, at(args[4]), at(args[5]));
  },
  recvmsg: (s, task, args, result) => {
    const header = at(args[1]);
    const [name, vector, count] = [
      wordAt(task, header),
      wordAt(task, header + 16),
      wordAt(task, header + 24),
    ];
    s.read(task, at(args[0]), spansAt(task, vector, count), result, undefined);
    s.peer(task, name, header + 8);
  },
  accept: accepted,
  accept4: accepted,
  getpeername: accepted,
  getrandom: (s, task, args, result) => s.tells(task, 'random', at(args[0]), result),
  clock_gettime: (s, task, args) => {
    if (!REALTIME.includes(args[0])) return;
    s.counts(task, 'time', at(args[1]), 4);
    s.counts(task, 'time', at(args[1]) + 8, 4);
  },
  gettimeofday: (s, task, args) => {
    s.counts(task, 'time', at(args[0]), 4);
    s.counts(task, 'time', at(args[0]) === 0 ? 0 : at(args[0]) + 8, 3);
  },
  getpid: pid,
  gettid: pid,
  getppid: pid,
  fork: pid,
  vfork: pid,
  clone: pid,
  clone3: pid,
};
