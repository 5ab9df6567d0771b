// Switches are found by what a service says: which words follow a command, which of them lists names, which takes them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { findSettings, likelyWords, type Scenario, type ScenarioTrace } from '../../src/explore/index.ts';

const listener = { index: 0, stream: true } as const;

/** Plays scenarios on a service that answers lines of text; one connection each. */
const service =
  (says: (line: string) => string) =>
  ({ actions, name }: Scenario): ScenarioTrace => {
    const text = actions.map((action) => ('payload' in action ? action.payload : '')).join('');
    const lines = text.split('\r\n').slice(0, -1);
    return {
      name,
      chosen: 'tok',
      ended: false,
      steps: [],
      answers: [lines.map(says).join('')],
      instructions: 5000 * lines.length,
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
