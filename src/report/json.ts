// Our own JSON: one object a line, as FINDING_SCHEMA says. 64-bit times are decimal text.
import type { Finding, ProcessRef } from '../monitor/index.ts';
import { type Json, jsonText } from './json-text.ts';
import { lines, type Report } from './report.ts';

const processJson = ({ created, ...rest }: ProcessRef): Json => ({ ...rest, created: String(created) });

export function findingLine(finding: Finding): string {
  const { id, container, time, kind, severity, technique, process, ancestors, target, ...rest } = finding;
  return jsonText({
    id,
    time: String(time),
    kind,
    severity,
    container: container.id,
    containerName: container.name,
    image: container.image,
    imageId: container.imageId,
    privileged: container.privileged,
    ...(rest as unknown as { readonly [name: string]: Json }),
    target: target as unknown as Json,
    process: processJson(process),
    ancestors: ancestors.map(processJson),
    technique: technique as unknown as Json,
  });
}

export const jsonReport = (): Report => lines(findingLine);
