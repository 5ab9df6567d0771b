// process_vm_readv(2) and process_vm_writev(2): bytes to and from the memory of a process. A process may do it to itself
// and, with the rights of ptrace, to others; container runtimes allow the calls on Linux 4.8 and later.
import { type AddressSpace, MemoryFault, PROT } from '../machine/index.ts';
import { CAP, capBit } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { gather, scatter, totalLength, type Vector, vectorsAt } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Process, Task } from './task.ts';
import type { SysResult } from './wait.ts';

const PAGE = 4096;

/** The user's own process, or CAP_SYS_PTRACE; -ESRCH, -EPERM. A process of another user's ids is another user's. */
function reachable(kernel: Kernel, task: Task, pid: number): Process | number {
  const process = kernel.tasks.get(pid)?.process;
  if (process === undefined || process.exitStatus !== undefined) return -E.SRCH;
  const [own, theirs] = [task.process.credentials, process.credentials];
  const same =
    [theirs.uid, theirs.euid, theirs.suid].every((uid) => uid === own.uid) &&
    [theirs.gid, theirs.egid, theirs.sgid].every((gid) => gid === own.gid) &&
    process.dumpable === 1;
  if (process === task.process || same || (own.effective & capBit(CAP.SYS_PTRACE)) !== 0n) return process;
  return -E.PERM;
}

/** Parts of pages, in order, that hold at most `length` bytes: a transfer ends at the first that can't be touched. */
function* parts(vectors: readonly Vector[], length: number): Generator<Vector> {
  let left = length;
  for (const vector of vectors) {
    const end = vector.address + Math.min(vector.length, left);
    left -= end - vector.address;
    for (let at = vector.address; at < end; ) {
      const next = Math.min(end, at - (at % PAGE) + PAGE);
      yield { address: at, length: next - at };
      at = next;
    }
  }
}

function transfer(kernel: Kernel, task: Task, args: SysArgs, write: boolean): SysResult {
  const { space } = task.process;
  if (args.size(5) !== 0) return -E.INVAL;
  const local = vectorsAt(space, args.pointer(1), args.size(2));
  if (typeof local === 'number') return local;
  const remote = vectorsAt(space, args.pointer(3), args.size(4));
  if (typeof remote === 'number') return remote;
  const length = Math.min(totalLength(local), totalLength(remote));
  if (length === 0) return 0;
  const process = reachable(kernel, task, args.int(0));
  const result =
    typeof process === 'number'
      ? process
      : write
        ? put(process, remote, gather(space, local).subarray(0, length))
        : take(process, remote, length, (bytes) => scatter(space, local, bytes));
  if (process !== task.process)
    kernel.effect(
      task,
      { op: 'PTRACE', resource: { kind: 'task', what: write ? 'write' : 'read' }, access: '' },
      result,
    );
  return result;
}

/** How many bytes the other process had; -EFAULT where none. */
function take(
  { space }: Process,
  remote: readonly Vector[],
  length: number,
  done: (bytes: Uint8Array) => void,
): number {
  const bytes = new Uint8Array(length);
  let at = 0;
  const all = touchAll(parts(remote, length), (part) => {
    allow(space, part, PROT.READ);
    bytes.set(space.read(part.address, part.length), at);
    at += part.length;
  });
  done(bytes.subarray(0, at));
  return all || at > 0 ? at : -E.FAULT;
}

function put({ space }: Process, remote: readonly Vector[], bytes: Uint8Array): number {
  let at = 0;
  const all = touchAll(parts(remote, bytes.length), (part) => {
    allow(space, part, PROT.WRITE);
    space.write(part.address, bytes.subarray(at, at + part.length));
    at += part.length;
  });
  return all || at > 0 ? at : -E.FAULT;
}

/** The mapping's own rights count: the processor would read what may only be written. */
function allow(space: AddressSpace, { address }: Vector, right: number): void {
  const region = space.find(address);
  if (region === undefined || (region.prot & right) === 0)
    throw new MemoryFault(address, right === PROT.WRITE ? 'write' : 'read');
}

/** Whether all parts could be touched. */
function touchAll(list: Iterable<Vector>, touch: (part: Vector) => void): boolean {
  try {
    for (const part of list) touch(part);
    return true;
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    return false;
  }
}

export const processVmRows: readonly SyscallRow[] = [
  row('process_vm_readv', (kernel, task, args) => transfer(kernel, task, args, false)),
  row('process_vm_writev', (kernel, task, args) => transfer(kernel, task, args, true)),
];
