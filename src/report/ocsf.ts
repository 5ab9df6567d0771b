// Open Cybersecurity Schema Framework 1.8: Detection Finding (class 2004). Times are epoch milliseconds.
import type { Finding, ProcessRef } from '../monitor/index.ts';
import { type Json, jsonText } from './json-text.ts';
import { lines, type Report, type ReportOptions } from './report.ts';
import {
  attackParts,
  type BySeverity,
  baseName,
  commandLine,
  connectionOf,
  directoryName,
  effectText,
  entityId,
  headline,
  imageParts,
  milliseconds,
  RULES,
} from './terms.ts';

const version = '1.8.0';
const classUid = 2004;
const create = 1;

const severities: BySeverity<{ readonly id: number; readonly caption: string }> = {
  low: { id: 2, caption: 'Low' },
  medium: { id: 3, caption: 'Medium' },
  high: { id: 4, caption: 'High' },
  critical: { id: 5, caption: 'Critical' },
};

const fileTypes: Readonly<Record<string, number>> = { f: 1, d: 2, u: 5, p: 6 };
const protocols: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, raw: 255 };

export const ocsfReport = (options: ReportOptions): Report =>
  lines((finding) => jsonText(event(finding, options)));

function event(finding: Finding, options: ReportOptions): Json {
  const { kind, severity, container, time, expected } = finding;
  const at = milliseconds(time);
  const { hostname } = options;
  return {
    activity_id: create,
    activity_name: 'Create',
    category_name: 'Findings',
    category_uid: 2,
    class_name: 'Detection Finding',
    class_uid: classUid,
    type_name: 'Detection Finding: Create',
    type_uid: classUid * 100 + create,
    time: at,
    start_time: at,
    message: headline(finding),
    severity: severities[severity].caption,
    severity_id: severities[severity].id,
    status: 'New',
    status_id: 1,
    is_alert: true,
    metadata: {
      version,
      uid: finding.id,
      correlation_uid: finding.incident,
      event_code: kind,
      log_name: 'findings',
      original_time: String(time),
      product: { name: 'Effigy', vendor_name: 'Effigy', version: options.version },
      profiles: ['container'],
    },
    finding_info: {
      uid: finding.id,
      title: `${RULES[kind].title}: ${effectText(finding)}`,
      desc: finding.why,
      types: [kind],
      created_time: at,
      first_seen_time: at,
      analytic: {
        name: RULES[kind].title,
        uid: kind,
        type: 'Behavioral',
        type_id: 2,
        desc: RULES[kind].description,
      },
      attacks: attacks(finding),
    },
    evidences: [{ process: processJson(finding, true), ...targetJson(finding) }],
    resources: [
      {
        uid: container.id,
        name: container.name === '' ? container.id : container.name,
        type: 'Container',
        role: 'Affected',
        role_id: 3,
        hostname: hostname === '' ? undefined : hostname,
        labels: [`image:${container.image}`, `policy:${finding.policy}`],
      },
    ],
    unmapped: {
      effect: { op: finding.effect.op, access: finding.effect.access, resource: finding.effect.resource },
      expected: expected.map(({ effect: each, at: from, provenance }) => ({
        effect: [each.op, each.access, each.resource].filter((part) => part !== '').join(' '),
        from,
        provenance,
      })),
      automata: finding.automata,
    },
  };
}

function attacks(finding: Finding): Json {
  const parts = attackParts(finding);
  if (parts === undefined) return undefined;
  const { technique, sub } = parts;
  return [
    {
      technique: { uid: technique.id, name: technique.name },
      sub_technique: sub === undefined ? undefined : { uid: sub.id, name: sub.name },
    },
  ];
}

function entity(finding: Finding, ref: ProcessRef): { readonly [name: string]: Json } {
  return {
    pid: ref.pid,
    uid: entityId(finding, ref),
    name: baseName(ref.exe) === '' ? undefined : baseName(ref.exe),
    path: ref.exe,
    cmd_line: commandLine(ref),
    created_time: ref.created > 0n ? milliseconds(ref.created) : undefined,
  };
}

function processJson(finding: Finding, whole: boolean, ref: ProcessRef = finding.process): Json {
  const { ancestors, container, tid } = finding;
  const { uid, user, cwd } = ref;
  const base = {
    ...entity(finding, ref),
    file: fileJson(ref.exe, 1),
    user:
      uid < 0 && user === ''
        ? undefined
        : { uid: uid < 0 ? undefined : String(uid), name: user === '' ? undefined : user },
    working_directory: cwd === '' ? undefined : cwd,
  };
  if (!whole) return base;
  const { repository, tag } = imageParts(container.image);
  return {
    ...base,
    tid,
    container: {
      uid: container.id,
      name: container.name === '' ? undefined : container.name,
      image: {
        uid: container.imageId === '' ? repository : container.imageId,
        name: repository,
        tag: tag === '' ? undefined : tag,
      },
    },
    parent_process: ancestors.length === 0 ? undefined : processJson(finding, false, ancestors[0]),
    ancestry: ancestors.length === 0 ? undefined : ancestors.map((each) => entity(finding, each)),
  };
}

function fileJson(path: string, type: number): Json {
  const name = baseName(path);
  return {
    name: name === '' ? path || 'unnamed' : name,
    path: path === '' ? undefined : path,
    parent_folder: directoryName(path) === '' ? undefined : directoryName(path),
    type_id: type,
  };
}

function targetJson(finding: Finding): { readonly [name: string]: Json } {
  const { target } = finding;
  const net = connectionOf(finding);
  if (net !== undefined) {
    const end = ({ address, port }: { readonly address: string; readonly port: string }): Json => ({
      ip: address,
      port: Number(port),
    });
    return {
      src_endpoint: end(net.source),
      dst_endpoint: end(net.destination),
      connection_info: {
        direction: net.direction === 'ingress' ? 'Inbound' : 'Outbound',
        direction_id: net.direction === 'ingress' ? 1 : 2,
        protocol_name: net.protocol,
        protocol_num: protocols[net.protocol],
      },
    };
  }
  if (target.kind === 'file') return { file: fileJson(target.path, fileTypes[target.type] ?? 0) };
  if (target.kind === 'program') return { file: fileJson(target.path, 1) };
  return {};
}
