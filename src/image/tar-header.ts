// One tar header block: POSIX.1-1988 ustar, GNU, star and Version 7. Numbers are octal text or base 256.
//
//     0 name 100      100 mode 8    108 uid 8     116 gid 8    124 size 12   136 mtime 12   148 checksum 8
//   156 typeflag 1    157 linkname 100            257 magic 6  263 version 2  265 uname 32  297 gname 32
//   329 devmajor 8    337 devminor 8              345 prefix 155 (ustar) or 131 (star, with "tar" at 508)
//
// In GNU headers there is no prefix; from 386 there is the map of a sparse file (tar-sparse.ts).
import { decodeText, InputError, printable } from '../bytes/index.ts';

export const blockSize = 512;

export interface TarHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  /** One character; a NUL counts as '0'. */
  readonly type: string;
  readonly linkname: string;
  readonly major: number;
  readonly minor: number;
}

/** Rounded up to whole blocks. */
export function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

export function isZeroBlock(block: Uint8Array): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/** Unsigned and signed sums are both in use; the checksum's own field counts as spaces. */
export function checksumHolds(block: Uint8Array): boolean {
  const stated = octal(block.subarray(148, 156));
  let sum = 8 * 32;
  for (let i = 0; i < 148; i++) sum += block[i];
  for (let i = 156; i < blockSize; i++) sum += block[i];
  if (stated === sum) return true;
  for (let i = 0; i < blockSize; i++) if (block[i] > 127 && (i < 148 || i >= 156)) sum -= 256;
  return stated === sum;
}

/** Text up to a NUL. */
function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decodeText(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits between spaces and NULs; nothing at all is 0; undefined for anything else. */
function octal(field: Uint8Array): number | undefined {
  let start = 0;
  while (start < field.length && (field[start] === 0x20 || field[start] === 0)) start++;
  let value = 0;
  for (let i = start; i < field.length && field[i] !== 0 && field[i] !== 0x20; i++) {
    if (field[i] < 0x30 || field[i] > 0x37) return undefined;
    value = value * 8 + field[i] - 0x30;
  }
  return value;
}

/** Base 256, two's complement; the top bit of the first byte only marks the encoding. */
function base256(field: Uint8Array): number {
  const negative = (field[0] & 0x40) !== 0;
  let value = BigInt(field[0] & 0x7f);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  if (negative) value -= 1n << BigInt(8 * field.length - 1);
  return Number(value);
}

/** A numeric field; where it is no number or beyond 2^53, an InputError. */
export function numeric(field: Uint8Array, what: string, where: () => string): number {
  const value = (field[0] & 0x80) !== 0 ? base256(field) : octal(field);
  if (value === undefined || !Number.isSafeInteger(value))
    throw new InputError(`tar header: ${what} is no number (${printable(text(field))})`, where());
  return value;
}

function holds(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** `where` names the archive and the offset. */
export function parseHeader(block: Uint8Array, where: () => string): TarHeader {
  if (!checksumHolds(block))
    throw new InputError(
      'not a tar header: the checksum is wrong',
      where(),
      'the archive is damaged or no tar archive',
    );
  let name = text(block.subarray(0, 100));
  const naming = (): string => `${where()} (${printable(name)})`;
  const field = (start: number, length: number, what: string): number =>
    numeric(block.subarray(start, start + length), what, naming);
  const ustar = holds(block, 257, 'ustar\0');
  if (ustar) {
    const prefix = text(block.subarray(345, holds(block, 508, 'tar\0') ? 345 + 131 : 500));
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  const known = ustar || holds(block, 257, 'ustar ');
  return {
    name,
    mode: field(100, 8, 'mode') & 0o7777,
    uid: field(108, 8, 'uid'),
    gid: field(116, 8, 'gid'),
    size: field(124, 12, 'size'),
    mtime: field(136, 12, 'mtime'),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156]),
    linkname: text(block.subarray(157, 257)),
    major: known ? field(329, 8, 'devmajor') : 0,
    minor: known ? field(337, 8, 'devminor') : 0,
  };
}
