import assert from 'node:assert/strict';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import {
  type DeploymentFile,
  matchesImage,
  parseDeployment,
  resolve,
  type Text,
} from '../../src/deployment/index.ts';

const FILES: Readonly<Record<string, string>> = {
  '.env': 'TAG=9\nexport QUOTED="a b" # comment\nEMPTY=\n',
  'web.env': "LEVEL=debug\n# no\nNAME='x y'\n",
  './conf/site.conf': 'server {}\n',
};

const parse = (text: string): DeploymentFile =>
  parseDeployment(new TextEncoder().encode(text), 'compose.yaml', {
    directory: 'My Shop',
    readFile: (path) => (Object.hasOwn(FILES, path) ? new TextEncoder().encode(FILES[path]) : undefined),
  });

const show = (text: Text): string => resolve(text, ({ source }) => `<${source}>`);

test('a service with everything', () => {
  const { deployments, notes } = parse(`
services:
  web:
    image: "redis:\${TAG:-8}"
    entrypoint: /start.sh --name "a b" \${QUOTED} $$HOME
    command: [--save, "\${SECONDS_KEPT}", "\${EMPTY:-none}", "\${EMPTY-none}", "\${TAG:+set}"]
    env_file: web.env
    environment: { LEVEL: info, PASSED: , PORT: 80, FLAG: true }
    user: "1000:1000"
    working_dir: /srv
    hostname: box
    read_only: true
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    stop_signal: SIGINT
    ports: ["127.0.0.1:8080:80", "9000-9002:9000-9002/udp", { target: 443 }]
    volumes:
      - data:/data
      - ./conf/site.conf:/etc/site.conf:ro
      - /abs:/abs
      - { type: tmpfs, target: /scratch }
    tmpfs: /run
    configs: [{ source: site, target: /etc/conf }]
    secrets: [token]
    healthcheck: { test: "curl -f http://localhost/" }
configs: { site: { file: ./conf/site.conf } }
secrets: { token: { external: true } }
volumes: { data: {} }
`);
  assert.deepEqual(notes, []);
  assert.equal(deployments[0].name, 'compose project myshop');
  const [web] = deployments[0].containers;
  assert.equal(web.image, 'redis:9');
  assert.deepEqual(web.entrypoint?.map(show), ['/start.sh', '--name', 'a b', 'a b', '$HOME']);
  assert.deepEqual(web.args?.map(show), [
    '--save',
    '<variable SECONDS_KEPT of the shell>',
    'none',
    '',
    'set',
  ]);
  assert.deepEqual(
    web.env.map(({ name, value }) => `${name}=${show(value)}`),
    ['LEVEL=info', 'NAME=x y', 'FLAG=true', 'PASSED=<variable PASSED of the shell>', 'PORT=80'],
  );
  assert.deepEqual(
    web.ports.map(({ port, protocol }) => `${port}/${protocol}`),
    ['80/tcp', '9000/udp', '9001/udp', '9002/udp', '443/tcp'],
  );
  assert.deepEqual(
    web.mounts.map(({ path, content, readOnly }) => `${path} ${content.kind}${readOnly ? ' ro' : ''}`),
    [
      '/data image',
      '/etc/site.conf host ro',
      '/abs unknown',
      '/scratch empty',
      '/run empty',
      '/etc/conf files ro',
      '/run/secrets/token files ro',
    ],
  );
  assert.deepEqual(
    web.commands.map(({ reason, argv }) => [reason, ...argv.map(show)]),
    [['health check', '/bin/sh', '-c', 'curl -f http://localhost/']],
  );
  assert.equal(web.imageHealthcheck, false);
  assert.equal(web.stopSignal, 'INT');
  assert.equal(web.user, '1000:1000');
});

test('services extend each other, and merge keys work', () => {
  const { deployments } = parse(`
x-common: &common { environment: { A: 1 }, user: app }
services:
  base: { image: i, environment: [B=2, C], volumes: [v:/v] }
  one: { extends: base, environment: { B: 3 } }
  two: { <<: *common, image: j, extends: { service: one } }
`);
  const [, one, two] = deployments[0].containers;
  const env = (list: typeof one.env): string[] => list.map(({ name, value }) => `${name}=${show(value)}`);
  assert.equal(one.image, 'i');
  assert.deepEqual(env(one.env), ['B=3', 'C=<variable C of the shell>']);
  assert.equal(two.image, 'j');
  assert.equal(two.user, 'app');
  assert.deepEqual(env(two.env), ['B=3', 'C=<variable C of the shell>', 'A=1']);
  assert.deepEqual(
    two.mounts.map(({ path }) => path),
    ['/v'],
  );
});

test('what cannot be used is noted', () => {
  const { deployments, notes } = parse(`
services:
  web: { build: ., image: "x:\${NOWHERE}", init: true, network_mode: host, env_file: [none.env], ports: [web] }
include: [other.yaml]
`);
  assert.equal(deployments[0].containers[0].image, 'myshop-web');
  assert.deepEqual(notes.map(({ what }) => what).sort(), [
    'included files are not read: give them one by one',
    'network_mode of the host is shared: it is not modelled',
    'not understood as a port',
    'the engine’s own init process is not modelled: the service is its first process',
    'variable NOWHERE of the shell is not known: the value is not used',
    'variables of none.env are not known: the file is not there',
  ]);
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ['a circle', 'services: { a: { extends: b }, b: { extends: a } }', /circle/],
  ['an open quote', 'services: { a: { command: "a \'b" } }', /quote/],
  ['an open brace', `services: { a: { image: "\${X" } }`, /not closed/],
  ['a lone dollar', 'services: { a: { command: ["$ 1"] } }', /\$\$/],
  ['an undefined secret', 'services: { a: { secrets: [b] } }', /defines no secret b/],
  ['a health check of another kind', 'services: { a: { healthcheck: { test: [RUN, a] } } }', /CMD-SHELL/],
  ['services as a list', 'services: [a]', /object/],
];
for (const [name, text, message] of wrong)
  test(`refuses ${name}`, () => {
    assert.throws(
      () => parse(text),
      (error) => error instanceof InputError && message.test(error.message),
    );
  });

const references: readonly (readonly [reference: string, name: string, same: boolean])[] = [
  ['nginx', 'docker.io/library/nginx:latest', true],
  ['nginx:1', 'nginx:1', true],
  ['nginx:1', 'nginx:2', false],
  ['docker.io/nginx', 'nginx', true],
  ['localhost:5000/a/b:1', 'localhost:5000/a/b:1', true],
  ['shop/web', 'shop/web:latest', true],
  ['shop/web', 'quay.io/shop/web', false],
  ['web', 'localhost/web:latest', true],
  ['web@sha256:aa', 'web:1', false],
  ['web:1@sha256:feed', 'other:2', true],
];
test('references mean images', () => {
  for (const [reference, name, same] of references)
    assert.equal(
      matchesImage(reference, { names: [name], digests: ['sha256:feed'] }),
      same,
      `${reference} ${name}`,
    );
});
