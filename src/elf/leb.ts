// Numbers as DWARF writes them: LEB128 and encoded pointers (LSB core, DW_EH_PE).
import { type ByteReader, InputError } from '../bytes/index.ts';

/** A signed 64-bit number. */
export const low64 = (r: ByteReader): number => Number(r.i64());

export function uleb(r: ByteReader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = r.u8();
    if (shift < 49) value += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) return value;
    if (shift > 70) throw new InputError('number runs too long', `${r.name} at offset ${r.position}`);
  }
}

export function sleb(r: ByteReader): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = r.u8();
    if (shift < 49) value += (byte & 0x7f) * 2 ** shift;
    if ((byte & 0x80) === 0) return (byte & 0x40) !== 0 && shift < 49 ? value - 2 ** (shift + 7) : value;
    if (shift > 70) throw new InputError('number runs too long', `${r.name} at offset ${r.position}`);
  }
}

/** DW_EH_PE format part: low four bits. */
export function encoded(r: ByteReader, format: number): number {
  switch (format & 15) {
    case 0:
    case 4:
    case 12:
      return low64(r);
    case 1:
      return uleb(r);
    case 2:
      return r.u16();
    case 3:
      return r.u32();
    case 9:
      return sleb(r);
    case 10:
      return (r.u16() << 16) >> 16;
    case 11:
      return r.i32();
    default:
      throw new InputError(`unknown pointer encoding ${format}`, `${r.name} at offset ${r.position}`);
  }
}
