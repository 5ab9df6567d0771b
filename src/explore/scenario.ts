// What the environment does to a service that waits: scenarios as data. They are plain probes (until symbolic input
// makes them unnecessary): the usual shapes of first messages of line, length-prefixed, HTTP and binary protocols.

import type { Outside } from '../linux/index.ts';

import { PASSWORD } from './accounts.ts';
import type { NamePlace } from './names.ts';

/**
 * Bytes of a message; `{token}` stands for the environment's own text, `{name}` for a name found in the image,
 * `{host}` and `{port}` for an address and a port elsewhere, `{host bytes}` and `{port bytes}` for the same in network
 * order; `{user}` for an account that the container has, `{password}` for its password, `{login}` for both in SASL's
 * PLAIN form (RFC 4616) and base64.
 */
export type Payload = string;

export type Action =
  /**
   * `within`: from inside the container (its health checks, a proxy beside it), else from afar. `tls`: all that is sent
   * is, once the handshake is over, and what comes back is read.
   */
  | {
      readonly do: 'connect';
      readonly listener: number;
      readonly id: string;
      readonly within?: boolean;
      readonly tls?: boolean;
    }
  /** To what the service listens at now and did not after boot. */
  | { readonly do: 'connect-opened'; readonly id: string }
  /** `gone`: and resets the connection before the container does anything. */
  | { readonly do: 'send'; readonly id: string; readonly payload: Payload; readonly gone?: boolean }
  | { readonly do: 'close-write'; readonly id: string }
  | { readonly do: 'close'; readonly id: string }
  | { readonly do: 'reset'; readonly id: string }
  | {
      readonly do: 'datagram';
      readonly listener: number;
      readonly payload: Payload;
      readonly within?: boolean;
    }
  | { readonly do: 'signal'; readonly signal: number }
  /** From now on this comes of what the container sends outside. */
  | { readonly do: 'outside'; readonly how: Outside }
  /** Value number `nth` of the launch's unknown ones is this, in the memory of the processes that were given it. */
  | { readonly do: 'value'; readonly nth: number; readonly payload: Payload }
  /** The runtime starts one of the launch's commands in the container. */
  | { readonly do: 'enter'; readonly entry: number }
  /** A file comes to be there, from a volume or from an earlier request; with some digits in it where nothing is said. */
  | { readonly do: 'place'; readonly path: string; readonly payload?: Payload }
  /** From now on those outside give this as their answer number `nth` (from 0) of the scenario. */
  | { readonly do: 'answer'; readonly nth: number; readonly payload: Payload }
  /** Virtual time passes, in ms, with all timers that expire in it. */
  | { readonly do: 'wait'; readonly ms: number };

export interface Scenario {
  readonly name: string;
  readonly actions: readonly Action[];
}

/** Binary text: each character is a byte. */
export const PAYLOADS: readonly (readonly [name: string, payload: Payload])[] = [
  ['empty line', '\r\n'],
  ['newline', '\n'],
  ['word', '{token}'],
  ['text line', 'hello {token}\n'],
  ['text line, crlf', 'hello {token}\r\n'],
  ['http get root', 'GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: probe\r\nAccept: */*\r\n\r\n'],
  ['http/1.0 get root', 'GET / HTTP/1.0\r\n\r\n'],
  ['http get', 'GET /{token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
  ['http get below', 'GET /{token}/{token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
  ['http head', 'HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  [
    'http post',
    'POST /{token} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=1&b=2',
  ],
  [
    'http get ranges',
    'GET /{token} HTTP/1.1\r\nHost: localhost\r\nRange: bytes=1-2,5-9\r\nConnection: close\r\n\r\n',
  ],
  [
    'http get, compressed',
    'GET /{token} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\nRange: bytes=0-4\r\nConnection: close\r\n\r\n',
  ],
  ['http bad method', 'BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['http bad path', 'GET /../../{token} HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['command get', 'GET {token}\r\n'],
  ['command get, newline', 'GET {token}\n'],
  ['command get path', 'GET /{token}\n'],
  ['command put', 'PUT {token} value\n'],
  ['command set', 'set {token} 0 0 5\r\nhello\r\n'],
  ['command ping', 'PING\r\n'],
  ['command help', 'help\n'],
  ['command status', 'status\n'],
  ['command stats', 'stats\r\n'],
  ['command version', 'version\r\n'],
  ['command quit', 'quit\r\n'],
  ['resp', '*2\r\n$3\r\nGET\r\n$5\r\n{token}\r\n'],
  ['length 4 bytes le', '\x05\0\0\0{token}'],
  ['length 4 bytes be', '\0\0\0\x05{token}'],
  ['length 2 bytes le', '\x05\0{token}'],
  ['length 2 bytes be', '\0\x05{token}'],
  ['length 1 byte', '\x05{token}'],
  ['length 8 bytes le', '\x05\0\0\0\0\0\0\0{token}'],
  ['length text', '5\n{token}'],
  ['length text, space', '5 {token}'],
  ['length zero', '\0\0\0\0\0\0\0\0'],
  ['length too large', '\xff\xff\xff\x7f{token}'],
  ['binary', Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')],
  ['long line', `${'A'.repeat(3000)}\n`],
  ['long data', 'B'.repeat(9000)],
];

/** After the last ones, services may start anew, which takes long. */
const SIGNALS = { TERM: 15, USR1: 10, INT: 2, QUIT: 3, HUP: 1, USR2: 12 } as const;

/** Scenarios for one stream listener and one payload: alone, in pieces, twice on one connection, again on another. */
export function payloadScenarios(listener: number, name: string, payload: Payload): Scenario[] {
  const cut = Math.max(1, payload.indexOf('{') > 0 ? payload.indexOf('{') : payload.length >> 1);
  return [
    {
      name: `${name}`,
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'send', id: 'a', payload },
        { do: 'close-write', id: 'a' },
        { do: 'close', id: 'a' },
        { do: 'connect', listener, id: 'b' },
        { do: 'send', id: 'b', payload },
        { do: 'send', id: 'b', payload },
        { do: 'close', id: 'b' },
        { do: 'wait', ms: 1000 },
      ],
    },
    {
      name: `${name}, in pieces, with another client`,
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'send', id: 'a', payload: payload.slice(0, cut) },
        { do: 'connect', listener, id: 'b' },
        { do: 'send', id: 'b', payload },
        { do: 'send', id: 'a', payload: payload.slice(cut) },
        { do: 'close', id: 'a' },
        { do: 'send', id: 'b', payload },
        { do: 'reset', id: 'b' },
      ],
    },
    {
      name: `${name}, from a client that does not wait for the answer`,
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'send', id: 'a', payload, gone: true },
        { do: 'connect', listener, id: 'b' },
        { do: 'send', id: 'b', payload },
        { do: 'close', id: 'b' },
        { do: 'wait', ms: 1000 },
      ],
    },
  ];
}

/** More clients at once than services keep workers for while nobody comes. */
const MANY = 16;

/** Many clients, all of them waiting, then all of them asking; time for workers that are started for them, and ended. */
export function manyClients(listener: number, payload: Payload): Scenario {
  const clients = Array.from({ length: MANY }, (_, i) => `m${i}`);
  return {
    name: 'many clients',
    actions: [
      ...clients.map((id): Action => ({ do: 'connect', listener, id })),
      { do: 'wait', ms: 3000 },
      ...clients.map((id): Action => ({ do: 'send', id, payload })),
      { do: 'wait', ms: 3000 },
      ...clients.map((id): Action => ({ do: 'close', id })),
      { do: 'wait', ms: 15_000 },
    ],
  };
}

/** Scenarios for a stream listener that need no payload. */
export function connectionScenarios(listener: number): Scenario[] {
  const burst = ['a', 'b', 'c'];
  return [
    {
      name: 'connect and close',
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'close', id: 'a' },
        { do: 'connect', listener, id: 'b' },
        { do: 'close', id: 'b' },
      ],
    },
    {
      name: 'connect and reset',
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'reset', id: 'a' },
        { do: 'connect', listener, id: 'b' },
        { do: 'reset', id: 'b' },
      ],
    },
    {
      name: 'idle client',
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'wait', ms: 120_000 },
        { do: 'close', id: 'a' },
      ],
    },
    {
      name: 'several clients',
      actions: [
        ...burst.map((id): Action => ({ do: 'connect', listener, id })),
        ...burst.reverse().map((id): Action => ({ do: 'close', id })),
      ],
    },
  ];
}

/**
 * A word that the program knows, as a command: alone, with arguments, with the data that it may announce, on one
 * connection each.
 */
export function wordScenarios(listener: Listening, word: string): Scenario[] {
  const payloads = [
    `${word}\n`,
    `${word} {token}\n`,
    `${word} {token} {token}\r\n`,
    `${word} /{token}\n`,
    `${word} {token} 5\nhello\n`,
    `${word} {token}\n5\nhello\n`,
    `${word} {token} 0 0 5\r\nhello\r\n`,
  ];
  if (!listener.stream)
    return [
      {
        name: `word ${word}`,
        actions: payloads.map((payload) => ({ do: 'datagram', listener: listener.index, payload })),
      },
    ];
  return [
    {
      name: `word ${word}`,
      actions: payloads.flatMap((payload, i): Action[] => [
        { do: 'connect', listener: listener.index, id: `c${i}` },
        { do: 'send', id: `c${i}`, payload },
        { do: 'close', id: `c${i}` },
      ]),
    },
  ];
}

/**
 * The conversations of these scenarios on one machine, twice: what one leaves behind, another may need. The first of
 * each comes before the second of any, so that what needs an argument is not spoilt by what does away with everything.
 */
export function chainScenario(scenarios: readonly Scenario[]): Scenario {
  const talks = scenarios.map(conversations);
  const longest = Math.max(0, ...talks.map((list) => list.length));
  const once = Array.from({ length: longest }, (_, i) =>
    talks.flatMap((list) => list.slice(i, i + 1)),
  ).flat();
  return { name: 'all words in turn', actions: [...once, ...once].flatMap(numbered) };
}

/** Scenarios one after the other on one machine. */
export const inTurn = (name: string, scenarios: readonly Scenario[]): Scenario => ({
  name,
  actions: scenarios.map(({ actions }) => actions).flatMap(numbered),
});

/** The same with clients inside the container: names and rights of their addresses are others. */
export const fromWithin = ({ name, actions }: Scenario): Scenario => ({
  name: `${name}, from within`,
  actions: actions.map((action) =>
    action.do === 'connect' || action.do === 'datagram' ? { ...action, within: true } : action,
  ),
});

/** The same over TLS. */
export const overTls = ({ name, actions }: Scenario): Scenario => ({
  name: `${name}, over TLS`,
  actions: actions.map((action) => (action.do === 'connect' ? { ...action, tls: true } : action)),
});

/** Whether the answer to bytes of TLS is TLS: a handshake's or an alert's record. */
export const speaksTls = (answer: string): boolean => /^[\x15\x16]\x03[\x00-\x04]/.test(answer);

/** Actions with connections of their own. */
const numbered = (actions: readonly Action[], i: number): Action[] =>
  actions.map((action) => ('id' in action ? { ...action, id: `${i}${action.id}` } : action));

/** The actions by connection; what belongs to none stands alone. */
function conversations({ actions }: Scenario): readonly (readonly Action[])[] {
  const out = new Map<string, Action[]>();
  actions.forEach((action, i) => {
    const key = 'id' in action ? `id ${action.id}` : `action ${i}`;
    const list = out.get(key);
    if (list === undefined) out.set(key, [action]);
    else list.push(action);
  });
  return [...out.values()];
}

/** The scenario with names that are there in place of the clients' own text. */
export function askingForNames(scenario: Scenario, directory: string): Scenario {
  return {
    name: `${scenario.name}, name in ${directory}`,
    actions: scenario.actions.map(
      (action): Action =>
        'payload' in action && action.payload !== undefined
          ? { ...action, payload: action.payload.replaceAll('{token}', '{name}') }
          : action,
    ),
  };
}

/** The scenario where a file is there under the clients' own text. */
export function askingForFile(scenario: Scenario, { directory, suffix }: NamePlace): Scenario {
  return {
    name: `${scenario.name}, file in ${directory}`,
    actions: [{ do: 'place', path: `${directory.replace(/\/$/, '')}/{token}${suffix}` }, ...scenario.actions],
  };
}

/** A listener as scenarios name it. */
export interface Listening {
  readonly index: number;
  readonly stream: boolean;
}

export function datagramScenarios(listener: number, name: string, payload: Payload): Scenario[] {
  return [
    {
      name: `datagram ${name}`,
      actions: [
        { do: 'datagram', listener, payload },
        { do: 'datagram', listener, payload },
      ],
    },
  ];
}

/** Time passes: what a service does every minute, hour or day. */
export const TIME_SCENARIOS: readonly Scenario[] = [
  {
    name: 'minutes pass',
    actions: [
      { do: 'wait', ms: 70_000 },
      { do: 'wait', ms: 70_000 },
    ],
  },
  { name: 'an hour passes', actions: [{ do: 'wait', ms: 3_600_000 }] },
  { name: 'a day passes', actions: [{ do: 'wait', ms: 86_400_000 }] },
];

/** Signals to the container's first process, idle and with a client connected. */
export function signalScenarios(listener: number | undefined, stopSignal: number): Scenario[] {
  const out: Scenario[] = [];
  for (const signal of new Set<number>([stopSignal, ...Object.values(SIGNALS)])) {
    const after: Action[] = [
      { do: 'signal', signal },
      { do: 'wait', ms: 15_000 },
    ];
    out.push({ name: `signal ${signal}`, actions: after });
    if (listener === undefined) continue;
    out.push({
      name: `signal ${signal} after a client`,
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'send', id: 'a', payload: 'hello {token}\n' },
        { do: 'close', id: 'a' },
        ...after,
        { do: 'connect', listener, id: 'b' },
        { do: 'close', id: 'b' },
      ],
    });
    out.push({
      name: `signal ${signal} with a client`,
      actions: [
        { do: 'connect', listener, id: 'a' },
        { do: 'signal', signal },
        { do: 'close', id: 'a' },
        { do: 'connect', listener, id: 'b' },
        { do: 'close', id: 'b' },
        { do: 'wait', ms: 15_000 },
      ],
    });
  }
  return out;
}

/** Bytes of a payload under one environment. */
export function encodePayload(
  payload: Payload,
  token: string,
  name: string | undefined,
  account?: string,
): Uint8Array {
  const user = account ?? token;

  const { host, port } = elsewhere(token);
  const bytes = (values: readonly number[]): string => String.fromCharCode(...values);
  const text = payload
    .replaceAll('{token}', token)
    .replaceAll('{name}', name ?? token)
    .replaceAll('{user}', user)
    .replaceAll('{password}', PASSWORD)
    .replaceAll('{login}', btoa(`\0${user}\0${PASSWORD}`))
    .replaceAll('{host}', host.join('.'))
    .replaceAll('{port}', String(port))
    .replaceAll('{host bytes}', bytes(host))
    .replaceAll('{port bytes}', bytes([port >>> 8, port & 0xff]));
  return Uint8Array.from(text, (ch) => ch.charCodeAt(0) & 0xff);
}

/** Whether it is somebody's who has an account. */
export const namesAccount = (payload: Payload): boolean => /\{(user|login)\}/.test(payload);

/** An address and a port that environments do not share; the address is public, the port of five digits. */
function elsewhere(token: string): { readonly host: readonly number[]; readonly port: number } {
  const hash = [...token].reduce((sum, ch) => (Math.imul(sum, 31) + ch.charCodeAt(0)) >>> 0, 7);
  return {
    host: [20 + (hash % 70), 1 + ((hash >>> 7) % 250), 1 + ((hash >>> 13) % 250), 1 + ((hash >>> 19) % 250)],
    port: 10_000 + (hash % 22_000),
  };
}
