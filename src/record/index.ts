// record: runs a command or an image on this machine under strace and writes what it does as a SysFlow file. Floor 7.
export type { DriveResult } from './drive.ts';
export type { RecordOptions, RecordSummary } from './options.ts';
export { headSize, maxScripts, scriptLine } from './programs.ts';
export { record } from './record.ts';
export type { Ending, Gap } from './recording.ts';
export { findProgram } from './tools.ts';
