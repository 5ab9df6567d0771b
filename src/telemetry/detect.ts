// Which source wrote a trace, by its first bytes; and the table of sources.
import { decodeText } from '../bytes/index.ts';
import { falcoFeed } from './falco.ts';
import type { MakeFeed } from './feed.ts';
import { type JsonObject, jsonObject, objectAt } from './json-lines.ts';
import { looksLikeSinsp, sinspFeed } from './sinsp-text.ts';
import { straceFeed } from './strace-feed.ts';
import { sysFlowFeed } from './sysflow-feed.ts';
import { TETRAGON_KINDS, tetragonFeed } from './tetragon.ts';
import { isTracee, traceeFeed } from './tracee.ts';

/** One row a source. */
export const SOURCES = {
  sysflow: { make: sysFlowFeed, what: 'SysFlow container files' },
  strace: { make: straceFeed, what: "strace's text" },
  falco: { make: falcoFeed, what: "Falco's alerts as JSON, Sysdig's events as JSON" },
  sinsp: { make: sinspFeed, what: "Sysdig's lines of events" },
  tetragon: { make: tetragonFeed, what: "Tetragon's export log" },
  tracee: { make: traceeFeed, what: "Tracee's events as JSON" },
} as const satisfies Readonly<Record<string, { readonly make: MakeFeed; readonly what: string }>>;

export type SourceName = keyof typeof SOURCES;
export const SOURCE_NAMES = Object.keys(SOURCES) as readonly SourceName[];

/** How many bytes `detectSource` wants to see, where there are as many. */
export const detectBytes = 1 << 16;

/**
 * The source that wrote what begins with these bytes; undefined where it is none that is known. Damaged first lines are
 * passed over. `whole`: there is no more than this.
 */
export function detectSource(bytes: Uint8Array, whole: boolean): SourceName | undefined {
  if (bytes.length >= 4 && bytes[0] === 0x4f && bytes[1] === 0x62 && bytes[2] === 0x6a && bytes[3] === 1)
    return 'sysflow';
  const lines = decodeText(bytes).split('\n');
  if (!whole) lines.pop();
  for (const line of lines) {
    const found = ofLine(line.replace(/\r$/, ''));
    if (found !== undefined) return found;
  }
  return undefined;
}

function ofLine(line: string): SourceName | undefined {
  if (line.includes('{')) {
    const object = jsonObject(line);
    const found = object === undefined ? undefined : ofObject(object);
    if (found !== undefined) return found;
  }
  if (looksLikeSinsp(line)) return 'sinsp';
  return looksLikeStrace(line) ? 'strace' : undefined;
}

function ofObject(object: JsonObject): SourceName | undefined {
  if (TETRAGON_KINDS.some((kind) => object[kind] !== undefined)) return 'tetragon';
  if (isTracee(object)) return 'tracee';
  const falco = object['rule'] !== undefined && objectAt(object, 'output_fields') !== undefined;
  return falco || object['evt.type'] !== undefined || object['evt.num'] !== undefined ? 'falco' : undefined;
}

/** With or without a pid and a time in front: a call, an exit, a signal. */
const looksLikeStrace = (line: string): boolean =>
  /^(\d+ +|\[pid +\d+\] )?(\d+\.\d+ |\d\d:\d\d:\d\d(\.\d+)? )?([a-z_][a-z0-9_]*\(.*(= (-?\d|0x|\?)|<unfinished \.\.\.>|\)$)|<\.\.\. \w+ resumed>|\+\+\+ (exited|killed) |--- SIG)/.test(
    line,
  );
