// Findings of one attacked run, of every kind of resource, for tests of formats.
import type { Finding, MonitorSummary } from '../../src/monitor/index.ts';
import { createReport, type ReportFormat } from '../../src/report/index.ts';
import { boot, ECHO, end, exploit, serve } from '../monitor/echo.ts';
import { event, flow, run } from '../monitor/kit.ts';

export const {
  findings,
  summary,
}: { readonly findings: readonly Finding[]; readonly summary: MonitorSummary } = run(ECHO, [
  ...boot,
  ...serve,
  flow(300, 301, 10, 'OPEN+READ+CLOSE r /etc/shadow'),
  flow(302, 303, 10, 'CONNECT+WRITE+CLOSE tcp 172.17.0.4:40000 <-> 6.6.6.6:443'),
  flow(304, 305, 10, 'ACCEPT+READ tcp 172.17.0.4:8081 <-> 10.0.0.9:51000'),
  event(306, 10, 'UNLINK /var/log/echo.log'),
  event(307, 10, 'SETUID 0'),
  event(308, 10, 'RENAME /etc/a -> /etc/b\udcff"]\\\n'),
  flow(309, 310, 10, 'OPEN+READ+CLOSE r /etc/echo.conf'),
  flow(311, 312, 10, 'CONNECT+WRITE unix:/var/run/docker.sock'),
  ...exploit,
  ...end,
]);

export const OPTIONS = { version: '1.2.3', hostname: 'node1' } as const;

/** All that a report writes. */
export function written(format: ReportFormat, list: readonly Finding[] = findings): string {
  const report = createReport(format, OPTIONS);
  return list.map((finding) => report.finding(finding)).join('') + report.end(summary);
}

export interface Tree {
  readonly [name: string]: unknown;
}

export const objects = (format: ReportFormat, list: readonly Finding[] = findings): Tree[] =>
  written(format, list)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Tree);

/** What stands at a path of names and indices. */
export function at(tree: unknown, path: string): unknown {
  let value = tree;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Tree)[name];
  }
  return value;
}
