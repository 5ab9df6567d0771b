// Reads Avro object container files (Avro 1.11, "Object Container Files") block by block. Nothing in the file is
// trusted: sizes and counts are held against limits and against the file. A damaged block is skipped to the next sync
// marker and reported; only a damaged header is an error, because without its schema nothing can be read.
//
//   header: 'O' 'b' 'j' 1 | metadata: map of bytes | sync marker, 16 bytes
//   block:  records, long | bytes of data, long | data, perhaps compressed | sync marker
import { decodeText, InputError } from '../bytes/index.ts';
import { inflateRaw, inflateRawSync, type RandomAccess } from '../host/index.ts';

export interface OcfLimits {
  /** Bytes of the header's metadata. */
  readonly header: number;
  /** Bytes of one block, as stored and inflated. SysFlow's have 80,000. */
  readonly block: number;
}

export const defaultOcfLimits: OcfLimits = { header: 4 << 20, block: 64 << 20 };

export type OcfItem =
  /** `data` is inflated and belongs to the reader of the item. `at` and `next` are file offsets. */
  | {
      readonly kind: 'block';
      readonly at: number;
      readonly next: number;
      readonly records: number;
      readonly data: Uint8Array;
    }
  /** Bytes from `at` to `next` could not be read. `records` is what the block claimed, at least 1. */
  | {
      readonly kind: 'damage';
      readonly at: number;
      readonly next: number;
      readonly reason: string;
      readonly records: number;
    };

export class OcfReader {
  readonly file: RandomAccess;
  /** Text of `avro.schema`. */
  readonly schema: string;
  readonly codec: 'null' | 'deflate';
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** Offset of the first block. */
  readonly start: number;
  private readonly sync: Uint8Array;
  private readonly limits: OcfLimits;

  /** InputError where the file is none, or its codec is not supported. */
  constructor(file: RandomAccess, limits: OcfLimits = defaultOcfLimits) {
    this.file = file;
    this.limits = limits;
    const header = readHeader(file, limits);
    this.metadata = header.metadata;
    this.sync = header.sync;
    this.start = header.end;
    const schema = header.metadata.get('avro.schema');
    if (schema === undefined) throw new InputError('an Avro file without avro.schema', file.name);
    this.schema = decodeText(schema);
    const codec = decodeText(header.metadata.get('avro.codec') ?? new Uint8Array());
    if (codec !== '' && codec !== 'null' && codec !== 'deflate') {
      throw new InputError(
        `unsupported Avro codec ${JSON.stringify(codec)}`,
        file.name,
        'null and deflate are supported',
      );
    }
    this.codec = codec === 'deflate' ? 'deflate' : 'null';
  }

  /** Blocks from an offset (of a block) on. A file that ends inside of a block may still be growing: `next` is its offset. */
  *items(from = this.start): Generator<OcfItem> {
    const head = new Uint8Array(20);
    for (let at = from; at < this.file.size; ) {
      const frame = this.frame(at, head);
      if (frame.kind === 'frame') {
        yield this.block(at, frame);
        at = frame.next;
      } else {
        const item = this.damage(at, frame);
        yield item;
        at = item.next;
      }
    }
  }

  /**
   * As `items`; blocks are read ahead and inflated on other threads, several at a time. Order stays, and so does where
   * damage is found. Who stops early leaves nothing behind but blocks that are thrown away.
   */
  async *itemsAhead(from = this.start, ahead = 8): AsyncGenerator<OcfItem> {
    const waiting: Promise<OcfItem>[] = [];
    const head = new Uint8Array(20);
    for (let at = from; at < this.file.size || waiting.length > 0; ) {
      while (at < this.file.size && waiting.length < ahead) {
        const frame = this.frame(at, head);
        const item = frame.kind === 'frame' ? this.blockAhead(at, frame) : this.damage(at, frame);
        const promise = Promise.resolve(item);
        // Should nobody come to wait for it any more.
        promise.catch(() => {});
        waiting.push(promise);
        at = frame.kind === 'frame' ? frame.next : (item as OcfItem).next;
      }
      const first = waiting.shift();
      if (first !== undefined) yield await first;
    }
  }

  private damage(at: number, { reason, records }: NoFrame): OcfItem {
    return { kind: 'damage', at, next: this.findSync(at), reason, records: Math.max(1, records) };
  }

  private block(at: number, frame: Frame): OcfItem {
    const stored = this.file.read(frame.data, frame.size);
    const { next, records } = frame;
    if (this.codec === 'null') return { kind: 'block', at, next, records, data: stored };
    try {
      const data = inflateRawSync(stored, this.limits.block, this.file.name);
      return { kind: 'block', at, next, records, data };
    } catch (error) {
      return damagedBlock(error, at, frame);
    }
  }

  private async blockAhead(at: number, frame: Frame): Promise<OcfItem> {
    const stored = this.file.read(frame.data, frame.size);
    const { next, records } = frame;
    if (this.codec === 'null') return { kind: 'block', at, next, records, data: stored };
    try {
      const data = await inflateRaw(stored, this.limits.block, this.file.name);
      return { kind: 'block', at, next, records, data };
    } catch (error) {
      return damagedBlock(error, at, frame);
    }
  }

  /** The block's counts, where a sync marker stands at its end. */
  private frame(at: number, head: Uint8Array): Frame | NoFrame {
    const filled = this.file.readInto(at, head);
    const count = varint(head, 0, filled);
    const size = count === undefined ? undefined : varint(head, count.next, filled);
    if (count === undefined || size === undefined || count.value < 0 || size.value < 0)
      return { kind: 'none', reason: 'damaged block header', records: 0 };
    const data = at + size.next;
    const end = data + size.value;
    // What a block can hold: one record takes a byte at least, and deflate makes of a byte at most a thousand.
    const records = count.value <= size.value * 1032 ? count.value : 0;
    if (size.value > this.limits.block)
      return { kind: 'none', reason: 'block larger than the limit', records };
    if (end + 16 > this.file.size) return { kind: 'none', reason: 'file ends inside of a block', records };
    const mark = this.file.read(end, 16);
    if (!mark.every((byte, i) => byte === this.sync[i]))
      return { kind: 'none', reason: 'no sync marker after a block', records };
    return { kind: 'frame', data, size: size.value, records: count.value, next: end + 16 };
  }

  /** Offset after the next sync marker at or after `from`, or the file's end. */
  private findSync(from: number): number {
    const piece = new Uint8Array(1 << 20);
    for (let at = from; at < this.file.size; at += piece.length - 15) {
      const filled = this.file.readInto(at, piece);
      for (
        let i = piece.indexOf(this.sync[0]);
        i >= 0 && i + 16 <= filled;
        i = piece.indexOf(this.sync[0], i + 1)
      ) {
        let n = 1;
        while (n < 16 && piece[i + n] === this.sync[n]) n += 1;
        if (n === 16) return at + i + 16;
      }
    }
    return this.file.size;
  }
}

function damagedBlock(error: unknown, at: number, { next, records }: Frame): OcfItem {
  if (!(error instanceof InputError)) throw error;
  return { kind: 'damage', at, next, reason: 'block cannot be inflated', records };
}

interface NoFrame {
  readonly kind: 'none';
  readonly reason: string;
  readonly records: number;
}

interface Frame {
  readonly kind: 'frame';
  /** Offset and size of the stored data. */
  readonly data: number;
  readonly size: number;
  readonly records: number;
  readonly next: number;
}

const notAvro = 'SysFlow traces are Avro object container files, which begin with "Obj"';

function readHeader(
  file: RandomAccess,
  limits: OcfLimits,
): { metadata: Map<string, Uint8Array>; sync: Uint8Array; end: number } {
  const bytes = file.read(0, limits.header);
  const fail = (what: string, at: number): never => {
    throw new InputError(what, `${file.name} at offset ${at}`, notAvro);
  };
  const magic = [0x4f, 0x62, 0x6a, 0x01];
  if (!magic.every((byte, i) => bytes[i] === byte)) fail('not an Avro object container file', 0);
  let at = 4;
  const long = (): number => {
    const read = varint(bytes, at, bytes.length) ?? fail('damaged or overlong header', at);
    at = read.next;
    return read.value;
  };
  const take = (size: number): Uint8Array => {
    if (size < 0 || at + size > bytes.length) fail('damaged or overlong header', at);
    at += size;
    return bytes.slice(at - size, at);
  };
  const metadata = new Map<string, Uint8Array>();
  for (let count = long(); count !== 0; count = long()) {
    // A negative count is followed by the size of its entries.
    if (count < 0) long();
    for (let i = Math.abs(count); i > 0; i--) {
      const key = decodeText(take(long()));
      metadata.set(key, take(long()));
    }
  }
  return { metadata, sync: take(16), end: at };
}

/** A zigzag long that fits a JavaScript integer; undefined where there is none before `end`. */
function varint(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly value: number; readonly next: number } | undefined {
  let raw = 0;
  for (let i = 0; i < 8 && at + i < end; i++) {
    const byte = bytes[at + i];
    raw += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80)
      return raw <= Number.MAX_SAFE_INTEGER
        ? { value: raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2, next: at + i + 1 }
        : undefined;
  }
  return undefined;
}
