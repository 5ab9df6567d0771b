// Which words of a program's constants it knows as words of its protocol: those that it treats otherwise than words that
// nobody has heard of. Most constants are names of other things, and what a service does with one of them it does with
// any text; so only known words are worth all the forms in which a command may be given.
import type { Action, Listening, Scenario } from './scenario.ts';
import type { ScenarioTrace } from './trace.ts';

/** A word said alone, and with arguments: a parser that knows it goes another way in one of them at least. */
export const wordProbe = (listener: Listening, word: string): Scenario => ({
  name: `whether ${word} is known`,
  actions: wordActions(listener, word, 'c'),
});

/** Connections that one word takes, and actions. */
const TALKS = 2;
const ACTIONS = 3 * TALKS;

function wordActions({ index, stream }: Listening, word: string, prefix: string): readonly Action[] {
  const payloads = [`${word}\n`, `${word} {token} {token}\r\n`];
  return payloads.flatMap((payload, i): Scenario['actions'] =>
    stream
      ? [
          { do: 'connect', listener: index, id: `${prefix}${i}` },
          { do: 'send', id: `${prefix}${i}`, payload },
          { do: 'close', id: `${prefix}${i}` },
        ]
      : [{ do: 'datagram', listener: index, payload }],
  );
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

const HTTP = /^HTTP\/\d/;

/**
 * Words that are treated otherwise than made-up ones; none where these are answered in HTTP: what is no request there is
 * no command either. `play` plays a probe on the service at rest; undefined: it can't any
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
  const [any] = words;
  if (any === undefined) return [];
  const said = treated(madeUp(any, STAND_INS[0]))?.answers.filter((text) => text !== '') ?? [];
  if (said.length > 0 && said.every((text) => HTTP.test(text))) return [];
  const suspected = suspects(listener, words, play);
  return words.filter((word) => {
    if (!suspected.has(word)) return false;
    const own = play(wordProbe(listener, word));
    const [one, other] = STAND_INS.map((letters) => madeUp(word, letters));
    const differs = (made: string): boolean => {
      const trace = treated(made);
      return own !== undefined && trace !== undefined && !alike(whole(own), word, whole(trace), made);
    };
    if (!differs(one) || !differs(other)) return false;
    // who treats any text in a way of its own (lengths, numbers) does not talk in words
    const [a, b] = [treated(one), treated(other)];
    return a !== undefined && b !== undefined && alike(whole(a), one, whole(b), other);
  });
}

/** Words that are said to one copy of the service, one after the other. */
const TOGETHER = 24;

/**
 * Words that are not simply unknown: said one after the other to one copy of the service, after a made-up word of their
 * form, they are treated otherwise than that one. What only comes of the words before is told when they are said alone.
 */
function suspects(
  listener: Listening,
  words: readonly string[],
  play: (scenario: Scenario) => ScenarioTrace | undefined,
): ReadonlySet<string> {
  // whose datagrams answer which is not told
  if (!listener.stream) return new Set(words);
  const forms = new Map<string, string[]>();
  for (const word of words) {
    const form = madeUp(word, STAND_INS[0]);
    const list = forms.get(form);
    if (list === undefined) forms.set(form, [word]);
    else list.push(word);
  }
  const out = new Set<string>();
  for (const rows of packed(forms)) {
    // the first one of all may take what no later one does
    const said = [rows[0][0], ...rows.flatMap(([made, of]) => [made, ...of])];
    const trace = play({
      name: `whether any of ${said.length} words is known`,
      actions: said.flatMap((word, i) => wordActions(listener, word, `w${i} `)),
    });
    if (trace === undefined) continue;
    let at = 1;
    for (const [made, of] of rows) {
      const unknown = partOf(trace, at++);
      for (const word of of) {
        const own = partOf(trace, at++);
        if (own === undefined || unknown === undefined || !alike(own, word, unknown, made)) out.add(word);
      }
    }
  }
  return out;
}

/** As many words for one copy as go together, each form with those words of it that are said there. */
function packed(forms: ReadonlyMap<string, readonly string[]>): [string, string[]][][] {
  const out: [string, string[]][][] = [];
  let count = TOGETHER;
  for (const [made, of] of forms)
    for (const word of of) {
      if (count >= TOGETHER) {
        out.push([]);
        count = 0;
      }
      const rows = out[out.length - 1];
      if (rows.at(-1)?.[0] === made) rows[rows.length - 1][1].push(word);
      else rows.push([made, [word]]);
      count++;
    }
  return out;
}

type Part = Pick<ScenarioTrace, 'ended' | 'answers' | 'instructions'> & { readonly count: number };

/** What came of the word at this place of a run; undefined where the run was over before it was. */
function partOf({ marks, answers, ended }: ScenarioTrace, at: number): Part | undefined {
  const [first, end] = [at * ACTIONS, (at + 1) * ACTIONS];
  if (marks.length < end || (ended && marks.length === end) || answers.length < (at + 1) * TALKS)
    return undefined;
  const before = first === 0 ? { steps: 0, instructions: 0 } : marks[first - 1];
  return {
    ended: false,
    answers: answers.slice(at * TALKS, (at + 1) * TALKS),
    count: marks[end - 1].steps - before.steps,
    instructions: marks[end - 1].instructions - before.instructions,
  };
}

/** Words that are said on one connection, to see whether each of several lines is answered. */
const LINES = 32;
/** Instructions that many words may take together; what one alone takes more for is left to the other ways of finding it. */
export const BATCH_BUDGET = 5_000_000;

/**
 * Of many words those that may be known: said alone, they are answered otherwise than made-up ones. None where made-up
 * words are not answered alike, or one ends the connection.
 */
export function likelyWords(
  listener: Listening,
  words: readonly string[],
  play: (scenario: Scenario) => ScenarioTrace | undefined,
): readonly string[] {
  const first = words.slice(0, LINES);
  const answered = (letters: string): string | undefined => {
    const made = first.map((word) => madeUp(word, letters));
    const trace = play({
      name: `whether ${made.length} lines are answered`,
      actions: talk(listener, made.map((word) => `${word}\r\n`).join(''), 'a'),
    });
    return trace === undefined || trace.ended ? undefined : without(trace.answers[0] ?? '', made);
  };
  const answer = answered(STAND_INS[0]);
  const lines = answer?.split('\n').length ?? 0;
  if (!listener.stream || lines < first.length || answer !== answered(STAND_INS[1])) return [];
  const made = (word: string): string => madeUp(word, STAND_INS[0]);
  const answers = askEach(listener, [...new Set(words.flatMap((word) => [made(word), word]))], play);
  const plain = (word: string): string | undefined => {
    const text = answers.get(word);
    return text === undefined ? undefined : without(text, [word]);
  };
  return words.filter((word) => plain(word) !== undefined && plain(word) !== plain(made(word)));
}

/**
 * Lines that are said to copies of the service, many to each, on a connection of their own; with their answers. None of
 * those that end the service, take too long, or can't be said any more.
 */
export function askEach(
  listener: Listening,
  lines: readonly string[],
  play: (scenario: Scenario) => ScenarioTrace | undefined,
): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (let at = 0; at < lines.length; ) {
    const some = lines.slice(at, at + TOGETHER);
    const trace = play({
      name: `what ${some.length} lines say`,
      actions: some.flatMap((line, i) => talk(listener, `${line}\r\n`, `l${i}`)),
    });
    if (trace === undefined) break;
    const over = trace.ended || trace.instructions > BATCH_BUDGET;
    const told = over ? Math.ceil(trace.marks.length / TALK_ACTIONS) - 1 : some.length;
    for (const [i, line] of some.entries())
      if (i < told && i < trace.answers.length) out.set(line, trace.answers[i]);
    at += over ? told + 1 : some.length;
  }
  return out;
}

const TALK_ACTIONS = 3;
const talk = ({ index }: Listening, payload: string, id: string): readonly Action[] => [
  { do: 'connect', listener: index, id },
  { do: 'send', id, payload },
  { do: 'close', id },
];

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

const whole = (trace: ScenarioTrace): Part => ({ ...trace, count: trace.steps.length });

function alike(a: Part, wordA: string, b: Part, wordB: string): boolean {
  return (
    a.ended === b.ended &&
    a.count === b.count &&
    Math.abs(a.instructions - b.instructions) <= COMPARISONS &&
    a.answers.length === b.answers.length &&
    a.answers.every((text, i) => text.replaceAll(wordA, '') === b.answers[i].replaceAll(wordB, ''))
  );
}
