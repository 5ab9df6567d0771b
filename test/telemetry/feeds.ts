// Bytes through a feed, and a feed into the monitor: for tests of sources.
import { createMonitor, type Finding, type MonitorSummary } from '../../src/monitor/index.ts';
import type { Policy } from '../../src/policy/index.ts';
import {
  type Feed,
  type FeedOptions,
  type Observation,
  SOURCES,
  type SourceName,
} from '../../src/telemetry/index.ts';

export interface Fed {
  readonly observations: readonly Observation[];
  readonly feed: Feed;
}

export interface FeedMore extends Partial<FeedOptions> {
  readonly step?: number;
}

/** In pieces of `step` bytes. */
export function feed(
  source: SourceName,
  bytes: Uint8Array | string,
  { step = 1 << 20, ...options }: FeedMore = {},
): Fed {
  const observations: Observation[] = [];
  const made: Feed = SOURCES[source].make((each) => observations.push(each), { name: 'test', ...options });
  const whole = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  for (let at = 0; at < whole.length; at += step) made.push(whole.subarray(at, at + step));
  made.end();
  return { observations, feed: made };
}

export const feedLines = (source: SourceName, lines: readonly string[], options: FeedMore = {}): Fed =>
  feed(source, `${lines.join('\n')}\n`, options);

export interface Watched {
  readonly findings: readonly Finding[];
  readonly summary: MonitorSummary;
}

export function watch({ observations, feed: { traits } }: Fed, policy: Policy): Watched {
  const findings: Finding[] = [];
  const monitor = createMonitor([{ name: 'policy', policy }], {
    assignments: [{ container: '*', policy: 0 }],
    onFinding: (finding) => findings.push(finding),
  });
  for (const observation of observations) monitor.observe(observation, traits);
  monitor.flush();
  return { findings, summary: monitor.summary() };
}
