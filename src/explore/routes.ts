// Requests of web services: which of the texts that a service holds in memory (live-texts.ts) it knows as paths of its
// own, under which names its handlers look for parameters, and the requests that are worth trying on a path.
import { decodeText } from '../bytes/index.ts';
import { resourceTexts } from '../effect/index.ts';
import { madeUp } from './known-words.ts';
import { takeTurns } from './names.ts';
import type { Action, Scenario } from './scenario.ts';
import type { ScenarioTrace } from './trace.ts';

/** Paths that are tried, of all directories some. */
const MAX_ROUTES = 40;
/** Paths that are asked for in one run, beside some that nobody knows. */
const AT_ONCE = 20;
/** Candidates that are looked at. */
const MAX_CANDIDATES = 240;
/** Names of parameters that are sent at once. */
const MAX_NAMES = 48;
/** Of one source, before those of the next one. */
const TURN = 6;
/** Of a source file. */
const MAX_SOURCE_BYTES = 256 * 1024;

const HTTP = /^HTTP\/\d/;
const STAND_IN = 'qxzjvkw';
const request = (method: string, target: string): string =>
  `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;

/** Undefined: not any more. */
type Play = (scenario: Scenario) => ScenarioTrace | undefined;

/** Whether who listens there speaks HTTP. */
export function speaksHttp(listener: number, play: Play): boolean {
  const scenario = requestsScenario('whether it speaks HTTP', listener, [`${request('GET', '/')}\r\n`]);
  return play(scenario)?.answers.some((text) => HTTP.test(text)) ?? false;
}

export interface KnownRoutes {
  readonly routes: readonly string[];
  /** How many were not looked at, or are known and left out. */
  readonly leftOut: number;
}

/**
 * The paths that are treated otherwise than made-up ones of the same shape, by the answer or by what is done with files;
 * `play` plays on the service after boot.
 */
export function knownRoutes(listener: number, candidates: readonly string[], play: Play): KnownRoutes {
  const known: string[] = [];
  const end = Math.min(candidates.length, MAX_CANDIDATES);
  let looked = 0;
  for (; looked < end; looked += AT_ONCE) {
    const some = candidates.slice(looked, Math.min(end, looked + AT_ONCE));
    const shapes = [...new Set(some.map(unknownLike))];
    // the first request of all may do what no later one does
    const targets = [shapes[0], ...shapes, ...some];
    const trace = play(
      requestsScenario(
        'whether paths are known',
        listener,
        targets.map((target) => `${request('GET', target)}\r\n`),
      ),
    );
    if (trace === undefined) break;
    const treatments = targets.map((target, i) => treatmentOf(trace, i, target));
    some.forEach((route, i) => {
      const unknown = treatments[1 + shapes.indexOf(unknownLike(route))];
      if (treatments[1 + shapes.length + i] !== unknown) known.push(route);
    });
  }
  const routes = byDirectory(known);
  const unseen = Math.max(0, candidates.length - looked);
  return { routes, leftOut: unseen + known.length - routes.length };
}

/** A path of as many parts that nobody uses. What stands for clients' own text stays. */
const unknownLike = (route: string): string =>
  route
    .split('/')
    .map((part) => {
      if (part === '') return part;
      const around = part.split('{token}');
      return around.length === 1 ? STAND_IN : around.map((text) => madeUp(text, STAND_IN)).join('{token}');
    })
    .join('/');

/** What a request got and what was done with files for it, without what differs between two of the same kind. */
function treatmentOf(trace: ScenarioTrace, request: number, asked: string): string {
  const { answers, marks, steps, chosen } = trace;
  const target = asked.replaceAll('{token}', chosen);
  const [first, end] = [request * REQUEST_ACTIONS, (request + 1) * REQUEST_ACTIONS - 1];
  const done = marks.length > end ? steps.slice(marks[first - 1]?.steps ?? 0, marks[end].steps) : [];
  const effects = done.flatMap((step) => {
    if (step.kind !== 'effect') return [];
    const { op, resource } = step.event.effect;
    if (resource.kind !== 'file' && resource.kind !== 'program') return [];
    // what is below a directory for it, not what it names itself
    const texts = resourceTexts(resource).map((text) =>
      text.endsWith(target) && text !== target ? text.slice(0, -target.length) : text,
    );
    return [`${op} ${Math.min(step.event.result, 0)} ${texts.join(' ')}`];
  });
  return JSON.stringify([plain(answers[request] ?? '', target), [...new Set(effects)].sort()]);
}

/** An answer without what differs between two requests of the same kind; lengths tell what is said of the target. */
const plain = (answer: string, target: string): string =>
  answer
    .replace(/\b(?:date|etag|expires|last-modified|set-cookie|content-length):[^\r\n]*/gi, '')
    .replaceAll(target, '');

/** Some of every directory, so that one with many does not take all places. */
function byDirectory(routes: readonly string[]): readonly string[] {
  const groups = new Map<string, string[]>();
  for (const route of routes) {
    const directory = route.split('/')[1];
    const group = groups.get(directory);
    if (group === undefined) groups.set(directory, [route]);
    else group.push(route);
  }
  return takeTurns([...groups.values()], MAX_ROUTES);
}

const QUOTED = /(["'`])([A-Za-z_][\w-]{0,23})\1/g;

/**
 * Short names between quotes in source texts, or after their length in compiled ones (Python's): keys of parameters,
 * fields and headers are among them.
 */
export function quotedNames(sources: readonly Uint8Array[]): readonly string[] {
  const lists = sources.map((bytes) => {
    if (bytes.length > MAX_SOURCE_BYTES) return [];
    if (bytes.includes(0)) return isCompiled(bytes) ? countedNames(bytes) : [];
    return [...new Set([...decodeText(bytes).matchAll(QUOTED)].map(([, , name]) => name))];
  });
  // of each some at a time: the first sources are the application's
  const named = lists.filter(({ length }) => length > 0);
  const longest = Math.max(0, ...named.map(({ length }) => length));
  const turns = Array.from({ length: Math.ceil(longest / TURN) }, (_, i) =>
    named.flatMap((list) => list.slice(TURN * i, TURN * (i + 1))),
  );
  return [...new Set(turns.flat())].slice(0, MAX_NAMES);
}

/** Python's compiled modules (an end of line at 2), and Java's classes: constants stand after their length in both. */
const isCompiled = (bytes: Uint8Array): boolean =>
  (bytes[2] === 0x0d && bytes[3] === 0x0a) || (bytes[0] === 0xca && bytes[1] === 0xfe && bytes[2] === 0xba);

function countedNames(bytes: Uint8Array): string[] {
  const found = new Set<string>();
  const text = String.fromCharCode(...bytes.subarray(0, 0x10000));
  for (const { index, 0: run } of text.matchAll(/[A-Za-z_][\w-]{0,23}/g))
    if (index > 0 && bytes[index - 1] <= run.length && bytes[index - 1] > 0)
      found.add(run.slice(0, bytes[index - 1]));
  return [...found];
}

/** As long as the token of every environment. */
const ANY_TOKEN = 'token';

/** A body that is longer than the buffers in which servers keep one. */
const LONG_BODY = `x=${'1'.repeat(20_000)}`;

const FORM = 'application/x-www-form-urlencoded';

function withBody(type: string, text: string): string {
  const length = text.replaceAll('{token}', ANY_TOKEN).length;
  return `Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${text}`;
}

/** What clients send to a path: every method, what is below it, a parameter that nobody knows. */
export function routeScenario(listener: number, target: string): Scenario {
  const below = `${target.replace(/\/$/, '')}/{token}`;
  const long = withBody(FORM, LONG_BODY);
  const short = withBody('text/plain', 'hello');
  return requestsScenario(`path ${target}`, listener, [
    `${request('GET', target)}\r\n`,
    `${request('GET', `${target}?{token}=1`)}\r\n`,
    `${request('POST', target)}${short}`,
    `${request('PUT', target)}${short}`,
    `${request('POST', target)}${long}`,
    ...(target.includes('{token}')
      ? []
      : [
          `${request('POST', below)}${long}`,
          `${request('PUT', below)}${short}`,
          `${request('GET', below)}\r\n`,
          `${request('DELETE', below)}\r\n`,
        ]),
    `${request('GET', target)}\r\n`,
    `${request('DELETE', target)}\r\n`,
  ]);
}

/** Parameters of these names, all at once, in every form. */
export function parameterScenario(listener: number, target: string, names: readonly string[]): Scenario {
  const pairs = (value: string): string => names.map((name) => `${name}=${value}`).join('&');
  const json = `{${names.map((name) => `"${name}":"{token}"`).join(',')}}`;
  return requestsScenario(`parameters of ${target}`, listener, [
    `${request('GET', `${target}?${pairs('{token}')}`)}\r\n`,
    `${request('GET', `${target}?${pairs('1')}`)}\r\n`,
    `${request('POST', target)}${withBody(FORM, pairs('{token}'))}`,
    `${request('POST', target)}${withBody('application/json', json)}`,
  ]);
}

/** Actions of one request. */
const REQUEST_ACTIONS = 4;

/** Requests one after the other, on a connection each. */
function requestsScenario(name: string, listener: number, requests: readonly string[]): Scenario {
  return {
    name,
    actions: [
      ...requests.flatMap((payload, i): Action[] => [
        { do: 'connect', listener, id: `r${i}` },
        { do: 'send', id: `r${i}`, payload },
        { do: 'wait', ms: 20 },
        { do: 'close', id: `r${i}` },
      ]),
      { do: 'wait', ms: 1000 },
    ],
  };
}
