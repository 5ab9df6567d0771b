// bytes: bounded readers, text of Linux names, hex, and the errors that a user can act on. Floor 0.
export { leadingZeros, limitedCount, population, trailingZeros } from './bits.ts';
export { assert, InputError, unreachable } from './error.ts';
export { Fields, parseJson } from './fields.ts';
export { hex, unbase64, unhex } from './hex.ts';
export { joined } from './joined.ts';
export { latin1, latin1Bytes } from './latin1.ts';
export { ByteReader } from './reader.ts';
export { decodeText, encodeText, grouped, printable } from './text.ts';
