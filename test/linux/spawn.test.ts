import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { treeBuilder } from '../../src/image/index.ts';
import { addProgram, runGuest } from './guest.ts';

test('working directory and volumes are there before the first program runs', (t) => {
  const mkdir = '/usr/bin/mkdir';
  if (!existsSync(mkdir)) return t.skip(`no ${mkdir}`);
  const builder = addProgram(treeBuilder(), mkdir).addDir('/data/kept');
  const run = runGuest(builder, {
    argv: [mkdir, '/data', '/data/kept/own', '/var/lib/app', '/work/here'],
    cwd: '/work/here',
    directories: ['/data/kept', '/var/lib/app'],
  });
  const made = run.effects
    .filter(({ effect }) => effect.op === 'MKDIR')
    .map(({ effect, result }) => [effect.resource.kind === 'file' ? effect.resource.path : '', result]);
  assert.deepEqual(made, [
    ['/data', -17],
    ['/data/kept/own', 0],
    ['/var/lib/app', -17],
    ['/work/here', -17],
  ]);
});
