// Starting the entrypoint as a container runtime does (OCI runtime specification: process, user, capabilities; the
// image's /etc/passwd and /etc/group for names).
import { InputError } from '../bytes/index.ts';
import { createRegisters } from '../machine/index.ts';
import { CONTAINER_CAPS } from './abi-process.ts';
import { errnoName } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { execve } from './loader.ts';
import { newProcessParts, takePid } from './process.ts';
import { makeDirectories } from './runtime-files.ts';
import { allCpus } from './sys-process-ids.ts';
import { defaultLimits } from './sys-process-limits.ts';
import { type Credentials, Process, Task } from './task.ts';
import { findUser, type User } from './user.ts';

/** A process that a runtime starts. */
export interface ProcessSpec {
  /** Program and arguments; a program without a slash is searched in PATH. */
  readonly argv: readonly string[];
  /** `NAME=value`. PATH, HOSTNAME and HOME are added where they are missing. */
  readonly env?: readonly string[];
  readonly cwd?: string;
  /** Made where the image lacks them, as runtimes do for volumes. */
  readonly directories?: readonly string[];
  /** `user[:group]`, names or numbers; '' is root. */
  readonly user?: string;
  /** Supplementary groups beyond the user's. */
  readonly groups?: readonly number[];
  /** Capability mask; default: what container runtimes leave. */
  readonly capabilities?: bigint;
  readonly noNewPrivileges?: boolean;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Starts pid 1. Throws InputError where the user is not known or the program can't be started: the image as it is
 * can't run.
 */
export function spawnInit(kernel: Kernel, spec: ProcessSpec): Task {
  return spawn(kernel, spec, 1, 'entrypoint');
}

/**
 * Starts a process in the running container as a runtime does for `exec`: beside pid 1, with no parent that is to be
 * seen in there. Throws as `spawnInit` does.
 */
export function spawnEntered(kernel: Kernel, spec: ProcessSpec): Task {
  return spawn(kernel, spec, takePid(kernel), 'command');
}

function spawn(kernel: Kernel, spec: ProcessSpec, pid: number, what: string): Task {
  const found = findUser(kernel, spec.user ?? '');
  const user = { ...found, groups: [...new Set([...found.groups, ...(spec.groups ?? [])])] };
  const task = createProcess(kernel, spec, user, pid);
  const env = defaultEnvironment(kernel, spec.env ?? [], user);
  for (const directory of spec.directories ?? []) makeDirectories(kernel, directory);
  try {
    const [program] = spec.argv;
    if (program === undefined || program === '') throw new InputError('no program to start', what);
    const path = program.includes('/') ? program : searchPath(kernel, task, program, env);
    const result = execve(kernel, task, {
      dirfd: -100,
      path,
      argv: spec.argv,
      envp: env,
      emptyPath: false,
      noFollow: false,
    });
    if (result !== 'none')
      throw new InputError(`cannot be started: ${errnoName(-result)}`, path, explain(-result));
  } catch (error) {
    // nothing of it was ever there
    kernel.tasks.delete(pid);
    kernel.processes.delete(pid);
    task.process.space.release();
    throw error;
  }
  return task;
}

function explain(errno: number): string {
  if (errno === 2) return 'the program, its interpreter or its dynamic loader is not in the image';
  if (errno === 8) return 'it is no x86-64 Linux program and no script';
  if (errno === 7) return 'its arguments and environment are longer than Linux allows';
  return errno === 13 ? 'the user may not execute it' : '';
}

function createProcess(kernel: Kernel, spec: ProcessSpec, user: User, pid: number): Task {
  const capabilities = spec.capabilities ?? CONTAINER_CAPS;
  const parts = newProcessParts();
  const process = new Process(pid, {
    ...parts,
    space: kernel.machine.memory.createAddressSpace(),
    fs: { cwd: '/', root: '/', umask: 0o22, references: 1 },
    credentials: initCredentials(user, capabilities, spec.noNewPrivileges ?? false),
    pgid: pid,
    sid: pid,
    startTime: kernel.now,
  });
  process.rlimits = defaultLimits();
  const task = new Task(pid, process, createRegisters(), kernel.now);
  task.affinity = allCpus(kernel);
  process.tasks.add(task);
  kernel.processes.set(pid, process);
  kernel.tasks.set(pid, task);
  kernel.vfs.stdStreams(kernel).forEach((file, fd) => {
    process.files.put(fd, file, false);
    // what the container says is what its first process and its children say
    if (pid === 1) kernel.streams.push(file);
  });
  enterDirectory(kernel, process, spec.cwd ?? '/');
  return task;
}

/** A working directory that the image lacks is made, as runtimes do. */
function enterDirectory(kernel: Kernel, process: Process, cwd: string): void {
  const path = kernel.vfs.nameAt(undefined, -100, cwd === '' ? '/' : cwd);
  makeDirectories(kernel, path);
  process.fs.cwd = path;
}

function initCredentials(user: User, capabilities: bigint, noNewPrivileges: boolean): Credentials {
  const { uid, gid, groups } = user;
  const held = uid === 0 ? capabilities : 0n;
  return {
    uid,
    euid: uid,
    suid: uid,
    fsuid: uid,
    gid,
    egid: gid,
    sgid: gid,
    fsgid: gid,
    groups: [...groups],
    effective: held,
    permitted: held,
    inheritable: 0n,
    bounding: capabilities,
    ambient: 0n,
    noNewPrivileges,
    securebits: 0,
  };
}

function defaultEnvironment(kernel: Kernel, env: readonly string[], user: User): string[] {
  const has = (name: string): boolean => env.some((entry) => entry.startsWith(`${name}=`));
  const out = has('PATH') ? [] : [`PATH=${DEFAULT_PATH}`];
  if (!has('HOSTNAME')) out.push(`HOSTNAME=${kernel.environment.hostName}`);
  out.push(...env);
  if (!has('HOME')) out.push(`HOME=${user.home}`);
  return out;
}

function searchPath(kernel: Kernel, task: Task, name: string, env: readonly string[]): string {
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH;
  for (const directory of path.split(':')) {
    const candidate = `${directory === '' ? '.' : directory}/${name}`;
    const found = kernel.vfs.openExecutable(kernel, task, -100, candidate, {
      emptyPath: false,
      noFollow: false,
    });
    if (typeof found !== 'number') return candidate;
  }
  throw new InputError(`no such program in PATH (${path})`, name);
}
