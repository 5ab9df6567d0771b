// Fields of records by the names that SysFlow's processor and sysprint have for them (`sf.proc.name`, also without
// `sf.`), with Falco's names as aliases. A field has no value where the record has none of the kind: an empty list.
import type { Op, Resource } from '../effect/index.ts';
import type { ProcessInfo } from './observation.ts';
import type { Row } from './rows.ts';

export type FieldValue = string | number | bigint | boolean;
export type Field = (row: Row) => readonly FieldValue[];

const one =
  (get: (row: Row) => FieldValue | undefined): Field =>
  (row) => {
    const value = get(row);
    return value === undefined ? [] : [value];
  };

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const directoryOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));
const commandOf = ({ exe, args }: ProcessInfo): string => (args === '' ? exe : `${exe} ${args}`);

/** Of a process and of its parent. */
const processFields: Readonly<Record<string, (process: ProcessInfo) => FieldValue>> = {
  pid: ({ id }) => id.pid,
  name: ({ exe }) => baseName(exe),
  exe: ({ exe }) => exe,
  args: ({ args }) => args,
  cmdline: commandOf,
  uid: ({ uid }) => uid,
  user: ({ user }) => user,
  gid: ({ gid }) => gid,
  group: ({ group }) => group,
  createts: ({ id }) => id.created,
  tty: ({ tty }) => tty,
  entry: ({ entry }) => entry,
  cwd: ({ cwd }) => cwd,
};

const resourceOf = ({ observation }: Row): Resource =>
  observation.kind === 'event' ? observation.effect.resource : observation.resource;

const accessOf = ({ observation }: Row): string =>
  observation.kind === 'event' ? observation.effect.access : observation.access;

/** READ and WRITE are RECV and SEND on sockets. */
export const opName = (op: Op, { type }: Row): string =>
  type !== 'NF' ? op : op === 'READ' ? 'RECV' : op === 'WRITE' ? 'SEND' : op;

const opFlags = (row: Row): string[] => {
  const { observation } = row;
  const cut = observation.kind === 'flow' && observation.cut;
  return [...row.ops.map((op) => opName(op, row)), ...(cut ? ['TRUNCATE'] : [])];
};

const openFlags: Readonly<Record<string, string>> = {
  r: 'RDONLY',
  w: 'WRONLY',
  c: 'CREAT',
  t: 'TRUNC',
  a: 'APPEND',
};

const file = (get: (path: string, row: Row) => FieldValue | undefined): Field =>
  one((row) => {
    const resource = resourceOf(row);
    return resource.kind === 'file' ? get(resource.path, row) : undefined;
  });

const newFile = (get: (path: string) => FieldValue): Field =>
  one((row) => {
    const resource = resourceOf(row);
    return resource.kind === 'file' && resource.to !== undefined ? get(resource.to) : undefined;
  });

interface Ends {
  readonly source: { readonly address: string; readonly port: string };
  readonly destination: { readonly address: string; readonly port: string };
}

/** The client is the source. Where neither ACCEPT nor CONNECT tells, the higher port is taken for the client's. */
export function endsOf(row: Row): Ends | undefined {
  const resource = resourceOf(row);
  if (resource.kind !== 'net') return undefined;
  const { local, peer } = resource;
  const serves =
    row.ops.includes('ACCEPT') || (!row.ops.includes('CONNECT') && Number(local.port) < Number(peer.port));
  return serves ? { source: peer, destination: local } : { source: local, destination: peer };
}

const net = (get: (ends: Ends) => readonly FieldValue[]): Field => {
  return (row) => {
    const ends = endsOf(row);
    return ends === undefined ? [] : get(ends);
  };
};

const flow = (name: 'reads' | 'writes' | 'bytesRead' | 'bytesWritten'): Field =>
  one(({ observation }) => (observation.kind === 'flow' ? observation[name] : undefined));

const protocols: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, raw: 254 };

export const FIELDS: Readonly<Record<string, Field>> = {
  type: one(({ type }) => type),
  opflags: opFlags,
  ret: one(({ observation }) => (observation.kind === 'event' ? observation.ret : undefined)),
  ts: one(({ observation }) => (observation.kind === 'event' ? observation.time : observation.start)),
  endts: one(({ observation }) => (observation.kind === 'event' ? observation.time : observation.end)),
  ...Object.fromEntries(
    Object.entries(processFields).flatMap(([name, get]) => [
      [`proc.${name}`, one(({ process }) => (process === undefined ? undefined : get(process)))],
      [`pproc.${name}`, one(({ parent }) => (parent === undefined ? undefined : get(parent)))],
    ]),
  ),
  'proc.pid': one(({ observation }) => observation.task.process.pid),
  'proc.tid': one(({ observation }) => observation.task.tid),
  'proc.aname': (row) => row.ancestors().map(({ exe }) => baseName(exe)),
  'proc.aexe': (row) => row.ancestors().map(({ exe }) => exe),
  'proc.acmdline': (row) => row.ancestors().map(commandOf),
  'proc.apid': (row) => row.ancestors().map(({ id }) => id.pid),
  'file.name': file(baseName),
  'file.path': file((path) => path),
  'file.directory': file(directoryOf),
  'file.newname': newFile(baseName),
  'file.newpath': newFile((path) => path),
  'file.newdirectory': newFile(directoryOf),
  'file.type': one((row) => {
    const resource = resourceOf(row);
    return resource.kind === 'file' ? resource.type : undefined;
  }),
  'file.fd': one(({ type, observation }) =>
    observation.kind === 'flow' && type === 'FF' ? observation.fd : undefined,
  ),
  'file.openflags': (row) => [...accessOf(row)].map((letter) => openFlags[letter] ?? letter),
  'file.is_open_read': file((_, row) => accessOf(row).includes('r')),
  'file.is_open_write': file((_, row) => accessOf(row).includes('w')),
  'net.proto': one((row) => {
    const resource = resourceOf(row);
    return resource.kind === 'net' ? protocols[resource.protocol] : undefined;
  }),
  'net.protoname': one((row) => {
    const resource = resourceOf(row);
    return resource.kind === 'net' ? resource.protocol : undefined;
  }),
  'net.sip': net(({ source }) => [source.address]),
  'net.sport': net(({ source }) => [Number(source.port)]),
  'net.dip': net(({ destination }) => [destination.address]),
  'net.dport': net(({ destination }) => [Number(destination.port)]),
  'net.ip': net(({ source, destination }) => [source.address, destination.address]),
  'net.port': net(({ source, destination }) => [Number(source.port), Number(destination.port)]),
  'flow.rbytes': flow('bytesRead'),
  'flow.rops': flow('reads'),
  'flow.wbytes': flow('bytesWritten'),
  'flow.wops': flow('writes'),
  'container.id': one(({ container, process }) => container?.id ?? (process?.containerId || undefined)),
  'container.name': one(({ container }) => container?.name),
  'container.image': one(({ container }) => container?.image),
  'container.imageid': one(({ container }) => container?.imageId),
  'container.privileged': one(({ container }) => container?.privileged),
};

const aliases: Readonly<Record<string, string>> = {
  'evt.type': 'opflags',
  'evt.res': 'ret',
  'evt.time': 'ts',
  'thread.tid': 'proc.tid',
  'proc.exepath': 'proc.exe',
  'proc.ppid': 'pproc.pid',
  'proc.pname': 'pproc.name',
  'proc.pexe': 'pproc.exe',
  'proc.pcmdline': 'pproc.cmdline',
  'user.name': 'proc.user',
  'user.uid': 'proc.uid',
  'group.name': 'proc.group',
  'group.gid': 'proc.gid',
  'fd.name': 'file.path',
  'fd.filename': 'file.name',
  'fd.directory': 'file.directory',
  'fd.num': 'file.fd',
  'fd.sip': 'net.dip',
  'fd.sport': 'net.dport',
  'fd.cip': 'net.sip',
  'fd.cport': 'net.sport',
  'fd.ip': 'net.ip',
  'fd.port': 'net.port',
  'fd.l4proto': 'net.protoname',
};

/** The field's own name; undefined where there is none. */
export function fieldName(name: string): string | undefined {
  const plain = name.toLowerCase().replace(/^sf\./, '');
  const found = aliases[plain] ?? plain;
  return Object.hasOwn(FIELDS, found) ? found : undefined;
}
