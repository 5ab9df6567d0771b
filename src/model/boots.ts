// The boots that are compared: a first start under each environment, later starts, and starts to which those outside
// answer otherwise. Long boots are compared as often as they tell something.
import {
  type BootResult,
  type Budgets,
  type Enough,
  Explorer,
  isVeryLong,
  knownTexts,
  type Launch,
  LONG_BOOT,
  lastingPaths,
  type RestartWay,
  restartWays,
  turnsOutside,
} from '../explore/index.ts';
import { type Image, walk } from '../image/index.ts';
import type { Machine, Outside } from '../linux/index.ts';
import { settlesFirst } from './later.ts';
import { Novelty } from './novelty.ts';
import { longQuiet } from './quiet.ts';

export interface BootOptions {
  /** How the container is started, one for each boot that is compared. */
  readonly launches: readonly Launch[];
  readonly budgets: Budgets;
  /** Signal that stops the service, by number. */
  readonly stopSignal: number;
  /** Memory and engine of all boots: they share what is lifted and translated, nothing else. */
  readonly machine: Machine;
  readonly onProgress?: (progress: {
    readonly pass: string;
    readonly done: number;
    readonly of: number;
  }) => void;
}

/** A further start under the environment of this index. */
export interface LaterStart {
  readonly boot: BootResult;
  readonly environment: number;
}

/** Corresponding ones. */
export type LaterStarts = readonly LaterStart[];

export interface Boots {
  readonly explorers: readonly Explorer[];
  readonly later: readonly LaterStarts[];
}

/** Boots an image as often as there is something to compare. `higher`: the machine of the second environment. */
export function bootAll(image: Image, options: BootOptions, higher: Machine | undefined): Boots {
  const explorers = [bootFirst(image, options)];
  const [first] = explorers;
  const next = higher === undefined ? startLater(first, options) : undefined;
  if (next?.settled === true)
    return { explorers: [first, next.explorer], later: outsideOf(explorers, options) };
  bootOthers(image, options, higher, explorers);
  const later = next === undefined ? restartAll(explorers, options) : [[next.later]];
  return { explorers, later: [...later, ...outsideOf(explorers, options)] };
}

/** Whether the image has what the C library's loader takes on some processors only (`glibc-hwcaps/x86-64-v3/`). */
export function hasLevels({ tree }: Image): boolean {
  for (const [path] of walk(tree)) if (path.endsWith('/glibc-hwcaps')) return true;
  return false;
}

/** Of very long boots this many are compared: two tell what the environment decides. */
const LONG_BOOTS = 2;
const isLong = ({ boot }: Explorer): boolean => boot.instructions > LONG_BOOT;

function bootFirst({ tree }: Image, { launches, machine, budgets, onProgress }: BootOptions): Explorer {
  onProgress?.({ pass: 'boot', done: 0, of: launches.length });
  const [launch] = launches;
  const explorer = new Explorer({ tree, launch, machine, budgets });
  if (!failsFromOutside(explorer)) return explorer;
  const alone = new Explorer({ tree, launch, machine, budgets, outside: 'silent' });
  return incompleteBecause(alone) === '' ? alone : explorer;
}

/** Under further environments; a boot that exceeds its budget would do so again, so it is the last. */
function bootOthers(
  { tree }: Image,
  options: BootOptions,
  higher: Machine | undefined,
  explorers: Explorer[],
): void {
  const { budgets, launches } = options;
  const [first] = explorers;
  const { outside } = first;
  for (const launch of launches.slice(1)) {
    const last = explorers[explorers.length - 1];
    if (last.boot.stop.kind === 'budget') return;
    if (isVeryLong(last.boot.instructions) && explorers.length >= LONG_BOOTS) return;
    options.onProgress?.({ pass: 'boot', done: explorers.length, of: launches.length });
    const machine = explorers.length === 1 && higher !== undefined ? higher : options.machine;
    let explorer = new Explorer({ tree, launch, machine, budgets, outside });
    // there is nothing to compare with where a service ends without a network
    if (launch.environment.values.nameserver === '' && failsFromOutside(explorer, first))
      explorer = new Explorer({ tree, launch: connected(launch), machine, budgets, outside });
    explorers.push(explorer);
  }
}

/**
 * A very long boot that leaves files: the container is started again under the second environment. Where what only the
 * first start did has nothing of the environment's, that is all that need be compared.
 */
function startLater(
  first: Explorer,
  { launches, stopSignal, onProgress }: BootOptions,
): { readonly settled: boolean; readonly explorer: Explorer; readonly later: LaterStart } | undefined {
  const { boot, launch } = first;
  if (launches.length < 2 || boot.stop.kind !== 'quiescent' || !isVeryLong(boot.instructions))
    return undefined;
  const [way] = restartWays(boot.steps, launch, boot.instructions);
  if (way === undefined) return undefined;
  onProgress?.({ pass: 'boot again', done: 0, of: 1 });
  const explorer = first.startAgain(way, stopSignal, launches[1]);
  if (explorer === undefined || explorer.boot.stop.kind !== 'quiescent') {
    explorer?.release();
    return undefined;
  }
  const settled = settlesFirst(first, explorer);
  const later = { boot: explorer.boot, environment: 1 };
  if (!settled) explorer.release();
  return { settled, explorer, later };
}

/** The same, with a network outside. */
function connected(launch: Launch): Launch {
  const { environment } = launch;
  const { gateway } = environment.values;
  return {
    ...launch,
    environment: { ...environment, values: { ...environment.values, nameserver: gateway } },
  };
}

/** Whether a boot went wrong, maybe from what came of its turning to the outside, or the first one's. */
const failsFromOutside = (explorer: Explorer, first = explorer): boolean =>
  incompleteBecause(explorer) !== '' && turnsOutside(first.boot.steps, first.environment.values);

/** Environments under which later starts are compared; of a long boot one start, beside the first ones. */
const RESTARTED = 2;

/** Later starts that show something new: one row a way, one boot an environment. */
function restartAll(explorers: readonly Explorer[], options: BootOptions): LaterStarts[] {
  const [first] = explorers;
  if (first.boot.stop.kind === 'budget') return [];
  const count = Math.min(isLong(first) ? 1 : RESTARTED, explorers.length);
  const ways = restartWays(first.boot.steps, first.launch, first.boot.instructions);
  const novelty = new Novelty(first.boot.steps, [...knownTexts(first.environment), ...first.launch.unknown]);
  const { stopSignal } = options;
  const restart = (explorer: Explorer, way: RestartWay): BootResult | undefined =>
    explorer.restart(way, {
      stopSignal,
      written: lastingPaths(explorer.boot.steps, explorer.launch),
      ...(isLong(first) ? { enough: longQuiet(novelty.followStart()) } : {}),
    });
  return ways.flatMap((way, done) => {
    options.onProgress?.({ pass: 'boot again', done, of: ways.length });
    const again = restart(first, way);
    // one that did not end says nothing of what corresponds to what
    if (again === undefined || !novelty.isNewStart(again.steps)) return [];
    const others = explorers.slice(1, count);
    const row = [again, ...others.flatMap((explorer) => restart(explorer, way) ?? [])];
    return row.length === count ? [row.map((boot, environment) => ({ boot, environment }))] : [];
  });
}

/** What may come of what a boot asks of the outside; of long boots the first ones are tried. */
const OUTSIDE: readonly Outside[] = ['unreachable', 'silent', 'refuses', 'denies', 'answers'];

/** Boots that turn to the outside, where something else comes of that: one row each that shows something new. */
function outsideOf(explorers: readonly Explorer[], options: BootOptions): LaterStarts[] {
  const [first] = explorers;
  if (first.boot.stop.kind === 'budget' || !turnsOutside(first.boot.steps, first.environment.values))
    return [];
  const count = Math.min(isLong(first) ? 1 : RESTARTED, explorers.length);
  const novelty = new Novelty(first.boot.steps, [...knownTexts(first.environment), ...first.launch.unknown]);
  const others = OUTSIDE.filter((how) => how !== first.outside);
  let [spent, left] = [0, others.length];
  const tried = others.flatMap((how, done): LaterStarts[] => {
    options.onProgress?.({ pass: 'boot alone', done, of: others.length });
    if (isLong(first) && spent > first.boot.instructions) return [];
    const boot = first.bootWhere(how, isLong(first) ? quietOutside(first, novelty) : undefined);
    spent += boot.instructions;
    left--;
    if (!novelty.isNewStart(boot.steps)) return [];
    const row = [boot, ...explorers.slice(1, count).map((explorer) => explorer.bootWhere(how))];
    return [row.map((each, environment) => ({ boot: each, environment }))];
  });
  if (left > 0) first.cutBoots(left);
  return tried;
}

/** It has turned outside, and shown nothing new for long. */
function quietOutside(first: Explorer, novelty: Novelty): Enough {
  const quiet = longQuiet(novelty.followStart());
  let turned = false;
  return (steps, instructions) => {
    const enough = quiet(steps, instructions);
    turned ||= enough && turnsOutside(steps, first.environment.values);
    return enough && turned;
  };
}

/** Why a boot is not the whole of one; '' where it is. */
export function incompleteBecause({ boot }: Explorer): string {
  const { stop } = boot;
  if (stop.kind === 'budget')
    return `boot did not come to rest within its instruction budget (in ${stop.waiting[0]?.exe ?? 'no task'})`;
  if (stop.kind === 'exited' && stop.status !== 0)
    return `the entrypoint ended with ${describeStatus(stop.status)}: ${lastLine(boot.output)}`;
  return '';
}

/** A wait status in words. */
export function describeStatus(status: number): string {
  return (status & 0x7f) === 0 ? `exit status ${(status >> 8) & 0xff}` : `signal ${status & 0x7f}`;
}

const lastLine = (output: string): string => output.trimEnd().split('\n').at(-1) || '(no output)';
