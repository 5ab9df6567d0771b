// Lifting of SSE and SSE2 with their MMX forms, and of MMX itself.
import type { LiftTable } from './context.ts';
import { sseFloatRows } from './sse-float.ts';
import { sseMoveRows } from './sse-move.ts';
import { ssePackedRows } from './sse-packed.ts';

export const sseRows: LiftTable = { ...sseMoveRows, ...ssePackedRows, ...sseFloatRows };
