// A real program under a real strace, into SysFlow and back. Skipped where the compiler or strace is missing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Activity,
  ActivityTracker,
  createSysFlowWriter,
  openSysFlow,
  parseStrace,
  STRACE_OPTIONS,
  SysFlowCollector,
} from '../../src/telemetry/index.ts';
import { fileOf, fixture } from './avro-data.ts';
import { printObservation } from './print.ts';

test('a program with files, threads, processes and sockets is recorded without a gap', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'effigy-live-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, 'live');
  const compiled = spawnSync('gcc', ['-O1', '-pthread', '-o', program, fixture('live.c')], {
    encoding: 'utf8',
  });
  if (compiled.status !== 0) {
    t.skip(compiled.error === undefined ? `gcc: ${compiled.stderr}` : 'gcc is not installed');
    return;
  }
  const trace = join(directory, 'trace.txt');
  const traced = spawnSync('strace', [...STRACE_OPTIONS, '-o', trace, '--', program, directory], {
    encoding: 'utf8',
  });
  if (traced.status !== 7) {
    t.skip(
      traced.error === undefined ? `strace cannot trace here: ${traced.stderr}` : 'strace is not installed',
    );
    return;
  }
  const activities: Activity[] = [];
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes), {
    exporter: 'test',
    ip: '',
    filename: 'live.sf',
  });
  const collector = new SysFlowCollector(writer);
  const tracker = new ActivityTracker({ cwd: '/' }, (activity) => {
    activities.push(activity);
    collector.activity(activity);
  });
  for (const event of parseStrace(readFileSync(trace, 'latin1').split('\n'), { name: trace }))
    tracker.event(event);
  tracker.finish();
  collector.finish();
  writer.finish();
  assert.deepEqual(
    activities.filter((activity) => activity.kind === 'gap'),
    [],
  );

  const seen = [...openSysFlow(fileOf(Buffer.concat(parts))).observations()].map(printObservation);
  const text = seen.join('\n').replaceAll(directory, 'DIR');
  const expect = (pattern: RegExp, times: number): void => {
    assert.equal(text.match(new RegExp(pattern, 'gm'))?.length ?? 0, times, String(pattern));
  };
  expect(/^gap /, 0);
  expect(/^flow .* OPEN\|WRITE\|CLOSE\|MMAP rwct DIR\/odd <.*> name fd \d+ r 0\/0 w 1\/3$/, 1);
  expect(/^event .* MKDIR DIR\/d = 0$/, 1);
  expect(/^event .* RENAME DIR\/d\/file -> DIR\/d\/moved = 0$/, 1);
  expect(/^event .* SYMLINK DIR\/d\/link -> moved = 0$/, 1);
  expect(/^flow .* OPEN\|READ\|CLOSE r DIR\/d\/moved /, 4);
  expect(
    /^flow .* ACCEPT\|READ\|WRITE\|CLOSE\|SHUTDOWN {2}tcp 127\.0\.0\.1:[1-9]\d* <-> 127\.0\.0\.1:[1-9]\d* .* r 1\/8 w 1\/3$/,
    1,
  );
  expect(
    /^flow .* CONNECT\|READ\|WRITE cut {2}tcp 127\.0\.0\.1:[1-9]\d* <-> 127\.0\.0\.1:[1-9]\d* .* r 1\/3 w 1\/8$/,
    1,
  );
  expect(/^flow .* READ\|CLOSE {2}udp /, 1);
  expect(/^flow .* WRITE\|CLOSE {2}udp /, 1);
  // A relative name is what the kernel gives for the socket, too.
  expect(/^flow .* CONNECT\|WRITE\|CLOSE {2}sock /, 1);
  expect(/^flow .* ACCEPT\|READ\|CLOSE {2}sock /, 1);
  expect(/^flow .* WRITE cut {2}pipe: /, 1);
  expect(/^process .* \/bin\/true \[a b\]/, 1);
  expect(/^event .* EXEC \/bin\/true "?a b"? = 0$/, 1);
  expect(/^event .* EXEC DIR\/\w+ DIR again = 0$/, 1);
  // fork twice and vfork once, from both sides; threads and posix_spawn use clone3 with this C library, or clone.
  const clones = text.match(/^event .* CLONE .*= [1-9]\d*$/gm)?.length ?? 0;
  assert.ok(clones >= 3, `${clones} clones`);
  expect(/^event .* EXIT 3 = 768$/, 1);
  expect(/^event .* EXIT signal:6 = \d+$/, 1);
  expect(/^event .* EXIT 7 = 1792$/, 1);
});
