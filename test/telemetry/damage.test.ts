// SysFlow files damaged at random: reading never fails, what is lost is said, and the rest is what it was. Read by offset
// and as bytes that arrive in pieces, with the same result.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryAccess } from '../../src/host/index.ts';
import { type Observation, OcfReader, openSysFlow } from '../../src/telemetry/index.ts';
import { boot, end, exploit, serve } from '../monitor/echo.ts';
import { stream } from '../monitor/kit.ts';
import { sysFlowFile } from '../monitor/sysflow.ts';
import { random } from './avro-data.ts';
import { feed } from './feeds.ts';
import { printObservation } from './print.ts';

const session = [...boot, ...serve, ...exploit, ...end];
/** Many sessions, so that there are several blocks: one each 80,000 bytes. */
// A copy of its own: slices of a Buffer are views.
const file = Uint8Array.from(sysFlowFile(Array.from({ length: 120 }, () => [stream(), ...session]).flat()));

const read = (bytes: Uint8Array): Observation[] => [
  ...openSysFlow(memoryAccess('test', bytes)).observations(),
];
const text = (observations: readonly Observation[]): string[] => observations.map(printObservation);
const whole = text(read(file));
const known = new Set(whole);
const { start } = new OcfReader(memoryAccess('test', file));
const blocks = [...new OcfReader(memoryAccess('test', file)).items()];

test('the file has several blocks', () => {
  assert.ok(blocks.length >= 4, `${blocks.length}`);
});

/** Every observation is one of the undamaged file, and none is missing without a gap. */
function check(damaged: Uint8Array, what: string): void {
  const observations = read(damaged);
  const lines = text(observations);
  const gaps = observations.filter(({ kind }) => kind === 'gap');
  const rest = lines.filter((_, i) => observations[i].kind !== 'gap');
  if (lines.length !== whole.length || lines.some((line, i) => line !== whole[i]))
    assert.ok(gaps.length > 0, `${what}: ${rest.length} of ${whole.length} without a gap`);
  assert.deepEqual(text(feed('sysflow', damaged, { step: 4093 }).observations), lines, what);
}

test('bytes of one block overwritten: at most that block is lost', () => {
  const next = random(1);
  for (let round = 0; round < 40; round++) {
    const block = blocks[next(blocks.length)];
    const damaged = file.slice();
    const at = block.at + next(block.next - block.at);
    for (let i = 0; i < 1 + next(20); i++) {
      const where = Math.min(at + i, block.next - 1);
      damaged[where] = damaged[where] ^ (1 + next(255));
    }
    const observations = read(damaged);
    const lines = text(observations);
    const before = lines.findIndex((line, i) => line !== whole[i]);
    // Compressed data can be damaged and still be data; then the records are others, which nothing can tell.
    const changed = lines.length === whole.length && observations.every(({ kind }) => kind !== 'gap');
    if (before >= 0 && !changed) {
      assert.ok(
        observations.some(({ kind }) => kind === 'gap'),
        `round ${round}`,
      );
      // A block whose marker is damaged looks as if the next one were part of it.
      const after = lines.at(-1) === whole.at(-1);
      assert.ok(
        after || blocks.indexOf(block) >= blocks.length - 2,
        `round ${round}: goes on after the block`,
      );
    }
    assert.deepEqual(text(feed('sysflow', damaged, { step: 4093 }).observations), lines, `round ${round}`);
  }
});

test('cut off anywhere, and with pieces missing', () => {
  const next = random(2);
  for (let round = 0; round < 30; round++) {
    const at = start + next(file.length - start);
    check(file.slice(0, at), `cut at ${at}`);
    const length = 1 + next(5000);
    const missing = Buffer.concat([file.subarray(0, at), file.subarray(at + length)]);
    const observations = read(missing);
    assert.ok(
      text(observations).filter((line) => known.has(line)).length > 0 || at < blocks[1].at,
      `${at} ${length} ${text(observations).slice(0, 3).join('|')} ${blocks.map((b) => b.at)}`,
    );
    assert.deepEqual(
      text(feed('sysflow', missing, { step: 50_021 }).observations),
      text(observations),
      `${length} bytes missing at ${at}`,
    );
  }
});

test('records of a damaged block are counted', () => {
  const block = blocks[1];
  assert.equal(block.kind, 'block');
  const damaged = file.slice();
  damaged.fill(0xff, block.at + 8, block.at + 200);
  const gaps = read(damaged).filter((each) => each.kind === 'gap');
  const lost = gaps.reduce((sum, gap) => sum + (gap.kind === 'gap' ? gap.records : 0), 0);
  assert.ok(lost >= (block.kind === 'block' ? block.records : 0), `${lost}`);
});
