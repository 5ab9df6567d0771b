// The temporary directory of a recording, and who clears up when we can't: a shell that waits for our end. When we are
// killed, its standard input ends; it then kills the recorded process and removes the directory.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  readonly directory: string;
  /** From now on, our sudden end is the process's end. */
  guard(shell: string, pid: number): void;
  /** Removes the directory unless it is to be kept; what could not be removed is said. */
  clear(): string | undefined;
}

export interface ScratchOptions {
  readonly keep: boolean;
  /** Where the directory holds files of ids that are not ours: how to become their owner. */
  readonly become: () => readonly string[];
}

// The first line that arrives means that all is well.
const guardScript = 'read -r done && exit 0; kill -KILL "$1" 2>/dev/null; sleep 1; [ -z "$2" ] || rm -rf -- "$2"';

export function makeScratch(options: ScratchOptions): Scratch {
  const directory = mkdtempSync(join(tmpdir(), 'effigy-record-'));
  chmodSync(directory, 0o711);
  let guardian: ChildProcess | undefined;
  return {
    directory,
    guard: (shell, pid) => {
      guardian = spawn(shell, ['-c', guardScript, 'sh', String(pid), options.keep ? '' : directory], {
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      guardian.on('error', () => undefined);
      guardian.stdin?.on('error', () => undefined);
      guardian.unref();
    },
    clear: () => {
      const left = options.keep ? undefined : remove(directory, options.become());
      guardian?.stdin?.end('done\n');
      return left;
    },
  };
}

function remove(directory: string, become: readonly string[]): string | undefined {
  try {
    rmSync(directory, { recursive: true, force: true });
    return undefined;
  } catch (error) {
    const argv = [...become, 'rm', '-rf', '--', directory];
    if (spawnSync(argv[0], argv.slice(1), { stdio: 'ignore' }).status === 0) return undefined;
    return `could not remove ${directory}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
