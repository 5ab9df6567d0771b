// Each format holds what its readers require: fields, types, values. The published schemas of SARIF and OCSF are in no
// package; what they require is written down here.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { FINDING_KINDS, type Finding } from '../../src/monitor/index.ts';
import { checkerOf } from '../../src/policy/index.ts';
import {
  FINDING_SCHEMA,
  fingerprint,
  LONGEST_TEXT,
  REPORT_FORMATS,
  xxhash64,
} from '../../src/report/index.ts';
import { fileOid } from '../../src/telemetry/index.ts';
import { at, findings, objects, summary, type Tree, written } from './findings.ts';

const find = (op: string): number => {
  const i = findings.findIndex(({ effect }) => effect.op === op);
  assert.ok(i >= 0, op);
  return i;
};

test('the findings of these tests are of many kinds', () => {
  assert.ok(new Set(findings.map(({ kind }) => kind)).size >= 5);
  assert.ok(new Set(findings.map(({ target }) => target.kind)).size >= 4);
  assert.equal(new Set(findings.map(({ id }) => id)).size, findings.length);
});

test('json: the published schema is the one that lines fit', () => {
  const text = `${JSON.stringify(FINDING_SCHEMA, null, 2)}\n`;
  if (process.env['UPDATE'] === '1') writeFileSync('schema/finding.schema.json', text);
  assert.equal(readFileSync('schema/finding.schema.json', 'utf8'), text, 'UPDATE=1 writes it');
  const check = checkerOf(FINDING_SCHEMA);
  for (const line of objects('json')) assert.equal(check(line), undefined);
  const [first] = objects('json');
  for (const wrong of [
    { ...first, kind: 'bad' },
    { ...first, time: 5 },
    { ...first, target: { kind: 'file' } },
  ])
    assert.notEqual(check(wrong), undefined);
});

test('every format of lines has one line a finding, well-formed and without control characters', () => {
  for (const format of REPORT_FORMATS) {
    if (format === 'text' || format === 'sarif') continue;
    const text = written(format);
    assert.equal(text.split('\n').length - 1, findings.length, format);
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\u0000-\u001f\u007f]/, format);
    assert.doesNotMatch(text, /\\ud[c-f]|[\ud800-\udfff]/iu, format);
  }
});

test('sysflow: a version 5 record with its policy', () => {
  const records = objects('sysflow');
  const open = records[find('OPEN')];
  assert.deepEqual(Object.keys(open), [
    'version',
    'endts',
    'opflags',
    'ret',
    'ts',
    'type',
    'container',
    'file',
    'flow',
    'meta',
    'node',
    'pproc',
    'proc',
    'policies',
    'tags',
  ]);
  assert.deepEqual([open['version'], open['type'], open['opflags']], [5, 'FF', ['OPEN']]);
  assert.deepEqual(open['policies'], [
    { id: 'Effigy: Wrong resource', desc: 'echo does OPEN r, but never on this', priority: 3 },
  ]);
  assert.deepEqual(open['tags'], ['effigy', 'effigy:wrong-resource', 'mitre:T1003.008']);
  assert.equal(at(open, 'file.path'), '/etc/shadow');
  assert.equal(at(open, 'file.directory'), '/etc');
  assert.equal(at(open, 'file.oid'), fileOid('0123456789ab', '/etc/shadow'));
  assert.deepEqual(at(open, 'file.openflags'), ['RDONLY']);
  assert.deepEqual(
    [at(open, 'proc.name'), at(open, 'proc.tid'), at(open, 'pproc.exe')],
    ['echo', 10, '/usr/bin/dash'],
  );
  assert.deepEqual(at(open, 'proc.apid'), [1]);
  // Bare integers beyond 2^53: as text.
  assert.match(written('sysflow'), /"ts":1600000000300000000,/);
  const net = records[find('CONNECT')];
  assert.deepEqual(net['net'], {
    dip: '6.6.6.6',
    dport: 443,
    ip: ['172.17.0.4', '6.6.6.6'],
    port: [40000, 443],
    proto: 6,
    sip: '172.17.0.4',
    sport: 40000,
  });
  assert.equal(at(records[find('ACCEPT')], 'net.sip'), '10.0.0.9', 'the client is the source');
  assert.deepEqual([records[find('EXEC')]['type'], records[find('UNLINK')]['type']], ['PE', 'FE']);
  assert.equal(at(records[find('RENAME')], 'file.newdirectory'), '/etc');
});

test('sysflow: processes are named by XXH64', () => {
  const hash = (text: string): string => xxhash64(new TextEncoder().encode(text));
  assert.equal(hash(''), 'ef46db3751d8e999');
  assert.equal(hash('abc'), '44bc2cf5ad770999');
  assert.equal(hash('Nobody inspects the spammish repetition'), 'fbcea83c8a378bf1');
  assert.equal(at(objects('sysflow')[0], 'proc.oid'), hash('101600000000010000000'));
});

interface EcsField {
  readonly type: string;
  readonly array: boolean;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

const ecsFields = new Map(
  readFileSync('test/report/ecs-fields.txt', 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): [string, EcsField] => {
      const [name, type, values = ''] = line.split(' ');
      const allowed = values.split(',').filter((value) => value !== '');
      return [
        name,
        {
          type: type.replace('[]', ''),
          array: type.endsWith('[]'),
          values: new Map(
            allowed.map((value) => [value.split(':')[0], value.split(':')[1]?.split('|') ?? []]),
          ),
        },
      ];
    }),
);

const ecsTypes: Readonly<Record<string, string>> = {
  keyword: 'string',
  wildcard: 'string',
  match_only_text: 'string',
  date: 'string',
  ip: 'string',
  long: 'number',
  boolean: 'boolean',
};

/** What is not as the schema has it. */
function ecsMistakes(tree: Tree, before = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const name = before === '' ? key : `${before}.${key}`;
    if (name === 'effigy') return [];
    const field = ecsFields.get(name);
    if (field === undefined)
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? ecsMistakes(value as Tree, name)
        : [`${name} is no field`];
    if (field.array !== Array.isArray(value)) return [`${name}: array`];
    return [value].flat().flatMap((each) => {
      if (typeof each !== ecsTypes[field.type]) return [`${name}: ${typeof each}, not ${field.type}`];
      return field.values.size > 0 && !field.values.has(String(each)) ? [`${name}: ${String(each)}`] : [];
    });
  });
}

test('ecs: fields, types and values of Elastic Common Schema', () => {
  const documents = objects('ecs');
  for (const document of documents) {
    assert.deepEqual(ecsMistakes(document), []);
    const types = [...(ecsFields.get('event.category')?.values ?? [])];
    const [, category] = at(document, 'event.category') as string[];
    const expected = types.find(([name]) => name === category)?.[1] ?? [];
    for (const type of at(document, 'event.type') as string[])
      assert.ok(expected.includes(type), `${category} ${type}`);
  }
  assert.deepEqual(ecsMistakes({ event: { kind: 'alarm', severity: '5' }, process: { pidd: 1 } }), [
    'event.kind: alarm',
    'event.severity: string, not long',
    'process.pidd is no field',
  ]);
  const open = documents[find('OPEN')];
  const expected: Readonly<Record<string, unknown>> = {
    '@timestamp': '2020-09-13T12:26:40.300000000Z',
    'ecs.version': '9.4.0',
    'event.kind': 'alert',
    'event.severity': 73,
    'rule.id': 'wrong-resource',
    'threat.technique.id': ['T1003'],
    'threat.technique.subtechnique.id': ['T1003.008'],
    'process.pid': 10,
    'process.parent.pid': 1,
    'process.entry_leader.executable': '/usr/bin/dash',
    'container.image.name': 'example/echo',
    'container.image.tag': ['1'],
    'file.path': '/etc/shadow',
    'file.type': 'file',
    'effigy.incident': '0123456789ab-1',
  };
  for (const [path, value] of Object.entries(expected)) assert.deepEqual(at(open, path), value, path);
  const net = documents[find('ACCEPT')];
  assert.deepEqual(
    ['source.ip', 'destination.port', 'network.direction', 'network.transport'].map((path) => at(net, path)),
    ['10.0.0.9', 8081, 'ingress', 'tcp'],
  );
});

type Want = 'string' | 'number' | 'boolean' | 'object' | 'array';
const typeOf = (value: unknown): string => (Array.isArray(value) ? 'array' : typeof value);

function holds(tree: Tree, wanted: Readonly<Record<string, Want>>, what: string): void {
  for (const [path, type] of Object.entries(wanted))
    assert.equal(typeOf(at(tree, path)), type, `${what} ${path}`);
}

test('ocsf: what a Detection Finding requires', () => {
  const events = objects('ocsf');
  const ids: Readonly<Record<string, number>> = { low: 2, medium: 3, high: 4, critical: 5 };
  events.forEach((event, i) => {
    holds(
      event,
      {
        activity_id: 'number',
        category_uid: 'number',
        class_uid: 'number',
        type_uid: 'number',
        time: 'number',
        severity_id: 'number',
        message: 'string',
        'metadata.version': 'string',
        'metadata.product.vendor_name': 'string',
        'metadata.product.name': 'string',
        'finding_info.uid': 'string',
        'finding_info.title': 'string',
        'finding_info.analytic.type_id': 'number',
        'evidences.0.process.pid': 'number',
        'evidences.0.process.file.name': 'string',
        'evidences.0.process.file.type_id': 'number',
        'evidences.0.process.container.image.uid': 'string',
        'resources.0.uid': 'string',
      },
      'ocsf',
    );
    assert.deepEqual([event['class_uid'], event['category_uid'], event['type_uid']], [2004, 2, 200401]);
    assert.equal(event['severity_id'], ids[findings[i].severity]);
    assert.ok(Number.isSafeInteger(event['time']));
  });
  const open = events[find('OPEN')];
  assert.deepEqual(at(open, 'finding_info.attacks'), [
    {
      technique: { uid: 'T1003', name: 'OS Credential Dumping' },
      sub_technique: { uid: 'T1003.008', name: '/etc/passwd and /etc/shadow' },
    },
  ]);
  assert.deepEqual(at(open, 'evidences.0.file'), {
    name: 'shadow',
    path: '/etc/shadow',
    parent_folder: '/etc',
    type_id: 1,
  });
  const connect = at(events[find('CONNECT')], 'evidences.0') as Tree;
  assert.deepEqual(connect['dst_endpoint'], { ip: '6.6.6.6', port: 443 });
  assert.deepEqual(
    [at(connect, 'connection_info.direction_id'), at(connect, 'connection_info.protocol_num')],
    [2, 6],
  );
  assert.equal(at(connect, 'process.parent_process.pid'), 1);
});

test('falco: what falcosidekick takes', () => {
  const priorities = [
    'Emergency',
    'Alert',
    'Critical',
    'Error',
    'Warning',
    'Notice',
    'Informational',
    'Debug',
  ];
  for (const alert of objects('falco')) {
    holds(
      alert,
      {
        output: 'string',
        priority: 'string',
        rule: 'string',
        time: 'string',
        output_fields: 'object',
        source: 'string',
        tags: 'array',
        hostname: 'string',
      },
      'falco',
    );
    assert.ok(priorities.includes(String(alert['priority'])));
    // Go's time.Time takes RFC 3339 alone.
    assert.match(String(alert['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/);
    assert.match(
      String(alert['output']),
      new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{9}: ${String(alert['priority'])} `),
    );
    for (const [name, value] of Object.entries(alert['output_fields'] as Tree))
      assert.ok(['string', 'number', 'boolean'].includes(typeof value), name);
  }
  const fields = objects('falco')[find('CONNECT')]['output_fields'] as Tree;
  assert.deepEqual(
    ['proc.name', 'proc.pname', 'fd.sip', 'fd.sport', 'container.image.repository'].map(
      (name) => fields[name],
    ),
    ['echo', 'dash', '6.6.6.6', 443, 'example/echo'],
  );
});

test('sarif: one log, with rules, places, fingerprints and techniques', () => {
  const log = JSON.parse(written('sarif')) as Tree;
  assert.deepEqual([log['version'], typeof log['$schema']], ['2.1.0', 'string']);
  const [run] = log['runs'] as Tree[];
  assert.deepEqual(
    (at(run, 'tool.driver.rules') as { readonly id: string }[]).map(({ id }) => id),
    [...FINDING_KINDS],
  );
  assert.equal(at(run, 'tool.driver.name'), 'Effigy');
  assert.equal(at(run, 'invocations.0.executionSuccessful'), true);
  const results = run['results'] as Tree[];
  assert.equal(results.length, findings.length);
  const taxa = at(run, 'taxonomies.0.taxa') as { readonly id: string }[];
  for (const result of results) {
    holds(
      result,
      {
        ruleId: 'string',
        ruleIndex: 'number',
        level: 'string',
        'message.text': 'string',
        occurrenceCount: 'number',
      },
      'sarif',
    );
    assert.equal(FINDING_KINDS[Number(result['ruleIndex'])], result['ruleId']);
    assert.ok(['none', 'note', 'warning', 'error'].includes(String(result['level'])));
    assert.match(String(at(result, 'partialFingerprints.effigyDeviation/v1')), /^[0-9a-f]{32}$/);
    assert.ok((at(result, 'locations.0.logicalLocations') as unknown[]).length > 0);
    assert.equal(at(result, 'locations.0.physicalLocation.artifactLocation.uriBaseId'), 'IMAGE');
    for (const { id } of (result['taxa'] ?? []) as { readonly id: string }[])
      assert.ok(taxa.some((each) => each.id === id));
  }
  assert.equal(written('sarif', []).includes('"results":[]'), true);
});

test('a fingerprint is the same in another container, version and connection, and no other', () => {
  const connect = findings[find('CONNECT')];
  const other: Finding = {
    ...connect,
    time: 1n,
    pid: 99,
    container: { ...connect.container, id: 'ffffffffffff', image: 'example/echo:2' },
    target: {
      kind: 'net',
      protocol: 'tcp',
      local: { address: '172.17.0.4', port: '50123' },
      peer: { address: '6.6.6.6', port: '443' },
    },
  };
  assert.equal(fingerprint(other), fingerprint(connect));
  assert.equal(new Set(findings.map(fingerprint)).size, findings.length);
});

test('syslog: RFC 5424', () => {
  const shape =
    /^<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z node1 effigy - [a-z-]{1,32} \[effigy@32473((?: [A-Za-z]{1,32}="(?:[^"\\\]]|\\["\\\]])*")+)\] \ufeff[^\n]+$/;
  const levels: Readonly<Record<string, number>> = { low: 85, medium: 84, high: 83, critical: 82 };
  written('syslog')
    .trimEnd()
    .split('\n')
    .forEach((line, i) => {
      const match = shape.exec(line);
      assert.ok(match !== null, line);
      assert.equal(Number(match[1]), levels[findings[i].severity]);
      assert.ok(Buffer.byteLength(line) < 8192);
    });
});

test('no format is longer than its measure, however long what a program says', () => {
  const long = 'x'.repeat(3_000_000);
  const [first] = findings;
  const huge: Finding = {
    ...first,
    exe: `/${long}`,
    args: long,
    why: long,
    effect: { ...first.effect, resource: long },
    target: { kind: 'file', type: 'f', path: `/${long}` },
    process: { ...first.process, exe: `/${long}`, args: long },
  };
  for (const format of REPORT_FORMATS) {
    if (format === 'text') continue;
    const text = written(format, [huge]);
    assert.ok(text.length < 20 * LONGEST_TEXT, `${format}: ${text.length}`);
    if (format !== 'syslog') JSON.parse(text);
  }
  assert.equal(summary.counters.unreported, 0);
});
