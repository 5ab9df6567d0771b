// The functions behind the floating-point, MMX and vector helpers of isa.
import type { Helper } from './helpers.ts';

export const floatHelpers: Readonly<Record<string, Helper>> = {};
