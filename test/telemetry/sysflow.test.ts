// SysFlow records to observations: the same story written in every layout, and each rule of the mapping.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AvroType, openSysFlow, parseSchema, SYSFLOW_SCHEMA } from '../../src/telemetry/index.ts';
import { container, fileOf, filled, layouts, libraryType, nameOf } from './avro-data.ts';
import { printObservation } from './print.ts';

/** A record: the last part of its name, and fields; those that a layout lacks are left out. */
type Record = readonly [name: string, fields: object];

const t0 = 1_700_000_000_000_000_000n;
const ip = (a: number, b: number, c: number, d: number): number => a | (b << 8) | (c << 16) | (d << 24);
const foid = (n: number): Buffer =>
  Buffer.from([n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, n]);
const oid = (pid: number): object => ({ createTS: t0 + BigInt(pid), hpid: BigInt(pid) });
const flow = (pid: number, opFlags: number, more: object = {}): object => ({
  procOID: oid(pid),
  ts: t0 + 10n,
  tid: BigInt(pid),
  opFlags,
  endTs: t0 + 20n,
  fd: 3,
  ...more,
});
const bits = (...numbers: number[]): number => numbers.reduce((sum, n) => sum | (1 << n), 0);
const process = (pid: number, parent: number | undefined, more: object = {}): Record => [
  'Process',
  {
    state: 'CREATED',
    oid: oid(pid),
    poid: parent === undefined ? null : oid(parent),
    ts: t0 + 5n,
    exe: '/bin/app',
    exeArgs: '-d now',
    uid: 33,
    userName: 'www',
    gid: 33,
    groupName: 'www',
    ...more,
  },
];
const file = (n: number, path: string, restype = 'f'): Record => [
  'File',
  { oid: foid(n), ts: t0, restype: restype.charCodeAt(0), path },
];
const header: Record = ['SFHeader', { version: 5, exporter: 'node1', ip: '10.0.0.1', filename: 'f' }];

function encode(schema: string, records: readonly Record[]): Buffer {
  const type = parseSchema(schema, 'test') as Extract<AvroType, { kind: 'record' }>;
  const library = libraryType(schema);
  const { branches } = type.fields[0].type as Extract<AvroType, { kind: 'union' }>;
  const bytes = records.map(([name, fields]) => {
    const branch = branches.find((b) => nameOf(b).split('.').pop() === name) as AvroType;
    return library.toBuffer({ rec: { [nameOf(branch)]: filled(branch, fields) } });
  });
  return container({
    schema,
    codec: 'deflate',
    blocks: [{ count: records.length, data: Buffer.concat(bytes) }],
  });
}

const observe = (records: readonly Record[], schema = SYSFLOW_SCHEMA): string[] =>
  [...openSysFlow(fileOf(encode(schema, records))).observations()].map(printObservation);

const story: readonly Record[] = [
  header,
  ['Container', { id: 'c0ffee', name: 'web', image: 'web:1', imageid: 'abcd', privileged: true }],
  process(1, undefined, { containerId: 'c0ffee', entry: true, cwd: '/' }),
  process(7, 1, { containerId: 'c0ffee', tty: true }),
  ['ProcessEvent', { procOID: oid(1), ts: t0 + 6n, tid: 1n, opFlags: 1, ret: 7 }],
  ['ProcessEvent', { procOID: oid(7), ts: t0 + 7n, tid: 7n, opFlags: 1, ret: 0 }],
  ['ProcessEvent', { procOID: oid(7), ts: t0 + 8n, tid: 7n, opFlags: 2, ret: 0 }],
  file(1, '/etc/app.conf'),
  [
    'FileFlow',
    flow(7, bits(7, 8, 10), { fileOID: foid(1), openFlags: 4097, numRRecvOps: 2n, numRRecvBytes: 5000n }),
  ],
  [
    'NetworkFlow',
    flow(7, bits(5, 8, 9, 11), {
      sip: ip(10, 1, 2, 3),
      sport: 40000,
      dip: ip(10, 0, 0, 9),
      dport: 80,
      proto: 6,
      numWSendOps: 1n,
      numWSendBytes: 7n,
    }),
  ],
  file(2, '/tmp/a', '?'),
  file(3, '/tmp/b', '?'),
  [
    'FileEvent',
    {
      procOID: oid(7),
      ts: t0 + 30n,
      tid: 8n,
      opFlags: bits(20),
      fileOID: foid(2),
      ret: 0,
      newFileOID: foid(3),
    },
  ],
  ['ProcessEvent', { procOID: oid(7), ts: t0 + 40n, tid: 7n, opFlags: 4, ret: 256 }],
];

const told = [
  'container c0ffee web web:1 abcd privileged',
  'process 1@1700000000000000001 of - /bin/app [-d now] www(33) c0ffee',
  'process 7@1700000000000000007 of 1@1700000000000000001 /bin/app [-d now] www(33) c0ffee tty',
  'event 1700000000000000006 1/1 CLONE = 7',
  'event 1700000000000000007 7/7 CLONE process = 0',
  'event 1700000000000000008 7/7 EXEC /bin/app -d now = 0',
  'flow 1700000000000000010-1700000000000000020 7/7 OPEN|READ|CLOSE r /etc/app.conf fd 3 r 2/5000 w 0/0',
  'flow 1700000000000000010-1700000000000000020 7/7 ACCEPT|READ|WRITE cut  tcp 10.0.0.9:80 <-> 10.1.2.3:40000 fd 3 r 0/0 w 1/7',
  'event 1700000000000000030 7/8 RENAME /tmp/a -> /tmp/b = 0',
  'event 1700000000000000040 7/7 EXIT 1 = 256',
];

for (const { name, schema } of layouts()) {
  test(`the same story in layout ${name}`, () => {
    const [first, ...rest] = observe(story, schema);
    assert.equal(first, 'stream node1 5');
    // `entry` came with a later version.
    assert.deepEqual(
      rest.map((line) => line.replace(/ entry$/, '')),
      told,
    );
  });
}

/** The layouts before the first public one: eight branches, no descriptor in network flows, names without namespace. */
test('the story in a layout without namespaces, descriptors and trailing branches', () => {
  const schema = JSON.parse(layouts()[0].schema);
  const [field] = schema.fields;
  const plain = (part: unknown): unknown =>
    Array.isArray(part)
      ? part.map(plain)
      : typeof part === 'object' && part !== null
        ? Object.fromEntries(
            Object.entries(part)
              .filter(([key]) => key !== 'namespace')
              .map(([key, value]) => [key, plain(value)]),
          )
        : typeof part === 'string'
          ? part.replace(/^sysflow\.\w+\./, '')
          : part;
  const branches = (plain(field.type) as { name: string; fields: { name: string }[] }[]).slice(0, 8);
  for (const branch of branches) {
    if (branch.name === 'NetworkFlow') branch.fields = branch.fields.filter(({ name }) => name !== 'fd');
  }
  const text = JSON.stringify({ type: 'record', name: 'SysFlow', fields: [{ name: 'rec', type: branches }] });
  const got = observe(story, text).slice(1);
  assert.deepEqual(
    got,
    told.map((line) => line.replace(/(tcp .*) fd 3/, '$1 fd 0')),
  );
});

test('before version 2 a process event could be called ProcessFlow', () => {
  const schema = JSON.parse(layouts()[0].schema);
  const [field] = schema.fields;
  const event = field.type.find((branch: { name: string }) => branch.name === 'ProcessEvent');
  event.name = 'ProcessFlow';
  const records = story
    .slice(0, 5)
    .map(([name, fields]): Record => [name === 'ProcessEvent' ? 'ProcessFlow' : name, fields]);
  assert.equal(observe(records, JSON.stringify(schema)).at(-1), told[3]);
});

const base: readonly Record[] = [header, process(7, undefined)];
/** The last observations of a stream with one process. */
const after = (...records: Record[]): string[] => observe([...base, ...records]).slice(2);

test('records that name what is unknown are gaps', () => {
  assert.deepEqual(
    after(
      ['FileFlow', flow(7, 1 << 7, { fileOID: foid(9) })],
      ['FileFlow', flow(8, 1 << 7, { fileOID: foid(9) })],
      ['NetworkFlow', flow(8, 1 << 6)],
    ),
    ['gap flow on an unknown file 1', 'gap flow of an unknown process 1', 'gap flow of an unknown process 1'],
  );
  assert.deepEqual(
    after(['ProcessEvent', flow(8, 4)], ['FileEvent', flow(7, 1 << 15, { fileOID: foid(9), ret: 0 })]),
    ['gap event of an unknown process 1', 'gap event on an unknown file 1'],
  );
});

test('a process is known by its creation time, not by its pid alone', () => {
  const reused = { procOID: { createTS: t0 + 99n, hpid: 7n }, ts: t0, tid: 7n, opFlags: 4, ret: 0 };
  assert.deepEqual(after(['ProcessEvent', reused]), ['gap event of an unknown process 1']);
  const both = after(
    process(7, undefined, { oid: { createTS: t0 + 99n, hpid: 7n }, exe: '/bin/new' }),
    ['ProcessEvent', reused],
    ['ProcessEvent', { procOID: oid(7), ts: t0, tid: 7n, opFlags: 4, ret: 9 }],
  );
  assert.deepEqual(both.slice(1), [
    'event 1700000000000000000 7/7 EXIT 0 = 0',
    'event 1700000000000000000 7/7 EXIT signal:9 = 9',
  ]);
});

test('a header empties the tables', () => {
  const got = after(
    file(1, '/x'),
    header,
    ['FileFlow', flow(7, 1 << 7, { fileOID: foid(1) })],
    process(7, undefined, { state: 'REUP' }),
    ['FileFlow', flow(7, 1 << 7, { fileOID: foid(1) })],
  );
  assert.deepEqual(
    got.map((line) => line.split(' ').slice(0, 4).join(' ')),
    ['stream node1 5', 'gap flow of an', 'process 7@1700000000000000007 of -', 'gap flow on an'],
  );
});

test('a process whose first record is a flow is REUP and yet new', () => {
  const [one, two, three] = observe([
    header,
    process(1, undefined, { state: 'REUP', ts: t0 + 5n }),
    process(9, 1, { state: 'REUP', ts: t0 + 50n }),
    process(0, undefined, { state: 'REUP', oid: { createTS: 0n, hpid: 5n } }),
  ]).slice(1);
  assert.match(one, / again$/);
  assert.doesNotMatch(two, /again/);
  assert.match(three, / again$/);
});

test('a parent that was never written is named by its identity', () => {
  assert.match(after(process(9, 3))[0], /^process 9@\d+ of 3@1700000000000000003 /);
});

for (const [restype, path, printed] of [
  ['u', 'ffff95f12d50fc00->ffff95f12d50d000 /run/app.sock', '/run/app.sock'],
  ['u', 'ffff95f12d50fc00->ffff95f12d50d000', '(unnamed socket)'],
  ['u', 'ffff95f12d50fc00->0 @abstract', '@abstract'],
  ['u', '', '(unnamed socket)'],
  ['u', '/run/a->b.sock', '/run/a->b.sock'],
  ['p', 'pipe:[40140]', 'pipe:'],
  ['p', '', 'pipe:'],
  ['p', '/run/fifo', '/run/fifo'],
  ['d', '/proc/1/fd', '/proc/1/fd'],
  ['f', '/tmp/ffff->ffff /x', '/tmp/ffff->ffff /x'],
  ['Z', '/odd', '/odd'],
] as const) {
  test(`file of type ${restype}: ${path}`, () => {
    const [line] = after(file(1, path, restype), ['FileFlow', flow(7, 1 << 9, { fileOID: foid(1) })]);
    assert.equal(line.replace(/^.* WRITE {2}/, '').replace(/ fd 3.*$/, ''), printed);
  });
}

for (const [flags, letters] of [
  [1, 'r'],
  [2, 'w'],
  [3, 'rw'],
  [4096 + 1, 'r'],
  [2 + 4 + 256, 'wct'],
  [2 + 4 + 8, 'wca'],
  [0, ''],
  [3 + 4 + 8 + 256 + 32 + 1024, 'rwcta'],
] as const) {
  test(`open flags ${flags} are ${letters}`, () => {
    const [line] = after(file(1, '/x'), [
      'FileFlow',
      flow(7, 1 << 7, { fileOID: foid(1), openFlags: flags }),
    ]);
    assert.match(line, new RegExp(` OPEN ${letters} /x `));
  });
}

const client = ip(10, 1, 2, 3);
const server = ip(10, 0, 0, 9);
const net = (pid: number, opFlags: number, more: object = {}): Record => [
  'NetworkFlow',
  flow(pid, opFlags, { sip: client, sport: 40000, dip: server, dport: 80, proto: 6, ...more }),
];
/** Local and peer of each network flow. */
const sides = (...records: Record[]): string[] =>
  after(...records).flatMap((line) => /(?:tcp|udp|icmp|raw) (\S+ <-> \S+(?: \?)?)/.exec(line)?.[1] ?? []);
const asServer = '10.0.0.9:80 <-> 10.1.2.3:40000';
const asClient = '10.1.2.3:40000 <-> 10.0.0.9:80';

test('sides: ACCEPT is a server, CONNECT a client', () => {
  assert.deepEqual(sides(net(7, 1 << 5)), [asServer]);
  assert.deepEqual(sides(net(7, 1 << 6)), [asClient]);
});

test('sides: a later piece of the flow is on the side of the first', () => {
  assert.deepEqual(sides(net(7, bits(5, 8)), net(7, bits(8, 9)), net(7, bits(10), { sport: 50 })), [
    asServer,
    asServer,
    asServer.replace('40000', '50'),
  ]);
  assert.deepEqual(sides(net(7, bits(6)), net(7, bits(8, 9))), [asClient, asClient]);
});

test('sides: a child inherits the connection', () => {
  assert.deepEqual(sides(net(7, bits(5)), process(9, 7), net(9, bits(8))), [asServer, asServer]);
});

test('sides: a stranger is known by the addresses of its container', () => {
  assert.deepEqual(
    sides(net(7, bits(5), { dport: 81 }), process(9, undefined), net(9, bits(8))).at(-1),
    asServer,
  );
  assert.deepEqual(
    sides(net(7, bits(6), { dport: 81 }), process(9, undefined), net(9, bits(8), { dip: ip(1, 1, 1, 1) })).at(
      -1,
    ),
    '10.1.2.3:40000 <-> 1.1.1.1:80',
  );
});

test('sides: where nothing tells, the source is taken for ours and that is said', () => {
  assert.deepEqual(sides(net(7, bits(8))), [`${asClient} ?`]);
});

for (const [proto, name] of [
  [6, 'tcp'],
  [17, 'udp'],
  [1, 'icmp'],
  [254, 'raw'],
  [-1, 'raw'],
] as const) {
  test(`protocol ${proto} is ${name}`, () =>
    assert.match(after(net(7, 1 << 6, { proto }))[0], new RegExp(` ${name} `)));
}

test('a flow of no protocol to nowhere is a gap', () => {
  assert.deepEqual(after(net(7, 1 << 10, { proto: -1, sip: 0, sport: 0, dip: 0, dport: 0 })), [
    'gap network flow without protocol and address 1',
  ]);
});

test('addresses above 127 are not negative', () => {
  assert.match(after(net(7, 1 << 6, { dip: ip(255, 254, 253, 252) | 0 }))[0], /<-> 255\.254\.253\.252:80/);
});

test('SYMLINK: the new link is the path, its text is what it points to', () => {
  const [line] = after(file(1, '../target', '?'), file(2, '/new/link', '?'), [
    'FileEvent',
    flow(7, bits(19), { fileOID: foid(1), newFileOID: foid(2), ret: -17 }),
  ]);
  assert.match(line, /SYMLINK \/new\/link -> \.\.\/target = -17$/);
});

test('SETUID, thread exits, and events without exactly one operation', () => {
  const event = (opFlags: number, more: object): Record => [
    'ProcessEvent',
    { procOID: oid(7), ts: t0, tid: 7n, opFlags, ret: 0, ...more },
  ];
  assert.deepEqual(
    after(event(8, { args: ['33'] }), event(8, {}), event(4, { tid: 12n }), event(0, {}), event(5, {})),
    [
      'event 1700000000000000000 7/7 SETUID 33 = 0',
      'event 1700000000000000000 7/7 SETUID 33 = 0',
      'event 1700000000000000000 7/12 EXIT 0 = 0',
      'gap process event without one operation 1',
      'gap process event without one operation 1',
    ],
  );
});

test('records of Kubernetes and thread counts are counted, unknown ones are gaps', () => {
  const source = openSysFlow(
    fileOf(
      encode(SYSFLOW_SCHEMA, [
        ...base,
        ['Pod', { id: 'p' }],
        ['K8sEvent', { message: '{}' }],
        ['ProcessFlow', flow(7, 1)],
      ]),
    ),
  );
  assert.equal([...source.observations()].length, 2);
  assert.deepEqual(Object.fromEntries(source.records), {
    SFHeader: 1,
    Process: 1,
    Pod: 1,
    K8sEvent: 1,
    ProcessFlow: 1,
  });
  const strange = JSON.stringify({
    type: 'record',
    name: 'S',
    fields: [
      {
        name: 'rec',
        type: [
          { type: 'record', name: 'SFHeader', fields: [{ name: 'version', type: 'long' }] },
          { type: 'record', name: 'Surprise', fields: [{ name: 'x', type: 'int' }] },
        ],
      },
    ],
  });
  assert.deepEqual(
    observe(
      [
        ['SFHeader', { version: 9 }],
        ['Surprise', { x: 1 }],
      ],
      strange,
    ),
    ['stream  9', 'gap unsupported record Surprise 1'],
  );
});

test('a damaged record ends its block, and the next block is read', () => {
  const one = (data: Uint8Array, count: number): { count: number; data: Uint8Array } => ({ count, data });
  const head = encodeOne(header);
  const bytes = container({
    schema: SYSFLOW_SCHEMA,
    blocks: [
      one(Buffer.concat([head, Buffer.from([0x7e])]), 3),
      one(head, 1),
      one(Buffer.concat([head, head]), 1),
      one(head, 5),
    ],
  });
  assert.deepEqual([...openSysFlow(fileOf(bytes)).observations()].map(printObservation), [
    'stream node1 5',
    'gap damaged record: no such branch of the union 2',
    'stream node1 5',
    'stream node1 5',
    'gap bytes left over in a block 1',
    'stream node1 5',
    'gap damaged record: length beyond the block 4',
  ]);
});

function encodeOne([name, fields]: Record): Buffer {
  const type = parseSchema(SYSFLOW_SCHEMA, 'test') as Extract<AvroType, { kind: 'record' }>;
  const { branches } = type.fields[0].type as Extract<AvroType, { kind: 'union' }>;
  const branch = branches.find((b) => nameOf(b).split('.').pop() === name) as AvroType;
  return libraryType(SYSFLOW_SCHEMA).toBuffer({ rec: { [nameOf(branch)]: filled(branch, fields) } });
}

test('an Avro file of something else is refused', () => {
  assert.throws(
    () => openSysFlow(fileOf(container({ schema: '"long"', blocks: [] }))),
    /not of SysFlow records/,
  );
});

test('exited processes are forgotten in the end, files and living processes are not', () => {
  const records: Record[] = [...base, file(1, '/x')];
  for (let pid = 1000; pid < 12_000; pid++)
    records.push(process(pid, 7), [
      'ProcessEvent',
      { procOID: oid(pid), ts: t0, tid: BigInt(pid), opFlags: 4, ret: 0 },
    ]);
  const old = (pid: number): Record => ['FileFlow', flow(pid, 1 << 9, { fileOID: foid(1) })];
  const got = observe([...records, old(1000), old(11_999), old(7)]).slice(-3);
  assert.match(got[0], /^gap flow of an unknown process/);
  assert.match(got[1], /^flow .* 11999\/11999 WRITE/);
  assert.match(got[2], /^flow .* 7\/7 WRITE/);
});
