// `--output FORMAT` and `--output FORMAT=FILE`: where findings go, each as it is made.
import { closeSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { InputError } from '../bytes/index.ts';
import { hostError } from '../host/index.ts';
import type { Finding, MonitorSummary } from '../monitor/index.ts';
import {
  createReport,
  isReportFormat,
  REPORT_FORMATS,
  type Report,
  type ReportFormat,
} from '../report/index.ts';
import { packageVersion } from './version.ts';

export interface Outputs {
  /** Whether people read the text on standard output. */
  readonly people: boolean;
  finding(finding: Finding): void;
  end(summary: MonitorSummary): void;
}

interface Wanted {
  readonly format: ReportFormat;
  /** '' for standard output. */
  readonly file: string;
}

function parse(text: string): Wanted {
  const at = text.indexOf('=');
  const format = at < 0 ? text : text.slice(0, at);
  const file = at < 0 ? '' : text.slice(at + 1);
  if (!isReportFormat(format))
    throw new InputError(
      `there is no format ${JSON.stringify(format)}`,
      `--output ${text}`,
      REPORT_FORMATS.join(', '),
    );
  if (at >= 0 && file === '') throw new InputError('no file', `--output ${text}`, 'FORMAT=FILE');
  return { format, file };
}

/** Text on standard output where nothing is asked for. Files are made anew, or with `goesOn` written further. */
export function openOutputs(texts: readonly string[], json: boolean, goesOn = false): Outputs {
  const all = [...texts, ...(json ? ['json'] : [])].map(parse);
  const wanted: readonly Wanted[] = all.length === 0 ? [{ format: 'text', file: '' }] : all;
  const files = wanted.map(({ file }) => file);
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined)
    throw new InputError(
      'two formats for one place',
      twice === '' ? 'standard output' : `--output …=${twice}`,
      'FORMAT=FILE writes one of them elsewhere',
    );
  const options = { version: packageVersion(), hostname: hostname() };
  const sinks = wanted.map(({ format, file }) => sinkOf(createReport(format, options), file, goesOn));
  return {
    people: wanted.some(({ format, file }) => format === 'text' && file === ''),
    finding: (finding) => {
      for (const sink of sinks) sink.write(sink.report.finding(finding));
    },
    end: (summary) => {
      for (const sink of sinks) {
        sink.write(sink.report.end(summary));
        sink.close();
      }
    },
  };
}

interface Sink {
  readonly report: Report;
  readonly write: (text: string) => void;
  readonly close: () => void;
}

function sinkOf(report: Report, file: string, goesOn: boolean): Sink {
  if (file === '') {
    const write = (text: string): void => {
      if (text !== '') process.stdout.write(text);
    };
    return { report, write, close: () => {} };
  }
  const guarded = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw hostError(error, file);
    }
  };
  const fd = guarded(() => openSync(file, goesOn ? 'a' : 'w', 0o640));
  const write = (text: string): void => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += guarded(() => writeSync(fd, bytes, at));
  };
  return { report, write, close: () => closeSync(fd) };
}
