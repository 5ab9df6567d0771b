// An image as a deployment starts it: values that only the cluster knows, mounted content, commands of the runtime.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { parseDeployment } from '../../src/deployment/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../../src/explore/index.ts';
import { type Image, treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { modelImage } from '../../src/model/index.ts';
import type { Policy, PolicyAutomaton } from '../../src/policy/index.ts';
import { plainImage } from '../image/plain.ts';
import { addProgram } from '../linux/guest.ts';

const ENTRYPOINT = `
read line < /etc/app/mode
echo "$line" > "/work/$line-$NAME-$PASSWORD"
read token < /var/run/secrets/kubernetes.io/serviceaccount/token
echo x > "/work/$token.log"
cat "$1"
[ -e /data/here ] || echo new > /data/here
echo no > /readonly
exec sleep 1000
`;

function shellImage(): Image {
  const builder = treeBuilder();
  addProgram(builder, '/bin/dash', '/bin/sh');
  addProgram(builder, '/bin/cat');
  addProgram(builder, '/bin/sleep');
  builder.addFile('/entry', `#!/bin/sh${ENTRYPOINT}`, { mode: 0o755 }).addDir('/work', { mode: 0o1777 });
  const config = {
    entrypoint: ['/entry'],
    cmd: ['/none'],
    env: ['NAME=image', 'KEPT=1'],
    healthcheck: {
      test: ['CMD', '/bin/cat', '/never'],
      interval: 0,
      timeout: 0,
      startPeriod: 0,
      startInterval: 0,
      retries: 0,
    },
  };
  return plainImage(builder.build(), config, ['shop/app:1']);
}

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: { name: app }
data: { mode: "fast\\n" }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  template:
    spec:
      securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 }
      containers:
        - name: app
          image: shop/app:1
          args: ["/etc/app/$(PASSWORD)"]
          env:
            - { name: PASSWORD, valueFrom: { secretKeyRef: { name: db, key: password } } }
            - { name: NAME, value: manifest }
          securityContext: { readOnlyRootFilesystem: true }
          livenessProbe: { exec: { command: [cat, /etc/app/mode] } }
          readinessProbe: { exec: { command: [/bin/nothing] } }
          volumeMounts:
            - { name: conf, mountPath: /etc/app }
            - { name: work, mountPath: /work }
            - { name: data, mountPath: /data }
      volumes:
        - { name: conf, configMap: { name: app } }
        - { name: work, emptyDir: {} }
        - { name: data, persistentVolumeClaim: { claimName: disk } }
`;

function modelOf(image: Image): Policy {
  const { deployments } = parseDeployment(new TextEncoder().encode(MANIFEST), 'app.yaml', {
    directory: 'app',
    readFile: () => undefined,
  });
  const [container] = deployments[0].containers;
  return modelImage(image, {
    launches: ENVIRONMENTS.map((environment) => launchOf(image, container, environment)),
    budgets: DEFAULT_BUDGETS,
    probes: true,
    stopSignal: 15,
    record: {},
    version: 'test',
    machine: createMachine({ engine: 'fast' }),
  }).policy;
}

const effects = ({ edges }: PolicyAutomaton): string[] =>
  edges.flatMap((edge) =>
    edge.effect === undefined ? [] : [`${printEffect(edge.effect)}${edge.succeeds ? '' : ' fails'}`],
  );

test('a deployment: unknown values are patterns, mounts are there, probes are entries', (t) => {
  if (!['/bin/dash', '/bin/cat', '/bin/sleep'].every((path) => existsSync(path)))
    return t.skip('needs dash, cat and sleep');
  const policy = modelOf(shellImage());
  assert.equal(policy.incomplete, '');
  const root = policy.automata[policy.root];
  assert.deepEqual(root.args, ['/entry', '/etc/app/[0-9A-Za-z]+']);
  const all = new Set(effects(root));
  const wanted = [
    'OPEN r /etc/app/mode',
    'OPEN wct /work/fast-manifest-[0-9A-Za-z]+',
    'OPEN wct /work/[0-9A-Za-z]+.log',
    'OPEN wct /data/here',
    'OPEN wct /readonly fails',
  ];
  for (const effect of wanted)
    assert.ok(
      [...all].some(
        (each) =>
          each === effect || each.replace(/^OPEN r \/etc\/app\/\S+\/mode/, 'OPEN r /etc/app/mode') === effect,
      ),
      `${effect} is not in\n${[...all].join('\n')}`,
    );
  assert.deepEqual(
    policy.entries?.map(({ reason, automaton }) => [
      reason,
      policy.programs[policy.automata[automaton].program].path,
      policy.automata[automaton].args,
    ]),
    [['liveness probe', '/bin/cat', ['/etc/app/mode']]],
  );
  const probe = effects(policy.automata[policy.entries?.[0].automaton ?? 0]);
  assert.ok(
    probe.some((effect) => /^OPEN r \/etc\/app\/.*mode$/.test(effect)),
    probe.join('\n'),
  );
  assert.ok(probe.includes('EXIT 0'));
  // a kubelet doesn't run the image's own health check
  assert.ok(!JSON.stringify(policy.automata).includes('/never'));
  const cuts = policy.cuts.filter(({ kind }) => kind === 'deployment').map(({ what }) => what);
  assert.ok(
    cuts.some((what) => what.includes('claim disk at /data')),
    cuts.join('\n'),
  );
  assert.ok(
    cuts.some((what) => what.startsWith('readiness probe: /bin/nothing')),
    cuts.join('\n'),
  );
});
