// SysFlow's records as we write them: version 5 of the schema (sysflow-schema.ts), field by field. Times are epoch
// nanoseconds, counters are numbers (they count operations of one trace), addresses are IPv4 only.

/** Identity of a process: creation time of its main thread and its host pid. */
export interface Oid {
  readonly createTS: bigint;
  readonly hpid: number;
}

export type ContainerType =
  | 'CT_DOCKER'
  | 'CT_LXC'
  | 'CT_LIBVIRT_LXC'
  | 'CT_MESOS'
  | 'CT_RKT'
  | 'CT_CUSTOM'
  | 'CT_CRI'
  | 'CT_CONTAINERD'
  | 'CT_CRIO'
  | 'CT_BPM';

export interface ContainerRecord {
  /** Twelve hexadecimal digits, as container engines shorten their ids. */
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageid: string;
  readonly type: ContainerType;
  readonly privileged: boolean;
  readonly podId: string | undefined;
}

/** CREATED: new. MODIFIED: after EXEC or SETUID. REUP: lived before this file began. */
export type EntityState = 'CREATED' | 'MODIFIED' | 'REUP';

export interface ProcessRecord {
  readonly state: EntityState;
  readonly oid: Oid;
  readonly poid: Oid | undefined;
  readonly ts: bigint;
  readonly exe: string;
  /** argv[1..] joined by spaces. */
  readonly exeArgs: string;
  readonly uid: number;
  readonly userName: string;
  readonly gid: number;
  readonly groupName: string;
  readonly tty: boolean;
  readonly containerId: string | undefined;
  readonly entry: boolean;
  /** With a slash at its end. */
  readonly cwd: string;
  readonly env: readonly string[];
}

export type RestypeLetter = 'f' | 'd' | 'u' | 'p' | '?';

export interface FileRecord {
  readonly state: EntityState;
  readonly ts: bigint;
  readonly restype: RestypeLetter;
  readonly path: string;
  readonly containerId: string | undefined;
}

/** Forty hexadecimal digits: SHA-1 of container id and path. */
export type Foid = string;

interface Common {
  readonly procOID: Oid;
  readonly ts: bigint;
  readonly opFlags: number;
}

export interface ProcessEventRecord extends Common {
  readonly tid: number;
  readonly args: readonly string[];
  readonly ret: number;
}

export interface FileEventRecord extends Common {
  readonly tid: number;
  readonly fileOID: Foid;
  readonly ret: number;
  readonly newFileOID: Foid | undefined;
}

export interface FlowCounters {
  readonly numRRecvOps: number;
  readonly numWSendOps: number;
  readonly numRRecvBytes: number;
  readonly numWSendBytes: number;
}

export interface NetworkFlowRecord extends Common, FlowCounters {
  readonly tid: number;
  readonly endTs: bigint;
  /** IPv4 as SysFlow has it: the four octets read as a little-endian signed integer (see `ipToInt`). */
  readonly sip: number;
  readonly sport: number;
  readonly dip: number;
  readonly dport: number;
  /** IP protocol number; -1 unknown, 254 raw. */
  readonly proto: number;
  readonly fd: number;
}

export interface FileFlowRecord extends Common, FlowCounters {
  readonly tid: number;
  readonly openFlags: number;
  readonly endTs: bigint;
  readonly fileOID: Foid;
  readonly fd: number;
}

/** Falco's flags of an open, which SysFlow's `openFlags` holds. They are not Linux's O_ values. */
export const OPEN_FLAGS = {
  RDONLY: 1,
  WRONLY: 2,
  RDWR: 3,
  CREAT: 4,
  APPEND: 8,
  DSYNC: 16,
  EXCL: 32,
  NONBLOCK: 64,
  SYNC: 128,
  TRUNC: 256,
  DIRECT: 512,
  DIRECTORY: 1024,
  LARGEFILE: 2048,
  CLOEXEC: 4096,
} as const;

/** `127.0.0.1` to SysFlow's integer; undefined where the text is no IPv4 address. */
export function ipToInt(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const octet = Number(match[i + 1]);
    if (octet > 255) return undefined;
    value |= octet << (8 * i);
  }
  return value;
}

export function intToIp(value: number): string {
  return `${value & 255}.${(value >>> 8) & 255}.${(value >>> 16) & 255}.${value >>> 24}`;
}
