// The programs of the host that a recording needs, found by name, and what to say where one is missing.
import { accessSync, constants, statSync } from 'node:fs';
import { InputError } from '../bytes/index.ts';

/** Program and the Debian package that has it. */
const packages = {
  chroot: 'coreutils',
  env: 'coreutils',
  hostname: 'hostname',
  ip: 'iproute2',
  ln: 'coreutils',
  mkdir: 'coreutils',
  mkfifo: 'coreutils',
  mount: 'mount',
  nsenter: 'util-linux',
  pivot_root: 'util-linux',
  setpriv: 'util-linux',
  sh: 'dash',
  strace: 'strace',
  touch: 'coreutils',
  umount: 'mount',
  unshare: 'util-linux',
} as const;

export type ToolName = keyof typeof packages;

/** Absolute path of each program. */
export type Tools = Readonly<Record<ToolName, string>>;

const systemDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Absolute path of a program in PATH or one of the system's directories; undefined where there is none. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':'), ...systemDirectories];
  return directories
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => `${directory}/${name}`)
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** InputError that names the missing programs and the packages to install. */
export function findTools<Name extends ToolName>(names: readonly Name[]): Readonly<Record<Name, string>> {
  if (process.platform !== 'linux') throw new InputError('recording needs Linux', process.platform);
  const found = names.map((name) => [name, findProgram(name)] as const);
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name);
  if (missing.length > 0) {
    const install = [...new Set(missing.map((name) => packages[name]))].sort().join(' ');
    throw new InputError(
      `not installed: ${missing.join(', ')}`,
      'this machine',
      `on Debian: apt-get install ${install}`,
    );
  }
  return Object.fromEntries(found) as Record<Name, string>;
}
