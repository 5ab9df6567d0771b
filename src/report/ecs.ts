// Elastic Common Schema 9.4: alerts. What it has no field for is below `effigy`.
import type { Op } from '../effect/index.ts';
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
  entityId,
  headline,
  imageParts,
  isoTime,
  RULES,
} from './terms.ts';

const version = '9.4.0';

/** Numbers as Elastic's own detection rules have them. */
const severities: BySeverity<number> = { low: 21, medium: 47, high: 73, critical: 99 };

interface Kind {
  readonly category: string;
  readonly type: string;
}

/** By operation; what is not here is `host`, `info`. */
const kinds: { readonly [op in Op]?: Kind } = {
  CLONE: { category: 'process', type: 'start' },
  EXEC: { category: 'process', type: 'start' },
  EXIT: { category: 'process', type: 'end' },
  KILL: { category: 'process', type: 'change' },
  PTRACE: { category: 'process', type: 'access' },
  SETUID: { category: 'iam', type: 'change' },
  SETGID: { category: 'iam', type: 'change' },
  SETGROUPS: { category: 'iam', type: 'change' },
  ACCEPT: { category: 'network', type: 'connection' },
  CONNECT: { category: 'network', type: 'connection' },
  BIND: { category: 'network', type: 'start' },
  LISTEN: { category: 'network', type: 'start' },
  SHUTDOWN: { category: 'network', type: 'end' },
  OPEN: { category: 'file', type: 'access' },
  READ: { category: 'file', type: 'access' },
  WRITE: { category: 'file', type: 'change' },
  TRUNCATE: { category: 'file', type: 'change' },
  RENAME: { category: 'file', type: 'change' },
  CHMOD: { category: 'file', type: 'change' },
  CHOWN: { category: 'file', type: 'change' },
  SETXATTR: { category: 'file', type: 'change' },
  MKDIR: { category: 'file', type: 'creation' },
  MKNOD: { category: 'file', type: 'creation' },
  LINK: { category: 'file', type: 'creation' },
  SYMLINK: { category: 'file', type: 'creation' },
  UNLINK: { category: 'file', type: 'deletion' },
  RMDIR: { category: 'file', type: 'deletion' },
};

const fileTypes: Readonly<Record<string, string>> = { f: 'file', d: 'dir', u: 'socket', p: 'fifo' };

export const ecsReport = (options: ReportOptions): Report =>
  lines((finding) => jsonText(document(finding, options)));

function document(finding: Finding, options: ReportOptions): Json {
  const { kind, severity, process, ancestors, container, effect, incident, time, tid } = finding;
  const net = finding.target.kind === 'net';
  const { category, type } =
    net && (effect.op === 'READ' || effect.op === 'WRITE')
      ? { category: 'network', type: 'protocol' }
      : (kinds[effect.op] ?? { category: 'host', type: 'info' });
  const { hostname } = options;
  return {
    '@timestamp': isoTime(time),
    message: headline(finding),
    tags: ['effigy', kind],
    ecs: { version },
    event: {
      kind: 'alert',
      category: ['intrusion_detection', category],
      type: [type],
      action: effect.op.toLowerCase(),
      code: kind,
      dataset: 'effigy.finding',
      id: finding.id,
      module: 'effigy',
      provider: 'effigy',
      reason: finding.why,
      severity: severities[severity],
    },
    observer: { product: 'Effigy', type: 'ids', version: options.version },
    rule: {
      id: kind,
      name: RULES[kind].title,
      description: RULES[kind].description,
      category: 'policy deviation',
      ruleset: finding.policy,
    },
    threat: threat(finding),
    host: hostname === '' ? undefined : { hostname, name: hostname },
    container: containerJson(finding),
    process: {
      ...processJson(finding, process),
      // The schema has groups of parents and leaders, not of the process itself: `user.group` has it.
      group: undefined,
      ...(process.tty ? { interactive: true } : {}),
      thread: { id: tid },
      parent: ancestors.length === 0 ? undefined : processJson(finding, ancestors[0]),
      entry_leader: processJson(finding, ancestors.at(-1) ?? process),
    },
    user: { ...userJson(process), group: groupJson(process) },
    ...targetJson(finding),
    effigy: {
      severity,
      incident,
      automata: finding.automata,
      effect: { op: effect.op, access: effect.access, resource: effect.resource },
      expected: finding.expected.map(({ effect: each, at, phase, provenance }) => ({
        effect: [each.op, each.access, each.resource].filter((part) => part !== '').join(' '),
        at,
        phase,
        provenance,
      })),
      privileged: container.privileged,
    },
  };
}

function threat(finding: Finding): Json {
  const parts = attackParts(finding);
  if (parts === undefined) return undefined;
  const { technique, sub } = parts;
  const page = (id: string): string => `https://attack.mitre.org/techniques/${id.replace('.', '/')}/`;
  const of = ({
    id,
    name,
  }: {
    readonly id: string;
    readonly name: string;
  }): { readonly [name: string]: Json } => ({
    id: [id],
    name: [name],
    reference: [page(id)],
  });
  return {
    framework: 'MITRE ATT&CK',
    technique: { ...of(technique), subtechnique: sub === undefined ? undefined : of(sub) },
  };
}

function containerJson({ container: { id, name, image, imageId, privileged } }: Finding): Json {
  const { repository, tag } = imageParts(image);
  return {
    id,
    name,
    image: {
      name: repository,
      tag: tag === '' ? undefined : [tag],
      hash: imageId === '' ? undefined : { all: [imageId] },
    },
    security_context: { privileged },
  };
}

const known = (id: number): string | undefined => (id < 0 ? undefined : String(id));
const filled = (text: string): string | undefined => (text === '' ? undefined : text);
const userJson = ({ uid, user }: ProcessRef): { readonly [name: string]: Json } => ({
  id: known(uid),
  name: filled(user),
});
const groupJson = ({ gid, group }: ProcessRef): Json => ({ id: known(gid), name: filled(group) });

function processJson(finding: Finding, ref: ProcessRef): { readonly [name: string]: Json } {
  const { pid, created, exe, cwd } = ref;
  return {
    pid,
    entity_id: entityId(finding, ref),
    executable: exe,
    name: baseName(exe),
    command_line: commandLine(ref),
    working_directory: filled(cwd),
    start: created > 0n ? isoTime(created) : undefined,
    user: userJson(ref),
    group: groupJson(ref),
  };
}

function targetJson(finding: Finding): { readonly [name: string]: Json } {
  const { target, effect } = finding;
  const net = connectionOf(finding);
  if (net !== undefined) {
    const end = ({ address, port }: { readonly address: string; readonly port: string }): Json => ({
      address,
      ip: /^[\d.]+$|:/.test(address) ? address : undefined,
      port: Number(port),
    });
    return {
      source: end(net.source),
      destination: end(net.destination),
      network: {
        transport: net.protocol === 'raw' ? undefined : net.protocol,
        type: net.source.address.includes(':') ? 'ipv6' : 'ipv4',
        direction: net.direction,
      },
    };
  }
  const path = target.kind === 'file' ? target.path : target.kind === 'program' ? target.path : '';
  if (path === '' || (target.kind === 'program' && effect.op !== 'EXEC')) return {};
  const name = baseName(path);
  const dot = name.lastIndexOf('.');
  return {
    file: {
      path,
      name,
      directory: filled(directoryName(path)),
      extension: dot > 0 ? name.slice(dot + 1) : undefined,
      type: target.kind === 'file' ? fileTypes[target.type] : 'file',
      target_path: target.kind === 'file' ? target.to : undefined,
    },
  };
}
