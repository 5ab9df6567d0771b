// Texts that a service keeps in memory while it waits for clients: the routes that a program registered with its
// framework are among them, whatever the language. Looked for as bytes that end (C, Python, PHP, Ruby, Java,
// JavaScript) and as pointer and length (Go, Rust, C++). Probes ask for them (until symbolic input finds them).
import { MemoryFault, PAGE_SIZE, type PagedSpace, PROT, type Region } from '../machine/index.ts';

/** Writable memory of one process that is looked at. */
const MAX_BYTES = 96 << 20;
const LONGEST = 96;
/** With nothing but zero bytes around it, something shorter may be anything. */
const SHORTEST_ENDED = 3;

/** Begins with `/` and has what templates of routes have: `<int:id>`, `{id}`, `:id`, `*`. */
export const ROUTE = /^\/(?!\/)(?:[\w~%@.+\-=,/$*]|<[\w:,()= ]+>|\{[\w.$]+\}|(?<=\/):(?=\w))+$/;
/** Go's patterns have a method before the path. */
const METHOD = /^[A-Z]{3,7} (?=\/)/;

/** Texts like request targets in the writable memory of a process; each once, in the order of their bytes. */
export function routesIn(space: PagedSpace): readonly string[] {
  const found = new Set<string>();
  let left = MAX_BYTES;
  for (const region of space.regions()) {
    if ((region.prot & PROT.WRITE) === 0 || left <= 0) continue;
    for (const { address, bytes } of space.touched(region.start, region.end, left)) {
      left -= bytes.length;
      endedTexts(bytes, found);
      countedTexts(bytes, address, new Reader(space), found);
    }
  }
  return [...found].sort();
}

const isText = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;
const SLASH = 0x2f;

/**
 * A text after a zero byte (the end of a header, or of its length) that a zero byte ends, or whose length stands before
 * it: V8 and Java write no end.
 */
function endedTexts(bytes: Uint8Array, into: Set<string>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = bytes.indexOf(SLASH); at >= 0; at = bytes.indexOf(SLASH, at + 1)) {
    if (at > 0 && bytes[at - 1] !== 0) continue;
    let end = at + 1;
    while (end < bytes.length && isText(bytes[end])) end++;
    const counted = at >= 4 ? view.getUint32(at - 4, true) : 0;
    if (counted >= 2 && at + counted <= end) add(bytes.subarray(at, at + counted), into);
    else if (bytes[end] === 0 && end - at >= SHORTEST_ENDED) add(bytes.subarray(at, end), into);
    at = end - 1;
  }
}

/** Texts that a word of memory points to, whose length the next one is. */
function countedTexts(bytes: Uint8Array, address: number, reader: Reader, into: Set<string>): void {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = (8 - (address % 8)) % 8; at + 16 <= bytes.length; at += 8) {
    const length = words.getUint32(at + 8, true);
    if (length < 2 || length > LONGEST || words.getUint32(at + 12, true) !== 0) continue;
    const high = words.getUint32(at + 4, true);
    if (high >= 0x8000) continue;
    const text = reader.text(high * 2 ** 32 + words.getUint32(at, true), length);
    if (text !== undefined) add(text, into);
  }
}

function add(bytes: Uint8Array, into: Set<string>): void {
  if (bytes.length < 2 || bytes.length > LONGEST) return;
  const text = String.fromCharCode(...bytes).replace(METHOD, '');
  if (ROUTE.test(text) && /\w/.test(text)) into.add(text);
}

/** Reads texts behind pointers, most of which are none. */
class Reader {
  private readonly space: PagedSpace;
  private last: Region | undefined;

  constructor(space: PagedSpace) {
    this.space = space;
  }

  /** Bytes that begin as a route or its method, or undefined. */
  text(address: number, length: number): Uint8Array | undefined {
    if (address < PAGE_SIZE) return undefined;
    if (this.last === undefined || address < this.last.start || address >= this.last.end)
      this.last = this.space.find(address);
    const region = this.last;
    if (region === undefined || address + length > region.end || (region.prot & PROT.READ) === 0)
      return undefined;
    try {
      const first = this.space.read8(address);
      if (first !== SLASH && (first < 0x41 || first > 0x5a)) return undefined;
      const bytes = this.space.read(address, length);
      return bytes.every(isText) ? bytes : undefined;
    } catch (error) {
      if (error instanceof MemoryFault) return undefined;
      throw error;
    }
  }
}

/** Parts of routes that stand for something: `<int:id>`, `{id}`, `{path...}`, `:id`, `*`, `(.*)`. */
const PARAMETER = /<[^<>/]*>|\{[^{}/]*\}|(?<=\/):\w+|\([^()/]*\)|\*+/g;

/** The route with `{token}` where something is to stand; Go's `{$}` is the end. */
export const targetOf = (route: string): string =>
  route
    .replace(/\{\$\}$/, '')
    .replace(PARAMETER, '{token}')
    .replace(/\{token\}(?:\{token\})+/g, '{token}');
