// Flags as a whole, hints, fences, identification, traps, and what user mode may not do.
import type { Flag, Trap } from '../builder.ts';
import { REG } from '../ir.ts';
import type { LiftFunction, LiftTable } from './context.ts';

const RAX = REG['rax'];
const RCX = REG['rcx'];
const RDX = REG['rdx'];
const RBX = REG['rbx'];
const R11 = REG['r11'];

const nop: LiftFunction = () => {};
const fence: LiftFunction = (cx) => cx.b.fence();
const trap =
  (kind: Trap): LiftFunction =>
  (cx) =>
    cx.b.trap(kind);

const assign =
  (flag: Flag, value: 0 | 1): LiftFunction =>
  (cx) =>
    cx.b.setf(flag, cx.b.const(1, value));

const cmc: LiftFunction = (cx) => cx.b.setf('CF', cx.b.not(cx.b.getf('CF')));

/** SF ZF AF PF CF, with bit 1 set, into AH. */
const lahf: LiftFunction = (cx) => {
  const { b } = cx;
  b.set(RAX, b.insert(b.get(RAX), b.trunc(8, b.rflags()), 8));
};

const sahf: LiftFunction = (cx) => {
  const { b } = cx;
  b.setrflags('sahf', b.zext(64, b.extract(8, b.get(RAX), 8)));
};

const cpuid: LiftFunction = (cx) => {
  const { b } = cx;
  const leaf = cx.gpr(RAX, 32);
  const subleaf = cx.gpr(RCX, 32);
  const parts = [RAX, RBX, RCX, RDX].map((_, i) => b.call(32, 'cpuid', leaf, subleaf, b.const(32, i)));
  for (const [i, register] of [RAX, RBX, RCX, RDX].entries()) cx.setGpr(register, parts[i]);
};

/** 64 bits into edx:eax. */
function split(cx: Parameters<LiftFunction>[0], value: number): void {
  cx.setGpr(RAX, cx.b.trunc(32, value));
  cx.setGpr(RDX, cx.b.extract(32, value, 32));
}

const rdtsc: LiftFunction = (cx) => split(cx, cx.b.call(64, 'rdtsc'));

const rdtscp: LiftFunction = (cx) => {
  split(cx, cx.b.call(64, 'rdtsc'));
  cx.setGpr(RCX, cx.b.const(32, 0)); // processor 0 of node 0
};

const xgetbv: LiftFunction = (cx) => split(cx, cx.b.call(64, 'xgetbv', cx.gpr(RCX, 32)));

const syscall: LiftFunction = (cx) => {
  const { b } = cx;
  b.set(R11, b.rflags());
  b.set(RCX, cx.next());
  b.syscall(cx.next());
};

/** User mode may raise 3 and 4; the others are general faults. 0x80 is the 32-bit system call. */
const int: LiftFunction = (cx) => {
  const vector = cx.immediate & 0xff;
  if (vector === 0x80) cx.b.unsupported();
  else cx.b.trap(vector === 3 ? 'breakpoint' : vector === 4 ? 'overflow' : 'general');
};

const segmentBase =
  (register: number, write: boolean): LiftFunction =>
  (cx) => {
    const width = cx.widthOf(0);
    if (write) cx.b.set(register, cx.b.zext(64, cx.read(0)));
    else cx.write(0, cx.b.trunc(width, cx.b.get(register)));
  };

/** Reads one byte, for the fault. */
const flush: LiftFunction = (cx) => {
  cx.b.load(8, cx.address());
};

const rows = (names: string, lift: LiftFunction): LiftTable =>
  Object.fromEntries(names.split(' ').map((name) => [name, lift]));

export const systemRows: LiftTable = {
  ...rows(
    'nop endbr64 endbr32 prefetch prefetchnta prefetcht0 prefetcht1 prefetcht2 prefetchw prefetchwt1 cldemote',
    nop,
  ),
  // not a fault: whoever runs tasks may give another one its turn
  pause: trap('pause'),
  // shadow stacks are off, where these are hints
  ...rows('rdsspd rdsspq', nop),
  ...rows('mfence lfence sfence', fence),
  ...rows('clflush clflushopt clwb', flush),
  clc: assign('CF', 0),
  stc: assign('CF', 1),
  cmc,
  cld: assign('DF', 0),
  std: assign('DF', 1),
  lahf,
  sahf,
  cpuid,
  rdtsc,
  rdtscp,
  xgetbv: { needs: 'xsave', lift: xgetbv, otherwise: trap('illegal') },
  syscall,
  int,
  int3: trap('breakpoint'),
  int1: trap('debug'),
  ...rows('ud0 ud1 ud2 into sysenter monitor mwait', trap('illegal')),
  ...rows('cli sti in out insb insw insd outsb outsw outsd hlt', trap('general')),
  ...rows(
    'lgdt lidt lldt ltr lmsw clts invlpg invd wbinvd rdmsr wrmsr rdpmc swapgs sysretq sysret sysexit sysexitq xsetbv invpcid',
    trap('general'),
  ),
  rdfsbase: { needs: 'fsgsbase', lift: segmentBase(REG['fsbase'], false), otherwise: trap('illegal') },
  rdgsbase: { needs: 'fsgsbase', lift: segmentBase(REG['gsbase'], false), otherwise: trap('illegal') },
  wrfsbase: { needs: 'fsgsbase', lift: segmentBase(REG['fsbase'], true), otherwise: trap('illegal') },
  wrgsbase: { needs: 'fsgsbase', lift: segmentBase(REG['gsbase'], true), otherwise: trap('illegal') },
};
