// User and group ids, supplementary groups, capabilities (credentials(7), capabilities(7), kernel/sys.c). Linux keeps
// them per thread and the C libraries keep the threads of a process alike; here they are the process's.
import { MemoryFault } from '../machine/index.ts';
import { CAP, capBit } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { taskOf } from './process.ts';
import type { SysArgs, SyscallHandler, SyscallRow } from './syscall.ts';
import type { Credentials, Task } from './task.ts';
import type { SysResult } from './wait.ts';

const NOT_CHANGED = 0xffffffff;
/** SECBIT_NO_SETUID_FIXUP */
const NO_FIXUP = 4;

const can = (credentials: Credentials, capability: number): boolean =>
  (credentials.effective & capBit(capability)) !== 0n;

type Id = 'uid' | 'gid';
type Op = 'SETUID' | 'SETGID';

interface Ids {
  readonly real: number;
  readonly effective: number;
  readonly saved: number;
}

function idsOf(credentials: Credentials, which: Id): Ids {
  return which === 'uid'
    ? { real: credentials.uid, effective: credentials.euid, saved: credentials.suid }
    : { real: credentials.gid, effective: credentials.egid, saved: credentials.sgid };
}

/** Sets the ids; the file system id follows the effective one. Root's capabilities come and go with user ids. */
function setIds(task: Task, which: Id, ids: Ids): void {
  const { credentials } = task.process;
  if (which === 'gid') {
    Object.assign(credentials, { gid: ids.real, egid: ids.effective, sgid: ids.saved, fsgid: ids.effective });
    return;
  }
  const old = idsOf(credentials, 'uid');
  Object.assign(credentials, { uid: ids.real, euid: ids.effective, suid: ids.saved, fsuid: ids.effective });
  if (old.effective !== ids.effective) task.process.dumpable = 0;
  if ((credentials.securebits & NO_FIXUP) === 0) fixCapabilities(task, old, ids);
}

function fixCapabilities(task: Task, old: Ids, now: Ids): void {
  const { credentials } = task.process;
  const had = old.real === 0 || old.effective === 0 || old.saved === 0;
  const has = now.real === 0 || now.effective === 0 || now.saved === 0;
  if (had && !has) {
    credentials.ambient = 0n;
    if (!task.process.keepCaps) credentials.permitted = credentials.effective = 0n;
  }
  if (old.effective === 0 && now.effective !== 0) credentials.effective = 0n;
  if (old.effective !== 0 && now.effective === 0) credentials.effective = credentials.permitted;
}

function answer(kernel: Kernel, task: Task, op: Op, value: number, result: number): number {
  kernel.effect(task, { op, resource: { kind: 'id', value: String(value) }, access: '' }, result);
  return result;
}

const powerOf = (which: Id): number => (which === 'uid' ? CAP.SETUID : CAP.SETGID);
const opOf = (which: Id): Op => (which === 'uid' ? 'SETUID' : 'SETGID');

/** setuid, setgid: all three ids with the capability, else the effective one to the real or saved one. */
const setOne =
  (which: Id): SyscallHandler =>
  (kernel, task, args) => {
    const { credentials } = task.process;
    const id = args.uint(0);
    const ids = idsOf(credentials, which);
    if (id === NOT_CHANGED) return answer(kernel, task, opOf(which), id, -E.INVAL);
    if (can(credentials, powerOf(which))) setIds(task, which, { real: id, effective: id, saved: id });
    else if (id === ids.real || id === ids.saved) setIds(task, which, { ...ids, effective: id });
    else return answer(kernel, task, opOf(which), id, -E.PERM);
    return answer(kernel, task, opOf(which), id, 0);
  };

/** setreuid, setregid. */
const setTwo =
  (which: Id): SyscallHandler =>
  (kernel, task, args) => {
    const { credentials } = task.process;
    const ids = idsOf(credentials, which);
    const [real, effective] = [args.uint(0), args.uint(1)];
    const value = effective === NOT_CHANGED ? real : effective;
    const allowed =
      can(credentials, powerOf(which)) ||
      ([NOT_CHANGED, ids.real, ids.effective].includes(real) &&
        [NOT_CHANGED, ids.real, ids.effective, ids.saved].includes(effective));
    if (!allowed) return answer(kernel, task, opOf(which), value, -E.PERM);
    const next = {
      real: real === NOT_CHANGED ? ids.real : real,
      effective: effective === NOT_CHANGED ? ids.effective : effective,
    };
    const savedFollows = real !== NOT_CHANGED || (effective !== NOT_CHANGED && effective !== ids.real);
    setIds(task, which, { ...next, saved: savedFollows ? next.effective : ids.saved });
    return answer(kernel, task, opOf(which), value, 0);
  };

/** setresuid, setresgid. */
const setThree =
  (which: Id): SyscallHandler =>
  (kernel, task, args) => {
    const { credentials } = task.process;
    const ids = idsOf(credentials, which);
    const wanted = [args.uint(0), args.uint(1), args.uint(2)];
    const value = wanted[1] === NOT_CHANGED ? (wanted[0] === NOT_CHANGED ? wanted[2] : wanted[0]) : wanted[1];
    const allowed =
      can(credentials, powerOf(which)) ||
      wanted.every((id) => [NOT_CHANGED, ids.real, ids.effective, ids.saved].includes(id));
    if (!allowed) return answer(kernel, task, opOf(which), value, -E.PERM);
    const pick = (id: number, old: number): number => (id === NOT_CHANGED ? old : id);
    setIds(task, which, {
      real: pick(wanted[0], ids.real),
      effective: pick(wanted[1], ids.effective),
      saved: pick(wanted[2], ids.saved),
    });
    return answer(kernel, task, opOf(which), value, 0);
  };

const getThree =
  (which: Id): SyscallHandler =>
  (_kernel, task, args) => {
    const ids = idsOf(task.process.credentials, which);
    const { space } = task.process;
    space.write32(args.pointer(0), ids.real);
    space.write32(args.pointer(1), ids.effective);
    space.write32(args.pointer(2), ids.saved);
    return 0;
  };

/** setfsuid, setfsgid: answer the old id, whether it changed or not. */
function setfsuid(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { credentials } = task.process;
  const old = credentials.fsuid;
  const id = args.uint(0);
  if (
    id !== NOT_CHANGED &&
    (can(credentials, CAP.SETUID) || [credentials.uid, credentials.euid, credentials.suid, old].includes(id))
  ) {
    credentials.fsuid = id;
  }
  return old;
}
function setfsgid(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { credentials } = task.process;
  const old = credentials.fsgid;
  const id = args.uint(0);
  if (
    id !== NOT_CHANGED &&
    (can(credentials, CAP.SETGID) || [credentials.gid, credentials.egid, credentials.sgid, old].includes(id))
  ) {
    credentials.fsgid = id;
  }
  return old;
}

function getgroups(_kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { groups } = task.process.credentials;
  const size = args.int(0);
  if (size < 0) return -E.INVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -E.INVAL;
  groups.forEach((gid, i) => {
    task.process.space.write32(args.pointer(1) + 4 * i, gid);
  });
  return groups.length;
}

/** NGROUPS_MAX. */
const MOST_GROUPS = 65_536;

function setgroups(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const size = args.uint(0);
  const groups: number[] = [];
  const done = (result: number): number => {
    kernel.effect(
      task,
      { op: 'SETGROUPS', resource: { kind: 'id', value: groups.join(',') }, access: '' },
      result,
    );
    return result;
  };
  const allowed = can(task.process.credentials, CAP.SETGID);
  if (size <= MOST_GROUPS) {
    // Who may not is not asked for the list by Linux, but it is what was tried; unreadable, it is not told.
    try {
      for (let i = 0; i < size; i++) groups.push(task.process.space.read32(args.pointer(1) + 4 * i) >>> 0);
    } catch (error) {
      if (allowed || !(error instanceof MemoryFault)) throw error;
    }
  }
  if (!allowed) return done(-E.PERM);
  if (size > MOST_GROUPS) return done(-E.INVAL);
  task.process.credentials.groups = [...groups].sort((a, b) => a - b);
  return done(0);
}

const CAP_VERSION_1 = 0x19980330;
const CAP_VERSION_2 = 0x20071026;
const CAP_VERSION_3 = 0x20080522;

/** Number of 32-bit pieces of a set; negative errno for a version that is not known (the header says which is). */
function capWords(task: Task, header: number): number {
  const version = task.process.space.read32(header) >>> 0;
  if (version === CAP_VERSION_1) return 1;
  if (version === CAP_VERSION_2 || version === CAP_VERSION_3) return 2;
  task.process.space.write32(header, CAP_VERSION_3);
  return -E.INVAL;
}

function capget(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space } = task.process;
  const words = capWords(task, args.pointer(0));
  const data = args.pointer(1);
  if (words < 0 || data === 0) return data === 0 ? 0 : words;
  const pid = space.read32(args.pointer(0) + 4) | 0;
  if (pid < 0) return -E.INVAL;
  const process = taskOf(kernel, task, pid)?.process;
  if (process === undefined) return -E.SRCH;
  const { effective, permitted, inheritable } = process.credentials;
  for (let i = 0; i < words; i++) {
    [effective, permitted, inheritable].forEach((set, k) => {
      space.write32(data + 12 * i + 4 * k, Number((set >> BigInt(32 * i)) & 0xffffffffn));
    });
  }
  return 0;
}

function capset(kernel: Kernel, task: Task, args: SysArgs): SysResult {
  const { space, credentials } = task.process;
  const words = capWords(task, args.pointer(0));
  if (words < 0) return words;
  const pid = space.read32(args.pointer(0) + 4) | 0;
  if (pid !== 0 && pid !== task.tid && pid !== task.process.pid) return -E.PERM;
  const read = (k: number): bigint => {
    let set = 0n;
    for (let i = 0; i < words; i++)
      set |= BigInt(space.read32(args.pointer(1) + 12 * i + 4 * k) >>> 0) << BigInt(32 * i);
    return set;
  };
  const [effective, permitted, inheritable] = [read(0), read(1), read(2)];
  const outside = (set: bigint, of: bigint): boolean => (set & ~of) !== 0n;
  const done = (result: number): number => {
    kernel.effect(task, { op: 'SETCAP', resource: { kind: 'none' }, access: '' }, result);
    return result;
  };
  if (!can(credentials, CAP.SETPCAP) && outside(inheritable, credentials.inheritable | credentials.permitted))
    return done(-E.PERM);
  if (outside(inheritable, credentials.inheritable | credentials.bounding)) return done(-E.PERM);
  if (outside(permitted, credentials.permitted) || outside(effective, permitted)) return done(-E.PERM);
  Object.assign(credentials, {
    effective,
    permitted,
    inheritable,
    ambient: credentials.ambient & permitted & inheritable,
  });
  return done(0);
}

const value =
  (pick: (credentials: Credentials) => number): SyscallHandler =>
  (_kernel, task) =>
    pick(task.process.credentials);

export const credentialRows: readonly SyscallRow[] = [
  row(
    'getuid',
    value((c) => c.uid),
  ),
  row(
    'geteuid',
    value((c) => c.euid),
  ),
  row(
    'getgid',
    value((c) => c.gid),
  ),
  row(
    'getegid',
    value((c) => c.egid),
  ),
  row('setuid', setOne('uid')),
  row('setgid', setOne('gid')),
  row('setreuid', setTwo('uid')),
  row('setregid', setTwo('gid')),
  row('setresuid', setThree('uid')),
  row('setresgid', setThree('gid')),
  row('getresuid', getThree('uid')),
  row('getresgid', getThree('gid')),
  row('setfsuid', setfsuid),
  row('setfsgid', setfsgid),
  row('getgroups', getgroups),
  row('setgroups', setgroups),
  row('capget', capget),
  row('capset', capset),
];
