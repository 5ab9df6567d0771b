// What is to be recorded, made ready: a command of this machine, or the container of an image.
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { InputError } from '../bytes/index.ts';
import { openImage } from '../image/index.ts';
import { type ContainerPlan, findEntry, planContainer } from './container.ts';
import { type Contents, checkInterpreter } from './interpreter.ts';
import { chooseIsolation, type Isolation } from './isolation.ts';
import { holdScript } from './launch.ts';
import type { RecordOptions } from './options.ts';
import { containerCommand, preludePrograms } from './prelude.ts';
import { prepareRoot } from './rootfs.ts';
import { findProgram, findTools } from './tools.ts';
import { parseUsers, type Users } from './users.ts';

/** What is recorded, ready to be held. */
export interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly skipExecs: number;
  readonly plan: ContainerPlan | undefined;
  readonly isolation: Isolation | undefined;
  readonly users: Users;
  /** Directory of this machine that is its root; '' where that is this machine's. */
  readonly root: string;
  /** Asks it to stop. */
  readonly stopSignal: number;
  readonly notes: readonly string[];
}

const sigterm = 15;

/** InputError where there is no such command. */
export function hostSubject(options: RecordOptions): Subject {
  const { command } = options;
  if (command.length === 0)
    throw new InputError('no command given', 'record', 'give one after --, or an image with --image');
  if (!command[0].includes('/') && findProgram(command[0]) === undefined)
    throw new InputError('command not found', command[0]);
  checkInterpreter(
    resolve(command[0].includes('/') ? command[0] : (findProgram(command[0]) ?? command[0])),
    hostFile,
    command[0],
  );
  const settings = (options.env ?? []).map((setting): [string, string] => {
    const equals = setting.indexOf('=');
    return [setting.slice(0, equals), setting.slice(equals + 1)];
  });
  return {
    name: command[0],
    command: [findTools(['sh']).sh, '-c', holdScript, 'sh', ...command],
    env: { ...process.env, ...Object.fromEntries(settings) },
    skipExecs: 0,
    plan: undefined,
    isolation: undefined,
    root: '',
    users: parseUsers(hostText('/etc/passwd'), hostText('/etc/group')),
    stopSignal: sigterm,
    notes: [],
  };
}

function hostFile(path: string): Contents | undefined {
  try {
    const stat = statSync(path);
    return stat.isFile()
      ? { size: stat.size, readInto: (offset, into) => readAt(path, offset, into) }
      : undefined;
  } catch {
    // Not there, or not for us to see.
    return undefined;
  }
}

/** What cannot be read stays zero: programs may be executable and not readable. */
function readAt(path: string, offset: number, into: Uint8Array): void {
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, into, 0, into.length, offset);
    } finally {
      closeSync(fd);
    }
  } catch {
    into.fill(0);
  }
}

function hostText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Unpacks the image into `scratch`. InputError where it can't be run here. */
export async function imageSubject(options: RecordOptions, scratch: string): Promise<Subject> {
  const tools = findTools([
    'chroot',
    'env',
    'hostname',
    'ip',
    'ln',
    'mkdir',
    'mkfifo',
    'mount',
    'nsenter',
    'pivot_root',
    'setpriv',
    'sh',
    'strace',
    'touch',
    'umount',
    'unshare',
  ]);
  const net = options.net ?? 'own';
  const isolation = chooseIsolation(tools, net);
  const { path, ref, platform } = options.image as NonNullable<RecordOptions['image']>;
  const image = await openImage(path, { ref, platform });
  try {
    const id = options.containerId ?? randomBytes(6).toString('hex');
    const plan = planContainer(image, {
      command: options.command,
      env: options.env ?? [],
      user: options.user,
      id,
      name: options.containerName,
    });
    if (isolation.users === 'single' && plan.account.uid !== 0)
      throw new InputError(
        `the image runs as user ${plan.account.uid}, and this user may only map one id`,
        path,
        'run as root, or give this user ids in /etc/subuid and /etc/subgid (package uidmap)',
      );
    findEntry(image.tree, plan, path);
    const root = prepareRoot(scratch, image.tree, plan, net);
    const stage = `${scratch}/stage`;
    mkdirSync(stage);
    return {
      name: path,
      command: containerCommand({ tools, isolation, plan, root, stage, net }),
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      skipExecs: preludePrograms,
      plan,
      isolation,
      users: plan.users,
      root: root.directory,
      stopSignal: plan.stopSignal,
      notes: root.notes,
    };
  } finally {
    image.close();
  }
}
