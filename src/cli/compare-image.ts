// Both sides of a comparison: the recording of an image here, and the machine's run beside it.
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../bytes/index.ts';
import {
  type Comparison,
  compareRuns,
  firstEffect,
  processRun,
  readHostRun,
  runInMachine,
} from '../compare/index.ts';
import { plainContainer } from '../deployment/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, type Environment, type Launch, launchOf } from '../explore/index.ts';
import { openCodeCache, openFile } from '../host/index.ts';
import type { Image } from '../image/index.ts';
import { CPU_LEVELS, type FeatureSet } from '../isa/index.ts';
import { createMachine, signalNumber } from '../linux/index.ts';
import { headSize, maxScripts, record, scriptLine } from '../record/index.ts';

export interface ImageComparison extends Comparison {
  /** What the reader should know of either run: cuts of the machine, gaps of the trace. */
  readonly notes: readonly string[];
}

const CONTAINER_ID = 'b7c1f0e2a934';

export interface HostRecording {
  readonly image: Image;
  readonly path: string;
  readonly ref: string | undefined;
  /** Seconds. */
  readonly idle: number;
  /** A directory of ours. */
  readonly scratch: string;
  /** Where strace's text goes. */
  readonly strace: string;
  /** Milliseconds that a service has to listen, after which it is taken for one that doesn't; 10,000 where not given. */
  readonly ready?: number;
}

/**
 * A shell command that ends so many seconds later, or once the processes have been the same for a while: a script may be
 * far from its end when nobody tells that it listens, and a busy machine takes its time.
 */
const restAfter = (seconds: number): string => `
tree() { for each in $(cat /proc/$1/task/*/children 2>/dev/null); do echo "$each"; tree "$each"; done; }
sleep ${seconds}
same=0
for turn in $(seq 120); do
  now=$(tree "$EFFIGY_PID")
  if [ "$now" = "$was" ]; then same=$((same + 1)); else same=0; fi
  [ $same -ge 3 ] && break
  was=$now
  sleep 0.5
done`;

/** Runs an image here; returns the recorder's notes. Needs root. */
export async function recordOnHost(options: HostRecording): Promise<readonly string[]> {
  checkImage(options.image, options.path);
  const summary = await record({
    output: join(options.scratch, 'trace.sf'),
    image: { path: options.path, ref: options.ref },
    command: [],
    drive: restAfter(options.idle),
    containerId: CONTAINER_ID,
    net: 'own',
    readyTimeout: options.ready,
    strace: options.strace,
  });
  return summary.notes;
}

export interface CompareImageOptions {
  readonly image: Image;
  readonly path: string;
  /** strace's text. */
  readonly trace: string;
  /** Of the processor in the machine; undefined: the level of this one. */
  readonly features: FeatureSet | undefined;
}

/** The machine's run beside the host's. InputError where the trace is none of this image. */
export function compareImage({ image, path, trace, features }: CompareImageOptions): ImageComparison {
  checkImage(image, path);
  const { stopSignal: stopName } = image.config;
  const stopSignal = stopName === '' ? 15 : signalNumber(stopName);
  if (stopSignal === undefined) throw new InputError(`unknown stop signal ${JSON.stringify(stopName)}`, path);
  const launch = launchOf(image, plainContainer('', ''), hostLike(ENVIRONMENTS[0]));
  if (launch.spec.argv.length === 0)
    throw new InputError('the image has no entrypoint and no command', path, 'nothing says what it runs');
  const machine = createMachine({
    engine: 'fast',
    features: features ?? hostFeatures(),
    store: openCodeCache(),
  });
  const subject = { tree: image.tree, launch, machine };
  const file = openFile(trace);
  let host: ReturnType<typeof readHostRun>;
  try {
    host = readHostRun(file, {
      program: (place, named) => programIn(image, place, named),
      start: firstEffect(subject),
      stopSignal,
    });
  } finally {
    file.close();
  }
  const run = runInMachine({
    ...subject,
    // what happens every minute or day happens as often
    launch: launchAt(launch, host.course.start),
    course: host.course,
    stopSignal,
    maxInstructions: DEFAULT_BUDGETS.boot,
  });
  const notes = [
    ...[...host.gaps].map(([reason, count]) => `not understood in the trace: ${reason} ×${count}`),
    ...run.cuts.map(({ kind, what, consequence }) => `in the machine: ${kind} ${what}: ${consequence}`),
  ];
  const comparison = compareRuns(processRun(host.happenings), processRun(run.happenings), (name) =>
    byOwnName(image, name),
  );
  return { ...comparison, notes };
}

/** Started at this time, epoch ns. */
const launchAt = (launch: Launch, time: bigint): Launch => ({
  ...launch,
  environment: { ...launch.environment, values: { ...launch.environment.values, time } },
});

/** A path without links of the image in its directories. */
function byOwnName(image: Image, path: string): string {
  const at = path.lastIndexOf('/');
  // pipe:, @abstract and what is at the top
  if (at <= 0 || !path.startsWith('/')) return path;
  const directory = image.tree.realpath(path.slice(0, at));
  return directory === undefined ? path : `${directory === '/' ? '' : directory}${path.slice(at)}`;
}

function checkImage({ platform }: Image, path: string): void {
  if (platform.os !== 'linux' || platform.architecture !== 'amd64')
    throw new InputError(
      `the image is for ${platform.os}/${platform.architecture}`,
      path,
      'only linux/amd64 can be compared',
    );
}

/** What an exec of a path maps: the file behind its links, or the interpreter of a script. */
function programIn(
  image: Image,
  path: string,
  named: string,
): { path: string; before: readonly string[] } | undefined {
  let before: readonly string[] = [];
  let name = named;
  let place = image.tree.realpath(path);
  for (let depth = 0; depth < maxScripts && place !== undefined; depth++) {
    const node = image.tree.lookup(place);
    const script =
      node?.kind === 'file' ? scriptLine(node.read(0, Math.min(headSize, node.size))) : undefined;
    if (script === undefined) return { path: place, before };
    before = [...(script.argument === '' ? [] : [script.argument]), name, ...before];
    name = script.interpreter;
    place = image.tree.realpath(name);
  }
  return undefined;
}

/** The level of this machine's processor: libraries are looked for by it. */
function hostFeatures(): FeatureSet {
  const text = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'latin1') : '';
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(text)?.[1].split(' '));
  const has = (...names: readonly string[]): boolean => names.every((name) => flags.has(name));
  if (has('avx2', 'bmi1', 'bmi2', 'fma', 'movbe', 'abm', 'f16c')) return CPU_LEVELS['x86-64-v3'];
  return has('sse4_2', 'popcnt', 'cx16', 'lahf_lm') ? CPU_LEVELS['x86-64-v2'] : CPU_LEVELS['x86-64'];
}

/** What this machine would decide, as far as it shows in what programs do. */
function hostLike(environment: Environment): Environment {
  return {
    ...environment,
    values: {
      ...environment.values,
      hostName: CONTAINER_ID,
      // the recorder's containers have no network outside
      nameserver: '',
      cpus: cpus().length,
      memory: totalmem(),
      kernelRelease: release(),
      uptime: BigInt(Math.floor(uptime())) * 1_000_000_000n,
      time: BigInt(Date.now()) * 1_000_000n,
    },
  };
}
