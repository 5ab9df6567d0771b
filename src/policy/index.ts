// policy: the effect graph as a file: format, validation, reading, writing. Floor 2.
export * from './policy.ts';
