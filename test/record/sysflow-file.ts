// Reading a SysFlow file with avsc, and holding it to what every reader relies on: the v5 schema, and entities before
// the records that name them.
import assert from 'node:assert/strict';
import avsc from 'avsc';
import { SYSFLOW_SCHEMA } from '../../src/telemetry/index.ts';

export interface Oid {
  readonly createTS: bigint;
  readonly hpid: bigint;
}

/** One record; fields as the schema names them, longs as bigint, unions unwrapped. */
export interface Read {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: the schema's shapes are what the tests look at
  readonly value: any;
}

const long = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

export async function readSysFlow(path: string): Promise<Read[]> {
  const records: Read[] = [];
  const decoder = avsc.createFileDecoder(path, {
    parseHook: (schema) => {
      assert.deepEqual(schema, JSON.parse(SYSFLOW_SCHEMA), 'the file carries the v5 schema');
      return avsc.Type.forSchema(schema, {
        typeHook: (part) => (part === 'long' ? long : undefined),
        wrapUnions: 'always',
      });
    },
  });
  for await (const record of decoder as AsyncIterable<{ rec: Record<string, unknown> }>) {
    const [[name, value]] = Object.entries(record.rec);
    records.push({ type: name.replace(/^sysflow\.(entity|event|flow)\./, ''), value });
  }
  checkOrder(records);
  return records;
}

export const oidKey = (oid: Oid): string => `${oid.hpid}@${oid.createTS}`;

/** The value of a union of null and one type. */
export function plain(value: unknown): unknown {
  return value === null ? undefined : Object.values(value as object)[0];
}

function checkOrder(records: readonly Read[]): void {
  const containers = new Set<string>();
  const processes = new Set<string>();
  const files = new Set<string>();
  assert.equal(records[0].type, 'SFHeader');
  for (const { type, value } of records.slice(1)) {
    const containerId =
      value.containerId === undefined ? undefined : (plain(value.containerId) as string | undefined);
    if (containerId !== undefined) assert.ok(containers.has(containerId), `container of ${type} before it`);
    switch (type) {
      case 'Container':
        containers.add(value.id);
        break;
      case 'Process': {
        const parent = plain(value.poid) as Oid | undefined;
        if (parent !== undefined) assert.ok(processes.has(oidKey(parent)), 'parent before its child');
        processes.add(oidKey(value.oid));
        break;
      }
      case 'File':
        files.add(value.oid.toString('hex'));
        break;
      default:
        assert.ok(processes.has(oidKey(value.procOID)), `process of ${type} before it`);
        if (value.fileOID !== undefined)
          assert.ok(files.has(value.fileOID.toString('hex')), `file of ${type} before it`);
    }
  }
}

export const ops = {
  CLONE: 1,
  EXEC: 2,
  EXIT: 4,
  SETUID: 8,
  ACCEPT: 32,
  CONNECT: 64,
  OPEN: 128,
  READ: 256,
  WRITE: 512,
  CLOSE: 1024,
} as const;

/** File flows with the path of their file. */
export function fileFlows(
  records: readonly Read[],
): { readonly path: string; readonly flow: Read['value'] }[] {
  const paths = new Map<string, string>();
  return records.flatMap(({ type, value }) => {
    if (type === 'File') paths.set(value.oid.toString('hex'), value.path);
    return type === 'FileFlow'
      ? [{ path: paths.get(value.fileOID.toString('hex')) as string, flow: value }]
      : [];
  });
}

/** The last record of each process. */
export function processes(records: readonly Read[]): Map<string, Read['value']> {
  return new Map(
    records.filter(({ type }) => type === 'Process').map(({ value }) => [oidKey(value.oid), value]),
  );
}
