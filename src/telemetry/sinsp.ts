// Events in the field names of libsinsp (Falco, Sysdig: https://falco.org/docs/reference/rules/supported-fields/), as
// far as an output has them, to observations. Falco's alerts (falco.ts) and Sysdig's lines (sinsp-text.ts) are read into
// such fields. What an output leaves out is unknown, never guessed: an event without `fd.name` is held to its operation.
import type { Effect, Endpoint, FileType, Op, Protocol, Resource } from '../effect/index.ts';
import { timeOf } from './json-lines.ts';
import { ERRNO } from './linux-names.ts';
import type { ContainerInfo, Observation } from './observation.ts';
import { ProcessBook, type ProcessFacts } from './process-book.ts';

/** A field's text; '' where the output does not have it, or has `<NA>`. */
export type SinspFields = (name: string) => string;

const none: Resource = { kind: 'none' };

export class SinspMapper {
  readonly skipped = new Map<string, number>();
  readonly book: ProcessBook;

  constructor(exporter: string, sees: ReadonlySet<Op>, emit: (observation: Observation) => void) {
    this.book = new ProcessBook(exporter, sees, emit);
  }

  /** One event; false where it cannot be placed: no time, no process. */
  event(fields: SinspFields, time = timeOfEvent(fields)): boolean {
    const pid = Number(fields('proc.pid') || fields('thread.tid'));
    if (time === undefined || !Number.isInteger(pid) || pid <= 0) return false;
    const call = callOf(fields('evt.type'));
    if (fields('evt.dir') === '>' && call !== 'procexit') {
      this.skip('entry of a call');
      return true;
    }
    const facts = factsOf(fields, pid, time);
    this.book.container(containerOf(fields, facts.containerId));
    const tid = Number(fields('thread.tid')) || pid;
    const ret = resultOf(fields);
    if (call === 'execve' || call === 'execveat') {
      if (ret < 0) this.skip('failed exec');
      else this.book.exec(facts, tid);
    } else if (call === 'procexit') {
      const status = Number(/-?\d+/.exec(argOf(fields, 'status'))?.[0] ?? 0);
      this.book.exit(this.book.at(facts), tid, time, status);
    } else this.call(call, fields, facts, tid, ret);
    return true;
  }

  skip(what: string): void {
    this.skipped.set(what, (this.skipped.get(what) ?? 0) + 1);
  }

  private call(call: string, fields: SinspFields, facts: ProcessFacts, tid: number, ret: number): void {
    const effect = CALLS.get(call)?.(fields, ret);
    if (effect === undefined) {
      this.skip(call === '' ? 'without evt.type' : call);
      return;
    }
    const process = this.book.at(facts);
    // The child's side of a clone: its process has just been told of.
    if (effect.op === 'CLONE' && ret === 0) return;
    this.book.event(process, tid, facts.time, effect, ret);
  }
}

/** `openat`, whether a version or a direction stands behind it. */
const callOf = (type: string): string => type.replace(/_x$|_e$/, '');

function factsOf(fields: SinspFields, pid: number, time: bigint): ProcessFacts {
  const id = fields('container.id');
  const exe = fields('proc.exepath') || absolute(fields('proc.exe'));
  const started = timeOf(fields('proc.pid.ts'));
  return {
    pid,
    time,
    created: started,
    exe,
    args: argsOf(fields),
    uid: numeric(fields('user.uid')),
    gid: numeric(fields('group.gid')),
    user: fields('user.name') || undefined,
    cwd: fields('proc.cwd') || undefined,
    tty: fields('proc.tty') === '' ? undefined : fields('proc.tty') !== '0',
    containerId: id === 'host' ? '' : id.slice(0, 12),
    entry: fields('proc.vpid') === '' ? undefined : fields('proc.vpid') === '1',
  };
}

/** proc.cmdline is proc.name (which is cut at 15 characters) and proc.args. */
function argsOf(fields: SinspFields): string | undefined {
  const args = fields('proc.args');
  if (args !== '') return args;
  const [line, name] = [fields('proc.cmdline'), fields('proc.name')];
  if (line === '') return undefined;
  if (name !== '' && (line === name || line.startsWith(`${name} `))) return line.slice(name.length + 1);
  const space = line.indexOf(' ');
  return space < 0 ? '' : line.slice(space + 1);
}

function containerOf(fields: SinspFields, id: string): ContainerInfo {
  const repository = fields('container.image.repository');
  const tag = fields('container.image.tag');
  const image = fields('container.image') || (tag === '' ? repository : `${repository}:${tag}`);
  const imageId = fields('container.image.id') || fields('container.image.digest');
  const privileged = fields('container.privileged') === 'true';
  return { id, name: fields('container.name'), image, imageId, privileged };
}

function timeOfEvent(fields: SinspFields): bigint | undefined {
  for (const name of ['evt.rawtime', 'evt.time.iso8601', 'evt.time', 'evt.datetime', 'evt.outputtime']) {
    const time = timeOf(fields(name));
    if (time !== undefined) return time;
  }
  return undefined;
}

/** Negative errno on failure; 0 where the output does not say. */
function resultOf(fields: SinspFields): number {
  for (const text of [fields('evt.rawres'), argOf(fields, 'res'), fields('evt.res'), argOf(fields, 'fd')]) {
    const number = /^-?\d+/.exec(text)?.[0];
    if (number !== undefined) return Number(number);
    const error = ERRNO.get(text);
    if (error !== undefined) return -error;
  }
  return fields('evt.failed') === 'true' ? -1 : 0;
}

/** An argument of the call: its own field, or its part of `evt.args`, which are `name=value` with spaces between. */
function argOf(fields: SinspFields, name: string): string {
  const own = fields(`evt.arg.${name}`) || fields(`evt.rawarg.${name}`) || fields(`evt.arg[${name}]`);
  if (own !== '') return own;
  const args = fields('evt.args') || fields('evt.info');
  if (args === '') return '';
  const line = ` ${args}`;
  const start = line.indexOf(` ${name}=`);
  if (start < 0) return '';
  const rest = line.slice(start + name.length + 2);
  const next = / [a-z_]+=/.exec(rest);
  const value = (next === null ? rest : rest.slice(0, next.index)).trim();
  return value === '<NA>' ? '' : value;
}

// Effects by call

type Row = (fields: SinspFields, ret: number) => Effect | undefined;

const onDescriptor =
  (op: Op): Row =>
  (fields) => {
    const resource = descriptor(fields, op);
    return resource === undefined ? undefined : { op, resource, access: '' };
  };

const open: Row = (fields) => {
  const path = fields('fs.path.name') || fields('fd.name') || argOf(fields, 'name');
  const flags = argOf(fields, 'flags');
  const type: FileType = flags.includes('O_DIRECTORY') || fields('fd.type') === 'directory' ? 'd' : 'f';
  return { op: 'OPEN', resource: path === '' ? none : file(type, clean(path)), access: openAccess(fields) };
};

const onName =
  (op: Op, type: FileType, ...names: readonly string[]): Row =>
  (fields) => {
    const path = [
      fields('fs.path.name'),
      ...names.map((name) => argOf(fields, name)),
      fields('fd.name'),
    ].find((text) => text !== '');
    return { op, resource: path === undefined ? none : file(type, clean(path)), access: '' };
  };

const onTwo =
  (op: Op, from: string, to: string): Row =>
  (fields) => {
    const source = fields('fs.path.source') || argOf(fields, from);
    const target = fields('fs.path.target') || argOf(fields, to);
    if (source === '' || target === '') return { op, resource: none, access: '' };
    return {
      op,
      resource: { kind: 'file', type: '?', path: clean(source), to: clean(target) },
      access: '',
    };
  };

const word =
  (op: Op, kind: 'id' | 'task', name: string, before = ''): Row =>
  (fields) => {
    const text = /^-?\w+/.exec(argOf(fields, name))?.[0];
    if (text === undefined) return { op, resource: none, access: '' };
    const value = before + text;
    return {
      op,
      resource: kind === 'id' ? { kind, value } : { kind, what: value },
      access: '',
    };
  };

const plain =
  (op: Op): Row =>
  () => ({ op, resource: none, access: '' });

const clone: Row = (fields, ret) => {
  if (ret < 0) return undefined;
  const flags = argOf(fields, 'flags');
  const what = flags === '' ? '' : flags.includes('CLONE_THREAD') ? 'thread' : 'process';
  return { op: 'CLONE', resource: { kind: 'task', what }, access: '' };
};

const mmap: Row = (fields) => {
  const resource = descriptor(fields, 'MMAP');
  const prot = argOf(fields, 'prot');
  if (resource === undefined || resource.kind === 'none') return undefined;
  const access = ['READ', 'WRITE', 'EXEC']
    .filter((name) => prot.includes(`PROT_${name}`))
    .map((name) => (name === 'EXEC' ? 'x' : name[0].toLowerCase()))
    .join('');
  return { op: 'MMAP', resource, access };
};

const names = (text: string): readonly string[] => text.trim().split(/\s+/);
const rows = (text: string, row: Row): [string, Row][] => names(text).map((name) => [name, row]);

const CALLS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ...rows('open openat openat2 creat open_by_handle_at', open),
  ...rows('read readv pread pread64 preadv recv recvfrom recvmsg recvmmsg', onDescriptor('READ')),
  ...rows('write writev pwrite pwrite64 pwritev send sendto sendmsg sendmmsg', onDescriptor('WRITE')),
  ['close', onDescriptor('CLOSE')],
  ['shutdown', onDescriptor('SHUTDOWN')],
  ...rows('accept accept4', onDescriptor('ACCEPT')),
  ['connect', onDescriptor('CONNECT')],
  ['bind', onDescriptor('BIND')],
  ['listen', onDescriptor('LISTEN')],
  ['ftruncate', onDescriptor('TRUNCATE')],
  ...rows('mmap mmap2', mmap),
  ...rows('unlink unlinkat', onName('UNLINK', '?', 'path', 'name')),
  ['rmdir', onName('RMDIR', 'd', 'path')],
  ...rows('mkdir mkdirat', onName('MKDIR', 'd', 'path')),
  ...rows('rename renameat renameat2', onTwo('RENAME', 'oldpath', 'newpath')),
  ...rows('link linkat', onTwo('LINK', 'oldpath', 'newpath')),
  ...rows('symlink symlinkat', onTwo('SYMLINK', 'linkpath', 'target')),
  ...rows('chmod fchmod fchmodat', onName('CHMOD', '?', 'filename', 'path')),
  ...rows('chown lchown fchown fchownat', onName('CHOWN', '?', 'path', 'pathname')),
  ...rows('mknod mknodat', onName('MKNOD', '?', 'path')),
  ['chdir', onName('CHDIR', 'd', 'path')],
  ['chroot', onName('CHROOT', 'd', 'path')],
  ['mount', plain('MOUNT')],
  ...rows('umount umount2', onName('UMOUNT', 'd', 'name')),
  ...rows('setuid setresuid setreuid', word('SETUID', 'id', 'uid')),
  ...rows('setgid setresgid setregid', word('SETGID', 'id', 'gid')),
  ...rows('setns', plain('SETNS')),
  ...rows('unshare', plain('UNSHARE')),
  ...rows('capset', plain('SETCAP')),
  ...rows('bpf', plain('BPF')),
  ...rows('init_module finit_module delete_module', plain('MODULE')),
  ...rows('ptrace process_vm_writev', plain('PTRACE')),
  ...rows('kill tkill tgkill', word('KILL', 'task', 'sig', 'signal:')),
  ...rows('clone clone3 fork vfork', clone),
]);

/** Undefined: something that reaches nothing outside of the task. */
function descriptor(fields: SinspFields, op: Op): Resource | undefined {
  const own = argOf(fields, 'fd');
  const typed = /^\d+\(<(\w)(\w?)>(.*)\)$/s.exec(own);
  const tuple = argOf(fields, 'tuple') || argOf(fields, 'addr');
  const name = fields('fd.name') || typed?.[3] || tuple || /^\d+\((.*)\)$/s.exec(own)?.[1] || '';
  const char = fields('fd.typechar') || typed?.[1] || typeChars[fields('fd.type')] || '';
  const address = fields('fd.lip') || fields('fd.sip') || fields('fd.cip');
  if (name === '' && address === '') return none;
  if (char === 'p') return { kind: 'file', type: 'p', path: 'pipe:' };
  if (char === 'u') return { kind: 'file', type: 'u', path: unixName(name) };
  if (char === '4' || char === '6' || (char === '' && (address !== '' || connection.test(name))))
    return net(fields, op, name, fields('fd.l4proto') || transports[typed?.[2] ?? ''] || '');
  if (/^[eslibnwmrtv]$/.test(char)) return undefined;
  return name.startsWith('/') ? file(char === 'd' ? 'd' : 'f', name) : none;
}

const typeChars: { readonly [type: string]: string | undefined } = {
  file: 'f',
  directory: 'd',
  ipv4: '4',
  ipv6: '6',
  unix: 'u',
  pipe: 'p',
  event: 'e',
  signalfd: 's',
  eventpoll: 'l',
  inotify: 'i',
  timerfd: 't',
  netlink: 'n',
};
const transports: { readonly [char: string]: string | undefined } = {
  t: 'tcp',
  u: 'udp',
  i: 'icmp',
  r: 'raw',
};
const protocols: ReadonlySet<string> = new Set(['tcp', 'udp', 'icmp', 'raw']);

const end = String.raw`\[?([0-9a-fA-F.:]+?)\]?:(\d+)`;
const connection = new RegExp(`^${end}->${end}$`);
const single = new RegExp(`^${end}$`);

/** A connection is `client->server`, whoever is observed; a bound or listening socket is one address. */
function net(fields: SinspFields, op: Op, name: string, transport: string): Resource {
  const protocol: Protocol = protocols.has(transport) ? (transport as Protocol) : 'tcp';
  const both = connection.exec(name);
  const client = ends(fields('fd.cip') || both?.[1], fields('fd.cport') || both?.[2]);
  const server = ends(fields('fd.sip') || both?.[3], fields('fd.sport') || both?.[4]);
  if (fields('fd.lip') !== '' || fields('fd.rip') !== '')
    return {
      kind: 'net',
      protocol,
      local: ends(fields('fd.lip'), fields('fd.lport')),
      peer: ends(fields('fd.rip'), fields('fd.rport')),
    };
  const one = both === null ? single.exec(name) : null;
  if (one !== null && op !== 'CONNECT')
    return { kind: 'net', protocol, local: ends(one[1], one[2]), peer: ends(undefined, undefined) };
  const isServer = fields('fd.is_server') === 'true' || op === 'ACCEPT';
  return {
    kind: 'net',
    protocol,
    local: isServer ? server : client,
    peer: isServer ? client : one === null ? server : ends(one[1], one[2]),
  };
}

const ends = (address: string | undefined, port: string | undefined): Endpoint => ({
  address: address ?? '',
  port: port === undefined || port === '' ? '0' : port,
});

const file = (type: FileType, path: string): Resource => ({ kind: 'file', type, path });

/** `8bfb…->8bfb… /run/socket` */
const unixName = (name: string): string => /^[0-9a-f]+->[0-9a-f]+ ?(.*)$/s.exec(name)?.[1] ?? name;

/** Names in text are `resolved(as given)` or `-100(AT_FDCWD)` and the like in front. */
const clean = (name: string): string => /^(\/[^()]*)\([^()]*\)$/.exec(name)?.[1] ?? name;

function openAccess(fields: SinspFields): string {
  const flags = argOf(fields, 'flags');
  const read = fields('evt.is_open_read') === 'true' || /O_RDONLY|O_RDWR/.test(flags);
  const write = fields('evt.is_open_write') === 'true' || /O_WRONLY|O_RDWR/.test(flags);
  // Without the flags, whether it may create is not known, and so are no rights at all.
  if (flags === '') return '';
  return [
    read ? 'r' : '',
    write ? 'w' : '',
    flags.includes('O_CREAT') ? 'c' : '',
    flags.includes('O_TRUNC') ? 't' : '',
    flags.includes('O_APPEND') ? 'a' : '',
  ].join('');
}

const absolute = (text: string): string => (text.startsWith('/') ? text : '');
const numeric = (text: string): number | undefined => (/^\d+$/.test(text) ? Number(text) : undefined);
