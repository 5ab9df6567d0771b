// Kubernetes workloads (API v1.34: core/v1, apps/v1, batch/v1): from manifests to containers as a kubelet starts them.
// Objects that run nothing are skipped, save config maps and secrets, whose content workloads of the same file use.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import type { DeployedContainer, DeployedPort, Deployment, DeploymentNote } from './deployment.ts';
import { plainContainer } from './deployment.ts';
import { environmentOf, expand } from './kubernetes-env.ts';
import { handlersOf } from './kubernetes-handlers.ts';
import { Objects } from './kubernetes-objects.ts';
import { mountsOf, serviceAccountMount } from './kubernetes-volumes.ts';
import { known, type Text, unknown } from './text.ts';

/** Where each kind keeps its pod's template. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ['template'],
  Deployment: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** A document of a manifest is an object of Kubernetes when it says its kind and version. */
export const isKubernetes = (document: Fields): boolean =>
  document.isMap && !document.field('kind').absent && !document.field('apiVersion').absent;

export function readKubernetes(documents: readonly Fields[]): {
  deployments: Deployment[];
  notes: DeploymentNote[];
} {
  const all = documents.flatMap(unfold);
  const objects = new Objects(all);
  const notes: DeploymentNote[] = [];
  const deployments = all.flatMap((document): Deployment[] => {
    const kind = document.field('kind').text();
    const path = Object.hasOwn(TEMPLATES, kind) ? TEMPLATES[kind] : undefined;
    return path === undefined ? [] : [readWorkload(document, kind, path, objects, notes)];
  });
  return { deployments, notes };
}

/** Lists hold objects. */
function unfold(document: Fields): Fields[] {
  const kind = document.field('kind').text();
  if (!kind.endsWith('List')) return [document];
  return document.field('items').items().flatMap(unfold);
}

/** A pod, and what its containers share. */
export interface Pod {
  readonly spec: Fields;
  readonly metadata: Fields;
  readonly namespace: string;
  /** Its name where the manifest decides it. */
  readonly name: Text;
  readonly objects: Objects;
  readonly claims: readonly string[];
}

function readWorkload(
  document: Fields,
  kind: string,
  path: readonly string[],
  objects: Objects,
  notes: DeploymentNote[],
): Deployment {
  const template = path.reduce((fields, name) => fields.field(name), document);
  const spec = template.field('spec');
  if (spec.absent) throw new InputError(`a ${kind} without a pod specification`, document.where);
  const metadata = document.field('metadata');
  const name = metadata.field('name').textOr(metadata.field('generateName').textOr(''));
  const namespace = metadata.field('namespace').textOr('default');
  const pod: Pod = {
    spec,
    metadata: template.field('metadata'),
    namespace,
    name: podName(kind, name),
    objects,
    claims: document
      .field('spec')
      .field('volumeClaimTemplates')
      .items()
      .map((claim) => claim.field('metadata').field('name').text()),
  };
  noteSharing(spec, notes);
  const containers = [
    ...spec
      .field('initContainers')
      .items()
      .map((fields) => readContainer(fields, pod, true, notes)),
    ...spec
      .field('containers')
      .items()
      .map((fields) => readContainer(fields, pod, false, notes)),
  ];
  if (!containers.some((container) => container.role === 'service'))
    throw new InputError('a pod without containers', spec.where);
  return { name: `${kind} ${namespace}/${printable(name)}`, containers };
}

/** Only a pod of its own and the first of a set have names that a manifest decides. */
function podName(kind: string, name: string): Text {
  if (kind === 'Pod') return known(name);
  return [`${name}-`, { source: 'name of the pod', shape: 'name' }];
}

function noteSharing(spec: Fields, notes: DeploymentNote[]): void {
  const sharing: Readonly<Record<string, string>> = {
    hostNetwork: 'the host’s network is used: addresses and interfaces of the node are not modelled',
    hostPID: 'processes of the node are visible to the pod: they are not modelled',
    hostIPC: 'the IPC objects of the node are shared: they are not modelled',
    shareProcessNamespace: 'containers of the pod see each other’s processes: each is modelled alone',
  };
  for (const [field, what] of Object.entries(sharing))
    if (spec.field(field).flag()) notes.push({ what, where: spec.field(field).where });
}

function readContainer(fields: Fields, pod: Pod, init: boolean, notes: DeploymentNote[]): DeployedContainer {
  const name = fields.field('name').text();
  const image = fields.field('image').textOr('');
  const { env, unknownEnv } = environmentOf(fields, pod);
  const words = (field: string): readonly Text[] | undefined => {
    const list = fields.field(field);
    if (list.absent || list.items().length === 0) return undefined;
    return list.items().map((item) => expand(item.text(), env));
  };
  const ports = readPorts(fields);
  const entrypoint = words('command');
  const args = words('args');
  const workingDir = fields.field('workingDir').textOr('');
  const stopSignal = fields.field('lifecycle').field('stopSignal').textOr('');
  const { commands, requests } = handlersOf(fields, ports);
  const mounts = mountsOf(fields, pod, env, notes);
  const token = serviceAccountMount(pod, mounts);
  return {
    ...plainContainer(name, image),
    role: init ? (fields.field('restartPolicy').textOr('') === 'Always' ? 'sidecar' : 'init') : 'service',
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(args === undefined ? {} : { args }),
    env,
    unknownEnv,
    ...(workingDir === '' ? {} : { workingDir }),
    ...security(fields.field('securityContext'), pod.spec.field('securityContext')),
    hostName: hostNameOf(pod),
    mounts: token === undefined ? mounts : [...mounts, token],
    ports: ports.map(({ port, protocol }) => ({ port, protocol })),
    commands,
    requests,
    imageHealthcheck: false,
    ...(stopSignal === '' ? {} : { stopSignal: stopSignal.replace(/^SIG/, '') }),
  };
}

function hostNameOf(pod: Pod): Text {
  const given = pod.spec.field('hostname').textOr('');
  if (pod.spec.field('hostNetwork').flag()) return unknown('name of the node', 'name');
  return given === '' ? pod.name : known(given);
}

export interface NamedPort extends DeployedPort {
  readonly name: string;
}

function readPorts(fields: Fields): NamedPort[] {
  return fields
    .field('ports')
    .items()
    .map((item) => {
      const protocol = item.field('protocol').textOr('TCP').toLowerCase();
      if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
        throw new InputError(`no protocol ${printable(protocol)}`, item.field('protocol').where);
      return { name: item.field('name').textOr(''), port: item.field('containerPort').number(), protocol };
    });
}

type Security = Pick<
  DeployedContainer,
  'user' | 'groups' | 'readOnlyRoot' | 'privileged' | 'noNewPrivileges' | 'capabilities'
>;

/** The container's own settings come before the pod's. */
function security(own: Fields, pods: Fields): Security {
  const number = (field: string): number | undefined => {
    const fields = own.field(field).absent ? pods.field(field) : own.field(field);
    return fields.absent ? undefined : fields.number();
  };
  const user = number('runAsUser');
  const group = number('runAsGroup');
  const fsGroup = pods.field('fsGroup');
  const capabilities = own.field('capabilities');
  const names = (field: string): string[] =>
    capabilities
      .field(field)
      .texts()
      .map((name) => name.toUpperCase().replace(/^CAP_/, ''));
  return {
    // A group alone belongs to the image's own user, whom only the image knows: root where it names none.
    ...(user === undefined && group === undefined
      ? {}
      : { user: `${user ?? ''}${group === undefined ? '' : `:${group}`}` }),
    groups: [
      ...pods
        .field('supplementalGroups')
        .items()
        .map((item) => item.number()),
      ...(fsGroup.absent ? [] : [fsGroup.number()]),
    ],
    readOnlyRoot: own.field('readOnlyRootFilesystem').flag(),
    privileged: own.field('privileged').flag(),
    noNewPrivileges:
      !own.field('allowPrivilegeEscalation').absent && !own.field('allowPrivilegeEscalation').flag(),
    capabilities: { add: names('add'), drop: names('drop') },
  };
}
