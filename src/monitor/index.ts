// monitor: holds telemetry of running containers against policies and tells findings. Floor 3.
export { type AmendmentUse, allowanceFor } from './allowed.ts';
export { type Assignment, repositoryOf } from './binding.ts';
export type { Limits } from './core.ts';
export type { Counters } from './counters.ts';
export {
  type ContainerRef,
  type EffectCount,
  type EffectText,
  type Expected,
  FINDING_KINDS,
  type Finding,
  type FindingKind,
  type Incident,
  type IncidentProcess,
  type Note,
  type ProcessRef,
  SEVERITIES,
  type Severity,
  type Technique,
} from './finding.ts';
export {
  type ContainerSummary,
  createMonitor,
  type Monitor,
  type MonitorOptions,
  type MonitorSummary,
  type NamedPolicy,
} from './monitor.ts';
export { type MonitorState, STATE_VERSION } from './snapshot.ts';
export { printIncident, printNote, printSummary, timeText } from './text.ts';
