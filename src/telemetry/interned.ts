// Texts of records by their bytes: names of users, programs, directories and containers come again and again, so their
// text is made once. A table of one place a hash: what falls into a place that is taken takes it over.
import { text } from './avro-value.ts';

const places = 4096;
const longest = 128;

const kept = new Uint8Array(places * longest);
const lengths = new Uint8Array(places);
const texts = new Array<string>(places).fill('');

/** The text of these bytes; as `decodeText`, what is no UTF-8 is kept byte by byte. */
export function internedText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > longest) return text(bytes, start, end);
  let hash = length;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  const place = (hash ^ (hash >>> 12)) & (places - 1);
  const at = place * longest;
  if (lengths[place] === length) {
    let i = 0;
    while (i < length && kept[at + i] === bytes[start + i]) i++;
    if (i === length) return texts[place];
  }
  for (let i = 0; i < length; i++) kept[at + i] = bytes[start + i];
  lengths[place] = length;
  texts[place] = text(bytes, start, end);
  return texts[place];
}

const chunkSize = 1 << 18;

/** Bytes kept for later, in large pieces: a piece lives as long as something in it is wanted. */
export class Kept {
  /** The piece that has what was kept last, before `used`. */
  chunk = Buffer.alloc(0);
  used = 0;
  private words = new DataView(this.chunk.buffer);

  /** `view`: of the same bytes. */
  keep(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const length = end - start;
    if (this.used + length > this.chunk.length) {
      this.chunk = Buffer.allocUnsafeSlow(Math.max(chunkSize, length));
      this.words = new DataView(this.chunk.buffer);
      this.used = 0;
    }
    const { chunk, used, words } = this;
    let i = 0;
    // By words: a call that copies costs more than most paths are long.
    for (; i + 4 <= length; i += 4) words.setInt32(used + i, view.getInt32(start + i, true), true);
    for (; i < length; i++) chunk[used + i] = bytes[start + i];
    this.used += length;
  }
}
