// Path walk (fs/namei.c): from a path text to a place, as Linux does it.
import { encodeText } from '../bytes/index.ts';
import { NAME_MAX, RESOLVE, S } from './abi-file.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import {
  crossMounts,
  type Dentry,
  DirectoryInode,
  type Place,
  parentPlace,
  placePath,
  SymlinkInode,
  samePlace,
} from './vfs-inode.ts';
import { type Actor, MAY, mayFollow, permission } from './vfs-permission.ts';

const MAX_LINKS = 40;

export interface WalkOptions {
  readonly kernel: Kernel;
  /** Undefined: the kernel itself. */
  readonly task: Task | undefined;
  readonly actor: Actor;
  /** Where `/` and `..` stop. */
  readonly root: Place;
  readonly start: Place;
  /** Follow a symlink in the last place (always done with a trailing slash). */
  readonly follow: boolean;
  /** RESOLVE bits of openat2. */
  readonly resolve?: number;
  /** O_CREAT: a trailing slash is EISDIR, whatever is there. */
  readonly creates?: boolean;
  /** For changes of names (filename_parentat): the last name is not followed, and a slash after it is the caller's affair. */
  readonly names?: boolean;
}

/** What a walk found. `place` is undefined where only the last name is missing. */
export interface Walked {
  readonly place: Place | undefined;
  /** Directory of the last name; the place itself where the path ends in `/`, `.` or `..`. */
  readonly parent: Place;
  /** Last name, '' where there is none (`/`), or `.` or `..`. */
  readonly name: string;
  /** The path ended in a slash: only a directory will do. */
  readonly slash: boolean;
}

class Walker {
  private readonly options: WalkOptions;
  private readonly resolve: number;
  private links = 0;
  private here: Place;
  private readonly root: Place;

  constructor(options: WalkOptions) {
    this.options = options;
    this.resolve = options.resolve ?? 0;
    this.root = (this.resolve & RESOLVE.IN_ROOT) !== 0 ? options.start : options.root;
    this.here = options.start;
  }

  run(path: string): Walked | number {
    if (path === '') return -E.NOENT;
    const error = this.begin(path);
    return error !== 0 ? error : this.components(path, this.options.follow, true);
  }

  /** An absolute path starts at the root. */
  private begin(path: string): number {
    if (!path.startsWith('/')) return 0;
    if ((this.resolve & RESOLVE.BENEATH) !== 0) return -E.XDEV;
    if ((this.resolve & RESOLVE.NO_XDEV) !== 0 && this.here.mount !== this.root.mount) return -E.XDEV;
    this.here = this.root;
    return 0;
  }

  /** `final`: the end of this path is the end of the whole walk, not of a link in its middle. */
  private components(path: string, follow: boolean, final: boolean): Walked | number {
    const names = path.split('/').filter((part) => part !== '');
    const slash = names.length > 0 && path.endsWith('/');
    if (names.length === 0) return this.ended('', false);
    for (let i = 0; i < names.length - 1; i++) {
      const error = this.step(names[i]);
      if (error !== 0) return error;
    }
    return this.last(names[names.length - 1], { slash, follow: follow || slash, final });
  }

  private ended(name: string, slash: boolean): Walked {
    return { place: this.here, parent: this.here, name, slash };
  }

  /** `here` must be a directory that may be searched. */
  private searchable(): DirectoryInode | number {
    const { inode } = this.here.dentry;
    if (!(inode instanceof DirectoryInode)) return -E.NOTDIR;
    return permission(this.options.actor, inode, MAY.EXEC) || inode;
  }

  private child(directory: DirectoryInode, name: string): Dentry | undefined | number {
    if (name.length > NAME_MAX / 4 && encodeText(name).length > NAME_MAX) return -E.NAMETOOLONG;
    if (this.here.dentry.gone) return undefined;
    const dentry = directory.lookup(this.options, this.here.dentry, name);
    if (dentry === undefined && directory.unknown) missingFromEnvironment(this.options, this.here, name);
    return dentry;
  }

  private up(): number {
    const { here, root } = this;
    if (samePlace(here, root)) return 0;
    if ((this.resolve & RESOLVE.BENEATH) !== 0 && samePlace(here, this.options.start)) return -E.XDEV;
    const above = parentPlace(here);
    if (above === undefined) return 0;
    return this.move(above);
  }

  private move(place: Place): number {
    if ((this.resolve & RESOLVE.NO_XDEV) !== 0 && place.mount !== this.here.mount) return -E.XDEV;
    this.here = place;
    return 0;
  }

  /** One name in the middle of a path: the result is a directory or a symlink to one. */
  private step(name: string): number {
    const directory = this.searchable();
    if (typeof directory === 'number') return directory;
    if (name === '.') return 0;
    if (name === '..') return this.up();
    const dentry = this.child(directory, name);
    if (typeof dentry === 'number') return dentry;
    if (dentry === undefined) return -E.NOENT;
    const place = crossMounts({ mount: this.here.mount, dentry });
    if (!(place.dentry.inode instanceof SymlinkInode)) {
      return place.dentry.inode instanceof DirectoryInode ? this.move(place) : -E.NOTDIR;
    }
    const walked = this.through(directory, place.dentry.inode, false);
    if (typeof walked === 'number') return walked;
    if (walked.place === undefined) return -E.NOENT;
    this.here = walked.place;
    return walked.place.dentry.inode instanceof DirectoryInode ? 0 : -E.NOTDIR;
  }

  private last(
    name: string,
    { slash, follow, final }: { readonly slash: boolean; readonly follow: boolean; readonly final: boolean },
  ): Walked | number {
    const directory = this.searchable();
    if (typeof directory === 'number') return directory;
    if (name === '.') return this.ended(name, slash);
    if (name === '..') return this.up() || this.ended(name, slash);
    if (slash && final && this.options.creates === true) return -E.ISDIR;
    const parent = this.here;
    const dentry = this.child(directory, name);
    if (typeof dentry === 'number') return dentry;
    if (dentry === undefined) return { place: undefined, parent, name, slash };
    const place = crossMounts({ mount: parent.mount, dentry });
    const { inode } = place.dentry;
    if (final && this.options.names === true) return { place, parent, name, slash };
    if (inode instanceof SymlinkInode && follow) {
      const walked = this.through(directory, inode, final);
      if (typeof walked === 'number') return walked;
      if (slash && walked.place !== undefined && walked.place.dentry.inode.type !== S.IFDIR) return -E.NOTDIR;
      return slash ? { ...walked, slash } : walked;
    }
    if (slash && !(inode instanceof DirectoryInode)) return -E.NOTDIR;
    if ((this.resolve & RESOLVE.NO_XDEV) !== 0 && place.mount !== parent.mount) return -E.XDEV;
    return { place, parent, name, slash };
  }

  /** Follows a symlink that lies in `directory`, which is `here`. */
  private through(directory: DirectoryInode, link: SymlinkInode, final: boolean): Walked | number {
    if ((this.resolve & RESOLVE.NO_SYMLINKS) !== 0) return -E.LOOP;
    if (++this.links > MAX_LINKS) return -E.LOOP;
    if (!mayFollow(this.options.actor, directory, link)) return -E.ACCES;
    const target = link.jump(this.options);
    if (typeof target === 'number') return target;
    if (target !== undefined) {
      if ((this.resolve & (RESOLVE.NO_MAGICLINKS | RESOLVE.BENEATH | RESOLVE.IN_ROOT)) !== 0)
        return (this.resolve & RESOLVE.NO_MAGICLINKS) !== 0 ? -E.LOOP : -E.XDEV;
      const error = this.move(target);
      return error !== 0 ? error : this.ended('', false);
    }
    const text = link.readlink(this.options);
    if (typeof text === 'number') return text;
    if (text === '') return -E.NOENT;
    const error = this.begin(text);
    return error !== 0 ? error : this.components(text, true, final);
  }
}

/** A name that a mount of unknown content may have in a deployment. */
function missingFromEnvironment(options: WalkOptions, directory: Place, name: string): void {
  const path = `${placePath(directory)}/${name}`;
  options.kernel.cut({
    kind: 'environment',
    what: path,
    consequence: 'taken as absent',
    exe: options.task?.process.exe ?? '',
    at: undefined,
  });
}

/** A walk's result, or a negative errno. */
export function walk(path: string, options: WalkOptions): Walked | number {
  const { kernel, task } = options;
  if (task !== undefined) kernel.hooks.onPath?.(task, normalizePath(placePath(options.start) ?? '/', path));
  return new Walker(options).run(path);
}

/** `path` made absolute from `base` and normalized as text only: `.`, `..` and empty parts go, symlinks stay. */
export function normalizePath(base: string, path: string): string {
  const out: string[] = [];
  for (const part of `${path.startsWith('/') ? '' : base}/${path}`.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') out.pop();
    else out.push(part);
  }
  return `/${out.join('/')}`;
}
