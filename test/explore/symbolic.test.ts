// Symbolic search for inputs: programs that do something for one message only, and the message is found.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import {
  DEFAULT_BUDGETS,
  ENVIRONMENTS,
  Explorer,
  plainLaunch,
  type Scenario,
  SymbolicSearch,
  symbolicBudgets,
} from '../../src/explore/index.ts';
import { PlaceQueue } from '../../src/explore/symbolic-queue.ts';
import { createMachine } from '../../src/linux/index.ts';
import { addProgram, compile, hasTool, treeBuilder } from '../linux/guest.ts';
import { type Modelled, modelled, server } from './symbolic-server.ts';

interface Searched {
  readonly effects: ReadonlySet<string>;
  readonly search: SymbolicSearch;
}

function searched(
  t: TestContext,
  body: string,
  seed: string,
  flags: readonly string[],
  compiler = 'gcc',
): Searched | undefined {
  if (!hasTool(compiler)) {
    t.skip(`needs ${compiler}`);
    return undefined;
  }
  const path = compile(server(body), { flags, compiler });
  const builder = treeBuilder();
  addProgram(builder, path, '/program');
  const machine = createMachine({ engine: 'fast' });
  const explorer = new Explorer({
    tree: builder.build(),
    launch: plainLaunch({ path: '/program', argv: ['/program'] } as never, ENVIRONMENTS[0]),
    machine,
    budgets: DEFAULT_BUDGETS,
  });
  const scenario: Scenario = {
    name: 'seed',
    actions: [
      { do: 'connect', listener: 0, id: 'a' },
      { do: 'send', id: 'a', payload: seed },
      { do: 'close', id: 'a' },
    ],
  };
  const effects = new Set<string>();
  const search = new SymbolicSearch(explorer, symbolicBudgets(1000));
  search.search([scenario], ({ trace }) => {
    for (const step of trace.steps) if (step.kind === 'effect') effects.add(printEffect(step.event.effect));
    if ([...effects].some((effect) => effect.includes('/secret'))) search.stop();
  });
  return { effects, search };
}

const SEED = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n';

for (const [name, body, seed = SEED] of [
  ['memcmp', 'if (memcmp(buf, "OPEN-SESAME", 11) == 0) open("/secret", O_RDONLY);'],
  [
    'strcmp of a line',
    'buf[strcspn(buf, "\\n")] = 0; if (strcmp(buf, "open-sesame") == 0) open("/secret", O_RDONLY);',
    'xxxxxxxxxxx\n',
  ],
  ['strncasecmp', 'if (strncasecmp(buf, "Open Sesame", 11) == 0) open("/secret", O_RDONLY);'],
  [
    'strtok and a number',
    'char *w = strtok(buf, " "), *k = strtok(0, " \\n"); if (w && k && !strcmp(w, "get") && atoi(k) == 47) open("/secret", O_RDONLY);',
    'xxx yyyy\n',
  ],
  [
    'switch',
    'switch (buf[0]) { case 1: open("/a", 0); break; case 2: open("/b", 0); break; case 3: open("/c", 0); break; case 7: open("/d", 0); break; case 9: open("/secret", 0); break; case 10: open("/f", 0); break; }',
  ],
  [
    'word',
    'unsigned *p = (void *)buf; if (p[0] * 3 + 1 == 0x12345678 && (p[1] ^ p[0]) == 0xdeadbeef) open("/secret", 0);',
  ],
] as const)
  for (const [how, flags, compiler] of [
    ['static glibc', ['-O2', '-static'], 'gcc'],
    ['dynamic glibc', ['-O2'], 'gcc'],
    ['plain loops', ['-O0', '-static'], 'gcc'],
    ['static musl', ['-O2', '-static'], 'musl-gcc'],
  ] as const)
    test(`${name}, ${how}: what one message does is found`, (t) => {
      const found = searched(t, body, seed, flags, compiler);
      if (found === undefined) return;
      assert.ok(
        [...found.effects].some((effect) => effect.includes('/secret')),
        `${JSON.stringify(found.search.statistics)} ${[...found.effects].join('; ')} ${JSON.stringify([...found.search.losses])}`,
      );
    });

test('a model with symbolic inputs has what one message does, for any name', (t) => {
  const body = `if (strncmp(buf, "STORE:", 6) == 0) { char path[200] = "/data/"; buf[strcspn(buf, "\\r\\n")] = 0;
    strncat(path, buf + 6, 100); close(open(path, O_CREAT | O_WRONLY, 0600)); }`;
  const [plain, symbolic] = [0, 150].map((runs) => modelled(t, body, { runs, directories: ['/data'] }));
  if (plain === undefined || symbolic === undefined) return;
  const stored = ({ effects }: Modelled): readonly string[] =>
    effects.filter((effect) => effect.includes('/data'));
  assert.deepEqual(stored(plain), []);
  assert.ok(stored(symbolic).includes('OPEN wc /data/**'), stored(symbolic).join('; '));
});

test('what has been seen, or tried, comes after what has not', () => {
  const tried = new Map<string, number>();
  const seen = new Set<string>();
  const queue = new PlaceQueue<string>({
    base: (item) => tried.get(item[0]) ?? 0,
    extra: (item) => (item === 'gone' ? Infinity : seen.has(item) ? 2 : 0),
  });
  for (const item of ['a1', 'a2', 'b1', 'gone', 'a3']) queue.push(item.charCodeAt(0), item);
  assert.equal(queue.take(), 'a1');
  tried.set('a', 1);
  assert.equal(queue.take(), 'b1');
  seen.add('a2');
  assert.equal(queue.take(), 'a3');
  assert.deepEqual([...queue.items()], ['a2']);
  assert.equal(queue.take(), 'a2');
  assert.equal(queue.take(), undefined);
});

test('where a search stops short is a cut with its place', (t) => {
  const body = `static unsigned counts[70000]; unsigned short k = *(unsigned short *)buf; if (n < 8) return;
    counts[k]++; float f = *(float *)(buf + 4); if (f * 2 > 7) write(fd, "more", 4);
    if (counts[k] > 1 && buf[5] == 1) write(fd, "again", 5); if (buf[6] == 2) write(fd, "two", 3);`;
  const found = modelled(t, body, { runs: 3 });
  if (found === undefined) return;
  const cut = (what: string): boolean =>
    found.policy.cuts.some((one) => one.what === what && one.at.startsWith('/program+0x') && one.count > 0);
  for (const what of ['branch on input', 'address from input', 'floating point on input'])
    assert.ok(cut(what), `${what}: ${JSON.stringify(found.policy.cuts)}`);
});

test('a path that inputs cannot change is no pattern; one that they can is one wherever it is used', (t) => {
  const body = `if (strncmp(buf, "LOG ", 4)) return; char *p = buf + 4; int i = 0; while (p[i] >= 'a' && p[i] <= 'z') i++;
    if (i < 2 || p[i] != '!') return; p[i] = 0; char path[200] = "/data/"; strcat(path, p);
    int f = open(path, O_CREAT | O_WRONLY, 0600), g = open("/data/fixed", O_CREAT | O_WRONLY, 0600);
    write(f, "x", 1); write(g, "x", 1); close(f); close(g); unlink(path);`;
  const found = modelled(t, body, { runs: 150, directories: ['/data'] });
  if (found === undefined) return;
  const pattern = '/data/[0-9A-Za-z]+';
  assert.deepEqual(
    found.explored.filter((effect) => effect.includes('/data')),
    [
      'CLOSE /data/fixed',
      `CLOSE ${pattern}`,
      `OPEN wc /data/fixed`,
      `OPEN wc ${pattern}`,
      `UNLINK ${pattern}`,
      'WRITE /data/fixed',
      `WRITE ${pattern}`,
    ].sort(),
  );
});
