// Words that a service knows are told from made-up ones by what it answers, does, and takes to do it.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type ActionMark,
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
    const [steps, answers, marks]: [Step[], string[], ActionMark[]] = [[], [], []];
    let [ended, taken] = [false, 0];
    for (const action of actions) {
      if (ended) break;
      if ('payload' in action) {
        const line = String.fromCharCode(...encodePayload(action.payload, 'tok', undefined)).trimEnd();
        const treated = treat(line);
        for (let i = 0; i < (treated.steps ?? 1); i++) steps.push(step);
        answers.push(treated.answer ?? 'ERROR');
        taken += treated.instructions ?? 5000;
        ended = treated.ends === true;
      }
      marks.push({ steps: steps.length, instructions: taken });
    }
    return { name, chosen: 'tok', ended, steps, answers, instructions: taken, marks };
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

test('unknown words are said many to one copy of the service, and those after the last one alone', () => {
  const many = Array.from(
    { length: 96 },
    (_, i) => `word${String.fromCharCode(97 + (i % 26), 97 + (i >> 2))}`,
  );
  many.splice(50, 0, 'quit');
  const played: string[] = [];
  const play = service((line) => (line === 'quit' ? { ends: true } : {}));
  const known = knownWords(listener, many, (scenario) => {
    played.push(scenario.name);
    return play(scenario);
  });
  assert.deepEqual(known, ['quit']);
  assert.ok(played.length < 32, `${played.length} runs`);
});

test('what a word leaves behind does not make the next ones known', () => {
  const play = (scenario: Scenario): ScenarioTrace => {
    let broken = false;
    return service((line) => {
      broken ||= line === 'save';
      return broken ? { answer: 'broken' } : {};
    })(scenario);
  };
  assert.deepEqual(knownWords(listener, ['get', 'Host', 'save', 'quit', 'libc'], play), ['save']);
});

test('made-up words have the length and the case of the word', () => {
  assert.equal(madeUp('Content-Type', 'qxz'), 'qxzqxzq-xzqx');
  assert.equal(madeUp('GET', 'zkx'), 'ZKX');
});
