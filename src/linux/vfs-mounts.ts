// What a container runtime mounts: the root, /proc, /dev, /dev/pts, /dev/shm, /dev/mqueue, /sys, the three files in
// /etc that it writes, and what the deployment asks for (runc's default configuration, Docker's additions).
import { encodeText } from '../bytes/index.ts';
import type { Node } from '../image/index.ts';
import { S } from './abi-file.ts';
import { DeviceInode, STANDARD_DEVICES, STANDARD_LINKS } from './devfs.ts';
import type { EnvironmentValues } from './events.ts';
import { createProc } from './procfs.ts';
import { createCgroup, createSys } from './sysfs.ts';
import type { VfsOptions } from './vfs.ts';
import { RegularInode } from './vfs-file.ts';
import {
  type Clock,
  crossMounts,
  Dentry,
  DirectoryInode,
  type Inode,
  Mount,
  type MountFlags,
  type Place,
  realTime,
  Superblock,
} from './vfs-inode.ts';
import { StoredSuperblock, StoredSymlink, TreeDirectory, wrapNode } from './vfs-tree.ts';

/** A mount that a deployment adds. */
export interface MountSpec {
  /** Absolute path in the container; made where the image lacks it. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly content:
    | { readonly kind: 'tmpfs'; readonly size?: number; readonly mode?: number }
    /** Known content: a file or directory of a tree. */
    | { readonly kind: 'node'; readonly node: Node }
    /** The environment's: an empty directory (or file) of which every miss is a cut. */
    | {
        readonly kind: 'unknown';
        readonly file: boolean;
        readonly uid?: number;
        readonly gid?: number;
        readonly mode?: number;
      };
}

/** What of an earlier run's files is there again. */
export interface KeptFiles {
  /** The root directory, where the container is the same. */
  readonly root: Dentry | undefined;
  /** By target: of the mounts that the deployment adds. */
  readonly mounts: ReadonlyMap<string, Dentry>;
  /** By path: directories of the old container that are mounted into the new one. */
  readonly volumes: ReadonlyMap<string, Dentry>;
}

const MAGIC = {
  overlay: 0x794c7630,
  tmpfs: 0x01021994,
  proc: 0x9fa0,
  sysfs: 0x62656572,
  devpts: 0x1cd1,
  mqueue: 0x19800202,
  ext4: 0xef53,
  cgroup2: 0x63677270,
} as const;
type FileSystemType = keyof typeof MAGIC;

const PLAIN: MountFlags = { readOnly: false, nosuid: false, nodev: false, noexec: false, relatime: true };
const STRICT: MountFlags = { readOnly: false, nosuid: true, nodev: true, noexec: true, relatime: true };
const SHM_SIZE = 64 * 2 ** 20;

class Builder {
  readonly clock: Clock;
  readonly mounts: Mount[] = [];
  root!: Place;
  private nextMinor = 40;

  constructor(environment: EnvironmentValues) {
    this.clock = { environment, now: 0n };
  }

  superblock(
    type: FileSystemType,
    options: { readonly capacity?: number; readonly firstIno?: number } = {},
  ): StoredSuperblock {
    return new StoredSuperblock(type, this.takeMinor(), { magic: MAGIC[type], ...options });
  }

  takeMinor(): number {
    return this.nextMinor++;
  }

  stamp<T extends Inode>(inode: T): T {
    inode.atime = inode.mtime = inode.ctime = inode.btime = realTime(this.clock);
    return inode;
  }

  directory(superblock: StoredSuperblock, mode: number): TreeDirectory {
    return this.stamp(new TreeDirectory(superblock, mode));
  }

  add(parent: Dentry, name: string, inode: Inode): Dentry {
    const dentry = new Dentry(name, parent, inode);
    (parent.inode as TreeDirectory).insert(this.clock, dentry);
    return dentry;
  }

  /** The place at a path, with directories (and at the end a file, where `file`) made as a runtime does. */
  reach(path: string, file = false, links = 0): Place {
    let here = crossMounts(this.root);
    const names = path.split('/').filter((part) => part !== '' && part !== '.');
    for (let i = 0; i < names.length; i++) {
      const directory = here.dentry.inode as DirectoryInode;
      const known = directory.lookup({ kernel: undefined as never, task: undefined }, here.dentry, names[i]);
      const last = i === names.length - 1;
      if (known === undefined) {
        const superblock = directory.superblock as StoredSuperblock;
        const made =
          last && file ? this.stamp(new RegularInode(superblock, 0o755)) : this.directory(superblock, 0o755);
        here = { mount: here.mount, dentry: this.add(here.dentry, names[i], made) };
        continue;
      }
      if (known.inode instanceof StoredSymlink && links < 40) {
        const base = names.slice(0, i).join('/');
        const text = known.inode.target.startsWith('/')
          ? known.inode.target
          : `${base}/${known.inode.target}`;
        return this.reach([resolveDots(text), ...names.slice(i + 1)].join('/'), file, links + 1);
      }
      here = crossMounts({ mount: here.mount, dentry: known });
      if (!last && !(here.dentry.inode instanceof DirectoryInode)) return here;
    }
    return here;
  }

  mount(
    path: string,
    root: Dentry,
    flags: MountFlags,
    column: { readonly source: string; readonly options: string; readonly within?: string },
  ): Mount {
    const at =
      this.mounts.length === 0 ? undefined : this.reach(path, !(root.inode instanceof DirectoryInode));
    const mount = new Mount(this.mounts.length + 100, at, {
      root,
      superblock: root.inode.superblock,
      flags,
      ...column,
    });
    if (at !== undefined) {
      at.dentry.mounted ??= [];
      at.dentry.mounted.push(mount);
    }
    this.mounts.push(mount);
    return mount;
  }

  tmpfs(
    path: string,
    flags: MountFlags,
    options: { readonly source: string; readonly mode: number; readonly size: number; readonly text: string },
  ): Dentry {
    const superblock = this.superblock('tmpfs', { capacity: options.size });
    const root = new Dentry('', undefined, this.directory(superblock, options.mode));
    this.mount(path, root, flags, { source: options.source, options: options.text });
    return root;
  }

  file(superblock: StoredSuperblock, text: string): Dentry {
    const inode = this.stamp(new RegularInode(superblock, 0o644));
    inode.data.write(0, encodeText(text));
    return new Dentry('', undefined, inode);
  }
}

function resolveDots(path: string): string {
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') out.pop();
    else if (part !== '' && part !== '.') out.push(part);
  }
  return out.join('/');
}

export function buildMounts(options: VfsOptions): {
  readonly root: Place;
  readonly mounts: Mount[];
  readonly anonymous: StoredSuperblock;
} {
  const builder = new Builder(options.environment);
  const overlay = builder.superblock('overlay', { firstIno: 2 ** 32 });
  const top = options.kept?.root ?? new Dentry('', undefined, wrapNode(overlay, options.tree.root));
  const rootFlags = { ...PLAIN, readOnly: options.readOnlyRoot ?? false };
  const mount = builder.mount('/', top, rootFlags, {
    source: 'overlay',
    options: 'lowerdir=/l,upperdir=/u,workdir=/w',
  });
  builder.root = { mount, dentry: top };
  mountProc(builder);
  mountDev(builder);
  mountSys(builder, options.environment);
  coverProc(builder);
  mountEtc(builder, options.environment);
  for (const spec of options.mounts ?? []) mountSpec(builder, spec, options.kept?.mounts.get(spec.target));
  for (const [path, root] of options.kept?.volumes ?? []) {
    const within = `/var/lib/containers/volumes${path}`;
    builder.mount(path, root, PLAIN, { source: '/dev/vda1', options: '', within });
  }
  return { root: builder.root, mounts: builder.mounts, anonymous: builder.superblock('tmpfs') };
}

function mountProc(builder: Builder): void {
  const superblock = new Superblock('proc', builder.takeMinor(), { magic: MAGIC.proc, firstIno: 4026531840 });
  builder.mount('/proc', createProc(superblock), STRICT, { source: 'proc', options: '' });
}

/** What runtimes hide of /proc and /sys or make read-only. */
function coverProc(builder: Builder): void {
  for (const path of ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']) {
    const { dentry } = builder.reach(path);
    builder.mount(
      path,
      dentry,
      { ...STRICT, readOnly: true },
      { source: 'proc', options: '', within: path.slice(5) },
    );
  }
  for (const path of ['/proc/acpi', '/proc/scsi', '/sys/firmware']) {
    builder.tmpfs(
      path,
      { ...PLAIN, readOnly: true },
      { source: 'tmpfs', mode: 0o755, size: 0, text: 'inode64' },
    );
  }
  const nothing = builder.reach('/dev/null').dentry;
  for (const path of ['/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list']) {
    builder.mount(
      path,
      nothing,
      { ...PLAIN, nosuid: true },
      { source: 'tmpfs', options: 'size=65536k,mode=755,inode64', within: '/null' },
    );
  }
}

function mountSys(builder: Builder, environment: EnvironmentValues): void {
  const readOnly = { ...STRICT, readOnly: true };
  const sys = new Superblock('sysfs', builder.takeMinor(), { magic: MAGIC.sysfs });
  builder.mount('/sys', createSys(sys, environment), readOnly, { source: 'sysfs', options: '' });
  const cgroup = new Superblock('cgroup2', builder.takeMinor(), { magic: MAGIC.cgroup2 });
  builder.mount('/sys/fs/cgroup', createCgroup(cgroup), readOnly, {
    source: 'cgroup',
    options: 'nsdelegate',
  });
}

function mountDev(builder: Builder): void {
  const dev = builder.tmpfs(
    '/dev',
    { ...PLAIN, nosuid: true, relatime: false },
    { source: 'tmpfs', mode: 0o755, size: SHM_SIZE, text: 'size=65536k,mode=755,inode64' },
  );
  const superblock = dev.inode.superblock as StoredSuperblock;
  for (const [name, mode, major, minor] of STANDARD_DEVICES)
    builder.add(dev, name, builder.stamp(new DeviceInode(superblock, mode, { major, minor })));
  for (const [name, target] of STANDARD_LINKS)
    builder.add(dev, name, builder.stamp(new StoredSymlink(superblock, target)));
  const pts = builder.superblock('devpts');
  const ptsRoot = new Dentry('', undefined, builder.directory(pts, 0o755));
  builder.add(ptsRoot, 'ptmx', builder.stamp(new DeviceInode(pts, S.IFCHR | 0o666, { major: 5, minor: 2 })));
  builder.mount(
    '/dev/pts',
    ptsRoot,
    { ...STRICT, nodev: false },
    { source: 'devpts', options: 'gid=5,mode=620,ptmxmode=666' },
  );
  const mqueue = new Dentry('', undefined, builder.directory(builder.superblock('mqueue'), 0o1777));
  builder.mount('/dev/mqueue', mqueue, STRICT, { source: 'mqueue', options: '' });
  builder.tmpfs('/dev/shm', STRICT, {
    source: 'shm',
    mode: 0o1777,
    size: SHM_SIZE,
    text: 'size=65536k,inode64',
  });
}

/** The three files that a runtime writes on the host and binds into the container. */
function mountEtc(builder: Builder, environment: EnvironmentValues): void {
  const superblock = builder.superblock('ext4');
  const hosts = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    `${environment.address}\t${environment.hostName}`,
    '',
  ].join('\n');
  const column = (name: string) => ({
    source: '/dev/vda1',
    options: '',
    within: `/var/lib/containers/${name}`,
  });
  builder.mount(
    '/etc/resolv.conf',
    builder.file(superblock, environment.nameserver === '' ? '' : `nameserver ${environment.nameserver}\n`),
    PLAIN,
    column('resolv.conf'),
  );
  builder.mount(
    '/etc/hostname',
    builder.file(superblock, `${environment.hostName}\n`),
    PLAIN,
    column('hostname'),
  );
  builder.mount('/etc/hosts', builder.file(superblock, hosts), PLAIN, column('hosts'));
}

function mountSpec(builder: Builder, spec: MountSpec, kept: Dentry | undefined): void {
  const { content, target, readOnly } = spec;
  if (content.kind === 'tmpfs') {
    const size = content.size ?? 2 ** 33;
    builder.tmpfs(
      target,
      { ...STRICT, readOnly },
      { source: 'tmpfs', mode: content.mode ?? 0o1777, size, text: `size=${size / 1024}k` },
    );
    return;
  }
  const column = { source: '/dev/vda1', options: '', within: `/var/lib/containers/volumes${target}` };
  if (kept !== undefined) {
    builder.mount(target, kept, { ...PLAIN, readOnly }, column);
    return;
  }
  const superblock = builder.superblock('ext4');
  let inode: Inode;
  if (content.kind === 'node') {
    inode = wrapNode(superblock, content.node);
  } else {
    inode = builder.stamp(
      content.file
        ? new RegularInode(superblock, content.mode ?? 0o644)
        : new TreeDirectory(superblock, content.mode ?? 0o755, { unknown: true }),
    );
    inode.uid = content.uid ?? 0;
    inode.gid = content.gid ?? 0;
  }
  builder.mount(target, new Dentry('', undefined, inode), { ...PLAIN, readOnly }, column);
}
