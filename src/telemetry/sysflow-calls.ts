// The system calls that SysFlow's collector 0.7 makes records of (sf-collector, syscall_defs.h). Others that it
// subscribes to have no handler: creat, openat2, clone3, execveat, chmod, bind, listen.

const names = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Operations on a descriptor: flows. */
export const DESCRIPTOR_CALLS: ReadonlySet<string> = new Set(
  names(`open openat close read pread64 readv preadv write pwrite64 writev pwritev sendto sendmsg sendmmsg recvfrom
  recvmsg recvmmsg accept accept4 connect shutdown mmap setns`),
);

/** Operations on a name: file events. */
export const NAME_CALLS: ReadonlySet<string> = new Set(
  names('mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat rename renameat renameat2'),
);

/** Operations on processes: process events. */
export const PROCESS_CALLS: ReadonlySet<string> = new Set(
  names('clone fork vfork execve exit exit_group setuid setresuid'),
);
