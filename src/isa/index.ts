// isa: decoding, printing, IR types, lifting of x86-64. Floor 1.
export * from './ir.ts';
