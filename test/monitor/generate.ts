// Healthy runs made up: a random policy, a random walk of tasks through its automata, and the records that a SysFlow
// collector would write of it, in one of the many orders in which it can. Whatever comes out is healthy by construction.
import type { Effect, Op, Pattern, Resource } from '../../src/effect/index.ts';
import type { Policy, PolicyAutomaton, PolicyEdge } from '../../src/policy/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';
import { at, container, event, policyOf, process, resourceOf, SYSFLOW } from './kit.ts';

export type Random = (below: number) => number;

/** Deterministic pseudo-random numbers (mulberry32). */
export function generator(seed: number): Random {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)];

// Policies

const files = ['/etc/a', '/etc/b', '/var/c', '/var/log/*', '/tmp/[0-9]+.d', 'pipe:'];
const nets = [
  'tcp 0.0.0.0:80 <-> *:[0-9]+',
  'tcp 0.0.0.0:443 <-> *:*',
  'tcp *:[0-9]+ <-> 10.0.0.7:5432',
  'tcp *:40000 <-> 10.0.0.8:6379',
];

/** A root and two more programs, of `states` states each, about two edges a state. */
export function randomPolicy(random: Random, states: number): Policy {
  const names = ['root', 'left', 'right'];
  const base = policyOf(names.map((name) => `automaton ${name} /bin/${name} ${name}`).join('\n'));
  const automata = base.automata.map((automaton, a): PolicyAutomaton => {
    const edges: PolicyEdge[] = [];
    for (let s = 0; s < states; s++) {
      // A way on from every state, so that walks are long.
      edges.push(randomEdge(random, s, (s + 1) % states, states, base.automata));
      for (let n = random(3); n > 0; n--)
        edges.push(randomEdge(random, s, random(states), states, base.automata));
    }
    const serve = random(states);
    return {
      ...automaton,
      states: Array.from({ length: states }, (_, s) => ({
        phase: s >= serve ? 'serve' : 'boot',
        label: `${names[a]} ${s}`,
      })),
      edges,
    };
  });
  return { ...base, automata };
}

function randomEdge(
  random: Random,
  from: number,
  to: number,
  states: number,
  automata: readonly PolicyAutomaton[],
): PolicyEdge {
  const edge = { from, to, provenance: 'executed' } as const;
  const make = (op: Op, resource: Resource, more: Partial<PolicyEdge> = {}, access = ''): PolicyEdge => ({
    ...edge,
    effect: { op, access, resource } as Effect<string> as Effect<Pattern>,
    succeeds: true,
    errors: [],
    ...more,
  });
  const file = (): Resource => resourceOf('', [pick(random, files)]);
  const net = (list = nets): Resource => resourceOf('', pick(random, list).split(' '));
  switch (random(24)) {
    case 0:
      return edge;
    case 1:
      return make('BIND', resourceOf('', 'tcp 0.0.0.0:80 <-> 0.0.0.0:0'.split(' ')), { syscall: 'bind' });
    case 2:
      return make('OPEN', file(), { syscall: 'openat', succeeds: false, errors: [2] }, 'r');
    case 3:
    case 4:
      return make(
        'CLONE',
        { kind: 'task', what: 'process' },
        { child: random(states), syscall: pick(random, ['clone', 'clone', 'clone3', 'vfork']) },
      );
    case 5:
      return make(
        'CLONE',
        { kind: 'task', what: 'thread' },
        { child: random(states), syscall: pick(random, ['clone', 'clone3']) },
      );
    case 6: {
      const target = random(automata.length);
      const { name, args } = automata[target];
      return make(
        'EXEC',
        { kind: 'program', path: `/bin/${name}`, args },
        { automaton: target, syscall: 'execve' },
      );
    }
    case 7:
      return make('UNLINK', file(), { syscall: 'unlink' });
    case 8:
    case 9:
      return make('ACCEPT', net(nets.slice(0, 2)), { syscall: 'accept4' });
    case 10:
      return make('CONNECT', net(nets.slice(2)), { syscall: 'connect' });
    case 11:
    case 12:
      return make('READ', net(), { syscall: 'read' });
    case 13:
      return make('WRITE', net(), { syscall: pick(random, ['sendto', 'sendfile']) });
    case 14:
    case 15:
      return make('READ', file(), { syscall: 'read' });
    case 16:
      return make('WRITE', file(), { syscall: 'write' });
    case 17:
      return make('MMAP', file(), { syscall: 'mmap' }, 'r');
    case 18:
    case 19:
      return make('CLOSE', random(2) === 0 ? file() : net(), { syscall: 'close' });
    default:
      return make(
        'OPEN',
        file(),
        { syscall: pick(random, ['openat', 'openat', 'openat2']) },
        pick(random, ['r', 'r', 'wc', 'wca']),
      );
  }
}

// Walks

/** One thing that a task did. */
export interface Step {
  readonly ms: number;
  readonly pid: number;
  readonly tid: number;
  readonly edge: PolicyEdge;
  /** The concrete effect. */
  readonly effect: Effect;
  /** Of CLONE: the new task. */
  readonly child?: { readonly pid: number; readonly tid: number; readonly ms: number };
}

interface Walker {
  readonly pid: number;
  readonly tid: number;
  automaton: number;
  state: number;
  /** Not before this. */
  ms: number;
  dead: boolean;
}

/** `steps` steps of tasks that begin with process 1 in the root automaton. Times rise. */
export function walk(random: Random, policy: Policy, steps: number, pace: number): Step[] {
  const walkers: Walker[] = [{ pid: 1, tid: 1, automaton: 0, state: 0, ms: 10, dead: false }];
  const out: Step[] = [];
  let ms = 10;
  let next = 100;
  for (let n = 0; n < steps; n++) {
    const live = walkers.filter((each) => !each.dead && each.ms <= ms + 1);
    ms += (1 + random(1000)) * pace;
    if (live.length === 0) continue;
    const walker = pick(random, live);
    const edges = policy.automata[walker.automaton].edges.filter((edge) => edge.from === walker.state);
    const edge = pick(random, edges);
    walker.state = edge.to;
    if (edge.effect === undefined) continue;
    const effect: Effect = { ...edge.effect, resource: concrete(random, edge.effect.resource) };
    const step = { ms, pid: walker.pid, tid: walker.tid, edge, effect };
    if (effect.op === 'CLONE' && edge.child !== undefined) {
      if (walkers.length >= 12) {
        // Enough tasks: as if this one had not been made. Its place is left, so the walk ends here.
        walker.dead = true;
        continue;
      }
      const thread = effect.resource.kind === 'task' && effect.resource.what === 'thread';
      const tid = next++;
      // The child may be seen before the call returns in the parent, or long after.
      const begins = ms + pick(random, [-0.001, 0.0005, 0.2, 5]) * pace;
      const child = { pid: thread ? walker.pid : tid, tid, ms: begins };
      walkers.push({ ...child, automaton: walker.automaton, state: edge.child, dead: false });
      out.push({ ...step, child });
      continue;
    }
    if (effect.op === 'EXEC' && edge.automaton !== undefined) {
      for (const other of walkers) if (other.pid === walker.pid && other !== walker) other.dead = true;
      walker.automaton = edge.automaton;
      walker.state = policy.automata[edge.automaton].initial;
      if (walker.tid !== walker.pid) {
        walker.dead = true;
        walkers.push({ ...walker, tid: walker.pid, dead: false });
      }
    }
    out.push(step);
  }
  return out;
}

/** Something that the pattern matches. */
function concrete(random: Random, resource: Resource<string>): Resource {
  const text = (pattern: string): string =>
    pattern
      .replace(/\[0-9\]\+/g, () => String(1 + random(60000)))
      .replace(/\*+/g, () => pick(random, ['10.9.8.7', 'x.log', '77']));
  switch (resource.kind) {
    case 'file':
      return { ...resource, path: text(resource.path) };
    case 'net':
      return {
        ...resource,
        local: {
          address: resource.local.address === '0.0.0.0' ? '172.17.0.2' : text(resource.local.address),
          port: text(resource.local.port),
        },
        peer: { address: text(resource.peer.address), port: text(resource.peer.port) },
      };
    default:
      return resource;
  }
}

// Records

interface Timed {
  /** When it is written. */
  readonly ms: number;
  readonly observation: Observation;
}

interface OpenFlow {
  readonly pid: number;
  readonly tid: number;
  readonly fd: number;
  readonly resource: Resource;
  access: string;
  start: number;
  last: number;
  exported: number;
  ops: Set<Op>;
}

const endings: ReadonlySet<Op> = new Set(['CLOSE']);
const openings: ReadonlySet<Op> = new Set(['OPEN', 'ACCEPT', 'CONNECT']);
const between: ReadonlySet<Op> = new Set(['READ', 'WRITE', 'MMAP']);

/** Folds steps into records as the collector does, and puts them into an order in which it may write them. */
export function records(
  random: Random,
  steps: readonly Step[],
  options: { readonly jitter: number },
): Observation[] {
  const out: Timed[] = [];
  const flows: OpenFlow[] = [];
  let fd = 3;
  const emit = (ms: number, observation: Observation, delay = 0): void => {
    out.push({ ms: ms + delay, observation });
  };
  const late = (): number => random(1000) * 0.001 * options.jitter;
  const write = (open: OpenFlow, end: number, cut: boolean, now: number): void => {
    if (open.ops.size === 0) return;
    emit(
      now,
      {
        kind: 'flow',
        start: at(open.start),
        end: at(end),
        task: { process: { pid: open.pid, created: at(created(open.pid)) }, tid: open.tid },
        ops: new Set(open.ops),
        resource: open.resource,
        access: open.access,
        cut,
        fd: open.fd,
        reads: 0,
        writes: 0,
        bytesRead: 0,
        bytesWritten: 0,
      },
      late(),
    );
  };
  const chunks = (now: number): void => {
    for (const open of flows) {
      if (now - open.exported < 30_000) continue;
      const due = open.ops.size === 0 ? now : open.exported + 30_000;
      write(open, due, false, due);
      open.exported = due;
      open.start = due;
      open.ops = new Set();
    }
  };
  const finish = (keep: (open: OpenFlow) => boolean, now: number): void => {
    for (const open of flows.filter((each) => !keep(each))) {
      write(open, now, true, now);
      flows.splice(flows.indexOf(open), 1);
    }
  };
  emit(0, container());
  emit(0, process(0, 1, { exe: '/usr/bin/runc', args: 'init', entry: true, created: 1 }));
  emit(9, process(9, 1, { exe: '/bin/root', args: 'root', entry: true, created: 1 }));
  emit(9, event(9, 1, 'EXEC /bin/root root', { created: 1 }));
  const births = new Map([[1, 1]]);
  const created = (pid: number): number => births.get(pid) ?? 0;
  const programs = new Map<number, { exe: string; args: string }>([[1, { exe: '/bin/root', args: 'root' }]]);
  for (const step of steps) {
    const { ms, pid, tid, edge, effect, child } = step;
    chunks(ms);
    const seen = edge.syscall === undefined || SYSFLOW.syscalls?.has(edge.syscall) !== false;
    if (edge.succeeds === false || !SYSFLOW.ops.has(effect.op)) continue;
    if (child !== undefined) {
      const program = programs.get(pid) ?? { exe: '', args: '' };
      if (child.pid !== pid) {
        programs.set(child.pid, program);
        births.set(child.pid, child.ms);
        emit(
          child.ms,
          process(child.ms, child.pid, {
            ...program,
            parent: pid,
            created: child.ms,
            parentCreated: created(pid),
          }),
        );
      }
      const ownSide = event(child.ms, child.pid, 'CLONE', { tid: child.tid, created: created(child.pid) });
      // One of the two sides may be missing.
      const lost = random(12);
      if (seen && lost !== 0) emit(child.ms, ownSide);
      if (seen && lost !== 1) emit(ms, event(ms, pid, 'CLONE', { tid, ret: 9, created: created(pid) }));
    } else if (effect.op === 'EXEC' && effect.resource.kind === 'program') {
      const { path, args } = effect.resource;
      programs.set(pid, { exe: path, args: args.join(' ') });
      finish((open) => open.pid !== pid || open.tid === pid, ms - 0.0001);
      emit(ms, process(ms, pid, { exe: path, args: args.join(' '), created: created(pid) }));
      emit(ms, event(ms, pid, `EXEC ${path} ${args.join(' ')}`, { tid: pid, created: created(pid) }));
    } else if (!seen) {
      if (openings.has(effect.op)) fd++;
    } else if (openings.has(effect.op)) {
      flows.push({
        pid,
        tid,
        fd: fd++,
        resource: effect.resource,
        access: effect.access,
        start: ms,
        last: ms,
        exported: ms,
        ops: new Set([effect.op]),
      });
    } else if (between.has(effect.op) || endings.has(effect.op)) {
      const same = JSON.stringify(effect.resource);
      let open = flows.findLast(
        (each) => each.pid === pid && each.tid === tid && JSON.stringify(each.resource) === same,
      );
      if (open === undefined) {
        open = {
          pid,
          tid,
          fd: fd++,
          resource: effect.resource,
          access: '',
          start: ms,
          last: ms,
          exported: ms,
          ops: new Set(),
        };
        flows.push(open);
      }
      if (open.ops.size === 0) open.start = ms;
      open.ops.add(effect.op);
      open.last = ms;
      if (endings.has(effect.op)) {
        write(open, ms, false, ms);
        flows.splice(flows.indexOf(open), 1);
      }
    } else {
      emit(ms, {
        kind: 'event',
        time: at(ms),
        task: { process: { pid, created: at(created(pid)) }, tid },
        effect,
        ret: 0,
        args: [],
      });
    }
  }
  finish(() => false, (steps.at(-1)?.ms ?? 0) + 1);
  return ordered(out);
}

/** The same steps as a recorder tells them that sees every call: one event each, in order. */
export function exactRecords(steps: readonly Step[]): Observation[] {
  const out: Timed[] = [];
  const births = new Map([[1, 1]]);
  const programs = new Map<number, { exe: string; args: string }>([[1, { exe: '/bin/root', args: 'root' }]]);
  const emit = (ms: number, ...observations: readonly Observation[]): void => {
    for (const observation of observations) out.push({ ms, observation });
  };
  emit(0, container(), process(0, 1, { exe: '/usr/bin/runc', args: 'init', entry: true, created: 1 }));
  emit(9, process(9, 1, { exe: '/bin/root', args: 'root', entry: true, created: 1 }));
  emit(9, event(9, 1, 'EXEC /bin/root root', { created: 1 }));
  for (const { ms, pid, tid, edge, effect, child } of steps) {
    const created = births.get(pid) ?? 0;
    const task = { process: { pid, created: at(created) }, tid };
    const ret = edge.succeeds === false ? -(edge.errors?.[0] ?? 1) : effect.op === 'CLONE' ? 9 : 0;
    if (child !== undefined) {
      const program = programs.get(pid) ?? { exe: '', args: '' };
      if (child.pid !== pid) {
        programs.set(child.pid, program);
        births.set(child.pid, child.ms);
        const more = { ...program, parent: pid, created: child.ms, parentCreated: created };
        emit(child.ms, process(child.ms, child.pid, more));
      }
      const born = births.get(child.pid) ?? 0;
      emit(child.ms, event(child.ms, child.pid, 'CLONE', { tid: child.tid, created: born }));
    }
    if (effect.op === 'EXEC' && effect.resource.kind === 'program' && ret === 0) {
      const { path, args } = effect.resource;
      programs.set(pid, { exe: path, args: args.join(' ') });
      emit(ms, process(ms, pid, { exe: path, args: args.join(' '), created }));
      emit(ms, event(ms, pid, `EXEC ${path} ${args.join(' ')}`, { created }));
    } else emit(ms, { kind: 'event', time: at(ms), task, effect, ret, args: [] });
  }
  return ordered(out);
}

/** By time of writing; an entity stays before what names it. */
function ordered(list: readonly Timed[]): Observation[] {
  const sorted = list.map((each, i) => ({ ...each, i })).sort((a, b) => a.ms - b.ms || a.i - b.i);
  const out: Observation[] = [];
  const announced = new Set<number>();
  const waiting = new Map<number, Observation[]>();
  for (const { observation } of sorted) {
    const pid = pidOf(observation);
    if (observation.kind === 'process') {
      const parent = observation.process.parent?.pid;
      if (parent !== undefined && !announced.has(parent)) {
        waiting.set(parent, [...(waiting.get(parent) ?? []), observation]);
        continue;
      }
      announced.add(observation.process.id.pid);
    } else if (pid !== undefined && !announced.has(pid)) {
      waiting.set(pid, [...(waiting.get(pid) ?? []), observation]);
      continue;
    }
    out.push(observation);
    if (observation.kind !== 'process') continue;
    const held = waiting.get(observation.process.id.pid) ?? [];
    waiting.delete(observation.process.id.pid);
    for (const each of held) {
      out.push(each);
      if (each.kind === 'process') announced.add(each.process.id.pid);
    }
  }
  for (const rest of waiting.values()) out.push(...rest);
  return out;
}

function pidOf(observation: Observation): number | undefined {
  return observation.kind === 'event' || observation.kind === 'flow'
    ? observation.task.process.pid
    : undefined;
}
