// Environment variables of a container as a kubelet makes them: `envFrom`, `env`, `$(NAME)` references.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import type { EnvVariable } from './deployment.ts';
import type { Pod } from './kubernetes.ts';
import type { SourceKind } from './kubernetes-objects.ts';
import { join, known, type Text, unknown } from './text.ts';

export interface ContainerEnvironment {
  readonly env: readonly EnvVariable[];
  readonly unknownEnv: readonly string[];
}

export function environmentOf(fields: Fields, pod: Pod): ContainerEnvironment {
  const env = new Map<string, Text>(serviceVariables());
  const unknownEnv: string[] = [];
  for (const source of fields.field('envFrom').items()) {
    const prefix = source.field('prefix').textOr('');
    for (const [field, kind] of [
      ['configMapRef', 'config map'],
      ['secretRef', 'secret'],
    ] as const) {
      const reference = source.field(field);
      if (reference.absent) continue;
      const name = reference.field('name').text();
      const content = pod.objects.find(kind, name);
      if (content === undefined) unknownEnv.push(`${kind} ${printable(name)}`);
      for (const key of content?.keys() ?? [])
        env.set(prefix + key, pod.objects.value(kind, name, key) ?? known(''));
    }
  }
  for (const item of fields.field('env').items()) {
    const name = item.field('name').text();
    if (name === '' || name.includes('=')) throw new InputError('not the name of a variable', item.where);
    const from = item.field('valueFrom');
    const value = from.absent ? expandIn(item.field('value').textOr(''), env) : valueFrom(from, name, pod);
    if (value === undefined) continue;
    // a later definition stands where it is written: references see what came before them
    env.delete(name);
    env.set(name, value);
  }
  return { env: [...env].map(([name, value]) => ({ name, value })), unknownEnv };
}

/** The API server's address, which every container gets. */
function serviceVariables(): (readonly [string, Text])[] {
  const host = unknown('address of the API server', 'address');
  const url = join([['tcp://'], host, [':443']]);
  return [
    ['KUBERNETES_SERVICE_HOST', host],
    ['KUBERNETES_SERVICE_PORT', known('443')],
    ['KUBERNETES_SERVICE_PORT_HTTPS', known('443')],
    ['KUBERNETES_PORT', url],
    ['KUBERNETES_PORT_443_TCP', url],
    ['KUBERNETES_PORT_443_TCP_PROTO', known('tcp')],
    ['KUBERNETES_PORT_443_TCP_PORT', known('443')],
    ['KUBERNETES_PORT_443_TCP_ADDR', host],
  ];
}

/** Undefined: an optional key that the manifest's own object lacks; the variable is not set. */
function valueFrom(from: Fields, name: string, pod: Pod): Text | undefined {
  for (const [field, kind] of [
    ['configMapKeyRef', 'config map'],
    ['secretKeyRef', 'secret'],
  ] as const satisfies readonly (readonly [string, SourceKind])[]) {
    const reference = from.field(field);
    if (reference.absent) continue;
    const object = reference.field('name').text();
    const key = reference.field('key').text();
    const value = pod.objects.value(kind, object, key);
    if (value === undefined && !reference.field('optional').flag())
      throw new InputError(
        `${kind} ${printable(object)} of this file has no key ${printable(key)}`,
        reference.where,
      );
    return value;
  }
  const field = from.field('fieldRef');
  if (!field.absent) return fieldValue(field.field('fieldPath').text(), pod);
  const resource = from.field('resourceFieldRef');
  if (!resource.absent) return unknown(`resource ${printable(resource.field('resource').text())}`, 'number');
  const file = from.field('fileKeyRef');
  if (!file.absent) return unknown(`key ${printable(file.field('key').text())} of a file`);
  throw new InputError(`variable ${printable(name)} comes from nothing that is known here`, from.where);
}

/** Value of a field of the pod (downward API). */
export function fieldValue(path: string, pod: Pod): Text {
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed !== null) {
    const value = pod.metadata
      .field(keyed[1])
      .entries()
      .find(([key]) => key === keyed[2]);
    return value === undefined ? known('') : known(value[1].text());
  }
  if (path === 'metadata.name') return pod.name;
  if (path === 'metadata.namespace') return known(pod.namespace);
  if (path === 'spec.serviceAccountName')
    return known(pod.spec.field('serviceAccountName').textOr('default'));
  const addresses = ['status.podIP', 'status.podIPs', 'status.hostIP', 'status.hostIPs'];
  if (addresses.includes(path))
    return unknown(path.startsWith('status.pod') ? 'address of the pod' : 'address of the node', 'address');
  return unknown(`field ${printable(path)} of the pod`, path === 'spec.nodeName' ? 'name' : 'text');
}

const expandIn = (text: string, env: ReadonlyMap<string, Text>): Text =>
  join(
    text.split(/(\$\$|\$\([^()\s]*\))/).map((part): Text => {
      if (part === '$$') return known('$');
      const name = part.startsWith('$(') ? part.slice(2, -1) : undefined;
      // what is not defined stays as it is written
      return (name === undefined ? undefined : env.get(name)) ?? known(part);
    }),
  );

/** `$(NAME)` replaced, `$$` is a dollar sign. */
export function expand(text: string, env: readonly EnvVariable[]): Text {
  return expandIn(text, new Map(env.map(({ name, value }) => [name, value])));
}
