import assert from 'node:assert/strict';
import test from 'node:test';
import {
  askingForNames,
  chainScenario,
  NameSearch,
  namesAt,
  wordScenarios,
} from '../../src/explore/index.ts';
import { type Tree, treeBuilder } from '../../src/image/index.ts';

function treeOf(paths: readonly string[]): Tree {
  const builder = treeBuilder();
  for (const path of paths) builder.addFile(path, 'x');
  return builder.build();
}

test('where a service looked for what a client named', () => {
  const search = new NameSearch('qzkva');
  for (const path of [
    '/srv/qzkva',
    '/srv/qzkva.html',
    '/srv/qzkva/qzkva',
    '/qzkva',
    '/etc/passwd',
    '/srv/qzkva',
  ])
    search.looked(path);
  assert.deepEqual(search.places(), [
    { directory: '/', suffix: '' },
    { directory: '/srv', suffix: '' },
    { directory: '/srv', suffix: '.html' },
  ]);
});

test('names that are there: some of every kind and depth, plain ones first', () => {
  const tree = treeOf([
    '/www/ü.txt',
    '/www/a.txt',
    '/www/b.html',
    '/www/c d.html',
    '/www/img/logo.svg',
    '/www/img/icons/a.svg',
    '/www/img/icons/b.html',
  ]);
  const cases: readonly (readonly [string, string, number, readonly string[]])[] = [
    ['/www', '', 6, ['a.txt', 'img', 'img/logo.svg', 'img/icons', 'img/icons/a.svg', 'b.html']],
    ['/www', '', 2, ['a.txt', 'img']],
    ['/www', '.html', 6, ['b', 'img/icons/b', 'c d']],
    ['/www', '.gif', 6, []],
    ['/nothing', '', 6, []],
    ['/www/a.txt', '', 6, []],
  ];
  for (const [directory, suffix, limit, expected] of cases)
    assert.deepEqual(namesAt(tree, { directory, suffix }, limit), expected, `${directory} ${suffix}`);
});

test('a scenario asks for names that are there wherever clients choose', () => {
  const [scenario] = wordScenarios({ index: 0, stream: true }, 'get');
  const named = askingForNames(scenario, '/srv');
  const sent = named.actions.flatMap((action) => (action.do === 'send' ? [action.payload] : []));
  assert.ok(sent.includes('get {name}\n'));
  assert.ok(sent.every((payload) => !payload.includes('{token}')));
});

test('words in turn: every word in one form before any in the next, all of it twice', () => {
  const listener = { index: 0, stream: true };
  const words = ['put', 'drop'];
  const { actions } = chainScenario(words.map((word) => wordScenarios(listener, word)[0]));
  const sent = actions.flatMap((action) => (action.do === 'send' ? [action.payload] : []));
  assert.deepEqual(sent.slice(0, 4), ['put\n', 'drop\n', 'put {token}\n', 'drop {token}\n']);
  assert.deepEqual(sent.slice(0, sent.length / 2), sent.slice(sent.length / 2));
  const ids = actions.flatMap((action) => (action.do === 'connect' ? [action.id] : []));
  assert.equal(new Set(ids).size, sent.length, 'a connection of its own for each');
});
