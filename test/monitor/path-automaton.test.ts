// The automaton over bytes says of every path what the patterns say one by one, links and all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeText } from '../../src/bytes/index.ts';
import { CLASSES, literal, matcher, type Pattern } from '../../src/effect/index.ts';
import { CompiledPolicy } from '../../src/monitor/compiled.ts';
import { PathAutomaton } from '../../src/monitor/path-automaton.ts';
import { Origin } from '../../src/monitor/resources.ts';
import { generator, type Random } from './generate.ts';
import { policyOf } from './kit.ts';

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)];
const names = ['a', 'b', 'tmp', 'lib', '7', 'ff', 'x7', 'é', '.', 'A'];

function pathOf(random: Random): string {
  return Array.from(
    { length: 1 + random(4) },
    () => `/${pick(random, names)}${random(3) === 0 ? pick(random, names) : ''}`,
  ).join('');
}

function patternOf(random: Random): Pattern {
  const parts = Array.from({ length: 1 + random(4) }, () => {
    const one = random(3) === 0 ? pick(random, CLASSES) : literal(pick(random, names));
    return `/${one}${random(4) === 0 ? pick(random, CLASSES) : ''}`;
  });
  return parts.join('') as Pattern;
}

test('path automaton: as each pattern by itself', () => {
  let matched = 0;
  for (let seed = 0; seed < 150; seed++) {
    const random = generator(seed * 2_750_159 + 3);
    const patterns = Array.from({ length: 1 + random(20) }, () => patternOf(random));
    const automaton = new PathAutomaton();
    for (const [id, pattern] of patterns.entries()) automaton.add(pattern, id);
    for (let i = 0; i < 60; i++) {
      const path = pathOf(random);
      const bytes = encodeText(path);
      const expected = patterns.flatMap((pattern, id) => (matcher(pattern)(path) ? [id] : []));
      assert.deepEqual(automaton.match(bytes, 0, bytes.length), expected, `${path}: ${patterns.join(' ')}`);
      matched += expected.length;
    }
  }
  assert.ok(matched > 500, `${matched}`);
});

test('path automaton: very many states, and paths that make regular expressions slow', () => {
  const automaton = new PathAutomaton();
  const slow = `/${'[0-9a-f]+[0-9A-Za-z]+'.repeat(8)}x` as Pattern;
  automaton.add(slow, 1);
  for (let i = 0; i < 3000; i++) automaton.add(literal(`/${i}/${i * 7919}/file${i}`), 2 + i);
  for (let i = 0; i < 3000; i++) {
    const bytes = encodeText(`/${i}/${i * 7919}/file${i}`);
    assert.deepEqual(automaton.match(bytes, 0, bytes.length), [2 + i]);
  }
  const long = encodeText(`/${'a'.repeat(100_000)}`);
  assert.deepEqual(automaton.match(long, 0, long.length), []);
});

test('path automaton: classes of files are those of their text, with links', () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = generator(seed * 611_953 + 1);
    const links = Object.fromEntries(
      Array.from({ length: random(4) }, () => [pathOf(random), pathOf(random)]),
    );
    const edges = Array.from({ length: 2 + random(10) }, (_, i) => {
      const op = pick(random, ['OPEN r', 'UNLINK', 'OPEN w', 'READ']);
      return `${i} > ${i + 1} ${op} ${patternOf(random)}`;
    });
    const policy = policyOf(`automaton one /bin/one\n${edges.join('\n')}`, { links });
    const [text, bytes] = [new CompiledPolicy(policy, 'a'), new CompiledPolicy(policy, 'b')];
    for (let i = 0; i < 60; i++) {
      const path =
        i % 5 === 0 && Object.keys(links).length > 0
          ? `${pick(random, Object.keys(links))}${pathOf(random)}`
          : pathOf(random);
      const resource = { kind: 'file', type: 'f', path } as const;
      const encoded = encodeText(path);
      const file = { row: 0, type: 'f', resource, bytes: encoded, start: 0, end: encoded.length } as const;
      const one = text.resources.classOf(resource, Origin.opened);
      const two = bytes.resources.fileClass(file, Origin.opened);
      assert.deepEqual(
        [two.patterns, two.harmless],
        [one.patterns, one.harmless],
        `${path} ${JSON.stringify(links)}`,
      );
    }
  }
});
