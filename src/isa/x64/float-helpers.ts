// Names and effects of the floating-point, MMX and vector helpers (see ../helpers.ts).

/** One row a helper: name and what it does besides computing its result. */
export const FLOAT_HELPERS: readonly {
  readonly name: string;
  readonly effect: 'pure' | 'state' | 'vector' | 'memory';
}[] = [];
