import assert from 'node:assert/strict';
import test from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import {
  type DeployedContainer,
  type DeploymentFile,
  parseDeployment,
  resolve,
  type Text,
} from '../../src/deployment/index.ts';

const parse = (text: string): DeploymentFile =>
  parseDeployment(new TextEncoder().encode(text), 'web.yaml', {
    directory: 'shop',
    readFile: () => undefined,
  });

/** Unknown parts stand in brackets. */
const show = (text: Text): string => resolve(text, ({ source }) => `<${source}>`);

const environment = (container: DeployedContainer): Record<string, string> =>
  Object.fromEntries(
    container.env
      .filter(({ name }) => !name.startsWith('KUBERNETES_'))
      .map(({ name, value }) => [name, show(value)]),
  );

const only = (text: string): DeployedContainer => {
  const [deployment] = parse(text).deployments;
  assert.equal(deployment.containers.length, 1);
  return deployment.containers[0];
};

const pod = (container: string, more = ''): string =>
  `apiVersion: v1
kind: Pod
metadata: { name: shop, labels: { app: web } }
spec:
${more}  containers:
    - name: web
      image: nginx:1.27
${container.replace(/^/gm, '      ')}
`;

test('command, args and variables are what a kubelet makes of them', () => {
  const web = only(
    pod(`command: [/bin/server, --port=$(PORT), --as, $(NAME), $$(PORT), $(MISSING)]
args: ['$(URL)']
env:
  - { name: PORT, value: "80" }
  - { name: NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
  - { name: APP, valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }
  - { name: IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }
  - { name: CPU, valueFrom: { resourceFieldRef: { resource: limits.cpu } } }
  - { name: PASSWORD, valueFrom: { secretKeyRef: { name: db, key: password } } }
  - { name: URL, value: "http://$(PASSWORD)@$(IP):$(PORT)/$(LATER)" }
  - { name: LATER, value: x }`),
  );
  assert.deepEqual(web.entrypoint?.map(show), [
    '/bin/server',
    '--port=80',
    '--as',
    'shop',
    '$(PORT)',
    '$(MISSING)',
  ]);
  assert.deepEqual(web.args?.map(show), [
    'http://<secret db, key password>@<address of the pod>:80/$(LATER)',
  ]);
  assert.deepEqual(environment(web), {
    PORT: '80',
    NAME: 'shop',
    APP: 'web',
    IP: '<address of the pod>',
    CPU: '<resource limits.cpu>',
    PASSWORD: '<secret db, key password>',
    URL: 'http://<secret db, key password>@<address of the pod>:80/$(LATER)',
    LATER: 'x',
  });
  assert.equal(show(web.hostName ?? []), 'shop');
  assert.equal(web.imageHealthcheck, false);
});

test('config maps and secrets of the same file are known, others are not', () => {
  const web = only(`apiVersion: v1
kind: ConfigMap
metadata: { name: conf }
data: { LEVEL: info, main.conf: "listen 80;\\n" }
binaryData: { blob: AAEC }
---
apiVersion: v1
kind: Secret
metadata: { name: keys }
data: { password: c2VjcmV0 }
stringData: { user: me }
---
${pod(
  `envFrom:
  - configMapRef: { name: conf }
  - prefix: S_
    secretRef: { name: keys }
  - secretRef: { name: other }
volumeMounts:
  - { name: conf, mountPath: /etc/web }
  - { name: conf, mountPath: /etc/one.conf, subPath: main.conf }
  - { name: picked, mountPath: /etc/picked }
  - { name: far, mountPath: /etc/far }
  - { name: data, mountPath: /data }
  - { name: tmp, mountPath: /tmp, readOnly: true }`,
  `  volumes:
    - { name: conf, configMap: { name: conf } }
    - { name: picked, secret: { secretName: far, items: [{ key: tls.key, path: tls/key.pem, mode: 256 }] } }
    - { name: far, configMap: { name: far } }
    - { name: data, persistentVolumeClaim: { claimName: disk } }
    - { name: tmp, emptyDir: {} }
  automountServiceAccountToken: false
`,
)}`);
  assert.deepEqual(environment(web), {
    LEVEL: 'info',
    'main.conf': 'listen 80;\n',
    blob: '\0\x01\x02',
    S_password: 'secret',
    S_user: 'me',
  });
  assert.deepEqual(web.unknownEnv, ['secret other']);
  const mounts = web.mounts.map(({ path, content, readOnly }) => ({
    path,
    readOnly,
    content:
      content.kind === 'files'
        ? content.files.map((file) => [
            file.path,
            file.content instanceof Uint8Array ? [...file.content] : show(file.content),
          ])
        : content.kind,
  }));
  assert.deepEqual(mounts, [
    {
      path: '/etc/web',
      readOnly: true,
      content: [
        ['LEVEL', 'info'],
        ['main.conf', 'listen 80;\n'],
        ['blob', [0, 1, 2]],
      ],
    },
    { path: '/etc/one.conf', readOnly: true, content: [['', 'listen 80;\n']] },
    { path: '/etc/picked', readOnly: true, content: [['tls/key.pem', '<secret far, key tls.key>']] },
    { path: '/etc/far', readOnly: true, content: 'unknown' },
    { path: '/data', readOnly: false, content: 'unknown' },
    { path: '/tmp', readOnly: true, content: 'empty' },
  ]);
});

test('probes, hooks and security', () => {
  const web = only(
    pod(
      `ports: [{ name: http, containerPort: 8080 }, { containerPort: 53, protocol: UDP }]
livenessProbe: { exec: { command: [cat, $(X)] } }
readinessProbe: { httpGet: { port: http, path: healthz, httpHeaders: [{ name: A, value: b }] } }
startupProbe: { tcpSocket: { port: "99" } }
lifecycle: { preStop: { exec: { command: [/stop.sh] } }, stopSignal: SIGUSR1 }
securityContext:
  runAsUser: 0
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL], add: [NET_BIND_SERVICE] }`,
      '  securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000 }\n  hostNetwork: true\n',
    ),
  );
  assert.deepEqual(
    web.commands.map(({ reason, argv }) => [reason, ...argv.map(show)]),
    [
      ['liveness probe', 'cat', '$(X)'],
      ['pre-stop hook', '/stop.sh'],
    ],
  );
  assert.deepEqual(web.requests, [
    { reason: 'startup probe', kind: 'tcp', port: 99, path: '/', headers: [] },
    { reason: 'readiness probe', kind: 'http', port: 8080, path: '/healthz', headers: [['A', 'b']] },
  ]);
  assert.equal(web.user, '0:3000');
  assert.deepEqual(web.groups, [2000]);
  assert.equal(web.stopSignal, 'USR1');
  assert.ok(web.readOnlyRoot && web.noNewPrivileges && !web.privileged);
  assert.deepEqual(web.capabilities, { add: ['NET_BIND_SERVICE'], drop: ['ALL'] });
});

test('workloads of every kind, init containers and sidecars', () => {
  const template = `{ metadata: {}, spec: { initContainers: [{ name: a, image: i }, { name: b, image: i, restartPolicy: Always }], containers: [{ name: c, image: i }] } }`;
  const file = parse(
    ['apps/v1 Deployment', 'apps/v1 StatefulSet', 'apps/v1 DaemonSet', 'batch/v1 Job']
      .map((line) => line.split(' '))
      .map(
        ([version, kind]) =>
          `apiVersion: ${version}\nkind: ${kind}\nmetadata: { name: x, namespace: n }\nspec: { template: ${template} }`,
      )
      .concat(
        `apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: x }\nspec: { jobTemplate: { spec: { template: ${template} } } }`,
        'apiVersion: v1\nkind: Service\nmetadata: { name: x }',
        `apiVersion: v1\nkind: List\nitems: [{ apiVersion: v1, kind: Pod, metadata: { name: p }, spec: { containers: [{ name: c }] } }]`,
      )
      .join('\n---\n'),
  );
  assert.deepEqual(
    file.deployments.map(({ name, containers }) => [name, ...containers.map(({ role }) => role)]),
    [
      ['Deployment n/x', 'init', 'sidecar', 'service'],
      ['StatefulSet n/x', 'init', 'sidecar', 'service'],
      ['DaemonSet n/x', 'init', 'sidecar', 'service'],
      ['Job n/x', 'init', 'sidecar', 'service'],
      ['CronJob default/x', 'init', 'sidecar', 'service'],
      ['Pod default/p', 'service'],
    ],
  );
});

const wrong: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ['nothing', '', /neither Kubernetes/],
  ['a text', 'hello', /neither Kubernetes/],
  ['broken YAML', 'a: [1', /line 1, column/],
  ['the same key twice', 'a: 1\na: 2', /unique/],
  ['no workload', 'apiVersion: v1\nkind: Service\nmetadata: { name: a }', /no object of this manifest/],
  ['no pod', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }', /without a pod specification/],
  [
    'containers of another type',
    'apiVersion: v1\nkind: Pod\nspec: { containers: 3 }',
    /spec.containers: an array/,
  ],
  ['no containers', 'apiVersion: v1\nkind: Pod\nspec: { containers: [] }', /without containers/],
  ['a number as a word', pod('command: [8080]'), /spec.containers\[0\].command\[0\]: a string is wanted/],
  ['a volume that is not there', pod('volumeMounts: [{ name: a, mountPath: /a }]'), /no volume a/],
  [
    'a relative mount',
    pod('volumeMounts: [{ name: a, mountPath: a }]', '  volumes: [{ name: a }]\n'),
    /absolute/,
  ],
  ['a port that has no name', pod('livenessProbe: { httpGet: { port: web } }'), /no port named web/],
  ['a hook of nothing', pod('lifecycle: { preStop: { exec: {} } }'), /without a command/],
  [
    'aliases that multiply',
    `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(40)}]\nc: &c [${'*b,'.repeat(40)}]\nd: [${'*c,'.repeat(40)}]`,
    /aliases/,
  ],
  [
    'a secret that is not base64',
    'apiVersion: v1\nkind: Secret\nmetadata: { name: a }\ndata: { k: "***" }',
    /base64/,
  ],
];

for (const [name, text, message] of wrong)
  test(`refuses ${name}`, () => {
    assert.throws(
      () => parse(text),
      (error) =>
        error instanceof InputError && message.test(error.message) && error.message.includes('web.yaml'),
    );
  });
