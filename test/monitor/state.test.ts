// Snapshots: a monitor that goes on from one says what the other would have said, nothing twice and nothing less.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MonitorState } from '../../src/monitor/index.ts';
import { createMonitor } from '../../src/monitor/index.ts';
import type { Policy } from '../../src/policy/index.ts';
import { allowFinding, createReport, readFindings } from '../../src/report/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { boot, ECHO, exploit, healthy } from './echo.ts';
import { generator, randomPolicy, records, walk } from './generate.ts';
import { brief, collect, flow, gap, type Outcome, type RunOptions, run, SYSFLOW } from './kit.ts';

/** As text and back, as it is in a file. */
const through = (state: MonitorState): MonitorState => JSON.parse(JSON.stringify(state)) as MonitorState;

/** Stopped and started again before each of these records. */
function inParts(
  policy: Policy,
  told: readonly Observation[],
  stops: readonly number[],
  options: RunOptions = {},
): Outcome {
  const findings: Outcome['findings'][number][] = [];
  const notes: Outcome['notes'][number][] = [];
  let now = collect([policy], options);
  for (const [i, observation] of told.entries()) {
    if (stops.includes(i)) {
      const state = now.monitor.state();
      findings.push(...now.findings);
      notes.push(...now.notes);
      now = collect([policy], options);
      now.monitor.restore(through(state), 'test');
      assert.deepEqual(
        through(now.monitor.state()),
        through(state),
        'the state of a restored monitor is the same',
      );
    }
    now.monitor.observe(observation, options.traits ?? SYSFLOW);
  }
  now.monitor.flush();
  return {
    findings: [...findings, ...now.findings],
    notes: [...notes, ...now.notes],
    summary: now.monitor.summary(),
  };
}

const said = ({ findings, summary: { incidents, ...rest } }: Outcome): unknown => [
  findings.map(({ id, kind, effect, why }) => ({ id, kind, effect, why })),
  rest,
  incidents.map(({ id, time, lastTime, severity, more, processes, effects, findings: of }) => [
    [id, time, lastTime, severity, more, processes, effects],
    of.map(({ id: finding, count }) => [finding, count]),
  ]),
];

test('state: stopping anywhere in a run changes nothing that is said', () => {
  const told = [...boot, ...exploit, ...exploit, ...healthy.slice(boot.length)];
  const whole = run(ECHO, told);
  assert.ok(whole.findings.length > 0);
  for (let at = 0; at < told.length; at++)
    assert.deepEqual(said(inParts(ECHO, told, [at])), said(whole), `before record ${at}`);
});

test('state: random runs, strange ones too, stopped several times', () => {
  let findings = 0;
  for (let seed = 0; seed < 40; seed++) {
    const random = generator(seed * 31_337 + 7);
    const policy = randomPolicy(random, 4 + random(8));
    const other = seed % 2 === 0 ? policy : randomPolicy(random, 4 + random(8));
    const told: Observation[] = [];
    for (const each of records(random, walk(random, policy, 80, 2), { jitter: 100 })) {
      if (random(40) === 0) told.push(gap());
      if (random(40) !== 0 || each.kind === 'process') told.push(each);
    }
    const whole = run(other, told);
    const stops = [random(told.length), random(told.length), random(told.length)];
    assert.deepEqual(said(inParts(other, told, stops)), said(whole), `seed ${seed}, ${stops}`);
    findings += whole.findings.length;
  }
  assert.ok(findings > 20, `${findings}`);
});

test('state: what was told, throttled and allowed stays so', () => {
  const storm = (from: number): Observation[] =>
    Array.from({ length: 700 }, (_, i) =>
      flow(1000 + from + i, 1000 + from + i, 10, `OPEN r /etc/secret${from + i}x`),
    );
  const told = [...boot, ...storm(0), ...storm(0), ...storm(700)];
  const whole = run(ECHO, told);
  const parts = inParts(ECHO, told, [boot.length + 100, boot.length + 800, boot.length + 1500]);
  assert.deepEqual(said(parts), said(whole));
  assert.ok(whole.summary.counters.repeated >= 200 && whole.summary.counters.unreported > 100);
});

test('state: with exceptions, what they covered goes on being counted, and nothing they cover is told', () => {
  const reads = (path: string, ms: number): Observation => flow(ms, ms + 1, 10, `OPEN+READ+CLOSE r ${path}`);
  const [first] = run(ECHO, [...boot, reads('/etc/passwd', 300)]).findings;
  const line = createReport('json', { version: '0', hostname: '' }).finding(first);
  const reviewed = { name: 'users', why: 'reviewed', by: 'somebody', created: '2020-01-01T00:00:00Z' };
  const wide = { anyArgs: false, anyPeer: false, anyImage: false, anyAutomaton: false };
  const amendment = allowFinding(readFindings(line, 'findings.ndjson')[0], { ...reviewed, ...wide }, []);
  const later = [reads('/etc/passwd', 300), reads('/etc/shadow', 310), reads('/etc/passwd', 320)];
  const told = [...boot, ...later, ...later];
  const options = { amendments: [amendment] };
  const whole = run(ECHO, told, options);
  assert.equal(whole.summary.amendments[0].covered, 4);
  assert.deepEqual(
    whole.findings.map(({ effect }) => effect.resource),
    ['/etc/shadow'],
  );
  for (let at = 0; at < told.length; at++)
    assert.deepEqual(said(inParts(ECHO, told, [at], options)), said(whole), `before record ${at}`);
});

test('state: the same run gives the same text', () => {
  const text = (): string => {
    const { monitor } = collect([ECHO]);
    for (const each of [...boot, ...exploit]) monitor.observe(each, SYSFLOW);
    return JSON.stringify(monitor.state());
  };
  assert.equal(text(), text());
});

test('state: after a restart of the socket nothing is an alarm that was missed meanwhile', () => {
  const told = [...boot, ...healthy.slice(boot.length)];
  for (let stop = boot.length; stop < told.length; stop++)
    for (let missed = 0; missed <= told.length - stop; missed++) {
      const rest: Observation[] = [gap(), { kind: 'stream', exporter: 'node', version: 5 }];
      const { findings } = inParts(
        ECHO,
        [...told.slice(0, stop), ...rest, ...told.slice(stop + missed)],
        [stop],
      );
      assert.deepEqual(brief(findings), [], `stopped at ${stop}, ${missed} missed`);
    }
});

test('state: what does not fit is refused in one line', () => {
  const { monitor } = collect([ECHO]);
  for (const each of boot) monitor.observe(each, SYSFLOW);
  const state = through(monitor.state());
  const restore = (given: unknown, policy: Policy = ECHO, name = 'policy0'): void =>
    createMonitor([{ name, policy }]).restore(given as MonitorState, 'x.state');
  restore(state);
  const wrong = { name: 'InputError', message: /^[^\n]*x\.state[^\n]*(remove it|another file)/ };
  assert.throws(() => restore({ ...state, version: 99 }), { ...wrong, message: /another version/ });
  assert.throws(() => restore(state, { ...ECHO, version: 'other' }), {
    ...wrong,
    message: /other policies: policy0/,
  });
  assert.throws(() => restore(state, ECHO, 'another'), { ...wrong, message: /other policies/ });
  const random = generator(99);
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const objects = structuredClone(state.objects) as unknown[][];
    const object = objects[random(objects.length)];
    if (i % 3 === 0) object.splice(random(object.length), 1);
    else if (i % 3 === 1) object[0] = 'Z';
    else object.push([99_999_999]);
    try {
      restore({ ...state, objects });
    } catch (error) {
      assert.equal((error as Error).name, 'InputError', String((error as Error).stack));
      refused++;
    }
  }
  assert.ok(refused > 200, `${refused}`);
});
