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
import { PROTOCOLS, type WaitingFlow } from './queue.ts';
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

/** What a flow of one sort does: what waits for the verdict on order, and what it says of the task's phase. */
class Plan implements WaitingFlow {
  readonly first: number;
  readonly long: number;
  readonly short: number;
  readonly shutdown: number;
  readonly close: number;
  readonly op: number;
  readonly access: number;
  readonly protocol: number;
  /** Whether anything waits from its start, and how much from its end. */
  readonly waits: boolean;
  readonly ends: number;
  /** The task serves since its start, or since its end. */
  readonly servesAtStart: boolean;
  readonly servesAtEnd: boolean;
  /** The calendar's number for it; -1: nothing waits. */
  readonly id: number;

  constructor(id: number, facts: PlanFacts) {
    this.first = facts.first;
    this.long = facts.long;
    this.short = facts.short;
    this.shutdown = facts.shutdown;
    this.close = facts.close;
    this.op = facts.op;
    this.access = facts.access;
    this.protocol = facts.protocol;
    this.waits = facts.waits;
    this.ends = (facts.shutdown >= 0 ? 1 : 0) + (facts.close >= 0 ? 1 : 0);
    this.servesAtStart = facts.servesAtStart;
    this.servesAtEnd = facts.servesAtEnd;
    this.id = this.waits || this.ends > 0 ? id : -1;
  }
}

type PlanFacts = Omit<Plan, 'id' | 'ends'>;

/** Plans that are kept; beyond, flows of further sorts have none. */
const mostPlans = 1 << 16;
/** Places of the tables of plans that were used lately, for files and for connections. */
const filePlaces = 1 << 12;
const netPlaces = 1 << 10;

/** A set of automata of a policy that tasks follow. */
export class Cast {
  /** Small number, of no other. */
  readonly id: number;
  readonly automata: readonly number[];
  readonly known: Known;
  /** By class of resources, then by operations and rights; null: no plan. */
  readonly plans = new Map<number, Map<number, Plan | null>>();

  constructor(id: number, automata: readonly number[], known: Known) {
    this.id = id;
    this.automata = automata;
    this.known = known;
  }
}

/** What is remembered of one policy. */
class Known {
  readonly policy: CompiledPolicy;
  readonly nets: NetClasses;
  /** By origin: files of the stream, and their classes, by row. */
  readonly files: (StreamFile | undefined)[][] = [[], [], []];
  readonly classes: ResourceClass[][] = [[], [], []];
  readonly casts = new Map<string, Cast>();

  constructor(policy: CompiledPolicy) {
    this.policy = policy;
    this.nets = new NetClasses(policy.resources);
  }

  fileClass(file: StreamFile, origin: Origin): ResourceClass {
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
  private casts = 0;
  /** Plans that were made; those that say the same are one. */
  private readonly made = new Map<string, Plan>();
  /** By row of the stream. */
  private streamed: (StreamProcess | undefined)[] = [];
  private processes: Process[] = [];
  // Plans that were looked up lately, each in the one place that its key has.
  private readonly fileKeys = new Int32Array(2 * filePlaces);
  private readonly filesLately: (StreamFile | undefined)[] = new Array(filePlaces).fill(undefined);
  private readonly filePlans: (Plan | null)[] = new Array(filePlaces).fill(null);
  private readonly netKeys = new Int32Array(4 * netPlaces).fill(-1);
  private readonly netPlans: (Plan | null)[] = new Array(netPlaces).fill(null);

  constructor(core: Core) {
    this.core = core;
  }

  /** Another stream begins: its rows are others. */
  clear(): void {
    this.streamed = [];
    this.processes = [];
    this.filesLately.fill(undefined);
    for (const known of this.known.values())
      for (let origin = 0; origin < 3; origin++) {
        known.files[origin] = [];
        known.classes[origin] = [];
      }
  }

  /** Takes a flow that is plainly fine; false: it has to be looked at as an observation. */
  take(row: FlowRow, start: Moment, end: Moment): boolean {
    const process = this.processOf(row.process);
    if (process === undefined || process.pending !== undefined || end < start) return false;
    const { container } = process;
    if (container?.policy === undefined || container.open) return false;
    const segment = process.at(start);
    if (segment?.kind !== 'watched') return false;
    const task = taskOf(process, row.tid, start);
    if (task === undefined || task.incident !== undefined) return false;
    const mask = row.opFlags & ~CUT;
    if ((mask & ~KNOWN) !== 0) return false;
    const cast = segment.cast ?? this.castOf(container.policy, segment);
    const { file } = row;
    const plan = file === undefined ? this.netPlan(cast, row, mask) : this.filePlan(cast, row, file, mask);
    if (plan === null) return false;
    const { core } = this;
    container.records++;
    core.counters.watched++;
    if (plan.servesAtStart || plan.servesAtEnd) {
      const since = plan.servesAtStart ? start : end;
      if (since < task.servedSince && process.segments[process.segments.length - 1] === segment)
        task.servedSince = since;
    }
    if (plan.id >= 0) this.wait(plan, row, start, end, task, segment);
    return true;
  }

  private wait(plan: Plan, row: FlowRow, start: Moment, end: Moment, task: Task, segment: Watched): void {
    const { core } = this;
    const { calendar } = core;
    let begins = plan.waits;
    let { ends } = plan;
    if (calendar.isLate(start)) {
      if (begins) core.late(task);
      begins = false;
      if (ends > 0 && calendar.isLate(end)) {
        for (; ends > 0; ends--) core.late(task);
      }
      if (ends === 0) return;
    }
    calendar.addFlow(plan.id, start, end, begins, ends, task, segment, row);
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

  private castOf(policy: CompiledPolicy, segment: Watched): Cast {
    let known = this.known.get(policy);
    if (known === undefined) this.known.set(policy, (known = new Known(policy)));
    const key = segment.automata.join(',');
    let cast = known.casts.get(key);
    if (cast === undefined) known.casts.set(key, (cast = new Cast(this.casts++, segment.automata, known)));
    segment.cast = cast;
    return cast;
  }

  private filePlan(cast: Cast, row: FlowRow, file: StreamFile, mask: number): Plan | null {
    const opening = (mask & OPENING) !== 0;
    const origin = opening ? Origin.opened : row.fd >= 0 && row.fd <= 2 ? Origin.given : Origin.continued;
    // Operations of flows are below the fourteenth bit, flags with letters below the thirteenth.
    const key = ((row.openFlags & told) << 16) | (origin << 14) | mask;
    if (file.noteKey === key && file.noteOf === cast) return file.note as Plan | null;
    const plan = this.filePlanLately(cast, row, file, mask, key, origin);
    file.noteKey = key;
    file.noteOf = cast;
    file.note = plan;
    return plan;
  }

  /** A file that several tasks use, or in several ways. */
  private filePlanLately(
    cast: Cast,
    row: FlowRow,
    file: StreamFile,
    mask: number,
    key: number,
    origin: Origin,
  ): Plan | null {
    const { fileKeys, filesLately, filePlans } = this;
    const place =
      (Math.imul(file.row, 0x2f) + Math.imul(key, 0x9e3779b1 >>> 18) + cast.id) & (filePlaces - 1);
    if (filesLately[place] === file && fileKeys[2 * place] === key && fileKeys[2 * place + 1] === cast.id)
      return filePlans[place];
    const plan = this.planOf(cast, cast.known.fileClass(file, origin), mask, row);
    filesLately[place] = file;
    fileKeys[2 * place] = key;
    fileKeys[2 * place + 1] = cast.id;
    filePlans[place] = plan;
    return plan;
  }

  private netPlan(cast: Cast, row: FlowRow, mask: number): Plan | null {
    const origin = (mask & OPENING) !== 0 || !row.sidesAssumed ? Origin.opened : Origin.continued;
    const { nets } = cast.known;
    const local = nets.endOf(row.localAddress, row.localPort);
    const peer = nets.endOf(row.peerAddress, row.peerPort);
    // Ports that are none are kept as they are in observations only.
    if (local < 0 || peer < 0) return null;
    const key = (wayOf(row) << 16) | (origin << 14) | mask;
    const { netKeys, netPlans } = this;
    const place = (Math.imul(local, 0x3d) ^ Math.imul(peer, 0x1b5) ^ key ^ cast.id) & (netPlaces - 1);
    const at = 4 * place;
    if (
      netKeys[at] === local &&
      netKeys[at + 1] === peer &&
      netKeys[at + 2] === key &&
      netKeys[at + 3] === cast.id
    )
      return netPlans[place];
    const plan = this.planOf(cast, cast.known.policy.resources.classOf(row.resource, origin), mask, row);
    netKeys[at] = local;
    netKeys[at + 1] = peer;
    netKeys[at + 2] = key;
    netKeys[at + 3] = cast.id;
    netPlans[place] = plan;
    return plan;
  }

  private planOf(cast: Cast, resources: ResourceClass, mask: number, row: FlowRow): Plan | null {
    let plans = cast.plans.get(resources.id);
    if (plans === undefined) {
      if (cast.plans.size >= mostPlans) cast.plans.clear();
      cast.plans.set(resources.id, (plans = new Map()));
    }
    const key = ((row.file === undefined ? wayOf(row) : row.openFlags & told) << 14) | mask;
    let plan = plans.get(key);
    if (plan === undefined) {
      plan = this.one(makePlan(cast.known.policy, cast.automata, resources, mask, row));
      if (plans.size >= mostPlans) plans.clear();
      plans.set(key, plan);
    }
    return plan;
  }

  /** The plan that says this; null where there are too many others. */
  private one(facts: PlanFacts | null): Plan | null {
    if (facts === null) return null;
    const key = Object.values(facts).join(' ');
    let found = this.made.get(key);
    if (found === undefined) {
      if (this.made.size >= mostPlans) return null;
      const { calendar } = this.core;
      this.made.set(key, (found = new Plan(calendar.planCount, facts)));
      calendar.plan(found);
    }
    return found;
  }
}

/** Flags of an open that have a letter. */
const told = OPEN_FLAGS.RDONLY | OPEN_FLAGS.WRONLY | OPEN_FLAGS.CREAT | OPEN_FLAGS.TRUNC | OPEN_FLAGS.APPEND;

const wayOf = ({ protocol }: FlowRow): number =>
  protocol === 'tcp' ? 0 : protocol === 'udp' ? 1 : protocol === 'icmp' ? 2 : 3;

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
  mask: number,
  { access, file, protocol }: FlowRow,
): PlanFacts | null {
  const accessBits = accessMask(access);
  const letterOf = (op: number): number =>
    (mask & (1 << op)) === 0 ? -1 : policy.letterOf(op, 0, resources, Match.anyAccess);
  const says = (letter: number): number => (letter < 0 ? 0 : saysOf(policy, letter, automata));
  const opening = mask & OPENING;
  let first = -1;
  let servesAtStart = false;
  for (let rest = opening; rest !== 0; rest &= rest - 1) {
    const op = lowest(rest);
    first = policy.letterOf(op, accessBits, resources, matchOf(op, access, true, true));
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
  return {
    first,
    long: long[0],
    short: short[0],
    shutdown,
    close,
    op,
    access: accessBits,
    protocol: file === undefined ? PROTOCOLS.indexOf(protocol) : -1,
    waits,
    servesAtStart,
    servesAtEnd,
  };
}
