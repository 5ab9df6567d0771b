// What the kernel tells its owner: effects with their provenance, and cuts.
import type { Effect } from '../effect/index.ts';

/** One return address of a guest call stack, innermost first. */
export interface Frame {
  /** Path of the mapped file in the container, or '' where the code is not from a file (JIT, vdso). */
  readonly module: string;
  /** Address minus the module's load bias: as in its symbol table. */
  readonly offset: number;
  /** `name+0x1f` where a symbol covers it. */
  readonly symbol: string | undefined;
}

export interface EffectEvent {
  /** Order over the whole run. */
  readonly sequence: number;
  readonly pid: number;
  readonly tid: number;
  readonly parentPid: number;
  /** Program of the process when it made the call (for EXEC: the program that called execve). */
  readonly exe: string;
  readonly effect: Effect;
  /** rax; negative errno where it failed. CLONE: the new tid. */
  readonly result: number;
  readonly syscall: string;
  readonly args: readonly bigint[];
  readonly stack: readonly Frame[];
  /** True where the stack could not be unwound to its start. */
  readonly stackCut: boolean;
}

/** Where the model stops short or goes wider than the code. Same kind, name and place are counted together. */
export interface Cut {
  readonly kind:
    | 'instruction'
    | 'syscall'
    | 'syscall-option'
    | 'file'
    | 'budget'
    | 'unwind'
    | 'fault'
    | 'environment'
    | 'deployment'
    | 'signal';
  /** The thing itself: disassembly, syscall name, option, path … */
  readonly what: string;
  /** What was done instead. */
  readonly consequence: string;
  readonly exe: string;
  readonly at: Frame | undefined;
}

/** Everything that the host would decide and the image does not. One place, so that boots under several such values can be compared. */
export interface EnvironmentValues {
  /** Wall clock at boot, epoch ns. */
  readonly time: bigint;
  readonly hostName: string;
  /** Host-side pid numbering is not visible in a container's pid namespace; pid 1 is the entrypoint, this is the next one. */
  readonly firstPid: number;
  readonly seed: number;
  readonly cpus: number;
  readonly memory: number;
  readonly kernelRelease: string;
  /** Own address of the container on its network, dotted; loopback is there always. */
  readonly address: string;
  readonly gateway: string;
  /** '': none; then no route leads outside. */
  readonly nameserver: string;
  /** Peer addresses of clients that connect. */
  readonly clientAddress: string;
  readonly clientPort: number;
  readonly uptime: bigint;
  readonly bootId: string;
  /** Names of the host's block devices, which /sys shows in every container; default: two. */
  readonly disks?: readonly string[];
  /** In which order file systems list what is in a directory: each has its own (hashes, trees); default: by name. */
  readonly listing?: ListingOrder;
}

/** `hashed`: by a hash of the names and the environment's `seed`, as most file systems do. */
export type ListingOrder = 'by name' | 'backwards' | 'hashed';
