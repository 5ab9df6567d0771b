// A stream that goes on and on is watched in bounded room: what is kept does not grow with what has passed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Resource } from '../../src/effect/index.ts';
import { FlowRow, type StreamFile, type StreamProcess } from '../../src/telemetry/index.ts';
import { collect, event, SYSFLOW } from './kit.ts';
import { one, started } from './one.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const begin = 1_600_000_000_000_000_000n;

test('long: ever new files and clients', () => {
  const policy = one(
    '0 > 1 ACCEPT tcp 0.0.0.0:80 <-> *:[0-9]+\n1 > 2 OPEN r /data/[0-9]+\n2 > 0 READ /data/[0-9]+\nserve 0 1 2',
  );
  const { monitor, findings } = collect([policy]);
  for (const each of started) monitor.observe(each, SYSFLOW);
  const first = event(1, 1, 'EXEC /bin/one');
  assert.ok(first.kind === 'event');
  const process: StreamProcess = { row: 0, id: first.task.process };
  const row = new FlowRow();
  row.process = process;
  row.tid = 1;
  row.fd = 7;
  const at = (high: 'startHigh' | 'endHigh', low: 'startLow' | 'endLow', ms: number): void => {
    const time = begin + BigInt(Math.round(ms * 1e6));
    row[high] = Number(time >> 32n);
    row[low] = Number(BigInt.asIntN(32, time));
  };
  const sizes: number[] = [];
  const total = 150_000;
  for (let n = 0; n < total; n++) {
    const ms = 10 + 20 * n;
    row.file = undefined;
    row.protocol = 'tcp';
    row.localAddress = 0x040011ac;
    row.localPort = 80;
    row.peerAddress = 0x0a + n * 256;
    row.peerPort = 1024 + (n % 60_000);
    row.opFlags = 1 << 5;
    at('startHigh', 'startLow', ms);
    at('endHigh', 'endLow', ms);
    monitor.flow(row, SYSFLOW);
    const resource: Extract<Resource, { kind: 'file' }> = { kind: 'file', type: 'f', path: `/data/${n}` };
    const file: StreamFile = { row: n % 100_000, type: 'f', resource, start: 0, end: 0 };
    row.file = file;
    row.openFlags = 1;
    row.opFlags = (1 << 7) | (1 << 8) | (1 << 10);
    at('startHigh', 'startLow', ms + 5);
    at('endHigh', 'endLow', ms + 10);
    monitor.flow(row, SYSFLOW);
    if (n % 30_000 === 29_999) {
      collectGarbage();
      const { heapUsed, arrayBuffers } = globalThis.process.memoryUsage();
      sizes.push((heapUsed + arrayBuffers) / 2 ** 20);
    }
  }
  assert.deepEqual(findings, []);
  const { pending, processes, counters } = monitor.summary();
  assert.equal(counters.watched, 2 * total + 1);
  assert.ok(pending < 20_000 && processes === 1, `${pending} wait`);
  assert.ok(sizes[4] < sizes[1] + 16, `MiB: ${sizes.map((size) => size.toFixed(1)).join(', ')}`);
});
