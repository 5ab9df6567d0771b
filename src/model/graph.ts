// Folding steps into automata: a state is the context in which a task is after an effect (phase, operation, resource
// pattern, call stack), so loops of the program become loops of the automaton. A task that waits for the environment
// is also in a `wait` state, reached by a silent step and shared by all runs that wait at the same place.
import { assert } from '../bytes/index.ts';
import {
  type Effect,
  literal,
  mapResource,
  type Pattern,
  printEffect,
  resourceShape,
} from '../effect/index.ts';
import type { EntryStep, Step } from '../explore/index.ts';
import type { EffectEvent, Frame } from '../linux/index.ts';
import type {
  Phase,
  Policy,
  PolicyAutomaton,
  PolicyEdge,
  PolicyFrame,
  PolicyState,
  Provenance,
} from '../policy/index.ts';
import type { EventPatterns } from './generalize.ts';
import type { Orders } from './orders.ts';
import { stackKey } from './stack.ts';

/** Label of a state between blocks that come in any order (orders.ts). */
const ANY_ORDER = 'one of several, in any order';

/** Resources that one (operation, call stack) tells apart; beyond, its states no longer name the resource. */
export const MAX_RESOURCES_PER_CONTEXT = 512;

interface BuildState extends PolicyState {
  readonly index: number;
}

interface BuildEdge {
  readonly edge: Omit<PolicyEdge, 'succeeds' | 'errors'>;
  succeeds: boolean;
  readonly errors: Set<number>;
}

interface BuildAutomaton {
  readonly index: number;
  readonly name: string;
  readonly exe: string;
  readonly args: readonly Pattern[];
  readonly states: Map<string, BuildState>;
  readonly edges: Map<string, BuildEdge>;
}

interface Place {
  readonly automaton: BuildAutomaton;
  readonly state: BuildState;
}

/** Where every live task is; copied to play several scenarios from one snapshot. */
export type Places = Map<number, Place>;

export interface GraphParts {
  readonly frames: readonly PolicyFrame[];
  readonly stacks: readonly (readonly number[])[];
  readonly automata: readonly PolicyAutomaton[];
  readonly root: number;
  readonly entries: NonNullable<Policy['entries']>;
}

/** What the steps of one run are read with. */
export interface RunContext {
  readonly phase: Phase;
  readonly patterns: EventPatterns;
  readonly orders: Orders;
  /** Arguments of commands that the runtime starts, by index of the launch's entry. */
  readonly entered: ReadonlyMap<number, readonly Pattern[]>;
}

export class GraphBuilder {
  private readonly automata = new Map<string, BuildAutomaton>();
  private readonly names = new Set<string>();
  private readonly frames = new Map<string, number>();
  private readonly frameList: PolicyFrame[] = [];
  private readonly stacks = new Map<string, number>();
  private readonly stackList: number[][] = [];
  private readonly resourcesOf = new Map<string, Set<string>>();
  private readonly program: (path: string) => number;
  private readonly entries = new Map<string, NonNullable<Policy['entries']>[number]>();
  private root: BuildAutomaton | undefined;

  /** `program` interns a program file by its path and gives its index in the policy's `programs` (-1: not a file). */
  constructor(program: (path: string) => number) {
    this.program = program;
  }

  /** Places before the container's first exec: the runtime starts task 1 in the root automaton. */
  start(tid: number, exe: string, args: readonly Pattern[]): Places {
    const automaton = this.automatonFor(exe, args, 'boot');
    this.root ??= automaton;
    assert(this.root === automaton, 'boots start with the same program and arguments');
    return new Map([[tid, { automaton, state: this.initial(automaton, 'boot') }]]);
  }

  /** Walks the steps from these places and adds what they show. The places are changed. */
  add(steps: readonly Step[], places: Places, context: RunContext, provenance: Provenance): void {
    for (const step of steps) {
      if (step.kind === 'effect') this.addInOrder(step.event, places, context, provenance);
      else if (step.kind === 'wait') this.addWait(step, places, provenance);
      else this.enter(step, places, context.entered.get(step.entry) ?? step.args.map(literal));
    }
  }

  /** An effect; through the hubs of groups of which it starts or ends a block. */
  private addInOrder(
    event: EffectEvent,
    places: Places,
    { phase, patterns, orders }: RunContext,
    provenance: Provenance,
  ): void {
    const texts = patterns.get(event) ?? [];
    const started = orders.startedBy(event, texts);
    if (started !== undefined) this.throughHub(event.tid, places, started, { phase, provenance });
    this.addEffect(event, places, phase, patterns, provenance);
    // an exec leads to another automaton
    const ended = event.effect.op === 'EXEC' ? undefined : orders.endedBy(event, texts);
    if (ended !== undefined) this.throughHub(event.tid, places, ended, { phase, provenance });
  }

  private throughHub(
    tid: number,
    places: Places,
    group: number,
    { phase, provenance }: { readonly phase: Phase; readonly provenance: Provenance },
  ): void {
    const place = places.get(tid);
    if (place === undefined) return;
    const { automaton, state } = place;
    const hub = this.state(automaton, `${phase} hub ${group}`, phase, ANY_ORDER);
    if (hub === state) return;
    this.edge(automaton, { from: state.index, to: hub.index, provenance }, 0);
    places.set(tid, { automaton, state: hub });
  }

  /** The runtime starts a command in the running container. */
  private enter({ tid, exe, reason }: EntryStep, places: Places, args: readonly Pattern[]): void {
    const automaton = this.automatonFor(exe, args, 'serve');
    this.entries.set(`${automaton.index} ${reason}`, { reason, automaton: automaton.index });
    places.set(tid, { automaton, state: this.initial(automaton, 'serve') });
  }

  private addEffect(
    event: EffectEvent,
    places: Places,
    phase: Phase,
    patterns: EventPatterns,
    provenance: Provenance,
  ): void {
    const place = places.get(event.tid);
    assert(place !== undefined, `effect of task ${event.tid}, which no CLONE made`);
    const { automaton, state } = place;
    const effect = withPatterns(event.effect, patterns.get(event));
    const stack = stackKey(event.stack);
    const to = this.stateAfter(automaton, phase, effect, stack);
    const base = {
      from: state.index,
      to: to.index,
      effect,
      provenance,
      stack: this.stack(event.stack),
      syscall: event.syscall,
    } as const;
    if (event.result < 0) {
      this.edge(automaton, base, event.result);
    } else if (effect.op === 'EXEC' && effect.resource.kind === 'program') {
      const next = this.automatonFor(
        event.effect.resource.kind === 'program' ? event.effect.resource.path : '',
        effect.resource.args,
        phase,
      );
      this.edge(automaton, { ...base, automaton: next.index }, event.result);
      this.afterExec(event, places, { automaton: next, state: this.initial(next, phase) });
      return;
    } else if (effect.op === 'CLONE') {
      const child = this.state(automaton, `${phase} child ${stack}`, phase, 'child of CLONE');
      this.edge(automaton, { ...base, child: child.index }, event.result);
      places.set(event.result, { automaton, state: child });
    } else {
      this.edge(automaton, base, event.result);
    }
    places.set(event.tid, { automaton, state: to });
  }

  /** exec by any thread leaves the thread group leader only. */
  private afterExec(event: EffectEvent, places: Places, place: Place): void {
    if (event.tid !== event.pid) places.delete(event.tid);
    places.set(event.pid, place);
  }

  private addWait(step: Extract<Step, { kind: 'wait' }>, places: Places, provenance: Provenance): void {
    const place = places.get(step.tid);
    if (place === undefined) return;
    const waiting = this.state(
      place.automaton,
      `wait ${step.syscall} ${stackKey(step.stack)}`,
      'serve',
      `waits in ${step.syscall}`,
    );
    if (waiting !== place.state) {
      this.edge(place.automaton, { from: place.state.index, to: waiting.index, provenance }, 0);
      places.set(step.tid, { automaton: place.automaton, state: waiting });
    }
  }

  private automatonFor(exe: string, args: readonly Pattern[], phase: Phase): BuildAutomaton {
    const key = JSON.stringify([exe, args, phase]);
    let found = this.automata.get(key);
    if (found === undefined) {
      const base = exe.slice(exe.lastIndexOf('/') + 1) || exe;
      let name = base;
      for (let n = 2; this.names.has(name); n++) name = `${base}#${n}`;
      this.names.add(name);
      found = { index: this.automata.size, name, exe, args, states: new Map(), edges: new Map() };
      this.automata.set(key, found);
      this.initial(found, phase);
    }
    return found;
  }

  private initial(automaton: BuildAutomaton, phase: Phase): BuildState {
    return this.state(automaton, 'start', phase, 'start');
  }

  private stateAfter(
    automaton: BuildAutomaton,
    phase: Phase,
    effect: Effect<Pattern>,
    stack: string,
  ): BuildState {
    const context = `${automaton.index} ${phase} ${effect.op} ${effect.access} ${stack}`;
    const resource = JSON.stringify(effect.resource);
    let resources = this.resourcesOf.get(context);
    if (resources === undefined) this.resourcesOf.set(context, (resources = new Set()));
    if (!resources.has(resource) && resources.size < MAX_RESOURCES_PER_CONTEXT) resources.add(resource);
    const named = resources.has(resource);
    const label = named
      ? printEffect(effect)
      : `${effect.op} ${resourceShape(effect.resource)} (any of many)`;
    return this.state(
      automaton,
      `${phase} ${effect.op} ${effect.access} ${stack} ${named ? resource : 'many'}`,
      phase,
      label,
    );
  }

  private state(automaton: BuildAutomaton, key: string, phase: Phase, label: string): BuildState {
    let found = automaton.states.get(key);
    if (found === undefined) {
      found = { index: automaton.states.size, phase, label };
      automaton.states.set(key, found);
    }
    return found;
  }

  private edge(
    automaton: BuildAutomaton,
    edge: Omit<PolicyEdge, 'succeeds' | 'errors'>,
    result: number,
  ): void {
    const key = JSON.stringify([edge.from, edge.to, edge.effect, edge.child, edge.automaton]);
    let found = automaton.edges.get(key);
    if (found === undefined) {
      found = { edge, succeeds: false, errors: new Set() };
      automaton.edges.set(key, found);
    }
    if (result < 0) found.errors.add(-result);
    else found.succeeds = true;
  }

  private stack(frames: readonly Frame[]): number {
    const indices = frames.map((frame) => this.frame(frame));
    const key = indices.join(',');
    let found = this.stacks.get(key);
    if (found === undefined) {
      found = this.stackList.push(indices) - 1;
      this.stacks.set(key, found);
    }
    return found;
  }

  private frame(frame: Frame): number {
    const key = `${frame.module} ${frame.offset}`;
    let found = this.frames.get(key);
    if (found === undefined) {
      found =
        this.frameList.push({
          program: frame.module === '' ? -1 : this.program(frame.module),
          offset: frame.offset,
          symbol: frame.symbol ?? '',
        }) - 1;
      this.frames.set(key, found);
    }
    return found;
  }

  /** The automata in the shape of the policy, edges in a stable order. */
  build(): GraphParts {
    assert(this.root !== undefined, 'a boot was added');
    const automata = [...this.automata.values()].map(
      (automaton): PolicyAutomaton => ({
        name: automaton.name,
        program: this.program(automaton.exe),
        args: automaton.args,
        initial: 0,
        states: [...automaton.states.values()].map(({ phase, label }) => ({ phase, label })),
        edges: [...automaton.edges.values()].map(finishEdge).sort(compareEdges),
      }),
    );
    return {
      frames: this.frameList,
      stacks: this.stackList,
      automata,
      root: this.root.index,
      entries: [...this.entries.values()],
    };
  }
}

function finishEdge({ edge, succeeds, errors }: BuildEdge): PolicyEdge {
  if (edge.effect === undefined) return edge;
  return { ...edge, succeeds, errors: [...errors].sort((a, b) => a - b) };
}

function compareEdges(a: PolicyEdge, b: PolicyEdge): number {
  if (a.from !== b.from || a.to !== b.to) return a.from - b.from || a.to - b.to;
  const x = JSON.stringify(a);
  const y = JSON.stringify(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

function withPatterns(effect: Effect, patterns: readonly Pattern[] | undefined): Effect<Pattern> {
  assert(patterns !== undefined, 'every event has patterns');
  let i = 0;
  return {
    op: effect.op,
    access: effect.access,
    resource: mapResource(effect.resource, () => patterns[i++]),
  };
}
