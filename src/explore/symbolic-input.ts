// Inputs of a symbolic search: the messages of a scenario as bytes, one variable a byte, with their lengths and with
// what others gave the run (symbolic-sources.ts), and back.
import { encodeText } from '../bytes/index.ts';
import type { Expression, Expressions } from '../expr/index.ts';
import { type Action, encodePayload, type Scenario } from './scenario.ts';

/** Bytes that came from elsewhere than the scenario's actions, in one run. */
export interface Given {
  readonly bytes: Uint8Array;
  /** Another run can have others in their place: what those outside answered. */
  readonly open: boolean;
}

/** A scenario and the bytes of its messages in the order of the actions that have some. */
export interface SymbolicInput {
  readonly scenario: Scenario;
  readonly messages: readonly Uint8Array[];
  /** Sends that come first and stay as they are. */
  readonly known: number;
  /** By source: what the run of it was given beside its messages. */
  readonly given: ReadonlyMap<string, Given>;
}

export function inputOf(scenario: Scenario, token: string, known = 0): SymbolicInput {
  const messages = scenario.actions.flatMap((action) =>
    'payload' in action && action.payload !== undefined
      ? [encodePayload(action.payload, token, undefined)]
      : [],
  );
  return { scenario, messages, known, given: new Map() };
}

/** The scenario that sends these messages; where one still has the clients' own text, other clients have theirs. */
export function scenarioOf(input: SymbolicInput, name: string, token: string): Scenario {
  let next = 0;
  const actions = input.scenario.actions.map((action): Action => {
    if (!('payload' in action) || action.payload === undefined) return action;
    const text = Array.from(input.messages[next++], (byte) => String.fromCharCode(byte)).join('');
    return { ...action, payload: text.replaceAll(token, '{token}') };
  });
  return { name, actions };
}

/** The first message of a scenario alone, as what a search begins with; undefined where there is none. */
export function seedOf({ name, actions }: Scenario): Scenario | undefined {
  const send = actions.find((action) => action.do === 'send' || action.do === 'datagram');
  if (send?.do === 'datagram') return { name, actions: [send] };
  if (send?.do !== 'send') return undefined;
  const connect = actions.find((action) => action.do === 'connect' && action.id === send.id);
  if (connect === undefined) return undefined;
  return { name, actions: [connect, send, { do: 'close', id: send.id }] };
}

/** Texts of words, with room for others in their place. */
const PLAIN = ['{token} {token}\n', '{token}:{token} {token}\r\n', '{token}'.repeat(6)];

/** What a search begins with where it knows nothing of the protocol. */
export const plainSeeds = (listener: number, stream: boolean): readonly Scenario[] =>
  PLAIN.map((payload, i): Scenario => {
    const name = `words ${i}`;
    if (!stream) return { name, actions: [{ do: 'datagram', listener, payload }] };
    return {
      name,
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'send', id: 'a', payload },
        { do: 'close', id: 'a' },
      ],
    };
  });

/** Shorter parts of names come up in messages by themselves. */
const SHORTEST_PART = 3;

/**
 * The scenario with the clients' own text in the place of what the service took from its messages: parts of these texts
 * (paths, arguments) that a message has. The scenario itself where it has none; undefined where it has only such short
 * ones that nothing can stand for them.
 */
export function withOwnText(
  scenario: Scenario,
  texts: readonly string[],
  name: string,
): Scenario | undefined {
  const messages = scenario.actions.flatMap((action) => ('payload' in action ? (action.payload ?? []) : []));
  const parts = [...new Set(texts.flatMap((text) => text.split('/')))]
    .map((part) => Array.from(encodeText(part), (byte) => String.fromCharCode(byte)).join(''))
    .filter((part) => part !== '' && messages.some((message) => message.includes(part)));
  if (parts.length === 0) return scenario;
  const long = parts.filter((part) => part.length >= SHORTEST_PART).sort((a, b) => b.length - a.length);
  if (long.length === 0) return undefined;
  const actions = scenario.actions.map((action): Action => {
    if (!('payload' in action) || action.payload === undefined) return action;
    return {
      ...action,
      payload: long.reduce((text, part) => text.replaceAll(part, '{token}'), action.payload),
    };
  });
  return { name, actions };
}

/**
 * Sources of variables by name: `in2`, the bytes of the third message; `len2`, its length beyond `lengthBase`; `answer0`,
 * those of an answer from outside; others are the environment's and stay as they are.
 */
export const messageSource = (message: number): string => `in${message}`;
export const lengthSource = (message: number): string => `len${message}`;
export const answerSource = (nth: number): string => `answer${nth}`;
export const variableName = (source: string, at: number): string => `${source}[${at}]`;

/** Lengths that a message may have are told by one byte, from here on. */
export const lengthBase = (length: number): number => Math.max(0, length - 128);

interface Place {
  readonly source: string;
  readonly at: number;
}

const places = new Map<string, Place>();
const MAX_PLACES = 100_000;

/** Which byte a variable is. */
export function placeOf(x: Expressions, variable: number): Place {
  const { name } = x.variableAt(variable);
  let place = places.get(name);
  if (place === undefined) {
    const [, source, at] = /^(.*)\[(\d+)\]$/.exec(name) ?? ['', '', '-1'];
    place = { source, at: Number(at) };
    if (places.size > MAX_PLACES) places.clear();
    places.set(name, place);
  }
  return place;
}

const numberIn = (kind: string, source: string): number => {
  const [, name, digits] = /^([a-z]+)(\d+)$/.exec(source) ?? [];
  return name === kind ? Number(digits) : -1;
};
/** Number of the message that a source is, or whose length it is; -1. */
export const messageOf = (source: string): number => numberIn('in', source);
const lengthOf = (source: string): number => numberIn('len', source);

/** Whether an expression is of nothing but lengths of messages. */
export function isOfLengths(x: Expressions, e: Expression): boolean {
  const variables = x.variables(e);
  return variables.length > 0 && variables.every((variable) => lengthOf(placeOf(x, variable).source) >= 0);
}

/** What a byte was in the run of an input. */
export function byteOf(x: Expressions, input: SymbolicInput, variable: number): number | undefined {
  const { source, at } = placeOf(x, variable);
  const message = messageOf(source);
  if (message >= 0) return input.messages[message]?.[at];
  const measured = lengthOf(source);
  if (measured >= 0) {
    const length = input.messages[measured]?.length;
    return length === undefined ? undefined : length - lengthBase(length);
  }
  const bytes = input.given.get(source)?.bytes;
  const { width } = x.variableAt(variable);
  if (bytes === undefined || width <= 8) return bytes?.[at];
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

/** Whether no input decides on a variable: it is the environment's. */
export function isFixed(x: Expressions, input: SymbolicInput, variable: number): boolean {
  return input.given.get(placeOf(x, variable).source)?.open === false;
}

/** Longest message that is made of a shorter one. */
const MAX_LENGTH = 16_384;
const FILLER = 0x61;

/** The input with other values of some variables; undefined where it can't have them. */
export function changedInput(
  x: Expressions,
  input: SymbolicInput,
  values: ReadonlyMap<number, number>,
): SymbolicInput | undefined {
  const messages: Uint8Array[] = input.messages.map((bytes) => bytes.slice());
  const answers = new Map<number, Uint8Array>();
  for (const [variable, value] of values) {
    const { source, at } = placeOf(x, variable);
    const nth = numberIn('answer', source);
    const target = nth >= 0 ? answerOf(input, nth, answers) : messages[messageOf(source)];
    if (target !== undefined && at < target.length) target[at] = value;
  }
  for (const [variable, value] of values) {
    const measured = lengthOf(placeOf(x, variable).source);
    if (measured < 0 || messages[measured] === undefined) continue;
    const length = lengthBase(messages[measured].length) + value;
    if (length === 0 || length > MAX_LENGTH) return undefined;
    messages[measured] = resized(messages[measured], length);
  }
  return withAnswers({ ...input, messages, given: new Map() }, answers);
}

function answerOf(
  { given }: SymbolicInput,
  nth: number,
  answers: Map<number, Uint8Array>,
): Uint8Array | undefined {
  const bytes = answers.get(nth) ?? given.get(answerSource(nth))?.bytes.slice();
  if (bytes !== undefined) answers.set(nth, bytes);
  return bytes;
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length).fill(FILLER);
  out.set(bytes.subarray(0, length));
  return out;
}

/** The input with actions that give these answers. */
function withAnswers(input: SymbolicInput, answers: ReadonlyMap<number, Uint8Array>): SymbolicInput {
  let out = input;
  for (const [nth, bytes] of answers) {
    const { name, actions } = out.scenario;
    const action: Action = { do: 'answer', nth, payload: '' };
    out = {
      ...out,
      scenario: { name, actions: [action, ...actions] },
      messages: [bytes, ...out.messages],
    };
  }
  return out;
}

/** The input where a file is there. */
export function withFile(input: SymbolicInput, path: string, content: Uint8Array): SymbolicInput {
  const { name, actions } = input.scenario;
  const action: Action = { do: 'place', path, payload: '' };
  return {
    ...input,
    scenario: { name: `${name}, ${path}`, actions: [action, ...actions] },
    messages: [content, ...input.messages],
    given: new Map(),
  };
}

/** The input where these unknown values of the launch (by number) may be others. */
export function withValues(input: SymbolicInput, values: readonly Uint8Array[]): SymbolicInput {
  const { name, actions } = input.scenario;
  const set = values.map((_, nth): Action => ({ do: 'value', nth, payload: '' }));
  return {
    ...input,
    scenario: { name: `${name}, other values`, actions: [...set, ...actions] },
    messages: [...values, ...input.messages],
    given: new Map(),
  };
}

/** The last message in two pieces, and a reset in place of an end: partial reads, and writes that fail. */
export function inPieces(input: SymbolicInput): SymbolicInput | undefined {
  const { name, actions } = input.scenario;
  const last = actions.findLastIndex((action) => action.do === 'send');
  const send = actions[last];
  const message = input.messages.at(-1);
  if (send?.do !== 'send' || message === undefined || message.length < 2) return undefined;
  const half = message.length >> 1;
  const rest = actions
    .slice(last + 1)
    .map((action): Action => (action.do === 'close' ? { ...action, do: 'reset' } : action));
  if (rest.some(hasMessage)) return undefined;
  return {
    ...input,
    scenario: { name: `${name}, in pieces`, actions: [...actions.slice(0, last + 1), send, ...rest] },
    messages: [...input.messages.slice(0, -1), message.slice(0, half), message.slice(half)],
    given: new Map(),
  };
}

/** What was sent, and one more message on the same connection; undefined where the input has no connection. */
export function goingOn(input: SymbolicInput, message: Uint8Array): SymbolicInput | undefined {
  const { name, actions } = input.scenario;
  const last = actions.findLastIndex((action) => action.do === 'send');
  const send = actions[last];
  if (send?.do !== 'send') return undefined;
  const payloads = actions.slice(0, last + 1).filter(hasMessage).length;
  return {
    scenario: { name, actions: [...actions.slice(0, last + 1), send, ...actions.slice(last + 1)] },
    messages: [...input.messages.slice(0, payloads), message, ...input.messages.slice(payloads)],
    known: actions.filter((action) => action.do === 'send').length,
    given: new Map(),
  };
}

/** Whether one of the input's messages is the action's. */
export const hasMessage = (action: Action): boolean => 'payload' in action && action.payload !== undefined;
