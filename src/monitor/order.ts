// The verdict on order. Items come in order of time, once nothing earlier can arrive any more. Every task has the set of
// states that it can be in; an exact event moves it, and between two events the operations of the flows that are open
// then are free: they may have happened any number of times. A set that an event leaves empty is a finding; then the
// task is assumed to be wherever it can be after that event, or where it was, so that one deviation is one finding.
//
// Both sides of a clone are told by most sources, in either order, and by some neither: the side that comes first is
// remembered for the other (`spawned`, `credit` of Process).
import type { Letter, Subset } from '../automaton/index.ts';
import type { Counters } from './counters.ts';
import { ITEM, type Item } from './queue.ts';
import type { Moment, Process, Segment, Task } from './tables.ts';
import { Says } from './compiled.ts';
import type { View } from './view.ts';

/** Told when an effect comes where it can't; `from`: the states that the task could be in before it. */
export type OutOfOrder = (item: Item, from: Subset, kind: 'out-of-order' | 'wrong-phase') => void;

export class Order {
  private readonly counters: Counters;
  private readonly report: OutOfOrder;
  private readonly retire: (process: Process) => void;
  /** Of all tasks: records up to then may be missing. */
  unsureUntil: Moment = Number.NEGATIVE_INFINITY;

  constructor(counters: Counters, report: OutOfOrder, retire: (process: Process) => void) {
    this.counters = counters;
    this.report = report;
    this.retire = retire;
  }

  /** A task begins here and now, with these states. */
  begin(task: Task, set: Subset): void {
    task.set = set;
    task.process.alive.add(task);
  }

  visit = (item: Item): void => {
    const { task } = item;
    const view = task.process.container?.view;
    if (view === undefined) return;
    switch (item.kind) {
      case ITEM.event:
        this.step(view, item, item.letter);
        break;
      case ITEM.flow:
        if (item.letter >= 0) this.step(view, item, item.letter);
        open(task, item);
        break;
      case ITEM.end:
        this.end(view, item);
        break;
      case ITEM.clone:
        this.clone(view, item);
        break;
      case ITEM.exec:
        this.exec(view, item);
        break;
      case ITEM.birth:
        this.birth(view, item);
        break;
      case ITEM.exit:
        this.exit(item);
        break;
      default:
        if (item.segment?.kind === 'watched') this.begin(task, all(view, item.segment));
    }
  };

  private step(view: View, item: Item, letter: Letter): void {
    const { task } = item;
    const from = this.grown(view, task, item);
    let to = view.subsets.step(from, letter);
    if (to.states.length === 0) to = this.surprised(view, item, letter, from);
    task.set = to;
    closeBefore(task, item.time);
  }

  /** The end of an open file: flows lose some of them, so it can sharpen the set but never surprise. */
  private end(view: View, item: Item): void {
    if (!view.traits.flows) {
      this.step(view, item, item.letter);
      return;
    }
    const { task } = item;
    const from = this.grown(view, task, item);
    const to = view.subsets.step(from, item.letter);
    task.set = to.states.length > 0 ? to : from;
    closeBefore(task, item.time);
  }

  private exec(view: View, item: Item): void {
    const { task } = item;
    const { process } = task;
    this.step(view, item, item.letter);
    const { main } = process;
    main.set = task.set;
    main.openLetters.length = main.openUntil.length = 0;
    process.alive.clear();
    process.alive.add(main);
    process.spawned.clear();
    process.spawns = process.credit = 0;
  }

  /** The parent's side. */
  private clone(view: View, item: Item): void {
    const { task } = item;
    const { process } = task;
    const from = this.grown(view, task, item);
    const children = view.children(from, undefined);
    this.step(view, item, item.letter);
    if (process.credit > 0) {
      process.credit--;
      return;
    }
    process.spawns++;
    for (const child of children.length > 0 ? children : anyChild(view, item.segment)) process.spawned.add(child);
  }

  /** The child's side: it starts where a clone of its parent's tasks leads. */
  private birth(view: View, item: Item): void {
    const { task } = item;
    const thread = task !== task.process.main;
    const parent = thread ? task.process : task.process.parent;
    const kind = thread ? 'thread' : 'process';
    const starts = new Set<number>();
    for (const other of parent?.alive ?? []) {
      if (other === task || other.set === undefined) continue;
      for (const child of view.children(grow(view, other), kind)) starts.add(child);
    }
    if (parent !== undefined) {
      const wanted = new Set(view.children(view.all(automataOf(item.segment)), kind));
      for (const child of parent.spawned) if (wanted.has(child)) starts.add(child);
      if (parent.spawns > 0) {
        if (--parent.spawns === 0) parent.spawned.clear();
      } else if (parent.credit < 64) {
        parent.credit++;
      }
    }
    if (starts.size > 0) {
      this.begin(task, view.subsets.of(starts));
      return;
    }
    const where = parent === undefined ? undefined : [...parent.alive].find((other) => other.set !== undefined)?.set;
    if (where === undefined || this.unsure(item)) this.counters.undecided++;
    else this.report(item, where, 'out-of-order');
    this.begin(task, view.subsets.of(view.children(view.all(automataOf(item.segment)), kind)));
  }

  private exit(item: Item): void {
    const { task } = item;
    const { process } = task;
    process.alive.delete(task);
    task.set = undefined;
    if (process.tasks.get(task.tid) === task && task !== process.main) process.tasks.delete(task.tid);
    if (task === process.main) {
      process.alive.clear();
      this.retire(process);
    }
  }

  /** The task's states once everything has happened that is free between its last event and this one. */
  private grown(view: View, task: Task, item: Item): Subset {
    if (task.set === undefined) {
      // Older than the task's own beginning, by a clock that is not exact.
      this.counters.undecided++;
      this.begin(task, all(view, item.segment));
    }
    return grow(view, task);
  }

  private unsure(item: Item): boolean {
    return item.time <= this.unsureUntil || item.time <= item.task.unsureUntil;
  }

  /** No state can take the letter: where the task goes on. */
  private surprised(view: View, item: Item, letter: Letter, from: Subset): Subset {
    const { task } = item;
    const { subsets, compiled } = view;
    if (task.process.credit > 0) {
      // A child was seen whose clone was not: perhaps that came in between.
      const to = subsets.step(subsets.step(from, compiled.anyClone), letter);
      if (to.states.length > 0) {
        task.process.credit--;
        return to;
      }
    }
    const automata = automataOf(item.segment);
    const after = subsets.of(
      compiled.edgesOf(letter).flatMap((edge) => (automata.includes(edge.automaton) ? [edge.to] : [])),
    );
    if (this.unsure(item)) this.counters.undecided++;
    else this.report(item, from, phaseIsOver(view, letter, from, automata) ? 'wrong-phase' : 'out-of-order');
    if (item.kind === ITEM.exec) return after;
    return after.states.length === 0 ? view.all(automata) : subsets.union(after, from);
  }
}

const automataOf = (segment: Segment | undefined): readonly number[] =>
  segment?.kind === 'watched' ? segment.automata : [];

const all = (view: View, segment: Segment | undefined): Subset => view.all(automataOf(segment));

function anyChild(view: View, segment: Segment | undefined): number[] {
  return view.children(all(view, segment), undefined);
}

/** Whether the effect belongs to the start only, and every state is past it. */
function phaseIsOver(view: View, letter: Letter, from: Subset, automata: readonly number[]): boolean {
  const { compiled } = view;
  if (automata.some((a) => (compiled.says(letter, a) & Says.serving) !== 0)) return false;
  return from.states.length > 0 && from.states.every((state) => compiled.serves[state] === 1);
}

/** A flow's operations become free from now on. */
function open(task: Task, { read, write, map, until }: Item): void {
  if (read >= 0) openLetter(task, read, until);
  if (write >= 0) openLetter(task, write, until);
  if (map >= 0) openLetter(task, map, until);
}

function openLetter(task: Task, letter: Letter, until: Moment): void {
  const at = task.openLetters.indexOf(letter);
  if (at < 0) {
    task.openLetters.push(letter);
    task.openUntil.push(until);
  } else if (task.openUntil[at] < until) {
    task.openUntil[at] = until;
  }
}

/** Flows that ended before this moment can't contribute to what comes after it. */
function closeBefore(task: Task, moment: Moment): void {
  const { openLetters, openUntil } = task;
  let kept = 0;
  for (let i = 0; i < openLetters.length; i++) {
    if (openUntil[i] < moment) continue;
    openLetters[kept] = openLetters[i];
    openUntil[kept++] = openUntil[i];
  }
  openLetters.length = openUntil.length = kept;
}

function grow(view: View, task: Task): Subset {
  let set = task.set ?? view.subsets.empty;
  const { openLetters } = task;
  for (let again = openLetters.length > 0; again; ) {
    again = false;
    for (let i = 0; i < openLetters.length; i++) {
      const next = view.subsets.grow(set, openLetters[i]);
      // By content, not identity: forgotten sets come back as new ones.
      if (next.states.length === set.states.length) continue;
      set = next;
      again = true;
    }
  }
  return set;
}
