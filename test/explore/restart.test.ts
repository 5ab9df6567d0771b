// Later starts of a container, and of a new one with the old one's volumes.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import {
  type BootResult,
  DEFAULT_BUDGETS,
  ENVIRONMENTS,
  Explorer,
  lastingPaths,
  plainLaunch,
  restartWays,
} from '../../src/explore/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { addProgram } from '../linux/guest.ts';

const ENTRY = `
if [ -e /data/db ]; then read line < /data/db; echo "have $line"; else echo first > /data/db; fi
[ -e /pid ] && echo stale
[ -e /dev/shm/left ] && echo left
echo 1 > /pid
echo 1 > /dev/shm/left
trap '/bin/rm /pid; exit 0' TERM
while :; do /bin/sleep 1000 & wait; done
`;

function bootWith(script: string, directories: readonly string[] = []): Explorer {
  const builder = addProgram(treeBuilder(), '/bin/dash', '/bin/sh');
  addProgram(addProgram(builder, '/bin/rm'), '/bin/sleep').addDir('/data');
  return new Explorer({
    tree: builder.build(),
    launch: plainLaunch({ argv: ['/bin/sh', '-c', script], directories }, ENVIRONMENTS[0]),
    machine: createMachine(),
    budgets: DEFAULT_BUDGETS,
  });
}

const waysOf = ({ boot, launch }: Explorer): readonly string[] =>
  restartWays(boot.steps, launch, boot.instructions);

const effects = (boot: BootResult | undefined): string[] =>
  (boot?.steps ?? []).flatMap((step) => (step.kind === 'effect' ? [printEffect(step.event.effect)] : []));

test('a container that is started again', (t) => {
  if (!['/bin/dash', '/bin/rm', '/bin/sleep'].every((path) => existsSync(path)))
    return t.skip('needs dash, rm and sleep');
  const explorer = bootWith(ENTRY, ['/data']);
  assert.equal(explorer.boot.output, '');
  assert.deepEqual(waysOf(explorer), ['stopped', 'killed', 'replaced']);
  const stopped = explorer.restart('stopped', { stopSignal: 15 });
  assert.equal(stopped?.output, 'have first\n');
  assert.ok(effects(stopped).includes('OPEN r /data/db'));
  assert.equal(explorer.restart('killed', { stopSignal: 15 })?.output, 'have first\nstale\n');
  // a new container has the volume, not the rest
  assert.equal(explorer.restart('replaced', { stopSignal: 15 })?.output, 'have first\n');
  assert.equal(bootWith(ENTRY).restart('replaced', { stopSignal: 15 })?.output, '');
  // the first boot is as it was
  assert.equal(explorer.restart('killed', { stopSignal: 15 })?.output, 'have first\nstale\n');
});

test('a later start is left when what was there has been looked at, and enough was seen', (t) => {
  if (!['/bin/dash', '/bin/rm', '/bin/sleep'].every((path) => existsSync(path)))
    return t.skip('needs dash, rm and sleep');
  const explorer = bootWith(ENTRY, ['/data']);
  const written = lastingPaths(explorer.boot.steps, explorer.launch);
  assert.deepEqual([...written].sort(), ['/data/db', '/pid']);
  const enough = (): boolean => true;
  const cuts = (): string[] =>
    [...explorer.cuts.values()].map(({ cut }) => cut.what).filter((what) => what.startsWith('start again'));
  const whole = explorer.restart('killed', { stopSignal: 15, written });
  assert.deepEqual(cuts(), []);
  const left = explorer.restart('killed', { stopSignal: 15, written, enough });
  assert.deepEqual(cuts(), ['start again (killed)']);
  assert.ok(effects(left).includes('OPEN r /data/db'));
  assert.ok((left?.instructions ?? 0) < (whole?.instructions ?? 0));
  // one that never looks at something goes on
  const never = { stopSignal: 15, written: [...written, '/bin/rm'], enough };
  assert.deepEqual(effects(explorer.restart('killed', never)), effects(whole));
});

test('what leaves no files need not be started again', (t) => {
  if (!existsSync('/bin/dash')) return t.skip('needs dash');
  assert.deepEqual(waysOf(bootWith('echo 1 > /dev/shm/a; read x < /proc/self/stat; exec < /dev/null')), []);
  assert.deepEqual(waysOf(bootWith('echo 1 > /data/a')), ['stopped', 'killed']);
  const { boot, launch } = bootWith('echo 1 > /data/a');
  assert.deepEqual(restartWays(boot.steps, launch, 1e9), ['stopped']);
});
