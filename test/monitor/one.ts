// A policy of one program, and telemetry of its start.
import type { Observation } from '../../src/telemetry/index.ts';
import { container, event, policyOf, process } from './kit.ts';

/** A policy of one program that starts as process 1; observations up to its start. */
export const one = (edges: string): ReturnType<typeof policyOf> =>
  policyOf(`automaton one /bin/one\n${edges}`);
export const started: readonly Observation[] = [
  container(),
  process(0, 1, { exe: '/usr/bin/runc', args: 'init', entry: true }),
  process(1, 1, { exe: '/bin/one', entry: true }),
  event(1, 1, 'EXEC /bin/one'),
];
