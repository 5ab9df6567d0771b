// The stored form of the streams of one mapped file: prepared once, taken from there in later runs. Little endian, in
// 32-bit words, used in place without parsing:
//
//   0 magic   1 format   2 records   3 words of streams   4 bytes of code   5 checksum of all before the streams
//   6 index: records of RECORD words, ascending by position
//     0 position in the file   1 length | instructions << 16   2 position of its code   3 bytes of code that are compared
//     4 position of its stream   5 words of it   6 of these, constants   7 executions   8 checksum of the stream
//   streams: constants, header, operations (layout.ts); a word ~n means the address n bytes after the first constant
//   code: for each record the guest's bytes, with those after the block that its end may depend on
//
// A record holds where the guest's memory has the bytes that it was made from.
import type { CodeStore } from '../code-store.ts';
import { HEADER } from './layout.ts';

const MAGIC = 0x4547_4643;
const FORMAT = 4;
const HEAD = 6;
const RECORD = 9;

/** What is said of a block to store. */
export interface BlockRecord {
  readonly position: number;
  readonly length: number;
  readonly instructions: number;
  readonly text: Uint8Array;
  readonly textAt: number;
  readonly compared: number;
  /** The stream is `streamWords` of these from `streamAt` on. */
  readonly words: Int32Array | Uint32Array;
  readonly streamAt: number;
  readonly streamWords: number;
  /** Byte address that it stands at; -1: it is in its stored form. */
  readonly base: number;
  readonly constants: number;
  readonly executions: number;
}

function mixed(sum: number, word: number): number {
  const h = Math.imul(sum ^ word, 0x0100_0193);
  return h ^ (h >>> 15);
}

/** Checksum of words [from, to). */
export function checksum(words: Int32Array, from: number, to: number): number {
  let sum = 0x811c_9dc5 | 0;
  for (let i = from; i < to; i++) sum = mixed(sum, words[i]);
  return sum;
}

export class StoredCode {
  readonly records: number;
  readonly text: Uint8Array;
  private readonly words: Int32Array;
  private readonly streams: number;

  private constructor(words: Int32Array, text: Uint8Array) {
    this.words = words;
    this.text = text;
    this.records = words[2];
    this.streams = HEAD + this.records * RECORD;
  }

  static empty(): StoredCode {
    return new StoredCode(new Int32Array(HEAD), new Uint8Array(0));
  }

  /** Undefined where the bytes are not such an entry, or damaged. */
  static open(bytes: Uint8Array): StoredCode | undefined {
    if (bytes.length < 4 * HEAD || bytes.byteOffset % 4 !== 0) return undefined;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    const [magic, format, records, streams, code, sum] = words;
    if (magic !== MAGIC || format !== FORMAT || records < 0 || streams < 0 || code < 0) return undefined;
    const index = HEAD + records * RECORD;
    const textAt = (index + streams) * 4;
    if (textAt + code > bytes.length) return undefined;
    if (mixed(checksum(words, 0, HEAD - 1), checksum(words, HEAD, index)) !== sum) return undefined;
    return new StoredCode(words, bytes.subarray(textAt, textAt + code));
  }

  /** Index of the record at a position of the file, -1 none. */
  find(position: number): number {
    const { words } = this;
    let low = 0;
    let high = this.records - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const at = words[HEAD + middle * RECORD];
      if (at === position) return HEAD + middle * RECORD;
      if (at < position) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The index of every record. */
  *all(): Generator<number> {
    for (let i = 0; i < this.records; i++) yield HEAD + i * RECORD;
  }

  position(record: number): number {
    return this.words[record];
  }
  length(record: number): number {
    return this.words[record + 1] & 0xffff;
  }
  instructions(record: number): number {
    return this.words[record + 1] >>> 16;
  }
  textAt(record: number): number {
    return this.words[record + 2];
  }
  compared(record: number): number {
    return this.words[record + 3];
  }
  streamWords(record: number): number {
    return this.words[record + 5];
  }
  constants(record: number): number {
    return this.words[record + 6];
  }
  executions(record: number): number {
    return this.words[record + 7];
  }

  /** The bytes [from, to) of the record's code are those that stand at `at`. */
  matches(record: number, bytes: Uint8Array, at: number, from: number, to: number): boolean {
    const { text } = this;
    const first = this.textAt(record);
    if (first < 0 || first + to > text.length) return false;
    for (let i = from; i < to; i++) if (text[first + i] !== bytes[at + i - from]) return false;
    return true;
  }

  /** Writes the stream to words from `at` on, for byte address `base`; false where it is damaged. */
  restore(record: number, into: Uint32Array, at: number, base: number): boolean {
    const { words } = this;
    const first = this.streams + words[record + 4];
    const count = words[record + 5];
    const constants = words[record + 6];
    if (words[record + 4] < 0 || first + count > this.streams + words[3]) return false;
    if (constants < 0 || constants + HEADER / 4 > count) return false;
    let sum = 0x811c_9dc5 | 0;
    for (let i = 0; i < constants; i++) {
      const word = words[first + i];
      sum = mixed(sum, word);
      into[at + i] = word;
    }
    for (let i = constants; i < count; i++) {
      const word = words[first + i];
      sum = mixed(sum, word);
      into[at + i] = word < 0 ? base + ~word : word;
    }
    return sum === words[record + 8];
  }

  /** The record as it may be stored again. */
  record(record: number, executions: number): BlockRecord {
    const first = this.streams + this.words[record + 4];
    return {
      position: this.position(record),
      length: this.length(record),
      instructions: this.instructions(record),
      text: this.text,
      textAt: this.textAt(record),
      compared: this.compared(record),
      words: this.words,
      streamAt: first,
      streamWords: this.streamWords(record),
      base: -1,
      constants: this.constants(record),
      executions,
    };
  }
}

const SEALED = 0x4547_4653;

/** Bytes that are made once and stored: magic, length, checksum, and they themselves. */
export function stored(store: CodeStore | undefined, name: string, make: () => Uint8Array): Uint8Array {
  const known = store?.load(name);
  const opened = known === undefined ? undefined : unseal(known);
  if (opened !== undefined) return opened;
  const bytes = make();
  store?.save(name, seal(bytes));
  return bytes;
}

export function seal(bytes: Uint8Array): Uint8Array {
  const words = new Int32Array(3 + Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes, 12);
  words.set([SEALED, bytes.length, checksum(words, 3, words.length)]);
  return new Uint8Array(words.buffer);
}

/** The bytes that were sealed; undefined where they are damaged or something else. */
export function unseal(sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < 12 || sealed.length % 4 !== 0 || sealed.byteOffset % 4 !== 0) return undefined;
  const words = new Int32Array(sealed.buffer, sealed.byteOffset, sealed.length / 4);
  const [magic, length, sum] = words;
  if (magic !== SEALED || length < 0 || 12 + length > sealed.length) return undefined;
  return checksum(words, 3, words.length) === sum ? sealed.subarray(12, 12 + length) : undefined;
}

/** Writes the stored form of the record's stream; its checksum. */
function writeStream(record: BlockRecord, into: Int32Array, at: number): number {
  const { words, streamAt, streamWords, base, constants } = record;
  const end = base + 4 * constants;
  // of the header, executions, number and links are of one run
  const first = constants + 1;
  const operations = constants + HEADER / 4;
  let sum = 0x811c_9dc5 | 0;
  for (let i = 0; i < streamWords; i++) {
    let word = words[streamAt + i] | 0;
    if (base >= 0 && i >= constants) {
      const address = word >>> 0;
      if (i >= first && i < operations) word = 0;
      else if (address >= base && address < end) word = ~(address - base);
    }
    into[at + i] = word;
    sum = mixed(sum, word);
  }
  return sum;
}

/** An entry of these records, of which no two have one position. */
export function encodeStored(records: readonly BlockRecord[]): Uint8Array {
  const sorted = [...records].sort((a, b) => a.position - b.position);
  let streams = 0;
  let code = 0;
  for (const { streamWords, compared } of sorted) {
    streams += streamWords;
    code += compared;
  }
  const index = HEAD + sorted.length * RECORD;
  const bytes = new Uint8Array((index + streams) * 4 + ((code + 3) & ~3));
  const words = new Int32Array(bytes.buffer);
  words.set([MAGIC, FORMAT, sorted.length, streams, code]);
  const codeAt = (index + streams) * 4;
  let streamAt = 0;
  let textAt = 0;
  let at = HEAD;
  for (const item of sorted) {
    const { text, compared } = item;
    words[at] = item.position;
    words[at + 1] = item.length | (item.instructions << 16);
    words[at + 2] = textAt;
    words[at + 3] = compared;
    words[at + 4] = streamAt;
    words[at + 5] = item.streamWords;
    words[at + 6] = item.constants;
    words[at + 7] = item.executions;
    words[at + 8] = writeStream(item, words, index + streamAt);
    for (let i = 0; i < compared; i++) bytes[codeAt + textAt + i] = text[item.textAt + i];
    streamAt += item.streamWords;
    textAt += compared;
    at += RECORD;
  }
  words[5] = mixed(checksum(words, 0, HEAD - 1), checksum(words, HEAD, index));
  return bytes;
}
