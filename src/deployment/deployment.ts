// What a deployment adds to an image: how a cluster or an operator starts its containers. The shape that Kubernetes
// manifests, Compose files and options of the command line are read into.
import type { Text } from './text.ts';

export interface EnvVariable {
  readonly name: string;
  readonly value: Text;
}

/** A file whose bytes the deployment knows or does not know. */
export interface MountedFile {
  /** Below the mount, `a/b`; '' where the mount is this file. */
  readonly path: string;
  readonly content: Text | Uint8Array;
  readonly mode?: number;
}

export type MountContent =
  /** Empty at the container's first start and writable: emptyDir, tmpfs, a new volume. */
  | { readonly kind: 'empty'; readonly memory: boolean }
  /**
   * Exactly these files. `projected`: laid out as the kubelet does, `KEY -> ..data/KEY`, `..data -> ..TIME`.
   */
  | { readonly kind: 'files'; readonly files: readonly MountedFile[]; readonly projected: boolean }
  /** A file or directory of the machine that holds the manifest; whoever opens the deployment may load it. */
  | { readonly kind: 'host'; readonly path: string }
  /** What the image has at the path, copied (a named volume of an engine). */
  | { readonly kind: 'image' }
  /** Nobody here knows. */
  | { readonly kind: 'unknown' };

export interface DeployedMount {
  /** Absolute path in the container. */
  readonly path: string;
  readonly readOnly: boolean;
  readonly content: MountContent;
  /** For people: `config map web`, `volume data`. */
  readonly source: string;
}

/** A command that the runtime starts inside the running container. */
export interface EntryCommand {
  /** `liveness probe`, `pre-stop hook`, `health check` … */
  readonly reason: string;
  readonly argv: readonly Text[];
}

/** A request that the runtime sends to the container. */
export interface ProbeRequest {
  readonly reason: string;
  readonly kind: 'http' | 'tcp' | 'grpc';
  readonly port: number;
  /** HTTP: path with its query, and header fields. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface DeployedPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

export interface DeployedContainer {
  readonly name: string;
  /** Image reference as written; '' where the file names none (a Compose build). */
  readonly image: string;
  /** init: runs to its end before the others; sidecar: an init container that stays; service: all else. */
  readonly role: 'init' | 'sidecar' | 'service';
  /** Absent: the image's. An entrypoint given without arguments drops the image's arguments. */
  readonly entrypoint?: readonly Text[];
  readonly args?: readonly Text[];
  readonly env: readonly EnvVariable[];
  /** Sources of further variables whose names nobody here knows. */
  readonly unknownEnv: readonly string[];
  readonly workingDir?: string;
  /** `user[:group]`. */
  readonly user?: string;
  readonly groups: readonly number[];
  readonly hostName?: Text;
  readonly readOnlyRoot: boolean;
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** Names without `CAP_`, upper case; `ALL`. */
  readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] };
  readonly mounts: readonly DeployedMount[];
  readonly ports: readonly DeployedPort[];
  readonly commands: readonly EntryCommand[];
  readonly requests: readonly ProbeRequest[];
  /** Whether the image's own HEALTHCHECK runs: engines run it, kubelets don't. */
  readonly imageHealthcheck: boolean;
  /** Signal name or number; absent: the image's. */
  readonly stopSignal?: string;
}

export interface Deployment {
  /** `Deployment shop/web`, `compose project shop`. */
  readonly name: string;
  readonly containers: readonly DeployedContainer[];
}

/** What a manifest says that is not acted on: shown to the user, kept in the policy as cuts. */
export interface DeploymentNote {
  readonly what: string;
  readonly where: string;
}

export interface DeploymentFile {
  readonly deployments: readonly Deployment[];
  readonly notes: readonly DeploymentNote[];
}

/** A container that changes nothing of its image. */
export function plainContainer(name: string, image: string): DeployedContainer {
  return {
    name,
    image,
    role: 'service',
    env: [],
    unknownEnv: [],
    groups: [],
    readOnlyRoot: false,
    privileged: false,
    noNewPrivileges: false,
    capabilities: { add: [], drop: [] },
    mounts: [],
    ports: [],
    commands: [],
    requests: [],
    imageHealthcheck: true,
  };
}
