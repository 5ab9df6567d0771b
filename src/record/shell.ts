// Text for /bin/sh.

/** One word, whatever it holds. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_/.:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function quoteAll(words: readonly string[]): string {
  return words.map(quote).join(' ');
}
