// Values in strace's text: arguments and results. Strings are C strings with octal and hexadecimal escapes, constants
// are numbers (-X raw) or names, descriptors carry <what they refer to> (-yy). Reading never fails: what is not
// understood becomes `other` with its text.
import { decodeText, encodeText } from '../bytes/index.ts';
import { CONSTANTS, SIGNALS } from './linux-names.ts';
import type { Arg, DescriptorTarget, SocketAddress } from './syscall-event.ts';

/** An argument list's text, without its parentheses, to values. `name=` before a value is kept in `names`. */
export function parseArgs(text: string): {
  readonly args: readonly Arg[];
  readonly names: ReadonlyMap<string, Arg>;
} {
  const cursor = new Cursor(text);
  const args: Arg[] = [];
  const names = new Map<string, Arg>();
  while (cursor.at < text.length) {
    const name = cursor.name();
    const value = cursor.change();
    if (name !== '') names.set(name, value);
    args.push(value);
    cursor.separator();
  }
  return { args, names };
}

/** What stands between the angle brackets after a descriptor. */
export function parseTarget(text: string): DescriptorTarget {
  const socket = /^([A-Za-z0-9-]*):\[(.*)\]$/s.exec(text);
  if (socket === null) {
    const anon = /^anon_inode:(.*)$/s.exec(text);
    if (anon !== null) return { kind: 'anon', name: anon[1] };
    // A device: `/dev/null<char 1:3>`.
    return {
      kind: 'path',
      path: unescapeText(text.replace(/<(?:char|block) [0-9]+:[0-9]+>$/, '')),
      deleted: false,
    };
  }
  const [, protocol, inside] = socket;
  // Namespaces: `net:[4026531840]`.
  if (/^[a-z]+$/.test(protocol) && protocol !== 'pipe' && protocol !== 'socket')
    return { kind: 'path', path: text, deleted: false };
  if (protocol === 'pipe') return { kind: 'pipe', inode: Number(inside) };
  const unnamed = { kind: 'socket', protocol: protocol === 'socket' ? '' : protocol } as const;
  if (/^[0-9]+$/.test(inside))
    return { ...unnamed, local: undefined, peer: undefined, inode: Number(inside), peerInode: undefined };
  return protocol.startsWith('UNIX') ? unixTarget(protocol, inside) : inetTarget(protocol, inside);
}

/** `45927->45926,"/run/x.sock"`, `45925,@"abstract"`. */
function unixTarget(protocol: string, inside: string): DescriptorTarget {
  const match = /^([0-9]+)(?:->([0-9]+))?(?:,(@?)"(.*)")?$/s.exec(inside);
  const path = match?.[4];
  return {
    kind: 'socket',
    protocol,
    local:
      path === undefined ? undefined : { kind: 'unix', path: `${match?.[3] ?? ''}${unescapeText(path)}` },
    peer: undefined,
    inode: match === null ? undefined : Number(match[1]),
    peerInode: match?.[2] === undefined ? undefined : Number(match[2]),
  };
}

/** `127.0.0.1:80->10.0.0.1:4444`, `[::]:80`. */
function inetTarget(protocol: string, inside: string): DescriptorTarget {
  const [local, peer] = inside.split('->');
  return {
    kind: 'socket',
    protocol,
    local: endpoint(local),
    peer: peer === undefined ? undefined : endpoint(peer),
    inode: undefined,
    peerInode: undefined,
  };
}

function endpoint(text: string): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return match[1] === undefined
    ? { kind: 'inet', address: match[2], port }
    : { kind: 'inet6', address: match[1], port };
}

/** The bytes of a C string's inside as text. */
export function unescapeText(text: string): string {
  if (!text.includes('\\')) return text;
  return decodeText(unescapeBytes(text));
}

const simpleEscapes: { readonly [letter: string]: number | undefined } = {
  n: 10,
  t: 9,
  v: 11,
  f: 12,
  r: 13,
  b: 8,
  a: 7,
};

/** Text is one byte a character but for escapes. */
export function unescapeBytes(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const ch = text.charCodeAt(i);
    if (ch !== 0x5c || i + 1 >= text.length) {
      out[n++] = ch;
      continue;
    }
    i += 1;
    const letter = text[i];
    const hexDigits = letter === 'x' ? /^[0-9a-fA-F]{1,2}/.exec(text.slice(i + 1, i + 3))?.[0] : undefined;
    const octalDigits = /^[0-7]{1,3}/.exec(text.slice(i, i + 3))?.[0];
    if (hexDigits !== undefined) {
      out[n++] = Number.parseInt(hexDigits, 16);
      i += hexDigits.length;
    } else if (octalDigits !== undefined) {
      out[n++] = Number.parseInt(octalDigits, 8);
      i += octalDigits.length - 1;
    } else out[n++] = simpleEscapes[letter] ?? letter.charCodeAt(0);
  }
  return out.subarray(0, n);
}

/** Most strings are buffers that nobody looks at: they are decoded when somebody does. */
class Text {
  readonly kind = 'string';
  readonly whole: boolean;
  private readonly prefix: string;
  private readonly inside: string;

  constructor(prefix: string, inside: string, whole: boolean) {
    this.prefix = prefix;
    this.inside = inside;
    this.whole = whole;
  }

  get text(): string {
    return this.prefix + unescapeText(this.inside);
  }
}

const nameEnd = /[A-Za-z0-9_]*/y;
const wordEnd = /[^,\])}<>="(/ ]*/y;

class Cursor {
  at = 0;
  private depth = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** `name=` here is taken and given back without the sign; '' where there is none. */
  name(): string {
    nameEnd.lastIndex = this.at;
    const name = nameEnd.exec(this.text)?.[0] ?? '';
    const after = this.at + name.length;
    if (
      name === '' ||
      this.text[after] !== '=' ||
      this.text[after + 1] === '=' ||
      this.text[after + 1] === '>'
    )
      return '';
    this.at = after + 1;
    return name;
  }

  skip(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** Past a comma and spaces; past anything else up to the next comma. */
  separator(): void {
    const comma = this.text[this.at] === ',' ? this.at : balancedEnd(this.text, this.at);
    this.at = Math.max(comma, this.at) + 1;
    while (this.text[this.at] === ' ') this.at += 1;
  }

  change(): Arg {
    const before = this.value();
    if (!this.skip(' => ')) return before;
    this.name();
    return { kind: 'change', before, after: this.value() };
  }

  value(): Arg {
    const start = this.at;
    const value = this.one(this.text[start]);
    // Whatever else stands before the next comma or bracket (expressions, unknown syntax) makes it all `other`.
    const next = this.text[this.at];
    if (
      next === undefined ||
      next === ',' ||
      next === ']' ||
      next === '}' ||
      next === ')' ||
      this.text.startsWith(' => ', this.at)
    )
      return value;
    this.at = balancedEnd(this.text, this.at);
    return { kind: 'other', text: this.text.slice(start, this.at) };
  }

  /** To the bracket that closes, or past a wrong one. */
  private recover(close: string): void {
    this.at = balancedEnd(this.text, this.at, close);
    if (this.text[this.at] !== close) this.at += 1;
  }

  private one(first: string | undefined): Arg {
    // Structures of system calls are not nested deeper; a text that is must not exhaust the stack.
    if (this.depth > 32) {
      const start = this.at;
      this.at = balancedEnd(this.text, start);
      return { kind: 'other', text: this.text.slice(start, this.at) };
    }
    this.depth += 1;
    const value = this.kindOf(first);
    this.depth -= 1;
    return value;
  }

  private kindOf(first: string | undefined): Arg {
    switch (first) {
      case '"':
        return this.string('');
      case '@':
        this.at += 1;
        return this.string('@');
      case '{':
        return this.struct();
      case '[':
        return this.list();
      case '~': {
        // All but these.
        const start = this.at;
        this.at += 1;
        this.one(this.text[this.at]);
        return { kind: 'other', text: this.text.slice(start, this.at) };
      }
      default:
        return this.word();
    }
  }

  private string(prefix: string): Arg {
    const end = stringEnd(this.text, this.at);
    const inside = this.text.slice(this.at + 1, end);
    this.at = Math.min(end + 1, this.text.length);
    const whole = !this.skip('...') && end < this.text.length;
    return new Text(prefix, inside, whole);
  }

  private list(): Arg {
    this.at += 1;
    const items: Arg[] = [];
    let whole = true;
    while (this.at < this.text.length && !this.skip(']')) {
      if (this.skip('...') || this.skip('/*')) whole = false;
      else items.push(this.change());
      // Signal sets separate by spaces.
      if (!this.skip(', ') && !this.skip(' ') && this.text[this.at] !== ']') {
        this.recover(']');
        whole = false;
      }
    }
    return { kind: 'list', items, whole };
  }

  private struct(): Arg {
    this.at += 1;
    const fields = new Map<string, Arg>();
    let whole = true;
    while (this.at < this.text.length && !this.skip('}')) {
      if (this.skip('...')) whole = false;
      else {
        const name = this.name();
        fields.set(name === '' ? String(fields.size) : name, this.change());
      }
      if (!this.skip(', ') && this.text[this.at] !== '}') {
        this.recover('}');
        whole = false;
      }
    }
    const address = socketAddress(fields);
    return address === undefined ? { kind: 'struct', fields, whole } : { kind: 'address', address };
  }

  /** A number, a constant, several of them joined by |, a descriptor, or a macro such as `htons(80)`. */
  private word(): Arg {
    const start = this.at;
    wordEnd.lastIndex = start;
    const word = wordEnd.exec(this.text)?.[0] ?? '';
    this.at += word.length;
    const next = this.text[this.at];
    if (next === '(') {
      const end = balancedEnd(this.text, this.at + 1, ')');
      const inside = parseArgs(this.text.slice(this.at + 1, end)).args;
      this.at = Math.min(end + 1, this.text.length);
      return macro(word, inside, this.text.slice(start, this.at));
    }
    const number = constant(word);
    if (number === undefined) return { kind: 'other', text: word };
    if (next === '<' && number.unknown.length === 0) return this.descriptor(number.value);
    return { kind: 'number', ...number, outerPid: this.comment() };
  }

  private descriptor(fd: number): Arg {
    const end = annotationEnd(this.text, this.at);
    const target = parseTarget(this.text.slice(this.at + 1, end));
    this.at = Math.min(end + 1, this.text.length);
    if (!this.skip('(deleted)')) return { kind: 'fd', fd, target };
    return { kind: 'fd', fd, target: target.kind === 'path' ? { ...target, deleted: true } : target };
  }

  /** A comment after a number is skipped; the pid in it is given back where it is about pid namespaces. */
  private comment(): number | undefined {
    if (!this.text.startsWith(' /* ', this.at)) return undefined;
    const end = this.text.indexOf('*/', this.at);
    if (end < 0) return undefined;
    const outer = /^ \/\* ([0-9]+) in strace's PID NS/.exec(this.text.slice(this.at, end));
    this.at = end + 2;
    return outer === null ? undefined : Number(outer[1]);
  }
}

/** Offset of the quote that closes the string that opens at `at`, or the text's end. */
export function stringEnd(text: string, at: number): number {
  let i = at + 1;
  while (i < text.length) {
    const ch = text.charCodeAt(i);
    if (ch === 0x22) return i;
    i += ch === 0x5c ? 2 : 1;
  }
  return text.length;
}

/**
 * Offset of the bracket that closes the annotation that opens at `at`, or the text's end. Sockets and pipes end in
 * `]>`; paths have their own angle brackets escaped, and devices have their numbers in a second pair.
 */
export function annotationEnd(text: string, at: number): number {
  bracketed.lastIndex = at;
  const socket = bracketed.test(text);
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const ch = text[i];
    if (ch === '\\') i += 1;
    else if (socket) {
      if (ch === '"') i = stringEnd(text, i);
      else if (ch === ']' && text[i + 1] === '>') return i + 1;
    } else if (ch === '<') depth += 1;
    else if (ch === '>' && --depth === 0) return i;
  }
  return text.length;
}

const bracketed = /<[A-Za-z0-9-]+:\[/y;
/** What stands before an annotation: a descriptor's number or AT_FDCWD. */
const beforeAnnotation = /[0-9A-Z]/;

/** Offset of the next comma (or of `close`) outside of brackets, strings and annotations. */
export function balancedEnd(text: string, at: number, close = ','): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const ch = text[i];
    if (depth === 0 && ch === close) return i;
    if (ch === '"') i = stringEnd(text, i);
    else if (ch === '<' && beforeAnnotation.test(text[i - 1] ?? '')) i = annotationEnd(text, i);
    else if (ch === '(' || ch === '[' || ch === '{') depth += 1;
    else if (ch === ')' || ch === ']' || ch === '}') {
      if (depth === 0) return i;
      depth -= 1;
    }
  }
  return text.length;
}

const none: readonly string[] = [];

/** `0x1200000|17`, `O_RDWR|0x8000`, `8192*1024`; undefined where the word is none of that. */
function constant(word: string): { readonly value: number; readonly unknown: readonly string[] } | undefined {
  if (/^-?[0-9]+$/.test(word))
    return {
      value: word.length > 1 && word[0] === '0' ? Number.parseInt(word, 8) : Number(word),
      unknown: none,
    };
  if (/^0x[0-9a-fA-F]+$/.test(word)) return { value: Number(word), unknown: none };
  const unknown: string[] = [];
  let value = 0;
  for (const part of word.split('|')) {
    const factors = part.split('*').map(single);
    if (factors.every((factor) => factor !== undefined))
      value = or(
        value,
        factors.reduce((a, b) => a * b, 1),
      );
    else if (/^[A-Z_][A-Z0-9_]*$/.test(part)) unknown.push(part);
    else return undefined;
  }
  return { value, unknown };
}

function single(part: string): number | undefined {
  if (/^(0x[0-9a-fA-F]+|-?[1-9][0-9]*|0)$/.test(part)) return Number(part);
  if (/^0[0-7]+$/.test(part)) return Number.parseInt(part, 8);
  const realTime = /^SIGRT_(\d+)$/.exec(part);
  return realTime === null ? (CONSTANTS.get(part) ?? SIGNALS.get(part)) : 32 + Number(realTime[1]);
}

/** Bitwise or beyond 32 bits. */
function or(a: number, b: number): number {
  if (a === 0) return b;
  return Number(BigInt.asIntN(64, BigInt(a) | BigInt(b)));
}

function macro(name: string, args: readonly Arg[], text: string): Arg {
  const [first, second] = args;
  if ((name === 'htons' || name === 'htonl') && first?.kind === 'number') return first;
  if (name === 'inet_addr' && first?.kind === 'string')
    return { kind: 'address', address: { kind: 'inet', address: first.text, port: 0 } };
  if (name === 'inet_pton' && second?.kind === 'string')
    return { kind: 'address', address: { kind: 'inet6', address: second.text, port: 0 } };
  return { kind: 'other', text };
}

/** A sockaddr's fields, named (`htons(80)`, `inet_addr("…")`) or as raw bytes in network order, to an address. */
function socketAddress(fields: ReadonlyMap<string, Arg>): SocketAddress | undefined {
  const family = fields.get('sa_family');
  if (family?.kind !== 'number') return undefined;
  switch (family.unknown.length === 0 ? family.value : -1) {
    case 1: {
      const path = fields.get('sun_path');
      return { kind: 'unix', path: path?.kind === 'string' ? path.text : '' };
    }
    case 2: {
      const raw = rawBytes(fields.get('sin_addr'));
      return { kind: 'inet', address: raw?.join('.') ?? named(fields), port: port(fields.get('sin_port')) };
    }
    case 10: {
      const raw = rawBytes(fields.get('sin6_addr'));
      return {
        kind: 'inet6',
        address: raw === undefined ? named(fields) : printIpv6(raw),
        port: port(fields.get('sin6_port')),
      };
    }
    default:
      return { kind: 'other', family: family.unknown[0] ?? String(family.value) };
  }
}

/** The address among the fields: strace gives `inet_pton(…)` without a field's name. */
function named(fields: ReadonlyMap<string, Arg>): string {
  for (const field of fields.values()) {
    if (field.kind === 'address' && field.address.kind !== 'unix' && field.address.kind !== 'other')
      return field.address.address;
  }
  return '';
}

function port(arg: Arg | undefined): number {
  if (arg?.kind === 'number') return arg.value;
  const raw = rawBytes(arg);
  return raw === undefined ? 0 : raw[0] * 256 + raw[1];
}

function rawBytes(arg: Arg | undefined): Uint8Array | undefined {
  return arg?.kind === 'string' ? encodeText(arg.text) : undefined;
}

/** RFC 5952: the longest run of zero groups is `::`; an IPv4 address in IPv6 keeps its dots. */
export function printIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i] * 256 + bytes[2 * i + 1]);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return `::ffff:${bytes.subarray(12, 16).join('.')}`;
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length += 1;
    if (length > best.length) best = { start: i, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.start < 0) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}
