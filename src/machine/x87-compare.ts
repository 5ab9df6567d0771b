// x87 comparisons: fcom, ficom, fucom and fcomi families, ftst, fxam (Intel SDM vol. 1, 8.3.6). Conditions go to C3, C2
// and C0, or to RFLAGS.
import { compare, decode, F80, isNaNKind, type Num } from './softfloat.ts';
import { memoryOperand, type OperandFormat } from './x87-arithmetic.ts';
import { book, stackFault, wait, x87Context } from './x87-core.ts';
import { SW, type X87State } from './x87-state.ts';

const UNORDERED = SW.C3 | SW.C2 | SW.C0;
const conditionsOf = (relation: -1 | 0 | 1 | undefined): number =>
  relation === undefined ? UNORDERED : relation === 0 ? SW.C3 : relation < 0 ? SW.C0 : 0;

function popMany(state: X87State, pops: number): void {
  for (let i = 0; i < pops; i++) state.pop();
}

/** FCOM and FUCOM with registers; `pops` registers go afterwards. */
export function compareRegisters(state: X87State, source: number, signaling: boolean, pops: number): void {
  wait(state);
  if (state.empty(0) || state.empty(source)) {
    const goOn = stackFault(state, 'underflow');
    state.setConditions(UNORDERED);
    if (goOn) popMany(state, pops);
    return;
  }
  compareTo(state, decode(F80, state.st(source)), signaling, pops);
}

/** FCOM and FICOM with memory. */
export function compareMemory(state: X87State, format: OperandFormat, bits: bigint, pops: number): void {
  wait(state);
  if (state.empty(0)) {
    const goOn = stackFault(state, 'underflow');
    state.setConditions(UNORDERED);
    if (goOn) popMany(state, pops);
    return;
  }
  compareTo(state, memoryOperand(format, bits), true, pops);
}

function compareTo(state: X87State, right: Num, signaling: boolean, pops: number): void {
  const context = x87Context(state);
  const relation = compare(decode(F80, state.st(0)), right, signaling, context);
  const deliver = book(state, context);
  state.setConditions(conditionsOf(relation));
  if (deliver) popMany(state, pops);
}

/** FCOMI and FUCOMI: the relation, for RFLAGS. C1 stays as it is (measured on AMD; Intel documents 0). */
export function compareToFlags(
  state: X87State,
  source: number,
  signaling: boolean,
  pops: number,
): -1 | 0 | 1 | undefined {
  wait(state);
  if (state.empty(0) || state.empty(source)) {
    if (stackFault(state, 'underflow')) popMany(state, pops);
    return undefined;
  }
  const context = x87Context(state);
  const relation = compare(decode(F80, state.st(0)), decode(F80, state.st(source)), signaling, context);
  const c1 = (state.sw & SW.C1) !== 0;
  if (book(state, context)) popMany(state, pops);
  state.setC1(c1);
  return relation;
}

export function ftst(state: X87State): void {
  compareMemory(state, 'i32', 0n, 0);
}

const SIGN = 1n << 79n;

/** C3, C2 and C0 name the class of ST(0), C1 its sign, an empty register's too. */
export function fxam(state: X87State): void {
  wait(state);
  const bits = state.st(0);
  state.setC1((bits & SIGN) !== 0n);
  const n = decode(F80, bits);
  if (state.empty(0)) state.setConditions(SW.C3 | SW.C0);
  else if (n.kind === 'unsupported') state.setConditions(0);
  else if (isNaNKind(n)) state.setConditions(SW.C0);
  else if (n.kind === 'infinite') state.setConditions(SW.C2 | SW.C0);
  else if (n.kind === 'zero') state.setConditions(SW.C3);
  else state.setConditions(n.denormal ? SW.C3 | SW.C2 : SW.C2);
}
