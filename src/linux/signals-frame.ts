// The frame that a signal handler starts with, and the way back (rt_sigreturn). Layout of x86-64 Linux
// (arch/x86/include/uapi/asm/sigcontext.h, asm-generic/ucontext.h):
//
//   frame +0    return address (the action's restorer)
//         +8    ucontext: uc_flags u64, uc_link u64, uc_stack {sp u64, flags i32, pad, size u64},
//               sigcontext 256 bytes: r8..r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags u64 each, cs gs fs ss u16,
//               err trapno oldmask cr2 fpstate u64, 8 reserved; uc_sigmask u64
//         +312  siginfo 128 bytes
//   above, 64-byte aligned: FXSAVE image 512 bytes; where the upper halves of YMM registers are in use, an XSAVE image:
//         +464 in it what says so: magic u32, size u32 with the second magic, components u64, size u32
//         +512 header: components u64, 56 bytes   +576 upper halves 256 bytes   +832 second magic u32

import type { AddressSpace, Registers } from '../machine/index.ts';
import { SA, SIGINFO_SIZE, SS } from './abi-signal.ts';
import type { Kernel } from './kernel.ts';
import { setMask } from './signals.ts';
import type { PendingSignal, SignalAction, Task } from './task.ts';

const UCONTEXT = 8;
const STACK = UCONTEXT + 16;
const CONTEXT = UCONTEXT + 40;
const MASK = CONTEXT + 256;
const INFO = MASK + 8;
const FRAME_SIZE = INFO + SIGINFO_SIZE;
const FXSAVE_SIZE = 512;
/** FP_XSTATE_MAGIC1 and 2, and where the parts of the XSAVE image are. */
const MAGIC1 = 0x46505853;
const MAGIC2 = 0x46505845;
const SOFTWARE = 464;
const HEADER = 512;
const UPPER = 576;
const XSAVE_SIZE = 832;
const COMPONENTS = 7n;
const RED_ZONE = 128;
/** UC_FP_XSTATE */
const UC_XSTATE = 1n;
/** UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
const UC_FLAGS = 6n;
/** Register numbers in the order of sigcontext: r8..r15 rdi rsi rbp rbx rdx rax rcx rsp. */
const CONTEXT_ORDER = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4] as const;
const RIP = 128;
const EFLAGS = 136;
const SEGMENTS = 144;
const TRAPNO = 160;
const CR2 = 176;
const FPSTATE = 184;
/** cs 0x33, gs 0, fs 0, ss 0x2b */
const SEGMENT_WORD = 0x002b_0000_0000_0033n;
/** CF PF AF ZF SF TF DF OF NT RF AC ID: what a signal handler may change for the code it returns to. */
const RESTORABLE_FLAGS = 0x0025_4dd5n;

export function onAltStack(task: Task, sp: number): boolean {
  const { altStack } = task;
  return altStack.size > 0 && sp > altStack.sp && sp - altStack.sp <= altStack.size;
}

/** Builds the frame and points the registers at the handler. Throws MemoryFault where the stack can't take it. */
export function pushFrame(
  task: Task,
  action: SignalAction,
  pending: PendingSignal,
  mask: bigint,
  fault: { readonly trap: number; readonly address: number } | undefined,
): void {
  const { registers } = task;
  const { space } = task.process;
  const sp = Number(registers.gpr[4]);
  const switches = (action.flags & SA.ONSTACK) !== 0n && task.altStack.size > 0 && !onAltStack(task, sp);
  const top = switches ? task.altStack.sp + task.altStack.size : sp - RED_ZONE;
  const image = floatImage(registers);
  const fxsave = Math.floor((top - image.length) / 64) * 64;
  const frame = Math.floor((fxsave - FRAME_SIZE) / 16) * 16 - 8;
  const bytes = new Uint8Array(FRAME_SIZE);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: bigint): void => view.setBigUint64(at, BigInt.asUintN(64, value), true);
  u64(0, BigInt(action.restorer));
  u64(UCONTEXT, image.length > FXSAVE_SIZE ? UC_FLAGS | UC_XSTATE : UC_FLAGS);
  u64(STACK, BigInt(task.altStack.sp));
  view.setInt32(
    STACK + 8,
    task.altStack.size === 0 ? SS.DISABLE : onAltStack(task, sp) ? SS.ONSTACK : task.altStack.flags,
    true,
  );
  u64(STACK + 16, BigInt(task.altStack.size));
  CONTEXT_ORDER.forEach((register, i) => {
    u64(CONTEXT + 8 * i, registers.gpr[register]);
  });
  u64(CONTEXT + RIP, BigInt(registers.rip));
  u64(CONTEXT + EFLAGS, registers.rflags);
  u64(CONTEXT + SEGMENTS, SEGMENT_WORD);
  u64(CONTEXT + TRAPNO, BigInt(fault?.trap ?? 0));
  u64(CONTEXT + CR2, BigInt(fault?.address ?? 0));
  u64(CONTEXT + FPSTATE, BigInt(fxsave));
  u64(MASK, mask);
  bytes.set(pending.info, INFO);
  space.write(fxsave, image);
  space.write(frame, bytes);
  if (switches && (task.altStack.flags & SS.AUTODISARM) !== 0)
    task.altStack = { sp: 0, flags: SS.DISABLE, size: 0 };
  enterHandler(task, action, pending.signal, frame);
}

/** What the frame keeps of floating-point and vector registers. */
function floatImage(registers: Registers): Uint8Array {
  const legacy = registers.fxsave();
  if (registers.ymmHigh.every((word) => word === 0n)) return legacy;
  const image = new Uint8Array(XSAVE_SIZE + 4);
  const view = new DataView(image.buffer);
  image.set(legacy);
  view.setUint32(SOFTWARE, MAGIC1, true);
  view.setUint32(SOFTWARE + 4, image.length, true);
  view.setBigUint64(SOFTWARE + 8, COMPONENTS, true);
  view.setUint32(SOFTWARE + 16, XSAVE_SIZE, true);
  view.setBigUint64(HEADER, COMPONENTS, true);
  registers.ymmHigh.forEach((word, i) => {
    view.setBigUint64(UPPER + 8 * i, word, true);
  });
  view.setUint32(XSAVE_SIZE, MAGIC2, true);
  return image;
}

/** The upper halves that a frame's image has, 32 words; undefined where it is an FXSAVE image only. */
function upperHalves(space: AddressSpace, address: number, legacy: Uint8Array): BigUint64Array | undefined {
  const software = new DataView(legacy.buffer, legacy.byteOffset + SOFTWARE);
  if (software.getUint32(0, true) !== MAGIC1 || software.getUint32(16, true) !== XSAVE_SIZE) return undefined;
  const bytes = space.read(address, XSAVE_SIZE + 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(XSAVE_SIZE, true) !== MAGIC2) return undefined;
  if ((view.getBigUint64(HEADER, true) & 4n) === 0n) return undefined;
  return BigUint64Array.from({ length: 32 }, (_, i) => view.getBigUint64(UPPER + 8 * i, true));
}

function enterHandler(task: Task, action: SignalAction, signal: number, frame: number): void {
  const { registers } = task;
  registers.gpr[7] = BigInt(signal);
  registers.gpr[6] = BigInt(frame + INFO);
  registers.gpr[2] = BigInt(frame + UCONTEXT);
  registers.gpr[0] = 0n;
  registers.gpr[4] = BigInt(frame);
  registers.rip = action.handler;
  registers.rflags &= ~0x1_0500n; // DF, TF, RF
}

/** rt_sigreturn: registers, mask and alternate stack from the frame under rsp. Throws MemoryFault on a bad stack. */
export function popFrame(_kernel: Kernel, task: Task): void {
  const { registers } = task;
  const { space } = task.process;
  const frame = Number(registers.gpr[4]) - 8;
  const bytes = space.read(frame, FRAME_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const u64 = (at: number): bigint => view.getBigUint64(at, true);
  const fxsave = Number(u64(CONTEXT + FPSTATE));
  const image = fxsave === 0 ? undefined : space.read(fxsave, FXSAVE_SIZE);
  const upper = image === undefined ? undefined : upperHalves(space, fxsave, image);
  CONTEXT_ORDER.forEach((register, i) => {
    registers.gpr[register] = u64(CONTEXT + 8 * i);
  });
  registers.rip = Number(u64(CONTEXT + RIP));
  registers.rflags = (registers.rflags & ~RESTORABLE_FLAGS) | (u64(CONTEXT + EFLAGS) & RESTORABLE_FLAGS);
  if (image !== undefined) registers.fxrstor(image);
  if (upper === undefined) registers.ymmHigh.fill(0n);
  else registers.ymmHigh.set(upper);
  setMask(task, u64(MASK));
  task.savedMask = undefined;
  const flags = view.getInt32(STACK + 8, true);
  if (!onAltStack(task, Number(registers.gpr[4]))) {
    const size = (flags & SS.DISABLE) !== 0 ? 0 : Number(u64(STACK + 16));
    task.altStack = {
      sp: size === 0 ? 0 : Number(u64(STACK)),
      flags: size === 0 ? SS.DISABLE : flags & SS.AUTODISARM,
      size,
    };
  }
}
