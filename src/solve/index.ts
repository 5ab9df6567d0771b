// solve: decides conditions over expressions. Floor 2.

export {
  type BytesPattern,
  bytesPattern,
  canClimb,
  mayClimb,
  mayContain,
  resourcePatterns,
} from './pattern.ts';
export { type Answer, Solver, type SolverOptions, type SolverStatistics, type Values } from './solver.ts';
