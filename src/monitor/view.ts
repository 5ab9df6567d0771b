// A policy as one source can see it. Effects that the source has no record for are stepped over: they become silent as
// well, so that the monitor neither expects them nor is surprised when what follows them comes.
import { type Letter, type Nfa, NfaBuilder, type Subset, Subsets } from '../automaton/index.ts';
import type { SourceTraits } from '../telemetry/index.ts';
import { type CompiledEdge, type CompiledPolicy, makes, type TaskKind } from './compiled.ts';
import { withMissing } from './missing.ts';
import { unseen } from './unseen.ts';

/** Sets of states that are kept for one view. */
const keptSets = 20_000;

interface Missing {
  readonly states: Int32Array;
  readonly moves: Map<Letter, Subset>;
}

export class View {
  readonly compiled: CompiledPolicy;
  readonly traits: SourceTraits;
  readonly subsets: Subsets;
  /** Effects of the policy that this source has a record for whenever they happen, and all of them. */
  readonly seen: number;
  readonly effects: number;
  private readonly hidden: ReadonlySet<CompiledEdge>;
  private readonly missing = new Map<Subset, Missing>();
  private readonly missingCloned = new Map<Subset, Missing>();
  private readonly whole: (Subset | undefined)[] = [];
  private readonly unseenStarts: Readonly<Record<TaskKind, (readonly number[] | undefined)[]>> = {
    process: [],
    thread: [],
  };

  constructor(compiled: CompiledPolicy, traits: SourceTraits) {
    this.compiled = compiled;
    this.traits = traits;
    const effects = compiled.edges.filter((edge) => edge.symbol >= 0);
    this.effects = effects.length;
    this.hidden = new Set(compiled.edges.filter((edge) => unseen(edge, traits, compiled.links)));
    this.seen = effects.filter((edge) => !this.hidden.has(edge)).length;
    this.subsets = new Subsets(automatonOf(compiled, this.hidden), compiled.symbolsOf, { limit: keptSets });
  }

  /** Starts of these automata. */
  start(automata: readonly number[]): Subset {
    return this.subsets.of(automata.map((a) => this.compiled.initial(a)));
  }

  /** Every state of these automata: what is known of a task of which nothing else is known. */
  all(automata: readonly number[]): Subset {
    return automata
      .map((a) => this.wholeOf(a))
      .reduce((a, b) => this.subsets.union(a, b), this.subsets.empty);
  }

  /** Where tasks of this kind start that a task in these states may make. */
  children(from: Int32Array, kind: TaskKind): number[] {
    const { clones } = this.compiled;
    const out = new Set<number>();
    for (const state of from)
      for (const edge of clones.get(state) ?? []) if (makes(edge, kind)) out.add(edge.child);
    return [...out];
  }

  /**
   * Where tasks start that clones make which leave no record. The task that made one may itself never have been seen,
   * so these starts are possible at any time.
   */
  unseenChildren(automata: readonly number[], kind: TaskKind): readonly number[] {
    return automata.flatMap((a) => this.unseenOf(a, kind));
  }

  private unseenOf(automaton: number, kind: TaskKind): readonly number[] {
    const table = this.unseenStarts[kind];
    return (table[automaton] ??= [...this.compiled.clones.values()]
      .flat()
      .filter((edge) => edge.automaton === automaton && makes(edge, kind) && this.hidden.has(edge))
      .map((edge) => edge.child));
  }

  /**
   * States that flows which are not written yet may have led to, with `cloned` also clones; not a closed set. See
   * missing.ts.
   */
  withMissing(from: Subset, cloned: boolean): Int32Array {
    return this.missingOf(from, cloned).states;
  }

  /** `Subsets.step` from these states, and from those. */
  stepMissing(from: Subset, letter: Letter, cloned: boolean): Subset {
    const { states, moves } = this.missingOf(from, cloned);
    let to = moves.get(letter);
    if (to === undefined) {
      const targets = new Set<number>();
      const symbols = new Set(this.compiled.symbolsOf(letter));
      for (const state of states)
        for (const edge of this.compiled.edgesFrom(state)) if (symbols.has(edge.symbol)) targets.add(edge.to);
      to = this.subsets.union(this.subsets.step(from, letter), this.subsets.of(targets));
      moves.set(letter, to);
    }
    return to;
  }

  private missingOf(from: Subset, cloned: boolean): Missing {
    const table = cloned ? this.missingCloned : this.missing;
    let found = table.get(from);
    if (found === undefined) {
      if (table.size >= keptSets) table.clear();
      found = { states: withMissing(this.compiled, this.hidden, from.states, cloned), moves: new Map() };
      table.set(from, found);
    }
    return found;
  }

  private wholeOf(automaton: number): Subset {
    return (this.whole[automaton] ??= this.subsets.of(
      range(this.compiled.offsets[automaton], this.compiled.offsets[automaton + 1]),
    ));
  }
}

function* range(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}

function automatonOf(compiled: CompiledPolicy, hidden: ReadonlySet<CompiledEdge>): Nfa {
  const builder = new NfaBuilder();
  for (let s = 0; s < compiled.automatonOf.length; s++) builder.addState();
  for (const edge of compiled.edges) {
    if (edge.symbol < 0 || hidden.has(edge)) builder.addSilent(edge.from, edge.to);
    if (edge.symbol >= 0) builder.addEdge(edge.from, edge.symbol, edge.to);
    if (edge.child >= 0) builder.addEntry(edge.child);
  }
  for (const entry of compiled.entries) builder.addEntry(compiled.initial(entry));
  return builder.build(compiled.initial(compiled.policy.root));
}
