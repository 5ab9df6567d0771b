import assert from 'node:assert/strict';
import test from 'node:test';
import {
  isLiteral,
  literal,
  matcher,
  type Pattern,
  parsePattern,
  patternOf,
  patternParts,
  printEffect,
} from '../../src/effect/index.ts';

const cases: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
  ['/etc/passwd', ['/etc/passwd'], ['/etc/passwd2', 'x/etc/passwd', '/etc/passw', '/etc/passwd\n']],
  ['/lib/libc\\*.so', ['/lib/libc*.so'], ['/lib/libc1.so']],
  ['/www/*', ['/www/', '/www/a.html', '/www/a\nb'], ['/www/a/b', '/evil/www/a']],
  ['/www/**', ['/www/', '/www/a/b', '/www/../etc'], ['/ww']],
  [
    'temp-[0-9]+.rdb',
    ['temp-1.rdb', 'temp-0042.rdb'],
    ['temp-.rdb', 'temp-a.rdb', 'temp-1xrdb', 'temp-1.rdb.bak'],
  ],
  ['/[0-9a-f]+', ['/0af9'], ['/0AF', '/']],
  ['[0-9A-Za-z]+', ['aZ9'], ['a-b', '']],
  ['a\\[0-9\\]\\+', ['a[0-9]+'], ['a5']],
  ['', [''], ['a']],
];

test('patterns match whole texts only', () => {
  for (const [text, yes, no] of cases) {
    const pattern = parsePattern(text);
    assert.ok(pattern !== undefined, text);
    for (const good of yes) assert.ok(matcher(pattern)(good), `${text} matches ${JSON.stringify(good)}`);
    for (const bad of no) assert.ok(!matcher(pattern)(bad), `${text} does not match ${JSON.stringify(bad)}`);
    assert.equal(patternOf(patternParts(text) ?? []), text, 'prints as it was parsed');
  }
});

test('what is no pattern is refused', () => {
  for (const text of ['[', 'a[x]+', 'a]', 'a+', '\\', '[0-9]'])
    assert.equal(parsePattern(text), undefined, text);
});

test('literal: any text, escaped, matches itself and nothing else', () => {
  for (const text of ['*', '**', '[0-9]+', 'a\\b', '+', ']', '/usr/bin/[', '\udc80']) {
    const pattern = literal(text);
    assert.ok(isLiteral(pattern), text);
    assert.ok(matcher(pattern)(text));
    assert.ok(!matcher(pattern)(`${text}x`));
  }
  assert.ok(!isLiteral('a*' as Pattern));
});

test('effects print as one line', () => {
  assert.equal(
    printEffect({ op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path: '/etc/a\nb' } }),
    'OPEN r /etc/a\\x0ab',
  );
  assert.equal(
    printEffect({
      op: 'EXEC',
      access: '',
      resource: { kind: 'program', path: '/bin/sh', args: ['-c', 'id -u'] },
    }),
    'EXEC /bin/sh -c "id -u"',
  );
  assert.equal(
    printEffect({
      op: 'ACCEPT',
      access: '',
      resource: {
        kind: 'net',
        protocol: 'tcp',
        local: { address: '::', port: '80' },
        peer: { address: '10.0.0.1', port: '*' },
      },
    }),
    'ACCEPT tcp [::]:80 <-> 10.0.0.1:*',
  );
});
