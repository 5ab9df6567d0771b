// A policy as one source can see it. Effects that the source has no record for are stepped over: they become silent as
// well, so that the monitor neither expects them nor is surprised when what follows them comes.
import { type Nfa, NfaBuilder, type Subset, Subsets } from '../automaton/index.ts';
import type { Op } from '../effect/index.ts';
import type { SourceTraits } from '../telemetry/index.ts';
import { type CompiledEdge, type CompiledPolicy, makes, type TaskKind } from './compiled.ts';
import { isStdio, spaceOf } from './match-file.ts';
import { isIpv6 } from './match-net.ts';

/** Sets of states that are kept for one view. */
const keptSets = 20_000;

export class View {
  readonly compiled: CompiledPolicy;
  readonly traits: SourceTraits;
  readonly subsets: Subsets;
  /** Effects of the policy that this source has a record for whenever they happen, and all of them. */
  readonly seen: number;
  readonly effects: number;
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
    this.seen = effects.filter((edge) => !unseen(edge, traits)).length;
    this.subsets = new Subsets(automatonOf(compiled, traits), compiled.symbolsOf, { limit: keptSets });
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

  /** Where tasks of this kind start that a task in these states may make; undefined kind: any. */
  children(from: Subset, kind: TaskKind | undefined): number[] {
    const { clones } = this.compiled;
    const out = new Set<number>();
    for (const state of from.states)
      for (const edge of clones.get(state) ?? [])
        if (kind === undefined || makes(edge, kind)) out.add(edge.child);
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
      .filter((edge) => edge.automaton === automaton && makes(edge, kind) && unseen(edge, this.traits))
      .map((edge) => edge.child));
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

function automatonOf(compiled: CompiledPolicy, traits: SourceTraits): Nfa {
  const builder = new NfaBuilder();
  for (let s = 0; s < compiled.automatonOf.length; s++) builder.addState();
  for (const edge of compiled.edges) {
    if (edge.symbol < 0 || unseen(edge, traits)) builder.addSilent(edge.from, edge.to);
    if (edge.symbol >= 0) builder.addEdge(edge.from, edge.symbol, edge.to);
    if (edge.child >= 0) builder.addEntry(edge.child);
  }
  return builder.build(compiled.initial(compiled.policy.root));
}

/** Operations at a flow's end: sources of flows lose some (descriptors closed by exec, by dup2, by another thread). */
const endings: ReadonlySet<Op> = new Set(['CLOSE', 'SHUTDOWN']);

/** Whether an edge may be taken without a record of it. */
export function unseen(edge: CompiledEdge, traits: SourceTraits): boolean {
  const { effect, policy } = edge;
  if (effect === undefined) return true;
  if (!traits.ops.has(effect.op)) return true;
  if (policy.syscall !== undefined && policy.syscall !== '' && traits.syscalls?.has(policy.syscall) === false)
    return true;
  const fails = (policy.errors?.length ?? 0) > 0 || policy.succeeds === false;
  if (fails && !traits.failures && edge.target < 0) return true;
  const { resource } = effect;
  if (
    resource.kind === 'net' &&
    !traits.ipv6 &&
    (isIpv6(resource.local.address) || isIpv6(resource.peer.address))
  )
    return true;
  if (!traits.flows) return false;
  return endings.has(effect.op) || unreliable(edge);
}

/** What sources of flows report only sometimes: descriptors that are not the task's own, or that reach nothing outside. */
function unreliable({ effect }: CompiledEdge): boolean {
  if (effect?.resource.kind === 'net') {
    const { peer } = effect.resource;
    return effect.op !== 'CONNECT' && (peer.port === '0' || peer.port === '');
  }
  if (effect?.resource.kind !== 'file') return false;
  const { type, path } = effect.resource;
  return path.startsWith('anon:') || isStdio(spaceOf(type), path);
}
