// The file system of one container: its mounts, and finding files in them for a task. Section by section the rest is
// in vfs-walk (path walk), vfs-open, vfs-change (create, rename …), vfs-mounts (what a runtime mounts).
import type { Tree } from '../image/index.ts';
import { AT, O, S } from './abi-file.ts';
import { CAPABILITY_XATTR } from './credentials.ts';
import { NullFile } from './devfs.ts';
import { E } from './errno.ts';
import type { EnvironmentValues } from './events.ts';

import type { OpenFile } from './file.ts';
import type { ExecutableFile, ExecutableSource, Kernel } from './kernel.ts';
import { Pipe, PipeFile } from './pipe.ts';
import type { Task } from './task.ts';
import { RegularInode } from './vfs-file.ts';
import { type Mount, type Place, placePath } from './vfs-inode.ts';
import { buildMounts, type KeptFiles, type MountSpec } from './vfs-mounts.ts';
import { type Actor, actorOf, MAY, permission } from './vfs-permission.ts';
import { PlacedFile } from './vfs-placed.ts';
import type { StoredSuperblock } from './vfs-tree.ts';
import { normalizePath, type Walked, walk } from './vfs-walk.ts';

export interface VfsOptions {
  readonly tree: Tree;
  readonly environment: EnvironmentValues;
  /** Beyond what every container has; in order. */
  readonly mounts?: readonly MountSpec[];
  readonly readOnlyRoot?: boolean;
  /** Files of an earlier run. */
  readonly kept?: KeptFiles | undefined;
}

/** A path argument of a syscall. */
export interface PathArgument {
  readonly dirfd: number;
  readonly path: string;
  /** Follow a symlink in the last place. Default true. */
  readonly follow?: boolean;
  /** AT_EMPTY_PATH: an empty path is `dirfd` itself. */
  readonly emptyPath?: boolean;
  /** RESOLVE bits. */
  readonly resolve?: number;
  /** O_CREAT, and changes of names: see WalkOptions. */
  readonly creates?: boolean;
  readonly names?: boolean;
  /** Default: the task's credentials. */
  readonly actor?: Actor;
}

export class Vfs implements ExecutableSource {
  readonly root: Place;
  /** In the order they were mounted. */
  readonly mounts: Mount[];
  /** Holds what has no name anywhere: memfd. */
  readonly anonymous: StoredSuperblock;
  /** Cookie of the next rename's inotify events. */
  nextCookie = 1;
  private nextIno = 1000;

  constructor(parts: {
    readonly root: Place;
    readonly mounts: Mount[];
    readonly anonymous: StoredSuperblock;
  }) {
    this.root = parts.root;
    this.mounts = parts.mounts;
    this.anonymous = parts.anonymous;
  }

  /** Inode number for a pipe or socket. */
  takeIno(): number {
    return this.nextIno++;
  }

  /** Directory that `/` is for this task; undefined where it was removed. */
  rootOf(kernel: Kernel, task: Task | undefined): Place {
    const text = task?.process.fs.root ?? '/';
    return text === '/' ? this.root : (this.internal(kernel, text) ?? this.root);
  }

  /** A path from the container's root, walked without permission checks. */
  internal(kernel: Kernel, path: string): Place | undefined {
    const found = walk(path, {
      kernel,
      task: undefined,
      actor: undefined,
      root: this.root,
      start: this.root,
      follow: true,
    });
    return typeof found === 'number' ? undefined : found.place;
  }

  /** Walks to the last name of the path, which may be missing. */
  walkAt(kernel: Kernel, task: Task | undefined, argument: PathArgument): Walked | number {
    const { path, dirfd } = argument;
    const actor = 'actor' in argument ? argument.actor : actorOf(task);
    const root = this.rootOf(kernel, task);
    if (path === '' && argument.emptyPath !== true) return -E.NOENT;
    let start = root;
    if (!path.startsWith('/') || (argument.resolve ?? 0) !== 0) {
      const base = this.base(kernel, task, dirfd);
      if (typeof base === 'number') return base;
      start = base;
    }
    if (path === '') return { place: start, parent: start, name: '', slash: false };
    return walk(path, {
      kernel,
      task,
      actor,
      root,
      start,
      follow: argument.follow ?? true,
      resolve: argument.resolve ?? 0,
      creates: argument.creates ?? false,
      names: argument.names ?? false,
    });
  }

  /** The file at a path. */
  find(kernel: Kernel, task: Task | undefined, argument: PathArgument): Place | number {
    const walked = this.walkAt(kernel, task, argument);
    if (typeof walked === 'number') return walked;
    return walked.place ?? -E.NOENT;
  }

  /** Working directory, or the directory behind a descriptor. */
  base(kernel: Kernel, task: Task | undefined, dirfd: number): Place | number {
    if (dirfd === AT.FDCWD) {
      const { cwd, cwdPlace } = task?.process.fs ?? { cwd: '/', cwdPlace: undefined };
      return cwdPlace ?? (cwd === '/' ? this.root : (this.internal(kernel, cwd) ?? -E.NOENT));
    }
    const file = task?.process.files.get(dirfd);
    if (file === undefined) return -E.BADF;
    return file instanceof PlacedFile ? file.place : -E.NOTDIR;
  }

  /**
   * The path as effects name it: absolute in the container and normalized as text, symlinks not resolved, also where the
   * working directory was entered through one. Recorders have no other name for it.
   */
  nameAt(task: Task | undefined, dirfd: number, path: string): string {
    const { root, cwd, cwdName } = task?.process.fs ?? { root: '/', cwd: '/' };
    if (path.startsWith('/'))
      return root === '/' ? normalizePath('/', path) : normalizePath('/', root + normalizePath('/', path));
    const file = dirfd === AT.FDCWD ? undefined : task?.process.files.get(dirfd);
    const base = file instanceof PlacedFile ? file.name : (cwdName ?? cwd);
    return normalizePath(base, path);
  }

  /**
   * Standard input, output and error of the entrypoint as a runtime without a terminal gives them: /dev/null and two
   * pipes, whose other ends are the runtime's (world.ts `output`).
   */
  stdStreams(kernel: Kernel): readonly [OpenFile, OpenFile, OpenFile] {
    const place = this.internal(kernel, '/dev/null') ?? this.root;
    const sink = () => new PipeFile(new Pipe(this.takeIno(), true), O.WRONLY);
    return [
      new NullFile({ kernel, task: undefined, flags: O.RDONLY, place, name: '/dev/null' }),
      sink(),
      sink(),
    ];
  }

  openExecutable(
    kernel: Kernel,
    task: Task,
    dirfd: number,
    path: string,
    options: { readonly emptyPath: boolean; readonly noFollow: boolean },
  ): ExecutableFile | number {
    const place = this.find(kernel, task, {
      dirfd,
      path,
      follow: !options.noFollow,
      emptyPath: options.emptyPath,
    });
    if (typeof place === 'number') return place;
    const { inode } = place.dentry;
    if (inode.type === S.IFLNK) return -E.LOOP;
    if (!(inode instanceof RegularInode)) return -E.ACCES;
    const { nosuid, noexec } = place.mount.flags;
    if (noexec) return -E.ACCES;
    const denied = permission(actorOf(task), inode, MAY.EXEC);
    if (denied !== 0) return denied;
    if (inode.writers > 0) return -E.TXTBSY;
    return {
      path: placePath(place) ?? '/',
      backing: inode.readOnlyBacking(),
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      capabilities: inode.xattrs?.get(CAPABILITY_XATTR),
      nosuid,
      noexec,
    };
  }
}

/** The image's tree as a container runtime mounts it. */
export function createVfs(options: VfsOptions): Vfs {
  return new Vfs(buildMounts(options));
}

export type { MountSpec };
