// Speed of the whole monitor: bytes of a SysFlow trace decoded, joined and held against a policy of several hundred
// states, every record, with both verdicts; against avsc merely decoding the same bytes, in turns. Inflating is not in it
// (it happens on other threads, see telemetry). Then what a record that waits costs, and what many tasks do.
import { type Op, type Pattern, type Resource, SYSFLOW_OPS } from '../src/effect/index.ts';
import { memoryAccess } from '../src/host/index.ts';
import { createMonitor, type Limits, type Monitor } from '../src/monitor/index.ts';
import type { Policy, PolicyEdge } from '../src/policy/index.ts';
import {
  createSysFlowWriter,
  ipToInt,
  OPEN_FLAGS,
  SysFlowDecoder,
  sysFlowTraits,
} from '../src/telemetry/index.ts';
import { type BenchRow, eachRecord, libraryType, load, median, type Trace } from './sysflow.ts';

/** Pages that the made-up server serves; each is a few states. */
const pages = 150;
const requests = 120_000;
/** Between requests, in µs: all of it takes ten minutes, so that verdicts on order come as records do. */
export const trafficInterval = 5000;
const rounds = 7;

export function benchMonitor(): BenchRow[] {
  const policy = server();
  const states = policy.automata[0].states.length;
  const trace = load('traffic', memoryAccess('traffic', traffic(20, requests)));
  const library = libraryType(trace.schema);
  const speeds: number[] = [];
  const ratios: number[] = [];
  const plain: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const decoded = timed(() => eachRecord(trace.blocks, (data, at) => library.decode(data, at).offset));
    const monitor = newMonitor(policy);
    const watched = timed(() => watch(monitor, trace));
    monitor.flush();
    if (round < 0) continue;
    plain.push((trace.records * 1000) / decoded);
    speeds.push((trace.records * 1000) / watched);
    ratios.push(decoded / watched);
  }
  const rows: BenchRow[] = [
    { name: 'avsc decode of the same', value: median(plain), unit: 'records/s' },
    {
      name: `monitor, decoding included, policy of ${states} states`,
      value: median(speeds),
      unit: 'records/s',
      ratio: median(ratios),
    },
  ];
  if (heap() > 0) rows.push(waiting(policy, trace), ...many(policy));
  return rows;
}

export function newMonitor(policy: Policy, limits: Limits = {}): Monitor {
  return createMonitor([{ name: 'bench', policy }], {
    limits,
    onFinding: ({ kind, exe, effect, why }) => {
      throw new Error(
        `internal error: a finding in a healthy run: ${kind} ${exe} ${effect.op} ${effect.resource}: ${why}`,
      );
    },
  });
}

export function watch(monitor: Monitor, { schema, name, blocks }: Trace): void {
  const decoder = new SysFlowDecoder(schema, name);
  for (const { data, records } of blocks)
    decoder.block(data, records, {
      observe: (observation) => monitor.observe(observation, sysFlowTraits),
      flow: (row) => monitor.flow(row, sysFlowTraits),
    });
}

const timed = (action: () => void): number => {
  const start = performance.now();
  action();
  return performance.now() - start;
};

/** Memory of what waits for its verdict on order. */
function waiting(policy: Policy, trace: Trace): BenchRow {
  const before = heap();
  const monitor = newMonitor(policy);
  watch(monitor, trace);
  const { pending } = monitor.summary();
  return {
    name: '  memory a record that waits for its order',
    value: (heap() - before) / pending,
    unit: 'bytes',
  };
}

/** Very many tasks at a time, all serving. */
function many(policy: Policy): BenchRow[] {
  const tasks = 10_000;
  const trace = load('many', memoryAccess('many', traffic(tasks, 100_000)));
  const before = heap();
  const monitor = newMonitor(policy);
  watch(monitor, trace);
  const used = heap() - before;
  const { processes } = monitor.summary();
  if (processes !== tasks) throw new Error(`internal error: ${processes} processes`);
  return [
    {
      name: `  memory of ${tasks} tasks, each in a container of its own`,
      value: used / 2 ** 20,
      unit: 'MiB',
    },
  ];
}

export function heap(): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return 0;
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

// A server: reads its configuration, then accepts, reads a request, opens and reads one of many pages, answers, logs.

const connection: Resource = {
  kind: 'net',
  protocol: 'tcp',
  local: { address: '0.0.0.0', port: '80' },
  peer: { address: '*', port: '[0-9]+' },
};
const file = (path: string): Resource => ({ kind: 'file', type: 'f', path });

export function server(): Policy {
  const edges: PolicyEdge[] = [];
  let states = 1;
  const edge = (from: number, to: number, op: Op, resource: Resource, access = ''): void => {
    const effect = { op, access, resource: resource as Resource<string> as Resource<Pattern> };
    edges.push({ from, to, effect, succeeds: true, errors: [], provenance: 'executed' });
  };
  for (let i = 0; i < 40; i++, states++) edge(states - 1, states, 'OPEN', file(`/etc/server/${i}.conf`), 'r');
  const boot = states;
  const wait = states - 1;
  const accepted = states++;
  const asked = states++;
  const answered = states++;
  const logged = states++;
  edge(wait, accepted, 'ACCEPT', connection);
  edge(accepted, asked, 'READ', connection);
  for (let i = 0; i < pages; i++) {
    const [opened, read] = [states++, states++];
    edge(asked, opened, 'OPEN', file(`/usr/share/www/page${i}.html`), 'r');
    edge(opened, read, 'READ', file(`/usr/share/www/page${i}.html`));
    edge(read, read, 'CLOSE', file(`/usr/share/www/page${i}.html`));
    edge(read, answered, 'WRITE', connection);
  }
  edge(asked, answered, 'OPEN', file('/var/cache/server/[0-9a-f]+' as string), 'r');
  edge(answered, logged, 'WRITE', file('/var/log/server.log'));
  edge(logged, wait, 'CLOSE', connection);
  return {
    format: 1,
    version: '0',
    image: {
      names: ['bench/server:1'],
      configDigest: `sha256:${'0'.repeat(63)}1`,
      manifestDigest: '',
      platform: 'linux/amd64',
      entrypoint: ['/bin/server'],
      cmd: [],
      user: '',
      workingDir: '/',
    },
    options: {},
    programs: [{ path: '/bin/server', sha256: '', buildId: '' }],
    frames: [],
    stacks: [],
    automata: [
      {
        name: 'server',
        program: 0,
        args: [],
        initial: 0,
        states: Array.from({ length: states }, (_, s) => ({
          phase: s < boot - 1 ? 'boot' : 'serve',
          label: `state ${s}`,
        })),
        edges,
      },
    ],
    root: 0,
    syscalls: { boot: [], serve: [] },
    cuts: [],
    complete: true,
    incomplete: '',
    coverage: { boots: 1, scenarios: 1, instructions: 0, effects: edges.length, listeners: [] },
  };
}

/** `ends`: its processes exit at last. Containers of it under load: two flows a request, a log's flow every 30 s, all healthy. As SysFlow's collector writes. */
export function traffic(tasks: number, count: number, ends = false): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes.slice()), {
    exporter: 'bench',
    ip: '',
    filename: 'traffic',
  });
  const begin = 1_700_000_000_000_000_000n;
  const at = (us: number): bigint => begin + BigInt(us) * 1000n;
  const bits = (ops: readonly Op[]): number =>
    ops.reduce((mask, op) => mask | (1 << SYSFLOW_OPS.indexOf(op as never)), 0);
  const counters = { numRRecvOps: 1, numWSendOps: 1, numRRecvBytes: 1500, numWSendBytes: 100 };
  const containers = Array.from({ length: tasks }, (_, c) => ({
    containerId: `${c}`.padStart(12, 'c'),
    procOID: { createTS: at(c), hpid: 100 + c },
    files: new Map<string, string>(),
  }));
  const opened = (
    us: number,
    which: (typeof containers)[number],
    path: string,
    ops: readonly Op[],
    end = ops.includes('OPEN') ? us + 10 : us + 30_000_000,
  ): void => {
    let fileOID = which.files.get(path);
    if (fileOID === undefined) {
      fileOID = writer.file({
        state: 'CREATED',
        ts: at(us),
        restype: 'f',
        path,
        containerId: which.containerId,
      });
      which.files.set(path, fileOID);
    }
    writer.fileFlow({
      procOID: which.procOID,
      ts: at(us),
      tid: which.procOID.hpid,
      opFlags: bits(ops),
      openFlags: ops.includes('OPEN') ? OPEN_FLAGS.RDONLY | OPEN_FLAGS.CLOEXEC : 0,
      endTs: at(end),
      fileOID,
      fd: 7,
      ...counters,
    });
  };
  writer.header();
  for (const which of containers) {
    const { containerId, procOID } = which;
    writer.container({
      id: containerId,
      name: containerId,
      image: 'bench/server:1',
      imageid: '',
      type: 'CT_DOCKER',
      privileged: false,
      podId: undefined,
    });
    for (const [state, exe] of [
      ['CREATED', '/usr/bin/runc'],
      ['MODIFIED', '/bin/server'],
    ] as const)
      writer.process({
        state,
        oid: procOID,
        poid: undefined,
        ts: at(50),
        exe,
        exeArgs: '',
        uid: 0,
        userName: '',
        gid: 0,
        groupName: '',
        tty: false,
        containerId,
        entry: true,
        cwd: '/',
        env: [],
      });
    writer.processEvent({
      procOID,
      ts: at(100),
      tid: procOID.hpid,
      opFlags: bits(['EXEC']),
      args: [],
      ret: 0,
    });
    for (let i = 0; i < 40; i++) opened(200 + 20 * i, which, `/etc/server/${i}.conf`, ['OPEN', 'CLOSE']);
  }
  const sip = ipToInt('172.17.0.1') ?? 0;
  const dip = ipToInt('172.17.0.2') ?? 0;
  for (let n = 0; n < count; n++) {
    const which = containers[n % containers.length];
    const us = 2000 + n * trafficInterval;
    opened(us + 10, which, `/usr/share/www/page${(n * 7) % pages}.html`, ['OPEN', 'READ', 'CLOSE']);
    writer.networkFlow({
      procOID: which.procOID,
      ts: at(us),
      tid: which.procOID.hpid,
      opFlags: bits(['ACCEPT', 'READ', 'WRITE', 'CLOSE']),
      endTs: at(us + 30),
      sip,
      sport: 20_000 + (n % 40_000),
      dip,
      dport: 80,
      proto: 6,
      fd: 6,
      ...counters,
    });
    // The log stays open: it is told every 30 s.
    if (us % 30_000_000 < trafficInterval && n > 0)
      for (const other of containers) opened(us - 30_000_000, other, '/var/log/server.log', ['WRITE']);
  }
  const end = 2000 + count * trafficInterval;
  for (const which of ends ? containers : []) {
    opened(end - (end % 30_000_000), which, '/var/log/server.log', ['WRITE'], end);
    const { procOID } = which;
    const opFlags = bits(['EXIT']);
    writer.processEvent({ procOID, ts: at(end + 1), tid: procOID.hpid, opFlags, args: [], ret: 0 });
  }
  writer.finish();
  return Buffer.concat(parts);
}
