// report: findings in the formats of those who collect them. One file a format. Floor 4.
import { ecsReport } from './ecs.ts';
import { falcoReport } from './falco.ts';
import { jsonReport } from './json.ts';
import { ocsfReport } from './ocsf.ts';
import type { Report, ReportOptions } from './report.ts';
import { sarifReport } from './sarif.ts';
import { sysflowReport } from './sysflow.ts';
import { syslogReport } from './syslog.ts';
import { textReport } from './text.ts';

export { type AllowOptions, allowFinding, type RecordedFinding, readFindings } from './allow.ts';
export { Coverage, type CoverageResult, type Missing, type Share } from './coverage.ts';
export { LONGEST_TEXT } from './json-text.ts';
export type { Report, ReportOptions } from './report.ts';
export { MOST_RESULTS } from './sarif.ts';
export { FINDING_SCHEMA } from './schema.ts';
export { fingerprint } from './terms.ts';
export { MOST_INCIDENTS } from './text.ts';
export { xxhash64 } from './xxhash.ts';

export const REPORT_FORMATS = ['text', 'json', 'sysflow', 'ecs', 'ocsf', 'falco', 'sarif', 'syslog'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

const makers: Readonly<Record<ReportFormat, (options: ReportOptions) => Report>> = {
  text: textReport,
  json: jsonReport,
  sysflow: sysflowReport,
  ecs: ecsReport,
  ocsf: ocsfReport,
  falco: falcoReport,
  sarif: sarifReport,
  syslog: syslogReport,
};

export { printMetrics, type RuntimeMetrics } from './metrics.ts';
export const createReport = (format: ReportFormat, options: ReportOptions): Report => makers[format](options);
export const isReportFormat = (text: string): text is ReportFormat => Object.hasOwn(makers, text);
