// Calls that a container may not make: the error that it gets, and the effect where the attempt matters.

import type { Effect, Op } from '../effect/index.ts';
import { refused, row } from './catalogue.ts';
import { E } from './errno.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';

type Describe = (task: Task, args: SysArgs) => Effect['resource'];

/** A refused call whose attempt is an effect. */
function denied(
  name: string,
  op: Op,
  errno: number,
  describe: Describe = () => ({ kind: 'none' }),
): SyscallRow {
  return row(
    name,
    (kernel, task, args) => {
      kernel.effect(task, { op, resource: describe(task, args), access: '' }, -errno);
      return -errno;
    },
    'refused',
    'not in a container',
  );
}

/** Refused here, while another kernel or runtime may do it: what a program then does is not seen, and a cut says so. */
function otherwise(name: string, errno: number, note: string): SyscallRow {
  return row(
    name,
    (kernel, task) => {
      kernel.cutHere(task, {
        kind: 'syscall-option',
        what: name,
        consequence: `answered ${errno === E.NOSYS ? 'ENOSYS' : 'EPERM'}, ${note}`,
      });
      return -errno;
    },
    'refused',
    `${note}; a call is a cut`,
  );
}

const ptraceRefused = otherwise(
  'ptrace',
  E.PERM,
  'as runtimes did before Linux 4.8; later ones let processes of one user trace each other',
);
const ptraceRow: SyscallRow = {
  ...ptraceRefused,
  handler: (kernel, task, args) => {
    const resource = { kind: 'task', what: `ptrace:${args.raw[0]}` } as const;
    kernel.effect(task, { op: 'PTRACE', resource, access: '' }, -E.PERM);
    return ptraceRefused.handler(kernel, task, args);
  },
};

export const refusedRows: readonly SyscallRow[] = [
  refused('sysfs', E.PERM, 'by the default seccomp profile of a container runtime'),
  refused('modify_ldt', E.NOSYS, 'as a kernel without local descriptor tables'),
  refused('remap_file_pages', E.NOSYS, 'by the default seccomp profile; nothing has used it since Linux 4.0'),
  ...[
    ['cachestat', '6.5'],
    ['futex_wake', '6.7'],
    ['futex_wait', '6.7'],
    ['futex_requeue', '6.7'],
    ['mseal', '6.10'],
  ].map(([name, since]) =>
    otherwise(name, E.NOSYS, `as Linux before ${since}, and runtimes whose profile does not know it`),
  ),
  denied(
    'setns',
    'SETNS',
    E.PERM,
    (task, args) => task.process.files.get(args.int(0))?.resource() ?? { kind: 'none' },
  ),
  ptraceRow,
  denied('init_module', 'MODULE', E.PERM),
  denied('finit_module', 'MODULE', E.PERM),
  denied('delete_module', 'MODULE', E.PERM),
  denied('bpf', 'BPF', E.PERM),
  denied('sethostname', 'SETHOSTNAME', E.PERM),
  denied('setdomainname', 'SETHOSTNAME', E.PERM),
  denied('reboot', 'REBOOT', E.PERM),
  denied('kexec_load', 'REBOOT', E.PERM),
  denied('kexec_file_load', 'REBOOT', E.PERM),
  ...[
    'iopl',
    'ioperm',
    'perf_event_open',
    'syslog',
    'vhangup',
    'lookup_dcookie',
    'add_key',
    'request_key',
    'keyctl',
    'process_madvise',
    'process_mrelease',
    'statmount',
    'listmount',
  ].map((name) => refused(name, E.PERM, 'not in a container')),
  ...[
    'uselib',
    '_sysctl',
    'create_module',
    'get_kernel_syms',
    'query_module',
    'nfsservctl',
    'getpmsg',
    'putpmsg',
    'afs_syscall',
    'tuxcall',
    'security',
    'epoll_ctl_old',
    'epoll_wait_old',
    'vserver',
    'set_thread_area',
    'get_thread_area',
    'uretprobe',
  ].map((name) => refused(name, E.NOSYS, 'not in Linux on x86-64')),
  ...['lsm_get_self_attr', 'lsm_set_self_attr', 'lsm_list_modules'].map((name) =>
    refused(name, E.OPNOTSUPP, 'as a kernel without that security module'),
  ),
];
