// Alignment of two runs on trees made by hand: what is a difference, and what is tolerated and counted as that.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type Comparison,
  compareRuns,
  type Happening,
  machineHappening,
  processRun,
  sameButForValues,
} from '../../src/compare/index.ts';
import type { Effect, Op } from '../../src/effect/index.ts';

/**
 * `PID[.TID] OP [ACCESS] TEXT [= RESULT]`, a line an effect: `1 OPEN r /a`, `1 CLONE process = 7`, `1 EXEC /bin/x a`,
 * `1 BIND tcp 0.0.0.0:80`, `1 EXIT 0`.
 */
function run(text: string): Happening[] {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.trim());
  return lines.map((line) => {
    const [, pid, tid = pid, op, rest, result = '0'] =
      /^(\d+)(?:\.(\d+))? ([A-Z]+) ?(.*?)(?: = (-?\d+))?$/.exec(line) ?? [];
    const event = {
      pid: Number(pid),
      tid: Number(tid),
      effect: effect(op as Op, rest),
      result: Number(result),
    };
    return machineHappening(event, 0n);
  });
}

function effect(op: Op, text: string): Effect {
  const words = text.split(' ');
  if (op === 'CLONE' || op === 'KILL') return { op, resource: { kind: 'task', what: text }, access: '' };
  if (op === 'EXIT' || op === 'SETUID') return { op, resource: { kind: 'id', value: text }, access: '' };
  if (op === 'EXEC')
    return { op, resource: { kind: 'program', path: words[0], args: words.slice(1) }, access: '' };
  if (words[0] === 'tcp' || words[0] === 'udp') {
    const end = (word = ':') => ({ address: word.replace(/:\d*$/, ''), port: /\d*$/.exec(word)?.[0] ?? '' });
    const resource = { kind: 'net', protocol: words[0], local: end(words[1]), peer: end(words[2]) } as const;
    return { op, resource, access: '' };
  }
  const path = words[words.length - 1];
  const type = path.endsWith('/') ? 'd' : 'f';
  return {
    op,
    resource: { kind: 'file', type, path: path.replace(/(?<=.)\/$/, '') },
    access: words.length > 1 ? words[0] : '',
  };
}

const compare = (host: string, machine: string): Comparison =>
  compareRuns(processRun(run(host)), processRun(run(machine)));
const differences = (host: string, machine: string): string[] =>
  compare(host, machine).differences.map(
    ({ kind, where, effect, count }) => `${kind} ${where}: ${effect}${count > 1 ? ` ×${count}` : ''}`,
  );
const tolerated = (host: string, machine: string): string[] => {
  const compared = compare(host, machine);
  assert.deepEqual(compared.differences, []);
  return compared.tolerated.map((each) => `${each.kind} ${each.where}: ${each.host} | ${each.machine}`);
};

test('the same', () => {
  const text = `
    1 EXEC /bin/sh -c x
    1 OPEN r /etc/passwd = 3
    1 CLONE process = 2
    2 EXEC /bin/id
    2 EXIT 0
    1 OPEN r /none = -2
    1 EXIT 0`;
  assert.deepEqual(compare(text, text), { differences: [], tolerated: [], common: 7 });
});

test('on one side only', () => {
  const both = '1 EXEC /bin/a\n1 OPEN r /both = 3';
  assert.deepEqual(differences(`${both}\n1 OPEN r /x`, `${both}\n1 OPEN w /x\n1 UNLINK /y\n1 UNLINK /y`), [
    'host-only a: OPEN r /x',
    'machine-only a: OPEN w /x',
    'machine-only a: UNLINK /y ×2',
  ]);
});

test('an error is part of an effect', () => {
  assert.deepEqual(differences('1 EXEC /a\n1 OPEN r /x = -2', '1 EXEC /a\n1 OPEN r /x = -13'), [
    'host-only a: OPEN r /x = errno 2',
    'machine-only a: OPEN r /x = errno 13',
  ]);
});

test('not as often', () => {
  assert.deepEqual(
    differences('1 EXEC /a\n1 OPEN r /x\n1 OPEN r /x', '1 EXEC /a\n1 OPEN r /x\n1 OPEN r /x\n1 OPEN r /x'),
    ['count a: OPEN r /x (host 2, machine 3)'],
  );
});

test('transfers and rounds of a timer may differ in number, transfers that are not there may not', () => {
  const rounds = (count: number): string => `1 EXEC /a\n${'1 OPEN r /tick\n'.repeat(count)}1 READ /f`;
  assert.deepEqual(tolerated(`${rounds(20)}\n1 READ /f`, rounds(18)), [
    'rounds a: OPEN r /tick ×20 | OPEN r /tick ×18',
    'transfers a: READ /f ×2 | READ /f ×1',
  ]);
  assert.deepEqual(differences(rounds(20), rounds(12)), ['count a: OPEN r /tick (host 20, machine 12)']);
  assert.deepEqual(differences(rounds(9), rounds(8)), ['count a: OPEN r /tick (host 9, machine 8)']);
  assert.deepEqual(differences('1 EXEC /a\n1 WRITE /f', '1 EXEC /a'), ['host-only a: WRITE /f']);
});

test('order within the main thread, not between threads', () => {
  assert.deepEqual(
    differences('1 EXEC /a\n1 OPEN r /x\n1 OPEN r /y', '1 EXEC /a\n1 OPEN r /y\n1 OPEN r /x').length,
    1,
  );
  const threads = (first: string, second: string): string =>
    `1 EXEC /a\n1 CLONE thread = 5\n1 OPEN r /m\n1.5 OPEN r ${first}\n1.5 OPEN r ${second}`;
  assert.deepEqual(differences(threads('/x', '/y'), threads('/y', '/x')), []);
});

test('order below a directory that both list is the file system’s', () => {
  const text = (list: string, first: string, second: string): string =>
    `1 EXEC /a\n1 OPEN r ${list}\n1 OPEN r /d/${first}\n1 OPEN r /d/${second}`;
  assert.deepEqual(tolerated(text('/d/', 'x', 'y'), text('/d/', 'y', 'x')), [
    'listing a: OPEN r /d/x | OPEN r /d/x',
  ]);
  assert.equal(differences(text('/e/', 'x', 'y'), text('/e/', 'y', 'x')).length, 1);
  assert.equal(differences(text('/d', 'x', 'y'), text('/d', 'y', 'x')).length, 1);
});

test('processes and threads of one side', () => {
  const alone = '1 EXEC /bin/a\n1 EXIT 0';
  const withChild = '1 EXEC /bin/a\n1 CLONE process = 9\n9 EXEC /bin/b\n1 EXIT 0';
  assert.deepEqual(differences(withChild, alone), ['host-only a: CLONE process', 'host-task a: process b']);
  assert.deepEqual(differences(alone, withChild), [
    'machine-only a: CLONE process',
    'machine-task a: process b',
  ]);
  const threaded = '1 EXEC /bin/a\n1 CLONE thread = 9\n1 EXIT 0';
  assert.deepEqual(differences(alone, threaded), ['machine-task a: thread', 'machine-only a: CLONE thread']);
});

test('children are paired by what they run, wherever they are born', () => {
  const text = (a: number, b: number, extra = ''): string => `
    1 EXEC /s
    1 CLONE process = ${a}
    1 CLONE process = ${b}
    2 EXEC /bin/b
    3 EXEC /bin/c
    3 OPEN r /c${extra}`;
  assert.deepEqual(differences(text(2, 3), text(3, 2)), []);
  assert.deepEqual(differences(text(2, 3, '1'), text(3, 2)), [
    'host-only s > c: OPEN r /c1',
    'machine-only s > c: OPEN r /c',
  ]);
});

test('values of the environment: ids of tasks, ports of the kernel, names made at run time, times', () => {
  const text = (pid: number, port: number, name: string, time: number): string => `
    1 EXEC /s
    1 CLONE process = ${pid}
    1 OPEN r /proc/${pid}/stat
    1 BIND tcp 127.0.0.1:${port}
    1 OPEN wc /tmp/tmp.${name}
    1 OPEN wc /tmp/log-${time}`;
  assert.deepEqual(
    tolerated(text(7, 0, 'aB3dEf', 1_700_000_001), text(31, 41_234, 'Zq81xY', 1_790_000_009)),
    [
      'value s: OPEN r /proc/7/stat | OPEN r /proc/31/stat',
      'value s: BIND tcp 127.0.0.1:0 | BIND tcp 127.0.0.1:41234',
      'value s: OPEN wc /tmp/tmp.aB3dEf | OPEN wc /tmp/tmp.Zq81xY',
      'value s: OPEN wc /tmp/log-1700000001 | OPEN wc /tmp/log-1790000009',
    ],
  );
});

test('names made at run time may be letters of one case by chance', () => {
  for (const [a, b] of [
    ['wgunicorn-nflehtio', 'wgunicorn-i7yk7uay'],
    ['tmp.QWERTZ', 'tmp.aB3dEf'],
  ]) {
    assert.equal(tolerated(`1 EXEC /s\n1 UNLINK /${a}`, `1 EXEC /s\n1 UNLINK /${b}`).length, 1);
    assert.equal(tolerated(`1 EXEC /s\n1 UNLINK /${b}`, `1 EXEC /s\n1 UNLINK /${a}`).length, 1);
  }
});

test('names of unix sockets that the kernel chose are values, names that look alike are not', () => {
  const text = (name: string) => `1 EXEC /s\n1 WRITE ${name}`;
  assert.deepEqual(tolerated(text('@0a1b2'), text('@75820')), ['value s: WRITE @0a1b2 | WRITE @75820']);
  assert.equal(differences(text('@0a1b2'), text('@7582')).length, 2);
  assert.equal(differences(text('@0a1b2'), text('@front')).length, 2);
});

test('a value that differs is still counted: as often on both sides', () => {
  const [host, machine] = [
    '1 EXEC /s\n1 UNLINK /t.aB3dEf\n1 UNLINK /t.aB3dEf',
    '1 EXEC /s\n1 UNLINK /t.Zq81xY',
  ];
  assert.deepEqual(differences(host, machine), ['count s: UNLINK /t.Zq81xY (host 2, machine 1)']);
});

const none = { taskIds: new Set<string>() };
for (const [a, b] of [
  ['OPEN r /lib/libc.so.6', 'OPEN r /lib/libc.so.7'],
  ['OPEN r /etc/config', 'OPEN r /etc/Config'],
  ['OPEN r /proc/7/stat', 'OPEN r /proc/8/stat'],
  ['OPEN r /a', 'OPEN w /a'],
  ['OPEN r /lib/libabc', 'OPEN r /lib/libab4'],
  ['BIND tcp 0.0.0.0:80', 'BIND tcp 0.0.0.0:8080'],
  ['BIND tcp 0.0.0.0:80', 'BIND tcp 0.0.0.0:40000'],
  ['BIND tcp 0.0.0.0:40000', 'BIND tcp 127.0.0.1:40000'],
  ['BIND tcp 0.0.0.0:40000', 'BIND udp 0.0.0.0:40000'],
  ['CONNECT tcp 1.1.1.1:40000 9.9.9.9:53', 'CONNECT tcp 1.1.1.1:40000 9.9.9.8:53'],
  ['KILL signal:15', 'KILL signal:9'],
  ['EXIT 0', 'EXIT 1'],
  ['SETUID 1000000', 'SETUID 1000001'],
  ['EXEC /bin/a 1', 'EXEC /bin/a 2'],
  ['EXEC /bin/a 1', 'EXEC /bin/a 1 2'],
] as const) {
  test(`no value of the environment: ${a}, ${b}`, () => {
    const [x, y] = [a, b].map((text) => run(`1 ${text}`)[0].effect);
    assert.ok(sameButForValues(x, x, none, none));
    assert.ok(!sameButForValues(x, y, none, none));
  });
}

test('sockets as different sources write them', () => {
  const text = (...ends: readonly string[]): string =>
    `1 EXEC /s\n${ends.map((end) => `1 ${end}`).join('\n')}`;
  assert.deepEqual(
    tolerated(
      text('CLOSE tcp :::0', 'BIND tcp ::ffff:127.0.0.1:80', 'CONNECT udp :::0 :::53'),
      text('CLOSE tcp : :', 'BIND tcp 127.0.0.1:80', 'CONNECT udp ::1:40000 ::1:53'),
    ),
    [],
  );
});

test('another name of the same file, where links of the image say so', () => {
  const resolve = (path: string): string => path.replace(/^\/var\/run\//, '/run/');
  const [host, machine] = ['/var/run/x', '/run/x'].map((path) =>
    processRun(run(`1 EXEC /s\n1 MKDIR ${path}`)),
  );
  const compared = compareRuns(host, machine, resolve);
  assert.deepEqual(compared.differences, []);
  assert.deepEqual(compared.tolerated, [
    { kind: 'name', where: 's', host: 'MKDIR /var/run/x', machine: 'MKDIR /run/x' },
  ]);
  assert.equal(compareRuns(host, machine).differences.length, 2);
});

test('nothing at all', () => {
  const nothing = processRun([]);
  assert.deepEqual(compareRuns(nothing, nothing), { differences: [], tolerated: [], common: 0 });
});
