// From a path to what execve will map: the ELF file and its interpreter, through any number of `#!` lines
// (fs/exec.c, fs/binfmt_script.c, fs/binfmt_elf.c). Changes nothing.
import { decodeText, InputError } from '../bytes/index.ts';
import { type Elf, ElfSource, EM_X86_64, ET, interpreterOf, isElf, PT, parseElf } from '../elf/index.ts';
import { E } from './errno.ts';
import type { ExecutableFile, Kernel } from './kernel.ts';
import type { Task } from './task.ts';

export interface ExecRequest {
  readonly dirfd: number;
  readonly path: string;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly emptyPath: boolean;
  readonly noFollow: boolean;
}

export interface LoadedFile {
  readonly file: ExecutableFile;
  readonly elf: Elf;
}

export interface Program extends LoadedFile {
  readonly interpreter: LoadedFile | undefined;
  /** With what `#!` lines put in front. */
  readonly argv: readonly string[];
  /** The path as the caller gave it; for execveat of a descriptor /dev/fd/N. */
  readonly execfn: string;
}

/** The kernel looks at this many bytes of a file to tell its format. */
const HEAD = 256;
const SCRIPT_DEPTH = 5;

/** The program that a path leads to, or a negative errno. */
export function findProgram(kernel: Kernel, task: Task, request: ExecRequest): Program | number {
  const opened = kernel.vfs.openExecutable(kernel, task, request.dirfd, request.path, request);
  if (typeof opened === 'number') return opened;
  const execfn = execName(request);
  let file = opened;
  let argv = request.argv.length === 0 ? [''] : request.argv;
  let name = execfn;
  for (let depth = 0; ; depth++) {
    const head = readHead(file);
    if (isElf(head)) return loadElf(kernel, task, file, argv, execfn);
    const script = parseScript(head);
    if (script === undefined) return -E.NOEXEC;
    if (depth >= SCRIPT_DEPTH) return -E.LOOP;
    argv = [
      script.interpreter,
      ...(script.argument === undefined ? [] : [script.argument]),
      name,
      ...argv.slice(1),
    ];
    name = script.interpreter;
    const next = kernel.vfs.openExecutable(kernel, task, -100, script.interpreter, {
      emptyPath: false,
      noFollow: false,
    });
    if (typeof next === 'number') return next;
    file = next;
  }
}

function execName({ dirfd, path }: ExecRequest): string {
  if (dirfd === -100 || path.startsWith('/')) return path;
  return path === '' ? `/dev/fd/${dirfd}` : `/dev/fd/${dirfd}/${path}`;
}

function readHead(file: ExecutableFile): Uint8Array {
  const head = new Uint8Array(Math.min(HEAD, file.backing.size));
  if (head.length > 0) file.backing.readInto(0, head);
  return head;
}

const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09;

/**
 * `#!` interpreter [argument]: the rest of the line is one argument, blanks around it stripped. A line that the head
 * cuts off counts only if the interpreter's path is whole.
 */
export function parseScript(
  head: Uint8Array,
): { readonly interpreter: string; readonly argument: string | undefined } | undefined {
  if (head.length < 2 || head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  let end = head.indexOf(0x0a, 2);
  const whole = end >= 0 || head.length < HEAD;
  if (end < 0) end = head.length;
  const nul = head.subarray(2, end).indexOf(0);
  if (nul >= 0) end = 2 + nul;
  let start = 2;
  while (start < end && isBlank(head[start])) start++;
  let stop = start;
  while (stop < end && !isBlank(head[stop])) stop++;
  if (stop === start || (!whole && stop === end)) return undefined;
  let from = stop;
  while (from < end && isBlank(head[from])) from++;
  while (end > from && isBlank(head[end - 1])) end--;
  return {
    interpreter: decodeText(head.subarray(start, stop)),
    argument: from === end ? undefined : decodeText(head.subarray(from, end)),
  };
}

function loadElf(
  kernel: Kernel,
  task: Task,
  file: ExecutableFile,
  argv: readonly string[],
  execfn: string,
): Program | number {
  const elf = parseProgram(kernel, task, file);
  if (elf === undefined) return -E.NOEXEC;
  const path = readInterpreter(elf);
  if (path === 'malformed') return -E.NOEXEC;
  if (path === undefined) return { file, elf, interpreter: undefined, argv, execfn };
  const opened = kernel.vfs.openExecutable(kernel, task, -100, path, { emptyPath: false, noFollow: false });
  if (typeof opened === 'number') return opened;
  const interpreter = parseProgram(kernel, task, opened);
  if (interpreter === undefined) return -E.LIBBAD;
  return { file, elf, interpreter: { file: opened, elf: interpreter }, argv, execfn };
}

/** The parsed file; undefined where it can't be run here (ENOEXEC). A file for another processor is a cut. */
function parseProgram(kernel: Kernel, task: Task, file: ExecutableFile): Elf | undefined {
  try {
    const elf = parseElf(new ElfSource(file.backing, file.path));
    if (elf.machine !== EM_X86_64) {
      kernel.cutHere(task, {
        kind: 'file',
        what: `${file.path}: ELF machine ${elf.machine}`,
        consequence: 'execve answered ENOEXEC',
      });
      return undefined;
    }
    const runnable =
      (elf.type === ET.EXEC || elf.type === ET.DYN) && elf.segments.some((s) => s.type === PT.LOAD);
    return runnable ? elf : undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    kernel.cutHere(task, { kind: 'file', what: error.message, consequence: 'execve answered ENOEXEC' });
    return undefined;
  }
}

function readInterpreter(elf: Elf): string | undefined | 'malformed' {
  try {
    return interpreterOf(elf);
  } catch (error) {
    if (error instanceof InputError) return 'malformed';
    throw error;
  }
}
