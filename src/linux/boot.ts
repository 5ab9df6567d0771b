// Making the kernel of one container.
import type { Tree } from '../image/index.ts';
import { BASELINE, type FeatureSet } from '../isa/index.ts';
import {
  type CodeStore,
  createFastEngine,
  createMemory,
  createReferenceEngine,
  type MemoryOptions,
  SHORT_PROGRAM,
} from '../machine/index.ts';
import type { EnvironmentValues } from './events.ts';
import { Kernel, type KernelHooks, type Layout, type Machine } from './kernel.ts';
import { Net } from './net.ts';
import { share } from './shared.ts';
import { syscallTable } from './table.ts';
import { createVfs, type MountSpec } from './vfs.ts';
import type { KeptFiles } from './vfs-mounts.ts';

export interface KernelOptions {
  readonly tree: Tree;
  readonly environment: EnvironmentValues;
  readonly hooks: KernelHooks;
  /** Default: a new one. */
  readonly machine?: Machine;
  /** Default: where Linux puts things without address space randomization. */
  readonly layout?: Layout;
  /** Beyond what every container has, in order. */
  readonly mounts?: readonly MountSpec[];
  readonly readOnlyRoot?: boolean;
  /** Files of an earlier run; see restart.ts. */
  readonly kept?: KeptFiles | undefined;
}

export const DEFAULT_LAYOUT: Layout = {
  program: 0x5555_5555_4000,
  mmapTop: 0x7fff_f7ff_f000,
  stackTop: 0x7fff_ffff_f000,
};
export interface MachineOptions extends MemoryOptions {
  /** fast translates; reference is plain. Both do the same, to the instruction. */
  readonly engine?: 'reference' | 'fast';
  /** Instruction sets of the processor beyond the baseline. */
  readonly features?: FeatureSet;
  /** Where code that the engine prepared is kept from one process to the next. */
  readonly store?: CodeStore | undefined;
}

/** Memory and an engine, the reference one unless told otherwise. */
export function createMachine(options: MachineOptions = {}): Machine {
  const { features = BASELINE, store } = options;
  const engine =
    options.engine === 'fast'
      ? createFastEngine({ features, store, plainFirst: SHORT_PROGRAM })
      : createReferenceEngine({ features });
  return { engine, memory: createMemory(options), features };
}

export function createKernel(options: KernelOptions): Kernel {
  const { environment } = options;
  return new Kernel({
    environment: share(environment),
    machine: share(options.machine ?? createMachine()),
    layout: share(options.layout ?? DEFAULT_LAYOUT),
    hooks: options.hooks,
    vfs: createVfs({
      tree: options.tree,
      environment,
      mounts: options.mounts ?? [],
      readOnlyRoot: options.readOnlyRoot ?? false,
      kept: options.kept,
    }),
    net: new Net(environment),
    syscalls: share(syscallTable),
  });
}
