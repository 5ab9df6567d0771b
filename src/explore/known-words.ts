// Which words of a program's constants it knows as words of its protocol: those that it treats otherwise than words that
// nobody has heard of. Most constants are names of other things, and what a service does with one of them it does with
// any text; so only known words are worth all the forms in which a command may be given.
import type { Listening, Scenario } from './scenario.ts';
import type { ScenarioTrace } from './trace.ts';

/** A word said alone, and with arguments: a parser that knows it goes another way in one of them at least. */
export function wordProbe(listener: Listening, word: string): Scenario {
  const payloads = [`${word}\n`, `${word} {token} {token}\r\n`];
  const { index, stream } = listener;
  return {
    name: `whether ${word} is known`,
    actions: payloads.flatMap((payload, i): Scenario['actions'] =>
      stream
        ? [
            { do: 'connect', listener: index, id: `c${i}` },
            { do: 'send', id: `c${i}`, payload },
            { do: 'close', id: `c${i}` },
          ]
        : [{ do: 'datagram', listener: index, payload }],
    ),
  };
}

/**
 * Instructions by which two unknown words may differ: comparisons with the words of a table end sooner or later. A word
 * that is known leads to code of its own, which is more than that, or to another answer.
 */
const COMPARISONS = 400;

/** Letters that few words begin with, in two orders. */
const STAND_INS = ['qxzjvkw', 'zkxvqjw'];

/** A word of the same length that no program knows, in capitals where the word is. */
export function madeUp(word: string, letters: string): string {
  let at = 0;
  const lower = word.replace(/[A-Za-z]/g, () => letters[at++ % letters.length]);
  return word === word.toUpperCase() ? lower.toUpperCase() : lower;
}

/**
 * Words that are treated otherwise than made-up ones. `play` plays a probe on the service at rest; undefined: it can't any
 * more, and the words that are left count as known to nobody.
 */
export function knownWords(
  listener: Listening,
  words: readonly string[],
  play: (scenario: Scenario) => ScenarioTrace | undefined,
): readonly string[] {
  const made = new Map<string, ScenarioTrace>();
  const treated = (word: string): ScenarioTrace | undefined => {
    const known = made.get(word);
    if (known !== undefined) return known;
    const trace = play(wordProbe(listener, word));
    if (trace !== undefined) made.set(word, trace);
    return trace;
  };
  return words.filter((word) => {
    const own = play(wordProbe(listener, word));
    const [one, other] = STAND_INS.map((letters) => madeUp(word, letters));
    const differs = (made: string): boolean => {
      const trace = treated(made);
      return own !== undefined && trace !== undefined && !alike(own, word, trace, made);
    };
    if (!differs(one) || !differs(other)) return false;
    // who treats any text in a way of its own (lengths, numbers) does not talk in words
    const [a, b] = [treated(one), treated(other)];
    return a !== undefined && b !== undefined && alike(a, one, b, other);
  });
}

/** Words that are said on one connection. */
const BATCH = 32;
/** Instructions that many words may take together; what one alone takes more for is left to the other ways of finding it. */
export const BATCH_BUDGET = 5_000_000;

/**
 * Of many words those that may be known: said one after the other on one connection, they are answered otherwise than
 * made-up ones. None where made-up words are not answered alike, or one ends the connection.
 */
export function likelyWords(
  listener: Listening,
  words: readonly string[],
  play: (scenario: Scenario) => ScenarioTrace | undefined,
): readonly string[] {
  const said = (batch: readonly string[]): string | undefined => {
    const { index } = listener;
    const trace = play({
      name: `whether any of ${batch.length} words is known`,
      actions: [
        { do: 'connect', listener: index, id: 'a' },
        { do: 'send', id: 'a', payload: batch.map((word) => `${word}\r\n`).join('') },
        { do: 'close', id: 'a' },
      ],
    });
    const whole = trace !== undefined && !trace.ended && trace.instructions < BATCH_BUDGET;
    return !whole ? undefined : without(trace.answers[0], batch);
  };
  const unknown = (batch: readonly string[], letters: string): string | undefined =>
    said(batch.map((word) => madeUp(word, letters)));
  const first = words.slice(0, BATCH);
  const answer = unknown(first, STAND_INS[0]);
  const lines = answer?.split('\n').length ?? 0;
  if (!listener.stream || lines < first.length || answer !== unknown(first, STAND_INS[1])) return [];
  const known = (batch: readonly string[]): readonly string[] => {
    const answered = said(batch);
    if (answered === unknown(batch, STAND_INS[0])) return [];
    if (batch.length === 1) return answered === undefined ? [] : batch;
    const half = batch.length >> 1;
    return [...known(batch.slice(0, half)), ...known(batch.slice(half))];
  };
  const out: string[] = [];
  for (let i = 0; i < words.length; i += BATCH) out.push(...known(words.slice(i, i + BATCH)));
  return out;
}

/** A text without these words, each taken out where it comes after the one before. */
function without(text: string, words: readonly string[]): string {
  let out = '';
  let at = 0;
  for (const word of words) {
    const found = text.indexOf(word, at);
    if (found < 0) continue;
    out += text.slice(at, found);
    at = found + word.length;
  }
  return out + text.slice(at);
}

function alike(a: ScenarioTrace, wordA: string, b: ScenarioTrace, wordB: string): boolean {
  return (
    a.ended === b.ended &&
    a.steps.length === b.steps.length &&
    Math.abs(a.instructions - b.instructions) <= COMPARISONS &&
    a.answers.length === b.answers.length &&
    a.answers.every((text, i) => text.replaceAll(wordA, '') === b.answers[i].replaceAll(wordB, ''))
  );
}
