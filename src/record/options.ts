// What a recording is asked for, and what it says afterwards.
import type { DriveResult } from './drive.ts';
import type { Ending, Gap } from './recording.ts';

export interface RecordOptions {
  /** SysFlow file to write. */
  readonly output: string;
  /** Absent: the command is one of this machine. */
  readonly image?:
    | { readonly path: string; readonly ref?: string | undefined; readonly platform?: string | undefined }
    | undefined;
  /** With an image: replaces its Cmd where not empty. */
  readonly command: readonly string[];
  /** A shell command of this machine that acts as the client, once the service listens. */
  readonly drive?: string | undefined;
  /** Milliseconds to wait for the service to listen before driving it anyway; default 10,000. */
  readonly readyTimeout?: number | undefined;
  /** Milliseconds between the stop signal and SIGKILL; default 10,000. */
  readonly stopTimeout?: number | undefined;
  /** Milliseconds after which the service is stopped; default: when it ends, or the drive command does. */
  readonly duration?: number | undefined;
  /** With an image: its own network with a loopback interface (default), or this machine's. */
  readonly net?: 'own' | 'host' | undefined;
  /** `NAME=value`. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  /** Twelve hexadecimal digits; default random. */
  readonly containerId?: string | undefined;
  readonly containerName?: string | undefined;
  /** Whether the temporary directory stays when all went well. */
  readonly keep?: boolean | undefined;
  /** Where strace's text is kept. */
  readonly strace?: string | undefined;
  /** Our standard input is the service's. */
  readonly interactive?: boolean | undefined;
  /** Ends the recording as at its end: stop signal first. */
  readonly stop?: AbortSignal | undefined;
  /** Ends it at once. */
  readonly kill?: AbortSignal | undefined;
}

export interface RecordSummary {
  readonly output: string;
  readonly records: number;
  /** System calls that were recorded. */
  readonly calls: number;
  readonly seconds: number;
  readonly container:
    | { readonly id: string; readonly name: string; readonly image: string; readonly imageId: string }
    | undefined;
  /** How the command's first process ended. */
  readonly ending: Ending | undefined;
  /** Whether it listened on a socket. */
  readonly listened: boolean;
  readonly drive: DriveResult | undefined;
  /** Operations without a record in SysFlow, by system call. */
  readonly unrecorded: Readonly<Record<string, number>>;
  /** What the recorder could not make sense of. */
  readonly gaps: readonly Gap[];
  readonly notes: readonly string[];
  /** The temporary directory, where it was kept. */
  readonly kept: string | undefined;
}
