// Resources of effects that clients' bytes came into, as patterns: what the path of the run allows at each byte of the
// path, argument or address that the call was given, placed in the text that the effect has. A pattern never excludes
// the text itself.
import { decodeText } from '../bytes/index.ts';
import {
  ANY,
  literal,
  matcher,
  type Pattern,
  type PatternPart,
  patternOf,
  patternParts,
  type Resource,
  resourceTexts,
} from '../effect/index.ts';
import type { Expression, PathCondition } from '../expr/index.ts';
import { bytesPattern, canClimb, resourcePatterns, type Solver } from '../solve/index.ts';
import { type CallInputs, decoded, type InputText } from './symbolic-call.ts';

/** What the texts of a resource can be, in the order of `resourceTexts`; undefined: that text is what it is. */
export type TextPatterns = readonly (readonly Pattern[] | undefined)[];

/** Who asks: what holds on the path so far, and who decides. */
export interface Asking {
  readonly solver: Solver;
  readonly path: PathCondition;
}

/** More values than this of a number or an address are a class. */
const FEW = 8;
const SLASH = 0x2f;

interface PathPatterns {
  readonly patterns: readonly Pattern[];
  /** Whether `..` can come into it, so that the path leads out of where its literal part says. */
  readonly climbs: boolean;
}

/** Patterns of the resource of an effect of this call; undefined where no text of it is of the call's inputs. */
export function patternsOfCall(
  asking: Asking,
  resource: Resource,
  inputs: CallInputs,
): { readonly texts: TextPatterns; readonly climbs: boolean } | undefined {
  if (resource.kind === 'net') {
    const texts =
      inputs.address === undefined ? undefined : endpointPatterns(asking, resource, inputs.address);
    return texts === undefined ? undefined : { texts, climbs: false };
  }
  let climbs = false;
  const socketPath = inputs.address === undefined ? [] : unixPath(inputs.address);
  const candidates = [...inputs.texts, ...socketPath];
  const all = resourceTexts(resource);
  const isOnly = all.length === 1;
  const texts = all.map((text): readonly Pattern[] | undefined => {
    if (resource.kind === 'id') return numberPatterns(asking, text, inputs);
    for (const input of candidates) {
      const found = input.kind === 'path' ? ofPath(asking, text, input, isOnly) : ofText(asking, text, input);
      if (found === undefined) continue;
      climbs ||= found.climbs;
      return found.patterns.some((pattern) => matcher(pattern)(text))
        ? found.patterns
        : [...found.patterns, literal(text)];
    }
    return undefined;
  });
  return texts.every((patterns) => patterns === undefined) ? undefined : { texts, climbs };
}

function bytesOf({ solver }: Asking, { bytes, shadow }: InputText): Expression[] {
  return Array.from(bytes, (byte, i) => shadow[i] || solver.expressions.constant(8, byte));
}

/** A text that stands in the resource as it is: an argument, what a symbolic link holds. */
function ofText(asking: Asking, text: string, input: InputText): PathPatterns | undefined {
  if (decoded(input) !== text) return undefined;
  const found = bytesPattern(asking.solver, asking.path, bytesOf(asking, input));
  return { patterns: resourcePatterns(found, decodeText), climbs: false };
}

interface Component {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Parts of a path between slashes, without empty ones and `.`. */
function componentsOf(bytes: Uint8Array): Component[] {
  const out: Component[] = [];
  for (let from = 0; from <= bytes.length; ) {
    const slash = bytes.indexOf(SLASH, from);
    const to = slash < 0 ? bytes.length : slash;
    const text = decodeText(bytes.subarray(from, to));
    if (text !== '' && text !== '.') out.push({ from, to, text });
    from = to + 1;
  }
  return out;
}

/**
 * A path, of which the effect has the absolute form: the parts that both end with are the ones that the call was given.
 * Undefined where the effect's path is not this one, as far as one can see; of the only path of an effect
 * (`isOnly`) less has to agree.
 */
function ofPath(asking: Asking, text: string, input: InputText, isOnly: boolean): PathPatterns | undefined {
  const parts = componentsOf(input.bytes);
  const named = text.split('/').filter((part) => part !== '');
  let same = 0;
  while (same < Math.min(parts.length, named.length) && parts.at(-1 - same)?.text === named.at(-1 - same))
    same++;
  const first = input.shadow.findIndex((e) => e !== 0);
  const start = parts[parts.length - same];
  const isWhole = same === parts.length && (input.bytes[0] !== SLASH || same === named.length);
  if (!isWhole && !isOnly) return undefined;
  const before = named.slice(0, named.length - same);
  if (same === 0) return elsewhere(asking, input, parts, first, [literal(text)]);
  if (start.from > first) {
    const here = namesOfAny(before, parts.slice(parts.length - same), input);
    return elsewhere(asking, input, parts, first, [here]);
  }
  const end = parts[parts.length - 1].to;
  const region = collapsed(asking, {
    ...input,
    bytes: input.bytes.subarray(start.from, end),
    shadow: input.shadow.subarray(start.from, end),
  });
  const lead: PatternPart = { kind: 'literal', text: ['', ...before, ''].join('/') };
  const found = bytesPattern(asking.solver, asking.path, region);
  const patterns = resourcePatterns(found, decodeText).map((pattern) =>
    patternOf([lead, ...(patternParts(pattern) ?? [])]),
  );
  return { patterns, climbs: canClimb(asking.solver, asking.path, region, found) };
}

/** A path outside of the directory that it should be in: names that clients gave are any names, not any paths. */
function namesOfAny(before: readonly string[], parts: readonly Component[], { shadow }: InputText): Pattern {
  const isGiven = ({ from, to }: Component): boolean => shadow.subarray(from, to).some((e) => e !== 0);
  return patternOf([
    { kind: 'literal', text: ['', ...before].join('/') },
    ...parts.flatMap((part): PatternPart[] => [
      { kind: 'literal', text: '/' },
      isGiven(part) ? { kind: 'class', class: '*' } : { kind: 'literal', text: part.text },
    ]),
  ]);
}

/** The bytes without slashes that follow slashes, where both are there whatever clients send. */
function collapsed(asking: Asking, input: InputText): Expression[] {
  const { bytes, shadow } = input;
  const fixed = (i: number): boolean => bytes[i] === SLASH && shadow[i] === 0;
  return bytesOf(asking, input).filter((_, i) => !(i > 0 && fixed(i) && fixed(i - 1)));
}

/**
 * The run's path leads elsewhere (`..`, a symbolic link): anything below the directory that comes before the inputs, if
 * there is one, beside what the effect has (`here`).
 */
function elsewhere(
  asking: Asking,
  input: InputText,
  parts: readonly Component[],
  first: number,
  here: readonly Pattern[],
): PathPatterns | undefined {
  const isAbsolute = input.bytes[0] === SLASH;
  const fixed = parts.filter(({ to }) => to < first).map((part) => part.text);
  // a relative path whose name is nowhere in the effect's is another one
  if (!isAbsolute) return undefined;
  const climbs = canClimb(asking.solver, asking.path, bytesOf(asking, input));
  const directory = `/${fixed.join('/')}`;
  const below =
    directory === '/'
      ? ANY
      : patternOf([
          { kind: 'literal', text: `${directory}/` },
          { kind: 'class', class: '**' },
        ]);
  return { patterns: [...new Set([below, ...here])], climbs };
}

function numberPatterns(
  asking: Asking,
  text: string,
  { numbers }: CallInputs,
): readonly Pattern[] | undefined {
  const found = numbers.find(({ value }) => String(BigInt.asUintN(32, value)) === text);
  if (found === undefined) return undefined;
  return few(asking, asking.solver.expressions.trunc(found.expression, 32), String) ?? [numberClass];
}

const numberClass: Pattern = patternOf([{ kind: 'class', class: '[0-9]+' }]);

/** Each value, where they are few. */
function few(
  { solver, path }: Asking,
  e: Expression,
  text: (value: bigint) => string,
): readonly Pattern[] | undefined {
  const { values, complete } = solver.values(path, e, FEW);
  return complete ? values.map((value) => literal(text(value))) : undefined;
}

// socket addresses: family in two bytes, then a port and an address, or a path

const [UNIX, INET, INET6] = [1, 2, 10];

/** The path of a unix socket's address, as the kernel takes it: to the first zero. */
function unixPath({ bytes, shadow }: InputText): readonly InputText[] {
  if (bytes[0] !== UNIX || bytes[1] !== 0 || bytes.length < 3 || bytes[2] === 0) return [];
  const zero = bytes.indexOf(0, 2);
  const end = zero < 0 ? bytes.length : zero;
  const part = shadow.slice(2, end);
  return part.some((e) => e !== 0) ? [{ kind: 'path', bytes: bytes.slice(2, end), shadow: part }] : [];
}

function endpointPatterns(
  asking: Asking,
  resource: Extract<Resource, { kind: 'net' }>,
  input: InputText,
): TextPatterns | undefined {
  const family = input.bytes[0] + 256 * input.bytes[1];
  if ((family !== INET && family !== INET6) || input.bytes.length < 8) return undefined;
  const portText = String(input.bytes[2] * 256 + input.bytes[3]);
  const port = hasShadow(input, 2, 2) ? portPatterns(asking, input) : undefined;
  const address = family === INET ? inetPatterns(asking, input) : inet6Patterns(input);
  if (port === undefined && address === undefined) return undefined;
  const side =
    resource.peer.port === portText ? 'peer' : resource.local.port === portText ? 'local' : undefined;
  if (side === undefined) return undefined;
  const whole = [address, port];
  return side === 'peer' ? [undefined, undefined, ...whole] : [...whole, undefined, undefined];
}

const hasShadow = ({ shadow }: InputText, from: number, count: number): boolean =>
  shadow.subarray(from, from + count).some((e) => e !== 0);

function portPatterns(asking: Asking, input: InputText): readonly Pattern[] {
  const bytes = bytesOf(asking, input);
  return few(asking, asking.solver.expressions.concat(bytes[2], bytes[3]), String) ?? [numberClass];
}

/** Each address where they are few, else each number of it that is. */
function inetPatterns(asking: Asking, input: InputText): readonly Pattern[] | undefined {
  if (!hasShadow(input, 4, 4)) return undefined;
  const x = asking.solver.expressions;
  const bytes = bytesOf(asking, input).slice(4, 8);
  const dotted = (value: bigint): string =>
    [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  const all = few(asking, x.fromBytes([...bytes].reverse()), dotted);
  if (all !== undefined) return all;
  const parts = bytes.flatMap((byte, i): PatternPart[] => {
    const { values, complete } = asking.solver.values(asking.path, byte, 1);
    const part: PatternPart =
      complete && values.length === 1
        ? { kind: 'literal', text: String(values[0]) }
        : { kind: 'class', class: '[0-9]+' };
    return i === 0 ? [part] : [{ kind: 'literal', text: '.' }, part];
  });
  return [patternOf(parts)];
}

/** The text form leaves zeros out, so that no part of it stands still. */
function inet6Patterns(input: InputText): readonly Pattern[] | undefined {
  return input.bytes.length >= 24 && hasShadow(input, 8, 16)
    ? [patternOf([{ kind: 'class', class: '*' }])]
    : undefined;
}
