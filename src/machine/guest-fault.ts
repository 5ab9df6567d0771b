// How a helper function or a floating-point operation tells its engine that the instruction faults.

/** Thrown inside an engine only; the engine turns it into a fault stop at the current instruction. */
export class GuestFault extends Error {
  readonly fault: 'general' | 'float' | 'illegal';

  constructor(fault: 'general' | 'float' | 'illegal') {
    super(`guest fault: ${fault}`);
    this.fault = fault;
  }
}
