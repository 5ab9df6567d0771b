// Syslog lines as RFC 5424 has them: facility authpriv, the kind of finding as MSGID, its facts as structured data.
// The number of the structured data's name is the one that RFC 5612 keeps for documentation: Effigy has none of its own.
import { printable } from '../bytes/index.ts';
import type { Finding } from '../monitor/index.ts';
import { wellFormed } from './json-text.ts';
import { lines, type Report, type ReportOptions } from './report.ts';
import { type BySeverity, effectText, headline, isoTime } from './terms.ts';

const authpriv = 10;
const levels: BySeverity<number> = { low: 5, medium: 4, high: 3, critical: 2 };

/** Characters of one value; receivers must take 480 octets of a message and should take 2048. */
const longestValue = 256;

export const syslogReport = ({ hostname }: ReportOptions): Report =>
  lines((finding) => {
    const { severity, kind, time } = finding;
    const host = hostname.replace(/[^\x21-\x7e]/g, '').slice(0, 255) || '-';
    const head = `<${authpriv * 8 + levels[severity]}>1 ${isoTime(time, 6)} ${host} effigy - ${kind}`;
    // The byte order mark says that the message is UTF-8.
    return `${head} [effigy@32473${parameters(finding)}] \ufeff${headline(finding)}`;
  });

function parameters(finding: Finding): string {
  const { id, incident, severity, container, pid, tid, exe, process, technique } = finding;
  const values: readonly (readonly [name: string, value: string | number])[] = [
    ['id', id],
    ['incident', incident],
    ['severity', severity],
    ['container', container.id],
    ['containerName', container.name],
    ['image', container.image],
    ['pid', pid],
    ['tid', tid],
    ['exe', exe],
    ['uid', process.uid],
    ['effect', effectText(finding)],
    ['technique', technique?.id ?? ''],
  ];
  return values
    .flatMap(([name, value]) => (value === '' ? [] : ` ${name}="${escaped(String(value))}"`))
    .join('');
}

const escaped = (value: string): string =>
  printable(wellFormed(value, longestValue)).replace(/["\\\]]/g, '\\$&');
