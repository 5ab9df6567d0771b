// Which namespaces this machine lets us make: as root directly, else through a user namespace. Found out by trying.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { InputError } from '../bytes/index.ts';
import { findProgram, type Tools } from './tools.ts';

export interface Isolation {
  /** none: real root. ranges: a user namespace with many ids (newuidmap). single: one with root only. */
  readonly users: 'none' | 'ranges' | 'single';
  /** Options of unshare. */
  readonly flags: readonly string[];
}

const namespaces = [
  '--mount',
  '--pid',
  '--uts',
  '--ipc',
  '--cgroup',
  '--fork',
  '--kill-child',
  '--propagation',
  'private',
];

/** InputError with what unshare said where none is allowed. */
export function chooseIsolation(tools: Tools, net: 'own' | 'host'): Isolation {
  const flags = net === 'own' ? [...namespaces, '--net'] : namespaces;
  const choices: Isolation[] = [];
  if (process.geteuid?.() === 0) choices.push({ users: 'none', flags });
  if (existsSync('/etc/subuid') && findProgram('newuidmap') !== undefined)
    choices.push({ users: 'ranges', flags: ['--user', '--map-root-user', '--map-auto', ...flags] });
  choices.push({ users: 'single', flags: ['--user', '--map-root-user', ...flags] });
  let reason = '';
  for (const choice of choices) {
    // Mounting proc is what hosts forbid even where they allow the namespaces.
    const tried = spawnSync(
      tools.unshare,
      [...choice.flags, '--', tools.mount, '-t', 'proc', 'proc', '/proc'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        encoding: 'utf8',
      },
    );
    if (tried.status === 0) return choice;
    reason = (tried.stderr ?? '').trim().split('\n').at(-1) ?? '';
  }
  throw new InputError(
    `this machine does not let us make the namespaces of a container: ${reason}`,
    'record --image',
    'run as root on a host that allows unshare and mount, or enable unprivileged user namespaces',
  );
}
