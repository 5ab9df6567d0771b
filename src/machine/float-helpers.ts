// The functions behind the floating-point, MMX and vector helpers of isa (FLOAT_HELPERS there has their operands).
import { X87_ARITHMETIC, X87_CONSTANTS, X87_OPERANDS, type X87_PLAIN, X87_STORES } from '../isa/index.ts';
import { toAddress } from './canonical.ts';
import { relationFlags } from './float.ts';
import { reciprocal, reciprocalRoot } from './float-approximate.ts';
import type { Helper } from './helpers.ts';
import type { RegisterFile } from './registers.ts';
import type { PagedSpace } from './space.ts';
import { extendedHelpers } from './vector-extended.ts';
import * as arithmetic from './x87-arithmetic.ts';
import * as compare from './x87-compare.ts';
import { wait } from './x87-core.ts';
import * as environment from './x87-environment.ts';
import * as functions from './x87-functions.ts';
import * as scale from './x87-scale.ts';
import { X87State } from './x87-state.ts';
import * as transfer from './x87-transfer.ts';

type StateFunction = (state: X87State, a: number, b: number, c: number, bits: readonly bigint[]) => unknown;

/**
 * A helper on the x87; operands come as numbers and, for those of more than 32 bits, as they are. A function without a
 * result yields 0.
 */
const onX87 =
  (f: StateFunction): Helper =>
  (cpu, _memory, a, b, c) => {
    const result = f(new X87State(cpu), Number(a), Number(b), Number(c), [a, b, c]);
    return typeof result === 'bigint' || typeof result === 'number' || typeof result === 'boolean'
      ? BigInt(result)
      : 0n;
  };

/** A helper that moves state between registers and memory. */
const onMemory =
  (
    f: (cpu: RegisterFile, memory: PagedSpace, address: number, operand: number) => void,
    waits = false,
  ): Helper =>
  (cpu, memory, address, operand) => {
    if (waits) wait(new X87State(cpu));
    f(cpu, memory, toAddress(address, 1), Number(operand));
    return 0n;
  };

/** The low 64 bits of a value, or what is above. */
const part = (value: bigint, which: number): bigint =>
  which === 0 ? value & ((1n << 64n) - 1n) : value >> 64n;

/** Every MMX instruction but EMMS: TOP 0, all registers valid. */
function enterMmx(state: X87State): void {
  state.top = 0;
  state.valid = 0xff;
}

/** MMX registers are the significands of the physical registers; sign and exponent become all ones. */
function setMmx(state: X87State, number: number, value: bigint): void {
  enterMmx(state);
  state.setRaw(number, (0xffffn << 64n) | value);
}

const mmxHelpers: Readonly<Record<string, Helper>> = {
  'mmx.get': onX87((state, number) => {
    wait(state);
    return part(state.raw(number), 0);
  }),
  'mmx.set': onX87((state, number, _b, _c, bits) => setMmx(state, number, bits[1])),
  'mmx.enter': onX87(enterMmx),
  'mmx.emms': onX87((state) => {
    wait(state);
    state.top = 0;
    state.valid = 0;
  }),
};

const transferHelpers: Readonly<Record<string, Helper>> = {
  'x87.load32': onX87((state, _a, _b, _c, bits) => transfer.loadFloat(state, 32, bits[0])),
  'x87.load64': onX87((state, _a, _b, _c, bits) => transfer.loadFloat(state, 64, bits[0])),
  'x87.load80': onX87((state, _a, _b, _c, bits) => transfer.loadExtended(state, (bits[1] << 64n) | bits[0])),
  'x87.load_integer': onX87((state, _a, _b, _c, bits) => transfer.loadInteger(state, bits[0])),
  'x87.load_decimal': onX87((state, _a, _b, _c, bits) =>
    transfer.loadDecimal(state, (bits[1] << 64n) | bits[0]),
  ),
  'x87.load_register': onX87(transfer.loadRegister),
  'x87.load_constant': onX87((state, index) => transfer.loadConstant(state, X87_CONSTANTS[index])),
  'x87.store': onX87((state, format, which) => part(transfer.storeValue(state, X87_STORES[format]), which)),
  'x87.store_prevented': onX87((state, format) => transfer.storePrevented(state, X87_STORES[format])),
  'x87.store_done': onX87((state, format, pop) => transfer.storeDone(state, X87_STORES[format], pop !== 0)),
  'x87.store80': onX87((state, which) => part(transfer.storeExtendedValue(state), which)),
  'x87.store80_prevented': onX87(transfer.storeExtendedPrevented),
  'x87.store80_done': onX87(transfer.storeExtendedDone),
  'x87.store_register': onX87((state, i, pop) => transfer.storeRegister(state, i, pop !== 0)),
  'x87.store_unchecked': onX87(transfer.storeUnchecked),
  'x87.exchange': onX87(transfer.exchange),
  'x87.move_if': onX87((state, condition, i) => transfer.moveIf(state, condition !== 0, i)),
};

const arithmeticHelpers: Readonly<Record<string, Helper>> = {
  'x87.arithmetic': onX87((state, op, registers, pop) =>
    arithmetic.arithmetic(state, X87_ARITHMETIC[op], registers & 7, registers >> 3, pop !== 0),
  ),
  'x87.arithmetic_memory': onX87((state, op, format, _c, bits) =>
    arithmetic.arithmeticMemory(state, X87_ARITHMETIC[op], X87_OPERANDS[format], bits[2]),
  ),
  'x87.compare': onX87((state, i, signaling, pops) =>
    compare.compareRegisters(state, i, signaling !== 0, pops),
  ),
  'x87.compare_memory': onX87((state, format, _b, pops, bits) =>
    compare.compareMemory(state, X87_OPERANDS[format], bits[1], pops),
  ),
  'x87.compare_flags': onX87((state, i, signaling, pops) =>
    relationFlags(compare.compareToFlags(state, i, signaling !== 0, pops)),
  ),
};

const controlHelpers: Readonly<Record<string, Helper>> = {
  'sse.rcp': (_cpu, _memory, a) => reciprocal(a),
  'sse.rsqrt': (_cpu, _memory, a) => reciprocalRoot(a),
  'sse.check_mxcsr': (_cpu, _memory, value) => {
    environment.checkMxcsr(Number(value));
    return 0n;
  },
  fxsave: onMemory(environment.fxsave),
  fxrstor: onMemory(environment.fxrstor),
  'x87.wait': onX87(wait),
  'x87.free': onX87((state, i, pop) => {
    wait(state);
    state.setC1(false);
    state.free(i);
    if (pop !== 0) state.pop();
  }),
  'x87.get_control': onX87((state) => state.cw),
  'x87.set_control': onX87((state, value) => {
    wait(state);
    state.setControl(value);
  }),
  'x87.get_status': onX87((state) => state.sw),
  'x87.save_environment': onMemory(environment.saveEnvironment),
  'x87.load_environment': onMemory(environment.loadEnvironment, true),
  'x87.save': onMemory(environment.save),
  'x87.restore': onMemory(environment.restore, true),
};

const rotate =
  (by: 1 | -1): ((state: X87State) => void) =>
  (state) => {
    wait(state);
    state.setC1(false);
    state.top = state.top + by;
  };

const plain: { readonly [K in (typeof X87_PLAIN)[number]]: (state: X87State) => void } = {
  fchs: arithmetic.fchs,
  fabs: arithmetic.fabs,
  ftst: compare.ftst,
  fxam: compare.fxam,
  fsqrt: arithmetic.fsqrt,
  frndint: arithmetic.frndint,
  fscale: scale.fscale,
  fxtract: scale.fxtract,
  fprem: (state) => scale.remainder(state, false),
  fprem1: (state) => scale.remainder(state, true),
  f2xm1: functions.f2xm1,
  fyl2x: functions.fyl2x,
  fyl2xp1: functions.fyl2xp1,
  fptan: functions.fptan,
  fpatan: functions.fpatan,
  fsin: functions.fsin,
  fcos: functions.fcos,
  fsincos: functions.fsincos,
  fincstp: rotate(1),
  fdecstp: rotate(-1),
  fnclex: environment.fnclex,
  fninit: (state) => state.reset(),
};

export const floatHelpers: Readonly<Record<string, Helper>> = {
  ...extendedHelpers,
  ...controlHelpers,
  ...mmxHelpers,
  ...transferHelpers,
  ...arithmeticHelpers,
  ...Object.fromEntries(Object.entries(plain).map(([name, f]) => [`x87.${name}`, onX87(f)])),
};
