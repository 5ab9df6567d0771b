// Links that are there after boot: the image's, the runtime's and those that the entrypoint made.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { DEFAULT_BUDGETS, ENVIRONMENTS, Explorer, plainLaunch } from '../../src/explore/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { addProgram } from '../linux/guest.ts';

test('links after boot', (t) => {
  if (!existsSync('/bin/dash') || !existsSync('/bin/ln')) return t.skip('needs dash and ln');
  const builder = addProgram(addProgram(treeBuilder(), '/bin/dash', '/bin/sh'), '/bin/ln');
  builder.addSymlink('/var/run', '/run').addSymlink('/changed', '/before').addDir('/var/log');
  const explorer = new Explorer({
    tree: builder.build(),
    launch: plainLaunch(
      { argv: ['/bin/sh', '-c', 'ln -s ../../dev/stdout /var/log/a.log; ln -sfn /after /changed'] },
      ENVIRONMENTS[0],
    ),
    machine: createMachine(),
    budgets: DEFAULT_BUDGETS,
  });
  assert.equal(explorer.boot.output, '');
  const links = ['/var/run', '/changed', '/var/log/a.log', '/dev/stdout', '/var/log', '/missing/a', '/', ''];
  assert.deepEqual(
    links.map((path) => explorer.linkAt(path)),
    ['/run', '/after', '../../dev/stdout', '/proc/self/fd/1', ...Array(4).fill(undefined)],
  );
});
