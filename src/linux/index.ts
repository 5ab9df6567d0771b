// linux: the simulated kernel. Processes, files, sockets, time of one container. Floor 4.
export {
  createKernel,
  createMachine,
  DEFAULT_LAYOUT,
  type KernelOptions,
  type MachineOptions,
} from './boot.ts';
export { capabilitySet } from './capability-sets.ts';
export { errnoName } from './errno.ts';
export type { Cut, EffectEvent, EnvironmentValues, Frame } from './events.ts';
export { type CallTexts, formatArguments, formatSyscall } from './format.ts';
export { type CountedCut, Kernel, type KernelHooks, type Layout, type Machine } from './kernel.ts';
export type { Outside } from './net.ts';
export { restartKernel } from './restart.ts';
export { placeFile, readFileStart, rewriteFile } from './runtime-files.ts';
export type { RunOptions, RunStop, Waiting } from './scheduler.ts';
export { sendFromOutside as sendSignal, signalNumber } from './signals-outside.ts';
export { snapshot } from './snapshot.ts';
export type { ProcessSpec } from './spawn.ts';
export { type CallStack, callStack, frameAt, placeOf } from './stack.ts';
export type { ArgType, SupportLevel, SyscallRow } from './syscall.ts';
export { countLevels, signature, syscallPage } from './syscall-page.ts';
export { syscallRows } from './table.ts';
export type { Process, Task } from './task.ts';
export type { MountSpec } from './vfs.ts';
export { type Listener, type OutboundRequest, type Peer, world } from './world.ts';
