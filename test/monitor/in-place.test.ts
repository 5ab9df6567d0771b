// Flows in place are judged as their observations are: findings, notes and counts, on healthy and on strange runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryAccess } from '../../src/host/index.ts';
import type { MonitorOptions } from '../../src/monitor/index.ts';
import type { Policy } from '../../src/policy/index.ts';
import { type Observation, openSysFlow } from '../../src/telemetry/index.ts';
import { generator, type Random, randomPolicy, records, walk } from './generate.ts';
import { collect, type Outcome } from './kit.ts';
import { sysFlowFile } from './sysflow.ts';

function both(
  policies: readonly Policy[],
  file: Uint8Array,
  options: MonitorOptions = {},
): readonly [Outcome, Outcome, number] {
  const open = () => openSysFlow(memoryAccess('test', file));
  const one = collect(policies, options);
  const first = open();
  for (const observation of first.observations()) one.monitor.observe(observation, first.traits);
  one.monitor.flush();
  const other = collect(policies, options);
  const second = open();
  let flows = 0;
  second.read({
    observe: (observation) => other.monitor.observe(observation, second.traits),
    flow: (row) => {
      flows++;
      other.monitor.flow(row, second.traits);
    },
  });
  other.monitor.flush();
  return [
    { findings: one.findings, notes: one.notes, summary: one.monitor.summary() },
    { findings: other.findings, notes: other.notes, summary: other.monitor.summary() },
    flows,
  ];
}

/** What a summary says, without what the monitor keeps behind it. */
const said = ({ summary: { incidents, ...rest } }: Outcome): unknown => [
  rest,
  incidents.map(({ id, time, lastTime, severity, more, processes, effects, findings }) => [
    [id, time, lastTime, severity, more, processes, effects],
    findings.map(({ id, count }) => [id, count]),
  ]),
];

/** Some records lost, twice, later, or by another task. */
function shaken(random: Random, told: readonly Observation[]): Observation[] {
  const out: Observation[] = [];
  for (const each of told) {
    const what = each.kind === 'flow' || each.kind === 'event' ? random(30) : 29;
    if (what === 0) continue;
    out.push(each);
    if (what === 1) out.push(each);
    if (what === 2 && each.kind === 'flow') out.push({ ...each, end: each.end + 40_000_000_000n });
    if (what === 3 && each.kind === 'flow')
      out.push({ ...each, task: { ...each.task, tid: each.task.tid + 1 } });
  }
  return out;
}

test('flows in place are judged as observations are', () => {
  let findings = 0;
  let flows = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = generator(seed * 6_700_417 + 11);
    const policy = randomPolicy(random, 4 + random(10));
    const other = seed % 3 === 0 ? randomPolicy(random, 4 + random(6)) : policy;
    const told = records(random, walk(random, policy, 120, seed % 2 === 0 ? 0.001 : 2), { jitter: 5 });
    const file = sysFlowFile(seed % 4 === 1 ? told : shaken(random, told));
    const [one, two, count] = both([other], file);
    assert.deepEqual(two.findings, one.findings, `seed ${seed}`);
    assert.deepEqual(two.notes, one.notes, `seed ${seed}`);
    assert.deepEqual(said(two), said(one), `seed ${seed}`);
    findings += one.findings.length;
    flows += count;
  }
  assert.ok(findings > 100 && flows > 1000, `${findings} findings, ${flows} flows`);
});

/** As `shaken`, and worse: records much later, from long ago, of times that are none, ends before beginnings. */
function tossed(random: Random, told: readonly Observation[]): Observation[] {
  const out: Observation[] = [];
  let held: (readonly [at: number, each: Observation])[] = [];
  for (const each of told) {
    const what = each.kind === 'flow' || each.kind === 'event' ? random(40) : 39;
    if (what === 0) {
      held.push([out.length + 1 + random(60), each]);
      continue;
    }
    out.push(each);
    if (each.kind === 'flow') {
      if (what === 1) out.push({ ...each, start: each.start - 200_000_000_000n });
      if (what === 2) out.push({ ...each, start: each.end + 5n, end: each.start });
      if (what === 3) out.push({ ...each, start: each.start - 95_000_000_000n, end: each.start });
      if (what === 4) out.push({ ...each, fd: random(3), ops: new Set([...each.ops, 'SHUTDOWN']) });
    } else if (each.kind === 'event' && what === 5) {
      out.push({ ...each, time: each.time + 3_000_000_000_000n });
    }
    out.push(...held.filter(([at]) => at <= out.length).map(([, late]) => late));
    held = held.filter(([at]) => at > out.length);
  }
  return [...out, ...held.map(([, late]) => late)];
}

test('flows in place are judged as observations are, in whatever order and at whatever times', () => {
  let findings = 0;
  let late = 0;
  let early = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = generator(seed * 7_368_787 + 13);
    const policy = randomPolicy(random, 4 + random(12));
    const pace = [0.001, 2, 20][seed % 3];
    const told = records(random, walk(random, policy, 200, pace), { jitter: [5, 2000, 20_000][random(3)] });
    const file = sysFlowFile(tossed(random, shaken(random, told)));
    const [one, two] = both([policy], file, seed % 4 === 0 ? { limits: { pending: 50 } } : {});
    assert.deepEqual(two.findings, one.findings, `seed ${seed}`);
    assert.deepEqual(two.notes, one.notes, `seed ${seed}`);
    assert.deepEqual(said(two), said(one), `seed ${seed}`);
    findings += one.findings.length;
    late += one.summary.counters.late;
    early += one.summary.counters.early;
  }
  assert.ok(
    findings > 100 && late > 100 && early > 100,
    `${findings} findings, ${late} late, ${early} early`,
  );
});
