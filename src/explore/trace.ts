// What running an image under one environment yields: the steps of its tasks, in order, with where each task waited
// whenever nothing more could happen without the environment.
import type { EffectEvent, Frame } from '../linux/index.ts';

/** A task reached a point where it waits for the environment. */
export interface WaitStep {
  readonly kind: 'wait';
  readonly tid: number;
  readonly syscall: string;
  readonly stack: readonly Frame[];
}

/** The runtime started a process in the container: its main task begins here. */
export interface EntryStep {
  readonly kind: 'entry';
  readonly tid: number;
  /** Index of the launch's entry, and its reason. */
  readonly entry: number;
  readonly reason: string;
  readonly exe: string;
  /** After argv[0]. */
  readonly args: readonly string[];
}

export type Step = { readonly kind: 'effect'; readonly event: EffectEvent } | WaitStep | EntryStep;

/** One scenario of the environment, played on the snapshot taken after boot. */
export interface ScenarioTrace {
  readonly name: string;
  readonly steps: readonly Step[];
  /** What the client wrote where it could write anything. */
  readonly chosen: string;
  /** Whether the container's first process ended in it. */
  readonly ended: boolean;
  /** What each client got, in order of their first actions, as decodeText reads it. */
  readonly answers: readonly string[];
  /** That it took, all tasks together. */
  readonly instructions: number;
  /** Steps and instructions so far, after what came of each action that was played. */
  readonly marks: readonly ActionMark[];
}

export interface ActionMark {
  readonly steps: number;
  readonly instructions: number;
}
