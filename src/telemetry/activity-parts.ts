// What the rows of activity-calls.ts are made of: reading arguments, following descriptors and names, and the three
// forms of an activity. A descriptor that is used but unknown is counted, never guessed.
import type { FileType, Op } from '../effect/index.ts';
import type { Activity, ActivityTracker, ProcessState } from './activity.ts';
import { absolutePath, agrees, fileOf, learn, type OpenFile } from './descriptors.ts';
import { CONSTANTS } from './linux-names.ts';
import type { Arg, DescriptorTarget, SocketAddress, SyscallEvent } from './syscall-event.ts';

/** A constant that there must be. */
export const flag = (name: string): number => {
  const value = CONSTANTS.get(name);
  if (value === undefined) throw new Error(`internal error: no constant ${name}`);
  return value;
};

/** Open flag of every call that makes descriptors. */
export const O_CLOEXEC = flag('O_CLOEXEC');

// Arguments

export const final = (arg: Arg | undefined): Arg | undefined => (arg?.kind === 'change' ? arg.after : arg);

export function number(event: SyscallEvent, index: number): number {
  const arg = final(event.args[index]);
  return arg?.kind === 'number' ? arg.value : arg?.kind === 'fd' ? arg.fd : 0;
}

/** A number in decimal, or the name of a constant that we don't know. */
export function word(event: SyscallEvent, index: number): string {
  const arg = event.args[index];
  return arg?.kind === 'number' && arg.unknown.length > 0
    ? arg.unknown.join('|')
    : String(number(event, index));
}

export function text(event: SyscallEvent, index: number): string {
  const arg = event.args[index];
  return arg?.kind === 'string' ? arg.text : '';
}

/** A list of strings; `...` at its end where the recorder cut it or one of them short. */
export function texts(arg: Arg | undefined): readonly string[] {
  if (arg?.kind !== 'list') return [];
  const out = arg.items.map((item) =>
    item.kind === 'string' ? `${item.text}${item.whole ? '' : '...'}` : '',
  );
  return arg.whole ? out : [...out, '...'];
}

export function address(arg: Arg | undefined): SocketAddress | undefined {
  const value = final(arg);
  return value?.kind === 'address' ? value.address : undefined;
}

// Descriptors

export const descriptorOf = (
  arg: Arg | undefined,
): { readonly fd: number; readonly target: DescriptorTarget | undefined } | undefined =>
  arg?.kind === 'fd' ? arg : arg?.kind === 'number' ? { fd: arg.value, target: undefined } : undefined;

/** What an argument's descriptor refers to; an annotation overrules a table that cannot be right. */
export function fileAt(
  tracker: ActivityTracker,
  process: ProcessState,
  event: SyscallEvent,
  index: number,
): { fd: number; file: OpenFile } | undefined {
  const descriptor = descriptorOf(event.args[index]);
  if (descriptor === undefined || descriptor.fd < 0) return undefined;
  const underWay = index === 0 ? tracker.underWay(event.tid, descriptor.fd) : undefined;
  const file = underWay ?? known(tracker, process, descriptor.fd, descriptor.target);
  if (file === undefined && event.ret !== undefined && event.ret >= 0)
    tracker.gap(`descriptor of unknown origin: ${event.name}`);
  return file === undefined ? undefined : { fd: descriptor.fd, file };
}

export function known(
  tracker: ActivityTracker,
  process: ProcessState,
  fd: number,
  target: DescriptorTarget | undefined,
): OpenFile | undefined {
  const { descriptors } = process;
  const file = descriptors.get(fd);
  if (target === undefined) return file;
  if (file !== undefined && agrees(file, target)) {
    if (file.kind === 'socket') learn(file, target);
    return file;
  }
  const found = fileOf(target, tracker.strip);
  descriptors.set(fd, found, false);
  return found;
}

/** The result is a new descriptor for this file. */
export function opened(process: ProcessState, fd: number, file: OpenFile, flags: number): void {
  process.descriptors.set(fd, file, (flags & O_CLOEXEC) !== 0);
}

// Names

/** Where relative names start: the directory that an argument refers to, or the working directory. */
export function base(
  tracker: ActivityTracker,
  process: ProcessState,
  event: SyscallEvent,
  index: number | undefined,
): string {
  if (index === undefined) return process.cwd;
  const directory = descriptorOf(event.args[index]);
  if (directory === undefined) return process.cwd;
  if (directory.fd === flag('AT_FDCWD')) {
    if (directory.target?.kind === 'path' && !process.entered)
      process.cwd = tracker.strip(directory.target.path);
    return process.cwd;
  }
  const file = known(tracker, process, directory.fd, directory.target);
  return file?.kind === 'file' ? file.path : process.cwd;
}

export function path(
  tracker: ActivityTracker,
  process: ProcessState,
  event: SyscallEvent,
  directory: number | undefined,
  index: number,
): string {
  const from = base(tracker, process, event, directory);
  const arg = event.args[index];
  return arg?.kind === 'string' ? absolutePath(from, arg.text) : '';
}

// Activities

export function common(
  process: ProcessState,
  event: SyscallEvent,
  op: Op,
  ret: number,
): Omit<Extract<Activity, { kind: 'exit' }>, 'kind' | 'last'> {
  return { time: event.time, start: event.start, process, tid: event.tid, syscall: event.name, op, ret };
}

export interface OnDescriptor {
  readonly flags?: number;
  readonly peer?: SocketAddress | undefined;
  readonly bytes?: number;
}

export function onDescriptor(
  tracker: ActivityTracker,
  process: ProcessState,
  event: SyscallEvent,
  op: Op,
  at: { fd: number; file: OpenFile } | undefined,
  more: OnDescriptor = {},
): void {
  const ret = event.ret ?? 0;
  if (at === undefined) return;
  tracker.emit({
    kind: 'descriptor',
    time: event.time,
    start: event.start,
    process,
    tid: event.tid,
    syscall: event.name,
    op,
    ret,
    fd: at.fd,
    file: at.file,
    flags: more.flags ?? 0,
    peer: more.peer,
    bytes: more.bytes ?? Math.max(0, ret),
  });
}

export interface OnPath {
  readonly path: string;
  readonly to?: string | undefined;
  readonly type?: FileType;
  readonly flags?: number;
}

export function onPath(
  tracker: ActivityTracker,
  process: ProcessState,
  event: SyscallEvent,
  op: Op,
  what: OnPath,
): void {
  tracker.emit({
    ...common(process, event, op, event.ret ?? 0),
    kind: 'path',
    path: what.path,
    to: what.to,
    type: what.type ?? '?',
    flags: what.flags ?? 0,
  });
}

export function onText(
  tracker: ActivityTracker,
  process: ProcessState,
  event: SyscallEvent,
  op: Op,
  about: 'id' | 'task' | 'none',
  value: string,
): void {
  tracker.emit({ ...common(process, event, op, event.ret ?? 0), kind: 'text', text: value, about });
}
