// compare: what a program does in the machine beside what it does on a host. Floor 7.
export {
  type Comparison,
  compareRuns,
  type Difference,
  type DifferenceKind,
  sameButForValues,
} from './compare.ts';
export {
  type Happening,
  hostHappenings,
  machineHappenings,
  type ProcessRun,
  processRun,
  startingAt,
} from './runs.ts';
