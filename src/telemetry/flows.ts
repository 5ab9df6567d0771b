// Exact activities folded into SysFlow records as the SysFlow collector 0.7 does it, so that what we record reads like
// what users' nodes record:
// - reads, writes and maps of one open file, or of one connection, by one thread and descriptor become one flow. It is
//   written at close; at the end of its thread or process with the TRUNCATE bit; every 30 s if something happened,
//   without any mark (then counters and operations start anew, open flags stay); after 60 s without use it is dropped.
// - entities are written before the first record that names them, ancestors first; processes again (MODIFIED) after
//   exec and setuid.
// - what the collector has no handler for leaves no record: failed opens, creat, openat2, sendfile, dup, bind, listen,
//   chmod …, IPv6 (but for IPv4 in IPv6), execveat, clone3. Threads and posix_spawn of glibc 2.34 and later use clone3: such a
//   child is first seen as a Process record, without CLONE; option `clone3` writes the events nevertheless.
// Differences: bytes of sendmmsg and recvmmsg are bytes, not messages; unix sockets are named by inode numbers, where
// the collector has kernel addresses; names in file events are made absolute but links in them are not followed.
import type { Activity, ProcessState } from './activity.ts';
import { absolutePath, type OpenFile, type OpenSocket, unixPath } from './descriptors.ts';
import { CONSTANTS } from './linux-names.ts';
import type { SocketAddress } from './syscall-event.ts';
import { DESCRIPTOR_CALLS, NAME_CALLS } from './sysflow-calls.ts';
import {
  type ContainerRecord,
  type EntityState,
  type FileFlowRecord,
  type Foid,
  ipToInt,
  type NetworkFlowRecord,
  type Oid,
  OPEN_FLAGS,
  type ProcessRecord,
  type RestypeLetter,
} from './sysflow-records.ts';
import { fileOid, type SysFlowWriter } from './sysflow-writer.ts';

export interface SysFlowCollectorOptions {
  /** Of all that is recorded; undefined on the host. */
  readonly container?: ContainerRecord | undefined;
  readonly userName?: ((uid: number) => string) | undefined;
  readonly groupName?: ((gid: number) => string) | undefined;
  readonly tty?: boolean | undefined;
  /** Write CLONE events for clone3 too, which the collector does not. */
  readonly clone3?: boolean | undefined;
}

/** Bit numbers of operations, see effect/op.ts. */
const bit = {
  CLONE: 1,
  EXEC: 2,
  EXIT: 4,
  SETUID: 8,
  SETNS: 16,
  ACCEPT: 32,
  CONNECT: 64,
  OPEN: 128,
  READ: 256,
  WRITE: 512,
  CLOSE: 1024,
  TRUNCATE: 2048,
  SHUTDOWN: 4096,
  MMAP: 8192,
  MKDIR: 32768,
  RMDIR: 65536,
  LINK: 131072,
  UNLINK: 262144,
  SYMLINK: 524288,
  RENAME: 1048576,
} as const;

const second = 1_000_000_000n;
const exportAfter = 30;
const dropAfter = 60;

interface Flow {
  readonly owner: ProcessEntry;
  readonly tid: number;
  readonly fd: number;
  readonly subject: Subject;
  ts: bigint;
  opFlags: number;
  openFlags: number;
  readOps: number;
  writeOps: number;
  readBytes: number;
  writeBytes: number;
  /** Seconds. */
  exported: number;
  used: number;
}

/** Sockets are named when a flow is written: by then their addresses are known. */
type Subject =
  | { readonly kind: 'file'; readonly path: string; readonly restype: RestypeLetter }
  | { readonly kind: 'unix'; readonly socket: OpenSocket }
  /** `peer`: of the connection, or of the datagrams. */
  | { readonly kind: 'net'; readonly socket: OpenSocket; readonly peer: SocketAddress | undefined };

interface ProcessEntry {
  readonly state: ProcessState;
  readonly oid: Oid;
  readonly flows: Map<string, Flow>;
}

export class SysFlowCollector {
  private readonly writer: SysFlowWriter;
  private readonly options: SysFlowCollectorOptions;
  private readonly processes = new Map<ProcessState, ProcessEntry>();
  /** In the order in which they are due for export. */
  private readonly due = new Set<Flow>();
  private now = 0n;
  private readonly foids = new Map<string, Foid>();
  /** Activities that have no record, by call: for whoever wants to know what SysFlow leaves out. */
  readonly unrecorded = new Map<string, number>();

  constructor(writer: SysFlowWriter, options: SysFlowCollectorOptions = {}) {
    this.writer = writer;
    this.options = options;
    writer.header();
  }

  /** In order of time, but for small inversions between threads. */
  activity(activity: Activity): void {
    if (activity.kind === 'gap') return;
    this.advance(activity.time);
    switch (activity.kind) {
      case 'descriptor':
        this.descriptor(activity);
        break;
      case 'path':
        this.path(activity);
        break;
      case 'exec':
        if (activity.syscall === 'execveat') this.skip(activity.syscall);
        else this.processEvent(activity, bit.EXEC, 'MODIFIED', []);
        break;
      case 'clone':
      case 'start':
        if (activity.syscall === 'clone3' && this.options.clone3 !== true) this.skip(activity.syscall);
        else this.processEvent(activity, bit.CLONE, 'CREATED', []);
        break;
      case 'exit':
        this.exit(activity);
        break;
      default:
        if (activity.syscall === 'setuid' || activity.syscall === 'setresuid')
          this.processEvent(activity, bit.SETUID, 'MODIFIED', [activity.text]);
        else this.skip(activity.syscall);
    }
  }

  /**
   * Time passes, with or without activity: flows that are due are written. The collector looks once a second; here
   * each flow is written at the second in which it is due, however far time leaps. Epoch ns.
   */
  advance(time: bigint): void {
    if (time <= this.now) return;
    const seconds = Number(time / second);
    for (const flow of this.due) {
      const at = flow.exported + exportAfter;
      if (at > seconds) break;
      this.now = BigInt(at) * second;
      this.due.delete(flow);
      if (at - flow.used >= dropAfter) this.forget(flow);
      else this.export(flow, at);
    }
    this.now = time;
  }

  /** The recording ends: what is open is written with the TRUNCATE bit. Does not finish the writer. */
  finish(): void {
    for (const entry of this.processes.values()) {
      for (const flow of entry.flows.values()) {
        flow.opFlags |= bit.TRUNCATE;
        this.write(flow, this.now);
      }
      entry.flows.clear();
    }
    this.due.clear();
  }

  private skip(syscall: string): void {
    this.unrecorded.set(syscall, (this.unrecorded.get(syscall) ?? 0) + 1);
  }

  // Flows

  private descriptor(activity: Extract<Activity, { kind: 'descriptor' }>): void {
    const { file, fd, tid, op, syscall } = activity;
    // The collector does not see that a duplicate takes a descriptor's place.
    if (op === 'CLOSE' && /^dup[23]$/.test(syscall)) return;
    const subject = DESCRIPTOR_CALLS.has(syscall) ? this.subject(activity, file) : undefined;
    // A failed accept has no descriptor of its own.
    if (subject === undefined || (op === 'ACCEPT' && activity.ret < 0)) {
      this.skip(syscall);
      return;
    }
    const entry = this.entry(activity.process, activity.time, 'REUP');
    if (subject.kind === 'file') this.file(subject.path, subject.restype, activity.time, 'REUP');
    const key = `${tid} ${fd} ${subjectKey(subject)}`;
    const flag = bit[op as keyof typeof bit];
    // The collector sees a map at its beginning.
    const time = op === 'MMAP' ? activity.start : activity.time;
    let flow = entry.flows.get(key);
    const seconds = Number(this.now / second);
    if (flow === undefined) {
      flow = {
        owner: entry,
        tid,
        fd,
        subject,
        ts: time,
        opFlags: 0,
        openFlags: 0,
        readOps: 0,
        writeOps: 0,
        readBytes: 0,
        writeBytes: 0,
        exported: seconds,
        used: seconds,
      };
      entry.flows.set(key, flow);
      this.due.add(flow);
    }
    flow.opFlags |= flag;
    flow.used = seconds;
    if (op === 'OPEN') flow.openFlags = openFlags(activity.flags);
    if (op === 'READ') {
      flow.readOps += 1;
      flow.readBytes += activity.bytes;
    } else if (op === 'WRITE') {
      flow.writeOps += 1;
      flow.writeBytes += activity.bytes;
    }
    if (op === 'CLOSE') {
      this.related(flow, time);
      this.end(flow, time);
    }
  }

  /** Flows of other threads over the same descriptor of the same thing: it is closed for them, too. */
  private related(flow: Flow, time: bigint): void {
    const same = subjectKey(flow.subject);
    const others = [...flow.owner.flows.values()].filter(
      (other) => other.tid !== flow.tid && other.fd === flow.fd && subjectKey(other.subject) === same,
    );
    const opening = (other: Flow): number =>
      (other.opFlags & (bit.OPEN | bit.ACCEPT | bit.CONNECT)) === 0 ? 1 : 0;
    for (const other of others.sort((a, b) => opening(a) - opening(b))) {
      other.opFlags |= bit.TRUNCATE;
      this.end(other, time);
    }
  }

  private end(flow: Flow, time: bigint): void {
    this.write(flow, time);
    this.forget(flow);
  }

  private forget(flow: Flow): void {
    flow.owner.flows.delete(`${flow.tid} ${flow.fd} ${subjectKey(flow.subject)}`);
    this.due.delete(flow);
  }

  private export(flow: Flow, seconds: number): void {
    this.write(flow, this.now);
    Object.assign(flow, {
      ts: this.now,
      opFlags: 0,
      readOps: 0,
      writeOps: 0,
      readBytes: 0,
      writeBytes: 0,
      exported: seconds,
    });
    this.due.add(flow);
  }

  private write(flow: Flow, endTs: bigint): void {
    if ((flow.opFlags & ~bit.TRUNCATE) === 0) return;
    const { owner, subject } = flow;
    const entry = this.entry(owner.state, endTs, 'REUP');
    const common = {
      procOID: entry.oid,
      ts: flow.ts,
      tid: flow.tid,
      opFlags: flow.opFlags,
      endTs,
      fd: flow.fd,
      numRRecvOps: flow.readOps,
      numWSendOps: flow.writeOps,
      numRRecvBytes: flow.readBytes,
      numWSendBytes: flow.writeBytes,
    };
    if (subject.kind === 'net') {
      const record: NetworkFlowRecord = {
        ...common,
        ...tupleOf(subject.socket, subject.peer),
        proto: protocolOf(subject.socket),
      };
      this.writer.networkFlow(record);
    } else {
      const named =
        subject.kind === 'unix'
          ? ([unixName(subject.socket), 'u'] as const)
          : ([subject.path, subject.restype] as const);
      const fileOID = this.file(...named, endTs, 'REUP');
      const record: FileFlowRecord = { ...common, openFlags: flow.openFlags, fileOID };
      this.writer.fileFlow(record);
    }
  }

  /** What a descriptor's flow is about; undefined where the collector keeps none. */
  private subject(activity: Extract<Activity, { kind: 'descriptor' }>, file: OpenFile): Subject | undefined {
    switch (file.kind) {
      case 'file':
        return { kind: 'file', path: file.path, restype: file.type };
      case 'pipe':
        return { kind: 'file', path: `pipe:[${file.inode}]`, restype: 'p' };
      case 'anon':
        return undefined;
      default:
        if (file.family === 'unix') return { kind: 'unix', socket: file };
        return this.network(activity, file);
    }
  }

  private network(
    activity: Extract<Activity, { kind: 'descriptor' }>,
    socket: OpenSocket,
  ): Subject | undefined {
    const peer = socket.peer ?? activity.peer ?? socket.lastPeer;
    // A client that has gone by the time that it is accepted leaves no address; the connection was there all the same.
    const gone = peer === undefined && socket.type === 1 && socket.role === 'server';
    if (socket.family === 'other' || socket.family === 'netlink') return undefined;
    if (socket.family === 'inet6' && !gone && !isIpv4(socket.local, peer)) return undefined;
    // A socket that waits for connections or datagrams has no endpoints yet, and no flow.
    if (socket.listening || (peer === undefined && socket.local !== undefined && !gone)) return undefined;
    return { kind: 'net', socket, peer };
  }

  // Events

  private path(activity: Extract<Activity, { kind: 'path' }>): void {
    const { syscall, time } = activity;
    if (!NAME_CALLS.has(syscall)) {
      this.skip(syscall);
      return;
    }
    const entry = this.entry(activity.process, time, 'REUP');
    // By the call's name, so unlinkat of a directory is an UNLINK there.
    const op = /^(mkdir|rmdir|link|unlink|symlink|rename)/
      .exec(syscall)?.[1]
      .toUpperCase() as keyof typeof bit;
    let { path, to } = activity;
    if (op === 'SYMLINK') {
      // The collector has target and link the other way round, and makes the target absolute for symlink only.
      [path, to] = [to ?? '', path];
      if (syscall === 'symlink') path = absolutePath(activity.process.cwd, path);
    }
    const restype: RestypeLetter = op === 'MKDIR' || op === 'RMDIR' ? 'd' : '?';
    const fileOID = this.file(path, restype, time, to === undefined ? 'CREATED' : 'REUP');
    const newFileOID = to === undefined ? undefined : this.file(to, '?', time, 'CREATED');
    this.writer.fileEvent({
      procOID: entry.oid,
      ts: time,
      tid: activity.tid,
      opFlags: bit[op],
      fileOID,
      ret: activity.ret,
      newFileOID,
    });
  }

  private processEvent(
    activity: Exclude<Activity, { kind: 'gap' }>,
    opFlags: number,
    state: EntityState,
    args: readonly string[],
  ): void {
    const { process, time, tid, ret } = activity;
    const known = this.processes.get(process);
    const written = known !== undefined && this.writer.hasProcess(known.oid);
    const entry = this.entry(
      process,
      time,
      state === 'MODIFIED' && opFlags === bit.EXEC ? 'CREATED' : state === 'MODIFIED' ? 'REUP' : state,
    );
    if (written && state === 'MODIFIED') this.writer.process(this.record(entry, time, 'MODIFIED'));
    this.writer.processEvent({ procOID: entry.oid, ts: time, tid, opFlags, args, ret });
  }

  private exit(activity: Extract<Activity, { kind: 'exit' }>): void {
    const { process, time, tid, last } = activity;
    const entry = this.entry(process, time, 'REUP');
    for (const flow of [...entry.flows.values()]) {
      if (
        !entry.flows.has(`${flow.tid} ${flow.fd} ${subjectKey(flow.subject)}`) ||
        (!last && flow.tid !== tid)
      )
        continue;
      if (!last) this.related(flow, this.now);
      flow.opFlags |= bit.TRUNCATE;
      this.end(flow, this.now);
    }
    this.processEvent(activity, bit.EXIT, 'REUP', []);
    if (last) this.processes.delete(process);
  }

  // Entities

  private entry(state: ProcessState, time: bigint, how: EntityState): ProcessEntry {
    let entry = this.processes.get(state);
    if (entry === undefined) {
      entry = { state, oid: { createTS: state.created, hpid: state.pid }, flows: new Map() };
      this.processes.set(state, entry);
    }
    if (!this.writer.hasProcess(entry.oid)) {
      if (state.parent !== undefined) this.ancestor(state.parent, time);
      this.container();
      this.writer.process(this.record(entry, time, how));
    }
    return entry;
  }

  /** A parent that has not been written (nothing of its own was recorded) comes first. */
  private ancestor(state: ProcessState, time: bigint): void {
    const oid: Oid = { createTS: state.created, hpid: state.pid };
    if (this.writer.hasProcess(oid)) return;
    if (state.parent !== undefined) this.ancestor(state.parent, time);
    this.container();
    this.writer.process(this.record({ state, oid, flows: new Map() }, time, 'REUP'));
  }

  private container(): void {
    const { container } = this.options;
    if (container !== undefined && !this.writer.hasContainer(container.id)) this.writer.container(container);
  }

  private record(entry: ProcessEntry, ts: bigint, how: EntityState): ProcessRecord {
    const { state } = entry;
    const { container, userName, groupName, tty } = this.options;
    return {
      state: how,
      oid: entry.oid,
      poid:
        state.parent === undefined ? undefined : { createTS: state.parent.created, hpid: state.parent.pid },
      ts,
      exe: state.exe,
      exeArgs: state.args.join(' '),
      uid: state.uid,
      userName: userName?.(state.uid) ?? '',
      gid: state.gid,
      groupName: groupName?.(state.gid) ?? '',
      tty: tty ?? false,
      containerId: container?.id,
      entry: container !== undefined && state.parent === undefined,
      cwd: state.cwd === '/' ? '/' : `${state.cwd}/`,
      env: state.env,
    };
  }

  private file(path: string, restype: RestypeLetter, ts: bigint, state: EntityState): Foid {
    const containerId = this.options.container?.id;
    let foid = this.foids.get(path);
    if (foid === undefined) {
      foid = fileOid(containerId ?? '', path);
      if (this.foids.size >= 100_000) this.foids.clear();
      this.foids.set(path, foid);
    }
    if (this.writer.hasFile(foid)) return foid;
    this.container();
    return this.writer.file({ state, ts, restype, path, containerId });
  }
}

function subjectKey(subject: Subject): string {
  switch (subject.kind) {
    case 'file':
      return subject.path;
    case 'unix':
      return `socket ${socketNumber(subject.socket)}`;
    default: {
      const { peer } = subject;
      const end = peer?.kind === 'inet' || peer?.kind === 'inet6' ? `${peer.address} ${peer.port}` : '';
      return `socket ${socketNumber(subject.socket)} ${end}`;
    }
  }
}

const socketNumbers = new WeakMap<OpenSocket, number>();
let nextSocket = 0;

/** A connection keeps its flow while its addresses become known. */
function socketNumber(socket: OpenSocket): number {
  let number = socketNumbers.get(socket);
  if (number === undefined) {
    number = nextSocket++;
    socketNumbers.set(socket, number);
  }
  return number;
}

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** IPv4 over a socket of IPv6, at the peer's end and at ours where that is bound to one address. */
function isIpv4(local: SocketAddress | undefined, peer: SocketAddress | undefined): boolean {
  const fits = (end: SocketAddress | undefined): boolean =>
    end?.kind === 'inet' || (end?.kind === 'inet6' && mapped.test(end.address));
  return (
    fits(peer) && (local === undefined || fits(local) || (local.kind === 'inet6' && local.address === '::'))
  );
}

/** Source is the client's end: ours where we connected or sent first, the peer where we accepted or received first. */
function tupleOf(
  socket: OpenSocket,
  peer: SocketAddress | undefined,
): Pick<NetworkFlowRecord, 'sip' | 'sport' | 'dip' | 'dport'> {
  const end = (address: SocketAddress | undefined): readonly [number, number] => {
    if (address?.kind !== 'inet' && address?.kind !== 'inet6') return [0, 0];
    return [ipToInt(mapped.exec(address.address)?.[1] ?? address.address) ?? 0, address.port];
  };
  const [own, other] = [end(socket.local), end(peer)];
  const [source, destination] = socket.role === 'server' ? [other, own] : [own, other];
  return { sip: source[0], sport: source[1], dip: destination[0], dport: destination[1] };
}

function protocolOf(socket: OpenSocket): number {
  if (socket.type === 1) return 6;
  if (socket.type === 2) return socket.protocol === 1 ? 1 : 17;
  return socket.type === 3 ? 254 : -1;
}

/** `inode->inode path`, as the collector writes kernel addresses; '' for a socket without connection or name. */
function unixName(socket: OpenSocket): string {
  const digits = (inode: number | undefined): string => (inode ?? 0).toString(16).padStart(16, '0');
  if (socket.peerInode === undefined && socket.peer === undefined) return '';
  return `${digits(socket.inode)}->${digits(socket.peerInode)} ${unixPath(socket)}`.trimEnd();
}

const openBits = (
  [
    'CREAT',
    'APPEND',
    'DSYNC',
    'EXCL',
    'NONBLOCK',
    'SYNC',
    'TRUNC',
    'DIRECT',
    'DIRECTORY',
    'LARGEFILE',
    'CLOEXEC',
  ] as const
).map((name) => [CONSTANTS.get(`O_${name}`) as number, OPEN_FLAGS[name]] as const);

/** Linux's open flags to Falco's. */
export function openFlags(flags: number): number {
  let out = [OPEN_FLAGS.RDONLY, OPEN_FLAGS.WRONLY, OPEN_FLAGS.RDWR, OPEN_FLAGS.RDWR][flags & 3];
  for (const [linux, falco] of openBits) if ((flags & linux) === linux) out |= falco;
  return out;
}
