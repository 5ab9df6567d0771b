// Sparse files in tar (GNU tar manual, "Storing Sparse Files"): the old GNU header with extension blocks, and the pax
// formats 0.0 and 0.1 (map in the extended header) and 1.0 (map at the start of the data).
import { InputError } from '../bytes/index.ts';
import type { Window } from '../host/index.ts';
import { blockSize, numeric } from './tar-header.ts';
import { type PaxRecords, paxNumber, paxText } from './tar-pax.ts';

export interface SparseMap {
  /** The file's size with its holes. */
  readonly size: number;
  /** Offset and length in turn. */
  readonly map: Float64Array;
  /** Where the extents' bytes begin in the archive. */
  readonly dataStart: number;
}

/** Called with the number of extents as they are read. */
export type Charge = (extents: number) => void;

/**
 * Old GNU: at 386 four pairs of 12-byte numbers, at 482 whether a block with 21 more follows (its own mark at 504),
 * at 483 the real size.
 */
export function oldGnuSparse(
  header: Uint8Array,
  window: Window,
  after: number,
  where: () => string,
  charge: Charge,
): SparseMap {
  const pairs: number[] = [];
  const take = (block: Uint8Array, start: number, count: number): void => {
    for (let i = 0; i < count; i++) {
      const at = start + 24 * i;
      if (block[at] === 0) return;
      charge(1);
      pairs.push(
        numeric(block.subarray(at, at + 12), 'sparse offset', where),
        numeric(block.subarray(at + 12, at + 24), 'sparse length', where),
      );
    }
  };
  take(header, 386, 4);
  const size = numeric(header.subarray(483, 495), 'real size', where);
  let extended = header[482] !== 0;
  while (extended) {
    const block = window.at(after, blockSize);
    if (block.length < blockSize) throw new InputError('truncated in the map of a sparse file', where());
    charge(1);
    take(block, 0, 21);
    extended = block[504] !== 0;
    after += blockSize;
  }
  return { size, map: Float64Array.from(pairs), dataStart: after };
}

/** Whether an extended header describes a sparse file, and its map; `start` is where the entry's data begin. */
export function paxSparse(
  records: PaxRecords | undefined,
  window: Window,
  start: number,
  end: number,
  where: () => string,
  charge: Charge,
): SparseMap | undefined {
  if (records === undefined) return undefined;
  const major = paxText(records, 'GNU.sparse.major', where);
  const minor = paxText(records, 'GNU.sparse.minor', where);
  const listed = paxText(records, 'GNU.sparse.map', where);
  if (major === undefined && listed === undefined) return undefined;
  if (major === undefined || major === '0') {
    const size =
      paxNumber(records, 'GNU.sparse.size', where) ?? paxNumber(records, 'GNU.sparse.realsize', where);
    if (size === undefined) throw new InputError('sparse file without its real size', where());
    const numbers =
      listed === undefined || listed === '' ? [] : listed.split(',').map((part) => decimal(part, where));
    charge(numbers.length / 2);
    return { size, map: Float64Array.from(numbers), dataStart: start };
  }
  if (major !== '1' || minor !== '0')
    throw new InputError(`sparse format ${major}.${minor} is unknown`, where());
  const size = paxNumber(records, 'GNU.sparse.realsize', where);
  if (size === undefined) throw new InputError('sparse file without its real size', where());
  return { size, ...mapInData(window, start, end, where, charge) };
}

/** Format 1.0: decimal numbers, each with a newline: how many extents, then their offsets and lengths; padded to a block. */
function mapInData(
  window: Window,
  start: number,
  end: number,
  where: () => string,
  charge: Charge,
): { readonly map: Float64Array; readonly dataStart: number } {
  let at = start;
  const next = (): number => {
    let digits = '';
    for (;;) {
      const byte = at < end ? window.at(at, 1)[0] : undefined;
      if (byte === undefined) throw new InputError('truncated in the map of a sparse file', where());
      at++;
      if (byte === 0x0a) return decimal(digits, where);
      if (digits.length > 16) throw new InputError('malformed map of a sparse file', where());
      digits += String.fromCharCode(byte);
    }
  };
  const count = next();
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) {
    charge(1);
    numbers.push(next(), next());
  }
  return {
    map: Float64Array.from(numbers),
    dataStart: start + Math.ceil((at - start) / blockSize) * blockSize,
  };
}

function decimal(digits: string, where: () => string): number {
  const value = Number(digits);
  if (!/^[0-9]+$/.test(digits) || !Number.isSafeInteger(value))
    throw new InputError('malformed map of a sparse file', where());
  return value;
}

/** Extents must ascend without overlap, lie within the real size, and account for exactly the bytes that are stored. */
export function checkSparse(sparse: SparseMap, stored: number, where: () => string): void {
  const { map, size } = sparse;
  let position = 0;
  let sum = 0;
  for (let i = 0; i + 1 < map.length; i += 2) {
    if (map[i] < position || map[i + 1] < 0 || map[i] + map[i + 1] > size)
      throw new InputError('the map of a sparse file overlaps or exceeds the file', where());
    position = map[i] + map[i + 1];
    sum += map[i + 1];
  }
  if (map.length % 2 !== 0 || sum !== stored)
    throw new InputError(`the map of a sparse file accounts for ${sum} bytes, ${stored} are stored`, where());
}
