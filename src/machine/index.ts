// machine: registers, memory, faults, engines. Floor 3.
export type { CodeStore } from './code-store.ts';
export * from './concolic/index.ts';
export type { Engine, EngineStop, Registers } from './engine.ts';
export type { FastEngineOptions } from './fast/index.ts';
export { createFastEngine, SHORT_PROGRAM } from './fast/index.ts';
export type { Fault } from './fault.ts';
export { GuestFault } from './fault.ts';
export type { Helper, HelperEnvironment } from './helpers.ts';
export type { AddressSpace, Backing, MapRequest, Region } from './memory.ts';
export { MemoryFault, PAGE_SIZE, PROT } from './memory.ts';
export type { EngineOptions } from './reference.ts';
export { createReferenceEngine } from './reference.ts';
export { createRegisters, LAYOUT, RegisterFile } from './registers.ts';
export type { MemoryOptions, MemoryStatistics } from './space.ts';
export { ADDRESS_LIMIT, createAddressSpace, createMemory, Memory, PagedSpace } from './space.ts';
