import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { programFinder } from '../../src/record/programs.ts';
import { directory } from './support.ts';

test('links are followed inside of the root; scripts give their interpreter and the arguments before theirs', (t) => {
  const root = directory(t);
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  mkdirSync(join(root, 'app'));
  symlinkSync('usr/bin', join(root, 'bin'));
  writeFileSync(join(root, 'usr/bin/dash'), '\x7fELF');
  symlinkSync('/bin/dash', join(root, 'usr/bin/sh'));
  symlinkSync('../../../../../bin/sh', join(root, 'app/up'));
  symlinkSync('loop', join(root, 'app/loop'));
  writeFileSync(join(root, 'app/run'), '#!/bin/sh\necho\n');
  writeFileSync(join(root, 'app/strict'), '#! \t/bin/sh  -e -u \t\necho\n');
  writeFileSync(join(root, 'app/nested'), '#!/app/strict x y\n');
  writeFileSync(join(root, 'app/relative'), '#!sh\n');
  writeFileSync(join(root, 'app/self'), '#!/app/self\n');
  writeFileSync(join(root, 'app/empty'), '#!\n');
  const cases: readonly (readonly [string, string, string | undefined, readonly string[]])[] = [
    ['/bin/sh', 'sh', '/usr/bin/dash', []],
    ['/app/up', './up', '/usr/bin/dash', []],
    ['/app/../bin//dash', '/x', '/usr/bin/dash', []],
    ['/app/run', './run', '/usr/bin/dash', ['./run']],
    ['/app/strict', '/app/strict', '/usr/bin/dash', ['-e -u', '/app/strict']],
    ['/app/nested', 'nested', '/usr/bin/dash', ['-e -u', '/app/strict', 'x y', 'nested']],
    ['/app/empty', 'e', '/app/empty', []],
    ['/app/relative', 'r', undefined, []],
    ['/app/self', 's', undefined, []],
    ['/app/loop', 'l', undefined, []],
    ['/none', 'n', undefined, []],
  ];
  const find = programFinder(root);
  for (const [path, named, expected, before] of cases)
    assert.deepEqual(
      find(path, named),
      expected === undefined ? undefined : { path: expected, before },
      path,
    );
});
