// Lifting of SSE and SSE2 with their MMX forms, of MMX itself, and of the extensions up to SSE4.2.
import type { LiftTable } from './context.ts';
import { sseExtendedRows } from './sse-extended.ts';
import { sseFloatRows } from './sse-float.ts';
import { sseMoveRows } from './sse-move.ts';
import { ssePackedRows } from './sse-packed.ts';

export const sseRows: LiftTable = { ...sseMoveRows, ...ssePackedRows, ...sseFloatRows, ...sseExtendedRows };
