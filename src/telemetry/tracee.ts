// Tracee's events as JSON, one a line, in both of its shapes: trace.Event (to 0.23: `eventName`, `args`) and
// v1beta1.Event (`name`, `workload` or `context`, `data`). Which events there are is chosen by Tracee's policies, so
// nothing is expected. A security hook and the system call that it belongs to tell of one thing: where both are
// reported, the hook's is taken, which has the kernel's path. Descriptors are numbers there, unless Tracee was told to
// resolve them (parse-arguments-fds): reads and writes of a bare number are held to their operation only.
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
import type { Observation } from './observation.ts';
import { ProcessBook, type ProcessFacts } from './process-book.ts';
import { selectedTraits } from './selected.ts';
import { type TraceeArgs, traceeEffect } from './tracee-events.ts';

export function traceeFeed(emit: (observation: Observation) => void, options: FeedOptions): Feed {
  const sees = options.sees ?? new Set<Op>();
  const reader = new Tracee(new ProcessBook('tracee', sees, emit));
  const cutter = new LineCutter(reader);
  return {
    traits: selectedTraits('tracee', sees),
    skipped: reader.skipped,
    push: (bytes) => cutter.push(bytes),
    end: () => cutter.end(),
  };
}

/** One event, whichever shape it had. */
interface TraceeEvent {
  readonly name: string;
  readonly time: bigint;
  readonly facts: ProcessFacts;
  readonly tid: number;
  readonly parentPid: number | undefined;
  readonly syscall: string;
  readonly ret: number;
  readonly args: TraceeArgs;
  readonly container: JsonObject | undefined;
}

export const isTracee = (event: JsonObject): boolean =>
  (event['eventName'] !== undefined && event['args'] !== undefined) ||
  (event['name'] !== undefined && (event['workload'] !== undefined || event['context'] !== undefined));

class Tracee {
  readonly skipped = new Map<string, number>();
  private readonly book: ProcessBook;
  /** By tid: what was told last of a call that may be told of twice. */
  private readonly told = new Map<number, { readonly call: string; readonly op: Op }>();

  constructor(book: ProcessBook) {
    this.book = book;
  }

  tooLong(): void {
    this.book.gap('overlong line', 1);
  }

  line(text: string): void {
    if (isBlank(text)) return;
    const object = jsonObject(text);
    if (object === undefined) {
      this.book.gap('malformed JSON line', 1);
      return;
    }
    const event = object['eventName'] === undefined ? newShape(object) : oldShape(object);
    if (event === undefined) this.skip('line of no known kind');
    else this.event(event);
  }

  private event(event: TraceeEvent): void {
    const { name, facts, tid, time } = event;
    this.container(event.container, facts.containerId);
    const own = {
      ...facts,
      parent: event.parentPid === undefined ? undefined : this.book.get(event.parentPid),
    };
    switch (name) {
      case 'sched_process_exec':
        this.book.exec({ ...own, ...programOf(event.args) }, tid);
        break;
      case 'sched_process_fork':
        this.fork(event, own);
        break;
      case 'sched_process_exit': {
        const code = event.args.number('exit_code') ?? 0;
        const group = event.args.bool('process_group_exit') === true;
        this.book.exit(this.book.at(own), group ? facts.pid : tid, time, code);
        this.told.delete(tid);
        break;
      }
      default:
        this.effect(event, own);
    }
  }

  private fork({ args, tid, time }: TraceeEvent, facts: ProcessFacts): void {
    const pid = args.number('child_pid') ?? args.number('child_process_pid');
    const childTid = args.number('child_tid') ?? args.number('child_process_tid') ?? pid;
    if (pid === undefined || childTid === undefined) {
      this.skip('sched_process_fork without its child');
      return;
    }
    const parent = this.book.at(facts);
    if (childTid !== pid) {
      this.book.thread(parent, tid, childTid, time);
      return;
    }
    const entry = args.number('child_ns_pid') === 1;
    const created = args.time('start_time');
    const { containerId } = facts;
    this.book.fork(parent, tid, { pid, time, created, containerId, entry });
  }

  private effect(event: TraceeEvent, facts: ProcessFacts): void {
    const { name, tid, time, syscall, ret, args } = event;
    const told = traceeEffect(name, args, ret);
    if (told === undefined) {
      this.skip(name);
      return;
    }
    const hook = name !== syscall && syscall !== '';
    // The kernel opens and maps a program on its own while it is executed.
    if (hook && /^execve(at)?$/.test(syscall)) return;
    const last = this.told.get(tid);
    this.told.delete(tid);
    // Made of the call's return, this one comes after it.
    const late = name === 'socket_accept';
    if ((!hook || late) && last !== undefined && last.op === told.op && last.call === syscall && ret >= 0)
      return;
    if (hook ? !late && syscall !== '' : name.startsWith('accept'))
      this.told.set(tid, { call: hook ? syscall : name, op: told.op });
    this.book.event(this.book.at(facts), tid, time, told, ret < 0 ? ret : Math.max(ret, 0));
  }

  private container(container: JsonObject | undefined, id: string): void {
    if (id === '') return;
    const image = objectAt(container, 'image');
    const digest = textOf(container?.['imageDigest']) || textOf(image?.['id']);
    const imageId = /(?:sha256:)?[0-9a-f]{12,64}$/.exec(digest)?.[0] ?? '';
    const name = textOf(container?.['name']);
    this.book.container({
      id,
      name,
      image: textOf(container?.['image']) || textOf(image?.['name']),
      imageId,
      privileged: false,
    });
  }

  private skip(what: string): void {
    this.skipped.set(what, (this.skipped.get(what) ?? 0) + 1);
  }
}

/** argv[0] is free text; the path is the kernel's. */
function programOf(args: TraceeArgs): Pick<ProcessFacts, 'exe' | 'args'> {
  const argv = args.list('argv');
  return { exe: args.text('pathname') || args.text('cmdpath'), args: argv.slice(1).join(' ') };
}

function oldShape(object: JsonObject): TraceeEvent | undefined {
  const time = timeOf(object['timestamp']);
  const pid = numberOf(object['hostProcessId']) ?? numberOf(object['processId']);
  if (time === undefined || pid === undefined) return undefined;
  const tid = numberOf(object['hostThreadId']) ?? pid;
  const container = objectAt(object, 'container');
  const flat: JsonObject = {
    id: object['containerId'],
    name: object['containerName'],
    image: object['containerImage'],
  };
  const id = textOf(container?.['id']) || textOf(object['containerId']);
  const entity = numberOf(object['processEntityId']);
  return {
    name: textOf(object['eventName']),
    time,
    tid,
    parentPid: numberOf(object['hostParentProcessId']),
    syscall: textOf(object['syscall']),
    ret: numberOf(object['returnValue']) ?? 0,
    args: argsOf(object['args']),
    container: container?.['id'] === undefined ? flat : container,
    facts: {
      pid,
      time,
      key: entity === undefined || entity === 0 ? undefined : String(entity),
      created: tid === pid ? timeOf(object['threadStartTime']) : undefined,
      exe: textOf(objectAt(object, 'executable')?.['path']),
      uid: numberOf(object['userId']),
      containerId: id.slice(0, 12),
      entry: id === '' ? undefined : numberOf(object['processId']) === 1,
    },
  };
}

/** Names as the protocol has them, or in camel case; numbers bare, or in an object of their own. */
function newShape(object: JsonObject): TraceeEvent | undefined {
  const workload = objectAt(object, 'workload') ?? objectAt(object, 'context');
  const process = objectAt(workload, 'process');
  const thread = objectAt(process, 'thread');
  const time = stamp(object['timestamp']);
  const inner = wrapped(either(process, 'pid', 'pid'));
  const pid =
    wrapped(either(process, 'host_pid', 'hostPid')) ??
    (either(process, 'namespaced_pid', 'namespacedPid') === undefined ? undefined : inner) ??
    inner;
  if (time === undefined || pid === undefined) return undefined;
  const namespaced = wrapped(either(process, 'namespaced_pid', 'namespacedPid')) ?? inner;
  const tid = wrapped(either(thread, 'host_tid', 'hostTid')) ?? wrapped(thread?.['tid']) ?? pid;
  const container = objectAt(workload, 'container');
  const id = textOf(container?.['id']);
  const ancestors = process?.['ancestors'];
  const parent = Array.isArray(ancestors) ? objectAt(ancestors[0]) : objectAt(process, 'parent');
  const entity = wrapped(
    either(process, 'unique_id', 'uniqueId') ?? either(process, 'entity_id', 'entityId'),
  );
  const args = argsOf(object['data']);
  return {
    name: textOf(object['name']),
    time,
    tid,
    parentPid: wrapped(either(parent, 'host_pid', 'hostPid')) ?? wrapped(parent?.['pid']),
    syscall: textOf(thread?.['syscall']),
    ret: args.number('returnValue') ?? args.number('return_value') ?? 0,
    args,
    container,
    facts: {
      pid,
      time,
      key: entity === undefined ? undefined : String(entity),
      created:
        tid === pid ? stamp(either(thread, 'start_time', 'startTime') ?? thread?.['start']) : undefined,
      exe: textOf(objectAt(process, 'executable')?.['path']),
      uid: wrapped(objectAt(either(process, 'real_user', 'realUser'))?.['id']),
      containerId: id.slice(0, 12),
      entry: id === '' ? undefined : namespaced === 1,
    },
  };
}

const either = (object: JsonObject | undefined, snake: string, camel: string): unknown =>
  object?.[snake] ?? object?.[camel];

const wrapped = (value: unknown): number | undefined => numberOf(objectAt(value)?.['value'] ?? value);

function stamp(value: unknown): bigint | undefined {
  const object = objectAt(value);
  if (object === undefined) return timeOf(value);
  const seconds = timeOf(object['seconds']);
  return seconds === undefined
    ? undefined
    : seconds * 1_000_000_000n + BigInt(Math.trunc(numberOf(object['nanos']) ?? 0));
}

/** The value of one argument, whatever type it is written as. */
function argValue(arg: JsonObject): unknown {
  if (arg['value'] !== undefined) return arg['value'];
  for (const [key, value] of Object.entries(arg)) {
    if (key === 'name' || key === 'type') continue;
    const list = objectAt(value)?.['value'];
    return Array.isArray(list) ? list : value;
  }
  return undefined;
}

function argsOf(list: unknown): TraceeArgs {
  const values = new Map<string, unknown>();
  if (Array.isArray(list))
    for (const each of list) {
      const arg = objectAt(each);
      if (arg !== undefined) values.set(textOf(arg['name']), argValue(arg));
    }
  const get = (name: string): unknown => values.get(name);
  return {
    text: (name) => textOf(get(name)),
    number: (name) => numberOf(get(name)),
    time: (name) => timeOf(get(name)),
    bool: (name) => (typeof get(name) === 'boolean' ? get(name) === true : undefined),
    object: (name) => objectAt(get(name)),
    list: (name) => {
      const value = get(name);
      return Array.isArray(value) ? value.map(textOf) : [];
    },
  };
}
