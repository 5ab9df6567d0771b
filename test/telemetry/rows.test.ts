// What `effigy telemetry` prints: rows, filters, the tree of processes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Observation,
  ProcessTree,
  parseFilter,
  printRow,
  RowBook,
  rowJson,
} from '../../src/telemetry/index.ts';
import { boot, exploit, healthy } from '../monitor/echo.ts';
import { event, flow } from '../monitor/kit.ts';

const told: readonly Observation[] = [
  ...boot,
  ...exploit,
  ...healthy.slice(boot.length),
  flow(900, 901, 10, 'CONNECT+READ+WRITE+CLOSE tcp 172.17.0.4:40000 <-> 129.42.60.189:443', { cut: true }),
  event(950, 10, 'UNLINK /tmp/x'),
];

function rows(filter = 'type exists', columns = ['type', 'proc', 'ops', 'entity']): string[] {
  const book = new RowBook();
  const wanted = parseFilter(filter);
  return told.flatMap((each) => {
    const row = book.row(each);
    return row !== undefined && wanted(row) ? [printRow(row, columns)] : [];
  });
}

test('rows: one a record, with letters', () => {
  const all = rows();
  assert.equal(all.length, told.filter(({ kind }) => kind === 'event' || kind === 'flow').length);
  for (const line of [
    'FF /srv/echo O R C /etc/echo.conf',
    'NF /srv/echo A W R C 172.17.0.1:57514-172.17.0.4:8080',
    'NF /srv/echo C W R C T 172.17.0.4:40000-129.42.60.189:443',
    'PE /bin/sh EXEC /bin/sh -c id',
    'FE /srv/echo UNLINK /tmp/x',
  ])
    assert.ok(all.includes(line), `${line}\n${all.join('\n')}`);
  assert.deepEqual(
    rows('file.path = /etc/echo.conf', ['time', 'container', 'pid', 'args', 'proc.exe', 'net.port']),
    ['2020-09-13 12:26:40.007000000 echo 10 /etc/echo.conf /srv/echo -'],
  );
});

const count = (filter: string): number => rows(filter).length;

test('filters: fields, operators, precedence', () => {
  const cases: readonly (readonly [filter: string, same: string])[] = [
    ['sf.proc.name = echo', 'proc.exe = /srv/echo'],
    ['proc.exepath = /srv/echo', 'proc.name == "echo"'],
    ['not type = NF', 'type != NF'],
    ['type = NF or type = FF', 'type in (NF, FF)'],
    ['type=NF and proc.name=echo or type=PE', '(type = NF and proc.name = echo) or (type = PE)'],
    ['not (type=NF or type=FF)', 'not type = NF and not type = FF'],
    ['file.path startswith /etc/', "file.directory = '/etc'"],
    ['net.port = 8080', 'net.dport = 8080 or net.sport = 8080'],
    ['net.dport >= 443 and net.dport < 444', 'fd.sport = 443'],
    ['opflags = RECV', 'opflags contains RECV'],
    ['NET.SIP EXISTS', 'type = NF'],
    ['proc.aname = echo', 'proc.aexe endswith /echo'],
    ['proc.cmdline = "/bin/sh -c id"', 'proc.exe = /bin/sh and proc.args = "-c id"'],
    ['flow.wbytes > 0', 'flow.wbytes >= 1'],
  ];
  for (const [filter, same] of cases) {
    assert.deepEqual(rows(filter), rows(same), filter);
    assert.ok(count(filter) >= 0);
  }
  assert.equal(count('opflags = READ and type = NF'), 0);
  assert.ok(count('proc.aname = echo') > 0 && count('net.port = 8080') > 0);
  assert.equal(count('proc.pid = 10') + count('proc.pid != 10'), count('type exists'));
  assert.equal(count(`ts > ${'9'.repeat(19)}`), 0);
  assert.equal(count('file.is_open_write = true'), count('file.openflags = WRONLY'));
});

test('filters: errors say where', () => {
  for (const [filter, message] of [
    ['proc.nmae = x', /character 1: .*"proc\.nmae" is no field|"proc\.nmae" is no field.*character 1/s],
    ['type =', /value is missing/],
    ['type NF', /comparison is missing/],
    ['(type = NF', /"\)" is missing/],
    ['type = NF type = FF', /not expected/],
    ['type in NF', /"\(" is missing/],
    ['type = "NF', /not understood/],
    ['', /field is missing/],
    ['and', /no field/],
    [`${'('.repeat(500)}type = NF`, /too many/],
    [`${'not '.repeat(500)}type = NF`, /too many/],
    ['__proto__ = 1', /no field/],
  ] as const)
    assert.throws(() => parseFilter(filter), { name: 'InputError', message });
});

test('rows as JSON have every field', () => {
  const book = new RowBook();
  const all = told.flatMap((each) => {
    const row = book.row(each);
    return row === undefined ? [] : [JSON.parse(rowJson(row)) as Record<string, Record<string, unknown>>];
  });
  const [net] = all.filter((each) => each['net']?.['dport'] === 443);
  assert.deepEqual(net['net'], {
    proto: 6,
    protoname: 'tcp',
    sip: '172.17.0.4',
    sport: 40000,
    dip: '129.42.60.189',
    dport: 443,
    ip: ['172.17.0.4', '129.42.60.189'],
    port: [40000, 443],
  });
  assert.equal(net['container']['name'], 'echo');
  assert.equal(net['proc']['name'], 'echo');
});

function tree(filter?: string): string[] {
  const made = new ProcessTree();
  const wanted = filter === undefined ? () => true : parseFilter(filter);
  for (const each of told) made.add(each, wanted);
  return [...made.lines(filter === undefined)];
}

test('tree: children below their parents, effects folded', () => {
  const lines = tree();
  const find = (text: string): string => {
    const line = lines.find((each) => each.includes(text));
    assert.ok(line !== undefined, `${text}\n${lines.join('\n')}`);
    return line;
  };
  const depth = (text: string): number => find(text).search(/\S/);
  assert.ok(depth('10 [echo] /usr/bin/dash /entry.sh => /srv/echo') > depth('1 [echo]'));
  assert.ok(depth('20 [echo] /srv/echo') > depth('10 [echo]'));
  assert.ok(depth('21 [echo]') > depth('20 [echo]'));
  assert.match(find('172.17.0.1-172.17.0.4:8080'), /NF A W R C 172\.17\.0\.1-172\.17\.0\.4:8080 ×2/);
  const some = tree('file.path = /etc/passwd');
  assert.deepEqual(
    some.map((line) => line.trim().split(' ')[0]),
    ['1', '10', '20', '21', 'FF'],
  );
  assert.deepEqual(tree('file.path = /nowhere'), []);
});

test('tree: a process that seems to be its own ancestor is a root', () => {
  const made = new ProcessTree();
  const base = told.find((each) => each.kind === 'process');
  assert.ok(base?.kind === 'process');
  const [a, b] = [1, 2].map((pid) => ({ created: 0n, pid }));
  for (const [id, parent] of [
    [a, b],
    [b, a],
    [a, a],
  ])
    made.add({ ...base, process: { ...base.process, id, parent } }, () => true);
  assert.equal([...made.lines(true)].length, 2);
});
