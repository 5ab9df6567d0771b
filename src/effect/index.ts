// effect: the waist. `linux` predicts effects, `telemetry` observes them, `monitor` compares. Floor 1.
export type { Effect, Endpoint, FileType, Protocol, Resource } from './effect.ts';
export { isOp, OPS, type Op, OTHER_OPS, SYSFLOW_OPS } from './op.ts';
export {
  ANY,
  CLASSES,
  classOf,
  isLiteral,
  literal,
  type Matcher,
  matcher,
  type Pattern,
  type PatternClass,
  type PatternPart,
  parsePattern,
  patternOf,
  patternParts,
  widerClass,
} from './pattern.ts';
export { mapResource, printEffect, printResource, resourceShape, resourceTexts } from './text.ts';
