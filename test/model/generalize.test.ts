import assert from 'node:assert/strict';
import test from 'node:test';
import { matcher } from '../../src/effect/index.ts';
import type { EffectEvent, Frame } from '../../src/linux/index.ts';
import {
  alignRuns,
  commonSubsequence,
  contextFrames,
  Endpoints,
  generalizeTexts,
  Orders,
  type Run,
  withoutKnown,
} from '../../src/model/index.ts';

test('what differs becomes a class, what is the same stays', () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['/a', '/a', '/a'], '/a'],
    [['/tmp/x12.log', '/tmp/x345.log'], '/tmp/x[0-9]+.log'],
    [['/tmp/x.log', '/tmp/x345.log'], '/tmp/x*.log'],
    [['/www/qzk', '/www/wjx/y'], '/www/**'],
    [['id-00af', 'id-1b22'], 'id-[0-9a-f]+'],
    [['172.17.0.2', '10.88.3.41'], '1*'],
    [['40312', '51747'], '[0-9]+'],
    [['aXbc', 'aYbc', 'aZbc'], 'a[0-9A-Za-z]+bc'],
    [['aa', 'aaa'], 'aa*'],
    // made at random: others of their kind may have marks
    [['/tmp/q28yw7gg', '/tmp/x0bn4klp'], '/tmp/*'],
    [['/tmp/q28yw7g', '/tmp/x0bn4kl'], '/tmp/[0-9A-Za-z]+'],
    [['/tmp/00af3377', '/tmp/1b22c9d0'], '/tmp/[0-9a-f]+'],
  ];
  for (const [texts, expected] of cases) {
    const pattern = generalizeTexts(texts);
    assert.equal(pattern, expected);
    for (const text of texts) assert.ok(matcher(pattern)(text), `${pattern} matches ${text}`);
  }
});

test('addresses are never literal, other numbers are', () => {
  const cases = [
    ['/a.pyc.140737331299216', '/a.pyc.[0-9]+'],
    ['/a.93824992231424-140737331299216', '/a.[0-9]+-[0-9]+'],
    ['/log.17000000001234', '/log.17000000001234'],
    ['/log.1700000000123456789', '/log.1700000000123456789'],
    ['/plain', '/plain'],
  ];
  for (const [text, expected] of cases) {
    assert.equal(generalizeTexts([text, text]), expected);
    assert.equal(withoutKnown(text, []), expected);
  }
});

test('what clients chose is any name, with slashes where they can be', () => {
  const chosen = ['qzkva', 'wjxpb'];
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['/www/qzkva', '/www/wjxpb'], '/www/*'],
    [['/www/qzkva/qzkva', '/www/wjxpb/wjxpb'], '/www/**'],
    [['/www/qzkva.html', '/www/wjxpb.html'], '/www/*.html'],
    [['/tmp/12-qzkva', '/tmp/345-wjxpb'], '/tmp/[0-9]+-*'],
    [['/www/QZKVA', '/www/WJXPB'], '/www/[0-9A-Za-z]+'],
  ];
  for (const [texts, expected] of cases) assert.equal(generalizeTexts(texts, chosen), expected);
  // where only one name is there, all runs chose it
  assert.equal(generalizeTexts(['/www/big.txt', '/www/big.txt'], ['big', 'big']), '/www/*.txt');
  assert.equal(generalizeTexts(['/www/big.txt', '/www/big.txt'], ['big', 'other']), '/www/big.txt');
  assert.equal(withoutKnown('/www/qzkva.b7c1f0e2a934', ['b7c1f0e2a934'], 'qzkva'), '/www/*.[0-9a-f]+');
});

test('known values of the environment never stay literal', () => {
  assert.equal(withoutKnown('/run/b7c1f0e2a934.pid', ['b7c1f0e2a934']), '/run/[0-9a-f]+.pid');
  assert.equal(withoutKnown('/plain', ['b7c1f0e2a934']), '/plain');
});

test('longest common subsequence, with common ends taken off', () => {
  const pairs = commonSubsequence([...'xabcy'], [...'xaQcyy'].slice(0, 5));
  assert.deepEqual(pairs.map(([i]) => 'xabcy'[i]).join(''), 'xacy');
  assert.deepEqual(commonSubsequence([], ['a']), []);
  assert.deepEqual(commonSubsequence([...'aaaa'], [...'aa']).length, 2);
});

const frame = (offset: number): Frame => ({ module: '/bin/x', offset, symbol: undefined });

test('recursion is taken out of contexts', () => {
  const offsets = (stack: readonly Frame[]): number[] => contextFrames(stack).map((f) => f.offset);
  assert.deepEqual(offsets([1, 2, 3].map(frame)), [1, 2, 3]);
  assert.deepEqual(offsets([1, 5, 6, 5, 6, 5, 9].map(frame)), offsets([1, 5, 6, 5, 9].map(frame)));
  assert.deepEqual(offsets([1, 5, 5, 5, 9].map(frame)), [1, 5, 9]);
});

function open(tid: number, path: string, site = 1): EffectEvent {
  return {
    sequence: 0,
    pid: 1,
    tid,
    parentPid: 0,
    exe: '/bin/x',
    effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path } },
    result: 3,
    syscall: 'openat',
    args: [],
    stack: [frame(site)],
    stackCut: false,
  };
}
function clone(tid: number, child: number): EffectEvent {
  return {
    ...open(tid, ''),
    effect: { op: 'CLONE', access: '', resource: { kind: 'task', what: 'process' } },
    result: child,
    stack: [frame(99)],
  };
}

const run = (events: readonly EffectEvent[], before: readonly EffectEvent[] = []): Run => ({
  before,
  events,
  known: [],
  chosen: '',
  entered: new Map(),
});

test('tasks correspond by how they came to be, events by their context', () => {
  const a = [
    open(1, '/etc/conf'),
    clone(1, 12),
    clone(1, 13),
    open(13, '/tmp/13.x', 2),
    open(12, '/tmp/12.x', 2),
    open(1, '/only-a', 7),
  ];
  const b = [
    open(1, '/etc/conf'),
    clone(1, 470),
    clone(1, 471),
    open(470, '/tmp/470.x', 2),
    open(471, '/tmp/471.x', 2),
  ];
  const patterns = alignRuns([run(a), run(b)]);
  assert.deepEqual(patterns.get(a[0]), ['/etc/conf']);
  assert.deepEqual(patterns.get(a[4]), ['/tmp/[0-9]+.x']);
  assert.deepEqual(patterns.get(b[3]), patterns.get(a[4]));
  assert.deepEqual(patterns.get(a[5]), ['/only-a']);
});

test('an address or port that differs is any address or port', () => {
  const accept = (address: string, port: string): EffectEvent => ({
    ...open(1, ''),
    effect: {
      op: 'ACCEPT',
      access: '',
      resource: {
        kind: 'net',
        protocol: 'tcp',
        local: { address: '0.0.0.0', port: '80' },
        peer: { address, port },
      },
    },
  });
  const a = accept('172.17.0.2', '40312');
  const patterns = alignRuns([run([a]), run([accept('10.88.3.41', '41313')])]);
  assert.deepEqual(patterns.get(a), ['0.0.0.0', '80', '*', '[0-9]+']);
});

test('what the environment decides of an endpoint at a program point, it decides for every try', () => {
  const connect = (site: number, port: string, address: string): EffectEvent => ({
    ...open(1, '', site),
    effect: {
      op: 'CONNECT',
      access: '',
      resource: {
        kind: 'net',
        protocol: 'udp',
        local: { address: '0.0.0.0', port },
        peer: { address, port: '53' },
      },
    },
  });
  const a = [connect(1, '40312', '192.0.2.1'), connect(2, '7000', '192.0.2.9')];
  const b = [
    connect(1, '51747', '198.51.100.4'),
    connect(1, '51748', '203.0.113.5'),
    connect(2, '7000', '192.0.2.9'),
    connect(3, '7001', '192.0.2.9'),
  ];
  const notes = { orders: new Orders(), endpoints: new Endpoints() };
  const patterns = alignRuns([run(a), run(b)], notes);
  assert.deepEqual(patterns.get(b[1]), ['0.0.0.0', '51748', '203.0.113.5', '53']);
  notes.endpoints.settle();
  assert.deepEqual(patterns.get(b[1]), ['0.0.0.0', '[0-9]+', '*', '53']);
  assert.deepEqual(patterns.get(b[2]), ['0.0.0.0', '7000', '192.0.2.9', '53']);
  assert.deepEqual(patterns.get(b[3]), ['0.0.0.0', '7001', '192.0.2.9', '53']);
});

test('what went before names the tasks but is not aligned again', () => {
  const boot = (child: number): EffectEvent[] => [clone(1, child)];
  const a = [open(12, '/tmp/a1')];
  const b = [open(470, '/tmp/b2')];
  const patterns = alignRuns([run(a, boot(12)), run(b, boot(470))]);
  assert.deepEqual(patterns.get(a[0]), ['/tmp/[0-9a-f]+']);
  assert.equal(patterns.size, 2);
});
