// Exact activities as observations, one event each, in effect/effect.ts's terms; and strace's text as a source of them.
// Processes are observed when they start and when exec or setuid change them. Both sides of a clone are events, as in
// SysFlow: the parent's with the child's pid as result, the child's with 0.
import type { Effect, Endpoint, Protocol, Resource } from '../effect/index.ts';
import { OPS } from '../effect/index.ts';
import { pieces, type RandomAccess } from '../host/index.ts';
import { type Activity, type ActivityOptions, ActivityTracker, type ProcessState } from './activity.ts';
import { TRACED_SYSCALLS } from './activity-calls.ts';
import { type OpenSocket, unixPath } from './descriptors.ts';
import { CONSTANTS } from './linux-names.ts';
import type { ContainerInfo, Observation, ProcessId, Source, SourceTraits, TaskRef } from './observation.ts';
import { StraceParser } from './strace.ts';
import type { SocketAddress } from './syscall-event.ts';

/** Every call that activity-calls.ts knows, failed ones too. */
export const straceTraits: SourceTraits = {
  name: 'strace',
  ops: new Set(OPS.filter((op) => op !== 'DIGEST')),
  syscalls: new Set(TRACED_SYSCALLS),
  failures: true,
  ipv6: true,
  flows: false,
  maxDelay: 0n,
};

export interface StraceSourceOptions extends ActivityOptions {
  /** That all of it ran in; undefined: on the host. */
  readonly container?: ContainerInfo | undefined;
  readonly userName?: ((uid: number) => string) | undefined;
  readonly groupName?: ((gid: number) => string) | undefined;
  /** For times of day, see StraceOptions. */
  readonly midnight?: bigint | undefined;
}

/** A text that strace wrote, best with STRACE_OPTIONS. InputError (while reading) where it is none. */
export function openStrace(file: RandomAccess, options: StraceSourceOptions = {}): Source {
  return { traits: straceTraits, observations: () => observe(file, options) };
}

function* observe(file: RandomAccess, options: StraceSourceOptions): Generator<Observation> {
  const out: Observation[] = [];
  const observer = new ExactObserver(options, (observation) => out.push(observation));
  const tracker = new ActivityTracker(options, (activity) => observer.activity(activity));
  const parser = new StraceParser({ name: file.name, midnight: options.midnight }, (event) =>
    tracker.event(event),
  );
  let rest = '';
  for (const piece of pieces(file)) {
    const lines = (rest + latin1(piece)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) parser.line(line);
    yield* out.splice(0);
  }
  if (rest !== '') parser.line(rest);
  parser.finish();
  tracker.finish();
  yield* out.splice(0);
}

/** One character a byte. */
const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/** Turns activities into observations; begins with `stream` and the container. */
export class ExactObserver {
  private readonly options: StraceSourceOptions;
  private readonly emit: (observation: Observation) => void;
  private readonly known = new WeakMap<ProcessState, ProcessId>();
  private begun = false;

  constructor(options: StraceSourceOptions, emit: (observation: Observation) => void) {
    this.options = options;
    this.emit = emit;
  }

  activity(activity: Activity): void {
    if (activity.kind === 'gap') {
      this.emit(activity);
      return;
    }
    if (!this.begun) this.begin();
    const { process, time, ret } = activity;
    const isNew = !this.known.has(process);
    const changed =
      ret === 0 && (activity.kind === 'exec' || activity.op === 'SETUID' || activity.op === 'SETGID');
    const id = isNew || changed ? this.process(process, time) : (this.known.get(process) as ProcessId);
    const task: TaskRef = { process: id, tid: activity.tid };
    this.emit({ kind: 'event', time, task, effect: effectOf(activity), ret, args: [] });
  }

  private begin(): void {
    this.begun = true;
    this.emit({ kind: 'stream', exporter: 'strace', version: 0 });
    const { container } = this.options;
    if (container !== undefined) this.emit({ kind: 'container', container });
  }

  private process(state: ProcessState, time: bigint): ProcessId {
    const { container, userName, groupName } = this.options;
    const id = this.known.get(state) ?? { created: state.created, pid: state.pid };
    this.known.set(state, id);
    const { parent } = state;
    if (parent !== undefined && !this.known.has(parent)) this.process(parent, time);
    this.emit({
      kind: 'process',
      process: {
        id,
        parent: parent === undefined ? undefined : this.known.get(parent),
        time,
        exe: state.exe,
        args: state.args.join(' '),
        uid: state.uid,
        gid: state.gid,
        user: userName?.(state.uid) ?? '',
        group: groupName?.(state.gid) ?? '',
        tty: false,
        containerId: container?.id ?? '',
        entry: container !== undefined && parent === undefined,
        cwd: state.cwd,
        again: false,
      },
    });
    return id;
  }
}

function effectOf(activity: Exclude<Activity, { kind: 'gap' }>): Effect {
  const { op } = activity;
  switch (activity.kind) {
    case 'descriptor':
      return { op, resource: resourceOf(activity), access: accessOf(op, activity.flags) };
    case 'path': {
      const { path, to, type } = activity;
      const named = { kind: 'file', type, path } as const;
      return {
        op,
        resource: to === undefined ? named : { ...named, to },
        access: accessOf(op, activity.flags),
      };
    }
    case 'exec':
      return { op, resource: { kind: 'program', path: activity.path, args: activity.args }, access: '' };
    case 'clone':
    case 'start':
      return { op, resource: { kind: 'task', what: activity.thread ? 'thread' : 'process' }, access: '' };
    case 'exit': {
      const signal = activity.ret & 127;
      return {
        op,
        resource: { kind: 'id', value: signal === 0 ? String(activity.ret >> 8) : `signal:${signal}` },
        access: '',
      };
    }
    default:
      return { op, resource: textResource(activity), access: '' };
  }
}

function textResource(activity: Extract<Activity, { kind: 'text' }>): Resource {
  if (activity.about === 'none') return { kind: 'none' };
  return activity.about === 'task'
    ? { kind: 'task', what: activity.text }
    : { kind: 'id', value: activity.text };
}

function resourceOf({ file, peer, op }: Extract<Activity, { kind: 'descriptor' }>): Resource {
  switch (file.kind) {
    case 'file':
      return { kind: 'file', type: file.type, path: file.path };
    case 'pipe':
      return { kind: 'file', type: 'p', path: 'pipe:' };
    case 'anon':
      return anonymous(file.name);
    default:
      if (file.family === 'unix') {
        const named = op === 'CONNECT' || !file.refused ? file : { ...file, peer: undefined };
        // Without a name of its own or of its peer: whom the message is to or from.
        const other = peer?.kind === 'unix' ? peer.path : '';
        return { kind: 'file', type: 'u', path: unixPath(named) || other };
      }
      if (file.family === 'netlink') return { kind: 'file', type: '?', path: 'netlink:' };
      if (file.family === 'other') return { kind: 'file', type: '?', path: 'anon:[socket]' };
      return {
        kind: 'net',
        protocol: protocolOf(file),
        // A socket of IPv6 may talk to IPv4.
        local: endpoint(file.local, file.peer?.kind ?? file.family),
        peer: endpoint(file.peer ?? peer, file.family),
      };
  }
}

/** Linux puts most of their names in brackets (not inotify's); effects have all in them. */
function anonymous(name: string): Resource {
  if (name.startsWith('memfd:')) return { kind: 'file', type: 'f', path: `/${name}` };
  return { kind: 'file', type: '?', path: `anon:${name.startsWith('[') ? name : `[${name}]`}` };
}

function protocolOf(socket: OpenSocket): Protocol {
  if (socket.type === 1) return 'tcp';
  return socket.type === 2 ? (socket.protocol === 1 ? 'icmp' : 'udp') : 'raw';
}

function endpoint(address: SocketAddress | undefined, family: string): Endpoint {
  if (address?.kind === 'inet' || address?.kind === 'inet6')
    return { address: address.address, port: String(address.port) };
  return { address: family === 'inet6' ? '::' : '0.0.0.0', port: '0' };
}

const bit = (name: string): number => CONSTANTS.get(name) as number;
const openLetters = (['CREAT', 'TRUNC', 'APPEND'] as const).map(
  (name) => [bit(`O_${name}`), name === 'CREAT' ? 'c' : name === 'TRUNC' ? 't' : 'a'] as const,
);
const mapLetters = [
  [bit('PROT_READ'), 'r'],
  [bit('PROT_WRITE'), 'w'],
  [bit('PROT_EXEC'), 'x'],
] as const;

function accessOf(op: string, flags: number): string {
  if (op === 'MMAP') return mapLetters.map(([mask, letter]) => ((flags & mask) !== 0 ? letter : '')).join('');
  if (op !== 'OPEN' || (flags & bit('O_PATH')) !== 0) return '';
  const mode = ['r', 'w', 'rw', ''][flags & 3];
  return mode + openLetters.map(([mask, letter]) => ((flags & mask) !== 0 ? letter : '')).join('');
}
