// Bare SysFlow records, one at a time: the same as from a file, whichever version wrote them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryAccess } from '../../src/host/index.ts';
import { type Observation, openSysFlow, SysFlowRecords } from '../../src/telemetry/index.ts';
import { healthy } from '../monitor/echo.ts';
import { sysFlowFile } from '../monitor/sysflow.ts';
import { printObservation } from './print.ts';
import { bareRecords } from './records.ts';

const file = sysFlowFile(healthy);
const records = bareRecords(file);
const wanted = [...openSysFlow(memoryAccess('test', file)).observations()].map(printObservation);

function receive(packets: readonly Uint8Array[], connections = 1): string[] {
  const observations: Observation[] = [];
  const socket = new SysFlowRecords((each) => observations.push(each));
  for (let i = 0; i < connections; i++) {
    socket.connected();
    for (const packet of packets) socket.record(packet);
  }
  return observations.map(printObservation);
}

test('records of the socket are those of the file', () => {
  assert.deepEqual(receive(records), wanted);
});

test('a process of version 4 has no working directory and environment', () => {
  // Branch 2 of the union is Process; its last two fields are a text of one byte and an empty array.
  const older = records.map((record) => (record[0] === 4 ? record.subarray(0, -3) : record));
  assert.notDeepEqual(older, records);
  assert.deepEqual(receive(older), wanted);
});

test('fields that a later version appends are passed over', () => {
  const later = records.map((record) => Uint8Array.of(...record, 1, 2, 3));
  assert.deepEqual(receive(later), wanted);
});

test('a new connection begins anew, and says that something may be lost', () => {
  assert.deepEqual(receive(records, 2), [...wanted, 'gap the collector connected again 1', ...wanted]);
});

test('damaged records are gaps, one each', () => {
  const damaged = [...records];
  damaged.splice(
    3,
    0,
    Uint8Array.of(),
    Uint8Array.of(200, 1),
    Uint8Array.of(4, 0, 0xff, 0xff),
    records[2].subarray(0, 5),
  );
  const lines = receive(damaged);
  assert.equal(lines.filter((line) => line.startsWith('gap ')).length, 4);
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('gap ')),
    wanted,
  );
});
