// Tetragon's export log (https://tetragon.io/docs/reference/grpc-api/, as JSON with the names of the protocol): one event a
// line. Every exec and exit is told; everything else only where a tracing policy hooks it, so nothing of that is
// expected. A hook in the kernel also fires for what the kernel does itself: reading and mapping a program while it is
// executed, closing sockets of a process that ends. That is no call of the process and is left out.
import type { Op } from '../effect/index.ts';
import type { Feed, FeedOptions } from './feed.ts';
import {
  isBlank,
  type JsonObject,
  jsonObject,
  LineCutter,
  numberOf,
  objectAt,
  textOf,
  timeOf,
} from './json-lines.ts';
import { SIGNALS } from './linux-names.ts';
import type { Observation } from './observation.ts';
import { type Known, ProcessBook, type ProcessFacts } from './process-book.ts';
import { selectedTraits } from './selected.ts';
import { effectsOfHook, type HookEffect } from './tetragon-hooks.ts';

/** What no tracing policy is needed for. */
const always: readonly Op[] = ['EXEC'];

export function tetragonFeed(emit: (observation: Observation) => void, options: FeedOptions): Feed {
  const sees = new Set<Op>([...always, ...(options.sees ?? [])]);
  const reader = new Tetragon(new ProcessBook('tetragon', sees, emit));
  const cutter = new LineCutter(reader);
  return {
    traits: selectedTraits('tetragon', sees, { access: false }),
    skipped: reader.skipped,
    push: (bytes) => cutter.push(bytes),
    end: () => {
      cutter.end();
      reader.end();
    },
  };
}

/** Kinds of events, by the member that holds them. */
const hooks = ['process_kprobe', 'process_lsm', 'process_tracepoint'] as const;
export const TETRAGON_KINDS: readonly string[] = [
  'process_exec',
  'process_exit',
  ...hooks,
  'process_uprobe',
  'process_usdt',
  'process_loader',
  'process_throttle',
  'rate_limit_info',
];

/** What a hook told, and may turn out to have been the kernel's own doing. */
interface Held {
  readonly process: Known;
  readonly tid: number;
  readonly time: bigint;
  readonly hook: HookEffect;
}

/** What one exec makes the kernel read and map: a script, an interpreter, a program, its loader; each some times. */
const heldPerProcess = 32;

class Tetragon {
  readonly skipped = new Map<string, number>();
  private readonly book: ProcessBook;
  /** By exec_id: the same process has several, one for each exec. */
  private readonly byExecId = new Map<string, Known>();
  private readonly held = new Map<number, Held[]>();

  constructor(book: ProcessBook) {
    this.book = book;
  }

  tooLong(): void {
    this.book.gap('overlong line', 1);
  }

  line(text: string): void {
    if (isBlank(text)) return;
    const event = jsonObject(text);
    if (event === undefined) {
      this.book.gap('malformed JSON line', 1);
      return;
    }
    const kind = TETRAGON_KINDS.find((name) => event[name] !== undefined);
    const body = kind === undefined ? undefined : objectAt(event, kind);
    const time = timeOf(event['time']) ?? timeOf(objectAt(body, 'process')?.['start_time']);
    if (kind === undefined || body === undefined) this.skip('line of no known kind');
    else if (kind === 'rate_limit_info') {
      const lost = numberOf(body['number_of_dropped_process_events']) ?? 1;
      this.book.gap('events dropped by the rate limit of the export', lost);
    } else if (kind === 'process_throttle') this.book.gap('events throttled by Tetragon', 1);
    else if (time === undefined) this.book.gap('event without a time', 1);
    else this.process(kind, body, time);
  }

  /** What is held back was no exec's. */
  end(): void {
    for (const pid of [...this.held.keys()]) this.release(pid);
  }

  private process(kind: string, body: JsonObject, time: bigint): void {
    const process = objectAt(body, 'process');
    const parent = objectAt(body, 'parent');
    const facts = process === undefined ? undefined : factsOf(process, time);
    if (process === undefined || facts === undefined) {
      this.skip(`${kind} without a process`);
      return;
    }
    this.container(process, facts.containerId);
    const own = { ...facts, parent: this.parentOf(parent, textOf(process['parent_exec_id']), time) };
    const tid = numberOf(process['tid']) ?? facts.pid;
    if (kind === 'process_exec') this.exec(process, own, tid);
    else if (kind === 'process_exit') this.exit(process, body, own, tid);
    else if ((hooks as readonly string[]).includes(kind)) this.hook(kind, process, body, own, tid);
    else this.skip(kind);
  }

  private exec(process: JsonObject, facts: ProcessFacts, tid: number): void {
    const { pid, exe = '', args = '' } = facts;
    const flags = textOf(process['flags']).split(' ');
    this.dropKernels(pid, exe, args);
    this.release(pid);
    const before = this.book.get(pid);
    // Cloned since its last exec: whoever had this pid and executed something is another process.
    if (flags.includes('clone') && before?.executed === true) before.ended = true;
    const cut = flags.some((flag) => /^(trunc|error|miss)(Args|Filename)$/.test(flag));
    // Of a process that was there before Tetragon only /proc tells.
    const known = flags.includes('procFS')
      ? this.book.at(facts)
      : this.book.exec(cut ? { ...facts, args: undefined } : facts, tid);
    this.remember(process, known);
  }

  private exit(process: JsonObject, body: JsonObject, facts: ProcessFacts, tid: number): void {
    this.release(facts.pid);
    const known = this.known(process, facts);
    const signal = SIGNALS.get(textOf(body['signal'])) ?? 0;
    const status = numberOf(body['status']) ?? 0;
    this.book.exit(known, tid, facts.time, signal === 0 ? (status & 255) << 8 : signal);
    this.byExecId.delete(textOf(process['exec_id']));
  }

  private hook(kind: string, process: JsonObject, body: JsonObject, facts: ProcessFacts, tid: number): void {
    const tracepoint = kind === 'process_tracepoint';
    const name = tracepoint
      ? `${textOf(body['subsys'])}/${textOf(body['event'])}`
      : textOf(body['function_name']).replace(/^__(x64|arm64|ia32)_/, '');
    const args = Array.isArray(body['args']) ? body['args'] : [];
    const effects = effectsOfHook(name, args, objectAt(body, 'return'));
    if (effects === undefined) {
      this.skip(name === '' ? kind : name);
      return;
    }
    const known = this.known(process, facts);
    for (const effect of effects) {
      if (effect.kernelToo) this.hold({ process: known, tid, time: facts.time, hook: effect });
      else {
        this.release(facts.pid);
        this.book.event(known, tid, facts.time, effect.effect, effect.ret);
      }
    }
  }

  private known(process: JsonObject, facts: ProcessFacts): Known {
    const id = textOf(process['exec_id']);
    const before = this.byExecId.get(id);
    if (before !== undefined && before.id.pid === facts.pid && before.exe === facts.exe && !before.ended)
      return before;
    const known = this.book.at(facts);
    this.remember(process, known);
    return known;
  }

  private remember(process: JsonObject, known: Known): void {
    const id = textOf(process['exec_id']);
    if (id === '') return;
    if (this.byExecId.size >= 262_144) this.byExecId.clear();
    this.byExecId.set(id, known);
  }

  /** The parent, by the exec of it that made this process; told of where it has not been seen. */
  private parentOf(parent: JsonObject | undefined, execId: string, time: bigint): Known | undefined {
    const known = this.byExecId.get(execId);
    if (known !== undefined) return known;
    const facts = parent === undefined ? undefined : factsOf(parent, time);
    if (parent === undefined || facts === undefined || (facts.exe ?? '') === '') return undefined;
    this.container(parent, facts.containerId);
    const own = this.book.at(facts);
    this.remember(parent, own);
    return own;
  }

  private container(process: JsonObject, id: string): void {
    if (id === '') return;
    const container = objectAt(process, 'pod', 'container');
    const image = objectAt(container, 'image');
    // Kubernetes' image id is the manifest's: `docker.io/library/nginx@sha256:…`.
    const imageId = /sha256:[0-9a-f]{12,64}/.exec(textOf(image?.['id']))?.[0] ?? '';
    const name = textOf(container?.['name']);
    const privileged = objectAt(container, 'security_context')?.['privileged'] === true;
    this.book.container({ id, name, image: textOf(image?.['name']), imageId, privileged });
  }

  private hold(held: Held): void {
    const { pid } = held.process.id;
    const list = this.held.get(pid) ?? [];
    if (list.length >= heldPerProcess) this.say(list.shift() as Held);
    list.push(held);
    this.held.set(pid, list);
  }

  private release(pid: number): void {
    const list = this.held.get(pid);
    if (list === undefined) return;
    this.held.delete(pid);
    for (const held of list) this.say(held);
  }

  private say({ process, tid, time, hook }: Held): void {
    this.book.event(process, tid, time, hook.effect, hook.ret);
  }

  /** An exec follows: what the kernel read and mapped for it was not the process. */
  private dropKernels(pid: number, exe: string, args: string): void {
    const list = this.held.get(pid);
    if (list === undefined) return;
    const words = new Set(args.split(' '));
    const kept = list.filter(({ hook }) => {
      const { resource } = hook.effect;
      const path = resource.kind === 'file' ? resource.path : '';
      return !(path === exe || words.has(path) || /\/ld(-linux|-musl|64)?[^/]*\.so(\.\d+)?$/.test(path));
    });
    this.held.set(pid, kept);
  }

  private skip(what: string): void {
    this.skipped.set(what, (this.skipped.get(what) ?? 0) + 1);
  }
}

function factsOf(process: JsonObject, time: bigint): ProcessFacts | undefined {
  const pid = numberOf(process['pid']);
  if (pid === undefined || pid <= 0) return undefined;
  const container = objectAt(process, 'pod', 'container');
  const id = textOf(process['docker']) || textOf(container?.['id']).replace(/^\w+:\/\//, '');
  const started = numberOf(container?.['pid']);
  return {
    pid,
    time,
    exe: textOf(process['binary']),
    args: argsOf(textOf(process['arguments'])),
    uid: numberOf(process['uid']),
    cwd: textOf(process['cwd']) || undefined,
    containerId: id.slice(0, 12),
    entry: started === undefined ? undefined : started === 1,
  };
}

/** Arguments with blanks in them are quoted. */
function argsOf(text: string): string {
  return text.includes('"') ? text.replace(/(^| )"((?:[^"\\]|\\.)*)"(?= |$)/g, '$1$2') : text;
}
