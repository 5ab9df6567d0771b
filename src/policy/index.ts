// policy: the effect graph as a file: format, validation, reading, writing. Floor 2.
export { MAX_POLICY_LENGTH, readPolicy, writePolicy } from './file.ts';
export * from './policy.ts';
export { POLICY_SCHEMA } from './schema.ts';
