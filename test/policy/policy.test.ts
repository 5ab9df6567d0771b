import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { literal } from '../../src/effect/index.ts';
import { POLICY_SCHEMA, type Policy, readPolicy, writePolicy } from '../../src/policy/index.ts';

const sample: Policy = {
  format: 1,
  version: '0.1.0',
  image: {
    names: ['a:1'],
    configDigest: `sha256:${'0'.repeat(64)}`,
    manifestDigest: '',
    platform: 'linux/amd64',
    entrypoint: ['/a'],
    cmd: [],
    user: '',
    workingDir: '/',
  },
  options: { probes: true },
  complete: true,
  incomplete: '',
  coverage: { boots: 1, scenarios: 0, instructions: 10, effects: 1, listeners: ['tcp 0.0.0.0:80'] },
  syscalls: { boot: ['openat'], serve: [] },
  programs: [{ path: '/a', sha256: '', buildId: '' }],
  frames: [{ program: 0, offset: 16, symbol: 'main+0x1' }],
  stacks: [[0]],
  root: 0,
  automata: [
    {
      name: 'a',
      program: 0,
      args: [],
      initial: 0,
      states: [
        { phase: 'boot', label: 'start' },
        { phase: 'boot', label: 'OPEN r /x' },
      ],
      edges: [
        {
          from: 0,
          to: 1,
          effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path: literal('/x[1]') } },
          succeeds: true,
          errors: [],
          provenance: 'executed',
          stack: 0,
          syscall: 'openat',
        },
      ],
    },
  ],
  cuts: [],
};

test('a policy is read back as it was written, and written again the same', () => {
  const text = writePolicy(sample);
  assert.deepEqual(readPolicy(text, 'p'), sample);
  assert.equal(writePolicy(readPolicy(text, 'p')), text);
});

test('links are written sorted, and not at all where there are none', () => {
  const links = { '/var/run': '/run', '/bin': '/usr/bin' };
  const text = writePolicy({ ...sample, links });
  assert.match(text, / {2}"links": \{\n {4}"\/bin": "\/usr\/bin",\n {4}"\/var\/run": "\/run"\n {2}\},\n/);
  assert.deepEqual(readPolicy(text, 'p').links, links);
  assert.equal(writePolicy(readPolicy(text, 'p')), text);
  assert.equal(writePolicy({ ...sample, links: {} }), writePolicy(sample));
  assert.equal(readPolicy(writePolicy(sample), 'p').links, undefined);
});

const damaged: readonly (readonly [
  what: string,
  change: (policy: Record<string, never>) => void,
  message: RegExp,
])[] = [
  ['from the future', (p) => Object.assign(p, { format: 99 }), /format 99 is newer/],
  ['no automata', (p) => Object.assign(p, { automata: [] }), /automata/],
  ['root out of range', (p) => Object.assign(p, { root: 7 }), /root refers to 7 of 1/],
  ['unknown member', (p) => Object.assign(p, { extra: 1 }), /extra/],
  [
    'edge out of range',
    (p) => Object.assign(p['automata'][0]['edges'][0], { to: 5 }),
    /edges\/0\/to refers to 5 of 2/,
  ],
  [
    'bad pattern',
    (p) => Object.assign(p['automata'][0]['edges'][0]['effect']['resource'], { path: 'a[' }),
    /not a resource pattern/,
  ],
  ['link without a path', (p) => Object.assign(p, { links: { bin: '/usr/bin' } }), /links must match/],
  ['link to nothing', (p) => Object.assign(p, { links: { '/bin': '' } }), /links\/~1bin must match/],
  ['relative link', (p) => Object.assign(p, { links: { '/bin': 'usr/bin' } }), /links\/~1bin must match/],
  ['unknown operation', (p) => Object.assign(p['automata'][0]['edges'][0]['effect'], { op: 'FLY' }), /op/],
  ['frame of a missing program', (p) => Object.assign(p['frames'][0], { program: 3 }), /frames\/0\/program/],
];

test('a damaged policy is refused with a reason', () => {
  for (const [what, change, message] of damaged) {
    const copy = JSON.parse(JSON.stringify(sample)) as Record<string, never>;
    change(copy);
    assert.throws(
      () => readPolicy(JSON.stringify(copy), 'bad.json'),
      (error: unknown) =>
        error instanceof InputError && message.test(error.message) && error.message.startsWith('bad.json'),
      what,
    );
  }
  for (const text of ['', '{', 'null', '[]', '1', '{"format":1}'])
    assert.throws(() => readPolicy(text, 'bad.json'), InputError, text);
});

test('the published schema is the one that is enforced', () => {
  const text = `${JSON.stringify(POLICY_SCHEMA, null, 2)}\n`;
  if (process.env['UPDATE'] === '1') writeFileSync('schema/policy.schema.json', text);
  assert.equal(readFileSync('schema/policy.schema.json', 'utf8'), text);
});
