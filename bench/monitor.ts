// Speed of the whole monitor on observations that are there already: verdict at once, order, bookkeeping, on a policy of
// several hundred states. Decoding is not in it (bench/sysflow.ts measures that).
import type { Op, Pattern, Resource } from '../src/effect/index.ts';
import { createMonitor } from '../src/monitor/index.ts';
import type { Policy, PolicyEdge } from '../src/policy/index.ts';
import { type Observation, type ProcessId, sysFlowTraits } from '../src/telemetry/index.ts';
import type { BenchRow } from './sysflow.ts';

/** Pages that the made-up server serves; each is a few states. */
const pages = 150;
const requests = 60_000;
/** Between requests, in µs: all of it takes some minutes, so that verdicts on order come as records do. */
const interval = 5000;
const rounds = 7;

export function benchMonitor(): BenchRow[] {
  const policy = server();
  const observations = traffic();
  const states = policy.automata[0].states.length;
  const speeds: number[] = [];
  let findings = 0;
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const before = heap();
    const monitor = createMonitor([{ name: 'bench', policy }], { onFinding: () => findings++ });
    let n = 0;
    // The first requests of each page meet states for the first time.
    while (n < observations.length / 3) monitor.observe(observations[n++], sysFlowTraits);
    const first = n;
    const start = process.hrtime.bigint();
    while (n < observations.length) monitor.observe(observations[n++], sysFlowTraits);
    speeds.push(((n - first) * 1e9) / Number(process.hrtime.bigint() - start));
    if (round === 0) bytes = (heap() - before) / monitor.summary().pending;
    monitor.flush();
  }
  if (findings > 0) throw new Error(`internal error: ${findings} findings in a healthy run`);
  speeds.sort((a, b) => a - b);
  const rows: BenchRow[] = [
    { name: `monitor, policy of ${states} states`, value: speeds[rounds >> 1], unit: 'records/s' },
    { name: '  slowest round', value: speeds[0], unit: 'records/s' },
    { name: '  fastest round', value: speeds[rounds - 1], unit: 'records/s' },
  ];
  if (bytes > 0)
    rows.push({
      name: '  memory a record that waits for its order',
      value: bytes,
      unit: 'bytes',
    });
  return rows;
}

function heap(): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return 0;
  collect();
  return process.memoryUsage().heapUsed;
}

// A server: reads its configuration, then accepts, reads a request, opens and reads one of many pages, answers, logs.

const connection: Resource = {
  kind: 'net',
  protocol: 'tcp',
  local: { address: '0.0.0.0', port: '80' },
  peer: { address: '*', port: '[0-9]+' },
};
const file = (path: string): Resource => ({ kind: 'file', type: 'f', path });

function server(): Policy {
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

/** Several containers of it under load: two flows a request, a log's flow every 30 s, all healthy. */
function traffic(): Observation[] {
  const out: Observation[] = [];
  const begin = 1_700_000_000_000_000_000n;
  const at = (us: number): bigint => begin + BigInt(us) * 1000n;
  const containers = Array.from({ length: 20 }, (_, c) => ({
    id: `${c}`.padStart(12, 'c'),
    process: { created: at(c), pid: 100 + c } satisfies ProcessId,
  }));
  const paths = Array.from({ length: pages }, (_, i) => file(`/usr/share/www/page${i}.html`));
  const log = file('/var/log/server.log');
  const asked = new Set<Op>(['ACCEPT', 'READ', 'WRITE', 'CLOSE']);
  const read = new Set<Op>(['OPEN', 'READ', 'CLOSE']);
  const opened = new Set<Op>(['OPEN', 'CLOSE']);
  const written = new Set<Op>(['WRITE']);
  const none = { cut: false, fd: 7, reads: 1, writes: 1, bytesRead: 100, bytesWritten: 100 };
  for (const { id, process: own } of containers) {
    const common = {
      user: '',
      group: '',
      tty: false,
      cwd: '/',
      uid: 0,
      gid: 0,
      containerId: id,
      again: false,
      args: '',
      parent: undefined,
    };
    out.push({
      kind: 'container',
      container: { id, name: id, image: 'bench/server:1', imageId: '', privileged: false },
    });
    out.push({
      kind: 'process',
      process: { ...common, id: own, time: at(50), exe: '/usr/bin/runc', entry: true },
    });
    const program: Resource = { kind: 'program', path: '/bin/server', args: [] };
    out.push({
      kind: 'event',
      time: at(100),
      task: { process: own, tid: own.pid },
      effect: { op: 'EXEC', resource: program, access: '' },
      ret: 0,
      args: [],
    });
    for (let i = 0; i < 40; i++)
      out.push({
        kind: 'flow',
        start: at(200 + i),
        end: at(200 + i),
        task: { process: own, tid: own.pid },
        ops: opened,
        resource: file(`/etc/server/${i}.conf`),
        access: 'r',
        ...none,
      });
  }
  const refs = containers.map(({ process: own }) => ({ process: own, tid: own.pid }));
  for (let n = 0; n < requests; n++) {
    const task = refs[n % refs.length];
    const us = 1000 + n * interval;
    const resource: Resource = {
      kind: 'net',
      protocol: 'tcp',
      local: { address: '172.17.0.2', port: '80' },
      peer: { address: '172.17.0.1', port: String(20_000 + (n % 40_000)) },
    };
    const page = paths[(n * 7) % pages];
    out.push({
      kind: 'flow',
      start: at(us + 10),
      end: at(us + 20),
      task,
      ops: read,
      resource: page,
      access: 'r',
      ...none,
    });
    out.push({
      kind: 'flow',
      start: at(us),
      end: at(us + 30),
      task,
      ops: asked,
      resource,
      access: '',
      ...none,
    });
    // The log stays open: it is told every 30 s.
    if (us % 30_000_000 < interval && n > 0) {
      for (const other of refs)
        out.push({
          kind: 'flow',
          start: at(us - 30_000_000),
          end: at(us),
          task: other,
          ops: written,
          resource: log,
          access: '',
          ...none,
        });
    }
  }
  return out;
}
