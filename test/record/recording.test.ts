// From strace's text to a file, without strace.
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Recording } from '../../src/record/recording.ts';
import { parseUsers } from '../../src/record/users.ts';
import { directory } from './support.ts';
import { ops, readSysFlow } from './sysflow-file.ts';

const container = {
  id: '0123456789ab',
  name: 'shop',
  image: 'shop:1',
  imageid: 'ab'.repeat(32),
  type: 'CT_DOCKER',
  privileged: false,
  podId: undefined,
} as const;

const lines = [
  '500 1700000000.000000001 read(5<UNIX-STREAM:[1->2]>, "\\n", 1) = 1 <0.000000010>',
  '500 1700000000.100000000 execve("/usr/bin/setpriv", ["setpriv"], [/* 0 vars */]) = 0 <0.000100000>',
  '500 1700000000.200000000 openat(-100</>, "/etc/shadow", 0) = 3</etc/shadow> <0.000010000>',
  '500 1700000000.300000000 execve("/usr/sbin/chroot", ["chroot"], [/* 0 vars */]) = 0 <0.000100000>',
  '500 1700000000.350000000 execve("/sbin/tool", ["tool"], ["A=1"]) = -1 ENOENT (No such file or directory) <0.000010000>',
  '500 1700000000.400000000 execve("/bin/tool", ["tool", "-d"], ["A=1"]) = 0 <0.000100000>',
  '500 1700000000.500000000 openat(-100</srv>, "conf", 0) = 3</srv/conf> <0.000010000>',
  '500 1700000000.600000000 read(3</srv/conf>, "x", 1) = 1 <0.000010000>',
  '500 1700000000.700000000 close(3</srv/conf>) = 0 <0.000010000>',
  '500 1700000000.800000000 listen(4<TCP:[0.0.0.0:80]>, 8) = 0 <0.000010000>',
  '500 1700000000.900000000 exit_group(7) = ?',
  '500 1700000001.000000000 +++ exited with 7 +++',
];

test("the recording begins at the recorded program's exec, and knows what happens", async (t) => {
  const path = join(directory(t), 'x.sf');
  const recording = new Recording({
    fd: openSync(path, 'w'),
    filename: 'x.sf',
    pid: 500,
    skipExecs: 2,
    container,
    users: parseUsers('app:x:7:8::/:\n', 'grp:x:8:\n'),
    uid: 7,
    gid: 8,
    cwd: '/srv',
    root: join(directory(t), 'nothing'),
  });
  for (const line of lines.slice(0, 5)) recording.line(line);
  assert.equal(recording.started, false);
  assert.equal(recording.records, 1, 'the header only');
  for (const line of lines.slice(5)) recording.line(line);
  assert.equal(recording.started, true);
  assert.equal(recording.listened, true);
  assert.deepEqual(recording.ending, { kind: 'exited', code: 7 });
  assert.deepEqual(recording.processes, []);
  recording.finish();
  assert.deepEqual(recording.gaps, []);

  const records = await readSysFlow(path);
  assert.deepEqual(
    records.map(({ type }) => type),
    ['SFHeader', 'Container', 'Process', 'ProcessEvent', 'File', 'FileFlow', 'ProcessEvent'],
  );
  const [, , process, exec, file, flow, exit] = records.map(({ value }) => value);
  assert.equal(process.oid.createTS, 1_700_000_000_400_000_000n);
  assert.deepEqual(
    [
      process.exe,
      process.exeArgs,
      process.uid,
      process.userName,
      process.gid,
      process.groupName,
      process.cwd,
      process.entry,
    ],
    ['/bin/tool', '-d', 7, 'app', 8, 'grp', '/srv/', true],
  );
  assert.deepEqual(process.env, ['A=1']);
  assert.deepEqual([exec.opFlags, exec.ret], [ops.EXEC, 0]);
  assert.equal(file.path, '/srv/conf');
  assert.deepEqual([flow.opFlags, flow.numRRecvBytes], [ops.OPEN | ops.READ | ops.CLOSE, 1n]);
  assert.deepEqual([exit.opFlags, exit.ret], [ops.EXIT, 7 * 256]);
});
