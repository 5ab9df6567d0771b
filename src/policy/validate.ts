// JSON Schema validation, the one user of ajv.
import { type ErrorObject, Ajv2020 as Validator } from 'ajv/dist/2020.js';

/** Checks a value; undefined where it fits, else what is wrong first, as one phrase. */
export type Check = (value: unknown) => string | undefined;

/** Compiles when first asked: most runs of the program never read such a file. */
export function checkerOf(schema: object): Check {
  let validate: ReturnType<Validator['compile']> | undefined;
  return (value) => {
    validate ??= new Validator({ allErrors: false, strict: false }).compile(schema);
    return validate(value) ? undefined : describe(validate.errors?.[0]);
  };
}

function describe(error: ErrorObject | undefined): string {
  if (error === undefined) return 'does not fit the schema';
  const detail =
    error.keyword === 'additionalProperties' ? ` (${String(error.params['additionalProperty'])})` : '';
  return `${error.instancePath === '' ? 'the top level' : error.instancePath} ${error.message ?? 'is wrong'}${detail}`;
}
