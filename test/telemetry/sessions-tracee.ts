// The session of sessions.ts as Tracee would have written it, in both of its shapes.
import { type Call, childOf, exeOf, isNet, iso, name, openFlags } from './sessions.ts';

/** Name, arguments (name, type, value) and the call within which the event comes. */
type TraceeEvent = readonly [string, readonly (readonly [string, string, unknown])[], string];

function traceeEvents({ op, resource, access, process, ret, tid }: Call): readonly TraceeEvent[] {
  const { pid } = process.id;
  if (op === 'EXEC' && resource.kind === 'program') {
    const { path } = resource;
    const argv = [path, ...(process.args === '' ? [] : process.args.split(' '))];
    return [
      [
        'security_file_open',
        [
          ['pathname', 'const char*', path],
          ['flags', 'int', 32],
        ],
        'execve',
      ],
      [
        'sched_process_exec',
        [
          ['cmdpath', 'const char*', path],
          ['pathname', 'const char*', path],
          ['argv', 'const char**', argv],
          ['invoked_from_kernel', 'int', 0],
        ],
        'execve',
      ],
    ];
  }
  if (op === 'CLONE') {
    // One event, which its child's side has no part of.
    return ret === 0
      ? []
      : [
          [
            'sched_process_fork',
            [
              ['parent_tid', 'int', tid],
              ['parent_pid', 'int', pid],
              ['child_tid', 'int', 0],
              ['child_pid', 'int', 0],
              ['child_ns_pid', 'int', ret],
              ['start_time', 'unsigned long', 0],
            ],
            'clone',
          ],
        ];
  }
  if (op === 'EXIT')
    return [
      [
        'sched_process_exit',
        [
          ['exit_code', 'long', ret],
          ['process_group_exit', 'bool', tid === pid],
        ],
        'exit_group',
      ],
    ];
  if (resource.kind === 'file' && resource.type === 'f') {
    const path = ['pathname', 'const char*', resource.path] as const;
    switch (op) {
      case 'OPEN':
        return [
          [
            'security_file_open',
            [path, ['flags', 'string', openFlags(access)], ['dev', 'dev_t', 1]],
            'openat',
          ],
          ['openat', [['dirfd', 'int', -100], path, ['flags', 'string', openFlags(access)]], 'openat'],
        ];
      case 'READ':
        return [
          ['vfs_read', [path, ['count', 'size_t', 10]], 'read'],
          [
            'read',
            [
              ['fd', 'int', 3],
              ['count', 'size_t', 10],
            ],
            'read',
          ],
        ];
      case 'WRITE':
        return [['vfs_write', [path, ['count', 'size_t', 10]], 'write']];
      case 'MMAP':
        return [
          [
            'security_mmap_file',
            [path, ['prot', 'unsigned long', 1], ['mmap_flags', 'unsigned long', 2]],
            'mmap',
          ],
        ];
      case 'CLOSE':
        return [['close', [['fd', 'string', `3=${resource.path}`]], 'close']];
      default:
        return [];
    }
  }
  if (isNet(resource) && (op === 'ACCEPT' || op === 'CONNECT')) {
    const { local, peer } = resource;
    const address = (end: typeof local): object => ({
      sa_family: 'AF_INET',
      sin_addr: end.address,
      sin_port: end.port,
    });
    return op === 'ACCEPT'
      ? [
          [
            'accept4',
            [
              ['sockfd', 'int', 3],
              ['addr', 'struct sockaddr*', address(peer)],
            ],
            'accept4',
          ],
          [
            'socket_accept',
            [
              ['sockfd', 'int', 3],
              ['local_addr', 'struct sockaddr*', address(local)],
              ['remote_addr', 'struct sockaddr*', address(peer)],
            ],
            'accept4',
          ],
        ]
      : [
          [
            'security_socket_connect',
            [
              ['sockfd', 'int', 3],
              ['type', 'string', 'SOCK_STREAM'],
              ['remote_addr', 'struct sockaddr*', address(peer)],
            ],
            'connect',
          ],
        ];
  }
  if (isNet(resource) && op === 'READ') return [['read', [['fd', 'int', 5]], 'read']];
  return [];
}

export function traceeLines(session: readonly Call[]): string[] {
  return session.flatMap((call, i) =>
    traceeEvents(call).map(([eventName, list, syscall]) => {
      const { process, parent, tid, container } = call;
      const { pid } = process.id;
      const child = childOf(session, i);
      const args = list.map(([argName, type, value]) => ({
        name: argName,
        type,
        value: /^child_(tid|pid)$/.test(argName) ? child : value,
      }));
      const text = JSON.stringify({
        timestamp: 'TIME',
        threadStartTime: 'START',
        processorId: 1,
        processId: process.entry ? 1 : pid + 100,
        cgroupId: 4576,
        threadId: tid,
        parentProcessId: 0,
        hostProcessId: pid,
        hostThreadId: tid,
        hostParentProcessId: parent?.id.pid ?? 4000,
        userId: process.uid,
        mountNamespace: 4026532801,
        pidNamespace: 4026532804,
        processName: name(process),
        executable: { path: eventName === 'sched_process_exec' ? exeOf(call) : '' },
        hostName: 'node-1',
        containerId: container.id,
        container: {
          id: `${container.id}${'0'.repeat(52)}`,
          name: container.name,
          image: container.image,
          imageDigest: `sha256:${container.imageId}`,
        },
        kubernetes: {},
        eventId: '730',
        eventName,
        matchedPolicies: ['all'],
        argsNum: args.length,
        returnValue: 0,
        syscall,
        stackAddresses: null,
        contextFlags: { containerStarted: true, isCompat: false },
        threadEntityId: 1484817851,
        processEntityId: pid + 2_000_000,
        parentEntityId: 0,
        args,
      });
      return text.replace('"TIME"', String(call.time)).replace('"START"', String(process.id.created));
    }),
  );
}

export function traceeNewLines(session: readonly Call[]): string[] {
  return traceeLines(session).map((line) => {
    const old = JSON.parse(line.replace(/"(timestamp|threadStartTime)":(\d+)/g, '"$1":"$2"')) as {
      readonly timestamp: string;
      readonly threadStartTime: string;
      readonly processId: number;
      readonly hostProcessId: number;
      readonly hostThreadId: number;
      readonly hostParentProcessId: number;
      readonly userId: number;
      readonly executable: { readonly path: string };
      readonly container: { readonly id: string; readonly name: string; readonly image: string };
      readonly eventName: string;
      readonly syscall: string;
      readonly args: readonly { readonly name: string; readonly value: unknown }[];
    };
    const typed = (value: unknown): object => {
      if (typeof value === 'number') return { int32: value };
      if (typeof value === 'boolean') return { bool: value };
      if (typeof value === 'string') return { str: value };
      return Array.isArray(value) ? { str_array: { value } } : { sockaddr: value };
    };
    const time = BigInt(old.timestamp);
    return JSON.stringify({
      timestamp: { seconds: String(time / 1_000_000_000n), nanos: Number(time % 1_000_000_000n) },
      id: 730,
      name: old.eventName,
      policies: { matched: ['all'] },
      workload: {
        process: {
          executable: old.executable,
          unique_id: { value: old.hostProcessId + 2_000_000 },
          host_pid: { value: old.hostProcessId },
          pid: { value: old.processId },
          real_user: { id: { value: old.userId } },
          thread: {
            start_time: iso(BigInt(old.threadStartTime)),
            name: 'x',
            host_tid: { value: old.hostThreadId },
            syscall: old.syscall,
          },
          ancestors: [{ host_pid: { value: old.hostParentProcessId } }],
        },
        container: {
          id: old.container.id,
          name: old.container.name,
          image: { name: old.container.image },
          started: true,
        },
      },
      data: old.args.map((arg) => ({ name: arg.name, ...typed(arg.value) })),
    });
  });
}
