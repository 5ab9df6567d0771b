// machine/fast: the engine that translates.
export { createFastEngine, type FastEngineOptions } from './engine.ts';
