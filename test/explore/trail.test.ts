// A boot that goes wrong says where.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import {
  DEFAULT_BUDGETS,
  ENVIRONMENTS,
  Explorer,
  plainLaunch,
  type Stopped,
} from '../../src/explore/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { addProgram } from '../linux/guest.ts';

function trailOf(script: string, boot = DEFAULT_BUDGETS.boot): readonly Stopped[] {
  const builder = addProgram(addProgram(treeBuilder(), '/bin/dash', '/bin/sh'), '/bin/cat');
  return new Explorer({
    tree: builder.build(),
    launch: plainLaunch({ argv: ['/bin/sh', '-c', script] }, ENVIRONMENTS[0]),
    machine: createMachine(),
    budgets: { ...DEFAULT_BUDGETS, boot },
  }).trail();
}

test('the processes that failed, with their last calls', (t) => {
  if (!existsSync('/bin/dash') || !existsSync('/bin/cat')) return t.skip('needs dash and cat');
  const stopped = trailOf('/bin/cat /etc/app.conf; exit 3');
  assert.deepEqual(
    stopped.map(({ exe, how }) => [exe, how]),
    [
      ['/bin/cat', 'exit status 1'],
      ['/bin/sh', 'exit status 3'],
    ],
  );
  const [cat, sh] = stopped;
  assert.ok(
    cat.calls.some((call) => /^openat\(.*"\/etc\/app\.conf".*\) = -1 ENOENT$/.test(call)),
    cat.calls.join('\n'),
  );
  assert.ok(
    sh.calls.some((call) => call.startsWith('wait4(')),
    sh.calls.join('\n'),
  );
  assert.ok(
    cat.stack.some((frame) => frame.startsWith('/bin/cat+0x')),
    cat.stack.join('\n'),
  );
  assert.deepEqual(trailOf('/bin/cat /dev/null; exit 0'), []);
  // the first process can't be killed from within
  const killed = trailOf('/bin/sh -c "kill -SEGV \\$\\$"; exit 0');
  assert.deepEqual(
    killed.map(({ how }) => how),
    ['signal 11'],
  );
  const [busy] = trailOf('while :; do :; done', 2_000_000);
  assert.deepEqual([busy.exe, busy.how], ['/bin/sh', 'running']);
});
