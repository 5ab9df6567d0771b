// Inputs of a symbolic search: the messages of a scenario as bytes, one variable a byte, and back.
import { encodeText } from '../bytes/index.ts';
import type { Assignment, Expressions } from '../expr/index.ts';
import { setByteShadow } from '../machine/index.ts';
import { type Action, encodePayload, type Scenario } from './scenario.ts';

/** A scenario and the bytes of its messages in the order in which they are sent. */
export interface SymbolicInput {
  readonly scenario: Scenario;
  readonly messages: readonly Uint8Array[];
}

export function inputOf(scenario: Scenario, token: string): SymbolicInput {
  const messages = scenario.actions.flatMap((action) =>
    'payload' in action ? [encodePayload(action.payload, token, undefined)] : [],
  );
  return { scenario, messages };
}

/** The scenario that sends these messages; where one still has the clients' own text, other clients have theirs. */
export function scenarioOf(input: SymbolicInput, name: string, token: string): Scenario {
  let next = 0;
  const actions = input.scenario.actions.map((action): Action => {
    if (!('payload' in action)) return action;
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
  const messages = scenario.actions.flatMap((action) => ('payload' in action ? [action.payload] : []));
  const parts = [...new Set(texts.flatMap((text) => text.split('/')))]
    .map((part) => Array.from(encodeText(part), (byte) => String.fromCharCode(byte)).join(''))
    .filter((part) => part !== '' && messages.some((message) => message.includes(part)));
  if (parts.length === 0) return scenario;
  const long = parts.filter((part) => part.length >= SHORTEST_PART).sort((a, b) => b.length - a.length);
  if (long.length === 0) return undefined;
  const actions = scenario.actions.map((action): Action => {
    if (!('payload' in action)) return action;
    return {
      ...action,
      payload: long.reduce((text, part) => text.replaceAll(part, '{token}'), action.payload),
    };
  });
  return { name, actions };
}

/** The variables of one run: byte `i` of message `m`. */
export class InputVariables {
  private readonly x: Expressions;
  private next = 0;

  constructor(x: Expressions) {
    this.x = x;
  }

  /** The bytes with shadows, as the next message of the run. */
  send(bytes: Uint8Array): Uint8Array {
    const message = this.next++;
    const sent = bytes.slice();
    setByteShadow(
      sent,
      Int32Array.from(sent, (_, i) => this.x.variable(8, variableName(message, i))),
    );
    return sent;
  }
}

const variableName = (message: number, at: number): string => `in${message}[${at}]`;

/** Which byte a variable is. */
export function placeOf(x: Expressions, variable: number): { readonly message: number; readonly at: number } {
  const found = /^in(\d+)\[(\d+)\]$/.exec(x.variableAt(variable).name);
  return { message: Number(found?.[1] ?? -1), at: Number(found?.[2] ?? -1) };
}

/** The bytes of an input as values of its variables. */
export function assignmentOf(x: Expressions, { messages }: SymbolicInput): Assignment {
  return {
    get: (variable) => {
      const { message, at } = placeOf(x, variable);
      const byte = messages[message]?.[at];
      return byte === undefined ? undefined : BigInt(byte);
    },
  };
}

/** The input with other values of some variables. */
export function changedInput(
  x: Expressions,
  input: SymbolicInput,
  values: ReadonlyMap<number, number>,
): SymbolicInput {
  const messages = input.messages.map((bytes) => bytes.slice());
  for (const [variable, value] of values) {
    const { message, at } = placeOf(x, variable);
    if (messages[message] !== undefined && at < messages[message].length) messages[message][at] = value;
  }
  return { scenario: input.scenario, messages };
}
