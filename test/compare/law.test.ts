// The law on small services that are built here: what each does on this machine and what it does in the machine.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { file, layer, program } from '../../examples/echo/host-files.ts';
import { compareImage, type ImageComparison, recordOnHost } from '../../src/cli/compare-image.ts';
import { type LayerEntry, openImage, writeOciLayout } from '../../src/image/index.ts';

/** The services' sources, from this file as it is written or compiled. */
function services(directory: string): string {
  const found = join(directory, 'test', 'compare', 'services');
  return existsSync(found) ? found : services(dirname(directory));
}

const here = services(dirname(fileURLToPath(import.meta.url)));

/** Why the law can't be tried here; '' where it can. */
function missing(): string {
  if (process.getuid?.() !== 0) return 'needs root';
  const absent = ['strace', 'gcc', 'unshare', 'setpriv'].filter((name) => find(name) === undefined);
  if (absent.length > 0) return `not installed: ${absent.join(', ')}`;
  if (!existsSync('/usr/include/stdio.h')) return 'not installed: libc6-dev';
  return spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0
    ? ''
    : 'this machine makes no namespaces';
}

function find(name: string): string | undefined {
  const ran = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return ran.status === 0 ? ran.stdout.trim() : undefined;
}

const base: readonly LayerEntry[] = [
  { kind: 'dir', path: '/tmp', mode: 0o1777 },
  ...['/proc', '/sys', '/dev', '/run', '/root'].map((path) => ({ kind: 'dir', path }) as const),
  { kind: 'file', path: '/etc/passwd', bytes: 'root:x:0:0:root:/root:/bin/sh\napp:x:7:7::/:/bin/sh\n' },
  { kind: 'file', path: '/etc/group', bytes: 'root:x:0:\napp:x:7:\n' },
  { kind: 'file', path: '/etc/shadow', bytes: 'root:*:1::::::\n', mode: 0o600 },
  { kind: 'file', path: '/etc/nsswitch.conf', bytes: 'passwd: files\ngroup: files\nhosts: files\n' },
];

interface Service {
  readonly name: string;
  /** In C, linked as it is said here. */
  readonly source?: string;
  readonly flags?: readonly string[];
  readonly entries?: readonly LayerEntry[];
  /** Programs of this machine, put where they are found. */
  readonly programs?: readonly string[];
  readonly entrypoint: readonly string[];
  readonly env?: readonly string[];
  /** Effects that the machine must have seen at least: a run that did nothing would be the same everywhere. */
  readonly least: number;
  /** Exactly these, `kind where: effect`. */
  readonly differences?: readonly string[];
}

const tools = [
  ...['sh', 'mkdir', 'cat', 'hostname', 'id', 'mktemp', 'cp', 'sed', 'sort', 'head', 'ln', 'chmod', 'chown'],
  ...['touch', 'mv', 'ls', 'rm', 'find', 'wc', 'sleep'],
];

const SERVICES: readonly Service[] = [
  { name: 'prefork', source: 'prefork.c', entrypoint: ['/app'], least: 40 },
  { name: 'prefork, static', source: 'prefork.c', flags: ['-static'], entrypoint: ['/app'], least: 30 },
  {
    name: 'threads',
    source: 'threads.c',
    flags: ['-pthread'],
    programs: ['cat'],
    entrypoint: ['/app'],
    least: 60,
  },
  {
    name: 'files',
    source: 'files.c',
    entries: [
      { kind: 'dir', path: '/data' },
      { kind: 'symlink', path: '/link-to-data', target: '/data' },
      { kind: 'symlink', path: '/loop', target: 'loop' },
      { kind: 'file', path: '/data/secret', bytes: 'secret\n', mode: 0o600 },
    ],
    entrypoint: ['/app'],
    least: 90,
  },
  { name: 'sockets', source: 'sockets.c', entrypoint: ['/app'], least: 40 },
  {
    name: 'shell script',
    entries: [file(join(here, 'script.sh'), '/entrypoint.sh', 0o755)],
    programs: tools,
    entrypoint: ['/entrypoint.sh'],
    env: ['NAME=somebody'],
    least: 300,
  },
];

test('the law: the same effects on this machine and in the machine', async (t) => {
  const without = missing();
  if (without !== '') return t.skip(without);
  const scratch = mkdtempSync(join(tmpdir(), 'effigy-law-'));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  for (const service of SERVICES) {
    await t.test(service.name, async (s) => {
      const absent = (service.programs ?? []).filter((name) => find(name) === undefined);
      if (absent.length > 0) return s.skip(`not installed: ${absent.join(', ')}`);
      const directory = join(scratch, service.name.replace(/\W+/g, '-'));
      mkdirSync(directory);
      const compared = await lawOf(service, directory);
      const differences = compared.differences.map(
        ({ kind, where, effect }) => `${kind} ${where}: ${effect}`,
      );
      assert.deepEqual(differences, service.differences ?? [], compared.notes.join('\n'));
      assert.ok(compared.common >= service.least, `only ${compared.common} effects`);
    });
  }
});

async function lawOf(service: Service, directory: string): Promise<ImageComparison> {
  const path = join(directory, 'image');
  const { source, flags = [], entries = [], programs = [], entrypoint, env = [] } = service;
  const binary = join(directory, 'app');
  if (source !== undefined) execFileSync('gcc', ['-O1', '-w', ...flags, '-o', binary, join(here, source)]);
  await writeOciLayout(path, {
    layers: [
      {
        entries: layer([
          ...base,
          ...programs.flatMap((name) => program(find(name) as string, `/bin/${name}`)),
          ...(source === undefined ? [] : program(binary, '/app')),
          ...entries,
        ]),
      },
    ],
    config: { entrypoint, env: ['PATH=/bin', ...env] },
  });
  const image = await openImage(path);
  try {
    const strace = join(directory, 'strace');
    await recordOnHost({ image, path, ref: undefined, idle: 0.3, scratch: directory, strace, ready: 1000 });
    return compareImage({ image, path, trace: strace, features: undefined });
  } finally {
    image.close();
  }
}
