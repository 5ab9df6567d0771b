// The law: what a program does in the machine is what it does on a host. Two trees of processes are laid beside each
// other and their effects compared: which there are, how often, in which order.
//
// What is no difference is counted as tolerated and listed, never dropped: values that the environment decides
// (values.ts), and how often a program transfers data or repeats what a timer drives, which depends on what arrives
// when.
import { type Effect, printEffect } from '../effect/index.ts';
import { commonSubsequence } from '../model/index.ts';
import type { Happening, ProcessRun } from './runs.ts';
import { comparable, type Resolve, resolved, sameButForValues, type Values, valuesOf } from './values.ts';

export type DifferenceKind =
  /** Only one side has such an effect. */
  | 'host-only'
  | 'machine-only'
  /** Both have it, in another order within its thread. */
  | 'order'
  /** Both have it, not as often. */
  | 'count'
  /** A process or thread that the other side does not have. */
  | 'host-task'
  | 'machine-task';

export interface Difference {
  readonly kind: DifferenceKind;
  /** Programs from the first process down, `sh > nginx > nginx`. */
  readonly where: string;
  /** `OPEN r /etc/passwd`, with its error where it fails. */
  readonly effect: string;
  readonly count: number;
}

export type ToleranceKind =
  /** The same but for values of the environment. */
  | 'value'
  /** The same file by another name: through symbolic links of the image. */
  | 'name'
  /** In another order, below a directory that the process lists: its names come in the file system's order. */
  | 'listing'
  /** READ and WRITE: both do it, not as often. */
  | 'transfers'
  /** Both do it ten times or more, as often but for a fifth: a timer's rounds. */
  | 'rounds';

export interface Tolerance {
  readonly kind: ToleranceKind;
  readonly where: string;
  /** As on the host and as in the machine; with its count where that is what differs. */
  readonly host: string;
  readonly machine: string;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly tolerated: readonly Tolerance[];
  /** Effects that both sides have. */
  readonly common: number;
}

/** `resolve` follows links of the image; without it another name is another file. */
export function compareRuns(
  host: ProcessRun,
  machine: ProcessRun,
  resolve: Resolve = (path) => path,
): Comparison {
  const values = { host: valuesOf(happeningsOf(host)), machine: valuesOf(happeningsOf(machine)) };
  const comparer = new Comparer(values, resolve);
  comparer.processes(host, machine, '');
  return comparer.result();
}

function* happeningsOf(run: ProcessRun): Generator<Happening> {
  for (const { effects } of run.threads) yield* effects;
  for (const child of run.children) yield* happeningsOf(child);
}

/** One effect with its error, however often. */
interface Entry {
  readonly text: string;
  readonly effect: Effect;
  /** Negative errno, or 0. */
  readonly error: number;
  readonly count: number;
}

class Comparer {
  private readonly differences = new Map<string, Difference>();
  private readonly tolerated: Tolerance[] = [];
  private readonly values: { readonly host: Values; readonly machine: Values };
  private readonly resolve: Resolve;
  private common = 0;

  constructor(values: { readonly host: Values; readonly machine: Values }, resolve: Resolve) {
    this.values = values;
    this.resolve = resolve;
  }

  result(): Comparison {
    return {
      differences: [...this.differences.values()],
      tolerated: this.tolerated,
      common: this.common,
    };
  }

  processes(host: ProcessRun, machine: ProcessRun, above: string): void {
    const where = placeOf(above, machine);
    this.effects(host, machine, where);
    const pairs = commonSubsequence(host.children.map(signature), machine.children.map(signature));
    const left = { host: new Set(host.children), machine: new Set(machine.children) };
    for (const [i, j] of pairs) {
      left.host.delete(host.children[i]);
      left.machine.delete(machine.children[j]);
      this.processes(host.children[i], machine.children[j], where);
    }
    // Children may be born in another order where several tasks make them, or have come less far.
    for (const child of left.host) {
      const other = [...left.machine].find((each) => nameOf(each) === nameOf(child));
      if (other === undefined) this.add('host-task', where, `process ${nameOf(child)}`);
      else {
        left.machine.delete(other);
        this.processes(child, other, where);
      }
    }
    for (const child of left.machine) this.add('machine-task', where, `process ${nameOf(child)}`);
  }

  private effects(host: ProcessRun, machine: ProcessRun, where: string): void {
    const threads = host.threads.length - machine.threads.length;
    if (threads !== 0)
      this.add(threads > 0 ? 'host-task' : 'machine-task', where, 'thread', Math.abs(threads));
    // Which thread does a piece of work is chance: effects are compared over the process, order in the
    // main thread.
    const twins = this.sets(host, machine, where);
    const ours = sequence(host.threads[0]?.effects ?? []).map((text) => twins.get(text) ?? text);
    const listed = directoriesOf(host).filter((path) => directoriesOf(machine).includes(path));
    this.order(ours, sequence(machine.threads[0]?.effects ?? []), { where, listed });
  }

  /** Returns, for effects of the host that differ in values, how the machine has them. */
  private sets(host: ProcessRun, machine: ProcessRun, where: string): Map<string, string> {
    const [ours, theirs] = [host, machine].map((side) =>
      tally(side.threads.flatMap(({ effects }) => effects)),
    );
    const twins = new Map<string, string>();
    for (const [key, entry] of [...ours]) {
      const other = theirs.get(key);
      if (other !== undefined) this.both(ours, theirs, [entry, other], where);
    }
    for (const entry of [...ours.values()]) {
      const other = this.twin(entry, theirs.values());
      if (other === undefined) continue;
      twins.set(entry.text, other.text);
      const kind = this.alike(entry.effect, other.effect) ? 'value' : 'name';
      this.tolerated.push({ kind, where, host: entry.text, machine: other.text });
      this.both(ours, theirs, [entry, other], where);
    }
    for (const { text, count } of ours.values()) this.add('host-only', where, text, count);
    for (const { text, count } of theirs.values()) this.add('machine-only', where, text, count);
    return twins;
  }

  private twin(entry: Entry, others: Iterable<Entry>): Entry | undefined {
    const same = [...others].filter((other) => other.error === entry.error);
    const own = resolved(entry.effect, this.resolve);
    return (
      same.find((other) => this.alike(entry.effect, other.effect)) ??
      same.find((other) => this.alike(own, resolved(other.effect, this.resolve)))
    );
  }

  private alike(host: Effect, machine: Effect): boolean {
    return sameButForValues(host, machine, this.values.host, this.values.machine);
  }

  private both(
    ours: Map<string, Entry>,
    theirs: Map<string, Entry>,
    [host, machine]: readonly [Entry, Entry],
    where: string,
  ): void {
    ours.delete(host.text);
    theirs.delete(machine.text);
    this.common += Math.min(host.count, machine.count);
    if (host.count === machine.count) return;
    const kind = isTransfer(host.text)
      ? 'transfers'
      : areRounds(host.count, machine.count)
        ? 'rounds'
        : undefined;
    if (kind === undefined)
      this.add('count', where, `${machine.text} (host ${host.count}, machine ${machine.count})`);
    else
      this.tolerated.push({
        kind,
        where,
        host: `${host.text} ×${host.count}`,
        machine: `${machine.text} ×${machine.count}`,
      });
  }

  private order(
    host: readonly string[],
    machine: readonly string[],
    { where, listed }: { readonly where: string; readonly listed: readonly string[] },
  ): void {
    const both = new Set(machine);
    const ours = host.filter((text) => both.has(text));
    const shared = new Set(ours);
    const theirs = machine.filter((text) => shared.has(text));
    const kept = new Set(commonSubsequence(ours, theirs).map(([i]) => i));
    // A text that stands several times is out of order only where none of its places is in order.
    const fine = new Set([...kept].map((i) => ours[i]));
    for (const text of shared) {
      if (fine.has(text)) continue;
      if (listed.some((path) => text.includes(` ${path}/`)))
        this.tolerated.push({ kind: 'listing', where, host: text, machine: text });
      else this.add('order', where, text);
    }
  }

  private add(kind: DifferenceKind, where: string, effect: string, count = 1): void {
    const key = JSON.stringify([kind, where, effect]);
    const sofar = this.differences.get(key)?.count ?? 0;
    this.differences.set(key, { kind, where, effect, count: sofar + count });
  }
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const nameOf = ({ programs }: ProcessRun): string => programs.map(baseName).join(' → ') || '(fork)';
const placeOf = (above: string, run: ProcessRun): string =>
  above === '' ? nameOf(run) : `${above} > ${nameOf(run)}`;

/** Programs of a process and of those that it makes: what tells children of one parent apart. */
const signature = (run: ProcessRun): string =>
  `${run.programs.join(' ')} [${run.children.map((child) => child.programs.join(' ')).join(', ')}]`;

function describe({ effect: given, result }: Happening): string {
  const effect = comparable(given);
  const text =
    effect.op === 'CLONE'
      ? `CLONE ${effect.resource.kind === 'task' ? effect.resource.what : ''}`
      : printEffect(effect);
  // an endpoint that nobody is at yet has no other side
  const plain = text.replace(/ <-> 0\.0\.0\.0:0$/, '');
  return result < 0 ? `${plain} = errno ${-result}` : plain;
}

const isTransfer = (text: string): boolean => /^(?:READ|WRITE) /.test(text);

const areRounds = (a: number, b: number): boolean =>
  Math.min(a, b) >= 10 && Math.abs(a - b) <= Math.max(a, b) / 5;

/** Directories that a process opened as such. */
function directoriesOf(run: ProcessRun): string[] {
  return run.threads.flatMap(({ effects }) =>
    effects.flatMap(({ effect: { op, resource }, result }) =>
      op === 'OPEN' && result >= 0 && resource.kind === 'file' && resource.type === 'd'
        ? [resource.path]
        : [],
    ),
  );
}

function tally(happenings: readonly Happening[]): Map<string, Entry> {
  const out = new Map<string, Entry>();
  for (const happening of happenings) {
    const text = describe(happening);
    const count = (out.get(text)?.count ?? 0) + 1;
    out.set(text, {
      text,
      effect: comparable(happening.effect),
      error: Math.min(0, happening.result),
      count,
    });
  }
  return out;
}

/** Texts in order; repeated transfers once, at their first place. */
function sequence(happenings: readonly Happening[]): string[] {
  const seen = new Set<string>();
  return happenings.map(describe).filter((text) => {
    if (!isTransfer(text)) return true;
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
