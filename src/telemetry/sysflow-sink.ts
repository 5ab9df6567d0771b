// What SysFlow's records mean: joins each with the entities that it names, and passes it on. Flows, which are most of
// all records, are passed on in place (flow-row.ts), everything else as observations.
import type { FileType, Op, Protocol, Resource } from '../effect/index.ts';
import { SYSFLOW_OPS } from '../effect/index.ts';
import { FlowRow, wide } from './flow-row.ts';
import type { Observation } from './observation.ts';
import { withoutEffect } from './sysflow-plan.ts';
import { Sides } from './sysflow-sides.ts';
import { type FileEntry, type ProcessEntry, SysFlowTables } from './sysflow-tables.ts';

/** Takes what a decoder reads, in the order of the records. */
export interface FlowTaker {
  observe(observation: Observation): void;
  /** The row is valid during the call only. */
  flow(row: FlowRow): void;
}

/** Handlers of records, as sysflow-plan.ts orders their arguments. */
export class SysFlowSink {
  /** The block that is being decoded: positions of file identities are in it. */
  bytes: Uint8Array = new Uint8Array();
  /** The same, for words. */
  view = new DataView(this.bytes.buffer);
  /** Records read, by name. */
  readonly read = {
    SFHeader: 0,
    Container: 0,
    Process: 0,
    File: 0,
    ProcessEvent: 0,
    NetworkFlow: 0,
    FileFlow: 0,
    FileEvent: 0,
  };
  readonly skippedRecords = new Map<string, number>();
  /** Where records go; set before each block. */
  taker: FlowTaker;
  private readonly tables = new SysFlowTables();
  private readonly sides = new Sides();
  /** Time of the first record of this stream. */
  private begin: bigint | undefined;
  private readonly row = new FlowRow();

  constructor(taker: FlowTaker) {
    this.taker = taker;
  }

  skipped(name: string): void {
    const short = name.slice(name.lastIndexOf('.') + 1);
    this.skippedRecords.set(short, (this.skippedRecords.get(short) ?? 0) + 1);
    if (!withoutEffect.has(short)) this.gap(`unsupported record ${short}`);
  }

  header(version: number, exporter: string): void {
    this.read.SFHeader += 1;
    this.tables.clear();
    this.sides.clear();
    this.begin = undefined;
    this.taker.observe({ kind: 'stream', exporter, version });
  }

  container(id: string, name: string, image: string, imageId: string, privileged: boolean): void {
    this.read.Container += 1;
    this.taker.observe({ kind: 'container', container: { id, name, image, imageId, privileged } });
  }

  process(
    state: string,
    high: number,
    low: number,
    pid: number,
    parentHigh: number,
    parentLow: number,
    parentPid: number,
    time: bigint,
    exe: string,
    args: string,
    uid: number,
    gid: number,
    user: string,
    group: string,
    tty: boolean,
    containerId: string,
    isEntry: boolean,
    cwd: string,
  ): void {
    this.read.Process += 1;
    this.begin ??= time;
    const hasParent = parentPid !== 0 || parentHigh !== 0 || parentLow !== 0;
    const parent = hasParent ? this.tables.process(parentHigh, parentLow, parentPid) : undefined;
    const known = this.tables.process(high, low, pid);
    const entry = known ?? this.tables.addProcess(high, low, pid, wide(high, low), parent);
    Object.assign(entry, { containerId, exe, args, uid, acceptedPort: -1 });
    const parentId =
      parent?.id ?? (hasParent ? { created: wide(parentHigh, parentLow), pid: parentPid } : undefined);
    // A process whose first record is a flow is REUP too, though it is new.
    const again = state === 'REUP' && entry.id.created < this.begin;
    this.taker.observe({
      kind: 'process',
      process: {
        id: entry.id,
        parent: parentId,
        time,
        exe,
        args,
        uid,
        gid,
        user,
        group,
        tty,
        containerId,
        entry: isEntry,
        cwd,
        again,
      },
    });
  }

  file(oid: number, restype: number, pathStart: number, pathEnd: number): void {
    this.read.File += 1;
    if (oid < 0 || pathStart < 0) this.gap('file record without an identity');
    else this.tables.addFile(this.bytes, this.view, oid, fileType(restype), pathStart, pathEnd);
  }

  processEvent(
    high: number,
    low: number,
    pid: number,
    time: bigint,
    tid: number,
    opFlags: number,
    ret: number,
    args: readonly string[],
  ): void {
    this.read.ProcessEvent += 1;
    const entry = this.tables.process(high, low, pid);
    const op = oneOp(opFlags);
    if (entry === undefined) this.gap('event of an unknown process');
    else if (op === undefined) this.gap('process event without one operation');
    else {
      const resource = processResource(op, entry, tid, ret, args);
      this.taker.observe({
        kind: 'event',
        time,
        task: { process: entry.id, tid },
        effect: { op, resource, access: '' },
        ret,
        args,
      });
      if (op === 'EXIT' && tid === pid) this.tables.endProcess(entry);
    }
  }

  networkFlow(
    high: number,
    low: number,
    pid: number,
    startHigh: number,
    startLow: number,
    tid: number,
    opFlags: number,
    endHigh: number,
    endLow: number,
    fd: number,
    reads: number,
    writes: number,
    bytesRead: number,
    bytesWritten: number,
    sip: number,
    sport: number,
    dip: number,
    dport: number,
    proto: number,
  ): void {
    this.read.NetworkFlow += 1;
    const entry = this.tables.process(high, low, pid);
    if (entry === undefined) {
      this.gap('flow of an unknown process');
      return;
    }
    const protocol = protocolOf(proto);
    if (protocol === undefined && dip === 0 && sport === 0) {
      this.gap('network flow without protocol and address');
      return;
    }
    const side = this.sides.sideOf(entry, opFlags, sip, dip, dport);
    const server = side === 'server';
    const { row } = this;
    row.file = undefined;
    row.openFlags = 0;
    row.protocol = protocol ?? 'raw';
    row.localAddress = server ? dip : sip;
    row.localPort = server ? dport : sport;
    row.peerAddress = server ? sip : dip;
    row.peerPort = server ? sport : dport;
    row.sidesAssumed = side === undefined;
    this.count(fd, reads, writes, bytesRead, bytesWritten);
    this.pass(entry, tid, opFlags, startHigh, startLow, endHigh, endLow);
  }

  fileFlow(
    high: number,
    low: number,
    pid: number,
    startHigh: number,
    startLow: number,
    tid: number,
    opFlags: number,
    endHigh: number,
    endLow: number,
    fd: number,
    reads: number,
    writes: number,
    bytesRead: number,
    bytesWritten: number,
    oid: number,
    openFlags: number,
  ): void {
    this.read.FileFlow += 1;
    const entry = this.tables.process(high, low, pid);
    const file = this.tables.file(this.view, oid);
    if (entry === undefined || file === undefined) {
      this.gap(entry === undefined ? 'flow of an unknown process' : 'flow on an unknown file');
      return;
    }
    const { row } = this;
    row.file = file;
    row.openFlags = openFlags;
    this.count(fd, reads, writes, bytesRead, bytesWritten);
    this.pass(entry, tid, opFlags, startHigh, startLow, endHigh, endLow);
  }

  fileEvent(
    high: number,
    low: number,
    pid: number,
    time: bigint,
    tid: number,
    opFlags: number,
    ret: number,
    oid: number,
    newOid: number,
  ): void {
    this.read.FileEvent += 1;
    const entry = this.tables.process(high, low, pid);
    const file = this.tables.file(this.view, oid);
    const other = newOid < 0 ? undefined : this.tables.file(this.view, newOid);
    const op = oneOp(opFlags);
    if (entry === undefined) this.gap('event of an unknown process');
    else if (op === undefined) this.gap('file event without one operation');
    else if (file === undefined || (newOid >= 0 && other === undefined)) this.gap('event on an unknown file');
    else
      this.taker.observe({
        kind: 'event',
        time,
        task: { process: entry.id, tid },
        effect: { op, resource: fileResource(op, file, other), access: '' },
        ret,
        args: [],
      });
  }

  private count(fd: number, reads: number, writes: number, bytesRead: number, bytesWritten: number): void {
    const { row } = this;
    row.fd = fd;
    row.reads = reads;
    row.writes = writes;
    row.bytesRead = bytesRead;
    row.bytesWritten = bytesWritten;
  }

  private pass(
    entry: ProcessEntry,
    tid: number,
    opFlags: number,
    startHigh: number,
    startLow: number,
    endHigh: number,
    endLow: number,
  ): void {
    const { row } = this;
    row.process = entry;
    row.tid = tid;
    row.opFlags = opFlags;
    row.startHigh = startHigh;
    row.startLow = startLow;
    row.endHigh = endHigh;
    row.endLow = endLow;
    this.taker.flow(row);
  }

  private gap(reason: string): void {
    this.taker.observe({ kind: 'gap', reason, records: 1 });
  }
}

/** By the code of SysFlow's letter. */
function fileType(restype: number): FileType {
  switch (restype) {
    case 0x66:
      return 'f';
    case 0x64:
      return 'd';
    case 0x75:
      return 'u';
    case 0x70:
      return 'p';
    default:
      return '?';
  }
}

function protocolOf(proto: number): Protocol | undefined {
  switch (proto) {
    case 1:
      return 'icmp';
    case 6:
      return 'tcp';
    case 17:
      return 'udp';
    case 254:
      return 'raw';
    default:
      return undefined;
  }
}

/** For SYMLINK SysFlow has the text of the link first and the new link second; an effect has it the other way round. */
function fileResource(op: Op, file: FileEntry, other: FileEntry | undefined): Resource {
  if (other === undefined) return file.resource;
  const [path, to] = op === 'SYMLINK' ? [other.path, file.path] : [file.path, other.path];
  return { kind: 'file', type: file.type, path, to };
}

function processResource(
  op: Op,
  entry: ProcessEntry,
  tid: number,
  ret: number,
  args: readonly string[],
): Resource {
  switch (op) {
    case 'EXEC':
      // Arguments are joined by spaces; which spaces were in them is lost.
      return { kind: 'program', path: entry.exe, args: entry.args === '' ? [] : entry.args.split(' ') };
    case 'CLONE':
      // The parent's record does not tell whether it made a thread.
      return { kind: 'task', what: ret !== 0 ? '' : tid === entry.id.pid ? 'process' : 'thread' };
    case 'EXIT':
      return { kind: 'id', value: (ret & 127) === 0 ? String(ret >> 8) : `signal:${ret & 127}` };
    case 'SETUID':
      return { kind: 'id', value: args[0] ?? String(entry.uid) };
    default:
      return { kind: 'none' };
  }
}

/** The operation of an event's one bit. */
function oneOp(opFlags: number): Op | undefined {
  const bit = 31 - Math.clz32(opFlags);
  return opFlags !== 0 && opFlags === 1 << bit ? SYSFLOW_OPS[bit] : undefined;
}
