// SysFlow processor's JSON, schema 5, as its policy engine writes alerts: the record with policies and tags filled in.
// A finding is about one operation, so `opflags` has one; of operations that SysFlow has no record for the type is that
// of their resource. Counters of flows are not known here: 0.
import { encodeText } from '../bytes/index.ts';
import type { Op } from '../effect/index.ts';
import type { Finding, ProcessRef } from '../monitor/index.ts';
import { fileOid } from '../telemetry/index.ts';
import { type Json, jsonText } from './json-text.ts';
import { lines, type Report, type ReportOptions } from './report.ts';
import { type BySeverity, baseName, commandLine, connectionOf, directoryName, RULES } from './terms.ts';
import { xxhash64 } from './xxhash.ts';

/** Low, medium, high; there is nothing above. */
const priorities: BySeverity<number> = { low: 1, medium: 2, high: 3, critical: 3 };

const ofProcesses: ReadonlySet<Op> = new Set(['CLONE', 'EXEC', 'EXIT', 'SETUID', 'SETNS']);
const ofNames: ReadonlySet<Op> = new Set(['MKDIR', 'RMDIR', 'LINK', 'UNLINK', 'SYMLINK', 'RENAME']);
const protocols: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, raw: 255 };

function typeOf({ effect: { op }, target }: Finding): 'PE' | 'FE' | 'FF' | 'NF' {
  if (target.kind === 'net') return 'NF';
  if (ofProcesses.has(op) || target.kind !== 'file') return 'PE';
  return ofNames.has(op) || target.to !== undefined ? 'FE' : 'FF';
}

export const sysflowReport = (options: ReportOptions): Report =>
  lines((finding) => jsonText(record(finding, options)));

/** Members in the order of the processor's encoder. */
function record(finding: Finding, { hostname }: ReportOptions): Json {
  const { container, effect, kind, severity, technique, time, process, ancestors, tid, why } = finding;
  const type = typeOf(finding);
  const flows = type === 'FF' || type === 'NF';
  const [parent] = ancestors;
  return {
    version: 5,
    endts: flows ? time : 0,
    opflags: [effect.op],
    ret: 0,
    ts: time,
    type,
    container: {
      id: container.id,
      image: container.image,
      imageid: container.imageId,
      name: container.name,
      privileged: container.privileged ? 1 : 0,
      type: '',
    },
    file: fileJson(finding),
    flow: flows ? { rbytes: 0, rops: 0, wbytes: 0, wops: 0 } : undefined,
    meta: { schema: 4, tracename: '' },
    net: netJson(finding),
    node: { id: hostname, ip: 'NA' },
    pproc: parent === undefined ? undefined : processJson(parent),
    proc: {
      acmdline: ancestors.map(commandLine),
      aexe: ancestors.map(({ exe }) => exe),
      aname: ancestors.map(({ exe }) => baseName(exe)),
      apid: ancestors.map(({ pid }) => pid),
      ...processJson(process),
      tid,
    },
    policies: [{ id: `Effigy: ${RULES[kind].title}`, desc: why, priority: priorities[severity] }],
    tags: ['effigy', `effigy:${kind}`, ...(technique === undefined ? [] : [`mitre:${technique.id}`])],
  };
}

function processJson(ref: ProcessRef): { readonly [name: string]: Json } {
  const { args, created, entry, exe, gid, group, pid, tty, uid, user } = ref;
  return {
    args,
    cmdline: commandLine(ref),
    createts: created,
    entry,
    exe,
    gid,
    group,
    name: baseName(exe),
    oid: xxhash64(encodeText(`${pid}${created}`)),
    pid,
    tty,
    uid,
    user,
  };
}

function fileJson({ target, effect, container }: Finding): Json {
  if (target.kind !== 'file') return undefined;
  const { path, to = '' } = target;
  return {
    directory: directoryName(path),
    fd: 0,
    is_open_read: effect.access.includes('r'),
    is_open_write: effect.access.includes('w'),
    name: baseName(path),
    newdirectory: directoryName(to),
    newname: baseName(to),
    newoid: to === '' ? '' : fileOid(container.id, to),
    newpath: to,
    newsymlink: '',
    oid: fileOid(container.id, path),
    openflags: openFlags(effect.access),
    path,
    symlink: '',
    type: target.type,
  };
}

function openFlags(access: string): string[] {
  if (access === '') return [];
  const flags = [access.includes('w') ? (access.includes('r') ? 'RDWR' : 'WRONLY') : 'RDONLY'];
  if (access.includes('a')) flags.push('APPEND');
  if (access.includes('c')) flags.push('CREAT');
  if (access.includes('t')) flags.push('TRUNC');
  return flags;
}

function netJson(finding: Finding): Json {
  const net = connectionOf(finding);
  if (net === undefined) return undefined;
  const { source, destination, protocol } = net;
  const [sport, dport] = [Number(source.port), Number(destination.port)];
  return {
    dip: destination.address,
    dport,
    ip: [source.address, destination.address],
    port: [sport, dport],
    proto: protocols[protocol],
    sip: source.address,
    sport,
  };
}
