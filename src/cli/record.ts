// `effigy record`: a command or an image, run under strace, to a SysFlow file.
import type { Command } from 'commander';
import { grouped, InputError, printable } from '../bytes/index.ts';
import { type RecordSummary, record } from '../record/index.ts';

interface RecordCommandOptions {
  readonly output: string;
  readonly image?: string;
  readonly ref?: string;
  readonly platform?: string;
  readonly drive?: string;
  readonly readyTimeout: string;
  readonly stopTimeout: string;
  readonly duration?: string;
  readonly net: string;
  readonly env: readonly string[];
  readonly user?: string;
  readonly containerId?: string;
  readonly containerName?: string;
  readonly interactive?: boolean;
  readonly keep?: boolean;
  readonly strace?: string;
  readonly json?: boolean;
}

const collect = (value: string, sofar: readonly string[]): readonly string[] => [...sofar, value];

export function addRecordCommand(program: Command): void {
  program
    .command('record')
    .description(
      'run a command, or an image without a container engine, under strace and write a SysFlow file',
    )
    .argument('[command...]', "command and arguments; with --image: in place of the image's Cmd")
    .requiredOption('-o, --output <trace>', 'SysFlow file to write')
    .option('--image <image>', 'docker save archive, OCI archive, or OCI layout directory to run')
    .option('--ref <name>', 'which image of an archive that holds several')
    .option('--platform <os/arch>', 'platform to choose from an index (linux/amd64)')
    .option(
      '--drive <command>',
      'shell command that acts as the client, once the service listens; the service is then stopped',
    )
    .option('--ready-timeout <seconds>', 'drive it anyway after this time', '10')
    .option('--stop-timeout <seconds>', 'between the stop signal and SIGKILL', '10')
    .option('--duration <seconds>', 'stop the service after this time')
    .option('--net <own|host>', "network of an image: its own loopback, or this machine's", 'own')
    .option('-e, --env <name=value>', 'environment variable (repeatable)', collect, [])
    .option('-u, --user <user[:group]>', 'user of an image, in place of its own')
    .option('--container-id <hex>', 'twelve hexadecimal digits (random)')
    .option('--container-name <name>', "name of the container (the image's)")
    .option('-i, --interactive', 'give it our standard input')
    .option('--keep', 'keep the temporary directory')
    .option('--strace <file>', "keep strace's text")
    .option('--json', 'print a summary as JSON')
    .addHelpText(
      'after',
      `
The output of what is recorded goes to standard error. A --drive command runs on this machine, inside of the
container's network, and finds the first process's number in EFFIGY_PID. Ctrl-C stops the service and finishes the
trace; a second one kills it.

Examples:
  effigy record -o run.sf -- sh -c 'cat /etc/hostname'
  effigy record -o run.sf --image shop.tar --drive 'curl -s http://127.0.0.1:8080/'`,
    )
    .action(runRecord);
}

async function runRecord(command: readonly string[], options: RecordCommandOptions): Promise<void> {
  const stop = new AbortController();
  const kill = new AbortController();
  const onSignal = (): void => (stop.signal.aborted ? kill.abort() : stop.abort());
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const { image } = options;
    if (image === undefined && options.user !== undefined)
      throw new InputError('only for images', '--user', 'run effigy as that user');
    const summary = await record({
      output: options.output,
      image: image === undefined ? undefined : { path: image, ref: options.ref, platform: options.platform },
      command,
      drive: options.drive,
      readyTimeout: milliseconds(options.readyTimeout, '--ready-timeout'),
      stopTimeout: milliseconds(options.stopTimeout, '--stop-timeout'),
      duration: options.duration === undefined ? undefined : milliseconds(options.duration, '--duration'),
      net: network(options.net),
      env: options.env.map(setting),
      user: options.user,
      containerId: options.containerId === undefined ? undefined : containerId(options.containerId),
      containerName: options.containerName,
      keep: options.keep,
      strace: options.strace,
      interactive: options.interactive,
      stop: stop.signal,
      kill: kill.signal,
    });
    process.stdout.write(options.json ? `${JSON.stringify(summary, null, 2)}\n` : describe(summary));
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

function milliseconds(text: string, option: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value > 86_400)
    throw new InputError(`${JSON.stringify(text)} is not a number of seconds up to a day`, option);
  return value * 1000;
}

function network(text: string): 'own' | 'host' {
  if (text !== 'own' && text !== 'host')
    throw new InputError(`${JSON.stringify(text)} is neither own nor host`, '--net');
  return text;
}

function setting(text: string): string {
  if (!/^[^=]+=/s.test(text)) throw new InputError(`${JSON.stringify(text)} is not NAME=value`, '--env');
  return text;
}

function containerId(text: string): string {
  if (!/^[0-9a-f]{12}$/.test(text))
    throw new InputError('not twelve lower-case hexadecimal digits', '--container-id');
  return text;
}

function describe(summary: RecordSummary): string {
  const { container, ending, drive, gaps, notes } = summary;
  const ended =
    ending === undefined
      ? 'unknown end'
      : ending.kind === 'exited'
        ? `exit status ${ending.code}`
        : `killed by signal ${ending.signal}`;
  const lines = [
    `${summary.output}: ${grouped(summary.records)} records of ${grouped(summary.calls)} system calls in ${summary.seconds.toFixed(1)} s; ${ended}`,
  ];
  if (container !== undefined)
    lines.push(`container ${container.id} ${printable(container.name)}, image ${printable(container.image)}`);
  if (drive !== undefined)
    lines.push(
      `drive command: ${drive.signal === undefined ? `exit status ${drive.status}` : `killed by ${drive.signal}`}`,
    );
  for (const gap of gaps) lines.push(`not understood: ${gap.reason} ×${gap.records}`);
  for (const note of notes) lines.push(`note: ${printable(note)}`);
  if (summary.kept !== undefined) lines.push(`kept: ${summary.kept}`);
  return `${lines.join('\n')}\n`;
}
