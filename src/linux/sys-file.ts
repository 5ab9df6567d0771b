// The rows of the file families, joined, and the calls that a container is refused.
import { refused } from './catalogue.ts';
import { E } from './errno.ts';
import { attributeRows } from './sys-file-attr.ts';
import { copyRows } from './sys-file-copy.ts';
import { descriptorRows } from './sys-file-fd.ts';
import { ioRows } from './sys-file-io.ts';
import { openRows } from './sys-file-open.ts';
import { pathRows } from './sys-file-path.ts';
import { statRows } from './sys-file-stat.ts';
import type { SyscallRow } from './syscall.ts';

const SECCOMP = 'EPERM by the default seccomp profile of a container runtime';
const refusedRows: readonly SyscallRow[] = [
  refused('io_uring_setup', E.PERM, SECCOMP),
  refused('io_uring_enter', E.PERM, SECCOMP),
  refused('io_uring_register', E.PERM, SECCOMP),
  refused('open_by_handle_at', E.PERM, SECCOMP),
  refused('name_to_handle_at', E.OPNOTSUPP, 'the overlay file system exports no handles'),
  refused('fanotify_init', E.PERM, SECCOMP),
  refused('fanotify_mark', E.BADF, 'no fanotify descriptor can exist'),
  refused('quotactl', E.PERM, SECCOMP),
  refused('quotactl_fd', E.PERM, SECCOMP),
  refused('swapon', E.PERM, SECCOMP),
  refused('swapoff', E.PERM, SECCOMP),
  refused('fsopen', E.PERM, SECCOMP),
  refused('fsconfig', E.PERM, SECCOMP),
  refused('fsmount', E.PERM, SECCOMP),
  refused('fspick', E.PERM, SECCOMP),
  refused('open_tree', E.PERM, SECCOMP),
  refused('mount_setattr', E.PERM, SECCOMP),
  refused('ustat', E.NOSYS, 'gone from modern kernels'),
];

export const fileRows: readonly SyscallRow[] = [
  ...ioRows,
  ...openRows,
  ...statRows,
  ...pathRows,
  ...attributeRows,
  ...descriptorRows,
  ...copyRows,
  ...refusedRows,
];
