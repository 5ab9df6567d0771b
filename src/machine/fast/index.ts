// machine/fast: the engine that translates.
export { createFastEngine, type FastEngineOptions, SHORT_PROGRAM } from './engine.ts';
