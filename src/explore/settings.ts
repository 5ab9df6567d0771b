// Settings that clients can turn: a command that lists names with their values, and one beside it that takes such a name
// and a value. Nothing of that is in a table here. The service says which words may follow a command (asked for help),
// one of these lists names, another treats the names otherwise than made-up ones. Only switches are turned, to their
// other position: free texts and numbers would make any name a client's choice.
import { madeUp } from './known-words.ts';
import type { Action, Listening, Scenario } from './scenario.ts';
import type { ScenarioTrace } from './trace.ts';

/** A switch, with the messages that turn it over and back. */
export interface Setting {
  readonly name: string;
  readonly over: string;
  readonly back: string;
}

type Play = (scenario: Scenario) => ScenarioTrace | undefined;

/** Words that are tried after one command. */
const MAX_FOLLOWERS = 24;
/** Lines from which on an answer is a list. */
const LIST = 8;
/** Names that are tried before a command counts as one that takes none of them. */
const SAMPLES = 3;
const MAX_SETTINGS = 256;

/** Positions of switches, by pairs. */
const POSITIONS: readonly (readonly [string, string])[] = [
  ['no', 'yes'],
  ['off', 'on'],
  ['false', 'true'],
  ['disabled', 'enabled'],
];

/** Switches of a service that knows these commands. `play` plays on the service at rest; undefined: it can't any more. */
export function findSettings(
  listener: Listening,
  commands: readonly string[],
  play: Play,
): readonly Setting[] {
  const service = new Service(listener, play);
  const out = new Map<string, Setting>();
  for (const command of commands) {
    const followers = service.followers(command);
    for (const lister of followers) {
      const pairs = pairsIn(service.ask(`${command} ${lister} *`));
      if (pairs.length * 2 < LIST) continue;
      for (const setter of followers) {
        if (setter === lister || !service.takes(`${command} ${setter}`, pairs)) continue;
        for (const [name, value] of pairs) {
          const position = otherOf(value);
          if (position === undefined || out.size >= MAX_SETTINGS) continue;
          const message = (text: string): string => `${command} ${setter} ${name} ${text}\r\n`;
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

  /** What it says to one line; '' where it says nothing, or can't be asked any more. */
  ask(line: string): string {
    let answer = this.answers.get(line);
    if (answer === undefined) {
      answer =
        this.play({
          name: `what ${line} says`,
          actions: [
            { do: 'connect', listener: this.listener.index, id: 'a' },
            { do: 'send', id: 'a', payload: `${line}\r\n` },
            { do: 'close', id: 'a' },
          ],
        })?.answers[0] ?? '';
      this.answers.set(line, answer);
    }
    return answer;
  }

  /** Words that may follow a command: first words of the lines of its help, which it does not take for made-up ones. */
  followers(command: string): readonly string[] {
    const help = this.ask(`${command} HELP`);
    if (help.split('\n').length < 3) return [];
    const words = new Set(
      help
        .split('\n')
        .flatMap((line) => /^[^\w]*([A-Za-z][A-Za-z-]{1,19})(?=[\s.,:]|$)/.exec(line)?.[1] ?? []),
    );
    return [...words]
      .filter((word) => word === word.toUpperCase() && this.tells(command, word, ''))
      .slice(0, MAX_FOLLOWERS);
  }

  /** Whether names of the list are treated otherwise than names that nobody knows. */
  takes(line: string, pairs: readonly (readonly [string, string])[]): boolean {
    return pairs.slice(0, SAMPLES).some(([name, value]) => this.tells(line, name, ` ${value}`));
  }

  private tells(before: string, word: string, after: string): boolean {
    const made = madeUp(word, 'qxzjvkw');
    const plain = (text: string, said: string): string =>
      text.toLowerCase().replaceAll(said.toLowerCase(), '');
    return (
      plain(this.ask(`${before} ${word}${after}`), word) !==
      plain(this.ask(`${before} ${made}${after}`), made)
    );
  }
}

/** Names and values of a list: a pair a line, or a line each; lines that only count are left out. */
function pairsIn(answer: string): (readonly [string, string])[] {
  const lines = answer
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !/^[^\w]?\d*$/.test(line) || line === '');
  const inOne = lines.flatMap((line) => {
    const found = /^([A-Za-z][\w.-]+)(?:\s*[:=]\s*|\s+)(\S+)$/.exec(line);
    return found === null ? [] : [[found[1], found[2]] as const];
  });
  if (inOne.length * 2 > lines.length) return inOne;
  const out: (readonly [string, string])[] = [];
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
