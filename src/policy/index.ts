// policy: the effect graph as a file: format, validation, reading, writing; amendments to it. Floor 2.
export {
  AMENDMENT_FORMAT,
  AMENDMENT_SCHEMA,
  readAmendments,
  writeAmendments,
} from './amendment.ts';
export { covers, type Deed, endOf, isForImage, type Standing, standingOf } from './covers.ts';
export { MAX_POLICY_LENGTH, readPolicy, writePolicy } from './file.ts';
export { includes } from './includes.ts';
export * from './policy.ts';
export { POLICY_SCHEMA } from './schema.ts';
export { type Check, checkerOf } from './validate.ts';
