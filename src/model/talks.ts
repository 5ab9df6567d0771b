// What clients of well-known protocols say to each listener, as scenarios.
import {
  DATAGRAMS,
  DIALOGUES,
  type Dialogue,
  datagramDialogue,
  dialogueScenario,
  needsAccount,
  overTls,
  PAYLOADS,
  payloadScenarios,
  type Scenario,
  type ScenarioTrace,
} from '../explore/index.ts';
import type { Listening } from './listening.ts';

/** Begins as clients of TLS do; what answers in kind speaks it. */
const TLS = 'tls';
const HTTP = /^http/;

/** Dialogues that somebody could have; those of people who have an account only where there are any. */
const dialogues = (accounts: readonly string[]): readonly Dialogue[] =>
  DIALOGUES.filter((dialogue) => accounts.length > 0 || !needsAccount(dialogue));

const single = (listeners: readonly Listening[]): readonly Listening[] =>
  listeners.filter(({ twinOf }) => twinOf === undefined);

/** Several messages on one connection, and datagrams. */
export const dialoguesOf = (
  listeners: readonly Listening[],
  accounts: readonly string[],
): readonly Scenario[] =>
  single(listeners).flatMap(({ index, stream }) =>
    stream
      ? dialogues(accounts).map((dialogue) => dialogueScenario(index, dialogue))
      : DATAGRAMS.map((datagram) => datagramDialogue(index, datagram)),
  );

/** First messages in their first forms, and dialogues. */
export const talksOf = (listeners: readonly Listening[], accounts: readonly string[]): readonly Scenario[] =>
  single(listeners)
    .filter(({ stream }) => stream)
    .flatMap(({ index }) => [
      ...PAYLOADS.map(([name, payload]) => payloadScenarios(index, name, payload)[0]),
      ...dialogues(accounts).map((dialogue) => dialogueScenario(index, dialogue)),
    ]);

/** What a listener is asked, to see whether it speaks TLS. */
export const isTlsHello = ({ name }: Scenario): boolean => name === TLS;

/**
 * Each talk on a TLS connection of its own. Handshakes cost the service millions of instructions: where the first one,
 * in HTTP, is answered in HTTP, the others are of that kind, and else none is.
 */
export function talkOverTls(
  listener: number,
  accounts: readonly string[],
  play: (scenario: Scenario) => ScenarioTrace | undefined,
): void {
  const talks = [
    ...PAYLOADS.map(([name, payload]): Dialogue => [name, [payload]]),
    ...dialogues(accounts).filter(([name]) => name !== TLS),
  ];
  const isHttp = ([name]: Dialogue): boolean => HTTP.test(name);
  const scenarioOf = (talk: Dialogue): Scenario => overTls(dialogueScenario(listener, talk));
  const [first, ...http] = talks.filter(isHttp);
  const answer = play(scenarioOf(first))?.answers[0] ?? '';
  for (const talk of /^HTTP\//.test(answer) ? http : talks.filter((each) => !isHttp(each)))
    play(scenarioOf(talk));
}
