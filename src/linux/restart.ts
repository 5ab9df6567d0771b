// Starting a container again: everything that ran is gone, files are kept. Of the same container its whole writable
// layer; of a new one that gets the old one's volumes, only these.
import { assert } from '../bytes/index.ts';
import { createKernel, type KernelOptions } from './boot.ts';
import type { Kernel } from './kernel.ts';
import type { KeptFiles } from './vfs-mounts.ts';

/** Virtual ns between the end of the first run and the start of the next. */
const PAUSE = 60_000_000_000n;

/**
 * A kernel as after a restart. The old one must have ended (`exited`) and is used up: its files move. `volumes`:
 * absolute paths of which a new container keeps the content, beside the mounts of `options`; absent: the container is
 * started again, and keeps all but what its runtime makes anew.
 */
export function restartKernel(
  old: Kernel,
  options: KernelOptions & { readonly volumes?: readonly string[] | undefined },
): Kernel {
  assert(old.exited, 'what is restarted has ended');
  const kept = keptFiles(old, options);
  return createKernel({
    ...options,
    environment: { ...options.environment, time: options.environment.time + old.now + PAUSE },
    kept,
  });
}

function keptFiles(
  old: Kernel,
  options: KernelOptions & { readonly volumes?: readonly string[] | undefined },
): KeptFiles {
  const { vfs } = old;
  const mounts = new Map(
    (options.mounts ?? []).flatMap(({ target, content }) => {
      const place = content.kind === 'tmpfs' ? undefined : vfs.internal(old, target);
      return place === undefined ? [] : [[target, place.dentry] as const];
    }),
  );
  const volumes = (options.volumes ?? []).flatMap((path) => {
    const place = mounts.has(path) ? undefined : vfs.internal(old, path);
    return place === undefined ? [] : [[path, place.dentry] as const];
  });
  for (const { point } of vfs.mounts) if (point !== undefined) point.mounted = undefined;
  return {
    root: options.volumes === undefined ? vfs.root.dentry : undefined,
    mounts,
    volumes: new Map(volumes),
  };
}
