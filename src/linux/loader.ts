// execve: maps a program and its interpreter into a fresh address space, builds its stack, and makes the process
// that program. Follows fs/exec.c and fs/binfmt_elf.c without address space randomization: bases come from the
// kernel's layout. There is no vdso (no AT_SYSINFO_EHDR); both C libraries use the system calls then.
import { ET, PF, PT, type Segment } from '../elf/index.ts';
import {
  ADDRESS_LIMIT,
  type AddressSpace,
  createRegisters,
  MemoryFault,
  PAGE_SIZE,
  PROT,
} from '../machine/index.ts';
import { RLIMIT, USER_HZ } from './abi-process.ts';
import { SS } from './abi-signal.ts';
import { credentialsAfterExec } from './credentials.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { type ExecRequest, findProgram, type LoadedFile, type Program } from './loader-program.ts';
import { AT, BASELINE_HWCAP, type BuiltStack, buildStack } from './loader-stack.ts';
import { clearHandlers, copyDescriptors, sharesSpace } from './process.ts';
import { exitTask, releaseMemoryUse } from './process-exit.ts';
import { closeDescriptor } from './sys-file-open.ts';
import type { Credentials, Task } from './task.ts';

const PHDR_SIZE = 56;
/** The stack is mapped this large at the start and grows to RLIMIT_STACK. */
const STACK_SIZE = 8 << 20;
/** MAX_ARG_STRLEN and the bound of all strings together with their pointers. */
const STRING_LIMIT = 131072;
const ARGUMENTS_LIMIT = 6 << 20;

interface Mapped {
  /** Added to the file's virtual addresses. */
  readonly bias: number;
  readonly entry: number;
  /** Where the program headers stand in memory; 0 where no segment holds them. */
  readonly phdr: number;
  readonly codeStart: number;
  readonly codeEnd: number;
  readonly dataStart: number;
  readonly dataEnd: number;
  /** End of everything, bss included. */
  readonly end: number;
}

/** Replaces the program of the task's process. `none` on success (registers are the new program's), else a negative errno. */
export function execve(kernel: Kernel, task: Task, request: ExecRequest): 'none' | number {
  const fail = (errno: number): number => {
    const path = kernel.vfs.nameAt(task, request.dirfd, request.path);
    kernel.effect(
      task,
      { op: 'EXEC', resource: { kind: 'program', path, args: request.argv.slice(1) }, access: '' },
      errno,
    );
    return errno;
  };
  const program = findProgram(kernel, task, request);
  if (typeof program === 'number') return fail(program);
  if (tooBig(task, program.argv, request.envp)) return fail(-E['2BIG']);
  const credentials = credentialsAfterExec(task.process.credentials, program.file);
  if (typeof credentials === 'number') return fail(credentials);
  const space = kernel.machine.memory.createAddressSpace();
  const mapped = mapProgram(kernel, space, program);
  if (typeof mapped === 'number') {
    space.release();
    return fail(mapped);
  }
  kernel.effect(
    task,
    {
      op: 'EXEC',
      resource: { kind: 'program', path: program.file.path, args: program.argv.slice(1) },
      access: '',
    },
    0,
  );
  leaveOldProgram(kernel, task);
  const stack = buildProgramStack(kernel, task, space, { program, mapped, envp: request.envp, credentials });
  becomeProgram(kernel, task, space, { program, mapped, stack, envp: request.envp, credentials });
  return 'none';
}

function tooBig(task: Task, argv: readonly string[], envp: readonly string[]): boolean {
  const strings = [...argv, ...envp];
  // No character takes more than four bytes, and most lists are far below the bound.
  const size = (text: string): number => new TextEncoder().encode(text).length + 1;
  const sizes = strings.map(size);
  const total = sizes.reduce((sum, n) => sum + n + 8, 0);
  const stack = task.process.rlimits[RLIMIT.STACK][0];
  const limit = Math.max(
    STRING_LIMIT,
    Math.min(ARGUMENTS_LIMIT, stack > 0x1000_0000_0000n ? ARGUMENTS_LIMIT : Number(stack / 4n)),
  );
  return sizes.some((n) => n > STRING_LIMIT) || total > limit;
}

interface ProgramMap {
  readonly main: Mapped;
  readonly interpreter: Mapped | undefined;
}

function mapProgram(kernel: Kernel, space: AddressSpace, program: Program): ProgramMap | number {
  const { layout } = kernel;
  const fixed = program.elf.type === ET.EXEC;
  const main = mapElf(space, program, (span, align) => {
    if (fixed) return 0;
    if (program.interpreter !== undefined) return Math.floor(layout.program / align) * align;
    return space.findFree(span + align, layout.mmapTop);
  });
  if (typeof main === 'number') return main;
  if (program.interpreter === undefined) return { main, interpreter: undefined };
  const interpreterFixed = program.interpreter.elf.type === ET.EXEC;
  const interpreter = mapElf(space, program.interpreter, (span, align) =>
    interpreterFixed ? 0 : space.findFree(span + align, layout.mmapTop),
  );
  return typeof interpreter === 'number' ? interpreter : { main, interpreter };
}

const pageDown = (address: number): number => address - (address % PAGE_SIZE);
const pageUp = (address: number): number => pageDown(address + PAGE_SIZE - 1);

function protOf(flags: number): number {
  return (
    ((flags & PF.R) !== 0 ? PROT.READ : 0) |
    ((flags & PF.W) !== 0 ? PROT.WRITE : 0) |
    ((flags & PF.X) !== 0 ? PROT.EXEC : 0)
  );
}

/** Maps the PT_LOAD segments; `place` gives the base for a span of bytes with this alignment. */
function mapElf(
  space: AddressSpace,
  loaded: LoadedFile,
  place: (span: number, align: number) => number | undefined,
): Mapped | number {
  const loads = loaded.elf.segments.filter((s) => s.type === PT.LOAD);
  if (!loads.every(isMappable)) return -E.NOEXEC;
  const low = Math.min(...loads.map((s) => pageDown(s.vaddr)));
  const high = Math.max(...loads.map((s) => pageUp(s.vaddr + s.memsz)));
  const align = Math.max(
    PAGE_SIZE,
    ...loads.map((s) => (Number.isInteger(Math.log2(s.align)) ? Math.min(s.align, 1 << 30) : PAGE_SIZE)),
  );
  const base = place(high - low, align);
  if (base === undefined) return -E.NOMEM;
  const bias = loaded.elf.type === ET.EXEC ? 0 : Math.ceil(base / align) * align - low;
  if (bias + low < 0x1_0000 || bias + high > ADDRESS_LIMIT - PAGE_SIZE) return -E.NOMEM;
  for (const segment of loads) {
    if (!mapSegment(space, loaded, segment, bias)) return -E.NOEXEC;
  }
  return describe(loaded, loads, bias);
}

const isMappable = (s: Segment): boolean =>
  s.memsz >= s.filesz &&
  s.vaddr + s.memsz < ADDRESS_LIMIT &&
  s.offset % PAGE_SIZE === s.vaddr % PAGE_SIZE &&
  s.memsz > 0;

function mapSegment(space: AddressSpace, { file }: LoadedFile, s: Segment, bias: number): boolean {
  const prot = protOf(s.flags);
  const start = bias + pageDown(s.vaddr);
  const fileEnd = bias + s.vaddr + s.filesz;
  const end = bias + pageUp(s.vaddr + s.memsz);
  const mappedEnd = s.filesz === 0 ? start : pageUp(fileEnd);
  if (s.filesz > 0) {
    space.map({
      address: start,
      length: mappedEnd - start,
      prot,
      backing: file.backing,
      offset: pageDown(s.offset),
      name: file.path,
    });
  }
  if (end > mappedEnd) space.map({ address: mappedEnd, length: end - mappedEnd, prot });
  if (s.memsz === s.filesz || mappedEnd === fileEnd || s.filesz === 0) return true;
  // The rest of the last file page is bss; a segment that can't be written keeps the file's bytes there.
  if ((s.flags & PF.W) === 0) return true;
  try {
    space.write(fileEnd, new Uint8Array(mappedEnd - fileEnd));
    return true;
  } catch (error) {
    if (error instanceof MemoryFault) return false;
    throw error;
  }
}

function describe({ elf }: LoadedFile, loads: readonly Segment[], bias: number): Mapped {
  const holds = loads.find(
    (s) => elf.phoff >= s.offset && elf.phoff + elf.phnum * PHDR_SIZE <= s.offset + s.filesz,
  );
  const code = loads.filter((s) => (s.flags & PF.X) !== 0);
  const data = loads.filter((s) => (s.flags & PF.W) !== 0);
  const end = bias + Math.max(...loads.map((s) => s.vaddr + s.memsz));
  return {
    bias,
    entry: bias + elf.entry,
    phdr: holds === undefined ? 0 : bias + holds.vaddr + (elf.phoff - holds.offset),
    codeStart: code.length === 0 ? 0 : bias + Math.min(...code.map((s) => s.vaddr)),
    codeEnd: code.length === 0 ? 0 : bias + Math.max(...code.map((s) => s.vaddr + s.filesz)),
    dataStart: data.length === 0 ? 0 : bias + Math.min(...data.map((s) => s.vaddr)),
    dataEnd: data.length === 0 ? 0 : bias + Math.max(...data.map((s) => s.vaddr + s.filesz)),
    end,
  };
}

interface NewProgram {
  readonly program: Program;
  readonly mapped: ProgramMap;
  readonly envp: readonly string[];
  readonly credentials: { readonly credentials: Credentials; readonly secure: boolean };
}

function buildProgramStack(kernel: Kernel, task: Task, space: AddressSpace, next: NewProgram): BuiltStack {
  const { program, mapped } = next;
  const { credentials, secure } = next.credentials;
  const limit = task.process.rlimits[RLIMIT.STACK][0];
  const stackFlags = program.elf.segments.find((s) => s.type === PT.GNU_STACK)?.flags ?? PF.R | PF.W;
  const auxv: (readonly [number, bigint])[] = [
    [AT.HWCAP, BASELINE_HWCAP],
    [AT.PAGESZ, BigInt(PAGE_SIZE)],
    [AT.CLKTCK, BigInt(USER_HZ)],
    [AT.PHDR, BigInt(mapped.main.phdr)],
    [AT.PHENT, BigInt(PHDR_SIZE)],
    [AT.PHNUM, BigInt(program.elf.phnum)],
    [AT.BASE, BigInt(mapped.interpreter?.bias ?? 0)],
    [AT.FLAGS, 0n],
    [AT.ENTRY, BigInt(mapped.main.entry)],
    [AT.UID, BigInt(credentials.uid)],
    [AT.EUID, BigInt(credentials.euid)],
    [AT.GID, BigInt(credentials.gid)],
    [AT.EGID, BigInt(credentials.egid)],
    [AT.SECURE, BigInt(secure)],
    [AT.HWCAP2, 0n],
  ];
  return buildStack({
    space,
    top: kernel.layout.stackTop,
    size: limit < BigInt(STACK_SIZE) ? Math.max(Number(limit), 256 << 10) : STACK_SIZE,
    executable: (stackFlags & PF.X) !== 0,
    argv: program.argv,
    envp: next.envp,
    execfn: program.execfn,
    random: kernel.random(16),
    auxv,
  });
}

/** The other threads end, descriptors and handlers become the process's own, futexes and vfork are settled. */
function leaveOldProgram(kernel: Kernel, task: Task): void {
  const { process } = task;
  for (const other of [...process.tasks]) if (other !== task) exitTask(kernel, other, 0);
  if (task.tid !== process.pid) {
    kernel.tasks.delete(task.tid);
    task.tid = process.pid;
    kernel.tasks.set(task.tid, task);
  }
  releaseMemoryUse(kernel, task);
  if (process.files.references > 1) {
    process.files.references--;
    process.files = copyDescriptors(process.files);
  }
  process.files.slots.forEach((slot, fd) => {
    if (slot?.cloexec === true) closeDescriptor(kernel, process, fd);
  });
  process.actions = process.actions.map((action) => ({ ...action }));
  clearHandlers(process.actions);
  process.posixTimers.clear();
  process.aio.clear();
  task.altStack = { sp: 0, flags: SS.DISABLE, size: 0 };
}

function becomeProgram(
  kernel: Kernel,
  task: Task,
  space: AddressSpace,
  next: NewProgram & { readonly stack: BuiltStack },
): void {
  const { process } = task;
  const { program, mapped, stack } = next;
  const { main } = mapped;
  const old = process.space;
  if (!sharesSpace(kernel, process)) old.release();
  process.space = space;
  process.exe = program.file.path;
  process.exeBacking = program.file.backing;
  process.argv = program.argv;
  process.envp = next.envp;
  process.comm = program.execfn.slice(program.execfn.lastIndexOf('/') + 1).slice(0, 15);
  task.comm = process.comm;
  process.layout = {
    ...stack,
    stackStart: stack.sp,
    codeStart: main.codeStart,
    codeEnd: main.codeEnd,
    dataStart: main.dataStart,
    dataEnd: main.dataEnd,
  };
  // A program without interpreter sits in the mmap area, where brk would have no room (as for ld.so called directly).
  const roomless = program.elf.type !== ET.EXEC && program.interpreter === undefined;
  process.brkStart = roomless ? kernel.layout.program : pageUp(main.end);
  process.brk = process.brkStart;
  process.marks = [];
  process.growing = [kernel.layout.stackTop];
  process.execed = true;
  process.personality &= ~0x0040_0000;
  process.dumpable = next.credentials.secure ? 0 : 1;
  process.keepCaps = false;
  process.membarrier = 0;
  process.credentials = next.credentials.credentials;
  if (next.credentials.secure) task.parentDeathSignal = 0;
  resetRegisters(task, (mapped.interpreter ?? main).entry, stack.sp);
}

function resetRegisters(task: Task, entry: number, sp: number): void {
  const { registers } = task;
  const fresh = createRegisters();
  registers.gpr.fill(0n);
  registers.xmm.fill(0n);
  registers.fxrstor(fresh.fxsave());
  registers.rflags = fresh.rflags;
  registers.fsbase = 0n;
  registers.gsbase = 0n;
  registers.gpr[4] = BigInt(sp);
  registers.rip = entry;
}
