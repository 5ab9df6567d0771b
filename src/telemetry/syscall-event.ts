// What an exact source (strace, a BPF recorder) says about one run, call by call: the input of activity.ts. Nothing
// here is an effect yet: descriptors, paths and addresses are as the calls had them.

/** What a descriptor was at that moment, as the recorder read it from the kernel. Addresses in their usual text form. */
export type DescriptorTarget =
  /** A file, directory or device by the path that the kernel resolved. */
  | { readonly kind: 'path'; readonly path: string; readonly deleted: boolean }
  | { readonly kind: 'pipe'; readonly inode: number }
  /** eventfd, eventpoll, timerfd … */
  | { readonly kind: 'anon'; readonly name: string }
  | {
      readonly kind: 'socket';
      /** The recorder's name: TCP, TCPv6, UDP, UDPv6, UNIX-STREAM, UNIX-DGRAM, NETLINK, RAW …; '' where it had none. */
      readonly protocol: string;
      readonly local: SocketAddress | undefined;
      readonly peer: SocketAddress | undefined;
      readonly inode: number | undefined;
      /** Unix sockets: the other end's inode. */
      readonly peerInode: number | undefined;
    };

export type SocketAddress =
  | { readonly kind: 'inet'; readonly address: string; readonly port: number }
  | { readonly kind: 'inet6'; readonly address: string; readonly port: number }
  /** `@name` is abstract; '' unnamed. */
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'other'; readonly family: string };

/** One argument. Numbers above 2^53 lose their low bits: only addresses and masks are that large. */
export type Arg =
  /** Constants and flags are resolved; names that we do not know are listed and not part of the value. */
  | {
      readonly kind: 'number';
      readonly value: number;
      readonly unknown: readonly string[];
      readonly outerPid: number | undefined;
    }
  | { readonly kind: 'fd'; readonly fd: number; readonly target: DescriptorTarget | undefined }
  /** `whole` is false where the recorder cut it short. Bytes as `decodeText` gives them. */
  | { readonly kind: 'string'; readonly text: string; readonly whole: boolean }
  | { readonly kind: 'list'; readonly items: readonly Arg[]; readonly whole: boolean }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Arg>; readonly whole: boolean }
  | { readonly kind: 'address'; readonly address: SocketAddress }
  /** Written by the kernel: before and after the call. */
  | { readonly kind: 'change'; readonly before: Arg; readonly after: Arg }
  /** Anything else, as the recorder wrote it. */
  | { readonly kind: 'other'; readonly text: string };

export interface SyscallEvent {
  readonly kind: 'syscall';
  /** Epoch ns at return. */
  readonly time: bigint;
  /** Epoch ns at entry. */
  readonly start: bigint;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly args: readonly Arg[];
  /** Negative errno on failure; undefined where the call did not return (exit) or will be restarted. */
  readonly ret: number | undefined;
  /** `ENOENT` …, '' on success. */
  readonly error: string;
  /** Where the result is a descriptor: what it refers to. */
  readonly target: DescriptorTarget | undefined;
  /** Where the result is a pid of an inner pid namespace: the same task in the recorder's namespace. */
  readonly outerPid: number | undefined;
}

/**
 * One thing that a recorder saw, in its order (order of return). Pids and tids are the recorder's; a task's `start`
 * comes before anything else about it. `status` is a wait status: exit code * 256, or the signal (+128 with a core).
 */
export type TraceEvent =
  | SyscallEvent
  /**
   * A task enters a call on a descriptor in which others get a turn before its own `syscall`: what the number stands
   * for now is what the call is about, whatever it stands for when it returns.
   */
  | {
      readonly kind: 'enter';
      readonly time: bigint;
      readonly pid: number;
      readonly tid: number;
      readonly name: string;
      /** The first argument. */
      readonly descriptor: Arg;
    }
  | {
      readonly kind: 'start';
      readonly time: bigint;
      readonly pid: number;
      readonly tid: number;
      readonly parent: ParentTask | undefined;
    }
  | {
      readonly kind: 'exit';
      readonly time: bigint;
      readonly pid: number;
      readonly tid: number;
      readonly status: number;
    }
  | {
      readonly kind: 'signal';
      readonly time: bigint;
      readonly pid: number;
      readonly tid: number;
      readonly signal: string;
    }
  | { readonly kind: 'gap'; readonly reason: string; readonly records: number };

/** Who made a task, and with what: clone, clone3, fork or vfork, with clone's flags (fork and vfork: as if by clone). */
export interface ParentTask {
  readonly pid: number;
  readonly tid: number;
  readonly call: string;
  readonly flags: number;
}
