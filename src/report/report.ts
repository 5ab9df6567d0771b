// A report: findings as one format has them. Encoders make text; where it goes is their caller's matter.
import type { Finding, MonitorSummary } from '../monitor/index.ts';

export interface ReportOptions {
  /** Of Effigy. */
  readonly version: string;
  /** Of the machine that the telemetry is from; '' where that is not known. */
  readonly hostname: string;
}

export interface Report {
  /** Text to be written for a finding at once, with its end of line; '' where the format writes at the end. */
  finding(finding: Finding): string;
  /** Text to be written when all has been said. */
  end(summary: MonitorSummary): string;
}

/** A format of one line a finding. */
export const lines = (line: (finding: Finding) => string): Report => ({
  finding: (finding) => `${line(finding)}\n`,
  end: () => '',
});
