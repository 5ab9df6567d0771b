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

function alike(a: ScenarioTrace, wordA: string, b: ScenarioTrace, wordB: string): boolean {
  return (
    a.ended === b.ended &&
    a.steps.length === b.steps.length &&
    Math.abs(a.instructions - b.instructions) <= COMPARISONS &&
    a.answers.length === b.answers.length &&
    a.answers.every((text, i) => text.replaceAll(wordA, '') === b.answers[i].replaceAll(wordB, ''))
  );
}
