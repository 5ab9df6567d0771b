// An effect is an operation and a resource. T is `string` for an effect that happened (concrete text) and
// `Pattern` for an effect that a policy allows; the shape is the same, so prediction and observation meet here.
import type { Op } from './op.ts';

/** SysFlow's restype letters: file, directory, unix socket, pipe, other (device, anonymous inode …). */
export type FileType = 'f' | 'd' | 'u' | 'p' | '?';
export type Protocol = 'tcp' | 'udp' | 'icmp' | 'raw';

/** `address` in the usual text form (dotted IPv4, RFC 5952 IPv6), `port` in decimal. */
export interface Endpoint<T = string> {
  readonly address: T;
  readonly port: T;
}

/**
 * What an effect is done to.
 * - file: absolute path as the container sees it. Pipes are named `pipe:`, anonymous inodes `anon:[eventfd]` and the
 *   like, unix sockets by their path, `@name` when abstract, empty when unnamed. `to` is the second path of LINK,
 *   SYMLINK and RENAME (for SYMLINK `path` is the new link and `to` the text that it holds).
 * - net: `local` is this task's own side, `peer` the other's.
 * - program: EXEC; `path` is the file that was mapped, `args` is argv[1..] (argv[0] is free text of the caller's).
 * - task: CLONE: `thread` or `process`. KILL, PTRACE: `signal:N` and so on.
 * - id: SETUID, SETGID, EXIT status, SETNS kind …: one short text.
 */
export type Resource<T = string> =
  | { readonly kind: 'none' }
  | { readonly kind: 'file'; readonly type: FileType; readonly path: T; readonly to?: T }
  | {
      readonly kind: 'net';
      readonly protocol: Protocol;
      readonly local: Endpoint<T>;
      readonly peer: Endpoint<T>;
    }
  | { readonly kind: 'program'; readonly path: T; readonly args: readonly T[] }
  | { readonly kind: 'task'; readonly what: T }
  | { readonly kind: 'id'; readonly value: T };

/**
 * `access` (OPEN, MMAP of a file): letters in this order: r read, w write, c may create, t truncates, a appends,
 * x maps executable; '' otherwise.
 */
export interface Effect<T = string> {
  readonly op: Op;
  readonly resource: Resource<T>;
  readonly access: string;
}
