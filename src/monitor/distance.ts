// How far an effect is from anything that the policy has where it happened: a near miss (the next number in a file's
// name) is more likely the model's fault than something that the program never does.
import type { Effect, Resource } from '../effect/index.ts';
import type { EffectText, Expected } from './finding.ts';

/**
 * - near: the policy has the operation on something of the same kind, in the same place.
 * - far: it has the operation, on something else.
 * - none: the program never does it.
 */
export type Distance = 'near' | 'far' | 'none';

export function distanceOf(effect: Effect, expected: readonly Expected[]): Distance {
  const same = expected.filter((each) => each.effect.op === effect.op);
  if (same.length === 0) return 'none';
  return same.some((each) => near(effect, each.effect)) ? 'near' : 'far';
}

function near({ access, resource }: Effect, other: EffectText): boolean {
  const changes = /[wcta]/;
  if (changes.test(access) && !changes.test(other.access)) return false;
  return nearness[resource.kind](resource as never, other.resource);
}

/** On the text of a pattern: classes compare as the text that they are. */
const nearness: {
  readonly [K in Resource['kind']]: (resource: Extract<Resource, { kind: K }>, text: string) => boolean;
} = {
  none: () => true,
  task: () => true,
  // Another number is another user, another status.
  id: () => false,
  program: ({ path }, text) => text === path || text.startsWith(`${path} `),
  file: ({ path }, text) => {
    const [directory, name] = split(path);
    const [where, what] = split(text);
    return directory === where && (depth(directory) >= 3 || stem(name) === stem(what));
  },
  // Another address or port is another peer, however alike they look.
  net: () => false,
};

const depth = (directory: string): number => directory.split('/').length - 1;

function split(path: string): [directory: string, name: string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, at), path.slice(at + 1)];
}

/** A name without what is counted or drawn in it. */
const stem = (name: string): string =>
  name.replace(/\[0-9(?:a-f|A-Za-z)?\]\+|[0-9a-f]*\d[0-9a-f]*/g, '#').replace(/[*#]+/g, '#');
