// What all x87 instructions share: pending exceptions, stack faults, and how an operation's exceptions and result get
// back into the registers (Intel SDM vol. 1, 8.5, 8.7).
import { GuestFault } from './fault.ts';
import { decode, F80, FloatContext, FX, type Num } from './softfloat.ts';
import { INDEFINITE, SW, type X87State } from './x87-state.ts';

/** Where an x87 instruction finds its registers. */
export interface X87Owner {
  readonly x87: X87State;
}

/** Waiting instructions first report what an earlier one left pending. */
export function wait(state: X87State): void {
  if (state.sw & SW.ES) throw new GuestFault('float');
}

export function x87Context(state: X87State): FloatContext {
  const context = new FloatContext();
  context.rounding = (state.cw >> 10) & 3;
  context.masks = state.cw & 0x3f;
  context.nanRule = 'x87';
  return context;
}

const PRE = FX.IE | FX.DE | FX.ZE;

/**
 * Books the exceptions of an operation, C1 with them. True when its result is to be delivered: unmasked exceptions on
 * operands keep registers as they are; the others deliver and are reported by the next waiting instruction.
 */
export function book(state: X87State, context: FloatContext): boolean {
  const pre = context.flags & PRE & ~context.masks;
  state.sw |= pre ? context.flags & PRE : context.flags;
  state.setC1(!pre && context.roundedUp && (context.flags & FX.PE) !== 0);
  state.summarize();
  return pre === 0;
}

/** Whether an unmasked exception keeps a result from memory: any but the precision exception. */
export const storeStopped = (context: FloatContext): boolean =>
  (context.flags & ~context.masks & ~FX.PE & 0x3f) !== 0;

/** Books the exceptions that stop a store; inexactness is not among them yet. */
export function bookStopped(state: X87State, context: FloatContext): void {
  state.sw |= context.flags & ~FX.PE;
  state.setC1(false);
  state.summarize();
}

/** A stack fault. True when the invalid operation is masked, so that the instruction goes on with the indefinite. */
export function stackFault(state: X87State, kind: 'overflow' | 'underflow'): boolean {
  state.sw |= FX.IE | SW.SF;
  state.setC1(kind === 'overflow');
  state.summarize();
  return (state.cw & FX.IE) !== 0;
}

/** True when all of these registers hold something; else the stack underflow is booked and `onMasked` runs if masked. */
export function present(state: X87State, indices: readonly number[], onMasked: () => void): boolean {
  if (!indices.some((i) => state.empty(i))) return true;
  if (stackFault(state, 'underflow')) onMasked();
  return false;
}

/** Room for a push. When there is none, the fault is booked and, if masked, the indefinite is pushed instead. */
export function room(state: X87State): boolean {
  if (state.empty(7)) return true;
  if (stackFault(state, 'overflow')) state.push(INDEFINITE);
  return false;
}

/** ST(0) = f(ST(0)). */
export function unary(state: X87State, f: (a: Num, context: FloatContext) => bigint): void {
  wait(state);
  if (!present(state, [0], () => state.setSt(0, INDEFINITE))) return;
  const context = x87Context(state);
  const result = f(decode(F80, state.st(0)), context);
  if (book(state, context)) state.setSt(0, result);
}
