// What is kept of the scenarios that were played: rows of corresponding traces. A row is compared under as many
// environments as have something to say of it: where two runs agree in all but what clients and endpoints are called,
// a third one would as well; and where runs take long, one that has nothing unsettled is not compared at all.
import { resourceShape, resourceTexts } from '../effect/index.ts';
import {
  type ExploredPatterns,
  type Explorer,
  knownTexts,
  LONG_BOOT,
  type ScenarioTrace,
  type Step,
  turnsOutside,
} from '../explore/index.ts';
import { type EventPatterns, withoutKnown } from './generalize.ts';
import { Settled } from './settled.ts';
import { stackKey } from './stack.ts';
import { bootRun } from './tasks.ts';

/** Traces of one scenario that showed something, one an environment, of the first ones. */
export interface ServedRow {
  readonly traces: readonly ScenarioTrace[];
  /** After how many stages of warming up it began; 0: after boot. */
  readonly stage: number;
  /** Of the only trace, where no other environment was needed: its patterns. */
  readonly settled?: EventPatterns;
  /** Of the first trace, which was on symbolic inputs: what the resources can be that clients' bytes came into. */
  readonly explored?: ExploredPatterns;
}

export interface Served {
  readonly rows: readonly ServedRow[];
  /** Stages one after the other: one trace an environment. */
  readonly warmUps: readonly (readonly ScenarioTrace[])[];
  /** Scenarios that were played, with those that showed nothing new. */
  readonly tried: number;
}

export class Rows {
  readonly list: ServedRow[] = [];
  /** Stages of warming up, one trace an environment. */
  readonly stages: (readonly ScenarioTrace[])[] = [];
  private readonly explorers: readonly Explorer[];
  /** Where scenarios that take long are compared only if something in them is not settled. */
  private readonly settled: Settled | undefined;

  constructor(explorers: readonly Explorer[]) {
    this.explorers = explorers;
    if (explorers[0].boot.instructions > LONG_BOOT) this.settled = new Settled(explorers.map(bootRun));
  }

  /** Keeps a trace under the first environment; `play` plays the scenario under another one, where that is needed. */
  add(
    trace: ScenarioTrace,
    stage: number,
    play: (explorer: Explorer, environment: number) => ScenarioTrace,
  ): void {
    const settled = this.settled?.patternsOf(trace);
    if (settled !== undefined) {
      this.list.push({ traces: [trace], stage, settled });
      return;
    }
    const traces = [trace];
    for (const [i, explorer] of this.explorers.entries()) {
      if (i === 0) continue;
      if (i > 1 && this.agree(traces[0], traces[1])) break;
      traces.push(play(explorer, i));
    }
    this.settled?.compared(traces, this.before(stage));
    this.list.push({ traces, stage });
  }

  /** A stage of warming up: what follows begins after it. */
  addStage(traces: readonly ScenarioTrace[]): void {
    this.settled?.compared(traces, this.before(this.stages.length));
    this.stages.push(traces);
  }

  /** Steps between boot and a stage, by environment. */
  private before(stage: number): readonly (readonly Step[])[] {
    return this.explorers.map((_, i) => this.stages.slice(0, stage).flatMap((traces) => traces[i].steps));
  }

  /** Whether runs under the first two environments have the same steps in the same order. */
  private agree(one: ScenarioTrace, other: ScenarioTrace): boolean {
    const [first, second] = this.explorers;
    // one environment has nobody outside
    if (turnsOutside(one.steps, first.environment.values)) return false;
    const [a, b] = [plainSteps(one, first), plainSteps(other, second)];
    return one.ended === other.ended && a.length === b.length && a.every((step, i) => step === b[i]);
  }
}

/** The steps without what clients chose, their addresses, and the numbers of tasks. */
function plainSteps({ steps, chosen }: ScenarioTrace, { environment, launch }: Explorer): readonly string[] {
  const known = [...knownTexts(environment), ...launch.unknown];
  const tasks = new Map<number, number>();
  return steps.map((step) => {
    const tid = step.kind === 'effect' ? step.event.tid : step.tid;
    const task = tasks.get(tid) ?? tasks.size;
    tasks.set(tid, task);
    if (step.kind === 'entry') return `${task} entry ${step.entry}`;
    if (step.kind === 'wait') return `${task} wait ${step.syscall} ${stackKey(step.stack)}`;
    const { effect, exe, result, stack } = step.event;
    const { kind } = effect.resource;
    const texts = resourceTexts(effect.resource).map((text) =>
      kind === 'net' ? withoutKnown(text, known, chosen) : chosen === '' ? text : text.split(chosen),
    );
    return `${task} ${effect.op} ${effect.access} ${resourceShape(effect.resource)} ${Math.min(result, 0)} ${exe} ${JSON.stringify(texts)} ${stackKey(stack)}`;
  });
}
