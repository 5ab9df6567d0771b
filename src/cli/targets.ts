// What `effigy model` is to model: containers of a deployment with their images, or images alone, with what the
// command line changes.
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve as resolvePath } from 'node:path';
import { InputError, printable } from '../bytes/index.ts';
import {
  type DeployedContainer,
  type DeployedMount,
  type DeploymentNote,
  known,
  type MountedFile,
  matchesImage,
  parseDeployment,
  plainContainer,
  shellWords,
  unknown,
} from '../deployment/index.ts';
import type { Image } from '../image/index.ts';

export interface TargetOptions {
  readonly deployment?: string;
  readonly container?: string;
  readonly entrypoint?: string;
  readonly args?: string;
  readonly env: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly hostname?: string;
  readonly mount: readonly string[];
  readonly readOnly?: boolean;
}

export interface OpenedImage {
  readonly path: string;
  readonly image: Image;
}

export interface Target {
  readonly opened: OpenedImage;
  readonly container: DeployedContainer;
  /** '' where no deployment was given. */
  readonly deployment: string;
  readonly notes: readonly DeploymentNote[];
}

/** Bounds on what is read of this machine for one mount. */
const MAX_MOUNT_FILES = 10_000;
const MAX_MOUNT_BYTES = 256 * 2 ** 20;

export function targetsOf(images: readonly OpenedImage[], options: TargetOptions): Target[] {
  const changed = (container: DeployedContainer): DeployedContainer => byHand(container, options);
  if (options.deployment === undefined) {
    if (options.container !== undefined)
      throw new InputError('names a container of a deployment', '--container', 'give --deployment FILE, too');
    return images.map((opened) => ({
      opened,
      container: changed(plainContainer('', opened.image.names[0] ?? '')),
      deployment: '',
      notes: [],
    }));
  }
  const file = options.deployment;
  const directory = dirname(resolvePath(file));
  const { deployments, notes } = parseDeployment(readFileSync(file), file, {
    directory: basename(directory),
    readFile: (path) => readBeside(directory, path),
  });
  const all = deployments.flatMap(({ name, containers }) =>
    containers.map((container) => ({ deployment: name, container })),
  );
  const { container: wanted } = options;
  const named =
    wanted === undefined
      ? all
      : all.filter(({ deployment, container }) => isNamed(wanted, deployment, container));
  const targets = named.flatMap(({ deployment, container }): Target[] => {
    const opened = imageOf(container, images, wanted !== undefined);
    if (opened === undefined) return [];
    return [{ opened, container: changed(withFiles(container, directory)), deployment, notes }];
  });
  if (targets.length === 0) {
    const list = all
      .map(({ container: { name, image } }) => `${printable(name)} (${printable(image)})`)
      .join(', ');
    throw new InputError(
      wanted === undefined
        ? 'no container runs an image that was given'
        : `no container ${printable(wanted)}`,
      file,
      `it has ${list}; name one with --container`,
    );
  }
  return targets;
}

const isNamed = (wanted: string, deployment: string, { name }: DeployedContainer): boolean =>
  wanted === name ||
  wanted === `${deployment}/${name}` ||
  wanted === `${deployment.split('/').at(-1) ?? ''}/${name}`;

/** By its reference; a container that the user named may run the one image that was given. */
function imageOf(
  container: DeployedContainer,
  images: readonly OpenedImage[],
  isNamed: boolean,
): OpenedImage | undefined {
  const found = images.find(({ image }) =>
    matchesImage(container.image, {
      names: image.names,
      digests: [image.manifestDigest ?? '', image.configDigest].filter((digest) => digest !== ''),
    }),
  );
  return found ?? (isNamed && images.length === 1 ? images[0] : undefined);
}

function byHand(container: DeployedContainer, options: TargetOptions): DeployedContainer {
  const words = (text: string | undefined, name: string) => {
    if (text === undefined) return undefined;
    const list = shellWords(text);
    if (list === undefined) throw new InputError('a quote is not closed', name);
    return list.map(known);
  };
  const entrypoint = words(options.entrypoint, '--entrypoint') ?? container.entrypoint;
  const args =
    words(options.args, '--args') ?? (options.entrypoint === undefined ? container.args : undefined);
  const env = new Map(container.env.map(({ name, value }) => [name, value]));
  for (const entry of options.env) {
    const equals = entry.indexOf('=');
    if (equals === 0 || entry === '')
      throw new InputError(`${JSON.stringify(entry)} names no variable`, '--env');
    const name = equals < 0 ? entry : entry.slice(0, equals);
    env.set(name, equals < 0 ? unknown(`variable ${printable(name)}`) : known(entry.slice(equals + 1)));
  }
  const mounts = options.mount.map(parseMount);
  const { entrypoint: _, args: __, ...rest } = container;
  return {
    ...rest,
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(args === undefined ? {} : { args }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.workdir === undefined ? {} : { workingDir: options.workdir }),
    ...(options.hostname === undefined ? {} : { hostName: known(options.hostname) }),
    env: [...env].map(([name, value]) => ({ name, value })),
    mounts: [
      ...container.mounts.filter(({ path }) => !mounts.some((mount) => mount.path === path)),
      ...mounts,
    ],
    readOnlyRoot: container.readOnlyRoot || options.readOnly === true,
  };
}

/** `type=bind,source=DIR,target=PATH,readonly` as engines write it; types bind, tmpfs, volume, unknown. */
function parseMount(text: string): DeployedMount {
  const fields = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    fields.set(equals < 0 ? part : part.slice(0, equals), equals < 0 ? '' : part.slice(equals + 1));
  }
  const first = (...names: string[]): string =>
    names.map((name) => fields.get(name)).find((v) => v !== undefined) ?? '';
  const path = first('target', 'dst', 'destination');
  if (!path.startsWith('/'))
    throw new InputError(
      `${JSON.stringify(text)} has no absolute target`,
      '--mount',
      'for example type=bind,source=conf,target=/etc/app,readonly',
    );
  const flag = first('readonly', 'ro');
  const readOnly = (fields.has('readonly') || fields.has('ro')) && flag !== 'false' && flag !== '0';
  const source = first('source', 'src');
  const type = first('type') || (source === '' ? 'volume' : 'bind');
  const label = `mount ${printable(source === '' ? path : source)}`;
  if (type === 'tmpfs') return { path, readOnly, source: label, content: { kind: 'empty', memory: true } };
  if (type === 'volume') return { path, readOnly, source: label, content: { kind: 'image' } };
  if (type === 'unknown') return { path, readOnly, source: label, content: { kind: 'unknown' } };
  if (type !== 'bind')
    throw new InputError(
      `no mount type ${printable(type)}`,
      '--mount',
      'bind, tmpfs, volume and unknown are there',
    );
  const files = readHost(source);
  if (files === undefined)
    throw new InputError('cannot be read', source, 'use type=unknown where only the path is known');
  return { path, readOnly, source: label, content: { kind: 'files', files, projected: false } };
}

/** What a manifest refers to beside it; what is not here is not known. */
function withFiles(container: DeployedContainer, directory: string): DeployedContainer {
  return {
    ...container,
    mounts: container.mounts.map((mount): DeployedMount => {
      if (mount.content.kind !== 'host') return mount;
      const files = readHost(join(directory, mount.content.path));
      return {
        ...mount,
        content: files === undefined ? { kind: 'unknown' } : { kind: 'files', files, projected: false },
      };
    }),
  };
}

function readBeside(directory: string, path: string): Uint8Array | undefined {
  try {
    return readFileSync(resolvePath(directory, path));
  } catch {
    return undefined;
  }
}

/** A file (path '') or all regular files below a directory; undefined where it is not there or too much. */
function readHost(path: string): MountedFile[] | undefined {
  const files: MountedFile[] = [];
  let bytes = 0;
  const visit = (at: string, name: string): boolean => {
    const stat = name === '' ? statSync(at) : lstatSync(at);
    if (stat.isDirectory())
      return readdirSync(at)
        .sort()
        .every((entry) => visit(join(at, entry), name === '' ? entry : `${name}/${entry}`));
    if (!stat.isFile()) return true;
    bytes += stat.size;
    if (files.length >= MAX_MOUNT_FILES || bytes > MAX_MOUNT_BYTES) return false;
    files.push({ path: name, content: readFileSync(at), mode: stat.mode & 0o7777 });
    return true;
  };
  try {
    return visit(path, '') ? files : undefined;
  } catch {
    return undefined;
  }
}
