// Lifting of SSE and SSE2.
import type { LiftTable } from './context.ts';

export const sseRows: LiftTable = {};
