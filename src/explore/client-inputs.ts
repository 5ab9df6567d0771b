// What clients say, where somebody has it: files with the bytes of a connection each, and captures of packets. They are
// played like any probe, and searches on symbolic inputs begin with them.
import { InputError, latin1 } from '../bytes/index.ts';
import { isCapture } from './capture-packets.ts';
import { conversationsOf } from './capture-streams.ts';
import type { Action, Scenario } from './scenario.ts';

export interface ClientInput {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  /** Of the server; undefined: whichever listens. */
  readonly port: number | undefined;
  /** One after the other, each when the service came to rest after the one before. */
  readonly messages: readonly Uint8Array[];
  /** The capture lacks bytes; what came after them is left out. */
  readonly isBroken: boolean;
}

/** Longest file with one connection's bytes. */
const MAX_FILE = 4 << 20;
/** Distinct connections of all files together. */
const MAX_INPUTS = 5000;

const AVRO = [0x4f, 0x62, 0x6a, 0x01];

/**
 * Inputs of files, by name; those that say the same are one. A file that is no capture is what a client sends on one
 * connection; `8080-name` goes to port 8080 only, `udp-53-name` is a datagram. InputError for what can't be one.
 */
export function clientInputs(
  files: Iterable<readonly [name: string, bytes: Uint8Array]>,
): readonly ClientInput[] {
  const out = new Map<string, ClientInput>();
  for (const [name, bytes] of files) {
    for (const input of ofFile(name, bytes)) {
      const key = `${input.protocol} ${input.port} ${input.messages.map((message) => latin1(message)).join('\0\0\0')}`;
      if (!out.has(key)) out.set(key, input);
      if (out.size > MAX_INPUTS)
        throw new InputError(`more than ${MAX_INPUTS} different connections`, name, 'leave some out');
    }
  }
  return [...out.values()];
}

function ofFile(name: string, bytes: Uint8Array): readonly ClientInput[] {
  if (AVRO.every((byte, i) => bytes[i] === byte))
    throw new InputError('a trace has no contents of messages', name, 'a capture of packets has');
  if (isCapture(bytes))
    return conversationsOf(bytes, name).map((conversation, i) => ({
      name: `${name} #${i + 1}`,
      ...conversation,
    }));
  if (bytes.length > MAX_FILE)
    throw new InputError(`${bytes.length} bytes for one connection`, name, `at most ${MAX_FILE}`);
  if (bytes.length === 0) return [];
  const [, udp, digits] = /^(udp-)?(?:(\d{1,5})-)?/.exec(name) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65535))
    throw new InputError(`there is no port ${digits}`, name);
  return [{ name, protocol: udp === undefined ? 'tcp' : 'udp', port, messages: [bytes], isBroken: false }];
}

/** A listener that inputs may be for. */
interface Target {
  readonly index: number;
  readonly stream: boolean;
  readonly port: number;
}

/** The input as scenarios: for the listeners on its port; for all of its kind where none has that port. */
export function inputScenarios(input: ClientInput, listeners: readonly Target[]): readonly Scenario[] {
  const ofKind = listeners.filter(({ stream }) => stream === (input.protocol === 'tcp'));
  const onPort = ofKind.filter(({ port }) => port === input.port);
  return (onPort.length > 0 ? onPort : ofKind).map(({ index }): Scenario => {
    const payloads = input.messages.map((message) => latin1(message));
    const name = `input ${input.name}`;
    if (input.protocol === 'udp')
      return {
        name,
        actions: payloads.map((payload): Action => ({ do: 'datagram', listener: index, payload })),
      };
    return {
      name,
      actions: [
        { do: 'connect', listener: index, id: 'a' },
        ...payloads.map((payload): Action => ({ do: 'send', id: 'a', payload })),
        { do: 'close', id: 'a' },
      ],
    };
  });
}
