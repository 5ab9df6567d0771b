// strace's text to SysFlow records, as the SysFlow collector would have written them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../../src/bytes/index.ts';
import { SYSFLOW_OPS } from '../../src/effect/index.ts';
import {
  type ActivityOptions,
  ActivityTracker,
  createSysFlowWriter,
  intToIp,
  OcfReader,
  parseSchema,
  parseStrace,
  SysFlowCollector,
  type SysFlowCollectorOptions,
} from '../../src/telemetry/index.ts';
import { compileValue } from './avro-compile.ts';
import { fileOf } from './avro-data.ts';
import { runCases } from './cases.ts';

interface Options extends Omit<SysFlowCollectorOptions, 'container'> {
  readonly tracker?: ActivityOptions;
  readonly container?: string;
  /** Seconds at which time passes without activity. */
  readonly advance?: readonly number[];
}

function record(
  lines: readonly string[],
  options: Options = {},
): { file: Buffer; gaps: string[]; unrecorded: ReadonlyMap<string, number> } {
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes), {
    exporter: 'test',
    ip: '',
    filename: 'test.sf',
  });
  const container =
    options.container === undefined
      ? undefined
      : ({
          id: options.container,
          name: 'c',
          image: 'i',
          imageid: '',
          type: 'CT_DOCKER',
          privileged: false,
          podId: undefined,
        } as const);
  const collector = new SysFlowCollector(writer, { ...options, container });
  const gaps: string[] = [];
  const tracker = new ActivityTracker({ cwd: '/work', ...options.tracker }, (activity) => {
    if (activity.kind === 'gap') gaps.push(`gap ${activity.reason} ${activity.records}`);
    collector.activity(activity);
  });
  for (const event of parseStrace(lines, { name: 'test' })) tracker.event(event);
  tracker.finish();
  for (const seconds of options.advance ?? []) collector.advance(BigInt(seconds) * 1_000_000_000n);
  collector.finish();
  writer.finish();
  return { file: Buffer.concat(parts), gaps, unrecorded: collector.unrecorded };
}

type Fields = Readonly<Record<string, unknown>>;

/** Records as lines; files are named by their paths. Times are seconds. */
function print(file: Buffer): string[] {
  const reader = new OcfReader(fileOf(file));
  const decode = compileValue(parseSchema(reader.schema, 'test'));
  const paths = new Map<string, string>();
  const out: string[] = [];
  for (const item of reader.items()) {
    if (item.kind !== 'block') throw new Error(item.reason);
    let at = 0;
    for (let i = 0; i < item.records; i++) {
      const { value, next } = decode(item.data, at, item.data.length);
      const [[name, fields]] = Object.entries((value as { rec: Fields }).rec);
      out.push(line(name.split('.').pop() as string, fields as Fields, paths));
      at = next;
    }
  }
  return out;
}

function line(name: string, f: Fields, paths: Map<string, string>): string {
  const time = (value: unknown): string => String(Number(value) / 1e9);
  const oid = (value: unknown): string =>
    `${(value as Fields)['hpid']}@${time((value as Fields)['createTS'])}`;
  const ops = SYSFLOW_OPS.filter((_, bit) => (Number(f['opFlags']) & (1 << bit)) !== 0).join('|');
  const path = (value: unknown): string => paths.get(hex(value as Uint8Array)) ?? 'UNKNOWN';
  const who = (): string => `${oid(f['procOID'])}/${f['tid']}`;
  const counts = (): string =>
    `r ${f['numRRecvOps']}/${f['numRRecvBytes']} w ${f['numWSendOps']}/${f['numWSendBytes']} fd ${f['fd']} ${time(f['ts'])}-${time(f['endTs'])}`;
  switch (name) {
    case 'SFHeader':
      return 'header';
    case 'Container':
      return `container ${f['id']}`;
    case 'Process': {
      const parent = f['poid'] === null ? '-' : oid((f['poid'] as Fields)['sysflow.type.OID']);
      return `process ${f['state']} ${oid(f['oid'])} of ${parent} ${f['exe']} [${f['exeArgs']}] ${f['userName']}(${f['uid']}) ${f['groupName']}(${f['gid']}) ${f['cwd']} env ${(f['env'] as string[]).length}${f['entry'] ? ' entry' : ''} ${time(f['ts'])}`;
    }
    case 'File': {
      const named = `${String.fromCharCode(Number(f['restype']))} ${f['path']}`;
      paths.set(hex(f['oid'] as Uint8Array), String(f['path']));
      return `file ${f['state']} ${named}`;
    }
    case 'ProcessEvent':
      return `PE ${who()} ${ops} = ${f['ret']} [${f['args']}] ${time(f['ts'])}`;
    case 'FileEvent': {
      const to =
        f['newFileOID'] === null ? '' : ` -> ${path((f['newFileOID'] as Fields)['sysflow.type.FOID'])}`;
      return `FE ${who()} ${ops} ${path(f['fileOID'])}${to} = ${f['ret']} ${time(f['ts'])}`;
    }
    case 'FileFlow':
      return `FF ${who()} ${ops} ${f['openFlags']} ${path(f['fileOID'])} ${counts()}`;
    case 'NetworkFlow':
      return `NF ${who()} ${ops} ${f['proto']} ${intToIp(Number(f['sip']))}:${f['sport']} -> ${intToIp(Number(f['dip']))}:${f['dport']} ${counts()}`;
    default:
      return name;
  }
}

runCases('flows.cases.txt', (input) => {
  const options = input[0]?.startsWith('@ ') ? (JSON.parse(input[0].slice(2)) as Options) : {};
  const { file, gaps, unrecorded } = record(
    input.filter((text) => !text.startsWith('@ ')),
    options,
  );
  const left = [...unrecorded].map(([call, n]) => `unrecorded ${call} ${n}`);
  return [...print(file).slice(1), ...gaps, ...left];
});

test('users and groups are named, the program that exec maps is looked up, paths lose the recorder’s root', () => {
  const { file } = record(
    [
      '7 1.0 execve("/run.sh", ["/run.sh", "a"], ["X=1"]) = 0',
      '7 1.1 read(3</box/root/etc/x>, "", 1) = 0',
      '7 1.2 read(4</box/rooted>, "", 1) = 0',
    ],
    {
      userName: (uid) => `u${uid}`,
      groupName: (gid) => `g${gid}`,
      tracker: {
        uid: 33,
        gid: 44,
        root: '/box/root',
        program: (path) => (path === '/run.sh' ? { path: '/usr/bin/dash', before: ['/run.sh'] } : undefined),
      },
    },
  );
  assert.deepEqual(print(file).slice(1), [
    'process CREATED 7@1 of - /usr/bin/dash [/run.sh a] u33(33) g44(44) /work/ env 1 1',
    'PE 7@1/7 EXEC = 0 [] 1',
    'file REUP f /etc/x',
    'file REUP f /box/rooted',
    'FF 7@1/7 READ|TRUNCATE 0 /etc/x r 1/0 w 0/0 fd 3 1.1-1.2',
    'FF 7@1/7 READ|TRUNCATE 0 /box/rooted r 1/0 w 0/0 fd 4 1.2-1.2',
  ]);
});
