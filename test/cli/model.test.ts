// `effigy model`, as a user would call it: what a deployment file and options change, what of them the policy records,
// and processors of several levels.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { file, layer, program } from '../../examples/echo/host-files.ts';
import { printEffect } from '../../src/effect/index.ts';
import { writeOciLayout } from '../../src/image/index.ts';
import { type Policy, readPolicy } from '../../src/policy/index.ts';
import { hasTool } from '../linux/guest.ts';

const SOURCE = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern int level(void);
int main(int argc, char **argv) {
  char path[200];
  for (int i = 1; i < argc; i++) open(argv[i], O_RDONLY);
  snprintf(path, sizeof path, "/tmp/%s-%s", getenv("MODE") ? getenv("MODE") : "none", getenv("SECRET") ? getenv("SECRET") : "none");
  open(path, O_RDWR | O_CREAT, 0600);
  return level() == 0;
}`;

const MANIFEST = `
apiVersion: v1
kind: Pod
metadata: { name: shop }
spec:
  containers:
    - name: web
      image: shop/web:1
      args: ["/etc/conf/mode"]
      env:
        - { name: MODE, value: fast }
        - { name: SECRET, valueFrom: { secretKeyRef: { name: db, key: password } } }
    - name: other
      image: elsewhere/other:2
`;

const folder = mkdtempSync(join(tmpdir(), 'effigy-model-'));
const image = join(folder, 'image');
const manifest = join(folder, 'pod.yaml');
const ready = hasTool('gcc') ? false : 'needs gcc';
const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

before(async () => {
  if (ready !== false) return;
  const gcc = (...args: readonly string[]): void => {
    execFileSync('gcc', [...args], { cwd: folder });
  };
  writeFileSync(join(folder, 'level.c'), 'int level(void) { return LEVEL; }');
  writeFileSync(join(folder, 'main.c'), SOURCE);
  for (const level of [1, 3])
    gcc(
      '-shared',
      '-fPIC',
      `-DLEVEL=${level}`,
      '-Wl,-soname,liblevel.so',
      '-o',
      `level${level}.so`,
      'level.c',
    );
  gcc('-o', 'main', 'main.c', './level1.so', '-Wl,-rpath,/opt/lib');
  writeFileSync(manifest, MANIFEST);
  const at = (name: string): string => join(folder, name);
  await writeOciLayout(image, {
    name: 'shop/web:1',
    layers: [
      {
        entries: layer([
          ...program(at('main'), '/bin/main').filter(({ path }) => !path.includes('liblevel')),
          file(at('level1.so'), '/opt/lib/liblevel.so', 0o755),
          file(at('level3.so'), '/opt/lib/glibc-hwcaps/x86-64-v3/liblevel.so', 0o755),
        ]),
      },
    ],
    config: { entrypoint: ['/bin/main'], cmd: ['/image'], env: ['MODE=image'] },
  });
});
after(() => rmSync(folder, { recursive: true, force: true }));

function model(...args: readonly string[]): Policy {
  const output = join(folder, 'policy.json');
  const { status, stderr } = spawnSync(
    process.execPath,
    [CLI, 'model', image, '-o', output, '--no-cache', '--engine', 'reference', ...args],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  return readPolicy(readFileSync(output, 'utf8'), output);
}

const effects = (policy: Policy): string[] =>
  policy.automata.flatMap(({ edges }) =>
    edges.flatMap(({ effect }) => (effect === undefined ? [] : [printEffect(effect)])),
  );

const has = (policy: Policy, effect: string): void =>
  assert.ok(effects(policy).includes(effect), `${effect} is not in\n${effects(policy).join('\n')}`);

test('the image as it is, with what decided the policy', { skip: ready }, () => {
  const policy = model();
  assert.equal(policy.deployment, undefined);
  has(policy, 'OPEN r /image');
  has(policy, 'OPEN rwc /tmp/image-none');
  assert.equal(policy.options['cpu'], 'x86-64');
  assert.equal(policy.options['env'], undefined);
});

test('a deployment: arguments, environment, values that only the cluster knows', { skip: ready }, () => {
  const policy = model('--deployment', manifest);
  assert.deepEqual(policy.deployment, { name: 'Pod default/shop', container: 'web', program: '/bin/main' });
  has(policy, 'OPEN r /etc/conf/mode');
  has(policy, 'OPEN rwc /tmp/fast-[0-9A-Za-z]+');
});

test('options by hand go before a deployment, and are recorded without values', { skip: ready }, () => {
  const policy = model(
    ...['--deployment', manifest, '--container', 'web', '--args', '/by/hand', '-e', 'MODE=slow'],
    ...['-e', 'SECRET', '--user', '7:7', '--workdir', '/tmp', '--mount', 'type=tmpfs,target=/tmp'],
    ...['--cpu', 'x86-64-v2', '--environments', '2', '--no-probes', '--max-instructions', '50000000'],
  );
  has(policy, 'OPEN r /by/hand');
  // of one length in both environments: it might have been made at random, from any letters
  has(policy, 'OPEN rwc /tmp/slow-*');
  assert.deepEqual(policy.options, {
    args: '/by/hand',
    cpu: 'x86-64-v2',
    env: ['MODE', 'SECRET'],
    environments: 2,
    maxInstructions: 50_000_000,
    mount: ['type=tmpfs,target=/tmp'],
    probes: false,
    user: '7:7',
    workdir: '/tmp',
  });
});

test('libraries of another level are in the policy, unless the processor is said', { skip: ready }, () => {
  const opened = ({ automata }: Policy): string[] => [
    ...new Set(
      automata.flatMap(({ edges }) =>
        edges.flatMap(({ effect, succeeds }) =>
          effect?.op === 'OPEN' && succeeds && printEffect(effect).includes('liblevel')
            ? [printEffect(effect)]
            : [],
        ),
      ),
    ),
  ];
  assert.deepEqual(opened(model()), ['OPEN r /opt/lib/**liblevel.so']);
  assert.deepEqual(opened(model('--cpu', 'x86-64-v3')), [
    'OPEN r /opt/lib/glibc-hwcaps/x86-64-v3/liblevel.so',
  ]);
});
