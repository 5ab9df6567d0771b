// For the monitor's tests: policies written as text, observations written as short calls.
//
// A policy is automata, the first one is the root:
//
//     automaton sh /usr/bin/dash /entry.sh
//     serve 3 4
//     0 > 1 OPEN r /entry.sh
//     1 > 2 CLONE process child 4 syscall fork
//     2 ~ 3
//     4 > 4 EXEC /srv/echo /etc/echo.conf -> echo
//
// Files are paths (`unix:/path`, `pipe:` and `dir:/path` for other types), connections `tcp LOCAL <-> PEER`.
import type { Effect, FileType, Op, Pattern, Protocol, Resource } from '../../src/effect/index.ts';
import {
  createMonitor,
  type Finding,
  type Monitor,
  type MonitorOptions,
  type MonitorSummary,
  type Note,
} from '../../src/monitor/index.ts';
import type { Phase, Policy, PolicyAutomaton, PolicyEdge } from '../../src/policy/index.ts';
import type { ContainerInfo, Observation, ProcessInfo, SourceTraits } from '../../src/telemetry/index.ts';

export const DIGEST = `sha256:${'ab12'.repeat(16)}`;

// Policies

interface Draft {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly serve: Set<number>;
  readonly edges: PolicyEdge[];
  states: number;
}

export function policyOf(text: string, more: Partial<Policy> = {}): Policy {
  const drafts: Draft[] = [];
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const names = lines.filter((line) => line.startsWith('automaton ')).map((line) => line.split(' ')[1]);
  for (const line of lines) {
    const words = line.split(' ');
    if (words[0] === 'automaton') {
      drafts.push({
        name: words[1],
        path: words[2],
        args: words.slice(3),
        serve: new Set(),
        edges: [],
        states: 1,
      });
      continue;
    }
    const draft = drafts[drafts.length - 1];
    if (words[0] === 'serve') for (const state of words.slice(1)) draft.serve.add(Number(state));
    else addEdge(draft, words, names, drafts.length - 1);
  }
  const programs = [...new Set(drafts.map((draft) => draft.path))];
  return {
    format: 1,
    version: '0',
    image: {
      names: ['example/echo:1'],
      configDigest: DIGEST,
      manifestDigest: '',
      platform: 'linux/amd64',
      entrypoint: [drafts[0].path],
      cmd: [],
      user: '',
      workingDir: '/',
    },
    options: {},
    programs: programs.map((path) => ({ path, sha256: '', buildId: '' })),
    frames: drafts.map((draft, i) => ({
      program: programs.indexOf(draft.path),
      offset: 0x1000 + i,
      symbol: `${draft.name}_step`,
    })),
    stacks: drafts.map((_, i) => [i]),
    automata: drafts.map(
      (draft): PolicyAutomaton => ({
        name: draft.name,
        program: programs.indexOf(draft.path),
        args: draft.args as readonly string[] as readonly Pattern[],
        initial: 0,
        states: Array.from({ length: draft.states }, (_, s) => ({
          phase: (draft.serve.has(s) ? 'serve' : 'boot') satisfies Phase,
          label: s === 0 ? 'start' : `state ${s}`,
        })),
        edges: draft.edges,
      }),
    ),
    root: 0,
    syscalls: { boot: [], serve: [] },
    cuts: [],
    complete: true,
    incomplete: '',
    coverage: { boots: 1, scenarios: 0, instructions: 0, effects: 0, listeners: [] },
    ...more,
  };
}

function addEdge(draft: Draft, words: readonly string[], names: readonly string[], index: number): void {
  const from = Number(words[0]);
  const to = Number(words[2]);
  draft.states = Math.max(draft.states, from + 1, to + 1);
  if (words[1] === '~') {
    draft.edges.push({ from, to, provenance: 'executed' });
    return;
  }
  const rest = [...words.slice(4)];
  const take = (word: string): string | undefined => {
    const at = rest.indexOf(word);
    return at < 0 ? undefined : rest.splice(at, 2)[1];
  };
  const child = take('child');
  const target = take('->');
  const syscall = take('syscall');
  const errno = take('fails');
  const effect = effectOf(words[3], rest) as Effect<string> as Effect<Pattern>;
  if (child !== undefined) draft.states = Math.max(draft.states, Number(child) + 1);
  draft.edges.push({
    from,
    to,
    effect,
    succeeds: errno === undefined,
    errors: errno === undefined ? [] : [Number(errno)],
    provenance: 'executed',
    stack: index,
    ...(syscall === undefined ? {} : { syscall }),
    ...(child === undefined ? {} : { child: Number(child) }),
    ...(target === undefined ? {} : { automaton: names.indexOf(target) }),
  });
}

const withAccess: ReadonlySet<string> = new Set(['OPEN', 'MMAP']);

/** `OPEN r /etc/passwd` and the like, as words after the operation. */
function effectOf(op: string, words: readonly string[]): Effect {
  const access = withAccess.has(op) && /^[rwctax]+$/.test(words[0] ?? '') ? words[0] : '';
  const rest = access === '' ? words : words.slice(1);
  return { op: op as Op, access, resource: resourceOf(op, rest) };
}

const types: { readonly [name: string]: FileType | undefined } = { 'unix:': 'u', 'dir:': 'd', 'any:': '?' };

export function resourceOf(op: string, words: readonly string[]): Resource {
  const [first = '', second = '', third = ''] = words;
  if (op === 'EXEC') return { kind: 'program', path: first, args: words.slice(1) };
  if (op === 'CLONE' || op === 'KILL' || op === 'PTRACE') return { kind: 'task', what: first };
  if (op === 'SETUID' || op === 'SETGID' || op === 'EXIT' || op === 'SETNS')
    return { kind: 'id', value: first };
  if (/^(tcp|udp)$/.test(first)) {
    const end = (text: string): { address: string; port: string } => {
      const at = text.lastIndexOf(':');
      return { address: text.slice(0, at), port: text.slice(at + 1) };
    };
    return { kind: 'net', protocol: first as Protocol, local: end(second), peer: end(words[3] ?? third) };
  }
  if (first === '') return { kind: 'none' };
  if (first === 'pipe:') return { kind: 'file', type: 'p', path: 'pipe:' };
  const prefix = Object.keys(types).find((name) => first.startsWith(name)) ?? '';
  const file = { kind: 'file', type: types[prefix] ?? 'f', path: first.slice(prefix.length) } as const;
  return second === '->' || second === '' ? (third === '' ? file : { ...file, to: third }) : file;
}

// Sources

/** What the SysFlow collector sees, as facts of its sources say. */
export const SYSFLOW: SourceTraits = {
  name: 'sysflow',
  ops: new Set<Op>([
    'CLONE',
    'EXEC',
    'EXIT',
    'SETUID',
    'SETNS',
    'ACCEPT',
    'CONNECT',
    'OPEN',
    'READ',
    'WRITE',
    'CLOSE',
    'SHUTDOWN',
    'MMAP',
    'MKDIR',
    'RMDIR',
    'LINK',
    'UNLINK',
    'SYMLINK',
    'RENAME',
  ]),
  syscalls: new Set(
    `execve clone fork vfork exit exit_group setuid setresuid open openat read pread64 readv recvfrom recvmsg write writev
    sendto sendmsg accept accept4 connect close shutdown mmap mkdir mkdirat rmdir link linkat unlink unlinkat symlink
    rename renameat renameat2`.split(/\s+/),
  ),
  failures: false,
  ipv6: false,
  flows: true,
  maxDelay: 90_000_000_000n,
};

/** A recorder that sees every call, in order. */
export const EXACT: SourceTraits = {
  name: 'exact',
  ops: new Set<Op>([...SYSFLOW.ops, 'BIND', 'LISTEN', 'KILL', 'SETGID', 'CHMOD', 'PTRACE', 'MOUNT']),
  failures: true,
  ipv6: true,
  flows: false,
  maxDelay: 1_000_000_000n,
};

// Observations. Times are milliseconds after an arbitrary start; processes are named by pid and created at pid ms before it.

export const START = 1_600_000_000_000_000_000n;
export const at = (ms: number): bigint => START + BigInt(Math.round(ms * 1e6));

export const CONTAINER: ContainerInfo = {
  id: '0123456789ab',
  name: 'echo',
  image: 'example/echo:1',
  imageId: DIGEST.slice(7),
  privileged: false,
};

export const container = (more: Partial<ContainerInfo> = {}): Observation => ({
  kind: 'container',
  container: { ...CONTAINER, ...more },
});

export interface ProcessMore extends Partial<Omit<ProcessInfo, 'parent' | 'id' | 'time'>> {
  readonly parent?: number | undefined;
  /** Milliseconds; default: its pid. */
  readonly created?: number;
  readonly parentCreated?: number;
}

const idOf = (pid: number, created = pid): { readonly pid: number; readonly created: bigint } => ({
  pid,
  created: at(created),
});

export function process(ms: number, pid: number, more: ProcessMore = {}): Observation {
  const { parent, created, parentCreated, ...rest } = more;
  return {
    kind: 'process',
    process: {
      id: idOf(pid, created),
      parent: parent === undefined ? undefined : idOf(parent, parentCreated),
      time: at(ms),
      exe: '',
      args: '',
      uid: 0,
      gid: 0,
      user: '',
      group: '',
      tty: false,
      containerId: CONTAINER.id,
      entry: false,
      cwd: '/',
      again: false,
      ...rest,
    },
  };
}

export interface EventMore {
  readonly tid?: number;
  readonly ret?: number;
  readonly created?: number;
}

/** `event(5, 10, 'UNLINK /run/pid')`. */
export function event(
  ms: number,
  pid: number,
  text: string,
  { tid = pid, ret = 0, created }: EventMore = {},
): Observation {
  const [op, ...rest] = text.split(' ');
  const effect = effectOf(op, rest);
  return { kind: 'event', time: at(ms), task: { process: idOf(pid, created), tid }, effect, ret, args: [] };
}

export interface FlowMore {
  readonly tid?: number;
  readonly fd?: number;
  readonly cut?: boolean;
  readonly created?: number;
}

const operations = new Map<string, ReadonlySet<Op>>();

/** `flow(5, 9, 10, 'OPEN+READ+CLOSE r /etc/echo.conf')`. */
export function flow(
  start: number,
  end: number,
  pid: number,
  text: string,
  more: FlowMore = {},
): Observation {
  const { tid = pid, fd = 5, cut = false, created } = more;
  const [ops, ...rest] = text.split(' ');
  const opened = /^[rwctax]+$/.test(rest[0] ?? '');
  let set = operations.get(ops);
  if (set === undefined) operations.set(ops, (set = new Set(ops.split('+') as Op[])));
  return {
    kind: 'flow',
    start: at(start),
    end: at(end),
    task: { process: idOf(pid, created), tid },
    ops: set,
    resource: resourceOf('', opened ? rest.slice(1) : rest),
    access: opened ? rest[0] : '',
    cut,
    fd,
    reads: 0,
    writes: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
}

/** Something else happens so much later that everything before it has been written. */
export const later = (ms = 300_000): Observation => flow(ms, ms, 4_000_000, 'READ /elsewhere');
export const gap = (records = 1): Observation => ({ kind: 'gap', reason: 'malformed record', records });
export const stream = (): Observation => ({ kind: 'stream', exporter: 'node', version: 5 });

// Runs

export interface Outcome {
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
  readonly summary: MonitorSummary;
}

export interface RunOptions extends MonitorOptions {
  readonly traits?: SourceTraits;
}

export function collect(
  policies: readonly Policy[],
  options: RunOptions = {},
): { readonly monitor: Monitor; readonly findings: Finding[]; readonly notes: Note[] } {
  const findings: Finding[] = [];
  const notes: Note[] = [];
  const monitor = createMonitor(
    policies.map((policy, i) => ({ name: `policy${i}`, policy })),
    { ...options, onFinding: (finding) => findings.push(finding), onNote: (note) => notes.push(note) },
  );
  return { monitor, findings, notes };
}

export function run(
  policies: Policy | readonly Policy[],
  observations: readonly Observation[],
  options: RunOptions = {},
): Outcome {
  const list = 'automata' in policies ? [policies] : policies;
  const { monitor, findings, notes } = collect(list, options);
  for (const observation of observations) monitor.observe(observation, options.traits ?? SYSFLOW);
  monitor.flush();
  return { findings, notes, summary: monitor.summary() };
}

/** `kind pid effect` of each finding, for comparison. */
export const brief = (findings: readonly Finding[]): string[] =>
  findings.map(({ kind, pid, effect: { op, access, resource } }) =>
    [kind, pid, op, access, resource].filter((part) => part !== '').join(' '),
  );
