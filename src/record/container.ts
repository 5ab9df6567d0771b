// What a container of an image runs as: command line, environment, user, directory, names. Decided from the image's
// configuration and the caller's options as `docker run` does; nothing is started or written here.
import { constants } from 'node:os';
import { decodeText, InputError } from '../bytes/index.ts';
import type { FileNode, Image, Tree } from '../image/index.ts';
import { checkInterpreter } from './interpreter.ts';
import { type Account, parseUsers, type Users } from './users.ts';

export interface ContainerOptions {
  /** Replaces Cmd; empty: the image's. */
  readonly command: readonly string[];
  /** `NAME=value`; added to the image's environment, or replacing. */
  readonly env: readonly string[];
  /** Replaces the image's user; undefined: the image's. */
  readonly user: string | undefined;
  /** Twelve hexadecimal digits. */
  readonly id: string;
  readonly name: string | undefined;
}

export interface ContainerPlan {
  readonly id: string;
  readonly name: string;
  /** Image name with tag. */
  readonly image: string;
  /** Config digest without its algorithm. */
  readonly imageId: string;
  readonly hostname: string;
  readonly argv: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly account: Account;
  readonly users: Users;
  /** Canonical, inside the image; may not exist yet. */
  readonly workingDir: string;
  /** Directories that a runtime makes where they are missing: working directory and volumes. */
  readonly directories: readonly string[];
  /** Signal that asks the service to stop. */
  readonly stopSignal: number;
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function planContainer(image: Image, options: ContainerOptions): ContainerPlan {
  const { config, tree, source } = image;
  const argv = [...config.entrypoint, ...(options.command.length > 0 ? options.command : config.cmd)];
  if (argv.length === 0)
    throw new InputError('the image has neither entrypoint nor command', source, 'give a command after --');
  const users = parseUsers(textOf(tree, '/etc/passwd'), textOf(tree, '/etc/group'));
  const account = users.resolve(options.user ?? config.user, source);
  const workingDir = placeOf(tree, config.workingDir === '' ? '/' : config.workingDir);
  const imageName = withTag(image.names[0] ?? source.replace(/\/+$/, '').replace(/^.*\//, ''));
  return {
    id: options.id,
    name: options.name ?? imageName.replace(/[:@].*$/, '').replace(/^.*\//, ''),
    image: imageName,
    imageId: image.configDigest.replace(/^.*:/, ''),
    hostname: options.id,
    argv,
    env: environment([defaultPath, `HOSTNAME=${options.id}`, ...config.env, ...options.env], account.home),
    account,
    users,
    workingDir,
    directories: [workingDir, ...config.volumes.map((volume) => placeOf(tree, volume))],
    stopSignal: signalNumber(config.stopSignal, source),
  };
}

/** InputError where the container's first program is not there or can't be executed. `where` names the image. */
export function findEntry(tree: Tree, plan: ContainerPlan, where: string): void {
  const [name] = plan.argv;
  const path = plan.env.find((setting) => setting.startsWith('PATH='))?.slice(5) ?? '';
  const places = name.includes('/')
    ? [name]
    : path.split(':').map((directory) => `${directory || '.'}/${name}`);
  const paths = places.map((place) => (place.startsWith('/') ? place : `${plan.workingDir}/${place}`));
  const nodes = paths.map((path) => tree.lookup(path));
  const found = nodes.findIndex((node) => node?.kind === 'file' && (node.mode & 0o111) !== 0);
  if (found >= 0) {
    checkInterpreter(paths[found], (path) => fileOf(tree, path), where);
    return;
  }
  const what = nodes.some((node) => node !== undefined) ? 'is not executable' : 'is not in the image';
  throw new InputError(
    `${JSON.stringify(name)} ${what}`,
    where,
    'arguments after -- replace Cmd, not the entrypoint',
  );
}

function fileOf(tree: Tree, path: string): FileNode | undefined {
  const node = tree.lookup(path);
  return node?.kind === 'file' ? node : undefined;
}

/** Later settings of a name replace earlier ones in place; entries without `=` mean nothing to a container. */
function environment(settings: readonly string[], home: string): string[] {
  const byName = new Map<string, string>();
  for (const setting of settings) {
    const equals = setting.indexOf('=');
    if (equals > 0) byName.set(setting.slice(0, equals), setting);
  }
  if (!byName.has('HOME')) byName.set('HOME', `HOME=${home}`);
  return [...byName.values()];
}

function withTag(name: string): string {
  return /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
}

/** `SIGQUIT`, `QUIT`, `3` or `SIGRTMIN+3`; images without the field mean SIGTERM. */
export function signalNumber(text: string, where: string): number {
  const name = text === '' ? 'SIGTERM' : text.toUpperCase().replace(/^(SIG)?(?=[A-Z])/, 'SIG');
  const realTime = /^SIGRTM(IN|AX)(?:([+-])(\d{1,2}))?$/.exec(name);
  const known: Readonly<Record<string, number | undefined>> = constants.signals;
  let number = /^\d{1,2}$/.test(name) ? Number(name) : known[name];
  if (realTime !== null)
    number = (realTime[1] === 'IN' ? 34 : 64) + Number(`${realTime[2] ?? '+'}${realTime[3] ?? 0}`);
  if (number === undefined || number < 1 || number > 64)
    throw new InputError(`unknown signal ${JSON.stringify(text)}`, where);
  return number;
}

/** Contents of a file of the tree, '' where it is missing or no file. Larger than any real passwd file: cut. */
function textOf(tree: Tree, path: string): string {
  const node = tree.lookup(path);
  return node?.kind === 'file' ? decodeText(node.read(0, Math.min(node.size, 4 << 20))) : '';
}

/**
 * Where a path of the image is once symlinks are resolved inside of it, dangling ones too; components that do not exist
 * are kept as they are. The result can be appended to the root directory of an unpacked copy without leaving that copy.
 */
export function placeOf(tree: Tree, path: string): string {
  const pending = components(path).reverse();
  let at: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const part = pending.pop() as string;
    if (part === '..') {
      at.pop();
      continue;
    }
    const node = tree.lookup(`/${[...at, part].join('/')}`, { follow: false });
    if (node?.kind === 'symlink') {
      if (++links > 40) throw new InputError('too many levels of symbolic links', path);
      if (node.target.startsWith('/')) at = [];
      pending.push(...components(node.target).reverse());
    } else at.push(part);
  }
  return `/${at.join('/')}`;
}

function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
