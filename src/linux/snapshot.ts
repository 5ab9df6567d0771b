// A copy of a kernel that goes on independently: the object graph is copied with identity and prototypes kept, guest
// memory by copy-on-write. What is marked as shared (shared.ts) stays one object. Kernel state holds no functions;
// one that is found is a bug.
import { assert } from '../bytes/index.ts';
import { carryShadow, PagedSpace, RegisterFile } from '../machine/index.ts';
import type { Kernel, KernelHooks, Machine } from './kernel.ts';
import { isShared } from './shared.ts';

/**
 * An independent copy of the kernel, which tells `hooks` (default: the original's) and runs on `machine`, one of the
 * same memory. Release it when it is done.
 */
export function snapshot(
  kernel: Kernel,
  hooks: KernelHooks = kernel.hooks,
  machine: Machine = kernel.machine,
): Kernel {
  const copier = new GraphCopier();
  copier.keep(kernel.hooks, hooks);
  copier.keep(kernel.machine, machine);
  copyMemory(kernel, copier);
  const copy = copier.copy(kernel);
  copier.finish();
  return copy;
}

/** Forks of all address spaces, whose shared mappings are shared among the copies and apart from the original. */
function copyMemory(kernel: Kernel, copier: GraphCopier): void {
  const spaces = new Map<PagedSpace, PagedSpace>();
  for (const process of kernel.processes.values()) {
    const { space } = process;
    assert(space instanceof PagedSpace, 'guest memory is paged');
    if (process.exitStatus === undefined && !spaces.has(space)) spaces.set(space, space.fork());
    else if (process.exitStatus !== undefined) copier.keep(space, space);
  }
  kernel.machine.memory.separate([...spaces.values()], (backing) => copier.copy(backing));
  for (const [space, fork] of spaces) {
    copier.keep(space, fork);
    // Shared anonymous memory has got its copy from `separate`; futexes are keyed by it.
    const copies = fork.regions();
    space.regions().forEach((region, i) => {
      const copied = copies[i].backing;
      if (region.backing !== undefined && copied !== undefined) copier.keep(region.backing, copied);
    });
  }
}

type Plain = { [key: string]: unknown };

class GraphCopier {
  private readonly copies = new Map<object, object>();
  private readonly work: (() => void)[] = [];

  /** Says what stands for an object instead of a copy. */
  keep(object: object, instead: object): void {
    this.copies.set(object, instead);
  }

  /** The copy of an object, perhaps not filled yet; finish fills all. */
  copy<T extends object>(object: T): T {
    const known = this.copies.get(object);
    if (known !== undefined) return known as T;
    if (isShared(object)) return object;
    const fresh = this.create(object);
    this.copies.set(object, fresh);
    return fresh as T;
  }

  finish(): void {
    for (let fill = this.work.pop(); fill !== undefined; fill = this.work.pop()) fill();
  }

  private value(value: unknown): unknown {
    assert(typeof value !== 'function', 'kernel state holds no functions');
    return typeof value === 'object' && value !== null ? this.copy(value) : value;
  }

  /** The new object; what it refers to is copied later, so that depth does not matter. */
  private create(object: object): object {
    assert(!(object instanceof PagedSpace), 'every address space belongs to a process');
    if (object instanceof RegisterFile) return object.clone();
    if (ArrayBuffer.isView(object)) return copyView(object);
    if (Array.isArray(object)) {
      const out: unknown[] = new Array(object.length);
      this.work.push(() => {
        for (let i = 0; i < object.length; i++) out[i] = this.value(object[i]);
      });
      return out;
    }
    if (object instanceof Map) return this.copyMap(object);
    if (object instanceof Set) return this.copySet(object);
    assert(
      !(object instanceof WeakMap || object instanceof WeakSet || object instanceof Promise),
      'kernel state is plain data',
    );
    // all fields at once: what is no object is right already
    const out = Object.assign(Object.create(Object.getPrototypeOf(object)) as Plain, object);
    this.work.push(() => {
      for (const key in out) {
        const value = out[key];
        if (typeof value === 'object' && value !== null) out[key] = this.copy(value);
        else assert(typeof value !== 'function', 'kernel state holds no functions');
      }
    });
    return out;
  }

  private copyMap(map: ReadonlyMap<unknown, unknown>): Map<unknown, unknown> {
    const out = new Map<unknown, unknown>();
    this.work.push(() => {
      for (const [key, value] of map) out.set(this.value(key), this.value(value));
    });
    return out;
  }

  private copySet(set: ReadonlySet<unknown>): Set<unknown> {
    const out = new Set<unknown>();
    this.work.push(() => {
      for (const value of set) out.add(this.value(value));
    });
    return out;
  }
}

function copyView(view: ArrayBufferView): object {
  assert(!(view instanceof DataView), 'kernel state keeps bytes, not views');
  const copy = (view as Uint8Array).slice();
  if (view instanceof Uint8Array) carryShadow(copy, 0, view);
  return copy;
}
