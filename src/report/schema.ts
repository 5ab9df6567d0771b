// The schema of our JSON lines (draft 2020-12). schema/finding.schema.json is this, published; a test compares them.
// New members may come with new versions; members that are there stay what they are.
import { OPS } from '../effect/index.ts';
import { FINDING_KINDS, SEVERITIES } from '../monitor/index.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;
const number = { type: 'integer' } as const;
const nanoseconds = {
  type: 'string',
  pattern: '^-?\\d+$',
  description: 'epoch nanoseconds, decimal',
} as const;

const object = (properties: Schema, optional: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const effect = object({
  op: { enum: OPS },
  access: { type: 'string', pattern: '^r?w?c?t?a?x?$' },
  resource: { ...text, description: 'for people' },
});

const endpoint = object({ address: text, port: text });
const resource = {
  oneOf: [
    object({ kind: { const: 'none' } }),
    object({ kind: { const: 'file' }, type: { enum: ['f', 'd', 'u', 'p', '?'] }, path: text, to: text }, [
      'to',
    ]),
    object({
      kind: { const: 'net' },
      protocol: { enum: ['tcp', 'udp', 'icmp', 'raw'] },
      local: endpoint,
      peer: endpoint,
    }),
    object({ kind: { const: 'program' }, path: text, args: texts }),
    object({ kind: { const: 'task' }, what: text }),
    object({ kind: { const: 'id' }, value: text }),
  ],
} as const;

const process = object({
  pid: number,
  exe: text,
  args: { ...text, description: 'arguments after argv[0], joined by spaces' },
  uid: { ...number, description: '-1: not told' },
  gid: { ...number, description: '-1: not told' },
  user: text,
  group: text,
  tty: { type: 'boolean' },
  cwd: text,
  entry: { type: 'boolean', description: 'first process of its container' },
  created: nanoseconds,
});

export const FINDING_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Effigy finding: one line of `effigy monitor --output json`',
  ...object(
    {
      id: { ...text, description: 'unique within a run' },
      time: nanoseconds,
      kind: { enum: FINDING_KINDS },
      severity: { enum: SEVERITIES },
      container: { ...text, description: 'id' },
      containerName: text,
      image: text,
      imageId: text,
      privileged: { type: 'boolean' },
      pid: number,
      tid: number,
      exe: text,
      args: text,
      effect,
      policy: { ...text, description: 'name of its file' },
      automata: { ...texts, description: 'what the task followed in the policy' },
      why: { ...text, description: 'one sentence' },
      expected: {
        type: 'array',
        description: 'what the policy has there, nearest first',
        items: object({
          effect,
          automaton: text,
          program: text,
          at: { ...text, description: 'where in the code it would come from' },
          phase: { enum: ['boot', 'serve'] },
          provenance: { enum: ['executed', 'explored', 'inferred'] },
        }),
      },
      incident: { ...text, description: 'findings with the same one follow from one cause' },
      count: number,
      target: { ...resource, description: 'what the effect was on' },
      process,
      ancestors: { type: 'array', items: process, description: 'within the container, parent first' },
      technique: {
        ...object({ id: { type: 'string', pattern: '^T\\d{4}(\\.\\d{3})?$' }, name: text }),
        description: 'MITRE ATT&CK',
      },
    },
    ['technique'],
  ),
} as const;
