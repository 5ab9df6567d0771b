// Decoding speed of SysFlow traces: ours against avsc on the same inflated blocks, in one run and in turns, so that
// whatever else the machine does meets both. Numbers are records/s of one thread; ratios are what to compare.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import avsc from 'avsc';
import { memoryAccess, openFile, type RandomAccess } from '../src/host/index.ts';
import {
  createSysFlowWriter,
  type FlowTaker,
  OcfReader,
  openSysFlow,
  parseSchema,
  SysFlowDecoder,
} from '../src/telemetry/index.ts';
import { compileValue } from '../test/telemetry/avro-compile.ts';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** How many times avsc's speed on the same data. */
  readonly ratio?: number;
}

interface Block {
  readonly data: Buffer;
  readonly records: number;
}

export interface Trace {
  readonly name: string;
  readonly file: RandomAccess;
  readonly schema: string;
  readonly blocks: readonly Block[];
  readonly records: number;
}

/** Rounds in which each decoder gets its turn, and how long a turn is. */
const rounds = 7;
const turnMs = 150;

/** Synthetic traces and, where the directory exists, the two largest real ones. */
export async function benchSysflow(
  directory = process.env['EFFIGY_TRACES'] ?? '../shared/traces',
): Promise<BenchRow[]> {
  const traces = [load('synthetic', memoryAccess('synthetic', synthetic(40_000)))];
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    if (/^(lss-crond|express).*\.sf$/.test(name)) traces.push(load(name, openFile(join(directory, name))));
  }
  return traces.flatMap(measure);
}

export function load(name: string, file: RandomAccess): Trace {
  const reader = new OcfReader(file);
  const blocks: Block[] = [];
  for (const item of reader.items()) {
    if (item.kind === 'block') blocks.push({ data: Buffer.from(item.data), records: item.records });
  }
  return {
    name,
    file,
    schema: reader.schema,
    blocks,
    records: blocks.reduce((sum, block) => sum + block.records, 0),
  };
}

/** Looks at what the join found out about each record. */
let taken = 0;
const counting: FlowTaker = {
  observe: () => {
    taken += 1;
  },
  flow: ({ process: { row }, file, endLow, localPort }) => {
    taken += (row & 1) + (endLow & 1) + (file === undefined ? localPort & 1 : file.row & 1) + 1;
  },
};

function measure(trace: Trace): BenchRow[] {
  const { name, schema, blocks } = trace;
  const library = libraryType(schema);
  const value = compileValue(parseSchema(schema, name));
  const decoder = new SysFlowDecoder(schema, name);
  const decoders: readonly (readonly [string, () => void])[] = [
    ['avsc decode', () => eachRecord(blocks, (data, at) => library.decode(data, at).offset)],
    ['decode, all fields', () => eachRecord(blocks, (data, at) => value(data, at, data.length).next)],
    [
      'decode and join',
      () => {
        for (const block of blocks) decoder.block(block.data, block.records, counting);
      },
    ],
    [
      'file, inflate on this thread',
      () => {
        const before = taken;
        openSysFlow(trace.file).read(counting);
        if (taken === before) throw new Error('no observations');
      },
    ],
  ];
  const speeds = decoders.map(() => [] as number[]);
  for (let round = -1; round < rounds; round++) {
    for (const [i, [, run]] of decoders.entries()) {
      const speed = recordsPerSecond(run, trace.records);
      // The first round warms up.
      if (round >= 0) speeds[i].push(speed);
    }
  }
  return decoders.map(([what], i) => {
    const row = { name: `sysflow ${name}: ${what}`, value: Math.round(median(speeds[i])), unit: 'records/s' };
    return i === 0
      ? row
      : { ...row, ratio: median(speeds[i].map((speed, round) => speed / speeds[0][round])) };
  });
}

export function eachRecord(blocks: readonly Block[], decode: (data: Buffer, at: number) => number): void {
  for (const { data, records } of blocks) {
    let at = 0;
    for (let i = 0; i < records; i++) at = decode(data, at);
  }
}

function recordsPerSecond(run: () => void, records: number): number {
  const start = performance.now();
  let runs = 0;
  let elapsed = 0;
  do {
    run();
    runs += 1;
    elapsed = performance.now() - start;
  } while (elapsed < turnMs);
  return (runs * records * 1000) / elapsed;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** avsc as one would use it for these files: longs as BigInt, since its own longs refuse SysFlow's times. */
export function libraryType(schema: string): { decode(data: Buffer, at: number): { offset: number } } {
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value);
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: String,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => Number(a - b),
  });
  const typeHook = (part: unknown): avsc.Type | undefined =>
    part === 'long' || (part as { type?: unknown }).type === 'long' ? (long as avsc.Type) : undefined;
  return avsc.Type.forSchema(JSON.parse(schema), { typeHook }) as never;
}

/** A service's trace: mostly file flows, one new file in ten, some connections, processes and file events. */
function synthetic(records: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes), {
    exporter: 'bench',
    ip: '',
    filename: 'synthetic',
  });
  const containerId = '0123456789ab';
  writer.header();
  writer.container({
    id: containerId,
    name: 'web',
    image: 'web:1',
    imageid: 'f00d',
    type: 'CT_DOCKER',
    privileged: false,
    podId: undefined,
  });
  const t0 = 1_700_000_000_000_000_000n;
  const files: string[] = [];
  const pids: number[] = [];
  const counters = { numRRecvOps: 3, numWSendOps: 1, numRRecvBytes: 123_456, numWSendBytes: 77 };
  for (let i = 0; i < records; i++) {
    const ts = t0 + BigInt(i) * 1_234_567n;
    if (i % 200 === 0) {
      pids.push(1000 + i);
      writer.process({
        state: 'CREATED',
        oid: { createTS: t0, hpid: 1000 + i },
        poid: undefined,
        ts,
        exe: '/usr/sbin/apache2',
        exeArgs: '-DFOREGROUND',
        uid: 33,
        userName: 'www-data',
        gid: 33,
        groupName: 'www-data',
        tty: false,
        containerId,
        entry: false,
        cwd: '/',
        env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C'],
      });
    }
    if (i % 10 === 0)
      files.push(
        writer.file({
          state: 'REUP',
          ts,
          restype: 'f',
          path: `/var/www/html/assets/${i}/index.html`,
          containerId,
        }),
      );
    const hpid = pids[(i * 7) % pids.length];
    const common = { procOID: { createTS: t0, hpid }, ts, tid: hpid };
    const fileOID = files[(i * 31) % files.length];
    if (i % 50 === 1) writer.processEvent({ ...common, opFlags: 1, args: [], ret: 0 });
    else if (i % 25 === 2)
      writer.fileEvent({ ...common, opFlags: 1 << 18, fileOID, ret: 0, newFileOID: undefined });
    else if (i % 5 === 3) {
      writer.networkFlow({
        ...common,
        opFlags: 0x720,
        endTs: ts + 999_999n,
        sip: 0x0301020a,
        sport: 40_000 + (i % 9999),
        dip: 0x0900000a,
        dport: 80,
        proto: 6,
        fd: 9,
        ...counters,
      });
    } else
      writer.fileFlow({
        ...common,
        opFlags: 0x580,
        openFlags: 4097,
        endTs: ts + 99_999n,
        fileOID,
        fd: 11,
        ...counters,
      });
  }
  writer.finish();
  return Buffer.concat(parts);
}
