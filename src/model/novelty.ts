// Whether a run shows anything that earlier runs did not: an effect in a context that is new, or known ones in a new
// order. What is not new would change nothing in the graph and need not be compared under other environments.
import { type Pattern, resourceShape, resourceTexts } from '../effect/index.ts';
import type { ExploredPatterns, ScenarioTrace, Step } from '../explore/index.ts';
import { withoutKnown } from './generalize.ts';
import { stackKey } from './stack.ts';

export class Novelty {
  /** Pairs of a context and what came after it. */
  private readonly seen = new Set<string>();
  /** Contexts of the tasks that runs begin with. */
  private start: ReadonlyMap<number, string>;
  private readonly known: readonly string[];
  private readonly texts = new Map<string, Pattern>();

  /** `known`: texts of the environment that all runs are under. */
  constructor(boot: readonly Step[], known: readonly string[]) {
    this.known = known;
    this.start = this.walk(boot, new Map(), '').contexts;
  }

  /** From now on runs start after this one, which started after boot. */
  goOn({ steps, chosen }: ScenarioTrace): void {
    this.start = this.walk(steps, this.start, chosen).contexts;
  }

  /** Equal for runs in which the service does the same, and says the same in its first lines. */
  treatment({ steps, chosen, answers, ended }: ScenarioTrace): string {
    const contexts = [...new Set(steps.map((step) => this.contextOf(step, chosen)))].sort();
    const lines = answers.map((text) => text.split('\n', 1)[0].replaceAll(chosen, ''));
    return JSON.stringify([ended, lines, contexts]);
  }

  /** Whether the run has something new; from now on it is known. `explored`: what resources can be, where that is known. */
  isNew({ steps, chosen }: ScenarioTrace, explored?: ExploredPatterns): boolean {
    return this.walk(steps, this.start, chosen, explored).fresh;
  }

  /** Runs begin where they do here, but nothing was seen in any of them. */
  unseen(): Novelty {
    const fresh = new Novelty([], this.known);
    fresh.start = this.start;
    return fresh;
  }

  /** Whether the next step of a run is new, to be asked for one after the other; none of them is known afterwards. */
  follow(chosen = ''): (step: Step) => boolean {
    const contexts = new Map(this.start);
    return (step) => !this.seen.has(this.pairOf(step, contexts, chosen));
  }

  /** As `follow`, of another start. */
  followStart(): (step: Step) => boolean {
    const contexts = new Map<number, string>();
    return (step) => !this.seen.has(this.pairOf(step, contexts, ''));
  }

  /** Whether another start has something new; from now on it is known. */
  isNewStart(steps: readonly Step[]): boolean {
    return this.walk(steps, new Map(), '').fresh;
  }

  private walk(
    steps: readonly Step[],
    before: ReadonlyMap<number, string>,
    chosen: string,
    explored?: ExploredPatterns,
  ): { fresh: boolean; contexts: ReadonlyMap<number, string> } {
    const contexts = new Map(before);
    let fresh = false;
    for (const step of steps) {
      const pair = this.pairOf(step, contexts, chosen, explored);
      if (this.seen.has(pair)) continue;
      this.seen.add(pair);
      fresh = true;
    }
    return { fresh, contexts };
  }

  /** The context before a step and its own, which is the context from now on. */
  private pairOf(
    step: Step,
    contexts: Map<number, string>,
    chosen: string,
    explored?: ExploredPatterns,
  ): string {
    const tid = step.kind === 'effect' ? step.event.tid : step.tid;
    const context = this.contextOf(step, chosen, explored);
    const pair = `${contexts.get(tid) ?? 'start'}\n${context}`;
    contexts.set(tid, context);
    if (step.kind === 'effect' && step.event.effect.op === 'CLONE' && step.event.result > 0)
      contexts.set(step.event.result, `child ${context}`);
    return pair;
  }

  private contextOf(step: Step, chosen: string, explored?: ExploredPatterns): string {
    if (step.kind === 'wait') return `wait ${step.syscall} ${stackKey(step.stack)}`;
    if (step.kind === 'entry') return `entry ${step.entry}`;
    const { effect, exe, result, stack } = step.event;
    const patterns = explored?.get(step.event);
    const texts = resourceTexts(effect.resource).map(
      (text, i) => patterns?.[i]?.join(' | ') ?? this.pattern(text, chosen),
    );
    const shape = resourceShape(effect.resource);
    return `${effect.op} ${effect.access} ${shape} ${Math.min(result, 0)} ${exe} ${JSON.stringify(texts)} ${stackKey(stack)}`;
  }

  private pattern(text: string, chosen: string): Pattern {
    const key = `${chosen}\n${text}`;
    let found = this.texts.get(key);
    if (found === undefined) {
      found = withoutKnown(text, this.known, chosen);
      if (this.texts.size < 100_000) this.texts.set(key, found);
    }
    return found;
  }
}
