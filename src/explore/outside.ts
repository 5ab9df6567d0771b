// What a service does when those outside that it turns to do not answer, refuse, or can't be reached: resolvers, upstream
// servers, collectors of logs. Where it goes on to others, or tries again, is in what it does then.
import type { EnvironmentValues, Outside } from '../linux/index.ts';
import type { Scenario } from './scenario.ts';
import type { Step } from './trace.ts';

const WAYS: readonly (readonly [how: Outside, name: string])[] = [
  ['silent', 'nobody outside answers'],
  ['refuses', 'everybody outside refuses'],
  ['unreachable', 'nobody outside can be reached'],
  ['denies', 'nothing outside is known'],
];

/** Virtual time after it, in ms: enough for timeouts of one try, and of all. */
const PATIENCE = [5_000, 30_000];

/** The scenario, with what may come of its requests to the outside; time passes then. */
export function outsideScenarios({ name, actions }: Scenario): Scenario[] {
  return WAYS.map(([how, words]) => ({
    name: `${name}, ${words}`,
    actions: [{ do: 'outside', how }, ...actions, ...PATIENCE.map((ms) => ({ do: 'wait', ms }) as const)],
  }));
}

/** Whether they turn to anybody outside. */
export function turnsOutside(steps: readonly Step[], { address, clientAddress }: EnvironmentValues): boolean {
  return steps.some((step) => {
    if (step.kind !== 'effect') return false;
    const { op, resource } = step.event.effect;
    if (resource.kind !== 'net' || (op !== 'CONNECT' && op !== 'WRITE')) return false;
    const to = resource.peer.address;
    return to !== '' && !to.startsWith('127.') && !to.includes(':') && to !== address && to !== clientAddress;
  });
}
