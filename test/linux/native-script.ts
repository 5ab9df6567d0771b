// Runs a script on the host: the same calls, in a directory that holds the same files. Needs gcc and root.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unhex } from '../../src/bytes/index.ts';
import { type Node, type Tree, walk } from '../../src/image/index.ts';
import type { Step, Value } from './script.ts';

export interface NativeResult {
  readonly result: number;
  readonly memory: Uint8Array;
}

/** Why scripts can't run on this host; undefined: they can. */
export function cannotRun(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root for chroot';
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'needs gcc';
  }
  return undefined;
}

let built: string | undefined;

function runner(): string {
  if (built !== undefined) return built;
  const directory = mkdtempSync(join(tmpdir(), 'effigy-script-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const source = ['test/linux/native-script.c', join(import.meta.dirname, 'native-script.c')].find((path) =>
    existsSync(path),
  ) as string;
  built = join(directory, 'native-script');
  execFileSync('gcc', ['-O1', '-static', '-o', built, source]);
  return built;
}

function writeTree(tree: Tree, directory: string): void {
  const first = new Map<Node, string>();
  const directories: [string, Node][] = [];
  for (const [path, node] of walk(tree)) {
    const target = join(directory, path);
    const earlier = first.get(node);
    first.set(node, target);
    if (node.kind === 'dir') {
      if (path !== '/') mkdirSync(target);
      directories.push([target, node]);
    } else if (node.kind === 'symlink') symlinkSync(node.target, target);
    else if (earlier !== undefined) linkSync(earlier, target);
    else if (node.kind === 'file') {
      writeFileSync(target, node.read(0, node.size));
      chownSync(target, node.uid, node.gid);
      chmodSync(target, node.mode);
    }
  }
  for (const [target, node] of directories) {
    chownSync(target, node.uid, node.gid);
    chmodSync(target, node.mode);
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
function argument(value: Value): string {
  switch (value.kind) {
    case 'number':
      return `i${value.value}`;
    case 'bytes':
      return `b${hexOf(value.bytes)}`;
    case 'out':
      return `o${value.size}`;
    case 'same':
      return 's';
  }
}

export function runNatively(tree: Tree, steps: readonly Step[]): NativeResult[] {
  const base = mkdtempSync(join(tmpdir(), 'effigy-root-'));
  try {
    const root = join(base, 'root');
    mkdirSync(root);
    writeTree(tree, root);
    const [input, output] = [join(base, 'in'), join(base, 'out')];
    writeFileSync(
      input,
      steps.map((step) => `${[step.nr, ...step.args.map(argument)].join(' ')}\n`).join(''),
    );
    // A script that hangs or ends early on the host shows in what is missing from the output.
    spawnSync(runner(), [root, input, output], { stdio: 'ignore', timeout: 10_000, killSignal: 'SIGKILL' });
    return readFileSync(output, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [result, memory] = line.split(' ');
        return { result: Number(result), memory: unhex(memory ?? '') ?? new Uint8Array(0) };
      });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
