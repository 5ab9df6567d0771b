// machine/concolic: the engine that carries expressions beside values.
export { ConcolicEngine, type ConcolicOptions, createConcolicEngine } from './engine.ts';
export type { ByVariable, Constraint, ConstraintKind, PathListener } from './path.ts';
export {
  type ByteShadow,
  byteShadow,
  carryShadow,
  Shadows,
  setByteShadow,
  shadowedPart,
} from './shadows.ts';
