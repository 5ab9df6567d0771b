// Settings that clients can turn: a word that lists names with their values, and one beside it that takes such a name and
// a value (`CONFIG GET *`, `CONFIG SET name value`; `show`, `set name=value`). Nothing of that is in a table here. The
// service says which words it has and which may follow one of them (asked for help), one of these lists names, another
// treats the names otherwise than made-up ones. Only switches are turned, to their other position: free texts and
// numbers would make any name a client's choice.
import { askEach, madeUp } from './known-words.ts';
import type { Action, Listening, Scenario } from './scenario.ts';
import type { ScenarioTrace } from './trace.ts';

/** A switch, with the messages that turn it over and back. */
export interface Setting {
  readonly name: string;
  readonly over: string;
  readonly back: string;
}

type Play = (scenario: Scenario) => ScenarioTrace | undefined;
type Pair = readonly [name: string, value: string];

/** Words that are tried after one command. */
const MAX_FOLLOWERS = 24;
/** Names with values from which on an answer is a list. */
const LIST = 4;
/** Switches that are tried before a command counts as one that takes none of them. */
const SAMPLES = 3;
const MAX_SETTINGS = 256;

/** Positions of switches, by pairs. */
const POSITIONS: readonly (readonly [string, string])[] = [
  ['no', 'yes'],
  ['off', 'on'],
  ['false', 'true'],
  ['disabled', 'enabled'],
];

/** How a list is asked for, behind the word that gives it. */
const ALL = ['', ' *', ' all'];
/** What stands between a name and its value. */
const BETWEEN = [' ', '='];
/** How a service is asked what may follow a word. */
const HELP = [' HELP', ' help', ' ?'];

/** Switches of a service that knows these commands. `play` plays on the service at rest; undefined: it can't any more. */
export function findSettings(
  listener: Listening,
  commands: readonly string[],
  play: Play,
): readonly Setting[] {
  if (commands.length === 0) return [];
  const service = new Service(listener, play);
  const out = new Map<string, Setting>();
  for (const words of [service.ownWords(commands), ...service.followers(commands).values()]) {
    for (const [lister, pairs] of service.lists(words)) {
      for (const taking of service.taking(words, lister, pairs)) {
        for (const [name, value] of pairs) {
          const position = otherOf(value);
          if (position === undefined || out.size >= MAX_SETTINGS) continue;
          const message = (text: string): string => `${taking(name, text)}\r\n`;
          out.set(message(position), { name, over: message(position), back: message(value) });
        }
      }
    }
  }
  return [...out.values()];
}

/** Turns a switch over. */
export const turnScenario = ({ index }: Listening, { name, over }: Setting): Scenario => ({
  name: `setting ${name}`,
  actions: [
    { do: 'connect', listener: index, id: 's' },
    { do: 'send', id: 's', payload: over },
    { do: 'wait', ms: 200 },
    { do: 'close', id: 's' },
  ],
});

/** Turns a switch over, back and over again, with time for what that sets off. */
export function settingScenario({ index }: Listening, { name, over, back }: Setting): Scenario {
  return {
    name: `setting ${name}, back and again`,
    actions: [
      { do: 'connect', listener: index, id: 's' },
      ...[over, back, over].flatMap((payload): Action[] => [
        { do: 'send', id: 's', payload },
        { do: 'wait', ms: 2000 },
      ]),
      { do: 'close', id: 's' },
    ],
  };
}

class Service {
  private readonly listener: Listening;
  private readonly play: Play;
  private readonly answers = new Map<string, string>();

  constructor(listener: Listening, play: Play) {
    this.listener = listener;
    this.play = play;
  }

  /** Asks what was not asked yet; '' is what it says where it says nothing, or can't be asked any more. */
  private ask(lines: readonly string[]): void {
    const fresh = [...new Set(lines)].filter((line) => !this.answers.has(line));
    for (const line of fresh) this.answers.set(line, '');
    for (const [line, answer] of askEach(this.listener, fresh, this.play)) this.answers.set(line, answer);
  }

  private says(line: string): string {
    return this.answers.get(line) ?? '';
  }

  /** The commands, with those that its own help names. */
  ownWords(commands: readonly string[]): readonly string[] {
    const lines = ['help', 'HELP'];
    this.ask(lines);
    const told = [...new Set(lines.flatMap((line) => firstWords(this.says(line))))].filter(
      (word) => !commands.includes(word),
    );
    return [...commands, ...this.telling(told.map((word) => ['', word, '']))];
  }

  /** Of each command that has help, with a word before each: first words of its lines that are no made-up ones to it. */
  followers(commands: readonly string[]): ReadonlyMap<string, readonly string[]> {
    let helped: (readonly [command: string, text: string])[] = [];
    for (const help of HELP) {
      if (helped.length > 0) break;
      this.ask(commands.map((command) => command + help));
      helped = commands
        .map((command) => [command, this.says(command + help)] as const)
        .filter(([, text]) => text.split('\n').length > 2);
    }
    const candidates = helped.flatMap(([command, text]) => {
      const words = [...new Set(firstWords(text))];
      // where the words stand out from what is said of them, they are in capitals
      const capitals = words.filter((word) => word === word.toUpperCase());
      return (capitals.length > 1 ? capitals : words)
        .slice(0, MAX_FOLLOWERS)
        .map((word) => [`${command} `, word, ''] as const);
    });
    const known = new Set(this.telling(candidates));
    const out = new Map<string, string[]>();
    for (const [before, word] of candidates) {
      const line = `${before}${word}`;
      if (!known.has(line)) continue;
      out.set(before, [...(out.get(before) ?? []), line]);
    }
    return out;
  }

  /** Of lines, those that give lists in which there are switches, with what they list. */
  lists(words: readonly string[]): ReadonlyMap<string, readonly Pair[]> {
    this.ask(words.flatMap((word) => ALL.map((all) => word + all)));
    return new Map(
      words.flatMap((word): [string, readonly Pair[]][] => {
        const lists = ALL.map((all) => pairsIn(this.says(word + all)));
        const longest = lists.reduce((a, b) => (b.length > a.length ? b : a));
        const switches = longest.filter(([, value]) => otherOf(value) !== undefined);
        return longest.length >= LIST && switches.length > 0 ? [[word, longest]] : [];
      }),
    );
  }

  /** How names of a list are given their values, in each way in which they are treated otherwise than made-up names. */
  taking(
    words: readonly string[],
    lister: string,
    pairs: readonly Pair[],
  ): readonly ((name: string, value: string) => string)[] {
    const samples = pairs.filter(([, value]) => otherOf(value) !== undefined).slice(0, SAMPLES);
    const ways = words
      .filter((word) => word !== lister)
      .flatMap((word) => BETWEEN.map((between) => ({ word, between })));
    const lines = ways.map(({ word, between }) =>
      samples.map(([name, value]) => [`${word} `, name, between + value] as const),
    );
    const told = new Set(this.telling(lines.flat()));
    return ways.flatMap(({ word, between }, i) =>
      lines[i].every((line) => told.has(line.join('')))
        ? [(name: string, value: string): string => `${word} ${name}${between}${value}`]
        : [],
    );
  }

  /** Of lines with a word in them, those that are answered otherwise than with a made-up word in its place. */
  private telling(lines: readonly (readonly [before: string, word: string, after: string])[]): string[] {
    const made = (word: string): string => madeUp(word, 'qxzjvkw');
    this.ask(lines.flatMap(([before, word, after]) => [before + word + after, before + made(word) + after]));
    const plain = (before: string, word: string, after: string): string =>
      this.says(before + word + after)
        .toLowerCase()
        .replaceAll(word.toLowerCase(), '');
    return lines.flatMap(([before, word, after]) =>
      plain(before, word, after) === plain(before, made(word), after) ? [] : [before + word + after],
    );
  }
}

/** First words of lines, which a help text begins with what it explains. */
function firstWords(text: string): readonly string[] {
  return text
    .split('\n')
    .flatMap((line) => /^[^\w]*([A-Za-z][A-Za-z_-]{1,19})(?=[\s.,:]|$)/.exec(line)?.[1] ?? []);
}

/** Names and values of a list: a pair a line, or a line each; lines that only count are left out. */
function pairsIn(answer: string): readonly Pair[] {
  const lines = answer
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !/^[^\w]?\d*$/.test(line) || line === '');
  const inOne = lines.flatMap((line) => {
    const found = /^([A-Za-z][\w.-]+)(?:\s*[:=]\s*|\s+)(\S+)$/.exec(line);
    return found === null ? [] : [[found[1], found[2]] as const];
  });
  if (inOne.length * 2 > lines.length) return inOne;
  const out: Pair[] = [];
  for (let i = 0; i + 1 < lines.length; i++)
    if (/^[A-Za-z][\w.-]+$/.test(lines[i]) && otherOf(lines[i]) === undefined)
      out.push([lines[i], lines[i + 1]]);
  return out;
}

function otherOf(value: string): string | undefined {
  for (const [a, b] of POSITIONS) {
    if (value === a) return b;
    if (value === b) return a;
  }
  return undefined;
}
