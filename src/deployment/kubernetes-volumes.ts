// Volumes of a pod as its containers see them.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import type { DeployedMount, DeploymentNote, EnvVariable, MountContent, MountedFile } from './deployment.ts';
import type { Pod } from './kubernetes.ts';
import { expand, fieldValue } from './kubernetes-env.ts';
import type { SourceKind } from './kubernetes-objects.ts';
import { known, resolve, unknown, unknownsOf } from './text.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What one volume holds, whoever mounts it. */
interface Volume {
  readonly content: MountContent;
  readonly readOnly: boolean;
  readonly source: string;
}

export function mountsOf(
  fields: Fields,
  pod: Pod,
  env: readonly EnvVariable[],
  notes: DeploymentNote[],
): DeployedMount[] {
  return fields
    .field('volumeMounts')
    .items()
    .map((mount): DeployedMount => {
      const name = mount.field('name').text();
      const volume = volumeNamed(name, pod, mount);
      const path = mount.field('mountPath').text();
      if (!path.startsWith('/')) throw new InputError('not an absolute path', mount.field('mountPath').where);
      return {
        path,
        readOnly: volume.readOnly || mount.field('readOnly').flag(),
        source: volume.source,
        content: below(volume, subPath(mount, env, notes)),
      };
    });
}

/** '' for the whole volume; undefined where the path below it is not known. */
function subPath(mount: Fields, env: readonly EnvVariable[], notes: DeploymentNote[]): string | undefined {
  const plain = mount.field('subPath').textOr('');
  const expression = mount.field('subPathExpr');
  if (expression.absent) return plain;
  const text = expand(expression.text(), env);
  if (unknownsOf(text).length === 0) return resolve(text, () => '');
  notes.push({ what: 'the part of the volume that is mounted is not known', where: expression.where });
  return undefined;
}

/** A part of a volume. Such mounts are plain files and directories, not projected ones. */
function below({ content }: Volume, path: string | undefined): MountContent {
  if (path === '' || content.kind === 'empty' || content.kind === 'unknown') return content;
  if (path === undefined || content.kind !== 'files') return { kind: 'unknown' };
  const wanted = path.replace(/\/+$/, '');
  const files = content.files
    .filter((file) => file.path === wanted || file.path.startsWith(`${wanted}/`))
    .map((file) => ({ ...file, path: file.path.slice(wanted.length).replace(/^\//, '') }));
  return files.length === 0 ? { kind: 'unknown' } : { kind: 'files', files, projected: false };
}

function volumeNamed(name: string, pod: Pod, mount: Fields): Volume {
  if (pod.claims.includes(name))
    return { content: { kind: 'unknown' }, readOnly: false, source: `claim ${printable(name)}` };
  const volume = pod.spec
    .field('volumes')
    .items()
    .find((item) => item.field('name').text() === name);
  if (volume === undefined) throw new InputError(`the pod has no volume ${printable(name)}`, mount.where);
  return readVolume(volume, name, pod);
}

function readVolume(volume: Fields, name: string, pod: Pod): Volume {
  const label = printable(name);
  const keyed = keyedFiles(volume, pod);
  if (keyed !== undefined) return { ...keyed, readOnly: true };
  const empty = volume.field('emptyDir');
  if (!empty.absent) {
    const memory = empty.field('medium').textOr('') === 'Memory';
    return { content: { kind: 'empty', memory }, readOnly: false, source: `empty directory ${label}` };
  }
  const projected = volume.field('projected');
  if (!projected.absent) {
    const parts = projected
      .field('sources')
      .items()
      .map((source) => keyedFiles(source, pod) ?? tokenFiles(source));
    const all = parts.every((part) => part.content.kind === 'files');
    const files = parts.flatMap(({ content }) => (content.kind === 'files' ? content.files : []));
    return {
      content: all ? { kind: 'files', files, projected: true } : { kind: 'unknown' },
      readOnly: true,
      source: `projected volume ${label}`,
    };
  }
  const host = volume.field('hostPath');
  if (!host.absent)
    return {
      content: { kind: 'unknown' },
      readOnly: false,
      source: `path ${printable(host.field('path').text())} of the node`,
    };
  const claim = volume.field('persistentVolumeClaim');
  const what = claim.absent ? `volume ${label}` : `claim ${printable(claim.field('claimName').text())}`;
  return { content: { kind: 'unknown' }, readOnly: claim.field('readOnly').flag(), source: what };
}

/** Config maps, secrets and the downward API: as a volume or as a part of a projected one. */
function keyedFiles(volume: Fields, pod: Pod): { content: MountContent; source: string } | undefined {
  for (const [field, kind, nameField] of [
    ['configMap', 'config map', 'name'],
    ['secret', 'secret', volume.field('secret').field('secretName').absent ? 'name' : 'secretName'],
  ] as const satisfies readonly (readonly [string, SourceKind, string])[]) {
    const fields = volume.field(field);
    if (!fields.absent) return objectFiles(fields, kind, fields.field(nameField).text(), pod);
  }
  const downward = volume.field('downwardAPI');
  if (downward.absent) return undefined;
  const files = downward
    .field('items')
    .items()
    .map((item): MountedFile => {
      const reference = item.field('fieldRef');
      const content = reference.absent
        ? unknown('resource of the container', 'number')
        : fieldValue(reference.field('fieldPath').text(), pod);
      return { path: item.field('path').text(), content };
    });
  return { content: { kind: 'files', files, projected: true }, source: 'downward API' };
}

function objectFiles(
  fields: Fields,
  kind: SourceKind,
  name: string,
  pod: Pod,
): { content: MountContent; source: string } {
  const source = `${kind} ${printable(name)}`;
  const content = pod.objects.find(kind, name);
  const items = fields.field('items');
  const mode = fields.field('defaultMode').numberOr(0o644);
  if (items.absent) {
    if (content === undefined) return { content: { kind: 'unknown' }, source };
    const files = [...content].map(
      ([path, value]): MountedFile => ({
        path,
        mode,
        content: typeof value === 'string' ? known(value) : value,
      }),
    );
    return { content: { kind: 'files', files, projected: true }, source };
  }
  const files = items.items().map((item): MountedFile => {
    const key = item.field('key').text();
    const value = content === undefined ? unknown(`${source}, key ${printable(key)}`) : content.get(key);
    if (value === undefined)
      throw new InputError(`${source} of this file has no key ${printable(key)}`, item.where);
    return {
      path: item.field('path').text(),
      mode: item.field('mode').numberOr(mode),
      content: typeof value === 'string' ? known(value) : value,
    };
  });
  return { content: { kind: 'files', files, projected: true }, source };
}

/** The other sources of a projected volume: a token of the service account, certificates. */
function tokenFiles(source: Fields): { content: MountContent; source: string } {
  const token = source.field('serviceAccountToken');
  if (token.absent) return { content: { kind: 'unknown' }, source: 'projected source' };
  const path = token.field('path').text();
  return {
    content: {
      kind: 'files',
      projected: true,
      files: [{ path, content: unknown('token of the service account') }],
    },
    source: 'token of the service account',
  };
}

/** What every container gets to speak to the API server, unless the pod says no or mounts it itself. */
export function serviceAccountMount(pod: Pod, mounts: readonly DeployedMount[]): DeployedMount | undefined {
  const wanted = pod.spec.field('automountServiceAccountToken');
  if (!wanted.absent && !wanted.flag()) return undefined;
  if (mounts.some(({ path }) => path === TOKEN_PATH)) return undefined;
  return {
    path: TOKEN_PATH,
    readOnly: true,
    source: 'service account',
    content: {
      kind: 'files',
      projected: true,
      files: [
        { path: 'ca.crt', content: unknown('certificate of the cluster') },
        { path: 'namespace', content: known(pod.namespace) },
        { path: 'token', content: unknown('token of the service account') },
      ],
    },
  };
}
