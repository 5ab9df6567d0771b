// A flow as a reader that wants no objects gets it: one row, the same each time, valid during the call only. Processes
// and files are entities of the stream that the reader may remember by identity; times are halves of epoch nanoseconds.
// `observation` makes of it what every source yields.
import type { FileType, Op, Protocol, Resource } from '../effect/index.ts';
import { SYSFLOW_OPS } from '../effect/index.ts';
import type { Observation, ProcessId } from './observation.ts';
import { intToIp, OPEN_FLAGS } from './sysflow-records.ts';

/** A process of a stream: the same object as long as the stream knows it. */
export interface StreamProcess {
  /** Small number, of no other living process of the stream. */
  readonly row: number;
  readonly id: ProcessId;
}

/** A file of a stream: the same object as long as the stream knows it and it has the same path and type. */
export interface StreamFile {
  readonly row: number;
  readonly type: FileType;
  readonly resource: Extract<Resource, { kind: 'file' }>;
  /** Its path's bytes, where they are at hand. */
  readonly bytes?: Uint8Array | undefined;
  readonly start: number;
  readonly end: number;
  /** For who takes the flows: what it found out about the file, for whom and for which key. Nobody else looks at it. */
  note?: unknown;
  noteOf?: unknown;
  noteKey?: number;
}

export type FlowObservation = Extract<Observation, { kind: 'flow' }>;

/** SysFlow's TRUNCATE bit. */
const CUT = 1 << 11;

export class FlowRow {
  process!: StreamProcess;
  tid = 0;
  /** Bits in the order of SYSFLOW_OPS. */
  opFlags = 0;
  /** Bits of OPEN_FLAGS; 0 for connections. */
  openFlags = 0;
  startHigh = 0;
  startLow = 0;
  endHigh = 0;
  endLow = 0;
  /** Undefined: a connection. */
  file: StreamFile | undefined;
  protocol: Protocol = 'raw';
  /** As SysFlow has them, see `intToIp`. */
  localAddress = 0;
  localPort = 0;
  peerAddress = 0;
  peerPort = 0;
  sidesAssumed = false;
  fd = 0;
  reads = 0;
  writes = 0;
  bytesRead = 0;
  bytesWritten = 0;

  /** Of a connection a new object, of a file the file's. */
  get resource(): Resource {
    if (this.file !== undefined) return this.file.resource;
    const { protocol, localAddress, localPort, peerAddress, peerPort } = this;
    return connection(protocol, localAddress, localPort, peerAddress, peerPort);
  }

  get access(): string {
    return this.file === undefined ? '' : accessOf(this.openFlags);
  }

  observation(): FlowObservation {
    const { process, tid, opFlags, file, fd, reads, writes, bytesRead, bytesWritten } = this;
    const flow = {
      kind: 'flow',
      start: wide(this.startHigh, this.startLow),
      end: wide(this.endHigh, this.endLow),
      task: { process: process.id, tid },
      ops: opsOf(opFlags),
      resource: this.resource,
      access: this.access,
      cut: (opFlags & CUT) !== 0,
      fd,
      reads,
      writes,
      bytesRead,
      bytesWritten,
    } as const;
    return file === undefined ? { ...flow, sidesAssumed: this.sidesAssumed } : flow;
  }
}

/** Ends of a connection as SysFlow's numbers. */
export function connection(
  protocol: Protocol,
  localAddress: number,
  localPort: number,
  peerAddress: number,
  peerPort: number,
): Extract<Resource, { kind: 'net' }> {
  return {
    kind: 'net',
    protocol,
    local: { address: addressText(localAddress), port: String(localPort) },
    peer: { address: addressText(peerAddress), port: String(peerPort) },
  };
}

const halves = new Int32Array(2);
const whole = new BigInt64Array(halves.buffer);

export function wide(high: number, low: number): bigint {
  halves[0] = low;
  halves[1] = high;
  return whole[0];
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
export function accessOf(flags: number): string {
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
