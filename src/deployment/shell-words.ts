// Words of a command as Compose splits it (a POSIX shell's quotes and backslashes, nothing else of a shell).

/** Undefined where a quote is not closed. */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const ch = text[i];
    if (/\s/.test(ch)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (ch === "'" || ch === '"') {
      const quoted = quotedPart(text, i);
      if (quoted === undefined) return undefined;
      word = (word ?? '') + quoted.text;
      i = quoted.end;
    } else if (ch === '\\' && i + 1 < text.length) {
      i++;
      word = (word ?? '') + (text[i] === '\n' ? '' : text[i]);
    } else word = (word ?? '') + ch;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** What stands between the quote at `start` and its partner at `end`. */
function quotedPart(text: string, start: number): { text: string; end: number } | undefined {
  const quote = text[start];
  let out = '';
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === quote) return { text: out, end: i };
    if (quote === '"' && text[i] === '\\' && '"\\$`\n'.includes(text[i + 1] ?? ' ')) {
      i++;
      if (text[i] !== '\n') out += text[i];
    } else out += text[i];
  }
  return undefined;
}
