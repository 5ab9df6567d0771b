// The policy: the effect graph of one image, and everything a reader needs to judge it. This is the shape in memory
// and, save for interning, in the file (schema/policy.schema.json).
//
// One automaton per program invocation (program and arguments). Its states are the contexts in which a task can be
// after an effect: phase, operation and call stack of that effect. A task of the container starts in the initial state
// of the root automaton; EXEC moves it to the initial state of another automaton; CLONE starts a second task in the
// `child` state of the same automaton.
import type { Effect, Pattern } from '../effect/index.ts';

export const POLICY_FORMAT = 1;

/** boot: from the entrypoint's start to quiescence. serve: all that comes after the environment acts. */
export type Phase = 'boot' | 'serve';

/** executed: micro-execution did it. explored: a symbolic path did it. inferred: closure says that code could. */
export type Provenance = 'executed' | 'explored' | 'inferred';

export interface ProgramFile {
  readonly path: string;
  readonly sha256: string;
  /** Hexadecimal GNU build id, '' where there is none. */
  readonly buildId: string;
}

/** One return address: index in `programs` (-1: not from a file), offset as in the file's symbol table, symbol or ''. */
export interface PolicyFrame {
  readonly program: number;
  readonly offset: number;
  readonly symbol: string;
}

export interface PolicyState {
  readonly phase: Phase;
  /** For people: the effect that leads here, `start`, or `waits in accept4`. */
  readonly label: string;
}

export interface PolicyEdge {
  readonly from: number;
  readonly to: number;
  /** Absent: a silent step (the task reached a point where it waits for the environment). */
  readonly effect?: Effect<Pattern>;
  /** Whether the effect was seen to succeed, and the errno numbers it was seen to fail with. */
  readonly succeeds?: boolean;
  readonly errors?: readonly number[];
  readonly provenance: Provenance;
  /** Index in `stacks` of the call stack of the syscall; absent on silent steps. */
  readonly stack?: number;
  readonly syscall?: string;
  /** CLONE: the state (of this automaton) in which the new task starts. */
  readonly child?: number;
  /** EXEC that succeeds: the automaton in whose initial state the task goes on (`to` is then not used further). */
  readonly automaton?: number;
}

export interface PolicyAutomaton {
  /** `nginx`, `sh` …; unique within the policy. */
  readonly name: string;
  /** Index in `programs`. */
  readonly program: number;
  /** Pattern of each argument after argv[0]. */
  readonly args: readonly Pattern[];
  readonly initial: number;
  readonly states: readonly PolicyState[];
  /** Sorted by from, to, then effect text. */
  readonly edges: readonly PolicyEdge[];
}

export interface PolicyCut {
  readonly kind: string;
  readonly what: string;
  readonly consequence: string;
  readonly program: string;
  /** `module+0xoffset (symbol)` or ''. */
  readonly at: string;
  readonly count: number;
}

export interface Policy {
  readonly format: number;
  /** Version of Effigy that made it. */
  readonly version: string;
  readonly image: {
    readonly names: readonly string[];
    /** `sha256:…` */
    readonly configDigest: string;
    /** '' where the archive has none. */
    readonly manifestDigest: string;
    readonly platform: string;
    readonly entrypoint: readonly string[];
    readonly cmd: readonly string[];
    readonly user: string;
    readonly workingDir: string;
  };
  /** The container of a deployment that this policy is for; absent: of the image as its configuration starts it. */
  readonly deployment?: {
    readonly name: string;
    readonly container: string;
    /** First word of its command. */
    readonly program: string;
  };
  /** Options that decide the result, as given and defaulted. */
  readonly options: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /**
   * Symbolic links of the image, and of what its entrypoint made, on the way to paths that this policy names, one step
   * each: absolute path of the link to the absolute path that it stands for (`/bin` to `/usr/bin`, `/usr/bin/sh` to
   * `/usr/bin/dash`). Sources name a file as the program did or as the kernel resolved it; with this a reader knows that
   * both are one file. Absent where there are none, and in policies of older versions.
   */
  readonly links?: Readonly<Record<string, string>>;
  readonly programs: readonly ProgramFile[];
  readonly frames: readonly PolicyFrame[];
  /** Call stacks as indices in `frames`, innermost first. */
  readonly stacks: readonly (readonly number[])[];
  readonly automata: readonly PolicyAutomaton[];
  /** Index of the automaton of the container's first process. */
  readonly root: number;
  /**
   * Commands that the runtime may start in the running container (probes, hooks, health checks): index of the
   * automaton in whose initial state such a process begins.
   */
  readonly entries?: readonly { readonly reason: string; readonly automaton: number }[];
  /** Names of all syscalls that were made, by phase, sorted. */
  readonly syscalls: Readonly<Record<Phase, readonly string[]>>;
  readonly cuts: readonly PolicyCut[];
  /** Exceptions that were kept when this policy was made; absent where there are none. */
  readonly amendments?: readonly Amendment[];
  /** False where boot did not reach quiescence (or an orderly exit): then `incomplete` says why. */
  readonly complete: boolean;
  readonly incomplete: string;
  readonly coverage: {
    readonly boots: number;
    readonly scenarios: number;
    readonly instructions: number;
    readonly effects: number;
    /** Listening endpoints that the environment acted on. */
    readonly listeners: readonly string[];
  };
}

/**
 * How much an amendment allows.
 * - order: the program has the effect; it may come at any point of the phase that has it.
 * - phase: the program has the effect for its start; it may come while it serves, too.
 * - effect: the program may do this, whenever.
 */
export const ALLOWANCES = ['order', 'phase', 'effect'] as const;
export type Allowance = (typeof ALLOWANCES)[number];

/** A reviewed, named exception to a policy; see amendment.ts. */
export interface Amendment {
  /** Unique within a file; what notes and summaries call it. */
  readonly name: string;
  /** Pattern on the repository, `docker.io/library/nginx`, without tag: amendments outlive versions. */
  readonly image: Pattern;
  /** Pattern on the path of the program that does it. */
  readonly program: Pattern;
  /** Name of the automaton that its task follows; '' for any, or none. */
  readonly automaton: string;
  readonly allows: Allowance;
  readonly effect: Effect<Pattern>;
  readonly why: string;
  readonly by: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly expires?: string;
  /** The finding that it was made from, for those who review it. */
  readonly finding?: { readonly id: string; readonly kind: string; readonly time: string };
}
