// The law: what a program does in the machine is what it does on a host. Two trees of processes are laid beside each
// other and their effects compared: which there are, how often, in which order.
//
// Values that the environment decides (numbers, names made up at run time) may differ: such pairs are counted and are
// no difference. How often a program reads and writes depends on what arrives when: only whether it does is compared.
import { printEffect } from '../effect/index.ts';
import { commonSubsequence } from '../model/index.ts';
import type { Happening, ProcessRun } from './runs.ts';

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

export interface Comparison {
  readonly differences: readonly Difference[];
  /** Effects that both sides have, and of these pairs that differ in values of the environment alone. */
  readonly common: number;
  readonly environment: number;
}

export function compareRuns(host: ProcessRun, machine: ProcessRun): Comparison {
  const comparer = new Comparer();
  comparer.processes(host, machine, '');
  return comparer.result();
}

interface Entry {
  readonly text: string;
  count: number;
}

class Comparer {
  private readonly differences = new Map<string, { difference: Difference; count: number }>();
  private common = 0;
  private environment = 0;

  result(): Comparison {
    const differences = [...this.differences.values()].map(({ difference, count }) => ({
      ...difference,
      count,
    }));
    return { differences, common: this.common, environment: this.environment };
  }

  processes(host: ProcessRun, machine: ProcessRun, above: string): void {
    const where = above === '' ? nameOf(machine) : `${above} > ${nameOf(machine)}`;
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
    if (host.threads.length !== machine.threads.length) {
      const more = host.threads.length > machine.threads.length;
      const count = Math.abs(host.threads.length - machine.threads.length);
      this.add(more ? 'host-task' : 'machine-task', where, 'thread', count);
    }
    // Which thread does a piece of work is chance: effects are compared over the process, order in the
    // main thread.
    this.sets(host, machine, where);
    const [a, b] = [host, machine].map(({ threads }) => sequence(threads[0]?.effects ?? []));
    this.order(a, b, where);
  }

  private sets(host: ProcessRun, machine: ProcessRun, where: string): void {
    const [ours, theirs] = [host, machine].map((side) =>
      tally(side.threads.flatMap(({ effects }) => effects)),
    );
    for (const [key, entry] of [...ours]) {
      const other = theirs.get(key);
      if (other === undefined) continue;
      ours.delete(key);
      theirs.delete(key);
      this.common += Math.min(entry.count, other.count);
      if (entry.count !== other.count && !isTransfer(entry.text))
        this.add('count', where, `${entry.text} (host ${entry.count}, machine ${other.count})`);
    }
    for (const [key, entry] of [...ours]) {
      const twin = [...theirs].find(([, other]) => sameButForValues(entry.text, other.text));
      if (twin === undefined) continue;
      ours.delete(key);
      theirs.delete(twin[0]);
      this.common += 1;
      this.environment += 1;
    }
    for (const { text, count } of ours.values()) this.add('host-only', where, text, count);
    for (const { text, count } of theirs.values()) this.add('machine-only', where, text, count);
  }

  private order(host: readonly string[], machine: readonly string[], where: string): void {
    const both = new Set(machine);
    const ours = host.filter((text) => both.has(text));
    const shared = new Set(ours);
    const theirs = machine.filter((text) => shared.has(text));
    const kept = new Set(commonSubsequence(ours, theirs).map(([i]) => i));
    // A text that stands several times is out of order only where none of its places is in order.
    const fine = new Set([...kept].map((i) => ours[i]));
    for (const text of shared) if (!fine.has(text)) this.add('order', where, text);
  }

  private add(kind: DifferenceKind, where: string, effect: string, count = 1): void {
    const key = JSON.stringify([kind, where, effect]);
    const found = this.differences.get(key);
    if (found === undefined) this.differences.set(key, { difference: { kind, where, effect, count }, count });
    else found.count += count;
  }
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const nameOf = ({ programs }: ProcessRun): string => programs.map(baseName).join(' → ') || '(fork)';

/** Programs of a process and of those that it makes: what tells children of one parent apart. */
const signature = (run: ProcessRun): string =>
  `${run.programs.join(' ')} [${run.children.map((child) => child.programs.join(' ')).join(', ')}]`;

function describe({ effect, result }: Happening): string {
  const text =
    effect.op === 'CLONE'
      ? `CLONE ${effect.resource.kind === 'task' ? effect.resource.what : ''}`
      : printEffect(effect);
  // an endpoint that nobody is at yet has no other side
  const plain = text.replace(/ <-> (?:0\.0\.0\.0|\[::\]):0$/, '');
  return result < 0 ? `${plain} = errno ${-result}` : plain;
}

const isTransfer = (text: string): boolean => /^(?:READ|WRITE) /.test(text);

function tally(happenings: readonly Happening[]): Map<string, Entry> {
  const out = new Map<string, Entry>();
  for (const happening of happenings) {
    const text = describe(happening);
    const found = out.get(text);
    if (found === undefined) out.set(text, { text, count: 1 });
    else found.count++;
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

/** Equal but for words with digits in them, and words of the same length that a program makes up. */
export function sameButForValues(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => text.split(/([0-9A-Za-z]+)/));
  if (x.length !== y.length) return false;
  return x.every((word, i) => {
    const other = y[i];
    if (word === other) return true;
    if (i % 2 === 0) return false;
    if (/\d/.test(word) && /\d/.test(other)) return true;
    return i > 1 && word.length === other.length && word.length >= 6 && looksMade(word) && looksMade(other);
  });
}

/** Mixed case or digits, as templates of temporary names give. */
const looksMade = (word: string): boolean =>
  /\d/.test(word) || (/[a-z]/.test(word) && /[A-Z]/.test(word.slice(1)));
