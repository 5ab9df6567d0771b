// What every telemetry source is turned into. A source yields observations in the order in which it holds them
// (for SysFlow: write order, sorted by neither start nor end); times are epoch nanoseconds.
import type { Effect, Op, Resource } from '../effect/index.ts';

/** A process, safe against pid reuse: creation time (epoch ns, of the main thread's clone) and host pid. */
export interface ProcessId {
  readonly created: bigint;
  readonly pid: number;
}

/** Key of a process within one source. */
export const processKey = (id: ProcessId): string => `${id.pid}@${id.created}`;

export interface ContainerInfo {
  readonly id: string;
  readonly name: string;
  /** Image name with tag, as the source gives it. */
  readonly image: string;
  /** Image id: config digest, with or without `sha256:`, perhaps shortened. */
  readonly imageId: string;
  readonly privileged: boolean;
}

export interface ProcessInfo {
  readonly id: ProcessId;
  readonly parent: ProcessId | undefined;
  readonly time: bigint;
  /** Path of the program as the container sees it. */
  readonly exe: string;
  /** Arguments after argv[0]; SysFlow joins them by spaces. */
  readonly args: string;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly tty: boolean;
  /** '' on the host. */
  readonly containerId: string;
  /** pid 1 of its container's pid namespace. */
  readonly entry: boolean;
  readonly cwd: string;
  /** Re-emission of an entity that lived before (new file or reconnect), not a new or changed process. */
  readonly again: boolean;
}

export interface TaskRef {
  readonly process: ProcessId;
  readonly tid: number;
}

export type Observation =
  /** A new stream starts: tables of entities are to be forgotten, running state is not. */
  | { readonly kind: 'stream'; readonly exporter: string; readonly version: number }
  | { readonly kind: 'container'; readonly container: ContainerInfo }
  | { readonly kind: 'process'; readonly process: ProcessInfo }
  /** One effect at one instant. `ret` is the syscall's result (negative errno on failure). */
  | {
      readonly kind: 'event';
      readonly time: bigint;
      readonly task: TaskRef;
      readonly effect: Effect;
      readonly ret: number;
      readonly args: readonly string[];
    }
  /**
   * Aggregate over one open file or socket within [start, end]. `ops` holds what happened: OPEN, ACCEPT and CONNECT
   * at `start`, CLOSE (and SHUTDOWN) at `end`, READ, WRITE, MMAP anywhere between. `cut` is SysFlow's TRUNCATE bit on
   * a flow: written because the task or the exporter ended, not because of ftruncate. A flow without OPEN, ACCEPT or
   * CONNECT continues an earlier one.
   */
  | {
      readonly kind: 'flow';
      readonly start: bigint;
      readonly end: bigint;
      readonly task: TaskRef;
      readonly ops: ReadonlySet<Op>;
      readonly resource: Resource;
      /** As in Effect.access, from the open flags; '' for sockets. */
      readonly access: string;
      readonly cut: boolean;
      readonly fd: number;
      /**
       * Sockets: the source does not tell which side is ours, and nothing seen before told; `local` is the client's
       * side then.
       */
      readonly sidesAssumed?: boolean;
      readonly reads: number;
      readonly writes: number;
      readonly bytesRead: number;
      readonly bytesWritten: number;
    }
  /** Records that could not be used: malformed, of unknown kind, naming an unknown process or file. */
  | { readonly kind: 'gap'; readonly reason: string; readonly records: number };

/** What a source can and cannot see; the monitor expects nothing from a source that it cannot see. */
export interface SourceTraits {
  readonly name: string;
  /** Operations that this source reports. */
  readonly ops: ReadonlySet<Op>;
  /**
   * System calls that this source reports, by name: an effect made by another call leaves no record (clone3, sendfile,
   * openat2 … in SysFlow). Absent: all calls that do an operation of `ops`.
   */
  readonly syscalls?: ReadonlySet<string>;
  /** Whether failed opens, unlinks … are reported. */
  readonly failures: boolean;
  /** Whether IPv6 sockets are reported. */
  readonly ipv6: boolean;
  /** False: an OPEN without rights ('') is one whose rights the source does not tell. Absent: as `flows`, negated. */
  readonly access?: boolean | undefined;
  /**
   * False: an opening of a path alone (O_PATH), whose rights are '', is told as one to read, since the flags that the
   * source has leave no other. Absent: it is told as what it is.
   */
  readonly pathOnly?: boolean | undefined;
  /** True: reads and writes are folded into flows, delivered late and out of order. */
  readonly flows: boolean;
  /** How late a record may be: a flow is written at most this many ns after it began (SysFlow: 30 s export + 60 s idle). */
  readonly maxDelay: bigint;
}

/** One opened trace or stream. */
export interface Source {
  readonly traits: SourceTraits;
  observations(): Iterable<Observation>;
}
