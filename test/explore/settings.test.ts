// Switches are found by what a service says: which words follow a command, which of them lists names, which takes them.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  askEach,
  findSettings,
  likelyWords,
  type Scenario,
  type ScenarioTrace,
} from '../../src/explore/index.ts';

const listener = { index: 0, stream: true } as const;

/** Plays scenarios on a service that answers lines of text, each connection by itself. */
const service =
  (says: (line: string) => string) =>
  ({ actions, name }: Scenario): ScenarioTrace => {
    const said = actions.flatMap((action) => ('payload' in action ? [action.payload ?? ''] : []));
    return {
      name,
      chosen: 'tok',
      ended: false,
      steps: [],
      answers: said.map((text) => text.split('\r\n').slice(0, -1).map(says).join('')),
      instructions: 5000 * said.length,
      marks: [],
    };
  };

const values: Readonly<Record<string, string>> = {
  append: 'no',
  compress: 'yes',
  port: '7000',
  dir: '/data',
  save: '',
  strict: 'on',
};

/** LIST tells names and values a line each, behind their lengths. */
function store(line: string): string {
  const [command, follower = '', name = '', value = ''] = line.split(' ');
  if (command.toLowerCase() === 'ping') return '+PONG\r\n';
  if (command.toLowerCase() !== 'options') return `-ERR unknown command '${command}'\r\n`;
  switch (follower) {
    case 'HELP':
      return '*3\r\n+LIST <pattern>\r\n+PUT <name> <value>\r\n+Return values.\r\n';
    case 'LIST':
      return Object.entries(values)
        .flat()
        .map((text) => `$${text.length}\r\n${text}\r\n`)
        .join('');
    case 'PUT':
      return name in values && value !== '' ? '+OK\r\n' : `-ERR no such option '${name}'\r\n`;
    default:
      return `-ERR unknown word '${follower}'\r\n`;
  }
}

test('switches are those names of a list that have two positions', () => {
  assert.deepEqual(findSettings(listener, ['ping', 'options'], service(store)), [
    { name: 'append', over: 'options PUT append yes\r\n', back: 'options PUT append no\r\n' },
    { name: 'compress', over: 'options PUT compress no\r\n', back: 'options PUT compress yes\r\n' },
    { name: 'strict', over: 'options PUT strict off\r\n', back: 'options PUT strict on\r\n' },
  ]);
});

/** One that has its words in lower case, tells them when it is asked for help, and has nothing behind them. */
function plainStore(line: string): string {
  const [command, rest = ''] = line.split(' ');
  const [name, value] = rest.split('=');
  switch (command) {
    case 'help':
      return 'commands:\n show\n set name=value\n quit\n';
    case 'show':
      return ['port: 1', 'tracing: off', 'user: x', 'path: y', 'cache: true']
        .map((text) => `${text}\n`)
        .join('');
    case 'set':
      return ['port', 'tracing', 'user', 'path', 'cache'].includes(name) && value !== undefined
        ? 'ok\n'
        : 'no such\n';
    default:
      return command === 'quit' ? '' : 'what?\n';
  }
}

test('words that a service tells of itself, a name and a value with a sign between', () => {
  assert.deepEqual(findSettings(listener, ['quit'], service(plainStore)), [
    { name: 'tracing', over: 'set tracing=on\r\n', back: 'set tracing=off\r\n' },
    { name: 'cache', over: 'set cache=false\r\n', back: 'set cache=true\r\n' },
  ]);
});

test('lines that end a service, or take too long, do not hide the others', () => {
  const play = (scenario: Scenario): ScenarioTrace => {
    const said = scenario.actions.flatMap((action) => ('payload' in action ? [action.payload ?? ''] : []));
    const at = said.indexOf('quit\r\n');
    const trace = service((line) => `yes ${line}`)(scenario);
    const count = at < 0 ? said.length : at + 1;
    const marks = Array.from({ length: 3 * count - (at < 0 ? 0 : 1) }, () => ({ steps: 0, instructions: 0 }));
    return { ...trace, ended: at >= 0, answers: trace.answers.slice(0, count), marks };
  };
  const lines = ['a', 'b', 'quit', 'c', ...Array.from({ length: 40 }, (_, i) => `line ${i}`)];
  const answers = askEach(listener, lines, play);
  assert.deepEqual(
    [...answers.keys()],
    lines.filter((line) => line !== 'quit'),
  );
  assert.equal(answers.get('c'), 'yes c');
});

test('no command that takes the names, no switches', () => {
  const reads = (line: string): string => (line.includes(' PUT ') ? '-ERR read only\r\n' : store(line));
  assert.deepEqual(findSettings(listener, ['options'], service(reads)), []);
  assert.deepEqual(findSettings(listener, ['ping'], service(store)), []);
  assert.deepEqual(
    findSettings(listener, ['options'], () => undefined),
    [],
  );
});

test('of many words, those that are answered otherwise than made-up ones', () => {
  const words = Array.from(
    { length: 100 },
    (_, i) => `word${String.fromCharCode(97 + (i % 26), 97 + (i >> 2))}`,
  );
  words.splice(40, 0, 'ping');
  words.splice(77, 0, 'options');
  assert.deepEqual(likelyWords(listener, words, service(store)), ['ping', 'options']);
  // who says nothing, or answers every word in its own way, is not asked any further
  assert.deepEqual(
    likelyWords(
      listener,
      words,
      service(() => ''),
    ),
    [],
  );
  let count = 0;
  assert.deepEqual(
    likelyWords(
      listener,
      words,
      service(() => `${count++}\r\n`),
    ),
    [],
  );
});
