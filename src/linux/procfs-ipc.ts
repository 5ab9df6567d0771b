// /proc/sysvipc: the System V objects of the container, one a line (ipc/shm.c, sem.c, msg.c: *_proc_show).
import type { IpcObject } from './ipc.ts';
import type { Kernel } from './kernel.ts';
import type { Superblock } from './vfs-inode.ts';
import { GeneratedInode } from './vfs-pseudo.ts';

type Kind = 'shm' | 'sem' | 'msg';

const HEADERS: Readonly<Record<Kind, string>> = {
  shm: '       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n',
  sem: '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n',
  msg: '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n',
};

const wide = (value: number | bigint, width: number): string => String(value).padStart(width);
const row = (columns: readonly (readonly [number | bigint, number])[]): string =>
  `${columns.map(([value, width]) => wide(value, width)).join(' ')}\n`;

const begin = (object: IpcObject, mode = object.mode): string =>
  `${wide(object.key, 10)} ${wide(object.id, 10)}  ${mode.toString(8).padStart(4)} `;
const owners = ({ uid, gid, cuid, cgid }: IpcObject): (readonly [number, number])[] =>
  [uid, gid, cuid, cgid].map((id) => [id, 5] as const);

const LISTS: Readonly<Record<Kind, (kernel: Kernel) => string[]>> = {
  shm: (kernel) =>
    kernel.ipc.shm
      .all()
      .map(
        (s) =>
          begin(s, s.mode | (s.doomed ? 0o1000 : 0)) +
          row([
            [s.size, 21],
            [s.cpid, 5],
            [s.lpid, 5],
            [kernel.ipc.shm.attached(kernel, s), 6],
            ...owners(s),
            [s.atime, 10],
            [s.dtime, 10],
            [s.ctime, 10],
            [s.inode.data.stored, 21],
            [0, 21],
          ]),
      ),
  sem: (kernel) =>
    kernel.ipc.sem
      .all()
      .map((s) => begin(s) + row([[s.values.length, 10], ...owners(s), [s.otime, 10], [s.ctime, 10]])),
  msg: (kernel) =>
    kernel.ipc.msg
      .all()
      .map(
        (q) =>
          `${begin(q)} ${row([
            [q.used, 10],
            [q.messages.length, 10],
            [q.lspid, 5],
            [q.lrpid, 5],
            ...owners(q),
            [q.stime, 10],
            [q.rtime, 10],
            [q.ctime, 10],
          ])}`,
      ),
};

export class IpcListInode extends GeneratedInode {
  private readonly kind: Kind;
  constructor(superblock: Superblock, kind: Kind) {
    super(superblock, 0o444);
    this.kind = kind;
  }
  content(kernel: Kernel): string {
    if (this.kind === 'shm') kernel.ipc.shm.sweep(kernel);
    return HEADERS[this.kind] + LISTS[this.kind](kernel).join('');
  }
}
