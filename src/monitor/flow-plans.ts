// Flows in place, the common case: a watched task does with a file or connection what the policy has for it whatever the
// phase. What such a flow means depends on a few small numbers (which automata the task follows, which class of
// resources it is, which operations and rights), so it is decided once (a plan) and then looked up; nothing is made for
// a flow. Whatever is not that common case has no plan, becomes an observation and is judged in checks.ts, which is the
// one place that says what is right: a plan is only what it would do.
import { type FlowRow, OPEN_FLAGS, type StreamFile, type StreamProcess } from '../telemetry/index.ts';
import { accessMask, type CompiledPolicy, Match, OP, Says } from './compiled.ts';
import type { Core } from './core.ts';
import { freeLetters, lowest } from './flow-checks.ts';
import { NetClasses } from './net-classes.ts';
import { ITEM } from './queue.ts';
import { Origin, type ResourceClass } from './resources.ts';
import type { Moment, Process, Segment, Task } from './tables.ts';
import { matchOf, saysOf } from './verdict.ts';

type Watched = Extract<Segment, { kind: 'watched' }>;

const READ = 1 << OP.READ;
const WRITE = 1 << OP.WRITE;
const MMAP = 1 << OP.MMAP;
const CLOSE = 1 << OP.CLOSE;
const SHUTDOWN = 1 << OP.SHUTDOWN;
const OPENING = (1 << OP.OPEN) | (1 << OP.ACCEPT) | (1 << OP.CONNECT);
const KNOWN = OPENING | READ | WRITE | MMAP | CLOSE | SHUTDOWN;
const CUT = 1 << OP.TRUNCATE;

/** Letters of what waits for the verdict on order, -1 for none. */
interface Plan {
  readonly first: number;
  /** What is free meanwhile, for flows that take some time and for those that don't. */
  readonly long: number;
  readonly short: number;
  readonly shutdown: number;
  readonly close: number;
  readonly waits: boolean;
  /** For explanations. */
  readonly op: number;
  readonly access: number;
  /** The task serves since its start, or since its end. */
  readonly servesAtStart: boolean;
  readonly servesAtEnd: boolean;
}

/** Kinds of flows (operations and rights) that are told apart; the rest has no plans. */
const mostShapes = 1024;
/** Plans that are kept for one set of automata. */
const mostPlans = 1 << 17;

/** A set of automata that tasks follow. */
export class Cast {
  readonly automata: readonly number[];
  /** By class of resources and shape; null: no plan. */
  readonly plans = new Map<number, Plan | null>();

  constructor(automata: readonly number[]) {
    this.automata = automata;
  }
}

interface Shape {
  readonly id: number;
  readonly mask: number;
  readonly access: string;
  readonly accessBits: number;
}

/** What is remembered of one policy. */
class Known {
  readonly policy: CompiledPolicy;
  readonly nets: NetClasses;
  /** By origin: files of the stream, and their classes, by row. */
  readonly files: (StreamFile | undefined)[][] = [[], [], []];
  readonly classes: ResourceClass[][] = [[], [], []];
  private readonly casts = new Map<string, Cast>();

  constructor(policy: CompiledPolicy) {
    this.policy = policy;
    this.nets = new NetClasses(policy.resources);
  }

  castOf(segment: Watched): Cast {
    const key = segment.automata.join(',');
    let cast = this.casts.get(key);
    if (cast === undefined) this.casts.set(key, (cast = new Cast(segment.automata)));
    segment.cast = cast;
    return cast;
  }

  classOf(row: FlowRow, opening: boolean): ResourceClass {
    const { file } = row;
    if (file === undefined)
      return this.nets.classOf(row, opening || !row.sidesAssumed ? Origin.opened : Origin.continued);
    const origin = opening ? Origin.opened : row.fd >= 0 && row.fd <= 2 ? Origin.given : Origin.continued;
    const files = this.files[origin];
    if (files[file.row] === file) return this.classes[origin][file.row];
    const found = this.policy.resources.fileClass(file, origin);
    files[file.row] = file;
    this.classes[origin][file.row] = found;
    return found;
  }
}

export class FlowPlans {
  private readonly core: Core;
  private readonly known = new Map<CompiledPolicy, Known>();
  private readonly shapes = new Map<number, Shape>();
  /** By row of the stream. */
  private streamed: (StreamProcess | undefined)[] = [];
  private processes: Process[] = [];

  constructor(core: Core) {
    this.core = core;
  }

  /** Another stream begins: its rows are others. */
  clear(): void {
    this.streamed = [];
    this.processes = [];
    for (const known of this.known.values())
      for (let origin = 0; origin < 3; origin++) {
        known.files[origin] = [];
        known.classes[origin] = [];
      }
  }

  /** Takes a flow that is plainly fine; false: it has to be looked at as an observation. */
  take(row: FlowRow, start: Moment, end: Moment): boolean {
    const process = this.processOf(row.process);
    if (process === undefined || process.pending !== undefined) return false;
    const { container } = process;
    if (container?.policy === undefined || container.open) return false;
    const segment = process.at(start);
    if (segment?.kind !== 'watched') return false;
    const task = taskOf(process, row.tid, start);
    if (task === undefined || task.incident !== undefined) return false;
    const plan = this.planOf(container.policy, segment, row);
    if (plan === null) return false;
    const { core } = this;
    const { counters, calendar } = core;
    container.records++;
    counters.watched++;
    if (plan.servesAtStart || plan.servesAtEnd) {
      const since = plan.servesAtStart ? start : end;
      if (since < task.servedSince && process.segments[process.segments.length - 1] === segment)
        task.servedSince = since;
    }
    if (plan.waits) {
      const item = core.later(start, ITEM.flow, task, segment);
      if (item >= 0) {
        calendar.setLetter(item, plan.first);
        calendar.setBetween(item, end > start ? plan.long : plan.short, end);
        calendar.setFlow(item, plan.op, plan.access, row);
      }
    }
    if (plan.shutdown >= 0) this.ends(end, task, segment, plan.shutdown, OP.SHUTDOWN);
    if (plan.close >= 0) this.ends(end, task, segment, plan.close, OP.CLOSE);
    return true;
  }

  private ends(end: Moment, task: Task, segment: Watched, letter: number, op: number): void {
    const item = this.core.later(end, ITEM.end, task, segment);
    if (item < 0) return;
    this.core.calendar.setLetter(item, letter);
    this.core.calendar.setEffect(item, op, 0, undefined);
  }

  private processOf(entry: StreamProcess): Process | undefined {
    const known = this.processes[entry.row];
    if (this.streamed[entry.row] === entry && known.kept) return known;
    const process = this.core.processes.get(entry.id);
    if (process === undefined) return undefined;
    this.streamed[entry.row] = entry;
    this.processes[entry.row] = process;
    return process;
  }

  private planOf(policy: CompiledPolicy, segment: Watched, row: FlowRow): Plan | null {
    let known = this.known.get(policy);
    if (known === undefined) this.known.set(policy, (known = new Known(policy)));
    const shape = this.shapeOf(row);
    if (shape === undefined) return null;
    const cast = segment.cast ?? known.castOf(segment);
    const resources = known.classOf(row, (shape.mask & OPENING) !== 0);
    const key = resources.id * mostShapes + shape.id;
    let plan = cast.plans.get(key);
    if (plan === undefined) {
      plan = makePlan(policy, cast.automata, resources, shape);
      if (cast.plans.size >= mostPlans) cast.plans.clear();
      cast.plans.set(key, plan);
    }
    return plan;
  }

  private shapeOf(row: FlowRow): Shape | undefined {
    const mask = row.opFlags & ~CUT;
    const openFlags = row.file === undefined ? 0 : row.openFlags & told;
    // Operations of flows are below the fourteenth bit.
    if ((mask & ~KNOWN) !== 0) return undefined;
    const key = (openFlags << 14) | mask;
    let shape = this.shapes.get(key);
    if (shape === undefined) {
      if (this.shapes.size >= mostShapes) return undefined;
      const { access } = row;
      shape = { id: this.shapes.size, mask, access, accessBits: accessMask(access) };
      this.shapes.set(key, shape);
    }
    return shape;
  }
}

/** Flags of an open that have a letter. */
const told = OPEN_FLAGS.RDONLY | OPEN_FLAGS.WRONLY | OPEN_FLAGS.CREAT | OPEN_FLAGS.TRUNC | OPEN_FLAGS.APPEND;

/** A task that is known and lives; threads that are new or come again are for origins.ts. */
function taskOf(process: Process, tid: number, start: Moment): Task | undefined {
  if (tid === process.id.pid) return process.main;
  const task = process.tasks.get(tid);
  return task === undefined || (task.exited !== undefined && start > task.exited) ? undefined : task;
}

/** What flow-checks.ts would have wait, where it would find nothing at any time. */
function makePlan(
  policy: CompiledPolicy,
  automata: readonly number[],
  resources: ResourceClass,
  { mask, access, accessBits }: Shape,
): Plan | null {
  const letterOf = (op: number): number =>
    (mask & (1 << op)) === 0 ? -1 : policy.letterOf(op, 0, resources, Match.anyAccess);
  const says = (letter: number): number => (letter < 0 ? 0 : saysOf(policy, letter, automata));
  const opening = mask & OPENING;
  let first = -1;
  let servesAtStart = false;
  for (let rest = opening; rest !== 0; rest &= rest - 1) {
    const op = lowest(rest);
    first = policy.letterOf(op, accessBits, resources, matchOf(op, access, true));
    const said = says(first);
    // What is for the start only depends on when it was.
    if ((said & Says.allowed) === 0 || (said & Says.serving) === 0) return null;
    servesAtStart ||= (said & Says.enters) !== 0;
  }
  const between = [OP.READ, OP.WRITE, OP.MMAP].map((op) => ({ op, letter: letterOf(op) }));
  for (const { op, letter } of between)
    if ((mask & (1 << op)) !== 0 && (says(letter) & Says.allowed) === 0) return null;
  const servesAtEnd = between.some(({ letter }) => (says(letter) & Says.enters) !== 0);
  const [shutdown, close] = [OP.SHUTDOWN, OP.CLOSE].map((op) => {
    const letter = letterOf(op);
    return (says(letter) & Says.allowed) === 0 ? -1 : letter;
  });
  if ((mask & SHUTDOWN) !== 0 && shutdown < 0 && !resources.harmless) return null;
  const [read, write, map] = between.map(({ letter }) => letter);
  const op = opening !== 0 ? 31 - Math.clz32(opening) : OP.READ;
  const waits = first >= 0 || read >= 0 || write >= 0 || map >= 0;
  const [long, short] = [true, false].map((lasts) =>
    freeLetters(policy, { first, op, read, write, map }, lasts),
  );
  if (long.length > 1 || short.length > 1) return null;
  const serves = { servesAtStart, servesAtEnd };
  return { first, long: long[0], short: short[0], shutdown, close, waits, op, access: accessBits, ...serves };
}
