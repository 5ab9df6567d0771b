// What an opened image is: its configuration (OCI image-spec config.md, and Docker's fields beyond it), its layers,
// its merged tree.
import type { Tree } from './node.ts';

export interface Platform {
  /** As Go names it: `linux`. */
  readonly os: string;
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly variant?: string;
}

export interface Healthcheck {
  /** `NONE`, `CMD` and arguments, or `CMD-SHELL` and a command line; empty: inherited. */
  readonly test: readonly string[];
  /** Nanoseconds; 0 where not given. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

/** Absent fields of the image are empty here. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=value`, in the image's order. */
  readonly env: readonly string[];
  /** `user`, `uid`, `user:group` … as written. */
  readonly user: string;
  readonly workingDir: string;
  /** `80/tcp`, sorted. */
  readonly exposedPorts: readonly string[];
  /** Sorted. */
  readonly volumes: readonly string[];
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthcheck?: Healthcheck;
  readonly shell?: readonly string[];
  readonly author?: string;
  /** RFC 3339, as written. */
  readonly created?: string;
}

export interface HistoryEntry {
  readonly createdBy: string;
  readonly created: string;
  readonly comment: string;
  readonly author: string;
  /** Whether it made no layer. */
  readonly empty: boolean;
}

export type Compression = 'none' | 'gzip' | 'zstd';

export interface LayerInfo {
  /** Digest of the blob as it is stored, `sha256:…`. */
  readonly digest: string;
  /** Digest of the uncompressed tar; equals `digest` where nothing is compressed. */
  readonly diffId: string;
  readonly mediaType: string;
  readonly compression: Compression;
  /** Bytes of the blob. */
  readonly size: number;
  /** Bytes of the uncompressed tar. */
  readonly uncompressedSize: number;
  /** Tar entries, whiteouts included. */
  readonly entries: number;
  /** From the history; empty where it says nothing. */
  readonly createdBy: string;
  readonly created: string;
}

/** Something odd that did not keep us from reading the image as container engines do. */
export interface ImageNote {
  /** File, layer or entry. */
  readonly where: string;
  readonly what: string;
}

export interface Image {
  /** The path that was opened. */
  readonly source: string;
  readonly format: 'docker-archive' | 'oci-archive' | 'oci-layout';
  /** Tags and reference names; may be empty. */
  readonly names: readonly string[];
  /** `sha256:…`; docker archives without an OCI index have none. */
  readonly manifestDigest?: string;
  readonly configDigest: string;
  readonly platform: Platform;
  readonly config: ImageConfig;
  readonly history: readonly HistoryEntry[];
  readonly layers: readonly LayerInfo[];
  readonly tree: Tree;
  /** At most 100; `notesLeftOut` counts the others. */
  readonly notes: readonly ImageNote[];
  readonly notesLeftOut: number;
  /** Gives files back. Contents can't be read afterwards. */
  close(): void;
}
