// Reading and writing policy files. Reading validates everything: JSON, schema, then what a schema cannot say
// (indices, patterns, order), so that a policy that loads can be used without further checks.
import { InputError } from '../bytes/index.ts';
import { parsePattern, resourceTexts } from '../effect/index.ts';
import { checkAmendments } from './amendment.ts';
import { POLICY_FORMAT, type Policy, type PolicyAutomaton } from './policy.ts';
import { POLICY_PROPERTIES, POLICY_SCHEMA } from './schema.ts';
import { checkerOf } from './validate.ts';

/** Largest policy file that is read, in characters. */
export const MAX_POLICY_LENGTH = 512 * 1024 * 1024;

/** Text of a policy file: valid JSON, one line an item, the same bytes for the same policy. */
export function writePolicy(policy: Policy): string {
  const lines: string[] = ['{'];
  const names = (Object.keys(POLICY_PROPERTIES) as (keyof Policy)[]).filter(
    (name) =>
      policy[name] !== undefined &&
      (name !== 'amendments' || (policy.amendments ?? []).length > 0) &&
      (name !== 'links' || Object.keys(policy.links ?? {}).length > 0),
  );
  names.forEach((name, i) => {
    const end = i === names.length - 1 ? '' : ',';
    const value = policy[name];
    if (name === 'links') lines.push(`  "links": ${table(policy.links ?? {})}${end}`);
    else if (name === 'automata')
      lines.push(`  "automata": [\n${policy.automata.map(writeAutomaton).join(',\n')}\n  ]${end}`);
    else if (Array.isArray(value))
      lines.push(`  ${JSON.stringify(name)}: ${list(value, '    ', '  ')}${end}`);
    else lines.push(`  ${JSON.stringify(name)}: ${JSON.stringify(value)}${end}`);
  });
  lines.push('}', '');
  return lines.join('\n');
}

function list(items: readonly unknown[], indent: string, close: string): string {
  if (items.length === 0) return '[]';
  return `[\n${items.map((item) => indent + JSON.stringify(item)).join(',\n')}\n${close}]`;
}

/** One line a name, sorted. */
function table(entries: Readonly<Record<string, string>>): string {
  const lines = Object.keys(entries)
    .sort()
    .map((name) => `    ${JSON.stringify(name)}: ${JSON.stringify(entries[name])}`);
  return `{\n${lines.join(',\n')}\n  }`;
}

function writeAutomaton(automaton: PolicyAutomaton): string {
  const head = JSON.stringify({
    name: automaton.name,
    program: automaton.program,
    args: automaton.args,
    initial: automaton.initial,
  }).slice(0, -1);
  return `    ${head},\n     "states": ${list(automaton.states, '      ', '     ')},\n     "edges": ${list(automaton.edges, '      ', '     ')}}`;
}

const check = checkerOf(POLICY_SCHEMA);

/** A checked policy. `name` (the file's) is used in errors. */
export function readPolicy(content: string, name: string): Policy {
  if (content.length > MAX_POLICY_LENGTH)
    throw new InputError(
      'policy file is too large',
      name,
      `at most ${MAX_POLICY_LENGTH} characters are read`,
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (error) {
    throw new InputError(
      `not a policy: ${error instanceof Error ? error.message : 'not JSON'}`,
      name,
      'make one with: effigy model IMAGE -o FILE',
    );
  }
  const format =
    typeof parsed === 'object' && parsed !== null && 'format' in parsed ? parsed.format : undefined;
  if (typeof format === 'number' && format > POLICY_FORMAT) {
    throw new InputError(
      `policy format ${format} is newer than this program's ${POLICY_FORMAT}`,
      name,
      'use a newer effigy',
    );
  }
  const wrong = check(parsed);
  if (wrong !== undefined)
    throw new InputError(`not a policy: ${wrong}`, name, 'make one with: effigy model IMAGE -o FILE');
  const policy = parsed as unknown as Policy;
  checkAmendments(policy.amendments ?? [], name);
  checkReferences(policy, name);
  return policy;
}

function checkReferences(policy: Policy, name: string): void {
  const check = (value: number | undefined, length: number, what: string): void => {
    if (value !== undefined && value >= length)
      throw new InputError(`${what} refers to ${value} of ${length}`, name, 'the file is damaged');
  };
  check(policy.root, policy.automata.length, 'root');
  for (const entry of policy.entries ?? [])
    check(entry.automaton, policy.automata.length, `entry ${entry.reason}`);
  policy.frames.forEach((frame, i) => {
    check(frame.program, policy.programs.length, `frames/${i}/program`);
  });
  policy.stacks.forEach((stack, i) => {
    for (const frame of stack) check(frame, policy.frames.length, `stacks/${i}`);
  });
  policy.automata.forEach((automaton, a) => {
    const where = `automata/${a}`;
    check(automaton.program, policy.programs.length, `${where}/program`);
    check(automaton.initial, automaton.states.length, `${where}/initial`);
    for (const arg of automaton.args) checkPattern(arg, `${where}/args`, name);
    automaton.edges.forEach((edge, e) => {
      const at = `${where}/edges/${e}`;
      check(edge.from, automaton.states.length, `${at}/from`);
      check(edge.to, automaton.states.length, `${at}/to`);
      check(edge.child, automaton.states.length, `${at}/child`);
      check(edge.stack, policy.stacks.length, `${at}/stack`);
      check(edge.automaton, policy.automata.length, `${at}/automaton`);
      if (edge.effect !== undefined)
        for (const text of resourceTexts(edge.effect.resource)) checkPattern(text, at, name);
    });
  });
}

function checkPattern(text: string, at: string, name: string): void {
  if (parsePattern(text) === undefined)
    throw new InputError(
      `${at}: not a resource pattern: ${JSON.stringify(text)}`,
      name,
      'the file is damaged',
    );
}
