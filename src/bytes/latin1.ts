// Text in which each character is a byte (ISO 8859-1), for protocols that are text in parts.

export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Of characters beyond a byte the low one. */
export const latin1Bytes = (text: string): Uint8Array =>
  Uint8Array.from(text, (ch) => ch.charCodeAt(0) & 0xff);
