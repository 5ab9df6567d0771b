// Traces as commands read them: files of any source, plain or compressed, directories of them, standard input, files that
// grow, SysFlow's socket. Says what each is, and passes observations on with what their source can see.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import { isOp, OPS, type Op } from '../effect/index.ts';
import {
  createSpool,
  follow,
  gunzip,
  hostError,
  openFile,
  pieces,
  type RandomAccess,
  servePackets,
  unzstd,
} from '../host/index.ts';
import {
  type ContainerInfo,
  detectBytes,
  detectSource,
  type Feed,
  type FlowRow,
  type FlowTaker,
  inObservations,
  type Observation,
  openSysFlow,
  SOURCE_NAMES,
  SOURCES,
  type SourceName,
  type SourceTraits,
  SysFlowRecords,
} from '../telemetry/index.ts';
import type { Position, Positions } from './state-file.ts';

export interface InputOptions {
  readonly source?: SourceName;
  /** Comma-separated operations, or `all`. */
  readonly sees?: string;
  readonly follow?: boolean;
  readonly listen?: string;
  /** `NAME` or `NAME=IMAGE`. */
  readonly within?: string;
}

export interface InputSink {
  observe(observation: Observation, traits: SourceTraits): void;
  /** Flows of SysFlow in place; where it is missing they are observations, too. */
  flow?(row: FlowRow, traits: SourceTraits): void;
  /** Between two records: a time to keep what is known. */
  pause?(): void;
  /** A line about the input, for people. */
  say(text: string): void;
  /** A file, or one part of the input, is over. `skipped`: what of it is no observation, by kind. */
  finished?(
    name: string,
    source: SourceName,
    traits: SourceTraits,
    skipped: ReadonlyMap<string, number>,
  ): void;
}

/** Options of every command that reads traces. */
export function addInputOptions(command: Command): void {
  command
    .addOption(
      command
        .createOption('--source <name>', 'what wrote the traces; default: told by their content')
        .choices([...SOURCE_NAMES]),
    )
    .option(
      '--sees <operations>',
      'operations that Falco, Sysdig, Tetragon or Tracee is set up to report whenever they happen (EXEC,OPEN …, or all)',
    )
    .option('--within <name[=image]>', 'strace: the container (and its image) that all of it ran in')
    .option('--follow', 'go on as files grow and new ones come, until Ctrl-C')
    .option('--listen <socket>', "be the SysFlow processor: the collector's socket, served until Ctrl-C");
}

export const inputHelp = `Traces are files of ${Object.values(SOURCES)
  .map(({ what }) => what)
  .join(', ')}; plain, .gz or .zst; - is standard input.`;

/** Everything that the paths and options name, in order. Plain files that are small are read before it returns. */
export function readInputs(
  paths: readonly string[],
  options: InputOptions,
  sink: InputSink,
  positions?: Positions,
): Promise<void> | undefined {
  if (paths.length === 0 && options.listen === undefined)
    throw new InputError('no traces to read', 'effigy', 'name files or directories, or use --listen SOCKET');
  const context: Context = { options, sees: seesOf(options.sees), sink, positions };
  if (options.listen !== undefined || options.follow || positions !== undefined)
    return live(paths, options, context);
  const files = paths.flatMap((path) => traceFiles(path));
  for (const [i, file] of files.entries()) {
    const waits = readOne(file, context);
    if (waits !== undefined) return rest(waits, files.slice(i + 1), context);
  }
  return undefined;
}

interface Context {
  readonly options: InputOptions;
  readonly sees: ReadonlySet<Op> | undefined;
  readonly sink: InputSink;
  /** Where files go on from, and are noted; then the end of a file is not the end of all. */
  readonly positions: Positions | undefined;
}

async function rest(first: Promise<void>, files: readonly TraceFile[], context: Context): Promise<void> {
  await first;
  for (const file of files) await readOne(file, context);
}

function seesOf(text: string | undefined): ReadonlySet<Op> | undefined {
  if (text === undefined) return undefined;
  if (text === 'all') return new Set(OPS);
  const names = text.split(',').map((name) => name.trim().toUpperCase());
  const wrong = names.find((name) => !isOp(name));
  if (wrong !== undefined)
    throw new InputError(`${JSON.stringify(wrong)} is no operation`, '--sees', `one of ${OPS.join(', ')}`);
  return new Set(names.filter(isOp));
}

function withinOf(text: string | undefined): ContainerInfo | undefined {
  if (text === undefined) return undefined;
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  return { id: name, name, image: at < 0 ? '' : text.slice(at + 1), imageId: '', privileged: false };
}

interface TraceFile {
  readonly path: string;
  /** Found in a directory: may be something else. */
  readonly listed: boolean;
}

/** Files of a directory in the order of the number in their names, as the ecosystem's tools do; then by name. */
function traceFiles(path: string): TraceFile[] {
  if (path === '-') return [{ path, listed: false }];
  try {
    if (!statSync(path).isDirectory()) return [{ path, listed: false }];
    const names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
    if (names.length === 0)
      throw new InputError(
        'no traces in this directory',
        path,
        'name a trace, or wait for one with --follow',
      );
    return names.sort(byNumber).map((name) => ({ path: join(path, name), listed: true }));
  } catch (error) {
    throw hostError(error, path);
  }
}

function byNumber(a: string, b: string): number {
  const [x, y] = [digits(a), digits(b)];
  if (x !== y) return x < y ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

const digits = (name: string): bigint => BigInt(name.replace(/\D/g, '') || '0');

const unknown = (path: string): InputError =>
  new InputError(
    'not a trace of a source that is known',
    path,
    `known are ${SOURCE_NAMES.join(', ')}; name one with --source`,
  );

/** Undefined where it has been read. */
function readOne({ path, listed }: TraceFile, context: Context): Promise<void> | undefined {
  if (path === '-') return readStandardInput(context);
  const file = openFile(path);
  const head = file.read(0, detectBytes);
  const packed = packedAs(head);
  if (packed !== undefined) return unpack(file, packed, listed, context).finally(() => file.close());
  try {
    const source = context.options.source ?? detectSource(head, head.length === file.size);
    if (source === 'sysflow' && file.size > worthReadingAhead) {
      const read = readSysFlow(file, context);
      return read.finally(() => file.close());
    }
    if (source === undefined) {
      if (!listed) throw unknown(path);
      context.sink.say(`${printable(path)}: not a trace; skipped`);
    } else readPlain(file, source, context);
    file.close();
  } catch (error) {
    file.close();
    throw error;
  }
  return undefined;
}

/** SysFlow's blocks are inflated on other threads meanwhile. */
async function readSysFlow(file: RandomAccess, { sink }: Context): Promise<void> {
  const opened = openSysFlow(file);
  await opened.readAhead(flowTaker(sink, opened.traits));
  sink.finished?.(file.name, 'sysflow', opened.traits, opened.records);
}

function flowTaker(sink: InputSink, traits: SourceTraits): FlowTaker {
  const observe = (observation: Observation): void => sink.observe(observation, traits);
  if (sink.flow === undefined) return inObservations(observe);
  return { observe, flow: (row) => sink.flow?.(row, traits) };
}

/** Bytes of a file below which other threads are not worth their start. */
const worthReadingAhead = 1 << 20;

function readPlain(file: RandomAccess, source: SourceName, context: Context): void {
  if (source === 'sysflow') {
    const opened = openSysFlow(file);
    opened.read(flowTaker(context.sink, opened.traits));
    context.sink.finished?.(file.name, source, opened.traits, opened.records);
    return;
  }
  const intake = new Intake(file.name, { ...context, options: { ...context.options, source } });
  for (const piece of pieces(file)) intake.push(piece);
  intake.end();
}

type Packed = 'gzip' | 'zstd';

function packedAs(head: Uint8Array): Packed | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length < 4) return undefined;
  const magic = (head[0] | (head[1] << 8) | (head[2] << 16) | (head[3] << 24)) >>> 0;
  return magic === 0xfd2fb528 || (magic >= 0x184d2a50 && magic <= 0x184d2a5f) ? 'zstd' : undefined;
}

async function unpack(file: RandomAccess, packed: Packed, listed: boolean, context: Context): Promise<void> {
  const intake = new Intake(file.name, context, listed);
  const taps = { output: (piece: Uint8Array) => intake.push(piece) };
  let damage: string | undefined;
  try {
    await (packed === 'gzip' ? gunzip(file, taps) : unzstd(file, taps));
  } catch (error) {
    if (!(error instanceof InputError) || intake.size === 0) throw error;
    damage = error.message;
  }
  intake.end(damage, true);
}

const standardInput = 'standard input';

async function readStandardInput(context: Context): Promise<void> {
  const intake = new Intake(standardInput, context);
  let spool: ReturnType<typeof createSpool> | undefined;
  let first = true;
  for await (const chunk of process.stdin) {
    const bytes = chunk as Uint8Array;
    // Compressed, it is read whole first: decompressors read files.
    if (first && packedAs(bytes) !== undefined)
      spool = createSpool({ name: standardInput, limit: Number.MAX_SAFE_INTEGER });
    first = false;
    if (spool === undefined) intake.push(bytes);
    else spool.write(bytes);
  }
  if (spool === undefined) {
    intake.end();
    return;
  }
  const packed = packedAs(spool.read(0, 4));
  try {
    if (packed !== undefined) await unpack(spool, packed, false, context);
  } finally {
    spool.close();
  }
}

/** Files that grow and sockets, until a signal to end. */
async function live(paths: readonly string[], options: InputOptions, context: Context): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, onSignal);
  const tasks: Promise<void>[] = [];
  try {
    if (options.listen !== undefined) tasks.push(listen(options.listen, context, stop.signal));
    if (options.follow || options.listen !== undefined)
      for (const path of paths)
        tasks.push(path === '-' ? readStandardInput(context) : followOne(path, context, stop.signal));
    else tasks.push(readOnce(paths, context, stop.signal));
    await Promise.all(tasks);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(tasks);
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** With positions: each file as far as it goes now, until a signal to end. */
async function readOnce(paths: readonly string[], context: Context, signal: AbortSignal): Promise<void> {
  for (const trace of paths.flatMap((path) => traceFiles(path))) {
    if (signal.aborted) return;
    const { path } = trace;
    if (path === '-') await readStandardInput(context);
    else if (context.positions?.isDone(path, statSync(path).size) !== true)
      await readSoFar(trace, context, signal);
  }
}

async function readSoFar({ path, listed }: TraceFile, context: Context, signal: AbortSignal): Promise<void> {
  const file = openFile(path);
  try {
    const packed = packedAs(file.read(0, detectBytes));
    if (packed !== undefined) {
      await unpack(file, packed, listed, context);
      return;
    }
    const intake = new Intake(file.name, context, listed);
    for (const piece of pieces(file)) {
      intake.push(piece);
      context.sink.pause?.();
      await setImmediate();
      if (signal.aborted) break;
    }
    intake.end();
  } finally {
    file.close();
  }
}

async function followOne(path: string, context: Context, signal: AbortSignal): Promise<void> {
  let intake: Intake | undefined;
  await follow(
    path,
    {
      begin: (name) => {
        const done = context.positions?.isDone(name, statSync(name).size) === true;
        intake = done ? undefined : new Intake(name, context, true);
      },
      bytes: (piece) => {
        intake?.push(piece);
        context.sink.pause?.();
      },
      // Another file came after it, or following ends and it may go on.
      end: () => intake?.end(undefined, !signal.aborted),
      restarted: (name) => {
        intake?.end('the file became shorter', true);
        intake = new Intake(name, context, true);
      },
    },
    { signal, order: byNumber },
  );
}

async function listen(path: string, context: Context, signal: AbortSignal): Promise<void> {
  const { sink } = context;
  const flow = sink.flow === undefined ? undefined : (row: FlowRow) => sink.flow?.(row, records.traits);
  const again = context.positions?.resumed === true;
  const records = new SysFlowRecords((observation) => sink.observe(observation, records.traits), {
    flow,
    again,
  });
  await servePackets(
    path,
    {
      listening: () => sink.say(`listening on ${printable(path)}`),
      connected: () => {
        sink.say('a collector connected');
        records.connected();
      },
      packet: (bytes) => records.record(bytes),
      truncated: () => records.lost('record larger than a packet may be'),
      disconnected: () => sink.say('the collector disconnected'),
    },
    { signal },
  );
  sink.finished?.(path, 'sysflow', records.traits, new Map());
}

/** Bytes of one trace as they come: its source is told by the first ones, then they are fed to it. */
class Intake {
  size = 0;
  private readonly name: string;
  private readonly context: Context;
  private readonly optional: boolean;
  private head: Uint8Array[] = [];
  private feed: Feed | undefined;
  private source: SourceName | undefined;
  private refused = false;
  private position: Position | undefined;
  /** Records that a run before has taken. */
  private before = 0;

  /** `optional`: something that is no trace is said, not an error. */
  constructor(name: string, context: Context, optional = false) {
    this.name = name;
    this.context = context;
    this.optional = optional;
  }

  push(piece: Uint8Array): void {
    this.size += piece.length;
    if (this.position !== undefined) this.position.bytes += piece.length;
    if (this.refused) return;
    if (this.feed !== undefined) {
      this.feed.push(piece);
      return;
    }
    this.head.push(piece.slice());
    this.begin(this.size >= detectBytes);
  }

  /** `damage`: why there is no more. With positions a file may go on later, unless it is `complete`. */
  end(damage?: string, complete = false): void {
    if (this.size > 0) this.begin(true);
    const { feed, source } = this;
    if (feed === undefined || source === undefined) return;
    const { sink, positions } = this.context;
    if (positions === undefined || complete) {
      feed.end();
      if (damage !== undefined) sink.observe({ kind: 'gap', reason: damage, records: 1 }, feed.traits);
      if (this.position !== undefined) this.position.done = complete;
    }
    sink.finished?.(this.name, source, feed.traits, feed.skipped);
  }

  private resume(head: Uint8Array): void {
    const { positions } = this.context;
    if (positions === undefined || this.name === standardInput) return;
    const { position, taken } = positions.open(this.name, head);
    this.position = position;
    this.before = taken;
    position.bytes = this.size;
  }

  /** Whether the next record is new; counted where it is. */
  private takes(): boolean {
    if (this.before > 0) {
      this.before--;
      return false;
    }
    if (this.position !== undefined) this.position.records++;
    return true;
  }

  /** `whole`: what is there must do to tell what it is. */
  private begin(whole: boolean): void {
    if (this.feed !== undefined || this.refused) return;
    const { options, sees, sink } = this.context;
    const head = this.head.length === 1 ? this.head[0] : Buffer.concat(this.head);
    const source = options.source ?? detectSource(head, whole);
    if (source === undefined) {
      if (!whole) return;
      if (!this.optional) throw unknown(this.name);
      this.refused = true;
      this.head = [];
      sink.say(`${printable(this.name)}: not a trace; skipped`);
      return;
    }
    this.source = source;
    this.resume(head);
    const takes = (): boolean => this.takes();
    const flow =
      sink.flow === undefined
        ? undefined
        : (row: FlowRow) => {
            if (takes()) sink.flow?.(row, made.traits);
          };
    const observe = (observation: Observation): void => {
      if (takes()) sink.observe(observation, made.traits);
    };
    const made: Feed = SOURCES[source].make(observe, {
      name: this.name,
      flow,
      sees,
      container: withinOf(options.within),
    });
    // What comes through a pipe can't be read again: what was missed meanwhile is lost.
    if (this.context.positions?.resumed === true && this.position === undefined)
      sink.observe({ kind: 'gap', reason: 'the monitor was not running', records: 1 }, made.traits);
    this.feed = made;
    this.head = [];
    made.push(head);
  }
}
