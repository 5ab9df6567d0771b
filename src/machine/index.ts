// machine: registers, memory, faults, engines. Floor 3.
export type { AddressSpace, Backing, MapRequest, Region } from './memory.ts';
export { MemoryFault, PAGE_SIZE, PROT } from './memory.ts';
export type { Engine, EngineStop, Registers } from './engine.ts';
