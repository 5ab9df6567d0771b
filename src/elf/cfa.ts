// Call frame information programs (DWARF 5 section 6.4.2): from a CIE's and an FDE's operations to the row of rules
// that holds at one address.
import { ByteReader, InputError } from '../bytes/index.ts';
import { encoded, sleb, uleb } from './leb.ts';

export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly code: Uint8Array };

/** Where the caller's value of a register is. Offsets are from the CFA. Registers without a rule are unchanged. */
export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'value-offset'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'expression'; readonly code: Uint8Array }
  | { readonly kind: 'value-expression'; readonly code: Uint8Array };

/** DWARF register numbers of x86-64: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp 8..15 r8..r15, 16 return address. */
export interface UnwindRow {
  readonly cfa: CfaRule;
  readonly registers: ReadonlyMap<number, RegisterRule>;
  readonly returnRegister: number;
  /** The frame of a signal trampoline: its return address is exact, not after a call. */
  readonly signalFrame: boolean;
}

export interface Cie {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnRegister: number;
  readonly encoding: number;
  readonly augmented: boolean;
  readonly signalFrame: boolean;
  readonly program: Uint8Array;
}

export interface Fde {
  readonly cie: Cie;
  readonly start: number;
  readonly end: number;
  readonly program: Uint8Array;
}

interface Rules {
  cfa: CfaRule;
  registers: Map<number, RegisterRule>;
}

/** Nested DW_CFA_remember_state at most. */
const DEPTH_LIMIT = 64;

/** A program while it runs. */
interface Run {
  readonly r: ByteReader;
  readonly cie: Cie;
  readonly rules: Rules;
  /** What the CIE set up: DW_CFA_restore goes back to it. */
  readonly initial: Rules;
  readonly saved: Rules[];
  /** Address from which the rules hold. */
  location: number;
}

/** Runs the CIE's and the FDE's programs up to the row that covers `vaddr`. */
export function rowAt(fde: Fde, vaddr: number, name: string): UnwindRow {
  const { cie } = fde;
  const initial: Rules = { cfa: { kind: 'register', register: 7, offset: 8 }, registers: new Map() };
  execute(
    {
      r: new ByteReader(cie.program, `${name} CIE`),
      cie,
      rules: initial,
      initial,
      saved: [],
      location: fde.start,
    },
    Number.POSITIVE_INFINITY,
  );
  const rules: Rules = { cfa: initial.cfa, registers: new Map(initial.registers) };
  execute(
    { r: new ByteReader(fde.program, `${name} FDE`), cie, rules, initial, saved: [], location: fde.start },
    vaddr,
  );
  return {
    cfa: rules.cfa,
    registers: rules.registers,
    returnRegister: cie.returnRegister,
    signalFrame: cie.signalFrame,
  };
}

/** Stops before the first row that starts after `vaddr`. */
function execute(run: Run, vaddr: number): void {
  const { r, cie } = run;
  while (r.remaining > 0 && run.location <= vaddr) {
    const op = r.u8();
    const low = op & 0x3f;
    if (op >= 0xc0) restore(run, low);
    else if (op >= 0x80) setOffset(run, low, uleb(r));
    else if (op >= 0x40) run.location += low * cie.codeAlign;
    else {
      const operation = OPERATIONS[op];
      if (operation === undefined) throw new InputError(`unknown unwind operation ${op}`, r.name);
      operation(run);
    }
  }
}

function restore({ rules, initial }: Run, register: number): void {
  const rule = initial.registers.get(register);
  if (rule === undefined) rules.registers.delete(register);
  else rules.registers.set(register, rule);
}

function setOffset({ rules, cie }: Run, register: number, offset: number): void {
  rules.registers.set(register, { kind: 'offset', offset: offset * cie.dataAlign });
}

function setCfa({ rules }: Run, register: number, offset: number): void {
  rules.cfa = { kind: 'register', register, offset };
}

const cfaRegister = ({ rules }: Run): number => (rules.cfa.kind === 'register' ? rules.cfa.register : 7);
const cfaOffset = ({ rules }: Run): number => (rules.cfa.kind === 'register' ? rules.cfa.offset : 0);

function remember({ r, rules, saved }: Run): void {
  if (saved.length >= DEPTH_LIMIT) throw new InputError('states nest too deep', r.name);
  saved.push({ cfa: rules.cfa, registers: new Map(rules.registers) });
}

function recall({ r, rules, saved }: Run): void {
  const back = saved.pop();
  if (back === undefined) throw new InputError('no state to restore', r.name);
  rules.cfa = back.cfa;
  rules.registers = back.registers;
}

/** By DW_CFA number; operands are read in the order in which they are written here. */
const OPERATIONS: Readonly<Record<number, (run: Run) => void>> = {
  0: () => {}, // nop
  1: (run) => void (run.location = encoded(run.r, run.cie.encoding)), // set_loc
  2: (run) => void (run.location += run.r.u8() * run.cie.codeAlign), // advance_loc1, 2, 4
  3: (run) => void (run.location += run.r.u16() * run.cie.codeAlign),
  4: (run) => void (run.location += run.r.u32() * run.cie.codeAlign),
  5: (run) => setOffset(run, uleb(run.r), uleb(run.r)), // offset_extended
  6: (run) => restore(run, uleb(run.r)), // restore_extended
  7: ({ r, rules }) => void rules.registers.set(uleb(r), { kind: 'undefined' }),
  8: ({ r, rules }) => void rules.registers.delete(uleb(r)), // same_value
  9: ({ r, rules }) => void rules.registers.set(uleb(r), { kind: 'register', register: uleb(r) }),
  10: remember,
  11: recall,
  12: (run) => setCfa(run, uleb(run.r), uleb(run.r)), // def_cfa
  13: (run) => setCfa(run, uleb(run.r), cfaOffset(run)), // def_cfa_register
  14: (run) => setCfa(run, cfaRegister(run), uleb(run.r)), // def_cfa_offset
  15: ({ r, rules }) => void (rules.cfa = { kind: 'expression', code: r.slice(uleb(r)) }),
  16: ({ r, rules }) => void rules.registers.set(uleb(r), { kind: 'expression', code: r.slice(uleb(r)) }),
  17: (run) => setOffset(run, uleb(run.r), sleb(run.r)), // offset_extended_sf
  18: (run) => setCfa(run, uleb(run.r), sleb(run.r) * run.cie.dataAlign), // def_cfa_sf
  19: (run) => setCfa(run, cfaRegister(run), sleb(run.r) * run.cie.dataAlign), // def_cfa_offset_sf
  20: ({ r, rules, cie }) =>
    void rules.registers.set(uleb(r), { kind: 'value-offset', offset: uleb(r) * cie.dataAlign }),
  21: ({ r, rules, cie }) =>
    void rules.registers.set(uleb(r), { kind: 'value-offset', offset: sleb(r) * cie.dataAlign }),
  22: ({ r, rules }) =>
    void rules.registers.set(uleb(r), { kind: 'value-expression', code: r.slice(uleb(r)) }),
  46: ({ r }) => void uleb(r), // GNU_args_size
  47: (run) => setOffset(run, uleb(run.r), -uleb(run.r)), // GNU_negative_offset_extended
};
