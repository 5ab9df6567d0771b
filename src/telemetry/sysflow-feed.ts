// SysFlow as it arrives: container files in pieces (a file that still grows, a pipe), and bare records (the collector's
// socket). A block that is not complete yet is waited for; one that never gets complete is a gap at the end.
import { InputError } from '../bytes/index.ts';
import type { Feed, FeedOptions } from './feed.ts';
import type { FlowRow } from './flow-row.ts';
import { GrowingBytes } from './growing.ts';
import type { Observation } from './observation.ts';
import { defaultOcfLimits, OcfReader } from './ocf.ts';
import { inObservations, SysFlowDecoder, sysFlowTraits } from './sysflow.ts';
import { withoutEffect } from './sysflow-plan.ts';
import { SYSFLOW_SCHEMA } from './sysflow-schema.ts';
import type { FlowTaker } from './sysflow-sink.ts';

export function sysFlowFeed(emit: (observation: Observation) => void, options: FeedOptions): Feed {
  return new OcfFeed(takerOf(emit, options.flow), options.name);
}

const takerOf = (
  observe: (observation: Observation) => void,
  flow: ((row: FlowRow) => void) | undefined,
): FlowTaker => (flow === undefined ? inObservations(observe) : { observe, flow });

class OcfFeed implements Feed {
  readonly traits = sysFlowTraits;
  private readonly taker: FlowTaker;
  private readonly bytes: GrowingBytes;
  private reader: OcfReader | undefined;
  private decoder: SysFlowDecoder | undefined;
  private at = 0;
  /** Bytes that there must be before it is worth to look again. */
  private wanted = 64;

  constructor(taker: FlowTaker, name: string) {
    this.taker = taker;
    this.bytes = new GrowingBytes(name);
  }

  get skipped(): ReadonlyMap<string, number> {
    const known = this.decoder?.counts ?? new Map<string, number>();
    return new Map([...known].filter(([name]) => withoutEffect.has(name)));
  }

  push(piece: Uint8Array): void {
    this.bytes.append(piece);
    if (this.bytes.size >= this.wanted) this.read(false);
  }

  end(): void {
    if (this.bytes.size === 0) return;
    this.read(true);
  }

  private read(last: boolean): void {
    const { bytes } = this;
    this.reader ??= this.open(last);
    if (this.reader === undefined) return;
    this.decoder ??= new SysFlowDecoder(this.reader.schema, bytes.name);
    for (const item of this.reader.items(this.at)) {
      if (item.kind === 'damage') {
        // Without a sync marker in what there is, it may just not have arrived.
        if (!last && item.next >= bytes.size && bytes.size - item.at <= defaultOcfLimits.block + 64) {
          // looking costs as much as there is: blocks of a usual size are looked at with every byte that comes
          this.wanted = bytes.size + (bytes.size - item.at < 1 << 22 ? 1 : 1 << 16);
          break;
        }
        this.taker.observe({ kind: 'gap', reason: item.reason, records: item.records });
      } else {
        this.decoder.block(item.data, item.records, this.taker);
        this.wanted = 0;
      }
      this.at = item.next;
    }
    bytes.forget(this.at);
  }

  /** Undefined while the header is not complete. */
  private open(last: boolean): OcfReader | undefined {
    try {
      const reader = new OcfReader(this.bytes);
      this.at = reader.start;
      return reader;
    } catch (error) {
      const waits = this.bytes.size < defaultOcfLimits.header && isStart(this.bytes);
      if (last || !waits || !(error instanceof InputError)) throw error;
      this.wanted = 2 * this.bytes.size;
      return undefined;
    }
  }
}

const isStart = (bytes: GrowingBytes): boolean => {
  const head = bytes.read(0, 4);
  return [0x4f, 0x62, 0x6a, 1].every((byte, i) => i >= head.length || head[i] === byte);
};

/** Bare records, one at a time, without a schema: SysFlow's socket. */
export class SysFlowRecords {
  readonly traits = sysFlowTraits;
  private readonly taker: FlowTaker;
  private decoder = newDecoder();
  private connections = 0;

  /** `flow` takes flows in place, where they are not wanted as observations; `again`: there were connections before. */
  constructor(
    emit: (observation: Observation) => void,
    options: { readonly flow?: ((row: FlowRow) => void) | undefined; readonly again?: boolean } = {},
  ) {
    this.taker = takerOf(emit, options.flow);
    if (options.again) this.connections = 1;
  }

  /** A collector connected. What it could not send while it was not connected, it dropped. */
  connected(): void {
    if (this.connections > 0) this.lost('the collector connected again');
    this.connections += 1;
    this.decoder = newDecoder();
  }

  /** One datagram. The bytes may be used again afterwards. */
  record(bytes: Uint8Array): void {
    this.decoder.record(bytes, this.taker);
  }

  /** A record that did not arrive whole. */
  lost(reason: string): void {
    this.taker.observe({ kind: 'gap', reason, records: 1 });
  }
}

const newDecoder = (): SysFlowDecoder => new SysFlowDecoder(SYSFLOW_SCHEMA, 'SysFlow socket');
