// Constants and structures of the file syscalls on x86-64 (include/uapi/linux/{fcntl,stat,fs,falloc,limits}.h,
// asm-generic). Only layouts; nothing here knows the kernel.
import { encodeText } from '../bytes/index.ts';

/** open(2) flags. */
export const O = {
  ACCMODE: 0o3,
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  ASYNC: 0o20000,
  DIRECT: 0o40000,
  LARGEFILE: 0o100000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  NOATIME: 0o1000000,
  CLOEXEC: 0o2000000,
  SYNC: 0o4010000,
  PATH: 0o10000000,
  TMPFILE: 0o20200000,
} as const;
/** The bit of O.TMPFILE that is not O_DIRECTORY. */
export const O_TMPFILE_BIT = 0o20000000;
/** Every flag that open(2) knows; openat2 refuses others. */
export const O_VALID = 0o37777703 & ~0o74;

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  EACCESS: 0x200,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  STATX_SYNC_TYPE: 0x6000,
} as const;

export const RESOLVE = {
  NO_XDEV: 1,
  NO_MAGICLINKS: 2,
  NO_SYMLINKS: 4,
  BENEATH: 8,
  IN_ROOT: 16,
  CACHED: 32,
} as const;
export const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;

export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o060000,
  IFDIR: 0o040000,
  IFCHR: 0o020000,
  IFIFO: 0o010000,
  ISUID: 0o4000,
  ISGID: 0o2000,
  ISVTX: 0o1000,
} as const;

export const F = {
  DUPFD: 0,
  GETFD: 1,
  SETFD: 2,
  GETFL: 3,
  SETFL: 4,
  GETLK: 5,
  SETLK: 6,
  SETLKW: 7,
  SETOWN: 8,
  GETOWN: 9,
  SETSIG: 10,
  GETSIG: 11,
  SETOWN_EX: 15,
  GETOWN_EX: 16,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
  SETLEASE: 1024,
  GETLEASE: 1025,
  NOTIFY: 1026,
  DUPFD_CLOEXEC: 1030,
  SETPIPE_SZ: 1031,
  GETPIPE_SZ: 1032,
  ADD_SEALS: 1033,
  GET_SEALS: 1034,
  GET_RW_HINT: 1035,
  SET_RW_HINT: 1036,
} as const;
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXEC: 32 } as const;
export const LOCK = { RDLCK: 0, WRLCK: 1, UNLCK: 2, SH: 1, EX: 2, NB: 4, UN: 8 } as const;
export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;
export const FALLOC = {
  KEEP_SIZE: 1,
  PUNCH_HOLE: 2,
  COLLAPSE_RANGE: 8,
  ZERO_RANGE: 16,
  INSERT_RANGE: 32,
  UNSHARE_RANGE: 64,
} as const;

export const PATH_MAX = 4096;
export const NAME_MAX = 255;
/** Most bytes that one read or write moves (MAX_RW_COUNT). */
export const MAX_RW = 0x7ffff000;

/** makedev(3): glibc's 64-bit encoding, which stat(2) returns as well. */
export function makeDevice(major: number, minor: number): bigint {
  const [ma, mi] = [BigInt(major), BigInt(minor)];
  return ((ma & 0xfffn) << 8n) | (mi & 0xffn) | ((mi & 0xffffff00n) << 12n) | ((ma & 0xfffff000n) << 32n);
}
/** The kernel's 32-bit encoding, as mknod(2) takes it. */
export function splitDevice(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

/** What stat tells of a file; times in epoch ns. */
export interface Stat {
  readonly major: number;
  readonly minor: number;
  readonly ino: number;
  readonly nlink: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly size: number;
  readonly blksize: number;
  /** 512-byte blocks. */
  readonly blocks: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly btime: bigint;
  readonly mountId: number;
  readonly mountRoot: boolean;
}

const SECOND = 1_000_000_000n;
/** Seconds and nanoseconds; the nanoseconds are never negative. */
export function splitTime(ns: bigint): readonly [bigint, number] {
  let seconds = ns / SECOND;
  let rest = ns % SECOND;
  if (rest < 0n) {
    seconds -= 1n;
    rest += SECOND;
  }
  return [seconds, Number(rest)];
}

/** struct stat of x86-64, 144 bytes. */
export function packStat(stat: Stat): Uint8Array {
  const out = new Uint8Array(144);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, makeDevice(stat.major, stat.minor), true);
  view.setBigUint64(8, BigInt(stat.ino), true);
  view.setBigUint64(16, BigInt(stat.nlink), true);
  view.setUint32(24, stat.mode, true);
  view.setUint32(28, stat.uid, true);
  view.setUint32(32, stat.gid, true);
  view.setBigUint64(40, makeDevice(stat.rdevMajor, stat.rdevMinor), true);
  view.setBigInt64(48, BigInt(stat.size), true);
  view.setBigInt64(56, BigInt(stat.blksize), true);
  view.setBigInt64(64, BigInt(stat.blocks), true);
  for (const [at, time] of [
    [72, stat.atime],
    [88, stat.mtime],
    [104, stat.ctime],
  ] as const) {
    const [seconds, ns] = splitTime(time);
    view.setBigInt64(at, seconds, true);
    view.setBigInt64(at + 8, BigInt(ns), true);
  }
  return out;
}

const STATX_BASIC = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_MNT_ID = 0x1000;
const ATTR_MOUNT_ROOT = 0x2000n;

/** struct statx, 256 bytes. */
export function packStatx(stat: Stat): Uint8Array {
  const out = new Uint8Array(256);
  const view = new DataView(out.buffer);
  view.setUint32(0, STATX_BASIC | STATX_BTIME | STATX_MNT_ID, true);
  view.setUint32(4, stat.blksize, true);
  view.setBigUint64(8, stat.mountRoot ? ATTR_MOUNT_ROOT : 0n, true);
  view.setUint32(16, stat.nlink, true);
  view.setUint32(20, stat.uid, true);
  view.setUint32(24, stat.gid, true);
  view.setUint16(28, stat.mode, true);
  view.setBigUint64(32, BigInt(stat.ino), true);
  view.setBigUint64(40, BigInt(stat.size), true);
  view.setBigUint64(48, BigInt(stat.blocks), true);
  view.setBigUint64(56, ATTR_MOUNT_ROOT, true);
  for (const [at, time] of [
    [64, stat.atime],
    [80, stat.btime],
    [96, stat.ctime],
    [112, stat.mtime],
  ] as const) {
    const [seconds, ns] = splitTime(time);
    view.setBigInt64(at, seconds, true);
    view.setUint32(at + 8, ns, true);
  }
  view.setUint32(128, stat.rdevMajor, true);
  view.setUint32(132, stat.rdevMinor, true);
  view.setUint32(136, stat.major, true);
  view.setUint32(140, stat.minor, true);
  view.setBigUint64(144, BigInt(stat.mountId), true);
  return out;
}

/** What statfs tells of a file system. */
export interface StatFs {
  readonly magic: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly free: number;
  readonly files: number;
  readonly filesFree: number;
  readonly fsid: number;
  readonly flags: number;
}

/** struct statfs of x86-64, 120 bytes. */
export function packStatFs(stat: StatFs): Uint8Array {
  const out = new Uint8Array(120);
  const view = new DataView(out.buffer);
  const longs = [stat.magic, stat.blockSize, stat.blocks, stat.free, stat.free, stat.files, stat.filesFree];
  longs.forEach((value, i) => {
    view.setBigUint64(8 * i, BigInt(value), true);
  });
  view.setUint32(56, stat.fsid, true);
  view.setBigUint64(64, BigInt(NAME_MAX), true);
  view.setBigUint64(72, BigInt(stat.blockSize), true);
  view.setBigUint64(80, BigInt(stat.flags), true);
  return out;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: number;
  /** st_mode; only the type is used. */
  readonly mode: number;
}

/** struct linux_dirent64, or the old linux_dirent with the type in the last byte. `next`: the d_off. */
export function packDirent(entry: DirectoryEntry, next: number, old: boolean): Uint8Array {
  const name = encodeText(entry.name);
  const head = old ? 18 : 19;
  const length = (head + name.length + (old ? 2 : 1) + 7) & ~7;
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(entry.ino), true);
  view.setBigInt64(8, BigInt(next), true);
  view.setUint16(16, length, true);
  const type = (entry.mode & S.IFMT) >> 12;
  out[old ? length - 1 : 18] = type;
  out.set(name, head);
  return out;
}

/** ioctl requests of files, pipes, sockets and terminals. */
export const IOCTL = {
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TCSETSW: 0x5403,
  TCSETSF: 0x5404,
  TCFLSH: 0x540b,
  TIOCEXCL: 0x540c,
  TIOCSCTTY: 0x540e,
  TIOCGPGRP: 0x540f,
  TIOCSPGRP: 0x5410,
  TIOCOUTQ: 0x5411,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  FIONREAD: 0x541b,
  FIONBIO: 0x5421,
  TIOCNOTTY: 0x5422,
  TIOCGSID: 0x5429,
  TCGETS2: 0x802c542a,
  TIOCGPTN: 0x80045430,
  TIOCSPTLCK: 0x40045431,
  TIOCGPTPEER: 0x5441,
  FIONCLEX: 0x5450,
  FIOCLEX: 0x5451,
  FIOASYNC: 0x5452,
  FIOQSIZE: 0x5460,
  FS_IOC_GETFLAGS: 0x80086601,
  FS_IOC_SETFLAGS: 0x40086602,
  FIBMAP: 1,
  FIGETBSZ: 2,
  FICLONE: 0x40049409,
  FICLONERANGE: 0x4020940d,
  FS_IOC_FIEMAP: 0xc020660b,
  BLKGETSIZE64: 0x80081272,
  RNDGETENTCNT: 0x80045200,
} as const;
