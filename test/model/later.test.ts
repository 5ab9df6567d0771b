// A later start under another environment is enough where the first start did nothing of the environment's by itself.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { DEFAULT_BUDGETS, ENVIRONMENTS, Explorer, plainLaunch } from '../../src/explore/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { settlesFirst } from '../../src/model/later.ts';
import { addProgram } from '../linux/guest.ts';

const IDLE = `trap 'exit 0' TERM; while :; do /bin/sleep 1000 & wait; done`;

/** A first start that does this, and a later one under another environment. */
function startTwice(first: string): readonly [Explorer, Explorer] {
  const builder = addProgram(treeBuilder(), '/bin/dash', '/bin/sh');
  const script = `if [ -e /data/done ]; then read x < /data/done; else ${first}; echo 1 > /data/done; fi; ${IDLE}`;
  const tree = addProgram(builder, '/bin/sleep').addDir('/data').build();
  const launch = (i: number) => plainLaunch({ argv: ['/bin/sh', '-c', script] }, ENVIRONMENTS[i]);
  const explorer = new Explorer({
    tree,
    launch: launch(0),
    machine: createMachine(),
    budgets: DEFAULT_BUDGETS,
  });
  const later = explorer.startAgain('stopped', 15, launch(1));
  assert.ok(later !== undefined);
  return [explorer, later];
}

test('what only the first start did', (t) => {
  if (!['/bin/dash', '/bin/sleep'].every((path) => existsSync(path))) return t.skip('needs dash and sleep');
  for (const [first, settled] of [
    // names without numbers, addresses behind names of the later start
    ['echo a > /data/cache', true],
    ['echo a > /data/done.94024857362433', true],
    // a number that may be a process or a time, a name made at random, an address of the environment
    ['echo a > /data/pid.$$', false],
    ['echo a > /tmp/made', false],
    [`echo a > /data/at-${ENVIRONMENTS[0].values.hostName}`, false],
  ] as const) {
    const [explorer, later] = startTwice(`[ -d /tmp ] || :; ${first}`);
    assert.equal(later.environment, ENVIRONMENTS[1]);
    assert.notEqual(explorer.boot.steps.length, later.boot.steps.length, first);
    assert.equal(settlesFirst(explorer, later), settled, first);
  }
});
