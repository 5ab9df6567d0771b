// The same sessions told by every source: a healthy one has no findings, an intrusion is found as far as the source
// can see it. And what each source makes of single lines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Op } from '../../src/effect/index.ts';
import { printIncident } from '../../src/monitor/index.ts';
import type { Observation, SourceName } from '../../src/telemetry/index.ts';
import { boot, ECHO, end, exploit, healthy, serve } from '../monitor/echo.ts';
import { brief } from '../monitor/kit.ts';
import { sysFlowFile } from '../monitor/sysflow.ts';
import { type Fed, feed, feedLines, watch } from './feeds.ts';
import { printObservation } from './print.ts';
import { type Call, calls, falcoLines, sinspLines, straceLines, tetragonLines } from './sessions.ts';
import { traceeLines, traceeNewLines } from './sessions-tracee.ts';

interface Teller {
  readonly source: SourceName;
  readonly lines: (session: readonly Call[]) => string[];
}

const tellers: Readonly<Record<string, Teller>> = {
  falco: { source: 'falco', lines: falcoLines },
  sinsp: { source: 'sinsp', lines: sinspLines },
  tetragon: { source: 'tetragon', lines: tetragonLines },
  tracee: { source: 'tracee', lines: traceeLines },
  'tracee v1beta1': { source: 'tracee', lines: traceeNewLines },
};

/** Flows lose and invent ends of open files; told call by call, the shell never closes its script. */
const exactly = (observations: readonly Observation[]): Call[] =>
  calls(observations).filter(
    ({ op, resource }) => !(op === 'CLOSE' && resource.kind === 'file' && resource.path === '/entry.sh'),
  );

const attacked = [...boot, ...serve, ...exploit, ...end];
const execs: ReadonlySet<Op> = new Set<Op>(['EXEC']);

const container = { id: 'echo', name: 'echo', image: 'example/echo:1', imageId: '', privileged: false };

test('strace: a healthy session has no findings, a shell that the server runs is found', () => {
  const told = (session: readonly Observation[]): Fed =>
    feedLines('strace', straceLines(exactly(session)), { container, step: 100 });
  const well = watch(told(healthy), ECHO);
  assert.deepEqual(brief(well.findings), []);
  assert.ok(well.summary.counters.watched > 10);
  assert.equal(well.summary.containers[0]?.fromStart, true);
  const { findings } = watch(told(attacked), ECHO);
  assert.ok(findings.some(({ effect }) => effect.op === 'CLONE'));
  assert.ok(findings.some(({ effect }) => effect.resource === '/bin/sh -c id'));
});

test('sysflow: the same from a file and from pieces of it', () => {
  for (const step of [1, 1000, 1 << 20]) {
    assert.deepEqual(brief(watch(feed('sysflow', sysFlowFile(healthy), { step }), ECHO).findings), []);
    const { findings } = watch(feed('sysflow', sysFlowFile(attacked), { step }), ECHO);
    assert.deepEqual(
      findings.map(({ kind }) => kind),
      ['foreign-effect', 'foreign-program'],
    );
  }
});

for (const [name, { source, lines }] of Object.entries(tellers)) {
  const told = (session: Parameters<typeof calls>[0], sees?: ReadonlySet<Op>): Fed =>
    feedLines(source, lines(exactly(session)), sees === undefined ? {} : { sees });

  test(`${name}: a healthy session has no findings`, () => {
    for (const sees of [undefined, execs]) {
      const { findings, summary } = watch(told(healthy, sees), ECHO);
      assert.deepEqual(brief(findings), []);
      assert.equal(summary.counters.gaps, 0);
      assert.ok(summary.counters.watched > 5, `${summary.counters.watched} records were watched`);
      assert.equal(summary.containers[0]?.policy, 'policy');
    }
  });

  test(`${name}: a shell that the server runs is found`, () => {
    for (const sees of [undefined, execs]) {
      const { findings, summary } = watch(told(attacked, sees), ECHO);
      assert.ok(findings.length > 0);
      const incidents = summary.incidents.map((incident) => printIncident(incident)).join('\n');
      assert.match(incidents, /\/bin\/sh/);
      // Without a record of each exec the program's name is all that tells it.
      if (sees !== undefined && source !== 'sinsp')
        assert.ok(
          findings.some(
            ({ kind, effect }) => kind === 'foreign-program' && effect.resource === '/bin/sh -c id',
          ),
        );
    }
  });

  test(`${name}: every part of a healthy session, in any part of it, has no findings`, () => {
    const whole = lines(exactly(healthy));
    for (let from = 0; from < whole.length; from += 3) {
      // What a rule may have left out: every third line, and everything before some line.
      const some = whole.slice(from).filter((_, i) => i % 3 !== from % 3);
      const { findings } = watch(feedLines(source, some), ECHO);
      // Tetragon's execs cannot be left out one by one.
      if (source === 'tetragon') continue;
      assert.deepEqual(brief(findings), [], `${from}`);
    }
  });

  test(`${name}: pieces of any size, damaged and foreign lines`, () => {
    const whole = lines(exactly(attacked));
    const wanted = feedLines(source, whole).observations.map(printObservation);
    assert.deepEqual(feedLines(source, whole, { step: 7 }).observations.map(printObservation), wanted);
    const damaged = [...whole];
    damaged.splice(4, 0, whole[4].slice(0, -20), '', '{"a": 1}', 'hello');
    const { observations, feed } = feedLines(source, damaged);
    const gaps = observations.filter(({ kind }) => kind === 'gap').length;
    const skipped = [...feed.skipped.values()].reduce((a, b) => a + b, 0);
    const before = [...feedLines(source, whole).feed.skipped.values()].reduce((a, b) => a + b, 0);
    assert.ok(gaps + skipped - before >= 2, `${gaps} gaps, ${skipped - before} skipped`);
  });
}
