// What we write: read back by the library with SysFlow's schema, and by our own reader; the order that is enforced.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type ContainerRecord,
  createSysFlowWriter,
  type FileFlowRecord,
  fileOid,
  intToIp,
  ipToInt,
  OcfReader,
  openSysFlow,
  type ProcessRecord,
  SYSFLOW_SCHEMA,
  type SysFlowWriter,
} from '../../src/telemetry/index.ts';
import { fileOf, layouts, libraryType } from './avro-data.ts';
import { printObservation } from './print.ts';

const t0 = 1_700_000_000_123_456_789n;
const options = { exporter: 'host1', ip: '10.0.0.1', filename: 'out.sf' };
const container: ContainerRecord = {
  id: '0123456789ab',
  name: 'web',
  image: 'web:1',
  imageid: 'f00d',
  type: 'CT_DOCKER',
  privileged: false,
  podId: undefined,
};
const oid = { createTS: t0, hpid: 4321 };
const process: ProcessRecord = {
  state: 'CREATED',
  oid,
  poid: { createTS: t0 - 5n, hpid: 1 },
  ts: t0 + 1n,
  exe: '/usr/sbin/app',
  exeArgs: '-f /etc/ä.conf',
  uid: 33,
  userName: 'www-data',
  gid: -1,
  groupName: '',
  tty: true,
  containerId: container.id,
  entry: true,
  cwd: '/',
  env: ['PATH=/bin', ''],
};
const counters = { numRRecvOps: 1, numWSendOps: 2, numRRecvBytes: 2 ** 40, numWSendBytes: 0 };

function write(body: (writer: SysFlowWriter) => void, more: object = {}): Buffer {
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes), { ...options, ...more });
  body(writer);
  writer.finish();
  return Buffer.concat(parts);
}

/** Every record of a file by the library, with SysFlow's own schema. */
function byLibrary(file: Buffer): unknown[] {
  const type = libraryType(layouts().find(({ name }) => name === '2023-01-c')?.schema as string);
  const out: unknown[] = [];
  for (const item of new OcfReader(fileOf(file)).items()) {
    assert.equal(item.kind, 'block');
    if (item.kind !== 'block') continue;
    const bytes = Buffer.from(item.data);
    let at = 0;
    for (let i = 0; i < item.records; i++) {
      const { value, offset } = type.decode(bytes, at) as { value: { rec: unknown }; offset: number };
      out.push(
        JSON.parse(
          JSON.stringify(value.rec, (_, v) =>
            typeof v === 'bigint' ? `${v}n` : v?.type === 'Buffer' ? Buffer.from(v.data).toString('hex') : v,
          ),
        ),
      );
      at = offset;
    }
  }
  return out;
}

const flow = (fileOID: string): FileFlowRecord => ({
  procOID: oid,
  ts: t0 + 2n,
  tid: 4322,
  opFlags: 128 | 1024,
  openFlags: 4097,
  endTs: t0 + 9n,
  fileOID,
  fd: 3,
  ...counters,
});

function all(writer: SysFlowWriter): void {
  writer.header();
  writer.container(container);
  writer.process(process);
  const one = writer.file({
    state: 'REUP',
    ts: t0,
    restype: 'f',
    path: '/etc/ä.conf',
    containerId: container.id,
  });
  const two = writer.file({ state: 'CREATED', ts: t0, restype: '?', path: '/host', containerId: undefined });
  writer.processEvent({ procOID: oid, ts: t0 + 3n, tid: 4321, opFlags: 8, args: ['33'], ret: -1 });
  writer.fileEvent({
    procOID: oid,
    ts: t0 + 4n,
    tid: 4321,
    opFlags: 1 << 20,
    fileOID: one,
    ret: 0,
    newFileOID: two,
  });
  writer.fileFlow(flow(one));
  writer.networkFlow({
    procOID: oid,
    ts: t0,
    tid: 4321,
    opFlags: 64,
    endTs: t0,
    sip: ipToInt('255.1.2.3') as number,
    sport: 65535,
    dip: 0,
    dport: 80,
    proto: -1,
    fd: 7,
    ...counters,
  });
}

test('the schema that we write is the published one, version 5', () => {
  const published = layouts().find(({ name }) => name === '2023-01-c')?.schema as string;
  assert.deepEqual(
    JSON.parse(SYSFLOW_SCHEMA),
    JSON.parse(published.replace(/"logicalType":"ipaddr"/g, '"logicalType":"ipaddr"')),
  );
});

test('every kind of record is read back by the library, field by field', () => {
  const procOID = { createTS: `${t0}n`, hpid: '4321n' };
  const one = createHash('sha1').update('0123456789ab/etc/ä.conf').digest('hex');
  const two = createHash('sha1').update('/host').digest('hex');
  const numbers = { numRRecvOps: '1n', numWSendOps: '2n', numRRecvBytes: `${2 ** 40}n`, numWSendBytes: '0n' };
  const own = { string: '0123456789ab' };
  assert.deepEqual(byLibrary(write(all)), [
    { 'sysflow.entity.SFHeader': { version: '5n', ...options } },
    { 'sysflow.entity.Container': { ...container, podId: null } },
    {
      'sysflow.entity.Process': {
        ...process,
        oid: procOID,
        poid: { 'sysflow.type.OID': { createTS: `${t0 - 5n}n`, hpid: '1n' } },
        ts: `${t0 + 1n}n`,
        containerId: own,
      },
    },
    {
      'sysflow.entity.File': {
        state: 'REUP',
        oid: one,
        ts: `${t0}n`,
        restype: 102,
        path: '/etc/ä.conf',
        containerId: own,
      },
    },
    {
      'sysflow.entity.File': {
        state: 'CREATED',
        oid: two,
        ts: `${t0}n`,
        restype: 63,
        path: '/host',
        containerId: null,
      },
    },
    {
      'sysflow.event.ProcessEvent': {
        procOID,
        ts: `${t0 + 3n}n`,
        tid: '4321n',
        opFlags: 8,
        args: ['33'],
        ret: -1,
      },
    },
    {
      'sysflow.event.FileEvent': {
        procOID,
        ts: `${t0 + 4n}n`,
        tid: '4321n',
        opFlags: 1 << 20,
        fileOID: one,
        ret: 0,
        newFileOID: { 'sysflow.type.FOID': two },
      },
    },
    {
      'sysflow.flow.FileFlow': {
        procOID,
        ts: `${t0 + 2n}n`,
        tid: '4322n',
        opFlags: 1152,
        openFlags: 4097,
        endTs: `${t0 + 9n}n`,
        fileOID: one,
        fd: 3,
        ...numbers,
      },
    },
    {
      'sysflow.flow.NetworkFlow': {
        procOID,
        ts: `${t0}n`,
        tid: '4321n',
        opFlags: 64,
        endTs: `${t0}n`,
        sip: 0x030201ff,
        sport: 65535,
        dip: 0,
        dport: 80,
        proto: -1,
        fd: 7,
        ...numbers,
      },
    },
  ]);
});

test('and by our reader', () => {
  const got = [...openSysFlow(fileOf(write(all))).observations()].map(printObservation);
  assert.deepEqual(got.slice(3), [
    'event 1700000000123456792 4321/4321 SETUID 33 = -1',
    'event 1700000000123456793 4321/4321 RENAME /etc/ä.conf -> /host = 0',
    'flow 1700000000123456791-1700000000123456798 4321/4322 OPEN|CLOSE r /etc/ä.conf fd 3 r 1/1099511627776 w 2/0',
    'flow 1700000000123456789-1700000000123456789 4321/4321 CONNECT  raw 255.1.2.3:65535 <-> 0.0.0.0:80 fd 7 r 1/1099511627776 w 2/0',
  ]);
});

test('blocks: deflate, about 80,000 bytes, a sync marker after each', () => {
  const file = write((writer) => {
    all(writer);
    const foid = fileOid(container.id, '/etc/ä.conf');
    for (let i = 0; i < 5000; i++) writer.fileFlow(flow(foid));
  });
  const reader = new OcfReader(fileOf(file));
  assert.equal(reader.codec, 'deflate');
  const items = [...reader.items()];
  const sizes = items.map((item) => (item.kind === 'block' ? item.data.length : 0));
  assert.equal(
    items.reduce((sum, item) => sum + item.records, 0),
    5009,
  );
  assert.ok(
    sizes.length > 3 && sizes.slice(0, -1).every((size) => size >= 80_000 && size < 81_000),
    String(sizes),
  );
});

test('the same records give the same bytes; a sync marker can be given', () => {
  assert.deepEqual(write(all), write(all));
  const sync = Buffer.alloc(16, 0x5a);
  assert.deepEqual(write(all, { sync }).subarray(-16), sync);
  assert.notDeepEqual(write(all).subarray(-16), write(all, { filename: 'other' }).subarray(-16));
});

test('flush makes everything so far readable; a file without records is one', () => {
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes), options);
  writer.header();
  writer.flush();
  writer.flush();
  assert.equal([...openSysFlow(fileOf(Buffer.concat(parts))).observations()].length, 1);
  writer.finish();
  assert.equal(parts.length, 2);
  assert.equal([...openSysFlow(fileOf(write(() => {}))).observations()].length, 0);
});

const foidOfOther = '00'.repeat(20);
const bugs: readonly (readonly [string, readonly ((writer: SysFlowWriter) => void)[]])[] = [
  ['a record before the header', [(w) => w.container(container)]],
  ['a process of an unknown container', [(w) => w.header(), (w) => w.process(process)]],
  [
    'a file of an unknown container',
    [
      (w) => w.header(),
      (w) => void w.file({ state: 'REUP', ts: t0, restype: 'f', path: '/', containerId: 'x' }),
    ],
  ],
  [
    'an event of an unknown process',
    [
      (w) => w.header(),
      (w) => w.processEvent({ procOID: oid, ts: t0, tid: 1, opFlags: 1, args: [], ret: 0 }),
    ],
  ],
  ['a flow on an unknown file', [all, (w) => w.fileFlow(flow(foidOfOther))]],
  [
    'entities from before another header',
    [all, (w) => w.header(), (w) => w.fileFlow(flow(fileOid(container.id, '/etc/ä.conf')))],
  ],
  ['a record after the end', [(w) => w.header(), (w) => w.finish(), (w) => w.container(container)]],
];

for (const [name, steps] of bugs) {
  test(`refused as a bug: ${name}`, () => {
    assert.throws(() => write((writer) => steps.map((step) => step(writer))), /internal error/);
  });
}

test('after another header entities can be written again', () => {
  const got = byLibrary(write((writer) => [all, all].map((step) => step(writer))));
  assert.equal(got.length, 18);
  assert.deepEqual(got.slice(9), got.slice(0, 9));
});

test('addresses as SysFlow has them', () => {
  assert.equal(ipToInt('127.0.0.1'), 16777343);
  assert.equal(ipToInt('192.168.0.255'), 0xff00a8c0 | 0);
  for (const text of ['0.0.0.0', '255.255.255.255', '10.1.2.200'])
    assert.equal(intToIp(ipToInt(text) as number), text);
  for (const text of ['', '1.2.3', '256.1.1.1', '::1', '1.2.3.4.5']) assert.equal(ipToInt(text), undefined);
});
