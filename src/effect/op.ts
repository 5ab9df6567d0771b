// Operations: what a task does to a process, a file or a socket. The first twenty-one carry SysFlow's names and
// bit numbers (sf-apis opFlags); the rest are effects that SysFlow has no record for but exact sources see.

/** SysFlow's operations; the index is the bit number of `opFlags`. */
export const SYSFLOW_OPS = [
  'CLONE',
  'EXEC',
  'EXIT',
  'SETUID',
  'SETNS',
  'ACCEPT',
  'CONNECT',
  'OPEN',
  'READ',
  'WRITE',
  'CLOSE',
  'TRUNCATE',
  'SHUTDOWN',
  'MMAP',
  'DIGEST',
  'MKDIR',
  'RMDIR',
  'LINK',
  'UNLINK',
  'SYMLINK',
  'RENAME',
] as const;

/** Effects beyond SysFlow's. */
export const OTHER_OPS = [
  'BIND',
  'LISTEN',
  'SETGID',
  'SETGROUPS',
  'SETCAP',
  'CHDIR',
  'CHROOT',
  'CHMOD',
  'CHOWN',
  'UTIME',
  'SETXATTR',
  'MKNOD',
  'ALLOCATE',
  'MOUNT',
  'UMOUNT',
  'UNSHARE',
  'PTRACE',
  'KILL',
  'MPROTECT',
  'MODULE',
  'BPF',
  'SETHOSTNAME',
  'SETTIME',
  'REBOOT',
] as const;

export const OPS = [...SYSFLOW_OPS, ...OTHER_OPS] as const;
export type Op = (typeof OPS)[number];

const known: ReadonlySet<string> = new Set(OPS);
export const isOp = (text: string): text is Op => known.has(text);
