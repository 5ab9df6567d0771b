// SARIF 2.1.0, for builds that run an image's tests under a monitor: one log for the run, written at its end. A result
// has no line of source; its place is a program in the image and what it follows in the policy.
import { FINDING_KINDS, type Finding, type MonitorSummary } from '../monitor/index.ts';
import { type Json, jsonText, wellFormed } from './json-text.ts';
import type { Report, ReportOptions } from './report.ts';
import { type BySeverity, effectText, fingerprint, headline, isoTime, RULES } from './terms.ts';

/** Results that one log holds; the rest is counted in a notification. */
export const MOST_RESULTS = 5_000;

const schema = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';
const levels: BySeverity<string> = { low: 'note', medium: 'warning', high: 'error', critical: 'error' };
const ranks: BySeverity<number> = { low: 20, medium: 50, high: 75, critical: 100 };

export function sarifReport(options: ReportOptions): Report {
  const findings: Finding[] = [];
  let more = 0;
  return {
    finding: (finding) => {
      if (findings.length < MOST_RESULTS) findings.push(finding);
      else more++;
      return '';
    },
    end: (summary) => `${jsonText(log(findings, more, summary, options))}\n`,
  };
}

function log(
  findings: readonly Finding[],
  beyond: number,
  { counters }: MonitorSummary,
  { version }: ReportOptions,
): Json {
  const techniques = new Map(
    findings.flatMap(({ technique }) =>
      technique === undefined ? [] : [[technique.id, technique.name] as const],
    ),
  );
  const untold = beyond + counters.unreported;
  const notifications: Json[] =
    untold === 0
      ? []
      : [{ level: 'warning', message: { text: `${untold} more findings were counted only.` } }];
  return {
    $schema: schema,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Effigy',
            version,
            rules: FINDING_KINDS.map((kind) => ({
              id: kind,
              name: RULES[kind].title.replace(/ (.)/g, (_, letter: string) => letter.toUpperCase()),
              shortDescription: { text: `${RULES[kind].title}.` },
              fullDescription: { text: RULES[kind].description },
              defaultConfiguration: { level: 'warning' },
            })),
          },
        },
        invocations: [{ executionSuccessful: true, toolExecutionNotifications: notifications }],
        originalUriBaseIds: {
          IMAGE: { description: { text: 'The root directory of the container image.' } },
        },
        taxonomies:
          techniques.size === 0
            ? undefined
            : [
                {
                  name: 'MITRE ATT&CK',
                  organization: 'MITRE',
                  taxa: [...techniques]
                    .sort(([a], [b]) => (a < b ? -1 : 1))
                    .map(([id, name]) => ({
                      id,
                      name,
                      helpUri: `https://attack.mitre.org/techniques/${id.replace('.', '/')}/`,
                    })),
                },
              ],
        columnKind: 'utf16CodeUnits',
        results: findings.map(result),
      },
    ],
  };
}

function result(finding: Finding): Json {
  const { kind, severity, technique, container, exe, automata, expected, count } = finding;
  const source = expected.find(({ at }) => at !== '');
  return {
    ruleId: kind,
    ruleIndex: FINDING_KINDS.indexOf(kind),
    level: levels[severity],
    rank: ranks[severity],
    message: { text: headline(finding) },
    locations: [
      {
        physicalLocation: exe.startsWith('/')
          ? { artifactLocation: { uri: encodeURI(wellFormed(exe.slice(1))), uriBaseId: 'IMAGE' } }
          : undefined,
        logicalLocations: [
          { name: exe, fullyQualifiedName: `${container.image}${exe}`, kind: 'module' },
          ...automata.map((name) => ({
            name,
            fullyQualifiedName: `${container.image}#${name}`,
            kind: 'process',
          })),
        ],
      },
    ],
    relatedLocations:
      source === undefined
        ? undefined
        : [
            {
              id: 1,
              message: { text: `Expected instead: ${[source.effect.op, source.effect.resource].join(' ')}` },
              logicalLocations: [
                { name: source.at, fullyQualifiedName: `${source.program}!${source.at}`, kind: 'function' },
              ],
            },
          ],
    partialFingerprints: { 'effigyDeviation/v1': fingerprint(finding) },
    occurrenceCount: count,
    taxa:
      technique === undefined
        ? undefined
        : [{ id: technique.id, toolComponent: { name: 'MITRE ATT&CK', index: 0 } }],
    properties: {
      id: finding.id,
      incident: finding.incident,
      time: isoTime(finding.time),
      severity,
      effect: effectText(finding),
      container: container.id,
      policy: finding.policy,
    },
  };
}
