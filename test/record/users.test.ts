import assert from 'node:assert/strict';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { parseUsers } from '../../src/record/users.ts';

const users = parseUsers(
  [
    'root:x:0:0:root:/root:/bin/sh',
    'www-data:x:33:33::/var/www:',
    'app:x:1234:1000::/srv/app:/bin/sh',
    '77:x:78:79::/h:',
    'broken',
    ':x:5:5::',
  ].join('\n'),
  ['root:x:0:', 'tty:x:5:app,other', 'www-data:x:33:', 'disk:x:6:root', 'app:x:1000:', 'audio:x:2:app'].join(
    '\n',
  ),
);

test('a user, a number, a group, both: as container runtimes read them', () => {
  const cases: readonly (readonly [string, number, number, readonly number[], string, string])[] = [
    ['', 0, 0, [6], 'root', '/root'],
    ['root', 0, 0, [6], 'root', '/root'],
    ['0', 0, 0, [6], 'root', '/root'],
    ['www-data', 33, 33, [], 'www-data', '/var/www'],
    ['app', 1234, 1000, [2, 5], 'app', '/srv/app'],
    ['1234', 1234, 1000, [2, 5], 'app', '/srv/app'],
    ['app:audio', 1234, 2, [], 'app', '/srv/app'],
    ['app:33', 1234, 33, [], 'app', '/srv/app'],
    ['4000', 4000, 0, [], '', '/'],
    ['4000:4001', 4000, 4001, [], '', '/'],
    ['77', 78, 79, [], '77', '/h'],
    [':audio', 0, 2, [], 'root', '/root'],
  ];
  for (const [text, uid, gid, groups, name, home] of cases)
    assert.deepEqual(users.resolve(text, 'image'), { uid, gid, groups, name, home }, JSON.stringify(text));
});

test('unknown names are errors that say where', () => {
  assert.throws(
    () => users.resolve('nobody', 'shop.tar'),
    (error) => error instanceof InputError && /nobody.*passwd/.test(error.what) && error.where === 'shop.tar',
  );
  assert.throws(() => users.resolve('app:nogroup', 'shop.tar'), /nogroup.*group/);
  assert.throws(() => users.resolve('99999999999', 'shop.tar'), InputError);
});

test('names of numbers', () => {
  assert.equal(users.userName(33), 'www-data');
  assert.equal(users.groupName(5), 'tty');
  assert.equal(users.userName(4000), '');
});
