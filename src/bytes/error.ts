// Errors that a user can act on. Everything else that is thrown is a bug of ours.

/** Bad input: says what is wrong, where (file, offset, field), and what to do. Printed as one line, exit 2. */
export class InputError extends Error {
  readonly what: string;
  readonly where: string;
  readonly advice: string;

  constructor(what: string, where: string, advice = '') {
    super(`${where}: ${what}${advice === '' ? '' : `; ${advice}`}`);
    this.name = 'InputError';
    this.what = what;
    this.where = where;
    this.advice = advice;
  }
}

/** Fails with a bug report's message when one of our own invariants does not hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`);
}

/** For the default of an exhaustive switch: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new Error(`internal error: unexpected ${JSON.stringify(value)}`);
}
