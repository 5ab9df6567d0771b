// One image to a policy with the defaults of `effigy model`, for services.ts: `node services-one.js IMAGE CACHE POLICY`,
// CACHE a directory of prepared code or -, POLICY the file to write or -. Prints a ServiceRun as JSON.
import { writeFileSync } from 'node:fs';
import { plainContainer } from '../src/deployment/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../src/explore/index.ts';
import { openCodeCache } from '../src/host/index.ts';
import { openImage } from '../src/image/index.ts';
import { createMachine, signalNumber } from '../src/linux/index.ts';
import { modelImage } from '../src/model/index.ts';
import { writePolicy } from '../src/policy/index.ts';

/** What became of one image. */
export interface ServiceRun {
  /** `listening`, `idle` (it listens to nothing), or why the policy is incomplete. */
  readonly outcome: string;
  readonly instructions: number;
  readonly scenarios: number;
  readonly programs: number;
  readonly states: number;
  /** How many, by kind. */
  readonly cuts: Readonly<Record<string, number>>;
  /** Seconds of each pass. */
  readonly passes: Readonly<Record<string, number>>;
  /** From the start of the process, Node included. */
  readonly seconds: number;
  /** User and system. */
  readonly processorSeconds: number;
  readonly peakMegabytes: number;
}

const [path, cache, output] = process.argv.slice(2);
const passes: Record<string, number> = {};
let pass = 'open';
let since = 0;
/** Ends the pass that was, begins the next. */
function enter(next: string): void {
  const now = process.uptime();
  passes[pass] = (passes[pass] ?? 0) + now - since;
  process.stderr.write(`${pass} until ${now.toFixed(1)} s\n`);
  pass = next;
  since = now;
}

const image = await openImage(path);
const launches = ENVIRONMENTS.map((environment) => launchOf(image, plainContainer('', ''), environment));
const machine = createMachine({
  engine: 'fast',
  store: cache === '-' ? undefined : openCodeCache({ directory: cache }),
});
const { policy } = modelImage(image, {
  launches,
  budgets: DEFAULT_BUDGETS,
  probes: true,
  stopSignal: signalNumber(image.config.stopSignal) ?? 15,
  record: {},
  version: 'bench',
  machine,
  onProgress: (progress) => {
    if (progress.pass !== pass) enter(progress.pass);
  },
});
if (output !== '-') writeFileSync(output, writePolicy(policy));
enter('end');
machine.engine.keep?.();
image.close();
const cuts: Record<string, number> = {};
for (const { kind } of policy.cuts) cuts[kind] = (cuts[kind] ?? 0) + 1;
const { user, system } = process.cpuUsage();
const run: ServiceRun = {
  outcome: !policy.complete ? policy.incomplete : policy.coverage.listeners.length > 0 ? 'listening' : 'idle',
  instructions: policy.coverage.instructions,
  scenarios: policy.coverage.scenarios,
  programs: policy.automata.length,
  states: policy.automata.reduce((sum, { states }) => sum + states.length, 0),
  cuts,
  passes,
  seconds: process.uptime(),
  processorSeconds: (user + system) / 1e6,
  peakMegabytes: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(`${JSON.stringify(run)}\n`);
