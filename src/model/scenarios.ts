// Questions about scenarios and what came of them, as the serving pass asks them.
import { resourceTexts } from '../effect/index.ts';
import { manyClients, type Payload, type Scenario, type ScenarioTrace, type Step } from '../explore/index.ts';
import type { Listening } from './listening.ts';
import { eventsOf } from './tasks.ts';

/** A payload that the service treats in a way of its own. */
export interface Representative {
  readonly listener: number;
  readonly payload: Payload;
  /** It alone, and the trace of that. */
  readonly scenario: Scenario;
  readonly trace: ScenarioTrace;
  /** Further forms: in pieces, with another client. */
  readonly others: readonly Scenario[];
}

/** More clients at once than there are workers, at each listener; they say what the service takes longest for. */
export function crowds(
  listeners: readonly Listening[],
  representatives: readonly Representative[],
): readonly Scenario[] {
  return listeners.flatMap(({ index, stream, twinOf }) => {
    if (!stream || twinOf !== undefined) return [];
    const [longest] = representatives
      .filter(({ listener, trace }) => listener === index && !trace.ended)
      .sort((a, b) => b.trace.instructions - a.trace.instructions);
    return [manyClients(index, longest?.payload ?? '{token}\n')];
  });
}

/** The first signal that the service gets in it. */
export const signalOf = ({ actions }: Scenario): number | undefined =>
  actions.flatMap((action) => (action.do === 'signal' ? [action.signal] : []))[0];

/** The service is signalled before anything else happens. */
export const isSignalledFirst = ({ actions }: Scenario): boolean => actions[0].do === 'signal';

/** What clients say in it they say in datagrams. */
export const isDatagram = ({ actions }: Scenario): boolean => actions[0].do === 'datagram';

/** Time passes in it in which services give clients up. */
export const waitsLong = ({ actions }: Scenario): boolean =>
  actions.some((action) => action.do === 'wait' && action.ms > 20_000);

/** Whether the first line of any answer is another; what follows may have a time in it, or a count. */
export const areAnsweredOtherwise = (a: readonly string[], b: readonly string[]): boolean =>
  a.length !== b.length || a.some((text, i) => firstLine(text) !== firstLine(b[i]));

const firstLine = (text: string): string => text.slice(0, (text.indexOf('\n') + 1 || text.length + 1) - 1);

/** What the effects of a run name. */
export const textsOf = (steps: readonly Step[]): readonly string[] =>
  eventsOf(steps).flatMap(({ effect }) => resourceTexts(effect.resource));

/** What they name that is not known. */
export const newTexts = ({ steps }: ScenarioTrace, known: ReadonlySet<string>): readonly string[] =>
  textsOf(steps).filter((text) => !known.has(text));
