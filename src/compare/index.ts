// compare: what a program does in the machine beside what it does on a host. Floor 7.
export {
  type Comparison,
  compareRuns,
  type Difference,
  type DifferenceKind,
  type Tolerance,
  type ToleranceKind,
} from './compare.ts';
export { type HostRun, type HostRunOptions, readHostRun } from './host.ts';
export {
  type Course,
  firstEffect,
  type MachineRun,
  type MachineRunOptions,
  runInMachine,
} from './machine.ts';
export {
  type Happening,
  HostHappenings,
  type MachineEvent,
  machineHappening,
  type ProcessRun,
  processRun,
  startingAt,
} from './runs.ts';
export { comparable, type Resolve, resolved, sameButForValues, type Values, valuesOf } from './values.ts';
