// Requests of web services: which of the texts that a service holds in memory (live-texts.ts) it knows as paths of its
// own, under which names its handlers look for parameters, and the requests that are worth trying on a path.
import { decodeText } from '../bytes/index.ts';
import { resourceTexts } from '../effect/index.ts';
import { madeUp } from './known-words.ts';
import { ROUTE } from './live-texts.ts';
import { takeTurns } from './names.ts';
import type { Action, Scenario } from './scenario.ts';
import type { ScenarioTrace } from './trace.ts';

/** Paths that are tried, of all directories some. */
const MAX_ROUTES = 40;
/** Paths that are asked for in one run, beside some that nobody knows. */
const AT_ONCE = 20;
/** Of those, links in answers. */
const MAX_LINKS = 80;
/** Candidates that are looked at. */
const MAX_CANDIDATES = 240;
/** At first, and where requests cost much. */
const FEW = 4;
/** Instructions of asking for candidates at once, and of all of it, about a third of what serving may take by default. */
const SLICE = 60_000_000;
const MOST_INSTRUCTIONS = 250_000_000;
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

/** What who listens there answers to a first request in HTTP; undefined where it speaks another protocol. */
export function answerOverHttp(listener: number, play: Play): string | undefined {
  const scenario = requestsScenario('whether it speaks HTTP', listener, [`${request('GET', '/')}\r\n`]);
  return play(scenario)?.answers.find((text) => HTTP.test(text));
}

export interface KnownRoutes {
  readonly routes: readonly string[];
  /** How many were not looked at, or are known and left out. */
  readonly leftOut: number;
}

/**
 * The paths that are treated otherwise than made-up ones of the same shape, by the answer or by what is done with files,
 * and those that answers lead to, `home` (to a request for `/`) first; `play` plays on the service after boot.
 */
export function knownRoutes(
  listener: number,
  candidates: readonly string[],
  play: Play,
  home = '',
): KnownRoutes {
  const known: string[] = [];
  const queue = [...new Set([...linksIn(home, '/'), ...candidates])];
  const seen = new Set(queue);
  let [looked, followed, spent] = [0, 0, 0];
  let atOnce = FEW;
  while (looked < Math.min(queue.length, MAX_CANDIDATES) && spent < MOST_INSTRUCTIONS) {
    const some = queue.slice(looked, Math.min(looked + atOnce, MAX_CANDIDATES));
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
    spent += trace.instructions;
    // where each costs much, fewer are asked for in vain
    atOnce = Math.max(
      FEW,
      Math.min(AT_ONCE, Math.floor((SLICE * targets.length) / (trace.instructions + 1))),
    );
    const treatments = targets.map((target, i) => treatmentOf(trace, i, target));
    some.forEach((route, i) => {
      const unknown = treatments[1 + shapes.indexOf(unknownLike(route))];
      if (treatments[1 + shapes.length + i] !== unknown) known.push(route);
    });
    looked += some.length;
    // clients go where answers lead, before they guess
    const found = targets.flatMap((target, i) => linksIn(trace.answers[i] ?? '', target));
    const fresh = [...new Set(found)].filter((link) => !seen.has(link)).slice(0, MAX_LINKS - followed);
    for (const link of fresh) seen.add(link);
    followed += fresh.length;
    queue.splice(looked, 0, ...fresh);
  }
  const routes = byDirectory(known);
  const unseen = Math.max(0, queue.length - looked);
  return { routes, leftOut: unseen + known.length - routes.length };
}

/** Where a page leads: links, forms, frames, scripts; where a redirection does; paths in JSON. */
const LINKS =
  /(?:\b(?:href|src|action)\s*=\s*["']?|^(?:content-)?location:\s*|[:,[]\s*(?="\/)")([^\s"'<>]{1,200})/gim;
const LONGEST_LINK = 96;

/** Request targets on the same server that an answer to a request for `target` leads to, without what follows `?` or `#`. */
export function linksIn(answer: string, target: string): readonly string[] {
  if (!HTTP.test(answer)) return [];
  const base = new URL('http://localhost/');
  const from = URL.canParse(target, base.href) ? new URL(target, base) : base;
  const found = new Set<string>();
  for (const [, link] of answer.matchAll(LINKS)) {
    if (!URL.canParse(link, from.href)) continue;
    const { protocol, hostname, pathname } = new URL(link, from);
    if (protocol !== 'http:' || hostname !== 'localhost' || pathname.length > LONGEST_LINK) continue;
    // what was asked for and comes back leads nowhere
    if (pathname !== '/' && pathname !== target && !pathname.includes(STAND_IN)) found.add(pathname);
  }
  return [...found];
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

/** Sources in which paths are looked for, and paths taken of one. */
const ROUTED_SOURCES = 32;
const MAX_OF_SOURCE = 24;
/** A path as frameworks write it that leave the first slash out: it ends in one, or has a part that stands for something. */
const RELATIVE = /^[A-Za-z][\w.-]*\/(?:[\w.-]+\/|<[\w:]+>\/?)*$/;

/** Of the texts of an application's sources, in their order: paths, and what is one but for its first slash. */
export function routesInSources(sources: readonly Uint8Array[]): readonly string[] {
  const found = sources.slice(0, ROUTED_SOURCES).flatMap((bytes) => {
    const texts =
      bytes.length > MAX_SOURCE_BYTES ? [] : bytes.includes(0) ? countedTexts(bytes) : quotedTexts(bytes);
    return texts
      .flatMap((text) => (ROUTE.test(text) ? [text] : RELATIVE.test(text) ? [`/${text}`] : []))
      .slice(0, MAX_OF_SOURCE);
  });
  return [...new Set(found)];
}

const quotedTexts = (bytes: Uint8Array): readonly string[] =>
  [...decodeText(bytes).matchAll(/(["'`])([^"'`\s]{2,64})\1/g)].map((match) => match[2]);

/** Texts without spaces of compiled sources, cut to the length that stands before them. */
function countedTexts(bytes: Uint8Array): readonly string[] {
  if (!isCompiled(bytes)) return [];
  const text = String.fromCharCode(...bytes.subarray(0, 0x10000));
  return [...text.matchAll(/[!-~]{2,}/g)].flatMap(({ index, 0: run }) => {
    // the length itself may be a letter
    const starts = [index, index + 1].filter(
      (at) => at > 0 && bytes[at - 1] >= 2 && bytes[at - 1] <= run.length - (at - index),
    );
    return starts.map((at) => text.slice(at, at + bytes[at - 1]));
  });
}

/** Names of form fields in pages, and keys and names in JSON, as far as answers over HTTP have them. */
export function namesInAnswers(answers: readonly string[]): readonly string[] {
  const found = answers.flatMap((answer) => {
    if (!HTTP.test(answer)) return [];
    const isJson = /^content-type:[^\r\n]*json/im.test(answer);
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    return [...body.matchAll(isJson ? QUOTED : FIELD)].map((match) => match[2]);
  });
  return [...new Set(found)].filter((name) => name !== STAND_IN).slice(0, MAX_NAMES);
}

const FIELD = /\bname\s*=\s*(["']?)([A-Za-z_][\w-]{0,23})\1/g;

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
  const json = (value: string): string => `{${names.map((name) => `"${name}":"${value}"`).join(',')}}`;
  return requestsScenario(`parameters of ${target}`, listener, [
    `${request('GET', `${target}?${pairs('{token}')}`)}\r\n`,
    `${request('GET', `${target}?${pairs('1')}`)}\r\n`,
    `${request('POST', target)}${withBody(FORM, pairs('{token}'))}`,
    `${request('POST', target)}${withBody('application/json', json('{token}'))}`,
    `${request('POST', target)}${withBody('application/json', json('1'))}`,
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
