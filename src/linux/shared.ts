// The mark of objects that a snapshot shares instead of copying: immutable data (image tree nodes, parsed ELF files),
// and things that belong to the outside (hooks, the engine).

/** A class or object that has this property set to true is not copied by `kernel.snapshot()`. */
export const SHARED: unique symbol = Symbol('effigy.shared');

const sharedObjects = new WeakSet<object>();

/** Marks one object as shared between a kernel and its snapshots. */
export function share<T extends object>(object: T): T {
  sharedObjects.add(object);
  return object;
}

export function isShared(object: object): boolean {
  return sharedObjects.has(object) || (object as { [SHARED]?: boolean })[SHARED] === true;
}
