// Lines of events as Sysdig prints them, with and without a container (-pc):
//
//   34384 12:02:36.269827674 2 echo (7896) > write fd=1(/dev/pts/3) size=12
//   34385 1699950000.269829522 2 web (0123456789ab) echo (7896:1) < write res=12 data=hello
//
// A call is two lines, one at its entry and one at its return; what each says is put together. Not in these lines: the
// program's path and user, except where it is executed; exact arguments (zero bytes are printed as dots). So a process
// is named by the last exec that was seen, or by nothing, and arguments are unknown.
import type { Op } from '../effect/index.ts';
import type { Feed, FeedOptions } from './feed.ts';
import { isBlank, LineCutter } from './json-lines.ts';
import type { Observation } from './observation.ts';
import { selectedTraits } from './selected.ts';
import { SinspMapper } from './sinsp.ts';

/** Number, time, processor, container (-pc), name, task, direction, call, arguments. */
const shape =
  /^\*?(\d+) (\d+\.\d+|\d\d:\d\d:\d\d\.\d+) \d+ (?:(\S+) \(([0-9a-f]{12,64}|host)\) )?(.+?) \((\d+)(?::(\d+))?\) ([<>]) (\w+) ?(.*)$/s;

export const looksLikeSinsp = (text: string): boolean => shape.test(text);

export function sinspFeed(emit: (observation: Observation) => void, options: FeedOptions): Feed {
  // Without exact arguments an exec cannot be held against a policy's.
  const sees = new Set<Op>([...(options.sees ?? [])].filter((op) => op !== 'EXEC'));
  const reader = new SinspText(new SinspMapper('sinsp', sees, emit), options.midnight ?? 0n);
  const cutter = new LineCutter(reader);
  return {
    traits: selectedTraits('sinsp', sees, { access: false, pathOnly: false }),
    skipped: reader.mapper.skipped,
    push: (bytes) => cutter.push(bytes),
    end: () => cutter.end(),
  };
}

/** Calls that are begun and have not returned; more are not remembered. */
const maxOpen = 65_536;

class SinspText {
  readonly mapper: SinspMapper;
  private readonly midnight: bigint;
  /** By tid: arguments at entry. */
  private readonly entries = new Map<string, string>();
  /** By pid: path of the program. */
  private readonly programs = new Map<string, string>();

  constructor(mapper: SinspMapper, midnight: bigint) {
    this.mapper = mapper;
    this.midnight = midnight;
  }

  tooLong(): void {
    this.mapper.book.gap('overlong line', 1);
  }

  line(text: string): void {
    if (isBlank(text)) return;
    const match = shape.exec(text);
    if (match === null) {
      this.mapper.book.gap('line that is no event', 1);
      return;
    }
    const [, , clock, containerName, containerId, , tid, vtid, direction, call, args] = match;
    if (direction === '>' && call !== 'procexit') {
      if (this.entries.size < maxOpen) this.entries.set(tid, `${call} ${args}`);
      return;
    }
    const begun = this.entries.get(tid) ?? '';
    this.entries.delete(tid);
    const entry = begun.startsWith(`${call} `) ? begun.slice(call.length + 1) : '';
    const pid = /(?:^| )pid=(\d+)/.exec(args)?.[1] ?? tid;
    const path = /(?:^| )(?:trusted_exepath|exe)=(\/\S*)/.exec(args)?.[1];
    const executes = call === 'execve' || call === 'execveat';
    if (executes && path !== undefined) this.programs.set(pid, path);
    const fields: { readonly [name: string]: string | undefined } = {
      'evt.type': call,
      'evt.args': executes ? args.replace(/(?:^| )args=.*?(?= tid=|$)/s, '') : `${args} ${entry}`,
      'proc.pid': pid,
      'thread.tid': tid,
      'container.id': containerId,
      'container.name': containerName === 'host' ? '' : containerName,
      'proc.exepath': this.programs.get(pid),
      'proc.vpid': executes ? undefined : vtid === '1' && tid === pid ? '1' : undefined,
    };
    this.mapper.event((name) => fields[name] ?? '', this.time(clock));
    if (call === 'procexit') this.programs.delete(pid);
  }

  /** Seconds since the epoch (-t a), or a time of day. */
  private time(text: string): bigint {
    const [whole, decimals] = text.split('.');
    const nanoseconds = BigInt(decimals.padEnd(9, '0').slice(0, 9));
    if (!whole.includes(':')) return BigInt(whole) * 1_000_000_000n + nanoseconds;
    const [hours, minutes, seconds] = whole.split(':').map(Number);
    return this.midnight + BigInt(hours * 3600 + minutes * 60 + seconds) * 1_000_000_000n + nanoseconds;
  }
}
