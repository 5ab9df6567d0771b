// What came in two orders comes in any: a service that walks a directory with readdir, and graphs of made-up steps.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { plainContainer } from '../../src/deployment/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../../src/explore/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine, type EffectEvent } from '../../src/linux/index.ts';
import { alignRuns, Endpoints, modelImage, Orders, type Run } from '../../src/model/index.ts';
import type { Policy, PolicyAutomaton } from '../../src/policy/index.ts';
import { plainImage } from '../image/plain.ts';
import { hasTool } from '../linux/guest.ts';

const run = (events: readonly EffectEvent[]): Run => ({
  before: [],
  events,
  known: [],
  chosen: '',
  entered: new Map(),
});

/** Events of one task: a letter is the call stack, what follows it the path. */
const events = (text: string): EffectEvent[] =>
  text.split(' ').map((word, sequence) => ({
    sequence,
    pid: 1,
    tid: 1,
    parentPid: 0,
    exe: '/bin/x',
    effect: {
      op: 'OPEN',
      access: 'r',
      resource: { kind: 'file', type: 'f', path: word.slice(1) },
    },
    result: 3,
    syscall: 'openat',
    args: [],
    stack: [{ module: '/bin/x', offset: word.charCodeAt(0), symbol: undefined }],
    stackCut: false,
  }));

/** Each event of the first run, with `<` where a block starts with it and `>` where one ends. */
function marked(...texts: readonly string[]): string {
  const runs = texts.map(events);
  const orders = new Orders();
  const patterns = alignRuns(runs.map(run), { orders, endpoints: new Endpoints() });
  orders.settle();
  return runs[0]
    .map((event, i) => {
      const of = patterns.get(event) ?? [];
      const [started, ended] = [orders.startedBy(event, of), orders.endedBy(event, of)];
      const name = texts[0].split(' ')[i][0] + of.join();
      return `${started === undefined ? '' : `${started}<`}${name}${ended === undefined ? '' : `>${ended}`}`;
    })
    .join(' ');
}

test('blocks that moved are found, with what is done at the same points', () => {
  // nothing moves
  assert.equal(marked('a/1 b/2 a/3', 'a/1 b/2 a/3'), 'a/1 b/2 a/3');
  // what the environment decides is a class as before
  assert.equal(marked('a/t.12 b/2', 'a/t.345 b/2'), 'a/t.[0-9]+ b/2');
  // names in another order stay names
  assert.equal(marked('m/x a/1 a/2 m/y', 'm/x a/2 a/1 m/y'), 'm/x 0<a/1>0 0<a/2>0 m/y');
  assert.equal(marked('a/1 c/1 a/2 c/2', 'a/2 c/2 a/1 c/1'), '0<a/1 c/1>0 0<a/2 c/2>0');
  // only the first block reads what all need
  assert.equal(
    marked('a/1 l/z c/1 a/2 c/2', 'a/2 l/z c/2 a/1 c/1'),
    '0<a/1>0 0<l/z>0 0<c/1>0 0<a/2>0 0<c/2>0',
  );
  // two walks are two groups, the same walk twice is one
  assert.equal(marked('a/1 a/2 m/x b/3 b/4', 'a/2 a/1 m/x b/4 b/3'), '0<a/1>0 0<a/2>0 m/x 2<b/3>2 2<b/4>2');
  assert.equal(marked('a/1 a/2 m/x a/1 a/2', 'a/2 a/1 m/x a/2 a/1'), '0<a/1>0 0<a/2>0 m/x 0<a/1>0 0<a/2>0');
  // of three runs, a text that is in two only is no moved one
  assert.equal(marked('a/1 a/2', 'a/1 a/2', 'a/1 a/5'), 'a/1 a/[0-9]+');
});

const SOURCE = `
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static int loaded;
static void use(const char *path) {
  char b[64];
  int f = open(path, O_RDONLY);
  if (!loaded) { loaded = 1; close(open("/once", O_RDONLY)); }
  read(f, b, sizeof b);
  close(f);
}
static void walk(const char *dir, int exec) {
  DIR *d = opendir(dir);
  struct dirent *e;
  char path[99];
  while ((e = readdir(d)) != 0) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    if (!exec) { use(path); continue; }
    if (fork() == 0) { execl(path, path, (char *)0); _exit(1); }
    wait(0);
  }
  closedir(d);
}
int main(int argc, char **argv) {
  if (argv[0][2] != 'e') { close(open(argv[0], O_RDONLY)); return 0; }
  walk("/conf.d", 0);
  close(open("/between", O_RDONLY));
  walk("/start.d", 1);
  close(open("/done", O_RDONLY));
  for (;;) pause();
}
`;

const folder = mkdtempSync(join(tmpdir(), 'effigy-orders-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const ready = hasTool('gcc') ? false : 'needs gcc';

function model(): Policy {
  const binary = join(folder, 'service');
  writeFileSync(`${binary}.c`, SOURCE);
  execFileSync('gcc', ['-O1', '-static', '-w', '-o', binary, `${binary}.c`]);
  const code = readFileSync(binary);
  const builder = treeBuilder().addFile('/service', code, { mode: 0o755 });
  for (const name of ['a', 'b', 'c', 'd', 'e']) builder.addFile(`/conf.d/${name}`, name);
  for (const name of ['10-x', '20-y', '30-z']) builder.addFile(`/start.d/${name}`, code, { mode: 0o755 });
  for (const name of ['/once', '/between', '/done']) builder.addFile(name, 'x');
  const image = plainImage(builder.build(), { entrypoint: ['/service'] }, ['service']);
  return modelImage(image, {
    launches: ENVIRONMENTS.map((environment) => launchOf(image, plainContainer('', ''), environment)),
    budgets: DEFAULT_BUDGETS,
    probes: false,
    stopSignal: 15,
    record: {},
    version: 'test',
    machine: createMachine({ engine: 'fast' }),
  }).policy;
}

/** Whether a task of the automaton can do this from its start, one effect after the other. */
function allows({ edges, initial }: PolicyAutomaton, effects: readonly string[]): boolean {
  const closed = (states: Set<number>): Set<number> => {
    for (const state of states)
      for (const edge of edges) if (edge.effect === undefined && edge.from === state) states.add(edge.to);
    return states;
  };
  let states = closed(new Set([initial]));
  for (const text of effects)
    states = closed(
      new Set(
        edges.flatMap(({ from, to, effect }) =>
          effect !== undefined && states.has(from) && printEffect(effect).startsWith(text) ? [to] : [],
        ),
      ),
    );
  return states.size > 0;
}

test('files of a directory are used in any order', { skip: ready }, () => {
  const policy = model();
  const service = policy.automata[policy.root];
  const use = (name: string, first = false): string[] => [
    `OPEN r /conf.d/${name}`,
    ...(first ? ['OPEN r /once', 'CLOSE /once'] : []),
    `READ /conf.d/${name}`,
    `CLOSE /conf.d/${name}`,
  ];
  const walk = (names: string): string[] => [
    'OPEN r /conf.d',
    ...[...names].flatMap((name, i) => use(name, i === 0)),
    'CLOSE /conf.d',
    'OPEN r /between',
  ];
  const begin = service.edges.find(({ effect }) => effect && printEffect(effect) === 'OPEN r /conf.d');
  assert.ok(begin !== undefined);
  const from = { ...service, initial: begin.from };
  for (const names of ['abcde', 'edcba', 'caebd', 'bdace', 'daceb', 'ecabd'])
    assert.ok(allows(from, walk(names)), names);
  // no other file, nothing of the rest before the directory is closed
  assert.ok(!allows(from, ['OPEN r /conf.d', ...use('a', true), 'OPEN r /conf.d/f']));
  assert.ok(!allows(from, ['OPEN r /conf.d', ...use('a', true), 'OPEN r /between']));
  assert.ok(!allows(from, ['OPEN r /conf.d', ...use('b', true), 'OPEN r /done']));
  assert.ok(!allows(from, [...walk('abcde'), 'OPEN r /conf.d/a']));
  // names stay names
  const files = service.edges.flatMap(({ effect }) => (effect === undefined ? [] : [printEffect(effect)]));
  assert.ok(!files.some((text) => text.includes('/conf.d/') && /[*[]/.test(text)), files.join('\n'));
  // each script is itself, whichever comes first
  const scripts = policy.automata.flatMap(({ edges, program }) =>
    edges.flatMap(({ effect }) =>
      effect?.op === 'OPEN' && policy.programs[program].path.startsWith('/start.d/')
        ? [`${policy.programs[program].path} ${printEffect(effect)}`]
        : [],
    ),
  );
  assert.deepEqual(scripts.sort(), [
    '/start.d/10-x OPEN r /start.d/10-x',
    '/start.d/20-y OPEN r /start.d/20-y',
    '/start.d/30-z OPEN r /start.d/30-z',
  ]);
});
