// Faults as they travel inside the machine room. Engines turn them into values; they never leave a `run`.

export type Fault =
  | 'page'
  | 'bus'
  | 'memory'
  | 'divide'
  | 'illegal'
  | 'breakpoint'
  | 'debug'
  | 'overflow'
  | 'general'
  | 'float'
  | 'align';

/** A processor exception other than a page fault, raised inside an instruction. */
export class GuestFault extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault);
    this.fault = fault;
  }
}
