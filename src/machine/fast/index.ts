// machine/fast: the engine that translates.
export { createFastEngine } from './engine.ts';
