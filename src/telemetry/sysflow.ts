// SysFlow traces (object container files, every schema that was ever written) to flows and observations. What a record
// means is in sysflow-sink.ts, how it is laid out in the file's schema (avro-records.ts), which of its records are which
// in sysflow-plan.ts. Records of Kubernetes (Pod, K8sEvent), ProcessFlow (counts of threads) and NetworkEvent (never
// written) are counted, not observed.
import { InputError } from '../bytes/index.ts';
import { SYSFLOW_OPS } from '../effect/index.ts';
import type { RandomAccess } from '../host/index.ts';
import { compileRecords, type RecordDecoder } from './avro-records.ts';
import { parseSchema } from './avro-schema.ts';
import { DecodeError } from './avro-value.ts';
import type { Observation, Source, SourceTraits } from './observation.ts';
import { defaultOcfLimits, type OcfItem, type OcfLimits, OcfReader } from './ocf.ts';
import { DESCRIPTOR_CALLS, NAME_CALLS, PROCESS_CALLS } from './sysflow-calls.ts';
import { sysFlowPlan } from './sysflow-plan.ts';
import { type FlowTaker, SysFlowSink } from './sysflow-sink.ts';

/** What SysFlow's collector 0.7 reports; see flows.ts for what it leaves out. */
export const sysFlowTraits: SourceTraits = {
  name: 'sysflow',
  ops: new Set(SYSFLOW_OPS.filter((op) => op !== 'DIGEST' && op !== 'TRUNCATE')),
  syscalls: new Set([...DESCRIPTOR_CALLS, ...NAME_CALLS, ...PROCESS_CALLS]),
  failures: false,
  ipv6: false,
  pathOnly: false,
  flows: true,
  maxDelay: 90_000_000_000n,
};

export interface SysFlowOptions {
  readonly limits?: OcfLimits | undefined;
}

export interface SysFlowSource extends Source {
  /** Records read so far by name (`FileFlow`), of kinds without effect too. */
  readonly records: ReadonlyMap<string, number>;
  /** The whole, without an object for each flow. */
  read(taker: FlowTaker): void;
  /** The same, with blocks inflated ahead on other threads. */
  readAhead(taker: FlowTaker): Promise<void>;
}

/** For who wants observations only. */
export const inObservations = (observe: (observation: Observation) => void): FlowTaker => ({
  observe,
  flow: (row) => observe(row.observation()),
});

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
    const found: Observation[] = [];
    const taker = inObservations((observation) => found.push(observation));
    for (const item of this.reader.items()) {
      this.item(item, taker);
      yield* found.splice(0);
    }
  }

  read(taker: FlowTaker): void {
    for (const item of this.reader.items()) this.item(item, taker);
  }

  async readAhead(taker: FlowTaker): Promise<void> {
    for await (const item of this.reader.itemsAhead()) this.item(item, taker);
  }

  private item(item: OcfItem, taker: FlowTaker): void {
    if (item.kind === 'damage') taker.observe({ kind: 'gap', reason: item.reason, records: item.records });
    else this.decoder.block(item.data, item.records, taker);
  }
}

/** Decoder and joiner for one schema: bytes in, flows and observations out. Also for single records (sockets). */
export class SysFlowDecoder {
  private readonly sink = new SysFlowSink(inObservations(() => {}));
  private readonly records: RecordDecoder<SysFlowSink>;
  private padded = Buffer.alloc(8192);

  constructor(schema: string, where: string) {
    this.records = compiled(schema, where);
  }

  /** Decodes a block; what is damaged in it becomes a gap. */
  block(data: Uint8Array, count: number, taker: FlowTaker): void {
    const end = this.decode(data, 0, data.length, count, taker);
    if (end !== undefined && end !== data.length)
      taker.observe({ kind: 'gap', reason: 'bytes left over in a block', records: 1 });
  }

  /**
   * Decodes a record on its own (a datagram). Fields that a later schema appends are passed over; two that an earlier
   * one has not, the working directory and environment of a process, are empty, which is a zero each.
   */
  record(data: Uint8Array, taker: FlowTaker): void {
    const missing = 2;
    const end = data.length + missing;
    if (this.padded.length < end) this.padded = Buffer.alloc(2 * end);
    this.padded.set(data);
    this.padded.fill(0, data.length, end);
    this.decode(this.padded, 0, end, 1, taker);
  }

  /** Position after the records; undefined where one is damaged: that and what follows is a gap. */
  private decode(
    data: Uint8Array,
    start: number,
    end: number,
    count: number,
    taker: FlowTaker,
  ): number | undefined {
    const { records, sink } = this;
    // Always a Buffer: its text is decoded faster, and code that sees one kind of array is.
    const bytes = data instanceof Buffer ? data : Buffer.from(data.buffer, data.byteOffset, data.length);
    sink.bytes = bytes;
    sink.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    sink.taker = taker;
    try {
      return records.decode(bytes, start, end, sink, count);
    } catch (error) {
      if (!(error instanceof DecodeError || isEndlessNesting(error))) throw error;
      const lost = count - records.decoded;
      taker.observe({ kind: 'gap', reason: `damaged record: ${error.message}`, records: lost });
      return undefined;
    }
  }

  /** Records read so far, by name. */
  get counts(): ReadonlyMap<string, number> {
    const { read, skippedRecords } = this.sink;
    const known = Object.entries(read).filter(([, n]) => n > 0);
    return new Map([...known, ...skippedRecords]);
  }
}

/** A value nested until the stack ends. */
const isEndlessNesting = (error: unknown): error is RangeError =>
  error instanceof RangeError && error.message.includes('call stack');

const decoders = new Map<string, RecordDecoder<SysFlowSink>>();

/** Rotated files share a schema: it is compiled once, and stays warm. */
function compiled(schema: string, where: string): RecordDecoder<SysFlowSink> {
  let decoder = decoders.get(schema);
  if (decoder === undefined) {
    const type = parseSchema(schema, where);
    if (!schema.includes('SFHeader')) throw new InputError('an Avro file, but not of SysFlow records', where);
    decoder = compileRecords<SysFlowSink>(type, sysFlowPlan);
    if (decoders.size >= 32) decoders.clear();
    decoders.set(schema, decoder);
  }
  return decoder;
}
