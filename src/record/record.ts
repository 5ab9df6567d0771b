// The story of a recording: prepare, hold, attach, go, drive, stop, finish (session.ts); and whatever happens, clear up.
import { closeSync, openSync, rmSync } from 'node:fs';
import { hostError } from '../host/index.ts';
import type { Isolation } from './isolation.ts';
import type { RecordOptions, RecordSummary } from './options.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { runSession } from './session.ts';
import { hostSubject, imageSubject } from './subject.ts';
import { findProgram, findTools } from './tools.ts';

/** Runs the command and writes what it does; resolves when it has ended. InputError where it can't be run or recorded. */
export async function record(options: RecordOptions): Promise<RecordSummary> {
  const tools = findTools(['sh', 'strace', 'mkfifo']);
  const fd = openOutput(options.output);
  let isolation: Isolation | undefined;
  let scratch: Scratch | undefined;
  let done = false;
  try {
    scratch = makeScratch({
      shell: tools.sh,
      become: () => becomeOwner(isolation),
    });
    const subject = await (options.image === undefined
      ? hostSubject(options)
      : imageSubject(options, scratch.directory));
    isolation = subject.isolation;
    const summary = await runSession({ options, subject, scratch, fd, tools });
    done = true;
    const left = scratch.clear(options.keep === true);
    return left === undefined ? summary : { ...summary, notes: [...summary.notes, left] };
  } finally {
    if (!done) {
      scratch?.clear(false);
      discard(fd, options.output);
    }
  }
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w', 0o644);
  } catch (error) {
    throw hostError(error, path);
  }
}

/** Nothing was recorded: no empty file is left. */
function discard(fd: number, path: string): void {
  try {
    closeSync(fd);
  } catch {
    // Closed already: there are records in it.
    return;
  }
  rmSync(path, { force: true });
}

function becomeOwner(isolation: Isolation | undefined): readonly string[] {
  const unshare = findProgram('unshare') ?? 'unshare';
  if (isolation === undefined || isolation.users === 'none') return [unshare, '--map-root-user', '--'];
  return [unshare, '--user', ...isolation.flags.filter((flag) => flag.startsWith('--map-')), '--'];
}
