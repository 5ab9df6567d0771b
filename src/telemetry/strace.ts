// strace's text (strace 6.1; also what other versions and options print) to events. Unfinished and resumed halves are
// joined; threads are put into their processes. A line that cannot be read is counted as a gap with its reason, never
// guessed at and never an error. Not read: -i, -k, -n, -r and -c output.
import { InputError } from '../bytes/index.ts';
import { TRACED_SYSCALLS } from './activity-calls.ts';
import { CONSTANTS, ERRNO, SIGNALS } from './linux-names.ts';
import { annotationEnd, balancedEnd, parseArgs, parseTarget } from './strace-value.ts';
import type { Arg, DescriptorTarget, SyscallEvent, TraceEvent } from './syscall-event.ts';
import { ThreadGroups } from './thread-groups.ts';

/**
 * What a recorder runs strace with, before `-o FILE -- COMMAND`: every thread and child, times in nanoseconds at entry
 * and durations, descriptors resolved, constants as numbers, arguments and environment of exec unabbreviated, pids of
 * inner namespaces translated. Without --seccomp-bpf, which would set no_new_privs in what is recorded.
 */
export const STRACE_OPTIONS: readonly string[] = [
  '--follow-forks',
  '--quiet=attach,personality',
  '--absolute-timestamps=format:unix,precision:ns',
  '--syscall-times=ns',
  '--decode-fds=all',
  '--decode-pids=pidns',
  '--const-print-style=raw',
  '--string-limit=4096',
  '--abbrev=!execve,execveat',
  `--trace=${TRACED_SYSCALLS.map((name) => `?${name}`).join(',')}`,
];

export interface StraceOptions {
  /** For error messages. */
  readonly name: string;
  /** Times of day (-t, -tt) are on this day: epoch ns of its midnight. Times since the epoch (-ttt) don't need it. */
  readonly midnight?: bigint | undefined;
}

/** Reads line by line; events are passed to `emit` in the order in which calls return. */
export class StraceParser {
  private readonly emit: (event: TraceEvent) => void;
  private readonly options: StraceOptions;
  private readonly groups: ThreadGroups;
  /** By tid: the first half of a call that has not returned. */
  private readonly open = new Map<number, OpenCall>();
  /** By the leader's tid: an exec that another thread began, and that returns as the leader. */
  private readonly takeovers = new Map<number, OpenCall>();
  private readonly gaps = new Map<string, number>();
  private lastTime = 0n;
  private lines = 0;
  private understood = 0;

  constructor(options: StraceOptions, emit: (event: TraceEvent) => void) {
    this.options = options;
    this.emit = emit;
    this.groups = new ThreadGroups(emit);
  }

  /** One line without its newline. Characters are bytes (latin-1); strace escapes everything else. */
  line(text: string): void {
    if (text === '') return;
    this.lines += 1;
    const head = splitHead(text);
    if (head === undefined) {
      this.gap('line without a process or call');
      return;
    }
    const time = this.time(head.time);
    this.understood += 1;
    const body = head.body;
    if (body.startsWith('<... ')) this.resumed(head.tid, time, body);
    else if (body.startsWith('+++ ')) this.ended(head.tid, time, body);
    else if (body.startsWith('--- ')) this.signal(head.tid, time, body);
    else this.call(head.tid, time, body);
  }

  /** Ends the trace: reports gaps and calls that never returned. A text that held no line of strace's is an InputError. */
  finish(): void {
    if (this.lines > 0 && this.understood === 0) {
      throw new InputError(
        'not the output of strace',
        this.options.name,
        'each line should be "PID TIME CALL(ARGUMENTS) = RESULT"',
      );
    }
    this.groups.finish();
    const never = this.open.size + this.takeovers.size;
    if (never > 0) this.gaps.set('call that never returned', never);
    for (const [reason, records] of this.gaps) this.emit({ kind: 'gap', reason, records });
    this.gaps.clear();
    this.open.clear();
    this.takeovers.clear();
  }

  private gap(reason: string): void {
    this.gaps.set(reason, (this.gaps.get(reason) ?? 0) + 1);
  }

  private time(text: string): bigint {
    if (text === '') return this.lastTime;
    const clock = /^(\d+):(\d+):(\d+)(?:\.(\d+))?$/.exec(text);
    if (clock === null) {
      const [seconds, fraction = ''] = text.split('.');
      this.lastTime = BigInt(seconds + fraction.padEnd(9, '0').slice(0, 9));
    } else {
      const [, h, m, s, fraction = ''] = clock;
      const ofDay =
        BigInt(Number(h) * 3600 + Number(m) * 60 + Number(s)) * second +
        BigInt(fraction.padEnd(9, '0').slice(0, 9));
      let time = (this.options.midnight ?? 0n) + ofDay;
      // Past midnight. Lines are in order but for a little, so only a large step back is a new day.
      while (time + day / 2n < this.lastTime) time += day;
      this.lastTime = time;
    }
    return this.lastTime;
  }

  private call(tid: number, time: bigint, body: string): void {
    const paren = body.indexOf('(');
    const name = body.slice(0, Math.max(paren, 0));
    if (!/^[a-z_][a-z0-9_]*$/i.test(name)) {
      this.understood -= 1;
      this.gap('line that is no call');
      return;
    }
    const cut = / ?<(?:unfinished|pid changed to (\d+)) \.\.\.>(\) += \?.*)?$/.exec(body);
    const inside = body.slice(paren + 1, cut === null ? undefined : cut.index);
    if (isClone(name) && !this.open.has(tid)) this.groups.enter(tid, time, name, cloneFlags(name, inside));
    if (cut === null) this.returned(tid, time, { name, start: time, text: '' }, inside, false);
    else {
      const half: OpenCall = { name, start: time, text: inside };
      if (cut[1] !== undefined) this.takeovers.set(Number(cut[1]), half);
      // The task was killed inside of the call: its half line ends in `) = ?`.
      else if (cut[2] === undefined) this.enters(tid, time, half);
    }
  }

  private enters(tid: number, time: bigint, half: OpenCall): void {
    this.open.set(tid, half);
    if (!/^\d+[<,)]|^\d+$/.test(half.text)) return;
    const [descriptor] = parseArgs(half.text).args;
    if (descriptor !== undefined)
      this.groups.event(tid, time, (pid) => ({ kind: 'enter', time, pid, tid, name: half.name, descriptor }));
  }

  private resumed(tid: number, time: bigint, body: string): void {
    const match = /^<\.\.\. ([a-z0-9_]+) resumed>/i.exec(body);
    const from = [this.open, this.takeovers].find((calls) => calls.get(tid)?.name === match?.[1]);
    const open = from?.get(tid);
    if (match === null || open === undefined) {
      // A trace that began in the middle of the call.
      this.gap('end of a call without its beginning');
      return;
    }
    from?.delete(tid);
    this.returned(tid, time, open, body.slice(match[0].length), true);
  }

  /** `rest` is the text after the opening parenthesis or after `resumed>`, up to the line's end. */
  private returned(tid: number, time: bigint, open: OpenCall, rest: string, resumed: boolean): void {
    const text = open.text + rest;
    const end = argumentsEnd(text);
    const result = end < 0 ? undefined : parseResult(text.slice(end + 1));
    if (isClone(open.name)) {
      const child = result === undefined ? undefined : (result.outerPid ?? result.ret);
      const tidOfChild = this.groups.leave(tid, time, child);
      if (result !== undefined && tidOfChild !== undefined) result.outerPid = tidOfChild;
    }
    if (result === undefined) {
      this.gap(`call cut short: ${open.name}`);
      return;
    }
    const done = resumed ? time : open.start + result.duration;
    this.groups.event(tid, done, (pid) => new Call(pid, tid, open, done, text.slice(0, end), result));
  }

  private ended(tid: number, time: bigint, body: string): void {
    const superseded = /^\+\+\+ superseded by execve in pid (\d+) \+\+\+/.exec(body);
    if (superseded !== null) {
      const other = Number(superseded[1]);
      // The exec's first half is under the thread's number, or was announced as the leader's.
      const call = this.open.get(other);
      this.open.delete(other);
      this.open.delete(tid);
      if (call !== undefined) this.open.set(tid, call);
      this.groups.superseded(tid, other);
      return;
    }
    const exited = /^\+\+\+ exited with (\d+) \+\+\+/.exec(body);
    const killed = /^\+\+\+ killed by (\w+)( \(core dumped\))? \+\+\+/.exec(body);
    this.open.delete(tid);
    if (exited === null && killed === null) {
      this.gap('end of a task that is not understood');
      return;
    }
    const status =
      exited !== null
        ? Number(exited[1]) * 256
        : signalNumber(killed?.[1] ?? '') + (killed?.[2] === undefined ? 0 : 128);
    this.groups.event(tid, time, (pid) => ({ kind: 'exit', time, pid, tid, status }));
    this.groups.end(tid);
  }

  private signal(tid: number, time: bigint, body: string): void {
    const match = /^--- (?:stopped by )?(\w+)/.exec(body);
    this.groups.event(tid, time, (pid) => ({ kind: 'signal', time, pid, tid, signal: match?.[1] ?? '' }));
  }
}

/** Reads a whole text. */
export function* parseStrace(lines: Iterable<string>, options: StraceOptions): Generator<TraceEvent> {
  const queue: TraceEvent[] = [];
  const parser = new StraceParser(options, (event) => queue.push(event));
  for (const line of lines) {
    parser.line(line);
    yield* queue.splice(0);
  }
  parser.finish();
  yield* queue.splice(0);
}

const second = 1_000_000_000n;
const day = 86_400n * second;

interface OpenCall {
  readonly name: string;
  readonly start: bigint;
  /** Arguments so far. */
  readonly text: string;
}

interface Result {
  readonly ret: number | undefined;
  readonly error: string;
  readonly target: DescriptorTarget | undefined;
  outerPid: number | undefined;
  /** Nanoseconds; 0 without -T. */
  readonly duration: bigint;
}

/** Arguments are parsed when somebody looks at them. */
class Call implements SyscallEvent {
  readonly kind = 'syscall';
  readonly time: bigint;
  readonly start: bigint;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly ret: number | undefined;
  readonly error: string;
  readonly target: DescriptorTarget | undefined;
  readonly outerPid: number | undefined;
  private readonly text: string;
  private parsed: readonly Arg[] | undefined;

  constructor(pid: number, tid: number, open: OpenCall, time: bigint, text: string, result: Result) {
    this.pid = pid;
    this.tid = tid;
    this.time = time;
    this.start = open.start;
    this.name = open.name;
    this.ret = result.ret;
    this.error = result.error;
    this.target = result.target;
    this.outerPid = result.outerPid;
    this.text = text;
  }

  get args(): readonly Arg[] {
    this.parsed ??= parseArgs(this.text).args;
    return this.parsed;
  }
}

/** `PID TIME body`, `[pid PID] TIME body`, `TIME body`, `PID body`, `body`; time as since the epoch or of day. */
const headPattern =
  /^(?:\[pid +(\d+)\] +|(\d{1,8}) +)?(?:(\d+\.\d+|\d{9,}|\d+:\d+:\d+(?:\.\d+)?) +)?([a-z_<+-].*)$/is;

function splitHead(
  text: string,
): { readonly tid: number; readonly time: string; readonly body: string } | undefined {
  const match = headPattern.exec(text);
  if (match === null) return undefined;
  return { tid: Number(match[1] ?? match[2] ?? 0), time: match[3] ?? '', body: match[4] };
}

/** Offset of the parenthesis that closes the arguments; -1 where the line is cut short. */
function argumentsEnd(text: string): number {
  let at = -1;
  do {
    at = balancedEnd(text, at + 1, ')');
    if (at >= text.length) return -1;
  } while (!/^\) *= /.test(text.slice(at, at + 80)));
  return at;
}

/** ` = 3</etc/passwd> <0.000012>`, ` = -1 ENOENT (No such file or directory)`, ` = ? ERESTARTSYS (…)`, ` = ?`. */
function parseResult(text: string): Result | undefined {
  const timed = / <(\d+)\.(\d+)>$/.exec(text);
  const duration = timed === null ? 0n : BigInt(timed[1] + timed[2].padEnd(9, '0').slice(0, 9));
  const match = /^ *= (\?|0x[0-9a-f]+|-?\d+)(.*)$/s.exec(timed === null ? text : text.slice(0, timed.index));
  if (match === null) return undefined;
  const [, value, rest] = match;
  const errorName = /^ ([A-Z][A-Z0-9_]+)(?: \(|$)/.exec(rest)?.[1] ?? '';
  if (value === '?')
    return { ret: undefined, error: errorName, target: undefined, outerPid: undefined, duration };
  const outer = /^ \/\* (\d+) in strace's PID NS/.exec(rest);
  let ret = Number(value);
  if (errorName !== '' && ret === -1) ret = -(ERRNO.get(errorName) ?? 1);
  return {
    ret,
    error: ret < 0 ? errorName : '',
    target: resultTarget(rest),
    outerPid: outer === null ? undefined : Number(outer[1]),
    duration,
  };
}

function resultTarget(rest: string): DescriptorTarget | undefined {
  if (rest[0] !== '<') return undefined;
  const end = annotationEnd(rest, 0);
  const target = parseTarget(rest.slice(1, end));
  return target.kind === 'path' && rest.startsWith('>(deleted)', end) ? { ...target, deleted: true } : target;
}

const isClone = (name: string): boolean =>
  name === 'clone' || name === 'clone3' || name === 'fork' || name === 'vfork' || name === 'clone2';

/** The flags of a clone, of its whole text or of its first half. */
function cloneFlags(name: string, text: string): number {
  if (name === 'fork') return 0;
  if (name === 'vfork')
    return (CONSTANTS.get('CLONE_VFORK') as number) | (CONSTANTS.get('CLONE_VM') as number);
  const word = /flags=([^,})\s]*)/.exec(text)?.[1] ?? '';
  const [value] = parseArgs(word).args;
  return value?.kind === 'number' ? value.value : 0;
}

function signalNumber(name: string): number {
  const realTime = /^SIGRT_(\d+)$/.exec(name);
  return realTime === null ? (SIGNALS.get(name) ?? 0) : 32 + Number(realTime[1]);
}
