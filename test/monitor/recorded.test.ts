// Mimicry as it is recorded: a program that does only what its policy has, but on another file, in another way, by the
// wrong process, in another order. The policy is what a well-behaved run did. Each run is judged twice, as exact events
// and folded into SysFlow's flows: both find the same, but for what the fold cannot have (docs/monitor.md).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { literal, mapResource } from '../../src/effect/index.ts';
import { memoryAccess } from '../../src/host/index.ts';
import type { Policy, PolicyAutomaton, PolicyEdge } from '../../src/policy/index.ts';
import {
  ActivityTracker,
  createSysFlowWriter,
  ExactObserver,
  type Observation,
  openSysFlow,
  parseStrace,
  type SourceTraits,
  STRACE_OPTIONS,
  SysFlowCollector,
  straceTraits,
} from '../../src/telemetry/index.ts';
import { DIGEST, policyOf, run } from './kit.ts';

const source = fileURLToPath(new URL('../../../../test/monitor/recorded.c', import.meta.url));
const sourceHere = fileURLToPath(new URL('../../../test/monitor/recorded.c', import.meta.url));
const port = 20_000 + (process.pid % 10_000);
const info = {
  id: '0123456789ab',
  name: 'echo',
  image: 'example/echo:1',
  imageId: DIGEST,
  privileged: false,
};

interface Recorded {
  readonly exact: readonly Observation[];
  readonly folded: readonly Observation[];
  readonly traits: SourceTraits;
}

function prepare(t: TestContext): { readonly directory: string; readonly program: string } | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'effigy-recorded-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, 'service');
  for (const path of [source, sourceHere]) {
    const { status, error } = spawnSync('gcc', ['-O1', '-static', '-o', program, path]);
    if (status === 0) return { directory, program };
    if (error !== undefined) break;
  }
  t.skip('gcc cannot compile here');
  return undefined;
}

function record(directory: string, program: string, mode: string): Recorded | undefined {
  for (const name of ['conf', 'last', 'other']) writeFileSync(join(directory, name), 'text\n');
  writeFileSync(join(directory, 'log'), '');
  const trace = join(directory, `${mode}.txt`);
  const traced = spawnSync(
    'strace',
    [...STRACE_OPTIONS, '-o', trace, '--', program, directory, String(port)],
    { env: { MODE: mode, PATH: '/bin' }, encoding: 'utf8' },
  );
  if (traced.error !== undefined || (traced.status ?? 99) > 100) return undefined;
  const exact: Observation[] = [];
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => void parts.push(bytes.slice()), {
    exporter: 'test',
    ip: '',
    filename: mode,
  });
  const collector = new SysFlowCollector(writer, {
    container: {
      id: info.id,
      name: info.name,
      image: info.image,
      imageid: DIGEST,
      type: 'CT_DOCKER',
      privileged: false,
      podId: undefined,
    },
  });
  const observer = new ExactObserver({ container: info }, (observation) => exact.push(observation));
  const tracker = new ActivityTracker({ cwd: '/' }, (activity) => {
    observer.activity(activity);
    collector.activity(activity);
  });
  for (const event of parseStrace(readFileSync(trace, 'latin1').split('\n'), { name: trace }))
    tracker.event(event);
  tracker.finish();
  collector.finish();
  writer.finish();
  const opened = openSysFlow(memoryAccess(mode, Buffer.concat(parts)));
  return { exact, folded: [...opened.observations()], traits: opened.traits };
}

/** What a run did, as automata: one for each program that a process executed, children on branches of their own. */
function learned(observations: readonly Observation[]): Policy {
  interface Draft {
    readonly path: string;
    readonly args: readonly string[];
    readonly edges: PolicyEdge[];
    states: number;
  }
  const drafts: Draft[] = [];
  const at = new Map<number, { draft: number; state: number }>();
  const pending: { readonly draft: number; readonly state: number }[] = [];
  // What a child did may be told before that it was made: its records come after its parent's.
  const events = observations.flatMap((each) => (each.kind === 'event' ? [each] : []));
  const order = [...new Set(events.map(({ task }) => task.process.pid))];
  for (const each of order.flatMap((pid) => events.filter(({ task }) => task.process.pid === pid))) {
    const { effect, ret, task } = each;
    const here = at.get(task.process.pid);
    if (effect.op === 'EXEC' && effect.resource.kind === 'program' && ret >= 0) {
      const { path, args } = effect.resource;
      const draft = drafts.push({ path, args, edges: [], states: 1 }) - 1;
      if (here !== undefined) {
        const from = drafts[here.draft];
        const to = from.states++;
        from.edges.push({
          from: here.state,
          to,
          effect: { ...effect, resource: mapResource(effect.resource, literal) },
          automaton: draft,
          succeeds: true,
          errors: [],
          provenance: 'executed',
        });
      }
      at.set(task.process.pid, { draft, state: 0 });
      continue;
    }
    if (effect.op === 'CLONE' && ret === 0) {
      // The child's side of a clone: on from where its parent made it.
      const made = pending.shift();
      assert.ok(made !== undefined, `nothing made ${task.process.pid}`);
      at.set(task.process.pid, { draft: made.draft, state: made.state });
      continue;
    }
    assert.ok(here !== undefined, `${effect.op} of ${task.process.pid}, which nothing made`);
    const from = drafts[here.draft];
    const to = from.states++;
    let child: number | undefined;
    if (effect.op === 'CLONE' && ret > 0) child = from.states++;
    const edge = {
      from: here.state,
      to,
      effect: {
        ...effect,
        resource: mapResource(effect.resource, (text) =>
          /^[3-6]\d{4}$/.test(text) ? ('[0-9]+' as never) : literal(text),
        ),
      },
      ...(child === undefined ? {} : { child }),
      succeeds: ret >= 0,
      errors: [],
      provenance: 'executed',
    } as const;
    from.edges.push(edge);
    if (child !== undefined) pending.push({ draft: here.draft, state: child });
    here.state = to;
  }
  const base = policyOf(`automaton x ${drafts[0].path}`);
  return {
    ...base,
    programs: drafts.map(({ path }) => ({ path, sha256: '', buildId: '' })),
    frames: [],
    stacks: [],
    automata: drafts.map(
      ({ path, args, edges, states }, program): PolicyAutomaton => ({
        name: path.slice(path.lastIndexOf('/') + 1),
        program,
        args: args.map(literal),
        initial: 0,
        states: Array.from({ length: states }, (_, s) => ({ phase: 'boot', label: `state ${s}` })),
        edges,
      }),
    ),
  };
}

/** What each has to be found as: kind and effect, in both tellings or (second) folded into flows. */
const cases: Readonly<Record<string, readonly [exact: RegExp, folded?: RegExp | undefined]>> = {
  'other-file': [/wrong-resource OPEN r .*\/other$/],
  written: [/foreign-effect OPEN wa .*\/conf$/],
  truncated: [/foreign-effect OPEN wt .*\/log$/],
  address: [/wrong-resource CONNECT .*127\.0\.0\.2/],
  port: [/wrong-resource CONNECT .*/],
  'wrong-process': [/out-of-order EXEC \/bin\/true helper/],
  arguments: [/foreign-program EXEC \/bin\/true evil/],
  reversed: [/out-of-order OPEN wca .*\/log$/],
  again: [/out-of-order OPEN r .*\/conf$/],
  removed: [/(foreign-effect|wrong-resource) UNLINK .*\/other$/],
};

test('recorded: mimicry is found in exact events and in flows, and well-behaved runs are not', (t) => {
  const made = prepare(t);
  if (made === undefined) return;
  const { directory, program } = made;
  const well = record(directory, program, 'well');
  if (well === undefined) {
    t.skip('strace cannot trace here');
    return;
  }
  const policy = learned(well.exact);
  const judged = (told: readonly Observation[], traits: SourceTraits): string[] =>
    run(policy, told, { traits }).findings.map(({ kind, effect: { op, access, resource } }) =>
      [kind, op, access, resource].filter((part) => part !== '').join(' '),
    );
  for (let i = 0; i < 3; i++) {
    const again = record(directory, program, 'well');
    assert.ok(again !== undefined);
    assert.deepEqual(judged(again.exact, straceTraits), [], 'exact events of a well-behaved run');
    assert.deepEqual(judged(again.folded, again.traits), [], 'flows of a well-behaved run');
  }
  for (const [mode, [exact, folded = exact]] of Object.entries(cases)) {
    const told = record(directory, program, mode);
    assert.ok(told !== undefined);
    const inEvents = judged(told.exact, straceTraits);
    const inFlows = judged(told.folded, told.traits);
    assert.ok(
      inEvents.some((each) => exact.test(each)),
      `${mode}, exact: ${inEvents.join('; ')}`,
    );
    assert.ok(
      inFlows.some((each) => folded.test(each)),
      `${mode}, folded: ${inFlows.join('; ')}`,
    );
  }
});
