// A kernel with one task and no program: system calls are made by name, with arguments put into guest memory.
import { encodeText } from '../../src/bytes/index.ts';
import { type Tree, treeBuilder } from '../../src/image/index.ts';
import { catalogue } from '../../src/linux/catalogue.ts';
import type { Cut, EffectEvent, EnvironmentValues } from '../../src/linux/events.ts';
import { DescriptorTable } from '../../src/linux/file.ts';
import { Kernel } from '../../src/linux/kernel.ts';
import { Net } from '../../src/linux/net.ts';
import { share } from '../../src/linux/shared.ts';
import { defaultActions } from '../../src/linux/signals.ts';
import { SysArgs } from '../../src/linux/syscall.ts';
import { syscallTable } from '../../src/linux/table.ts';
import { Process, Task } from '../../src/linux/task.ts';
import { createVfs, type MountSpec } from '../../src/linux/vfs.ts';
import type { TreeDirectory } from '../../src/linux/vfs-tree.ts';
import { type SysResult, WaitQueue } from '../../src/linux/wait.ts';
import { createMemory, createReferenceEngine, createRegisters, PROT } from '../../src/machine/index.ts';

export const environment: EnvironmentValues = {
  time: 1_700_000_000_000_000_000n,
  hostName: 'box',
  firstPid: 7,
  seed: 1,
  cpus: 2,
  memory: 2 ** 31,
  kernelRelease: '6.1.0-18-amd64',
  address: '172.17.0.2',
  gateway: '172.17.0.1',
  nameserver: '172.17.0.1',
  clientAddress: '172.17.0.9',
  clientPort: 40000,
  uptime: 1000n * 1_000_000_000n,
  bootId: '6c8b4567-327b-23c6-643c-986966334873',
};

export type Argument = number | bigint | string | Uint8Array;

const SCRATCH = 0x10000000;
const SCRATCH_SIZE = 1 << 24;
const CAPABILITIES = 0x00000000a80425fbn;

const numbers = new Map(catalogue.map(({ name, nr }) => [name, nr]));

export interface BoxOptions {
  readonly tree?: Tree;
  readonly mounts?: readonly MountSpec[];
  readonly readOnlyRoot?: boolean;
  /** Only the tree: no mounts of a runtime over it. */
  readonly bare?: boolean;
  /** Values other than those above. */
  readonly environment?: Partial<EnvironmentValues>;
}

export class Box {
  readonly kernel: Kernel;
  readonly effects: EffectEvent[] = [];
  readonly cuts: Cut[] = [];
  task: Task;
  private next = SCRATCH;

  constructor(options: BoxOptions = {}) {
    const memory = createMemory();
    const tree = options.tree ?? smallTree();
    const values = { ...environment, ...options.environment };
    this.kernel = new Kernel({
      environment: share(values),
      machine: share({ engine: createReferenceEngine(), memory }),
      layout: share({ program: 0x555555554000, mmapTop: 0x7ffff7fff000, stackTop: 0x7ffffffff000 }),
      hooks: { onEffect: (event) => this.effects.push(event), onCut: (cut) => this.cuts.push(cut) },
      vfs: createVfs({
        tree,
        environment: values,
        mounts: options.mounts ?? [],
        readOnlyRoot: options.readOnlyRoot ?? false,
      }),
      net: new Net(values),
      syscalls: share(syscallTable),
    });
    const streams = this.kernel.vfs.stdStreams(this.kernel);
    if (options.bare === true) uncover(this.kernel);
    this.task = this.spawn(1);
    const { files } = this.task.process;
    streams.forEach((file, fd) => {
      this.kernel.streams.push(file);
      files.put(fd, file, false);
    });
  }

  /** Another process (its own memory and descriptors), which shares nothing but the kernel. */
  spawn(pid: number, parent?: Task): Task {
    const space = this.kernel.machine.memory.createAddressSpace();
    space.map({ address: SCRATCH, length: SCRATCH_SIZE, prot: PROT.READ | PROT.WRITE });
    const files = new DescriptorTable();
    parent?.process.files.slots.forEach((slot, fd) => {
      if (slot !== undefined) files.put(fd, slot.file, slot.cloexec);
    });
    const process = new Process(pid, {
      space,
      files,
      fs: { cwd: '/', root: '/', umask: 0o22, references: 1 },
      credentials: {
        uid: 0,
        euid: 0,
        suid: 0,
        fsuid: 0,
        gid: 0,
        egid: 0,
        sgid: 0,
        fsgid: 0,
        groups: [0],
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
        inheritable: 0n,
        bounding: CAPABILITIES,
        ambient: 0n,
        noNewPrivileges: false,
        securebits: 0,
      },
      actions: defaultActions(),
      childQueue: new WaitQueue(),
      exitQueue: new WaitQueue(),
      signalQueue: new WaitQueue(),
      pgid: pid,
      sid: pid,
      startTime: 0n,
    });
    process.exe = '/bin/test';
    process.rlimits = Array.from({ length: 16 }, () => [2n ** 64n - 1n, 2n ** 64n - 1n]);
    process.rlimits[7] = [1024n, 1048576n];
    const task = new Task(pid, process, createRegisters());
    process.tasks.add(task);
    this.kernel.processes.set(pid, process);
    this.kernel.tasks.set(pid, task);
    return task;
  }

  /** Runs as this identity without capabilities. */
  become(uid: number, gid: number, groups: number[] = []): void {
    Object.assign(this.task.process.credentials, {
      uid,
      euid: uid,
      suid: uid,
      fsuid: uid,
      gid,
      egid: gid,
      sgid: gid,
      fsgid: gid,
      groups,
      effective: 0n,
      permitted: 0n,
    });
  }

  /** Address of fresh memory. */
  buffer(size: number): number {
    const at = this.next;
    this.next += (size + 15) & ~15;
    if (this.next > SCRATCH + SCRATCH_SIZE) throw new Error('scratch memory is used up');
    return at;
  }

  put(bytes: Uint8Array): number {
    const at = this.buffer(bytes.length);
    this.task.process.space.write(at, bytes);
    return at;
  }

  read(address: number, length: number): Uint8Array {
    return this.task.process.space.read(address, length);
  }
  u32(address: number): number {
    return this.task.process.space.read32(address);
  }

  /** Strings become C strings in memory, byte arrays are copied there. A blocked call answers its Block. */
  sys(name: string, ...args: Argument[]): SysResult {
    return this.sysAs(this.task, name, ...args);
  }

  sysAs(task: Task, name: string, ...args: Argument[]): SysResult {
    const keep = this.task;
    this.task = task;
    const raw = args.map((argument) => {
      if (typeof argument === 'number') return BigInt.asUintN(64, BigInt(argument));
      if (typeof argument === 'bigint') return BigInt.asUintN(64, argument);
      return BigInt(this.put(typeof argument === 'string' ? encodeText(`${argument}\0`) : argument));
    });
    while (raw.length < 6) raw.push(0n);
    const nr = numbers.get(name);
    const row = nr === undefined ? undefined : syscallTable[nr];
    if (nr === undefined || row === undefined) throw new Error(`no system call ${name}`);
    task.syscall = { nr, args: raw };
    try {
      const result = row.handler(this.kernel, task, new SysArgs(raw));
      if (typeof result !== 'object') this.end(task);
      return result;
    } catch (error) {
      if (!(error instanceof Error && error.name === 'MemoryFault')) throw error;
      this.end(task);
      return -14;
    } finally {
      this.task = keep;
    }
  }

  /** Runs the call that a task is blocked in once more. */
  again(task: Task): SysResult {
    if (task.syscall === undefined) throw new Error('the task is in no system call');
    const row = syscallTable[task.syscall.nr];
    if (row === undefined) throw new Error('no such row');
    const result = row.handler(this.kernel, task, new SysArgs(task.syscall.args));
    if (typeof result !== 'object') this.end(task);
    return result;
  }

  private end(task: Task): void {
    task.syscall = undefined;
    task.restart = undefined;
    if (task.savedMask !== undefined) task.blockedSignals = task.savedMask;
    task.savedMask = undefined;
  }
}

/** Takes every mount but the root's away, and what was made to hold them. */
function uncover(kernel: Kernel): void {
  const { root } = kernel.vfs;
  for (const name of ['dev', 'proc', 'sys', 'etc']) {
    const place = kernel.vfs.walkAt(kernel, undefined, { dirfd: -100, path: `/${name}` });
    const dentry =
      typeof place === 'number'
        ? undefined
        : (place.parent.dentry.inode as TreeDirectory).lookup(undefined, root.dentry, name);
    if (dentry !== undefined) (root.dentry.inode as TreeDirectory).remove(kernel, dentry);
  }
  kernel.vfs.mounts.length = 1;
}

/** What the scripts in cases/ expect to find. */
export function smallTree(): Tree {
  return treeBuilder()
    .addDir('/etc')
    .addFile('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n')
    .addFile('/etc/secret', 'secret\n', { mode: 0o600 })
    .addDir('/dir')
    .addFile('/dir/one', 'one')
    .addFile('/dir/two', 'two two', { mode: 0o640, uid: 1000, gid: 1000 })
    .addHardLink('/dir/three', '/dir/one')
    .addDir('/dir/sub')
    .addFile('/dir/sub/deep', 'deep')
    .addDir('/dir/empty')
    .addSymlink('/link', 'dir')
    .addSymlink('/absolute', '/dir/one')
    .addSymlink('/dir/up', '../dir/sub')
    .addSymlink('/loop', 'loop')
    .addSymlink('/dangling', 'nowhere')
    .addSymlink('/slashed', 'dir/')
    .addDir('/tmp', { mode: 0o1777 })
    .addDir('/private', { mode: 0o700, uid: 1000, gid: 1000 })
    .addFile('/private/note', 'mine', { uid: 1000, gid: 1000 })
    .addFile(
      '/big',
      new Uint8Array(10_000).map((_, i) => i % 251),
    )
    .build();
}
