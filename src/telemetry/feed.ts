// Sources as they arrive: bytes in pieces of any size, from a file that grows, a pipe or a decompressor. A feed takes
// them and passes observations on. One row here for each format; `detect.ts` tells formats apart.
import type { Op } from '../effect/index.ts';
import type { FlowRow } from './flow-row.ts';
import type { ContainerInfo, Observation, SourceTraits } from './observation.ts';

export interface FeedOptions {
  /** For error messages. */
  readonly name: string;
  /**
   * Operations that this source is set up to report whenever they happen, for sources that report what someone selected
   * (Falco, Tetragon, Tracee, Sysdig). Default: those that the source cannot be told to leave out.
   */
  readonly sees?: ReadonlySet<Op> | undefined;
  /** Formats with times of day: epoch ns of the midnight before. */
  readonly midnight?: bigint | undefined;
  /** strace, which knows of no containers: the one that all of it ran in. Default: the host. */
  readonly container?: ContainerInfo | undefined;
  /** Sources of flows pass these on in place, valid during the call, if there is someone to take them so. */
  readonly flow?: ((row: FlowRow) => void) | undefined;
}

export interface Feed {
  readonly traits: SourceTraits;
  /** Records that were understood and tell of nothing that is observed, or that were not understood, by kind. */
  readonly skipped: ReadonlyMap<string, number>;
  /** The bytes may be used again afterwards. May throw InputError where the whole is not of this format. */
  push(bytes: Uint8Array): void;
  /** Nothing more will come: what is incomplete is a gap. */
  end(): void;
}

export type MakeFeed = (emit: (observation: Observation) => void, options: FeedOptions) => Feed;
