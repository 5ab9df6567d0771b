// The IPC namespace of the container: the three tables of System V objects, and what the end of a process does to them.
import { IpcTable } from './ipc.ts';
import type { MsgQueue } from './ipc-msg.ts';
import { SemTable } from './ipc-sem.ts';
import { ShmTable } from './ipc-shm.ts';

export class IpcNamespace {
  readonly shm = new ShmTable();
  readonly sem = new SemTable();
  readonly msg = new IpcTable<MsgQueue>();
}
