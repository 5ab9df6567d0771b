// The system call table: the rows of every family joined, and a `missing` row for each call that no family has.
import { catalogue } from './catalogue.ts';
import { landlockRows } from './landlock.ts';
import { aioRows } from './sys-aio.ts';
import { fileRows } from './sys-file.ts';
import { futexRows } from './sys-futex.ts';
import { msgRows } from './sys-ipc-msg.ts';
import { semRows } from './sys-ipc-sem.ts';
import { shmRows } from './sys-ipc-shm.ts';
import { memoryRows } from './sys-memory.ts';
import { memoryAdviceRows } from './sys-memory-advice.ts';
import { miscRows } from './sys-misc.ts';
import { prctlRows } from './sys-misc-prctl.ts';
import { refusedRows } from './sys-misc-refused.ts';
import { mqueueRows } from './sys-mqueue.ts';
import { pollRows } from './sys-poll.ts';
import { processRows } from './sys-process.ts';
import { credentialRows } from './sys-process-credentials.ts';
import { idRows } from './sys-process-ids.ts';
import { limitRows } from './sys-process-limits.ts';
import { processVmRows } from './sys-process-vm.ts';
import { waitRows } from './sys-process-wait.ts';
import { signalRows } from './sys-signal.ts';
import { socketRows } from './sys-socket.ts';
import { timeRows } from './sys-time.ts';
import { timerRows } from './sys-time-timers.ts';
import type { SyscallRow } from './syscall.ts';

/** Every family. A call that two have is the first one's; a test holds that there is none. */
export const families: readonly (readonly SyscallRow[])[] = [
  fileRows,
  pollRows,
  socketRows,
  processRows,
  waitRows,
  processVmRows,
  idRows,
  credentialRows,
  limitRows,
  memoryRows,
  memoryAdviceRows,
  signalRows,
  timeRows,
  timerRows,
  futexRows,
  shmRows,
  semRows,
  msgRows,
  mqueueRows,
  aioRows,
  miscRows,
  prctlRows,
  landlockRows,
  refusedRows,
];

function join(): readonly (SyscallRow | undefined)[] {
  const table: (SyscallRow | undefined)[] = [];
  for (const rows of families) for (const row of rows) table[row.nr] ??= row;
  for (const entry of catalogue) {
    table[entry.nr] ??= {
      ...entry,
      level: 'missing',
      note: 'answers ENOSYS and is a cut',
      handler: () => -38,
    };
  }
  return table;
}

/** By number; undefined where Linux 6.12 has no such call. */
export const syscallTable = join();

/** Rows in order of number. */
export const syscallRows: readonly SyscallRow[] = syscallTable.filter((row) => row !== undefined);
