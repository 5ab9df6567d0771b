// Lifting of x87 and MMX.
import type { LiftTable } from './context.ts';

export const x87Rows: LiftTable = {};
