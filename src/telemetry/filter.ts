// Filters as SysFlow's sysprint and processor have them: `proc.name = httpd and (type = NF or file.path startswith /etc)`.
// Fields are those of fields.ts. A field with several values (opflags, proc.aname) compares if one of them does; `!=` is
// the opposite of `=`. Compared as numbers where both are numbers, else as text.
//
//   filter: and-terms joined by `or` · and-term: terms joined by `and` · term: `not` term, ( filter ), comparison
//   comparison: FIELD exists · FIELD in (VALUE, …) · FIELD OPERATOR VALUE
import { InputError } from '../bytes/index.ts';
import { FIELDS, type FieldValue, fieldName } from './fields.ts';
import type { Row } from './rows.ts';

export type Filter = (row: Row) => boolean;

interface Token {
  readonly text: string;
  /** Quoted: a value, whatever it says. */
  readonly quoted: boolean;
  readonly at: number;
}

const comparisons: Readonly<Record<string, (a: FieldValue, b: string) => boolean>> = {
  '=': (a, b) => same(a, b),
  '<': (a, b) => order(a, b) < 0,
  '<=': (a, b) => order(a, b) <= 0,
  '>': (a, b) => order(a, b) > 0,
  '>=': (a, b) => order(a, b) >= 0,
  contains: (a, b) => String(a).includes(b),
  icontains: (a, b) => String(a).toLowerCase().includes(b.toLowerCase()),
  startswith: (a, b) => String(a).startsWith(b),
  endswith: (a, b) => String(a).endsWith(b),
};

const isNumber = (text: string): boolean => /^-?\d+(\.\d+)?$/.test(text);

function same(a: FieldValue, b: string): boolean {
  if (typeof a === 'boolean') return a === /^(true|1)$/i.test(b);
  if (typeof a === 'number') return isNumber(b) ? a === Number(b) : String(a) === b;
  return String(a) === b;
}

/** NaN where they don't compare. */
function order(a: FieldValue, b: string): number {
  if (!isNumber(b)) return Number.NaN;
  if (typeof a === 'bigint' && /^-?\d+$/.test(b)) return a < BigInt(b) ? -1 : a > BigInt(b) ? 1 : 0;
  return Number(a) - Number(b);
}

const words: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in', 'exists', '(', ')', ',']);

/** InputError that says where, if the text is no filter. */
export function parseFilter(text: string): Filter {
  const parser = new Parser(text);
  const filter = parser.any();
  parser.end();
  return filter;
}

class Parser {
  private readonly text: string;
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
    this.tokens = this.split();
  }

  any(): Filter {
    const parts = [this.all()];
    while (this.takes('or')) parts.push(this.all());
    return parts.length === 1 ? parts[0] : (row) => parts.some((part) => part(row));
  }

  end(): void {
    const token = this.tokens[this.next];
    if (token !== undefined) this.fail(`${JSON.stringify(token.text)} is not expected`, token.at);
  }

  private all(): Filter {
    const parts = [this.term()];
    while (this.takes('and')) parts.push(this.term());
    return parts.length === 1 ? parts[0] : (row) => parts.every((part) => part(row));
  }

  private term(): Filter {
    if (++this.depth > 200) this.fail('too many parentheses', this.at);
    try {
      if (this.takes('not') || this.takes('!')) {
        const inner = this.term();
        return (row) => !inner(row);
      }
      if (this.takes('(')) {
        const inner = this.any();
        this.expect(')');
        return inner;
      }
      return this.comparison();
    } finally {
      this.depth--;
    }
  }

  private comparison(): Filter {
    const { at } = this;
    const token = this.tokens[this.next++] ?? this.fail('a field is missing', at);
    const name = token.quoted ? undefined : fieldName(token.text);
    if (name === undefined) {
      const known = Object.keys(FIELDS).filter((field) => field.startsWith(token.text.split('.')[0]));
      const names =
        known.length > 0 ? known : ['type', 'opflags', 'proc.name', 'file.path', 'net.dport', '…'];
      return this.fail(`${JSON.stringify(token.text)} is no field`, at, names.join(', '));
    }
    const get = FIELDS[name];
    if (this.takes('exists')) return (row) => get(row).length > 0;
    if (this.takes('in')) {
      this.expect('(');
      const values = [this.value()];
      while (this.takes(',')) values.push(this.value());
      this.expect(')');
      return (row) => get(row).some((each) => values.some((value) => same(each, value)));
    }
    const where = this.at;
    const operator = this.tokens[this.next++]?.text.toLowerCase() ?? '';
    if (operator === '!=') {
      const value = this.value();
      return (row) => !get(row).some((each) => same(each, value));
    }
    const compare = comparisons[operator === '==' ? '=' : operator];
    if (compare === undefined)
      return this.fail(
        'a comparison is missing',
        where,
        `${Object.keys(comparisons).join(' ')} != in exists`,
      );
    const value = this.value();
    return (row) => get(row).some((each) => compare(each, value));
  }

  private value(): string {
    const { at } = this;
    const token = this.tokens[this.next++];
    if (token === undefined || (!token.quoted && words.has(token.text.toLowerCase())))
      return this.fail('a value is missing', at, 'quote what is no single word');
    return token.text;
  }

  private get at(): number {
    return this.tokens[this.next]?.at ?? this.text.length;
  }

  private takes(word: string): boolean {
    const token = this.tokens[this.next];
    if (token === undefined || token.quoted || token.text.toLowerCase() !== word) return false;
    this.next++;
    return true;
  }

  private expect(word: string): void {
    if (!this.takes(word)) this.fail(`${JSON.stringify(word)} is missing`, this.at);
  }

  private split(): Token[] {
    const out: Token[] = [];
    const pattern = /\s*(?:"([^"]*)"|'([^']*)'|(!=|==|<=|>=|[=<>(),!])|([^\s=<>(),!"']+))/gy;
    let at = 0;
    for (let match = pattern.exec(this.text); match !== null; match = pattern.exec(this.text)) {
      const text = match[1] ?? match[2] ?? match[3] ?? match[4];
      const quoted = match[1] !== undefined || match[2] !== undefined;
      out.push({ text, quoted, at: pattern.lastIndex - text.length - (quoted ? 1 : 0) });
      at = pattern.lastIndex;
    }
    if (this.text.slice(at).trim() !== '') this.fail('this is not understood', at);
    return out;
  }

  private fail(what: string, at: number, advice?: string): never {
    throw new InputError(what, `--filter at character ${at + 1}: ${this.text}`, advice);
  }
}
