// The demo (`npm run demo`): an image is built and modelled, a benign and an attacked session of it are recorded, and
// both are held against the model. Every step after the build is a command that you could type. Ends with 1 unless the
// benign session has no finding and the attacked one has the intrusion as one incident. Results are left in ./out/echo.
import { spawnSync } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildEchoImage, type EchoImage } from './image.ts';
import { prepare } from './prerequisites.ts';

const here = dirname(fileURLToPath(import.meta.url));
const cli = join(here, '../../src/cli/effigy.js');
const client = relative(process.cwd(), join(here, 'client.js'));
const out = join('out', 'echo');

class DemoFailure extends Error {}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
}

/** Runs a command of effigy; its standard error is ours. `statuses` are those that are no failure. */
function effigy(args: readonly string[], statuses: readonly number[] = [0]): Ran {
  process.stdout.write(`\n$ effigy ${args.map(shown).join(' ')}\n`);
  const { status, stdout, error } = spawnSync(process.execPath, [cli, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) throw error;
  if (status === null || !statuses.includes(status))
    throw new DemoFailure(`effigy ${args[0]} ended with status ${status}\n${stdout}`);
  return { status, stdout };
}

function shown(word: string): string {
  return /^[\w/.:=,@-]+$/.test(word) ? word : `'${word}'`;
}

function heading(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

function record(image: EchoImage, name: string, session: string): string {
  const trace = join(out, `${name}.sf`);
  const drive = `node ${client} ${session}`;
  process.stdout.write(effigy(['record', '-o', trace, '--image', image.path, '--drive', drive]).stdout);
  return trace;
}

interface Finding {
  readonly incident: string | number;
}

/** The findings of a trace: as text for people, and read back from the form for programs. */
function monitor(policy: string, trace: string): Finding[] {
  const text = effigy(['monitor', '--policy', policy, trace], [0, 1]);
  process.stdout.write(text.stdout);
  const json = spawnSync(process.execPath, [cli, 'monitor', '--policy', policy, '--json', trace], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (json.status !== text.status)
    throw new DemoFailure(`monitor --json ended with status ${json.status}\n${json.stderr}`);
  const findings = json.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Finding);
  if (findings.length > 0 !== (text.status === 1))
    throw new DemoFailure(`${findings.length} findings, but status ${text.status}`);
  return findings;
}

async function demo(): Promise<void> {
  const started = Date.now();
  prepare();
  heading('An image: a shell entrypoint, a C server with a hole, the C library of this machine');
  const image = await buildEchoImage(out);
  process.stdout.write(`${image.path}: ${image.manifestDigest}\n`);

  heading('Its model, from the image alone: the service is not run');
  const policy = join(out, 'policy.json');
  process.stdout.write(effigy(['model', image.path, '-o', policy]).stdout);
  const graph = join(out, 'graph.svg');
  process.stdout.write(effigy(['show', policy, '--svg', graph]).stdout);

  heading('Two sessions of the real service: ordinary clients, and one that overwrites a function pointer');
  const benign = record(image, 'benign', 'benign 127.0.0.1:7007');
  const attack = record(
    image,
    'attack',
    `attack 127.0.0.1:7007 --binary ${image.binary} --command "id > /tmp/pwned"`,
  );

  heading('The benign session against the model');
  const alarms = monitor(policy, benign);
  heading('The attacked session against the model');
  const findings = monitor(policy, attack);
  const incidents = new Set(findings.map((finding) => finding.incident));

  heading('Result');
  process.stdout.write(
    `benign session: ${alarms.length} findings\nattacked session: ${findings.length} findings in ${incidents.size} incident(s)\n`,
  );
  process.stdout.write(
    `picture of the effect graph: ${graph}\n${((Date.now() - started) / 1000).toFixed(1)} s\n`,
  );
  if (alarms.length > 0) throw new DemoFailure('the benign session must have no findings');
  if (findings.length === 0) throw new DemoFailure('the attack was not found');
  if (incidents.size !== 1) throw new DemoFailure(`the attack is one incident, not ${incidents.size}`);
}

try {
  await demo();
} catch (error) {
  process.stderr.write(`\nDEMO FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
