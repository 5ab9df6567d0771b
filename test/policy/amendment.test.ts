// Amendment files, and inclusion of patterns.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { matcher, type Pattern } from '../../src/effect/index.ts';
import {
  AMENDMENT_SCHEMA,
  includes,
  isForImage,
  readAmendments,
  writeAmendments,
} from '../../src/policy/index.ts';

const sample = {
  format: 1,
  amendments: [
    {
      name: 'backup-reads',
      image: 'docker.io/shop/**',
      program: '/srv/shop',
      automaton: '',
      allows: 'effect',
      effect: { op: 'OPEN', resource: { kind: 'file', type: 'f', path: '/data/*' }, access: 'r' },
      why: 'nightly backup',
      by: 'ops',
      created: '2026-01-01T00:00:00Z',
      expires: '2027-01-01T00:00:00Z',
    },
  ],
};

test('amendments are read back as they were written, and written again the same', () => {
  const text = writeAmendments(readAmendments(JSON.stringify(sample), 'a.json'));
  assert.deepEqual(JSON.parse(text), sample);
  assert.equal(writeAmendments(readAmendments(text, 'a.json')), text);
  assert.deepEqual(readAmendments(writeAmendments([]), 'a.json'), []);
});

test('the published schema of amendments is the one that is enforced', () => {
  const text = `${JSON.stringify(AMENDMENT_SCHEMA, null, 2)}\n`;
  if (process.env['UPDATE'] === '1') writeFileSync('schema/amendment.schema.json', text);
  assert.equal(readFileSync('schema/amendment.schema.json', 'utf8'), text, 'UPDATE=1 writes it');
});

test('an amendment is for images by their repositories', () => {
  const [amendment] = readAmendments(JSON.stringify(sample), 'a.json');
  assert.equal(isForImage(amendment, ['docker.io/library/x', 'docker.io/shop/web']), true);
  assert.equal(isForImage(amendment, ['docker.io/library/shop']), false);
  assert.equal(isForImage(amendment, []), true, 'an image without a name may be any');
});

const damaged: readonly (readonly [
  change: (item: Record<string, unknown>, file: Record<string, unknown>) => void,
  message: RegExp,
])[] = [
  [(_, file) => Object.assign(file, { format: 9 }), /format 9 is newer/],
  [(_, file) => Object.assign(file, { more: 1 }), /more/],
  [(item) => Object.assign(item, { why: '' }), /why/],
  [(item) => Object.assign(item, { why: ' ' }), /why/],
  [(item) => Object.assign(item, { why: 'two\nlines' }), /why/],
  [(item) => Object.assign(item, { name: '-x' }), /name/],
  [(item) => Object.assign(item, { by: undefined }), /by/],
  [(item) => Object.assign(item, { allows: 'all' }), /allows/],
  [(item) => Object.assign(item, { program: 'a[' }), /backup-reads: not a pattern: "a\["/],
  [(item) => Object.assign(item, { expires: '2027-13-01T00:00:00Z' }), /no such date/],
  [(item) => Object.assign(item, { expires: 'tomorrow' }), /expires/],
  [(item, file) => Object.assign(file, { amendments: [item, item] }), /two amendments are named/],
];

test('damaged amendment files are one clear error', () => {
  for (const [change, message] of damaged) {
    const copy = structuredClone(sample);
    change(copy.amendments[0], copy);
    assert.throws(
      () => readAmendments(JSON.stringify(copy), 'a.json'),
      (error: unknown) =>
        error instanceof InputError &&
        message.test(error.message) &&
        error.message.startsWith('a.json') &&
        !error.message.includes('\n'),
      String(message),
    );
  }
  for (const text of ['', '{', 'null', '[]', '{"format":1}'])
    assert.throws(() => readAmendments(text, 'a.json'), InputError, text);
});

const pairs: readonly (readonly [wide: string, narrow: string, answer: boolean])[] = [
  ['/a', '/a', true],
  ['/a', '/b', false],
  ['/*', '/a', true],
  ['/*', '/a/b', false],
  ['/*', '/[0-9]+', true],
  ['/[0-9]+', '/*', false],
  ['/**', '/a/*/b', true],
  ['/a/*', '/a/**', false],
  ['[0-9a-f]+', '[0-9]+', true],
  ['[0-9A-Za-z]+', '[0-9a-f]+', true],
  ['[0-9]+', '[0-9a-f]+', false],
  ['[0-9]+', '', false],
  ['*', '', true],
  ['*a*', '*ba', true],
  ['*a', '*a*', false],
  ['[0-9]+[0-9]+', '[0-9]+', false],
  ['[0-9]+', '[0-9]+[0-9]+', true],
  ['temp-[0-9]+.rdb', 'temp-17.rdb', true],
  ['**.log', '/var/*.log', true],
];

test('a pattern includes another', () => {
  for (const [wide, narrow, answer] of pairs)
    assert.equal(includes(wide as Pattern, narrow as Pattern), answer, `${wide} includes ${narrow}`);
});

test('a pattern that includes another matches what that matches', () => {
  const patterns = [
    ...new Set([...pairs.map(([wide]) => wide), ...pairs.map(([, narrow]) => narrow)]),
  ] as Pattern[];
  const texts = [
    '',
    '/a',
    '/a/b',
    '/17',
    '17',
    'a',
    'ba',
    'af',
    'temp-17.rdb',
    '/var/x.log',
    '/a/x/b',
    'xax',
    '1',
    'Z',
  ];
  for (const wide of patterns)
    for (const narrow of patterns)
      if (includes(wide, narrow))
        for (const text of texts)
          assert.ok(!matcher(narrow)(text) || matcher(wide)(text), `${wide} includes ${narrow}: ${text}`);
});
