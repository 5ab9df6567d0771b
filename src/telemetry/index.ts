// telemetry: one file per source of what running containers did. Floor 2.
export { type Activity, type ActivityOptions, ActivityTracker, type ProcessState } from './activity.ts';
export { TRACED_SYSCALLS } from './activity-calls.ts';
export { compileRecords, type RecordDecoder } from './avro-records.ts';
export { type AvroType, parseSchema } from './avro-schema.ts';
export { branchName, DecodeError, text } from './avro-value.ts';
export type { OpenFile, OpenSocket } from './descriptors.ts';
export { detectBytes, detectSource, SOURCE_NAMES, SOURCES, type SourceName } from './detect.ts';
export { ExactObserver, openStrace, type StraceSourceOptions, straceTraits } from './exact.ts';
export type { Feed, FeedOptions, MakeFeed } from './feed.ts';
export { fieldName } from './fields.ts';
export { type Filter, parseFilter } from './filter.ts';
export {
  connection,
  type FlowObservation,
  FlowRow,
  type StreamFile,
  type StreamProcess,
} from './flow-row.ts';
export { SysFlowCollector, type SysFlowCollectorOptions } from './flows.ts';
export * from './observation.ts';
export { defaultOcfLimits, type OcfItem, type OcfLimits, OcfReader } from './ocf.ts';
export { COLUMNS, printRow, rowJson } from './row-text.ts';
export { type Row, RowBook } from './rows.ts';
export { parseStrace, STRACE_OPTIONS, type StraceOptions, StraceParser } from './strace.ts';
export { blindSpots, type ContainerCounts, type Survey, Surveyor } from './survey.ts';
export type {
  Arg,
  DescriptorTarget,
  ParentTask,
  SocketAddress,
  SyscallEvent,
  TraceEvent,
} from './syscall-event.ts';
export {
  inObservations,
  openSysFlow,
  SysFlowDecoder,
  type SysFlowOptions,
  type SysFlowSource,
  sysFlowTraits,
} from './sysflow.ts';
export { SysFlowRecords } from './sysflow-feed.ts';
export {
  type ContainerRecord,
  type ContainerType,
  type EntityState,
  type FileEventRecord,
  type FileFlowRecord,
  type FileRecord,
  type FlowCounters,
  type Foid,
  intToIp,
  ipToInt,
  type NetworkFlowRecord,
  type Oid,
  OPEN_FLAGS,
  type ProcessEventRecord,
  type ProcessRecord,
  type RestypeLetter,
} from './sysflow-records.ts';
export { SYSFLOW_SCHEMA, SYSFLOW_VERSION } from './sysflow-schema.ts';
export type { FlowTaker } from './sysflow-sink.ts';
export {
  createSysFlowWriter,
  fileOid,
  type SysFlowWriter,
  type SysFlowWriterOptions,
} from './sysflow-writer.ts';
export { observationJson, printObservation } from './text.ts';
export { ProcessTree } from './tree.ts';
