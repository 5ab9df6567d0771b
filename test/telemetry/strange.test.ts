// Lines that no source would write: values of other types, of other sizes, missing, characters changed. Never an error,
// neither of the source nor of the monitor behind it, and never an endless one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  observationJson,
  printObservation as print,
  type SourceName,
  Surveyor,
} from '../../src/telemetry/index.ts';
import { boot, ECHO, end, exploit, serve } from '../monitor/echo.ts';
import { random } from './avro-data.ts';
import { feedLines, watch } from './feeds.ts';
import { calls, falcoLines, sinspLines, straceLines, tetragonLines } from './sessions.ts';
import { traceeLines, traceeNewLines } from './sessions-tracee.ts';

const session = calls([...boot, ...serve, ...exploit, ...end]);
const strange: readonly unknown[] = [
  null,
  0,
  -1,
  1e300,
  2 ** 53,
  '',
  'x',
  '-',
  '18446744073709551615',
  [],
  [[]],
  {},
  true,
  '\u0000',
  '/'.repeat(5000),
];

type Random = ReturnType<typeof random>;

/** A value somewhere within is another one. */
function bend(value: unknown, pick: Random): unknown {
  if (typeof value !== 'object' || value === null || pick(6) === 0) return strange[pick(strange.length)];
  if (Array.isArray(value)) {
    if (value.length === 0) return [strange[pick(strange.length)]];
    const at = pick(value.length);
    return value.map((each, i) => (i === at ? bend(each, pick) : (each as unknown)));
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return strange[pick(strange.length)];
  const at = pick(entries.length);
  if (pick(5) === 0) entries.splice(at, 1);
  else entries[at] = [entries[at][0], bend(entries[at][1], pick)];
  return Object.fromEntries(entries);
}

function scratch(line: string, pick: Random): string {
  const at = pick(line.length);
  const kind = pick(3);
  if (kind === 0) return line.slice(0, at) + line.slice(at + 1 + pick(8));
  if (kind === 1) return line.slice(0, at) + String.fromCharCode(pick(256)) + line.slice(at + 1);
  return line.slice(0, at) + line.slice(pick(line.length));
}

const tellers: readonly (readonly [SourceName, readonly string[], boolean])[] = [
  ['falco', falcoLines(session), true],
  ['tetragon', tetragonLines(session), true],
  ['tracee', traceeLines(session), true],
  ['tracee', traceeNewLines(session), true],
  ['sinsp', sinspLines(session), false],
  ['strace', straceLines(session), false],
];

for (const [i, [source, lines, json]] of tellers.entries())
  test(`${source} (${i}): strange lines`, () => {
    const pick = random(i + 1);
    for (let round = 0; round < 60; round++) {
      const bent = lines.map((line) => {
        if (pick(4) !== 0) return line;
        return json && pick(2) === 0 ? JSON.stringify(bend(JSON.parse(line), pick)) : scratch(line, pick);
      });
      const sees = round % 2 === 0 ? {} : { sees: new Set(['EXEC', 'CLONE', 'OPEN'] as const) };
      const fed = feedLines(source, bent, sees);
      assert.ok(fed.observations.length < 20 * lines.length);
      watch(fed, ECHO);
      const surveyor = new Surveyor();
      for (const observation of fed.observations) {
        surveyor.add(observation);
        assert.equal(typeof print(observation), 'string');
        JSON.parse(observationJson(observation));
      }
      surveyor.result();
    }
  });
