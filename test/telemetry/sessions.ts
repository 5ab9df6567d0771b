// One session told by every source: observations (of flows) become the single calls that made them, and calls become
// lines as Falco, Sysdig, Tetragon, Tracee and strace would have written them. For tests that hold sources against each
// other.
import type { Op, Resource } from '../../src/effect/index.ts';
import type { ContainerInfo, Observation, ProcessInfo } from '../../src/telemetry/index.ts';

export interface Call {
  readonly time: bigint;
  readonly process: ProcessInfo;
  readonly parent: ProcessInfo | undefined;
  readonly tid: number;
  readonly op: Op;
  readonly resource: Resource;
  readonly access: string;
  readonly ret: number;
  readonly container: ContainerInfo;
}

/** Where in a flow its operations come. */
const order: readonly Op[] = ['OPEN', 'ACCEPT', 'CONNECT', 'MMAP', 'READ', 'WRITE', 'SHUTDOWN', 'CLOSE'];

/** Calls in order of time. Arguments of processes are as they were then. */
export function calls(observations: readonly Observation[]): Call[] {
  const latest = new Map<number, ProcessInfo>();
  const found: Call[] = [];
  let container: ContainerInfo | undefined;
  // Flows of what was inherited begin before their process does.
  const births = new Map<number, bigint>();
  for (const each of observations)
    if (each.kind === 'process' && !births.has(each.process.id.pid))
      births.set(each.process.id.pid, each.process.time);
  for (const each of observations) {
    if (each.kind === 'container') container = each.container;
    else if (each.kind === 'process') latest.set(each.process.id.pid, each.process);
    else if ((each.kind === 'event' || each.kind === 'flow') && container !== undefined) {
      const { task } = each;
      const process = latest.get(task.process.pid) as ProcessInfo;
      const parent = process.parent === undefined ? undefined : latest.get(process.parent.pid);
      const base = { process, parent, tid: task.tid, container };
      if (each.kind === 'event') {
        const { op, resource, access } = each.effect;
        found.push({ ...base, time: each.time, op, resource, access, ret: each.ret });
        continue;
      }
      const ops = order.filter((op) => each.ops.has(op));
      const span = each.end - each.start;
      for (const [i, op] of ops.entries()) {
        const last = op === 'CLOSE' || op === 'SHUTDOWN';
        const at = last ? each.end : each.start + (span * BigInt(i)) / BigInt(2 * ops.length);
        const birth = births.get(task.process.pid) ?? 0n;
        const time = at > birth ? at : birth + 1_000_000n;
        found.push({
          ...base,
          time,
          op,
          resource: each.resource,
          access: op === 'OPEN' ? each.access : '',
          ret: 0,
        });
      }
    }
  }
  return found.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

export const iso = (time: bigint): string =>
  `${new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19)}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`;

export const name = (process: ProcessInfo): string => process.exe.slice(process.exe.lastIndexOf('/') + 1);
export const isNet = (resource: Resource): resource is Extract<Resource, { kind: 'net' }> =>
  resource.kind === 'net';

/** System calls by operation, as the sources name them. */
const syscalls: { readonly [op: string]: string | undefined } = {
  OPEN: 'openat',
  READ: 'read',
  WRITE: 'write',
  CLOSE: 'close',
  MMAP: 'mmap',
  ACCEPT: 'accept4',
  CONNECT: 'connect',
  EXEC: 'execve',
  CLONE: 'clone',
  EXIT: 'procexit',
  UNLINK: 'unlinkat',
};

export const openFlags = (access: string): string =>
  [
    access.includes('r') && access.includes('w') ? 'O_RDWR' : access.includes('w') ? 'O_WRONLY' : 'O_RDONLY',
    access.includes('c') ? 'O_CREAT' : '',
    access.includes('t') ? 'O_TRUNC' : '',
    access.includes('a') ? 'O_APPEND' : '',
  ]
    .filter((flag) => flag !== '')
    .join('|');

/** The program that a call's process ran when it returned. */
export const exeOf = ({ process, op, resource }: Call): string =>
  op === 'EXEC' && resource.kind === 'program' ? resource.path : process.exe;

// Falco: https://falco.org/docs/concepts/outputs/formatting/

export function falcoLines(session: readonly Call[]): string[] {
  return session.flatMap((call) => {
    const fields = sinspFields(call);
    return [
      JSON.stringify({
        hostname: 'node-1',
        output: `${iso(call.time)}: Notice effect of ${fields['proc.name']}`,
        output_fields: { ...fields, 'evt.time': 'TIME' },
        priority: 'Notice',
        rule: `All of ${fields['evt.type']}`,
        source: 'syscall',
        tags: ['all'],
        time: iso(call.time),
      }).replace('"TIME"', String(call.time)),
    ];
  });
}

function sinspFields(call: Call): Record<string, string | number | boolean | null> {
  const { process, container, resource, op, tid } = call;
  const own: Record<string, string | number | boolean | null> = {
    'evt.type': syscalls[op] ?? op.toLowerCase(),
    'container.id': container.id,
    'container.name': container.name,
    'container.image.repository': container.image.split(':')[0],
    'container.image.tag': container.image.split(':')[1] ?? null,
    'proc.pid': process.id.pid,
    'proc.vpid': process.entry ? 1 : 7,
    'thread.tid': tid,
    'proc.ppid': call.parent?.id.pid ?? 4000,
    'proc.name': name(process),
    'proc.exepath': exeOf(call),
    'proc.cmdline': `${name(process)}${process.args === '' ? '' : ` ${process.args}`}`,
    'user.uid': process.uid,
    'user.name': '<NA>',
    'evt.rawres': op === 'CLONE' ? call.ret : 0,
  };
  if (op === 'EXIT') own['evt.arg.status'] = call.ret;
  if (op === 'OPEN') own['evt.arg.flags'] = openFlags(call.access);
  if (resource.kind === 'file') {
    own['fd.name'] = resource.path;
    own['fd.type'] = resource.type === 'u' ? 'unix' : resource.type === 'p' ? 'pipe' : 'file';
  } else if (isNet(resource)) {
    const { local, peer, protocol } = resource;
    own['fd.name'] = `${peer.address}:${peer.port}->${local.address}:${local.port}`;
    own['fd.type'] = 'ipv4';
    own['fd.l4proto'] = protocol;
    own['fd.is_server'] = true;
  }
  return own;
}

// Sysdig: https://github.com/draios/sysdig/wiki/sysdig-user-guide, with -pc and -t a

export function sinspLines(session: readonly Call[]): string[] {
  return session.flatMap((call, i) => {
    const { process, tid, op, resource, container } = call;
    const type = syscalls[op] ?? op.toLowerCase();
    const seconds = `${call.time / 1_000_000_000n}.${String(call.time % 1_000_000_000n).padStart(9, '0')}`;
    const head = (n: number, direction: string): string =>
      `${n} ${seconds} 2 ${container.name} (${container.id}) ${name(process)} (${tid}:${process.entry && tid === process.id.pid ? 1 : tid}) ${direction} ${type}`;
    const fd =
      resource.kind === 'file'
        ? `5(<${resource.type}>${resource.path})`
        : isNet(resource)
          ? `5(<4t>${resource.peer.address}:${resource.peer.port}->${resource.local.address}:${resource.local.port})`
          : '5';
    const threads = tid === process.id.pid ? '' : ` pid=${process.id.pid}(${name(process)})`;
    const [enter, exit] = ((): readonly [string, string] => {
      switch (op) {
        case 'OPEN':
          return [
            ` dirfd=-100(AT_FDCWD) name=${(resource as { path: string }).path} flags=1 mode=0`,
            ` fd=${fd} dirfd=-100(AT_FDCWD) name=${(resource as { path: string }).path} flags=1(${openFlags(call.access)}) mode=0`,
          ];
        case 'ACCEPT':
          return [' flags=0', ` fd=${fd} tuple=${fd.slice(6, -1)} queuepct=0`];
        case 'EXEC':
          return [
            ` filename=${exeOf(call)}`,
            ` res=0 exe=${exeOf(call)} args=${process.args.replaceAll(' ', '.')}. tid=${tid}(${name(process)}) pid=${process.id.pid}(${name(process)}) ptid=1 cwd=/ comm=${name(process)} uid=0`,
          ];
        case 'CLONE':
          return [
            '',
            ` res=${call.ret}(x) exe=${process.exe} args= tid=${tid}(x) pid=${process.id.pid}(x) flags=0`,
          ];
        default:
          return [` fd=${fd} size=1`, ' res=1 data=x'];
      }
    })();
    if (op === 'EXIT') return [`${head(2 * i, '>')} status=${call.ret}${threads}`];
    return [`${head(2 * i, '>')}${enter}`, `${head(2 * i + 1, '<')}${exit}${threads}`];
  });
}

// Tetragon: https://tetragon.io/docs/reference/grpc-api/

export function tetragonLines(session: readonly Call[]): string[] {
  const execIds = new Map<number, string>();
  const execId = (pid: number): string => execIds.get(pid) ?? `node-1:${pid}`;
  const process = (
    call: Call,
    info: ProcessInfo,
    flags: string,
    exe = info.exe,
    args = info.args,
  ): object => ({
    exec_id: Buffer.from(execId(info.id.pid)).toString('base64'),
    pid: info.id.pid,
    uid: info.uid,
    cwd: '/',
    binary: exe,
    arguments: args,
    flags,
    start_time: iso(info.time),
    auid: 4294967295,
    pod: {
      namespace: 'default',
      name: 'echo-0',
      container: {
        id: `containerd://${call.container.id}${'0'.repeat(52)}`,
        name: call.container.name,
        image: {
          id: `docker.io/example/echo@sha256:${'0f'.repeat(32)}`,
          name: `docker.io/${call.container.image}`,
        },
        start_time: iso(info.time),
        ...(info.entry ? { pid: 1 } : { pid: 7 }),
      },
    },
    docker: `${call.container.id}${'0'.repeat(19)}`,
    parent_exec_id: Buffer.from(execId(info.parent?.pid ?? 1)).toString('base64'),
    tid: call.tid,
  });
  const runtime = {
    exec_id: 'bm9kZTox',
    pid: 4000,
    uid: 0,
    cwd: '/',
    binary: '/usr/bin/containerd-shim-runc-v2',
    arguments: '',
    flags: 'execve clone',
  };
  const cloned = new Set<number>();
  return session.flatMap((call) => {
    const { op, resource, process: info, parent } = call;
    const { pid } = info.id;
    const tail = { node_name: 'node-1', time: iso(call.time) };
    const parentObject = parent === undefined ? runtime : process(call, parent, 'execve clone');
    const line = (kind: string, body: object): string => JSON.stringify({ [kind]: body, ...tail });
    if (op === 'EXEC' && resource.kind === 'program') {
      const flags = cloned.has(pid) ? 'execve' : 'execve clone';
      cloned.add(pid);
      const before = process(call, info, flags, parent?.exe ?? '/usr/bin/runc');
      execIds.set(pid, `node-1:${call.time}:${pid}`);
      // What the kernel does for an exec passes the same hooks.
      const kernels =
        parent === undefined
          ? []
          : [resource.path, '/usr/lib64/ld-linux-x86-64.so.2'].map((path) =>
              line('process_kprobe', {
                process: {
                  ...before,
                  exec_id: Buffer.from(`node-1:clone:${pid}`).toString('base64'),
                  pid,
                  binary: parent.exe,
                  arguments: parent.args,
                },
                parent: parentObject,
                function_name: 'security_file_permission',
                args: [{ file_arg: { path, permission: '-rwxr-xr-x' } }, { int_arg: 4 }],
                return: { int_arg: 0 },
                action: 'KPROBE_ACTION_POST',
                policy_name: 'file-monitoring',
              }),
            );
      return [
        ...kernels,
        line('process_exec', {
          process: process(call, info, flags, resource.path, info.args),
          parent: parentObject,
        }),
      ];
    }
    const own = process(call, info, 'execve clone');
    if (op === 'EXIT') {
      if (call.tid !== pid) return [];
      return [
        line('process_exit', {
          process: own,
          parent: parentObject,
          status: call.ret >> 8,
          time: iso(call.time),
        }),
      ];
    }
    const kprobe = (name: string, args: readonly object[]): string =>
      line('process_kprobe', {
        process: own,
        parent: parentObject,
        function_name: name,
        args,
        return: { int_arg: 0 },
        action: 'KPROBE_ACTION_POST',
        policy_name: 'monitoring',
        return_action: 'KPROBE_ACTION_POST',
      });
    if (resource.kind === 'file' && resource.type === 'f') {
      const path = { file_arg: { path: resource.path, permission: '-rw-r--r--' } };
      if (op === 'OPEN') return [kprobe('fd_install', [{ int_arg: 3 }, path])];
      if (op === 'READ') return [kprobe('security_file_permission', [path, { int_arg: 4 }])];
      if (op === 'WRITE') return [kprobe('security_file_permission', [path, { int_arg: 2 }])];
      if (op === 'MMAP') return [kprobe('security_mmap_file', [path, { uint_arg: 1 }, { uint_arg: 2 }])];
    }
    if (isNet(resource)) {
      const { local, peer } = resource;
      const sock = {
        sock_arg: {
          family: 'AF_INET',
          type: 'SOCK_STREAM',
          protocol: 'IPPROTO_TCP',
          saddr: local.address,
          daddr: peer.address,
          sport: Number(local.port),
          dport: Number(peer.port),
          cookie: '18446623413023686400',
          state: 'TCP_ESTABLISHED',
        },
      };
      if (op === 'WRITE') return [kprobe('tcp_sendmsg', [sock, { int_arg: 12 }])];
      if (op === 'CLOSE') return [kprobe('tcp_close', [sock])];
      if (op === 'CONNECT') return [kprobe('tcp_connect', [sock])];
    }
    return [];
  });
}

/** The pid of the child that the next call of a clone's child side names. */
export function childOf(session: readonly Call[], at: number): number {
  for (const call of session.slice(at)) if (call.op === 'CLONE' && call.ret === 0) return call.process.id.pid;
  return 0;
}

// strace, as STRACE_OPTIONS have it; it begins with the entrypoint

const signals: { readonly [number: number]: string | undefined } = { 11: 'SIGSEGV' };

export function straceLines(session: readonly Call[]): string[] {
  const bound = new Set<number>();
  const begin = session.findIndex(({ op }) => op === 'EXEC');
  return session.slice(begin).flatMap((call, i) => {
    const { op, resource, process, ret, tid } = call;
    const seconds = `${call.time / 1_000_000_000n}.${String(call.time % 1_000_000_000n).padStart(9, '0')}`;
    const line = (text: string): string => `${tid} ${seconds} ${text}`;
    if (op === 'EXEC' && resource.kind === 'program') {
      const argv = [resource.path, ...(process.args === '' ? [] : process.args.split(' '))];
      return [line(`execve("${resource.path}", ${JSON.stringify(argv).replaceAll('","', '", "')}, []) = 0`)];
    }
    if (op === 'CLONE')
      return ret === 0 ? [] : [line(`clone(child_stack=NULL, flags=0x11) = ${childOf(session, begin + i)}`)];
    if (op === 'EXIT')
      return [
        line(
          ret & 127
            ? `+++ killed by ${signals[ret & 127] ?? 'SIGKILL'} +++`
            : `+++ exited with ${ret >> 8} +++`,
        ),
      ];
    if (resource.kind === 'file') {
      const { path } = resource;
      const fd = path.startsWith('/dev/pts/') ? `1<${path}>` : `5<${path}>`;
      const texts: { readonly [op: string]: string | undefined } = {
        OPEN: `openat(AT_FDCWD</>, "${path}", ${openFlags(call.access)}, 0644) = ${fd}`,
        READ: `read(${fd}, "x", 10) = 1`,
        WRITE: `write(${fd}, "x", 1) = 1`,
        MMAP: `mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, ${fd}, 0) = 0x7f0000000000`,
        CLOSE: `close(${fd}) = 0`,
      };
      return texts[op] === undefined ? [] : [line(texts[op])];
    }
    if (!isNet(resource)) return [];
    const { local, peer } = resource;
    const address = (port: string, host: string): string =>
      `{sa_family=AF_INET, sin_port=htons(${port}), sin_addr=inet_addr("${host}")}`;
    const fd = `7<TCP:[${local.address}:${local.port}->${peer.address}:${peer.port}]>`;
    if (op === 'READ') return [line(`read(${fd}, "x", 10) = 1`)];
    if (op === 'WRITE') return [line(`write(${fd}, "x", 1) = 1`)];
    if (op === 'CLOSE') return [line(`close(${fd}) = 0`)];
    if (op !== 'ACCEPT') return [];
    const listening = `6<TCP:[0.0.0.0:${local.port}]>`;
    const binds = bound.has(process.id.pid)
      ? []
      : [
          line('socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 6<TCP:[77]>'),
          line(`bind(6<TCP:[77]>, ${address(local.port, '0.0.0.0')}, 16) = 0`),
        ];
    bound.add(process.id.pid);
    return [...binds, line(`accept4(${listening}, ${address(peer.port, peer.address)}, [16], 0) = ${fd}`)];
  });
}
