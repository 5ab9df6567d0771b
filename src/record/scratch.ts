// The temporary directory of a recording, and who clears up when we can't: a shell that waits for our end. When we are
// killed, its standard input ends; it then kills the recorded process and removes the directory.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  readonly directory: string;
  /** From now on, our sudden end is this process's end, too. */
  guard(pid: number): void;
  /** The end: removes the directory unless it is to be kept; what could not be removed is said. */
  clear(keep: boolean): string | undefined;
}

export interface ScratchOptions {
  readonly shell: string;
  /** Where the directory holds files of ids that are not ours: how to become their owner. */
  readonly become: () => readonly string[];
}

// Lines: `pid N` names the process, `done` means that all is well.
const guardScript = `pid=
while read -r word value; do case $word in pid) pid=$value ;; done) exit 0 ;; esac; done
[ -z "$pid" ] || { kill -KILL "$pid" 2>/dev/null; sleep 1; }
rm -rf -- "$1"`;

export function makeScratch(options: ScratchOptions): Scratch {
  // For us alone: an image may have set-user-ID programs that nobody else should find.
  const directory = mkdtempSync(join(tmpdir(), 'effigy-record-'));
  const guardian = spawn(options.shell, ['-c', guardScript, 'sh', directory], {
    // Not in our group: what ends us all at once must not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guardian.on('error', () => undefined);
  guardian.stdin.on('error', () => undefined);
  guardian.unref();
  return {
    directory,
    guard: (pid) => void guardian.stdin.write(`pid ${pid}\n`),
    clear: (keep) => {
      const left = keep ? undefined : remove(directory, options.become());
      guardian.stdin.end('done\n');
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
