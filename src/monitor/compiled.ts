// A policy ready for the monitor: the states of all its automata numbered through (EXEC edges lead to the next
// automaton's start), effects interned as symbols, and for each set of symbols that an observation may be (a letter)
// what each automaton says about it.
import type { Letter } from '../automaton/index.ts';
import { assert } from '../bytes/index.ts';
import { type Effect, literal, OPS, type Op, type Pattern, type Resource } from '../effect/index.ts';
import type { Policy, PolicyAutomaton, PolicyEdge } from '../policy/index.ts';
import { Links } from './links.ts';
import { type ResourceClass, ResourceIndex } from './resources.ts';

/** Index of each operation in OPS. */
export const OP = Object.fromEntries(OPS.map((op, i) => [op, i])) as Readonly<Record<Op, number>>;

/** Letters of `Effect.access` as bits. */
export function accessMask(access: string): number {
  let mask = 0;
  for (let i = 0; i < access.length; i++) {
    const bit = 'rwctax'.indexOf(access[i]);
    if (bit >= 0) mask |= 1 << bit;
  }
  return mask;
}

const READ = accessMask('r');

/** Inverse of `accessMask`. */
export const accessText = (mask: number): string =>
  [...'rwctax'].filter((_, bit) => (mask & (1 << bit)) !== 0).join('');

export interface CompiledEdge {
  /** Numbered through the whole policy. */
  readonly from: number;
  readonly to: number;
  /** -1: silent. */
  readonly symbol: number;
  readonly automaton: number;
  /** State of the new task of a CLONE edge, else -1. */
  readonly child: number;
  /** Automaton that an EXEC edge leads to, else -1. */
  readonly target: number;
  readonly policy: PolicyEdge;
  readonly effect: Effect<Pattern> | undefined;
}

interface SymbolRow {
  readonly op: number;
  /** Of its resource. */
  readonly pattern: number;
  readonly access: number;
  /** The exec that fails; a failing exec leads elsewhere than one that succeeds. */
  readonly fails: boolean;
  readonly edges: CompiledEdge[];
}

/** What an automaton says of a letter, as bits. */
export const Says = {
  /** Some edge has it. */
  allowed: 1,
  /** Some edge has it that can be reached once the environment has acted. */
  serving: 2,
  /** Every edge that has it leads into the serve phase. */
  enters: 4,
} as const;

interface LetterRow {
  readonly symbols: Int32Array;
  /** By automaton: bits of Says. */
  readonly says: Uint8Array;
}

/** How strictly an observation is compared. */
export const Match = {
  exact: 0,
  /** The source does not tell with which access. */
  anyAccess: 1,
  /** An exec that failed. */
  failed: 2,
  /** The source tells an opening of the path alone (O_PATH) as one to read. */
  pathAsRead: 4,
} as const;

/** Letters beyond which no unions are made. */
const maxLetters = 1 << 16;

/** Operations that work on the last name itself, be it a link. */
const onNames: ReadonlySet<Op> = new Set(['UNLINK', 'RENAME', 'RMDIR', 'MKDIR', 'SYMLINK', 'LINK', 'MKNOD']);
const onBoundSockets: ReadonlySet<Op> = new Set(['ACCEPT', 'BIND', 'LISTEN']);

export class CompiledPolicy {
  readonly policy: Policy;
  readonly name: string;
  readonly links: Links;
  /** Automata in whose starts the runtime may begin processes of the running container. */
  readonly entries: readonly number[];
  readonly resources: ResourceIndex;
  /** First state of each automaton, and one past the last state of all. */
  readonly offsets: Int32Array;
  readonly automatonOf: Int32Array;
  readonly serves: Uint8Array;
  readonly edges: readonly CompiledEdge[];
  /** By automaton: whether it can make processes, threads. */
  readonly forks: readonly boolean[];
  readonly threads: readonly boolean[];
  /** By automaton: whether every task that is made after the start begins in the serve phase. */
  readonly servingChildren: readonly boolean[];
  /** Edges of CLONE by the state that they leave. */
  readonly clones: ReadonlyMap<number, readonly CompiledEdge[]>;
  /** All symbols of CLONE. */
  readonly anyClone: Letter;
  private readonly symbols: SymbolRow[] = [];
  private readonly symbolsOfPattern: number[][] = [];
  private readonly symbolKeys = new Map<string, number>();
  private readonly patternKeys = new Map<string, number>();
  private readonly programPatterns: number[];
  private readonly letters: LetterRow[] = [];
  private readonly letterKeys = new Map<string, Letter>();
  /** By automaton and operation: 1 it reads only, 2 it changes something. */
  private readonly done: Uint8Array;
  private leaving: Map<number, CompiledEdge[]> | undefined;
  private readonly unions = new Map<number, Letter>();
  /** Unions that were asked for lately: both letters, and their union. */
  private readonly united = new Int32Array(3 * 256).fill(-1);
  private readonly lookups = new Map<number, Letter>();
  private readonly reach: Uint8Array;

  /** `name` says in findings and notes which policy this is. */
  constructor(policy: Policy, name: string) {
    this.policy = policy;
    this.name = name;
    this.links = new Links({ ...entrypointLink(policy), ...policy.links });
    this.entries = [...new Set((policy.entries ?? []).map(({ automaton }) => automaton))];
    this.resources = new ResourceIndex(this.links);
    const sizes = policy.automata.map((automaton) => automaton.states.length);
    this.offsets = new Int32Array(sizes.length + 1);
    sizes.forEach((size, i) => {
      this.offsets[i + 1] = this.offsets[i] + size;
    });
    const states = this.offsets[sizes.length];
    this.automatonOf = new Int32Array(states);
    this.serves = new Uint8Array(states);
    policy.automata.forEach((automaton, a) => {
      automaton.states.forEach((state, s) => {
        this.automatonOf[this.offsets[a] + s] = a;
        this.serves[this.offsets[a] + s] = state.phase === 'serve' ? 1 : 0;
      });
    });
    const ports = boundPorts(policy);
    this.programPatterns = policy.automata.map((automaton) => this.programPattern(automaton));
    this.edges = policy.automata.flatMap((automaton, a) =>
      automaton.edges.flatMap((edge) => this.compileEdge(a, edge, ports)),
    );
    for (const edge of this.edges) if (edge.symbol >= 0) this.symbols[edge.symbol].edges.push(edge);
    this.done = new Uint8Array(policy.automata.length * OPS.length);
    for (const { automaton, effect } of this.edges)
      if (effect !== undefined)
        this.done[automaton * OPS.length + OP[effect.op]] |= accessMask(effect.access) & ~1 ? 2 : 1;
    this.reach = this.reachedWhenServing();
    this.clones = this.cloneEdges();
    this.forks = this.cloners('process');
    this.threads = this.cloners('thread');
    this.servingChildren = policy.automata.map((_, a) =>
      [...this.clones.values()]
        .flat()
        .every((edge) => edge.automaton !== a || !this.reach[edge.from] || this.serves[edge.child] === 1),
    );
    this.anyClone = this.letter(this.symbols.flatMap((symbol, i) => (symbol.op === OP.CLONE ? [i] : [])));
  }

  get automata(): number {
    return this.policy.automata.length;
  }

  initial(automaton: number): number {
    return this.offsets[automaton] + this.policy.automata[automaton].initial;
  }

  /** Symbols of a letter, ascending. */
  symbolsOf = (letter: Letter): Int32Array => this.letters[letter].symbols;

  symbol(symbol: number): { readonly op: number; readonly pattern: number } {
    return this.symbols[symbol];
  }

  /** Edges that leave a state. */
  edgesFrom(state: number): readonly CompiledEdge[] {
    if (this.leaving === undefined) {
      this.leaving = new Map();
      for (const edge of this.edges) {
        const list = this.leaving.get(edge.from);
        if (list === undefined) this.leaving.set(edge.from, [edge]);
        else list.push(edge);
      }
    }
    return this.leaving.get(state) ?? [];
  }

  edgesOf(letter: Letter): CompiledEdge[] {
    return [...this.symbolsOf(letter)].flatMap((symbol) => this.symbols[symbol].edges);
  }

  /** Bits of `Says`. */
  says(letter: Letter, automaton: number): number {
    return this.letters[letter].says[automaton];
  }

  /** The letter of an operation on this class of resources; -1 where no edge anywhere has it. */
  letterOf(op: number, access: number, resource: ResourceClass, match: number): Letter {
    const key = ((resource.id * 64 + op) * 64 + access) * 8 + match;
    let found = this.lookups.get(key);
    if (found === undefined) {
      const symbols = resource.patterns.flatMap((pattern) =>
        this.symbolsOfPattern[pattern].filter((symbol) => fits(this.symbols[symbol], op, access, match)),
      );
      found = symbols.length === 0 ? -1 : this.letter(symbols);
      this.lookups.set(key, found);
    }
    return found;
  }

  /** Whether an automaton has the operation at all; with access rights: only to read, or also to change, as these. */
  does(automaton: number, op: number, access: number | undefined): boolean {
    const bits = this.done[automaton * OPS.length + op];
    return access === undefined ? bits !== 0 : (bits & (access & ~1 ? 2 : 1)) !== 0;
  }

  /** Both letters as one; -1 where too many are known already to make another. */
  union(a: Letter, b: Letter): Letter {
    const { united } = this;
    const at = (Math.imul(a, 0x9e3779b1) + Math.imul(b, 0x85ebca6b)) >>> 24;
    if (united[3 * at] === a && united[3 * at + 1] === b) return united[3 * at + 2];
    const found = this.unionOf(a, b);
    united[3 * at] = a;
    united[3 * at + 1] = b;
    united[3 * at + 2] = found;
    return found;
  }

  private unionOf(a: Letter, b: Letter): Letter {
    const key = a * maxLetters + b;
    let found = this.unions.get(key);
    if (found === undefined) {
      if (this.letters.length >= maxLetters) return -1;
      found = this.letter([...this.symbolsOf(a), ...this.symbolsOf(b)]);
      this.unions.set(key, found);
    }
    return found;
  }

  /** Automata whose program and arguments are these; with `anyArgs` the program alone decides. */
  automataOf(exe: string, args: string, anyArgs: boolean): number[] {
    const { patterns } = anyArgs ? this.resources.programPath(exe) : this.resources.program(exe, args);
    const matched = new Set(patterns);
    return this.programPatterns.flatMap((pattern, a) => (matched.has(pattern) ? [a] : []));
  }

  /** The letter of these symbols. */
  letterOfSymbols(symbols: Iterable<number>): Letter {
    return this.letter([...symbols].filter((symbol) => this.symbols[symbol] !== undefined));
  }

  private letter(symbols: readonly number[]): Letter {
    const ordered = Int32Array.from(new Set(symbols)).sort();
    const key = ordered.join(',');
    const known = this.letterKeys.get(key);
    if (known !== undefined) return known;
    const says = new Uint8Array(this.automata);
    const stays = new Uint8Array(this.automata);
    for (const symbol of ordered) {
      for (const { automaton, from, to } of this.symbols[symbol].edges) {
        says[automaton] |= Says.allowed | (this.reach[from] ? Says.serving : 0);
        if (!this.serves[to]) stays[automaton] = 1;
      }
    }
    for (let a = 0; a < says.length; a++) if (says[a] !== 0 && !stays[a]) says[a] |= Says.enters;
    const letter = this.letters.push({ symbols: ordered, says }) - 1;
    this.letterKeys.set(key, letter);
    return letter;
  }

  private compileEdge(automaton: number, edge: PolicyEdge, ports: ReadonlySet<string>): CompiledEdge[] {
    const offset = this.offsets[automaton];
    const base = {
      from: offset + edge.from,
      to: offset + edge.to,
      automaton,
      child: edge.child === undefined ? -1 : offset + edge.child,
      target: -1,
      policy: edge,
      effect: edge.effect,
    };
    if (edge.effect === undefined) return [{ ...base, symbol: -1 }];
    const pattern = this.pattern(edge, ports);
    if (edge.effect.op !== 'EXEC')
      return [{ ...base, symbol: this.internSymbol(edge.effect, pattern, false) }];
    const out: CompiledEdge[] = [];
    if (edge.automaton !== undefined) {
      const symbol = this.internSymbol(edge.effect, pattern, false);
      out.push({ ...base, to: this.initial(edge.automaton), target: edge.automaton, symbol });
    }
    if (edge.automaton === undefined || (edge.errors?.length ?? 0) > 0)
      out.push({ ...base, symbol: this.internSymbol(edge.effect, pattern, true) });
    return out;
  }

  private internSymbol(effect: Effect<Pattern>, pattern: number, fails: boolean): number {
    const row = { op: OP[effect.op], pattern, access: accessMask(effect.access), fails, edges: [] };
    const key = `${row.op} ${row.access} ${pattern} ${fails}`;
    let found = this.symbolKeys.get(key);
    if (found === undefined) {
      found = this.symbols.push(row) - 1;
      this.symbolKeys.set(key, found);
      this.symbolsOfPattern[pattern].push(found);
    }
    return found;
  }

  private pattern(edge: PolicyEdge, ports: ReadonlySet<string>): number {
    assert(edge.effect !== undefined, 'silent edges have no resource');
    const { op, resource } = edge.effect;
    const scripts = edge.automaton === undefined ? [] : this.scriptsOf(this.policy.automata[edge.automaton]);
    const bound =
      onBoundSockets.has(op) ||
      (op !== 'CONNECT' && resource.kind === 'net' && ports.has(resource.local.port));
    return this.internPattern(resource, { follow: !onNames.has(op), bound, scripts });
  }

  private programPattern(automaton: PolicyAutomaton): number {
    const path = this.policy.programs[automaton.program]?.path ?? '';
    const resource: Resource<Pattern> = { kind: 'program', path: literal(path), args: automaton.args };
    return this.internPattern(resource, { follow: true, bound: false, scripts: this.scriptsOf(automaton) });
  }

  private internPattern(
    resource: Resource<Pattern>,
    use: { readonly follow: boolean; readonly bound: boolean; readonly scripts: readonly Pattern[] },
  ): number {
    const key = JSON.stringify([resource, use]);
    let found = this.patternKeys.get(key);
    if (found === undefined) {
      found = this.symbolsOfPattern.push([]) - 1;
      this.patternKeys.set(key, found);
      this.resources.add(found, resource, use);
    }
    return found;
  }

  /** Of the first two arguments those that the program opens, or passes on to a program that it executes. */
  private scriptsOf(automaton: PolicyAutomaton): Pattern[] {
    return automaton.args.slice(0, 2).filter((arg) =>
      automaton.edges.some(({ effect }) => {
        if (effect?.op === 'OPEN' && effect.resource.kind === 'file') return effect.resource.path === arg;
        return (
          effect?.op === 'EXEC' && effect.resource.kind === 'program' && effect.resource.args.includes(arg)
        );
      }),
    );
  }

  /** States that can be reached from a state of the serve phase within their automaton. */
  private reachedWhenServing(): Uint8Array {
    const reach = Uint8Array.from(this.serves);
    const next = new Map<number, number[]>();
    for (const edge of this.edges) {
      if (edge.target >= 0) continue;
      const list = next.get(edge.from);
      if (list === undefined) next.set(edge.from, [edge.to]);
      else list.push(edge.to);
    }
    const work = [...reach.keys()].filter((state) => reach[state] === 1);
    for (let state = work.pop(); state !== undefined; state = work.pop()) {
      for (const to of next.get(state) ?? []) {
        if (reach[to] === 1) continue;
        reach[to] = 1;
        work.push(to);
      }
    }
    return reach;
  }

  private cloneEdges(): Map<number, CompiledEdge[]> {
    const out = new Map<number, CompiledEdge[]>();
    for (const edge of this.edges) {
      if (edge.effect?.op !== 'CLONE' || edge.child < 0) continue;
      const list = out.get(edge.from);
      if (list === undefined) out.set(edge.from, [edge]);
      else list.push(edge);
    }
    return out;
  }

  private cloners(kind: TaskKind): boolean[] {
    const out = new Array<boolean>(this.automata).fill(false);
    for (const edges of this.clones.values())
      for (const edge of edges) if (makes(edge, kind)) out[edge.automaton] = true;
    return out;
  }
}

export type TaskKind = 'process' | 'thread';

/** Whether a CLONE edge makes a task of this kind. */
export function makes(edge: CompiledEdge, kind: TaskKind): boolean {
  const resource = edge.effect?.resource;
  return (
    resource?.kind !== 'task' ||
    resource.what === kind ||
    !(resource.what === 'process' || resource.what === 'thread')
  );
}

function fits(symbol: SymbolRow, op: number, access: number, match: number): boolean {
  if (symbol.op !== op) return false;
  if (op === OP.EXEC) return symbol.fails === ((match & Match.failed) !== 0);
  if ((match & Match.anyAccess) !== 0 || symbol.access === access) return true;
  return (match & Match.pathAsRead) !== 0 && op === OP.OPEN && symbol.access === 0 && access === READ;
}

/** The image's first word of command and the root's program are one, unless that word is a script. */
function entrypointLink({
  image,
  deployment,
  automata,
  programs,
  root,
}: Policy): Readonly<Record<string, string>> {
  const word = deployment?.program ?? [...image.entrypoint, ...image.cmd][0] ?? '';
  const path = programs[automata[root].program]?.path ?? '';
  const isScript = automata[root].args.some((arg) => arg === literal(word));
  return word.startsWith('/') && path.startsWith('/') && word !== path && !isScript ? { [word]: path } : {};
}

/** Local ports that the policy's tasks ask for. */
function boundPorts(policy: Policy): Set<string> {
  const ports = new Set<string>();
  for (const { edges } of policy.automata)
    for (const { effect } of edges)
      if (effect !== undefined && onBoundSockets.has(effect.op) && effect.resource.kind === 'net')
        ports.add(effect.resource.local.port);
  return ports;
}
