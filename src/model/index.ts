// model: the story from image to policy, pass by pass. Floor 6.
export { describeStatus } from './boots.ts';
export { Endpoints } from './endpoints.ts';
export { alignRuns, commonSubsequence, generalizeTexts, withoutKnown } from './generalize.ts';
export { GraphBuilder, type Places } from './graph.ts';
export { type ModelOptions, type ModelResult, modelImage } from './model.ts';
export { Orders } from './orders.ts';
export { contextFrames, stackKey } from './stack.ts';
export type { Run } from './tasks.ts';
