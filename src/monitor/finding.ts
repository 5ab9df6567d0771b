// What the monitor says: findings, the incidents that they belong to, and notes. Shapes only.
import type { Op, Resource } from '../effect/index.ts';
import type { Phase, Provenance } from '../policy/index.ts';

/**
 * - foreign-program: runs a program, or a program with arguments, that the policy does not have there.
 * - foreign-effect: an operation that this program never does (or never does with this access).
 * - wrong-resource: an operation that this program does, on something it never does it to.
 * - out-of-order: an effect that this program has, at a point where it can't come.
 * - wrong-phase: an effect of the start, after the start was over.
 * - identity-change: another user or group than the policy lets it become.
 * - unknown-task: a process or thread that nothing in the policy explains.
 */
export const FINDING_KINDS = [
  'foreign-program',
  'foreign-effect',
  'wrong-resource',
  'out-of-order',
  'wrong-phase',
  'identity-change',
  'unknown-task',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** An effect as text. */
export interface EffectText {
  readonly op: Op;
  /** Letters as in `Effect.access`. */
  readonly access: string;
  readonly resource: string;
}

/** Something that the policy allows where the finding was. */
export interface Expected {
  readonly effect: EffectText;
  /** Name of the automaton and path of its program. */
  readonly automaton: string;
  readonly program: string;
  /** Where in the code it would come from: `accept_loop+0x1f (/srv/echo)`; '' where the policy does not say. */
  readonly at: string;
  readonly phase: Phase;
  readonly provenance: Provenance;
}

export interface Technique {
  /** MITRE ATT&CK. */
  readonly id: string;
  readonly name: string;
}

export interface ContainerRef {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** As the source gives it; '' where it does not. */
  readonly imageId: string;
  readonly privileged: boolean;
}

/** A process as it was when a finding was made. */
export interface ProcessRef {
  readonly pid: number;
  /** Epoch ns; 0 where the source does not say. */
  readonly created: bigint;
  readonly exe: string;
  /** Arguments after argv[0], joined by spaces. */
  readonly args: string;
  /** -1 where the source does not say. */
  readonly uid: number;
  readonly gid: number;
  /** Names; '' where the source has none. */
  readonly user: string;
  readonly group: string;
  readonly tty: boolean;
  readonly cwd: string;
  /** First process of its container. */
  readonly entry: boolean;
}

export interface Finding {
  /** Incident and number of the finding within it: unique within a run, the same in each run over the same input. */
  readonly id: string;
  /** Epoch ns. */
  readonly time: bigint;
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly container: ContainerRef;
  readonly pid: number;
  readonly tid: number;
  readonly exe: string;
  /** Arguments after argv[0], joined by spaces. */
  readonly args: string;
  readonly effect: EffectText;
  /** What the effect was on; `effect.resource` is its text. */
  readonly target: Resource;
  readonly process: ProcessRef;
  /** Ancestors within the container, parent first, at most 16. */
  readonly ancestors: readonly ProcessRef[];
  /** Name of the policy, and of the automata that the task followed; none where nothing in the policy explains it. */
  readonly policy: string;
  readonly automata: readonly string[];
  /** One sentence. */
  readonly why: string;
  /** Nearest first; empty where the policy allows nothing there. */
  readonly expected: readonly Expected[];
  readonly technique: Technique | undefined;
  readonly incident: string;
  /** How often this same finding was made; grows after it was reported. */
  readonly count: number;
}

/** A process within an incident. */
export interface IncidentProcess {
  readonly pid: number;
  /** 0 where it has no parent within the incident. */
  readonly parent: number;
  readonly exe: string;
  readonly args: string;
  /** Whether it is itself foreign: everything that it does belongs to the incident. */
  readonly foreign: boolean;
  /** Effects of a foreign process that are not findings of their own. */
  readonly effects: number;
}

export interface EffectCount {
  readonly op: Op;
  readonly count: number;
  /** A few of the resources, in order of appearance. */
  readonly examples: readonly string[];
}

/** All that follows from one cause. Grows while the monitor runs. */
export interface Incident {
  readonly id: string;
  readonly container: ContainerRef;
  /** Epoch ns of the first finding, and of the last finding or effect. */
  readonly time: bigint;
  readonly lastTime: bigint;
  readonly severity: Severity;
  readonly findings: readonly Finding[];
  /** Findings beyond the number that is kept; counted only. */
  readonly more: number;
  readonly processes: readonly IncidentProcess[];
  /** What foreign processes of the incident did further. */
  readonly effects: readonly EffectCount[];
}

/** Something that a user should know and that is no finding. */
export type Note =
  | { readonly kind: 'unwatched-container'; readonly container: ContainerRef; readonly why: string }
  | { readonly kind: 'unwatched-host' }
  | {
      readonly kind: 'bound';
      readonly container: ContainerRef;
      readonly policy: string;
      readonly by: 'digest' | 'name' | 'option';
    }
  | {
      readonly kind: 'other-image';
      readonly container: ContainerRef;
      readonly policy: string;
      readonly expected: string;
      readonly found: string;
    }
  | {
      readonly kind: 'mid-life';
      readonly container: ContainerRef;
      readonly pid: number;
      readonly exe: string;
    }
  | { readonly kind: 'gap'; readonly reason: string; readonly records: number }
  | {
      readonly kind: 'died';
      readonly container: ContainerRef;
      readonly pid: number;
      readonly exe: string;
      readonly signal: number;
    }
  | { readonly kind: 'not-started'; readonly container: ContainerRef }
  /** A record's time is far ahead of its neighbours'; said once. */
  | { readonly kind: 'ahead'; readonly time: bigint; readonly pid: number }
  | { readonly kind: 'early'; readonly pending: number }
  | { readonly kind: 'evicted'; readonly processes: number };
