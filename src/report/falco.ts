// Falco's alerts as JSON, which falcosidekick takes and passes on to its many outputs. Fields carry the names of Falco's
// supported fields; what has none is below `effigy.`.
import type { Finding } from '../monitor/index.ts';
import { type Json, jsonText } from './json-text.ts';
import { lines, type Report, type ReportOptions } from './report.ts';
import {
  type BySeverity,
  baseName,
  commandLine,
  connectionOf,
  directoryName,
  headline,
  imageParts,
  isoTime,
  RULES,
} from './terms.ts';

const priorities: BySeverity<string> = {
  low: 'Notice',
  medium: 'Warning',
  high: 'Error',
  critical: 'Critical',
};

export const falcoReport = ({ hostname }: ReportOptions): Report =>
  lines((finding) => {
    const { time, kind, severity, technique } = finding;
    const iso = isoTime(time);
    return jsonText({
      hostname: hostname === '' ? undefined : hostname,
      output: `${iso.slice(11, -1)}: ${priorities[severity]} ${headline(finding)}`,
      output_fields: fieldsOf(finding),
      priority: priorities[severity],
      rule: `Effigy: ${RULES[kind].title}`,
      source: 'syscall',
      tags: ['container', 'effigy', kind, ...(technique === undefined ? [] : [technique.id])],
      time: iso,
    });
  });

function fieldsOf(finding: Finding): Json {
  const { container, effect, process, ancestors, tid, time } = finding;
  const { repository, tag } = imageParts(container.image);
  const [parent] = ancestors;
  return {
    'container.id': container.id,
    'container.image.repository': repository,
    'container.image.tag': tag,
    'container.name': container.name,
    'container.privileged': container.privileged,
    'evt.time': time,
    'evt.type': effect.op.toLowerCase(),
    ...descriptor(finding),
    'group.gid': process.gid,
    'group.name': process.group,
    'proc.cmdline': commandLine(process),
    'proc.cwd': process.cwd,
    'proc.exepath': process.exe,
    'proc.name': baseName(process.exe),
    'proc.pcmdline': parent === undefined ? undefined : commandLine(parent),
    'proc.pid': process.pid,
    'proc.pname': parent === undefined ? undefined : baseName(parent.exe),
    'proc.ppid': parent?.pid,
    'thread.tid': tid,
    'user.name': process.user,
    'user.uid': process.uid,
    'effigy.access': effect.access,
    'effigy.expected': finding.expected.map((each) => `${each.effect.op} ${each.effect.resource}`).join('; '),
    'effigy.finding': finding.id,
    'effigy.incident': finding.incident,
    'effigy.kind': finding.kind,
    'effigy.resource': effect.resource,
    'effigy.technique': finding.technique?.id,
    'effigy.why': finding.why,
  };
}

function descriptor(finding: Finding): { readonly [name: string]: Json } {
  const { target } = finding;
  const net = connectionOf(finding);
  if (net !== undefined)
    return {
      'fd.cip': net.source.address,
      'fd.cport': Number(net.source.port),
      'fd.l4proto': net.protocol,
      'fd.name': `${net.source.address}:${net.source.port}->${net.destination.address}:${net.destination.port}`,
      'fd.sip': net.destination.address,
      'fd.sport': Number(net.destination.port),
      'fd.type': net.source.address.includes(':') ? 'ipv6' : 'ipv4',
    };
  if (target.kind === 'program')
    return { 'evt.arg.path': target.path, 'evt.arg.args': target.args.join(' ') };
  if (target.kind !== 'file') return {};
  return {
    'fd.directory': directoryName(target.path),
    'fd.filename': baseName(target.path),
    'fd.name': target.path,
    'fd.type': target.type === 'u' ? 'unix' : target.type === 'd' ? 'directory' : 'file',
  };
}
