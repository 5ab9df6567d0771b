// Linux names are bytes, ours are strings. Valid UTF-8 decodes as usual; every other byte B becomes the lone
// surrogate U+DC00+B (as Python's surrogateescape does), so that decode and encode are inverse for any bytes.

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Bytes of a guest or archive name to a string; never fails, inverse of `encodeText`. */
export function decodeText(bytes: Uint8Array): string {
  let ascii = '';
  if (bytes.length < 256) {
    let i = 0;
    for (; i < bytes.length && bytes[i] < 0x80; i++) ascii += String.fromCharCode(bytes[i]);
    if (i === bytes.length) return ascii;
  }
  try {
    return utf8.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

function decodeEscaping(bytes: Uint8Array): string {
  let out = '';
  let i = 0;
  while (i < bytes.length) {
    const length = sequenceLength(bytes, i);
    if (length === 0) {
      out += String.fromCharCode(0xdc00 + bytes[i]);
      i += 1;
    } else {
      out += utf8.decode(bytes.subarray(i, i + length));
      i += length;
    }
  }
  return out;
}

/** Length in bytes of the valid UTF-8 sequence at i, 0 where there is none. */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const b = bytes[i];
  const n =
    b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
  if (n === 0 || i + n > bytes.length) return 0;
  try {
    utf8.decode(bytes.subarray(i, i + n));
    return n;
  } catch {
    return 0;
  }
}

/** A string as `decodeText` gives it back to bytes. */
export function encodeText(text: string): Uint8Array {
  if (!/[\udc80-\udcff]/.test(text)) return utf8Encoder.encode(text);
  const out: number[] = [];
  for (const ch of text) {
    const code = ch.codePointAt(0) as number;
    if (code >= 0xdc80 && code <= 0xdcff) out.push(code - 0xdc00);
    else out.push(...utf8Encoder.encode(ch));
  }
  return Uint8Array.from(out);
}

/** A name fit for a terminal: control characters and escaped bytes as \xHH, no newline or escape gets through. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\ud800-\udfff\\]/gu, (ch) => {
    if (ch === '\\') return '\\\\';
    const code = ch.codePointAt(0) as number;
    const byte = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code;
    return byte > 0xff ? `\\u{${byte.toString(16)}}` : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
}

/** A whole number for people: `1,234,567`. (Asking the platform loads its locales first, which takes 0.1 s.) */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
