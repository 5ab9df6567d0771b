// /proc: files of the machine, a directory for each process, /proc/self, /proc/net, /proc/sys.
import { type DirectoryEntry, S } from './abi-file.ts';
import { EpollFile } from './epoll.ts';
import { E } from './errno.ts';
import { EventFile } from './eventfd.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { interfacesOf } from './net-interfaces.ts';
import { PipeFile } from './pipe.ts';
import { IpcListInode } from './procfs-ipc.ts';
import { NETWORK_FILES } from './procfs-net.ts';
import { interfaceCounters } from './procfs-net-counters.ts';
import { PROCESS_FILES, storeProcessFile } from './procfs-process.ts';
import { sysctlTree } from './procfs-sysctl.ts';
import { SYSTEM_FILES } from './procfs-system.ts';
import { Socket } from './socket.ts';
import { visiblePath } from './sys-file-stat.ts';
import type { Process, Task } from './task.ts';
import {
  Dentry,
  DirectoryInode,
  Inode,
  type Looker,
  type Opening,
  type Place,
  type Superblock,
  SymlinkInode,
} from './vfs-inode.ts';
import { actorOf, capable } from './vfs-permission.ts';
import { type DirectoryFile, openDirectory, PlacedFile } from './vfs-placed.ts';
import { fillDirectory, GeneratedInode, StaticDirectory } from './vfs-pseudo.ts';

/** Inode numbers of what belongs to a thread: far from those of fixed entries, the same on every lookup. */
const inoOf = (tid: number, slot: number): number => 2 ** 33 + tid * 8192 + slot;

class SystemFile extends GeneratedInode {
  private readonly key: string;
  private readonly table: 'system' | 'network';
  constructor(superblock: Superblock, key: string, table: 'system' | 'network') {
    super(superblock, 0o444);
    this.key = key;
    this.table = table;
  }
  content(kernel: Kernel): string {
    return (this.table === 'system' ? SYSTEM_FILES : NETWORK_FILES)[this.key](kernel);
  }
}

/** Which thread a directory or file is about. `tid` is undefined in /proc/PID itself, which is about the leader. */
interface Subject {
  readonly pid: number;
  readonly tid: number | undefined;
}

function processOf(kernel: Kernel, { pid }: Subject): Process | undefined {
  return kernel.processes.get(pid);
}
function taskOf(process: Process, { pid, tid }: Subject): Task | undefined {
  for (const task of process.tasks) if (task.tid === (tid ?? pid)) return task;
  return process.tasks.values().next().value;
}

/** PTRACE_MODE_READ: same user and no more capabilities, or CAP_SYS_PTRACE. */
function mayInspect(looker: Looker, process: Process): boolean {
  const { task } = looker;
  if (task === undefined || task.process === process) return true;
  const { credentials } = process;
  const own = task.process.credentials;
  if (capable(actorOf(task), 19)) return true;
  const same =
    [credentials.uid, credentials.euid, credentials.suid].every((uid) => uid === own.fsuid) &&
    [credentials.gid, credentials.egid, credentials.sgid].every((gid) => gid === own.fsgid);
  return same && process.dumpable === 1 && (credentials.permitted & ~own.effective) === 0n;
}

/** Owner of /proc/PID entries: the process's, or root where it may not be dumped. */
function own<T extends Inode>(inode: T, process: Process): T {
  if (process.dumpable !== 1) return inode;
  inode.uid = process.credentials.euid;
  inode.gid = process.credentials.egid;
  return inode;
}

class ProcessFile extends GeneratedInode {
  private readonly subject: Subject;
  private readonly key: string;
  constructor(superblock: Superblock, subject: Subject, key: string, slot: number) {
    super(
      superblock,
      PROCESS_FILES[key][0],
      inoOf(subject.tid ?? subject.pid, (subject.tid === undefined ? 0 : 256) + slot),
    );
    this.subject = subject;
    this.key = key;
  }
  content(kernel: Kernel, reader: Task): string | Uint8Array | number {
    const process = processOf(kernel, this.subject);
    if (process === undefined) return -E.SRCH;
    return PROCESS_FILES[this.key][1](kernel, process, taskOf(process, this.subject), reader);
  }
  override store(kernel: Kernel, _writer: Task, text: string): number {
    const process = processOf(kernel, this.subject);
    return process === undefined
      ? -E.SRCH
      : storeProcessFile(this.key, process, taskOf(process, this.subject), text);
  }
}

/** attr/current and so on: no security module runs. */
class AttributeFile extends GeneratedInode {
  content(): number {
    return -E.INVAL;
  }
  override store(): number {
    return -E.INVAL;
  }
}

type LinkKind = 'exe' | 'cwd' | 'root';

class ProcessLink extends SymlinkInode {
  private readonly subject: Subject;
  private readonly kind: LinkKind;
  constructor(superblock: Superblock, subject: Subject, kind: LinkKind, slot: number) {
    super(superblock, S.IFLNK | 0o777, inoOf(subject.tid ?? subject.pid, 512 + slot));
    this.subject = subject;
    this.kind = kind;
  }
  override jump(looker: Looker): Place | number {
    const { kernel } = looker;
    const process = processOf(kernel, this.subject);
    if (process === undefined || process.exitStatus !== undefined) return -E.NOENT;
    if (!mayInspect(looker, process)) return -E.ACCES;
    const { cwd, cwdPlace, root } = process.fs;
    if (this.kind === 'cwd') return cwdPlace ?? kernel.vfs.internal(kernel, cwd) ?? -E.NOENT;
    return kernel.vfs.internal(kernel, this.kind === 'exe' ? process.exe : root) ?? -E.NOENT;
  }
  readlink(looker: Looker): string | number {
    const place = this.jump(looker);
    const process = processOf(looker.kernel, this.subject);
    if (typeof place !== 'number') return visiblePath(looker.kernel, looker.task, place);
    return this.kind === 'exe' && place === -E.NOENT && process?.exe ? `${process.exe} (deleted)` : place;
  }
}

/** Text of /proc/PID/fd/N. */
function linkText(looker: Looker, file: OpenFile): string {
  if (file instanceof PlacedFile) return visiblePath(looker.kernel, looker.task, file.place);
  if (file instanceof PipeFile)
    return file.fifo === undefined ? `pipe:[${file.pipe.ino}]` : (file.name ?? '');
  if (file instanceof Socket) return `socket:[${file.ino}]`;
  const resource = file.resource();
  const name = resource.kind === 'file' ? resource.path : '';
  return name.startsWith('anon:') ? `anon_inode:${name.slice(5)}` : `anon_inode:[${name}]`;
}

/** What a pipe's descriptor is opened through: the same pipe again. Other files without a path can't be opened. */
class ReopenInode extends Inode {
  private readonly file: OpenFile;
  constructor(superblock: Superblock, file: OpenFile, uid: number) {
    super(superblock, file.identity().mode, file.identity().ino);
    this.file = file;
    this.uid = uid;
    if (this.type === 0) this.mode |= S.IFSOCK;
  }
  open(opening: Opening): OpenFile | number {
    const { file } = this;
    return file instanceof PipeFile
      ? new PipeFile(file.pipe, opening.flags, { name: opening.name, inode: file.fifo })
      : -E.NXIO;
  }
}

class DescriptorLink extends SymlinkInode {
  private readonly subject: Subject;
  private readonly fd: number;
  constructor(superblock: Superblock, subject: Subject, fd: number, mode: number) {
    super(superblock, S.IFLNK | mode, inoOf(subject.tid ?? subject.pid, 2048 + fd));
    this.subject = subject;
    this.fd = fd;
  }
  private file(looker: Looker): OpenFile | number {
    const process = processOf(looker.kernel, this.subject);
    if (process !== undefined && !mayInspect(looker, process)) return -E.ACCES;
    return process?.files.get(this.fd) ?? -E.NOENT;
  }
  override jump(looker: Looker): Place | number {
    const file = this.file(looker);
    if (typeof file === 'number') return file;
    if (file instanceof PlacedFile) return file.place;
    const { kernel, task } = looker;
    const inode = new ReopenInode(this.superblock, file, task?.process.credentials.fsuid ?? 0);
    return { mount: kernel.vfs.root.mount, dentry: new Dentry(linkText(looker, file), undefined, inode) };
  }
  readlink(looker: Looker): string | number {
    const file = this.file(looker);
    return typeof file === 'number' ? file : linkText(looker, file);
  }
}

class DescriptorInfo extends GeneratedInode {
  private readonly subject: Subject;
  private readonly fd: number;
  constructor(superblock: Superblock, subject: Subject, fd: number) {
    super(superblock, 0o444, inoOf(subject.tid ?? subject.pid, 5120 + fd));
    this.subject = subject;
    this.fd = fd;
  }
  content(kernel: Kernel): string | number {
    const slot = processOf(kernel, this.subject)?.files.slots[this.fd];
    if (slot === undefined) return -E.NOENT;
    const { file, cloexec } = slot;
    const mount = file instanceof PlacedFile ? file.place.mount.id : 15;
    const ino = file instanceof PlacedFile ? file.inode.ino : file.identity().ino;
    const flags = (file.flags | (cloexec ? 0o2000000 : 0)).toString(8);
    let text = `pos:\t${file.position}\nflags:\t0${flags}\nmnt_id:\t${mount}\nino:\t${ino}\n`;
    if (file instanceof EventFile) text += `eventfd-count: ${file.count.toString(16).padStart(16)}\n`;
    if (file instanceof EpollFile) {
      for (const item of file.describe()) {
        text += `tfd: ${String(item.fd).padStart(8)} events: ${item.events.toString(16).padStart(8)} data: ${item.data.toString(16).padStart(16)}  pos:0 ino:${item.file.identity().ino.toString(16)} sdev:8\n`;
      }
    }
    return text;
  }
}

/** A directory whose entries are made when they are looked up. */
abstract class LiveDirectory extends DirectoryInode {
  readonly subject: Subject;
  constructor(superblock: Superblock, subject: Subject, mode: number, slot: number) {
    super(superblock, S.IFDIR | mode, inoOf(subject.tid ?? subject.pid, slot));
    this.subject = subject;
    this.nlink = 2;
  }
  /** Names that exist now, with the type of their inode. */
  protected abstract names(looker: Looker, process: Process): Iterable<readonly [name: string, type: number]>;
  protected abstract make(looker: Looker, process: Process, name: string): Inode | undefined;

  open(opening: Opening): DirectoryFile | number {
    return openDirectory(opening);
  }
  lookup(looker: Looker, self: Dentry, name: string): Dentry | undefined {
    const process = processOf(looker.kernel, this.subject);
    const inode = process === undefined ? undefined : this.make(looker, process, name);
    return inode === undefined || process === undefined
      ? undefined
      : new Dentry(name, self, own(inode, process));
  }
  list(looker: Looker): DirectoryEntry[] {
    const process = processOf(looker.kernel, this.subject);
    if (process === undefined) return [];
    return [...this.names(looker, process)].map(([name, mode]) => ({
      name,
      mode,
      ino: this.make(looker, process, name)?.ino ?? 1,
    }));
  }
}

/** fd and fdinfo. */
class DescriptorDirectory extends LiveDirectory {
  private readonly info: boolean;
  constructor(superblock: Superblock, subject: Subject, info: boolean) {
    super(superblock, subject, info ? 0o555 : 0o500, info ? 601 : 600);
    this.info = info;
  }
  protected *names(_looker: Looker, process: Process): Generator<readonly [string, number]> {
    for (const [fd, slot] of process.files.slots.entries())
      if (slot !== undefined) yield [String(fd), this.info ? S.IFREG : S.IFLNK];
  }
  protected make(_looker: Looker, process: Process, name: string): Inode | undefined {
    const fd = Number(name);
    const file = /^(0|[1-9]\d*)$/.test(name) ? process.files.get(fd) : undefined;
    if (file === undefined) return undefined;
    if (this.info) return new DescriptorInfo(this.superblock, this.subject, fd);
    const access = file.flags & 3;
    return new DescriptorLink(
      this.superblock,
      this.subject,
      fd,
      0o100 | (access === 1 ? 0o200 : access === 0 ? 0o400 : 0o600),
    );
  }
}

class TaskDirectory extends LiveDirectory {
  constructor(superblock: Superblock, subject: Subject) {
    super(superblock, subject, 0o555, 602);
  }
  protected *names(_looker: Looker, process: Process): Generator<readonly [string, number]> {
    for (const { tid } of process.tasks) yield [String(tid), S.IFDIR];
  }
  protected make(_looker: Looker, process: Process, name: string): Inode | undefined {
    const task = [...process.tasks].find(({ tid }) => String(tid) === name);
    return task === undefined
      ? undefined
      : new ProcessDirectory(this.superblock, { pid: process.pid, tid: task.tid });
  }
}

/** attr, ns, net: names without anything that depends on the process. */
class SmallDirectory extends LiveDirectory {
  private readonly kind: 'attr' | 'ns' | 'net';
  constructor(superblock: Superblock, subject: Subject, kind: 'attr' | 'ns' | 'net') {
    super(superblock, subject, kind === 'ns' ? 0o511 : 0o555, { attr: 603, ns: 604, net: 605 }[kind]);
    this.kind = kind;
  }
  protected *names(): Generator<readonly [string, number]> {
    for (const name of SMALL[this.kind])
      yield [name, this.kind === 'ns' ? S.IFLNK : name === COUNTERS ? S.IFDIR : S.IFREG];
  }
  protected make(_looker: Looker, _process: Process, name: string): Inode | undefined {
    const slot = SMALL[this.kind].indexOf(name);
    if (slot < 0) return undefined;
    if (name === COUNTERS) return new InterfaceDirectory(this.superblock, this.subject);
    if (this.kind === 'net') return new SystemFile(this.superblock, name, 'network');
    if (this.kind === 'attr')
      return new AttributeFile(this.superblock, 0o666, inoOf(this.subject.pid, 700 + slot));
    return new NamespaceLink(this.superblock, name, slot);
  }
}
/** Directory of /proc/net with a file an interface. */
const COUNTERS = 'dev_snmp6';

class InterfaceDirectory extends LiveDirectory {
  constructor(superblock: Superblock, subject: Subject) {
    super(superblock, subject, 0o555, 606);
  }
  protected *names({ kernel }: Looker): Generator<readonly [string, number]> {
    for (const { name } of interfacesOf(kernel)) yield [name, S.IFREG];
  }
  protected make({ kernel }: Looker, _process: Process, name: string): Inode | undefined {
    return interfacesOf(kernel).some((each) => each.name === name)
      ? new InterfaceFile(this.superblock, name)
      : undefined;
  }
}

class InterfaceFile extends GeneratedInode {
  private readonly name: string;
  constructor(superblock: Superblock, name: string) {
    super(superblock, 0o444);
    this.name = name;
  }
  content(kernel: Kernel): string {
    return interfaceCounters(kernel, this.name);
  }
}

const SMALL: Readonly<Record<'attr' | 'ns' | 'net', readonly string[]>> = {
  attr: ['current', 'prev', 'exec', 'fscreate', 'keycreate', 'sockcreate'],
  ns: ['net', 'uts', 'ipc', 'pid', 'pid_for_children', 'user', 'mnt', 'cgroup', 'time', 'time_for_children'],
  net: [...Object.keys(NETWORK_FILES), COUNTERS],
};

class NamespaceLink extends SymlinkInode {
  private readonly name: string;
  constructor(superblock: Superblock, name: string, slot: number) {
    super(superblock, S.IFLNK | 0o777, 4026532000 + slot);
    this.name = name.replace('_for_children', '');
  }
  readlink(): string {
    const slot = SMALL.ns.indexOf(this.name);
    return `${this.name}:[${4026532000 + slot}]`;
  }
  override jump(looker: Looker): Place {
    const inode = new NamespaceInode(this.superblock, 0o444, this.ino);
    return { mount: looker.kernel.vfs.root.mount, dentry: new Dentry(this.readlink(), undefined, inode) };
  }
}
/** Can be opened and compared, not read. */
class NamespaceInode extends GeneratedInode {
  content(): number {
    return -E.INVAL;
  }
}

const LINKS: readonly LinkKind[] = ['cwd', 'root', 'exe'];

/** /proc/PID and /proc/PID/task/TID. */
class ProcessDirectory extends LiveDirectory {
  constructor(superblock: Superblock, subject: Subject) {
    super(superblock, subject, 0o555, subject.tid === undefined ? 0 : 256);
  }
  protected *names(): Generator<readonly [string, number]> {
    if (this.subject.tid === undefined) yield ['task', S.IFDIR];
    for (const name of ['fd', 'fdinfo', 'ns', 'net', 'attr']) yield [name, S.IFDIR];
    for (const name of LINKS) yield [name, S.IFLNK];
    for (const name of Object.keys(PROCESS_FILES)) if (this.has(name)) yield [name, S.IFREG];
  }
  private has(name: string): boolean {
    return name !== 'children' || this.subject.tid !== undefined;
  }
  protected make(_looker: Looker, _process: Process, name: string): Inode | undefined {
    const { superblock, subject } = this;
    switch (name) {
      case 'task':
        return subject.tid === undefined ? new TaskDirectory(superblock, subject) : undefined;
      case 'fd':
      case 'fdinfo':
        return new DescriptorDirectory(superblock, subject, name === 'fdinfo');
      case 'attr':
      case 'ns':
      case 'net':
        return new SmallDirectory(superblock, subject, name);
      case 'cwd':
      case 'root':
      case 'exe':
        return new ProcessLink(superblock, subject, name, LINKS.indexOf(name));
      default: {
        const slot = Object.keys(PROCESS_FILES).indexOf(name);
        return slot < 0 || !this.has(name) ? undefined : new ProcessFile(superblock, subject, name, slot + 1);
      }
    }
  }
}

/** self and thread-self. */
class SelfLink extends SymlinkInode {
  private readonly thread: boolean;
  constructor(superblock: Superblock, thread: boolean) {
    super(superblock, S.IFLNK | 0o777);
    this.thread = thread;
  }
  readlink({ task }: Looker): string | number {
    if (task === undefined) return -E.NOENT;
    const { pid } = task.process;
    return this.thread ? `${pid}/task/${task.tid}` : String(pid);
  }
}

class ProcRoot extends StaticDirectory {
  override lookup(looker: Looker, self: Dentry, name: string): Dentry | undefined {
    const fixed = super.lookup(looker, self, name);
    if (fixed !== undefined || !/^[1-9]\d*$/.test(name)) return fixed;
    const id = Number(name);
    const process = looker.kernel.processes.get(id) ?? looker.kernel.tasks.get(id)?.process;
    if (process === undefined) return undefined;
    const subject = { pid: process.pid, tid: process.pid === id ? undefined : id };
    return new Dentry(name, self, own(new ProcessDirectory(this.superblock, subject), process));
  }
  override list(looker: Looker, self: Dentry): DirectoryEntry[] {
    const processes = [...looker.kernel.processes.keys()].map((pid) => ({
      name: String(pid),
      ino: inoOf(pid, 0),
      mode: S.IFDIR,
    }));
    return [...super.list(looker, self), ...processes];
  }
}

/** The root of a proc file system. */
export function createProc(superblock: Superblock): Dentry {
  const root = new ProcRoot(superblock, 0o555, 1);
  const self = new Dentry('', undefined, root);
  const system = Object.fromEntries(
    Object.keys(SYSTEM_FILES).map((key) => [key, new SystemFile(superblock, key, 'system')]),
  );
  const empty = {};
  fillDirectory(self, {
    self: new SelfLink(superblock, false),
    'thread-self': new SelfLink(superblock, true),
    mounts: '-> self/mounts',
    net: '-> self/net',
    ...system,
    sys: sysctlTree(superblock),
    sysvipc: {
      shm: new IpcListInode(superblock, 'shm'),
      sem: new IpcListInode(superblock, 'sem'),
      msg: new IpcListInode(superblock, 'msg'),
    },
    pressure: { cpu: PRESSURE, memory: PRESSURE, io: PRESSURE },
    // Covered by the runtime's masks.
    acpi: empty,
    bus: empty,
    fs: empty,
    irq: empty,
    scsi: empty,
    driver: empty,
    tty: empty,
    kcore: '',
    keys: '',
    latency_stats: '',
    timer_list: '',
    'sysrq-trigger': '',
    'key-users': '',
    kallsyms: '',
    kmsg: '',
  });
  return self;
}
const PRESSURE =
  'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n';
