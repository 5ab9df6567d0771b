// Words that a service knows are told from made-up ones by what it answers, does, and takes to do it.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  encodePayload,
  knownWords,
  madeUp,
  type Scenario,
  type ScenarioTrace,
  type Step,
} from '../../src/explore/index.ts';

/** What a service makes of a line. */
interface Treatment {
  readonly answer?: string;
  readonly instructions?: number;
  readonly steps?: number;
  readonly ends?: boolean;
}

const step: Step = { kind: 'wait', tid: 1, syscall: 'read', stack: [] };

const service =
  (treat: (line: string) => Treatment) =>
  ({ actions, name }: Scenario): ScenarioTrace => {
    const lines = actions.flatMap((action) =>
      'payload' in action
        ? [String.fromCharCode(...encodePayload(action.payload, 'tok', undefined)).trimEnd()]
        : [],
    );
    const treated = lines.map(treat);
    return {
      name,
      chosen: 'tok',
      ended: treated.some(({ ends }) => ends === true),
      steps: treated.flatMap(({ steps = 1 }) => Array.from({ length: steps }, () => step)),
      answers: treated.map(({ answer = 'ERROR' }) => answer),
      instructions: treated.reduce((sum, { instructions = 5000 }) => sum + instructions, 0),
    };
  };

const listener = { index: 0, stream: true };
const words = ['get', 'Host', 'quit', 'libc', 'save'];

const cases: readonly (readonly [string, (line: string) => Treatment, readonly string[]])[] = [
  ['nothing is known', () => ({}), []],
  ['by the answer', (line) => (line === 'get tok tok' ? { answer: 'none' } : {}), ['get']],
  ['an answer that repeats the word says nothing', (line) => ({ answer: `unknown ${line}` }), []],
  ['by what it does', (line) => (line === 'save' ? { steps: 3 } : {}), ['save']],
  ['by its end', (line) => (line === 'quit' ? { ends: true } : {}), ['quit']],
  [
    'by its code, even where it answers nothing',
    (line) => (line.startsWith('Host') ? { instructions: 6000, answer: '' } : { answer: '' }),
    ['Host'],
  ],
  [
    'a few comparisons more are no code of its own',
    (line) => ({ instructions: 5000 + 20 * 'glsq'.indexOf(line[0]) }),
    [],
  ],
  [
    'who treats any text in its own way knows no words',
    (line) => ({ instructions: 1000 * line.charCodeAt(0) }),
    [],
  ],
];

for (const [name, treat, known] of cases)
  test(name, () => assert.deepEqual(knownWords(listener, words, service(treat)), known));

test('made-up words have the length and the case of the word', () => {
  assert.equal(madeUp('Content-Type', 'qxz'), 'qxzqxzq-xzqx');
  assert.equal(madeUp('GET', 'zkx'), 'ZKX');
});
