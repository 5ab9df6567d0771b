// The policy file's JSON Schema (draft 2020-12). schema/policy.schema.json is this, published; a test compares them.
import { OPS } from '../effect/index.ts';
import { ALLOWANCES, POLICY_FORMAT } from './policy.ts';

const index = { type: 'integer', minimum: 0 } as const;
const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;
const pattern = {
  type: 'string',
  description: 'resource pattern: \\ escapes, * ** [0-9]+ [0-9a-f]+ [0-9A-Za-z]+',
} as const;
const digest = { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' } as const;

export function object(
  properties: Readonly<Record<string, unknown>>,
  optional: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  };
}

const absolutePath = { type: 'string', pattern: '^/' } as const;

const endpoint = object({ address: pattern, port: pattern });
const resource = {
  oneOf: [
    object({ kind: { const: 'none' } }),
    object(
      { kind: { const: 'file' }, type: { enum: ['f', 'd', 'u', 'p', '?'] }, path: pattern, to: pattern },
      ['to'],
    ),
    object({
      kind: { const: 'net' },
      protocol: { enum: ['tcp', 'udp', 'icmp', 'raw'] },
      local: endpoint,
      peer: endpoint,
    }),
    object({ kind: { const: 'program' }, path: pattern, args: { type: 'array', items: pattern } }),
    object({ kind: { const: 'task' }, what: pattern }),
    object({ kind: { const: 'id' }, value: pattern }),
  ],
} as const;

/** An effect of patterns. */
export const EFFECT_SCHEMA = object({
  op: { enum: OPS },
  resource,
  access: { type: 'string', pattern: '^r?w?c?t?a?x?$' },
});

const line = {
  type: 'string',
  minLength: 1,
  pattern: '^[^\\u0000-\\u001f\\u007f]*\\S[^\\u0000-\\u001f\\u007f]*$',
} as const;
const time = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$',
  description: 'ISO 8601, UTC',
} as const;

/** Properties of an amendment, in the order in which they are written. */
export const AMENDMENT_PROPERTIES = {
  name: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' },
  image: { ...pattern, description: 'pattern on the repository, docker.io/library/nginx, without tag' },
  program: { ...pattern, description: 'pattern on the path of the program that does it' },
  automaton: { ...text, description: 'what its task follows in the policy; empty: any, or nothing' },
  allows: { enum: ALLOWANCES },
  effect: EFFECT_SCHEMA,
  why: line,
  by: line,
  created: time,
  expires: time,
  finding: object({ id: text, kind: text, time: text }),
} as const;
export const AMENDMENT_ITEM = object(AMENDMENT_PROPERTIES, ['expires', 'finding']);

/** Properties of the top level, in the order in which they are written. */
export const POLICY_PROPERTIES = {
  format: { const: POLICY_FORMAT },
  version: text,
  image: object({
    names: texts,
    configDigest: digest,
    manifestDigest: digest,
    platform: text,
    entrypoint: texts,
    cmd: texts,
    user: text,
    workingDir: text,
  }),
  deployment: object({ name: text, container: text, program: text }),
  options: {
    type: 'object',
    additionalProperties: { type: ['string', 'number', 'boolean', 'array'], items: text },
  },
  complete: { type: 'boolean' },
  incomplete: text,
  coverage: object({
    boots: index,
    scenarios: index,
    instructions: index,
    effects: index,
    listeners: texts,
  }),
  syscalls: object({ boot: texts, serve: texts }),
  links: {
    type: 'object',
    description:
      'symbolic links on the way to what the policy names, one step each: path of the link to path',
    propertyNames: absolutePath,
    additionalProperties: absolutePath,
  },
  programs: { type: 'array', items: object({ path: text, sha256: text, buildId: text }) },
  frames: {
    type: 'array',
    items: object({ program: { type: 'integer', minimum: -1 }, offset: index, symbol: text }),
  },
  stacks: { type: 'array', items: { type: 'array', items: index } },
  root: index,
  entries: { type: 'array', items: object({ reason: text, automaton: index }) },
  automata: {
    type: 'array',
    minItems: 1,
    items: object({
      name: text,
      program: index,
      args: { type: 'array', items: pattern },
      initial: index,
      states: {
        type: 'array',
        minItems: 1,
        items: object({ phase: { enum: ['boot', 'serve'] }, label: text }),
      },
      edges: {
        type: 'array',
        items: object(
          {
            from: index,
            to: index,
            effect: EFFECT_SCHEMA,
            succeeds: { type: 'boolean' },
            errors: { type: 'array', items: index },
            provenance: { enum: ['executed', 'explored', 'inferred'] },
            stack: index,
            syscall: text,
            child: index,
            automaton: index,
          },
          ['effect', 'succeeds', 'errors', 'stack', 'syscall', 'child', 'automaton'],
        ),
      },
    }),
  },
  cuts: {
    type: 'array',
    items: object({ kind: text, what: text, consequence: text, program: text, at: text, count: index }),
  },
  amendments: { type: 'array', items: AMENDMENT_ITEM },
} as const;

export const POLICY_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Effigy policy: the effect graph of one container image',
  ...object(POLICY_PROPERTIES, ['links', 'deployment', 'entries', 'amendments']),
} as const;
