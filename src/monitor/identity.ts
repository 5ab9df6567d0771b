// Users and groups: a process record that names another one than before, and no SETUID or SETGID of the policy for it.
import type { Effect } from '../effect/index.ts';
import { Match, OP } from './compiled.ts';
import type { Core } from './core.ts';
import { nearest } from './explain.ts';
import { Origin } from './resources.ts';
import type { Moment, Process } from './tables.ts';
import { names } from './words.ts';

/** Ids below 0 are unknown ones. */
export function checkIdentity(
  core: Core,
  process: Process,
  op: 'SETUID' | 'SETGID',
  [before, after]: readonly [before: number, after: number],
  time: Moment,
): void {
  const policy = process.container?.policy;
  const segment = process.at(time);
  if (before < 0 || after < 0 || before === after) return;
  if (policy === undefined || segment?.kind !== 'watched') return;
  const effect: Effect = { op, resource: { kind: 'id', value: String(after) }, access: '' };
  const ids = policy.resources.classOf(effect.resource, Origin.opened);
  const letter = policy.letterOf(OP[op], 0, ids, Match.anyAccess);
  // Any of its programs so far: the record may be of a time before the last exec.
  const programs = process.segments.flatMap((each) => (each.kind === 'watched' ? each.automata : []));
  if (letter >= 0 && programs.some((a) => policy.says(letter, a) !== 0)) return;
  const what = op === 'SETUID' ? 'user' : 'group';
  core.incidents.report({
    kind: 'identity-change',
    time,
    process,
    tid: process.id.pid,
    effect,
    why: () =>
      `the process changed from ${what} ${before} to ${after}, which ${names(policy, segment.automata)} never does`,
    expected: () => nearest(policy, segment.automata, effect, process.main.servedSince < time),
    key: `identity ${op} ${after}`,
  });
}
