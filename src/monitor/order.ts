// The verdict on order. Items come in order of time, once nothing earlier can arrive any more. Every task has the set of
// states that it can be in; an exact event moves it, and between two events the operations of the flows that are open
// then are free: they may have happened any number of times. A set that an event leaves empty is a finding; then the
// task is assumed to be wherever it can be after that event, or where it was, so that one deviation is one finding.
//
// Both sides of a clone are told by most sources, in either order, by some neither. So a new task starts where any clone
// leads that its parent's tasks can make now, or made before (`spawned` of Process), or can make without a record; and
// a child without a clone lets its parent's tasks take one.
import type { Letter, Subset } from '../automaton/index.ts';
import { Says } from './compiled.ts';
import type { Counters } from './counters.ts';
import { ITEM, type Item } from './queue.ts';
import type { Moment, Process, Segment, Task } from './tables.ts';
import type { View } from './view.ts';

/** How far apart in time the two sides of a clone may be, in ns. */
const sides = 1e9;

/** Told when an effect comes where it can't; `from`: the states that the task could be in before it. */
export type OutOfOrder = (item: Item, from: Subset, kind: 'out-of-order' | 'wrong-phase') => void;

export class Order {
  private readonly counters: Counters;
  private readonly report: OutOfOrder;
  private readonly retire: (process: Process) => void;
  /** The trace ends: of tasks that still run, flows since then may not have been written. */
  unwrittenSince: Moment = Number.POSITIVE_INFINITY;
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
    const { process } = task;
    process.alive.add(task);
    if (task === process.main) return;
    // With a second thread the order of each is not all that counts: see byThreads.
    if (process.history.size === 0 && process.main.set !== undefined) process.history.add(process.main.set);
    process.history.add(set);
  }

  visit = (item: Item): void => {
    const { task } = item;
    const view = task.process.container?.view;
    if (view === undefined || (item.segment?.kind === 'watched' && item.segment.stale)) return;
    // A task that no record of its own announces is seen first when a flow of it is written, which need not be its first.
    if (task.set === undefined && item.kind < ITEM.birth) this.birth(view, item);
    switch (item.kind) {
      case ITEM.event:
        this.step(view, item, item.letter);
        break;
      case ITEM.flow:
        if (item.letter >= 0) this.step(view, item, item.letter);
        if (item.between >= 0) openLetter(view, task, item.between, item.until);
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
    const { task, time } = item;
    let to = this.usual(view, task, letter, time);
    if (to === undefined) {
      const from = grown(view, task, time);
      to = this.move(view, task, from, letter, time);
      if (to.stateCount === 0) to = this.surprised(view, item, letter, from);
    }
    task.set = to;
    task.lastStep = time;
    task.process.remember(to);
    if (task.openFirst < time) closeBefore(view, task, time);
  }

  /** Where the letter leads, if nothing but the task's own flows have a say in it and it leads anywhere. */
  private usual(view: View, task: Task, letter: Letter, time: Moment): Subset | undefined {
    const { set, open, openCount, process } = task;
    if (set === undefined || process.lastBirth >= task.lastStep || time > this.unwrittenSince)
      return undefined;
    if (open < 0 && openCount > 0) return undefined;
    const to = view.subsets.after(set, open, letter);
    return to.stateCount === 0 ? undefined : to;
  }

  /** The end of an open file: flows lose some of them, so it can sharpen the set but never surprise. */
  private end(view: View, item: Item): void {
    if (!view.traits.flows) {
      this.step(view, item, item.letter);
      return;
    }
    const { task, letter, time } = item;
    let to = this.usual(view, task, letter, time);
    if (to === undefined) {
      const from = grown(view, task, time);
      to = this.move(view, task, from, letter, time);
      if (to.stateCount === 0) to = from;
    }
    task.set = to;
    if (task.openFirst < time) closeBefore(view, task, time);
  }

  /** Any thread may have called it: when the source tells, the caller has become the main thread. */
  private exec(view: View, item: Item): void {
    const { task } = item;
    const { process } = task;
    const { main } = process;
    const { subsets } = view;
    let from = grown(view, task, item.time);
    let to = this.move(view, task, from, item.letter, item.time);
    const unseen = subsets.of(process.spawned.thread);
    for (const set of [unseen, ...othersOf(task).map((other) => grown(view, other, item.time))]) {
      from = subsets.union(from, set);
      to = subsets.union(to, this.move(view, task, set, item.letter, item.time));
    }
    const automata = automataOf(item.segment);
    if (to.states.length === 0 && view.unseenChildren(automata, 'thread').length > 0) {
      // A thread of which nothing was ever seen may have been the caller.
      this.counters.undecided++;
      to = subsets.step(view.all(automata), item.letter);
    }
    if (to.states.length === 0) to = this.surprised(view, item, item.letter, from);
    main.set = to;
    main.lastStep = item.time;
    closeBefore(view, main, item.time);
    // What it has open stays open, so its flows go on.
    process.alive.clear();
    process.alive.add(main);
    for (const [tid, other] of process.tasks)
      if (other !== main && other.exited !== undefined && other.exited <= item.time)
        process.tasks.delete(tid);
    process.history.clear();
    process.spawned.process.clear();
    process.spawned.thread.clear();
  }

  /** The parent's side. */
  private clone(view: View, item: Item): void {
    const { task } = item;
    const { process } = task;
    const from = grown(view, task, item.time);
    this.step(view, item, item.letter);
    for (const kind of ['process', 'thread'] as const) {
      let children = view.children(from.states, kind);
      if (children.length === 0) children = view.children(all(view, item.segment).states, kind);
      for (const child of children) process.spawned[kind].add(child);
    }
  }

  /** The child's side: it starts where a clone of its parent's tasks leads. Its first effect may come before this. */
  private birth(view: View, item: Item): void {
    const { task } = item;
    if (task.set !== undefined) return;
    const thread = task !== task.process.main;
    const parent = thread ? task.process : task.process.parent;
    const kind = thread ? 'thread' : 'process';
    const starts = new Set<number>();
    const makers =
      parent === undefined ? [] : othersOf(task, parent).map((other) => grown(view, other, item.time));
    if (parent !== undefined) {
      // Threads of which nothing was seen yet.
      const threads = view.unseenChildren(automataOf(item.segment), 'thread');
      makers.push(view.subsets.of([...parent.spawned.thread, ...threads]));
    }
    for (const set of makers) {
      const states = this.unwritten(view, task, item.time) ? view.withMissing(set, true) : set.states;
      for (const child of view.children(states, kind)) starts.add(child);
    }
    for (const child of view.unseenChildren(automataOf(item.segment), kind)) starts.add(child);
    for (const child of parent?.spawned[kind] ?? []) starts.add(child);
    if (starts.size > 0) {
      this.begin(task, view.subsets.of(starts));
      return;
    }
    const where =
      parent === undefined ? undefined : [...parent.alive].find((other) => other.set !== undefined)?.set;
    if (where === undefined || item.kind !== ITEM.birth || this.unsure(item)) this.counters.undecided++;
    else this.report(item, where, 'out-of-order');
    const anywhere = view.children(view.all(automataOf(item.segment)).states, kind);
    this.begin(task, anywhere.length > 0 ? view.subsets.of(anywhere) : all(view, item.segment));
  }

  /**
   * Where the letter leads from any place where a thread of the process was. Threads share memory, so which of them
   * makes a call is no boundary; runtimes that schedule tasks of their own (Go) move these between threads, and make
   * threads when they like. What belongs to the start only must come before any of them serves.
   */
  private byThreads(view: View, item: Item, letter: Letter): Subset {
    const { task, time } = item;
    const { process } = task;
    let to = view.subsets.empty;
    if (process.history.size === 0) return to;
    const threads = [...process.alive];
    const { compiled } = view;
    const late = threads.some((thread) => thread.servedSince < time);
    if (late && !automataOf(item.segment).some((a) => (compiled.says(letter, a) & Says.serving) !== 0))
      return to;
    for (const before of process.history) {
      let set = before;
      for (const thread of threads) set = grow(view, thread, set);
      to = view.subsets.union(to, this.move(view, task, set, letter, time));
    }
    if (to.states.length > 0) this.counters.shared++;
    return to;
  }

  private exit(item: Item): void {
    const { task } = item;
    const { process } = task;
    process.alive.delete(task);
    if (process.tasks.get(task.tid) === task && task !== process.main) process.tasks.delete(task.tid);
    if (task === process.main) {
      process.alive.clear();
      this.retire(process);
    }
  }

  /** Where the letter leads, also if flows that are not written yet came before it. */
  private move(view: View, task: Task, from: Subset, letter: Letter, time: Moment): Subset {
    return this.unwritten(view, task, time)
      ? view.stepMissing(from, letter, clonedBefore(task, time))
      : view.subsets.step(from, letter);
  }

  private unwritten({ traits }: View, task: Task, time: Moment): boolean {
    return time > this.unwrittenSince && traits.flows && !task.ended && !task.process.main.ended;
  }

  private unsure(item: Item): boolean {
    return item.time <= this.unsureUntil || item.time <= item.task.unsureUntil;
  }

  /** No state can take the letter: where the task goes on. */
  private surprised(view: View, item: Item, letter: Letter, from: Subset): Subset {
    const { subsets, compiled } = view;
    const shared = this.byThreads(view, item, letter);
    if (shared.states.length > 0) return subsets.union(shared, from);
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

/** Living tasks of the process other than this one. */
const othersOf = (task: Task, process = task.process): readonly Task[] =>
  [...process.alive].filter((other) => other !== task && other.set !== undefined);

const automataOf = (segment: Segment | undefined): readonly number[] =>
  segment?.kind === 'watched' ? segment.automata : [];

const all = (view: View, segment: Segment | undefined): Subset => view.all(automataOf(segment));

/** Whether the effect belongs to the start only, and every state is past it. */
function phaseIsOver(view: View, letter: Letter, from: Subset, automata: readonly number[]): boolean {
  const { compiled } = view;
  if (automata.some((a) => (compiled.says(letter, a) & Says.serving) !== 0)) return false;
  return from.states.length > 0 && from.states.every((state) => compiled.serves[state] === 1);
}

/** A flow's operations are free from now on. */
function openLetter(view: View, task: Task, letter: Letter, until: Moment): void {
  const { openLetters, openUntil, openCount } = task;
  for (let i = 0; i < openCount; i++) {
    if (openLetters[i] !== letter) continue;
    if (openUntil[i] < until) openUntil[i] = until;
    return;
  }
  openLetters[openCount] = letter;
  openUntil[openCount] = until;
  task.openCount++;
  if (until < task.openFirst) task.openFirst = until;
  task.open = openCount === 0 ? letter : task.open < 0 ? -1 : view.compiled.union(task.open, letter);
}

/** Flows that ended before this moment can't contribute to what comes after it. */
function closeBefore(view: View, task: Task, moment: Moment): void {
  if (task.openFirst >= moment) return;
  const { openLetters, openUntil, openCount } = task;
  let kept = 0;
  let first = Number.POSITIVE_INFINITY;
  let open = -1;
  for (let i = 0; i < openCount; i++) {
    const until = openUntil[i];
    if (until < moment) continue;
    const letter = openLetters[i];
    open = kept === 0 ? letter : open < 0 ? -1 : view.compiled.union(open, letter);
    openLetters[kept] = letter;
    openUntil[kept++] = until;
    if (until < first) first = until;
  }
  task.openCount = kept;
  task.open = open;
  task.openFirst = first;
}

/** The task's states once everything has happened that may have, between its last event and this moment. */
const grown = (view: View, task: Task, time: Moment): Subset =>
  withClones(view, task, time, grow(view, task));

/** Whether a child of the task's process was born since the task's last step. */
function clonedBefore({ process, lastStep }: Task, time: Moment): boolean {
  return (
    process.lastBirth >= lastStep &&
    process.births.some((birth) => birth >= lastStep && birth <= time + sides)
  );
}

/**
 * The states, had a clone come for each child that was seen since the task's last step. Whether its own record of the
 * clone was seen is not asked: of several children at a time it can't be told whose record is missing.
 */
function withClones(view: View, task: Task, time: Moment, set: Subset): Subset {
  const { births, lastBirth } = task.process;
  if (lastBirth < task.lastStep) return set;
  for (const birth of births) {
    if (birth < task.lastStep || birth > time + sides) continue;
    set = grow(view, task, view.subsets.union(set, view.subsets.step(set, view.compiled.anyClone)));
  }
  return set;
}

/** What the open flows of a task add to its states, or to others that it is assumed to have. */
function grow({ subsets }: View, task: Task, from?: Subset): Subset {
  let set = from ?? task.set ?? subsets.empty;
  const { openLetters, openCount } = task;
  if (openCount === 0) return set;
  if (task.open >= 0) return subsets.saturate(set, task.open);
  for (let again = true; again; ) {
    again = false;
    for (let i = 0; i < openCount; i++) {
      const next = subsets.saturate(set, openLetters[i]);
      // By content, not identity: forgotten sets come back as new ones.
      if (next.states.length === set.states.length) continue;
      set = next;
      again = true;
    }
  }
  return set;
}
