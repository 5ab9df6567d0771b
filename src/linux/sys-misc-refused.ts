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

export const refusedRows: readonly SyscallRow[] = [
  refused('sysfs', E.PERM, 'by the default seccomp profile of a container runtime'),
  refused('modify_ldt', E.NOSYS, 'as a kernel without local descriptor tables'),
  refused('remap_file_pages', E.NOSYS, 'by the default seccomp profile; nothing has used it since Linux 4.0'),
  ...['cachestat', 'futex_wake', 'futex_wait', 'futex_requeue', 'mseal'].map((name) =>
    refused(name, E.NOSYS, 'as Linux before 6.5; libraries ask and do without'),
  ),
  denied(
    'setns',
    'SETNS',
    E.PERM,
    (task, args) => task.process.files.get(args.int(0))?.resource() ?? { kind: 'none' },
  ),
  denied('ptrace', 'PTRACE', E.PERM, (_task, args) => ({ kind: 'task', what: `ptrace:${args.raw[0]}` })),
  denied('process_vm_readv', 'PTRACE', E.PERM, () => ({ kind: 'task', what: 'read' })),
  denied('process_vm_writev', 'PTRACE', E.PERM, () => ({ kind: 'task', what: 'write' })),
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
