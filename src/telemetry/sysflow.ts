// SysFlow traces (object container files, every schema that was ever written) to observations. What a record means is
// here; how it is laid out is in the file's schema (avro-compile.ts), which of its records are which in sysflow-plan.ts.
// Records of Kubernetes (Pod, K8sEvent), ProcessFlow (counts of threads) and NetworkEvent (never written) are counted,
// not observed.

import { InputError } from '../bytes/index.ts';
import type { FileType, Op, Protocol, Resource } from '../effect/index.ts';
import { SYSFLOW_OPS } from '../effect/index.ts';
import type { RandomAccess } from '../host/index.ts';
import { compileRecords, DecodeError, type RecordDecoder } from './avro-compile.ts';
import { parseSchema } from './avro-schema.ts';
import type { Observation, Source, SourceTraits, TaskRef } from './observation.ts';
import { defaultOcfLimits, type OcfLimits, OcfReader } from './ocf.ts';
import { DESCRIPTOR_CALLS, NAME_CALLS, PROCESS_CALLS } from './sysflow-calls.ts';
import { sysFlowPlan, withoutEffect } from './sysflow-plan.ts';
import { intToIp, OPEN_FLAGS } from './sysflow-records.ts';
import { Sides } from './sysflow-sides.ts';
import { type FileEntry, type ProcessEntry, SysFlowTables } from './sysflow-tables.ts';

/** What SysFlow's collector 0.7 reports; see flows.ts for what it leaves out. */
export const sysFlowTraits: SourceTraits = {
  name: 'sysflow',
  ops: new Set(SYSFLOW_OPS.filter((op) => op !== 'DIGEST' && op !== 'TRUNCATE')),
  syscalls: new Set([...DESCRIPTOR_CALLS, ...NAME_CALLS, ...PROCESS_CALLS]),
  failures: false,
  ipv6: false,
  flows: true,
  maxDelay: 90_000_000_000n,
};

export interface SysFlowOptions {
  readonly limits?: OcfLimits | undefined;
}

export interface SysFlowSource extends Source {
  /** Records read so far by name (`FileFlow`), of kinds without effect too. */
  readonly records: ReadonlyMap<string, number>;
}

/** Opens a trace; InputError where the file is none. Damage further on becomes `gap` observations. */
export function openSysFlow(file: RandomAccess, options: SysFlowOptions = {}): SysFlowSource {
  return new OcfSource(file, options);
}

class OcfSource implements SysFlowSource {
  readonly traits = sysFlowTraits;
  private readonly reader: OcfReader;
  private readonly decoder: SysFlowDecoder;

  constructor(file: RandomAccess, options: SysFlowOptions) {
    this.reader = new OcfReader(file, options.limits ?? defaultOcfLimits);
    this.decoder = new SysFlowDecoder(this.reader.schema, file.name);
  }

  get records(): ReadonlyMap<string, number> {
    return this.decoder.counts;
  }

  *observations(): Generator<Observation> {
    for (const item of this.reader.items()) {
      if (item.kind === 'damage') {
        yield { kind: 'gap', reason: item.reason, records: item.records };
        continue;
      }
      this.decoder.block(item.data, item.records);
      yield* this.decoder.take();
    }
  }
}

/** Decoder and joiner for one schema: bytes in, observations out. Also for single records (sockets). */
export class SysFlowDecoder {
  private out: Observation[] = [];
  private readonly sink: Sink;
  private readonly records: RecordDecoder<Sink>;
  private padded = Buffer.alloc(8192);

  constructor(schema: string, where: string) {
    this.sink = new Sink((observation) => this.out.push(observation));
    this.records = compiled(schema, where);
  }

  /** Decodes a block; what is damaged in it becomes a gap. */
  block(data: Uint8Array, count: number): void {
    // A Buffer's text is decoded faster.
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
    this.sink.bytes = bytes;
    let at = 0;
    for (let i = 0; i < count; i++) {
      const next = this.decode(bytes, at, count - i);
      if (next === undefined) return;
      at = next;
    }
    if (at !== data.length) this.out.push({ kind: 'gap', reason: 'bytes left over in a block', records: 1 });
  }

  /**
   * Decodes a record on its own (a datagram). Fields that a later schema appends are passed over; two that an earlier
   * one has not, the working directory and environment of a process, are empty, which is a zero each.
   */
  record(data: Uint8Array): void {
    const missing = 2;
    if (this.padded.length < data.length + missing) this.padded = Buffer.alloc(2 * data.length + missing);
    const bytes = this.padded.subarray(0, data.length + missing);
    bytes.set(data);
    bytes.fill(0, data.length);
    this.sink.bytes = bytes;
    this.decode(bytes, 0, 1);
  }

  /** Position after the record; undefined where it is damaged, and what it may have said is taken back. */
  private decode(bytes: Uint8Array, at: number, records: number): number | undefined {
    const said = this.out.length;
    try {
      const next = this.records.decode(bytes, at, bytes.length, this.sink);
      if (next === at) throw new DecodeError('record without bytes');
      return next;
    } catch (error) {
      // A RangeError is a value nested until the stack ends.
      if (!(error instanceof DecodeError) && !(error instanceof RangeError)) throw error;
      this.out.length = said;
      this.out.push({ kind: 'gap', reason: `damaged record: ${error.message}`, records });
      return undefined;
    }
  }

  /** Records read so far, by name. */
  get counts(): ReadonlyMap<string, number> {
    const { read, skippedRecords } = this.sink;
    const known = Object.entries(read).filter(([, n]) => n > 0);
    return new Map([...known, ...skippedRecords]);
  }

  /** Observations since the last call. */
  take(): readonly Observation[] {
    const { out } = this;
    this.out = [];
    return out;
  }
}

const decoders = new Map<string, RecordDecoder<Sink>>();

/** Rotated files share a schema: it is compiled once, and stays warm. */
function compiled(schema: string, where: string): RecordDecoder<Sink> {
  let decoder = decoders.get(schema);
  if (decoder === undefined) {
    const type = parseSchema(schema, where);
    if (!schema.includes('SFHeader')) throw new InputError('an Avro file, but not of SysFlow records', where);
    decoder = compileRecords<Sink>(type, sysFlowPlan);
    if (decoders.size >= 32) decoders.clear();
    decoders.set(schema, decoder);
  }
  return decoder;
}

const TRUNCATE = 1 << 11;

/** Handlers of records, as sysflow-plan.ts orders their arguments. */
class Sink {
  /** The block that is being decoded: positions of file identities are in it. */
  bytes: Uint8Array = new Uint8Array();
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
  private readonly emit: (observation: Observation) => void;
  private readonly tables = new SysFlowTables();
  private readonly sides = new Sides();
  /** Time of the first record of this stream. */
  private begin: bigint | undefined;

  constructor(emit: (observation: Observation) => void) {
    this.emit = emit;
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
    this.emit({ kind: 'stream', exporter, version });
  }

  container(id: string, name: string, image: string, imageId: string, privileged: boolean): void {
    this.read.Container += 1;
    this.emit({ kind: 'container', container: { id, name, image, imageId, privileged } });
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
    Object.assign(entry, { containerId, exe, args, uid });
    const parentId =
      parent?.id ?? (hasParent ? { created: wide(parentHigh, parentLow), pid: parentPid } : undefined);
    // A process whose first record is a flow is REUP too, though it is new.
    const again = state === 'REUP' && entry.id.created < this.begin;
    this.emit({
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

  file(oid: number, restype: number, path: string): void {
    this.read.File += 1;
    if (oid < 0) {
      this.gap('file record without an identity');
      return;
    }
    const type = fileType(restype);
    this.tables.addFile(this.bytes, oid, type, path, { kind: 'file', type, path: plainPath(type, path) });
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
      this.emit({
        kind: 'event',
        time,
        task: this.task(entry, tid),
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
    start: bigint,
    tid: number,
    opFlags: number,
    end: bigint,
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
    const protocol = protocols[proto];
    if (protocol === undefined && dip === 0 && sport === 0) {
      this.gap('network flow without protocol and address');
      return;
    }
    const side = this.sides.sideOf(entry, opFlags, sip, dip, dport);
    const source = { address: addressText(sip), port: String(sport) };
    const destination = { address: addressText(dip), port: String(dport) };
    const server = side === 'server';
    this.emit({
      kind: 'flow',
      start,
      end,
      task: this.task(entry, tid),
      ops: opsOf(opFlags),
      resource: {
        kind: 'net',
        protocol: protocol ?? 'raw',
        local: server ? destination : source,
        peer: server ? source : destination,
      },
      access: '',
      cut: (opFlags & TRUNCATE) !== 0,
      fd,
      sidesAssumed: side === undefined,
      reads,
      writes,
      bytesRead,
      bytesWritten,
    });
  }

  fileFlow(
    high: number,
    low: number,
    pid: number,
    start: bigint,
    tid: number,
    opFlags: number,
    end: bigint,
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
    const file = this.tables.file(this.bytes, oid);
    if (entry === undefined || file === undefined) {
      this.gap(entry === undefined ? 'flow of an unknown process' : 'flow on an unknown file');
      return;
    }
    this.emit({
      kind: 'flow',
      start,
      end,
      task: this.task(entry, tid),
      ops: opsOf(opFlags),
      resource: file.resource,
      access: accessOf(openFlags),
      cut: (opFlags & TRUNCATE) !== 0,
      fd,
      reads,
      writes,
      bytesRead,
      bytesWritten,
    });
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
    const file = this.tables.file(this.bytes, oid);
    const other = newOid < 0 ? undefined : this.tables.file(this.bytes, newOid);
    const op = oneOp(opFlags);
    if (entry === undefined) this.gap('event of an unknown process');
    else if (op === undefined) this.gap('file event without one operation');
    else if (file === undefined || (newOid >= 0 && other === undefined)) this.gap('event on an unknown file');
    else
      this.emit({
        kind: 'event',
        time,
        task: this.task(entry, tid),
        effect: { op, resource: fileResource(op, file, other), access: '' },
        ret,
        args: [],
      });
  }

  private task(entry: ProcessEntry, tid: number): TaskRef {
    if (entry.task.tid !== tid) entry.task = { process: entry.id, tid };
    return entry.task;
  }

  private gap(reason: string): void {
    this.emit({ kind: 'gap', reason, records: 1 });
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

const protocols: Readonly<Record<number, Protocol | undefined>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  254: 'raw',
};

const halves = new Int32Array(2);
const whole = new BigInt64Array(halves.buffer);

function wide(high: number, low: number): bigint {
  halves[0] = low;
  halves[1] = high;
  return whole[0];
}

/** Unix sockets are `hex->hex path`, with the kernel's addresses of both ends; pipes have no name but their number. */
function plainPath(type: FileType, path: string): string {
  if (type === 'u') return /^[0-9a-f]+->[0-9a-f]+ ?(.*)$/s.exec(path)?.[1] ?? path;
  return type === 'p' && (path === '' || path.startsWith('pipe:')) ? 'pipe:' : path;
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

const opSets = new Map<number, ReadonlySet<Op>>();

/** Operations of a flow, without TRUNCATE, which is `cut`. Sets are shared. */
function opsOf(opFlags: number): ReadonlySet<Op> {
  let set = opSets.get(opFlags);
  if (set === undefined) {
    set = new Set(SYSFLOW_OPS.filter((_, bit) => bit !== 11 && (opFlags & (1 << bit)) !== 0));
    if (opSets.size < 65_536) opSets.set(opFlags, set);
  }
  return set;
}

/** Letters of Falco's open flags; '' where they are unknown (0). */
function accessOf(flags: number): string {
  const key = flags & 8191;
  const known = accessTexts[key];
  if (known !== undefined) return known;
  const text = [
    (key & OPEN_FLAGS.RDONLY) !== 0 ? 'r' : '',
    (key & OPEN_FLAGS.WRONLY) !== 0 ? 'w' : '',
    (key & OPEN_FLAGS.CREAT) !== 0 ? 'c' : '',
    (key & OPEN_FLAGS.TRUNC) !== 0 ? 't' : '',
    (key & OPEN_FLAGS.APPEND) !== 0 ? 'a' : '',
  ].join('');
  accessTexts[key] = text;
  return text;
}

const accessTexts: (string | undefined)[] = new Array(8192).fill(undefined);
const addressTexts = new Map<number, string>();

function addressText(address: number): string {
  let text = addressTexts.get(address);
  if (text === undefined) {
    text = intToIp(address);
    if (addressTexts.size >= 65_536) addressTexts.clear();
    addressTexts.set(address, text);
  }
  return text;
}
