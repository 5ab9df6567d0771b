// Builds the example's image as an OCI layout: the server compiled here, its configuration and entrypoint, and the
// shell, the C library and the loader of this machine. No container engine is needed; the same compiler and libraries
// give the same bytes.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type WrittenLayout, writeOciLayout } from '../../src/image/index.ts';
import { file, layer, program } from './host-files.ts';

// The function pointer must be reachable by the overflow and its target's address known: no canaries, no checked
// copies, no position independence, whatever this machine's compiler does by itself.
const flags = [
  '-std=gnu17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-no-pie',
  '-fno-pie',
  '-fno-stack-protector',
  '-U_FORTIFY_SOURCE',
  '-D_FORTIFY_SOURCE=0',
];

export interface EchoImage extends WrittenLayout {
  /** Directory of the layout. */
  readonly path: string;
  /** The compiled server, with its symbols. */
  readonly binary: string;
}

/** The package's directory, from this file in the sources or compiled. */
export function packageRoot(from = fileURLToPath(import.meta.url)): string {
  const directory = dirname(from);
  return existsSync(join(directory, 'package.json')) ? directory : packageRoot(directory);
}

/** Builds into `${directory}/image` (replaced) and `${directory}/echod`. */
export async function buildEchoImage(directory: string): Promise<EchoImage> {
  const source = join(packageRoot(), 'examples', 'echo');
  mkdirSync(directory, { recursive: true });
  const binary = join(directory, 'echod');
  // From the source's directory: no path of this machine in the binary.
  execFileSync('gcc', [...flags, '-o', resolve(binary), 'echod.c'], {
    cwd: source,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const path = join(directory, 'image');
  rmSync(path, { recursive: true, force: true });
  const written = await writeOciLayout(path, {
    name: 'effigy/echo:1',
    layers: [
      {
        entries: layer([
          ...program('/bin/sh', '/bin/sh'),
          ...program('/usr/bin/id', '/usr/bin/id'),
          ...system,
        ]),
      },
      {
        entries: layer([
          ...program(binary, '/usr/local/bin/echod'),
          file(join(source, 'echo.conf'), '/etc/echo.conf', 0o644),
          file(join(source, 'entrypoint.sh'), '/entrypoint.sh', 0o755),
        ]),
      },
    ],
    config: {
      entrypoint: ['/entrypoint.sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      exposedPorts: ['7007/tcp'],
      workingDir: '/',
    },
  });
  return { ...written, path, binary };
}

const system = [
  { kind: 'dir', path: '/tmp', mode: 0o1777 },
  { kind: 'dir', path: '/proc' },
  { kind: 'dir', path: '/sys' },
  { kind: 'dir', path: '/dev' },
  { kind: 'file', path: '/etc/passwd', bytes: 'root:x:0:0:root:/root:/bin/sh\n' },
  { kind: 'file', path: '/etc/group', bytes: 'root:x:0:\n' },
  { kind: 'file', path: '/etc/nsswitch.conf', bytes: 'passwd: files\ngroup: files\n' },
] as const;
