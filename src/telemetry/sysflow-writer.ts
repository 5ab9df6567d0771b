// Writes SysFlow version 5 as an Avro object container file (Avro 1.11, "Object Container Files"), with the codec,
// block size and record order of the SysFlow collector: entities before whatever names them. It holds callers to
// that order (a record that names an unknown entity is a bug of ours, not a file to be written) and decides nothing
// about when a record is due: that is flows.ts.
import { assert, encodeText, hex, unhex } from '../bytes/index.ts';
import { deflateRawSync, sha1 } from '../host/index.ts';
import { type Encoder, schemaEncoder } from './avro-schema.ts';
import type {
  ContainerRecord,
  FileEventRecord,
  FileFlowRecord,
  FileRecord,
  Foid,
  NetworkFlowRecord,
  Oid,
  ProcessEventRecord,
  ProcessRecord,
} from './sysflow-records.ts';
import { SYSFLOW_SCHEMA, SYSFLOW_VERSION } from './sysflow-schema.ts';

export interface SysFlowWriterOptions {
  /** Name of what records: a host's or node's name. */
  readonly exporter: string;
  /** Address of the exporter; '' where there is none. */
  readonly ip: string;
  /** The file's name as its header gives it. */
  readonly filename: string;
  /** Sixteen bytes between blocks; default: derived from the options, so that the same records give the same bytes. */
  readonly sync?: Uint8Array | undefined;
}

export interface SysFlowWriter {
  /** Starts a stream (at first, and again on rotation): every entity is unknown again. */
  header(): void;
  container(record: ContainerRecord): void;
  process(record: ProcessRecord): void;
  /** Gives back the file's identity. */
  file(record: FileRecord): Foid;
  processEvent(record: ProcessEventRecord): void;
  fileEvent(record: FileEventRecord): void;
  networkFlow(record: NetworkFlowRecord): void;
  fileFlow(record: FileFlowRecord): void;
  /** Whether these were written since the last header. */
  hasContainer(id: string): boolean;
  hasProcess(id: Oid): boolean;
  hasFile(id: Foid): boolean;
  /** Records written so far. */
  readonly records: number;
  /** Writes what is buffered as a block; a reader then sees every record so far. */
  flush(): void;
  /** `flush`, and nothing may be written after it. */
  finish(): void;
}

/** SHA-1 of container id ('' on the host) and path, as hexadecimal digits. */
export function fileOid(containerId: string, path: string): Foid {
  return hex(sha1(encodeText(containerId + path)));
}

/** Raw bytes of a block, before compression. */
const syncInterval = 80_000;
const magic = Uint8Array.of(0x4f, 0x62, 0x6a, 0x01);

export function createSysFlowWriter(
  sink: (bytes: Uint8Array) => void,
  options: SysFlowWriterOptions,
): SysFlowWriter {
  return new Writer(sink, options);
}

/** Made once: the library compiles the schema. */
let made: Encoder | undefined;
const encoder = (): Encoder => (made ??= schemaEncoder(SYSFLOW_SCHEMA));

class Writer implements SysFlowWriter {
  records = 0;
  private readonly sink: (bytes: Uint8Array) => void;
  private readonly options: SysFlowWriterOptions;
  private readonly sync: Uint8Array;
  private readonly encode = encoder();
  private readonly pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private state: 'new' | 'open' | 'finished' = 'new';
  private readonly containers = new Set<string>();
  private readonly processes = new Set<string>();
  private readonly files = new Set<Foid>();

  constructor(sink: (bytes: Uint8Array) => void, options: SysFlowWriterOptions) {
    this.sink = sink;
    this.options = options;
    this.sync = options.sync ?? sha1(encodeText(JSON.stringify(options))).subarray(0, 16);
    assert(this.sync.length === 16, 'a sync marker has 16 bytes');
  }

  header(): void {
    if (this.state === 'new') this.fileHeader();
    this.containers.clear();
    this.processes.clear();
    this.files.clear();
    const { exporter, ip, filename } = this.options;
    this.append('sysflow.entity.SFHeader', { version: BigInt(SYSFLOW_VERSION), exporter, ip, filename });
  }

  container(record: ContainerRecord): void {
    this.containers.add(record.id);
    this.append('sysflow.entity.Container', { ...record, podId: optional('string', record.podId) });
  }

  process(record: ProcessRecord): void {
    const { containerId } = record;
    assert(
      containerId === undefined || this.containers.has(containerId),
      `container ${containerId} not written`,
    );
    this.processes.add(oidKey(record.oid));
    this.append('sysflow.entity.Process', {
      ...record,
      oid: oidValue(record.oid),
      poid: record.poid === undefined ? null : { 'sysflow.type.OID': oidValue(record.poid) },
      containerId: optional('string', containerId),
    });
  }

  file(record: FileRecord): Foid {
    const { containerId } = record;
    assert(
      containerId === undefined || this.containers.has(containerId),
      `container ${containerId} not written`,
    );
    const foid = fileOid(containerId ?? '', record.path);
    this.files.add(foid);
    this.append('sysflow.entity.File', {
      state: record.state,
      oid: fixed(foid),
      ts: record.ts,
      restype: record.restype.charCodeAt(0),
      path: record.path,
      containerId: optional('string', containerId),
    });
    return foid;
  }

  processEvent(record: ProcessEventRecord): void {
    this.append('sysflow.event.ProcessEvent', {
      ...record,
      procOID: this.owner(record.procOID),
      tid: BigInt(record.tid),
    });
  }

  fileEvent(record: FileEventRecord): void {
    const { newFileOID } = record;
    this.append('sysflow.event.FileEvent', {
      ...record,
      procOID: this.owner(record.procOID),
      tid: BigInt(record.tid),
      fileOID: this.named(record.fileOID),
      newFileOID: newFileOID === undefined ? null : { 'sysflow.type.FOID': this.named(newFileOID) },
    });
  }

  networkFlow(record: NetworkFlowRecord): void {
    this.append('sysflow.flow.NetworkFlow', this.flow(record));
  }

  fileFlow(record: FileFlowRecord): void {
    this.append('sysflow.flow.FileFlow', { ...this.flow(record), fileOID: this.named(record.fileOID) });
  }

  hasContainer(id: string): boolean {
    return this.containers.has(id);
  }

  hasProcess(id: Oid): boolean {
    return this.processes.has(oidKey(id));
  }

  hasFile(id: Foid): boolean {
    return this.files.has(id);
  }

  flush(): void {
    if (this.pending.length === 0) return;
    const raw = join(this.pending, this.pendingBytes);
    const data = deflateRawSync(raw);
    this.sink(join([varint(this.pending.length), varint(data.length), data, this.sync]));
    this.pending.length = 0;
    this.pendingBytes = 0;
  }

  finish(): void {
    if (this.state === 'new') this.fileHeader();
    this.flush();
    this.state = 'finished';
  }

  private append(name: string, value: object): void {
    assert(this.state === 'open', `${name} before the header or after the end`);
    const bytes = this.encode({ rec: { [name]: value } });
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    this.records += 1;
    if (this.pendingBytes >= syncInterval) this.flush();
  }

  private fileHeader(): void {
    const entries = [
      ['avro.codec', 'deflate'],
      ['avro.schema', SYSFLOW_SCHEMA],
    ];
    const text = (value: string): Uint8Array[] => {
      const bytes = encodeText(value);
      return [varint(bytes.length), bytes];
    };
    const map = entries.flatMap(([key, value]) => [...text(key), ...text(value)]);
    this.sink(join([magic, varint(entries.length), ...map, varint(0), this.sync]));
    this.state = 'open';
  }

  private owner(id: Oid): object {
    assert(this.hasProcess(id), `process ${oidKey(id)} not written`);
    return oidValue(id);
  }

  private named(id: Foid): Uint8Array {
    assert(this.files.has(id), `file ${id} not written`);
    return fixed(id);
  }

  private flow(record: NetworkFlowRecord | FileFlowRecord): object {
    return {
      ...record,
      procOID: this.owner(record.procOID),
      tid: BigInt(record.tid),
      numRRecvOps: BigInt(record.numRRecvOps),
      numWSendOps: BigInt(record.numWSendOps),
      numRRecvBytes: BigInt(record.numRRecvBytes),
      numWSendBytes: BigInt(record.numWSendBytes),
    };
  }
}

const oidKey = (id: Oid): string => `${id.hpid}@${id.createTS}`;
const oidValue = (id: Oid): object => ({ createTS: id.createTS, hpid: BigInt(id.hpid) });
const optional = (branch: string, value: string | undefined): object | null =>
  value === undefined ? null : { [branch]: value };

/** The library takes `fixed` values as Buffers. */
function fixed(id: Foid): Uint8Array {
  const bytes = unhex(id);
  assert(bytes !== undefined && bytes.length === 20, `not a file identity: ${id}`);
  return Buffer.from(bytes);
}

/** Avro's int and long: zigzag, then seven bits a byte, lowest first. For sizes and counts, which are not negative. */
function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value * 2;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
  return Uint8Array.from(out);
}

function join(
  parts: readonly Uint8Array[],
  size = parts.reduce((sum, part) => sum + part.length, 0),
): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
