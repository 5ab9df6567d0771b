import assert from 'node:assert/strict';
import test from 'node:test';
import { literal } from '../../src/effect/index.ts';
import { chainStates, policyToDot, policyToSvg } from '../../src/export/index.ts';
import type { Policy, PolicyAutomaton, PolicyEdge } from '../../src/policy/index.ts';

function automaton(
  states: number,
  edges: readonly (readonly [number, number])[],
  extra: Partial<PolicyEdge> = {},
): PolicyAutomaton {
  return {
    name: 'x',
    program: 0,
    args: [literal('-v "1"')],
    initial: 0,
    states: Array.from({ length: states }, (_, i) => ({
      phase: 'boot',
      label: i === 0 ? 'start' : `OPEN r /f${i}`,
    })),
    edges: edges.map(([from, to], i) => ({
      from,
      to,
      provenance: 'executed',
      effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path: literal(`/f${to}`) } },
      succeeds: true,
      errors: [],
      ...(i === 0 ? extra : {}),
    })),
  };
}

test('straight runs share a box; branches, loops and clone targets open new ones', () => {
  const boxes = (a: PolicyAutomaton): string =>
    chainStates(a)
      .members.map((run) => run.join('-'))
      .join(' ');
  assert.equal(
    boxes(
      automaton(4, [
        [0, 1],
        [1, 2],
        [2, 3],
      ]),
    ),
    '0-1-2-3',
  );
  assert.equal(
    boxes(
      automaton(4, [
        [0, 1],
        [0, 2],
        [1, 3],
        [2, 3],
      ]),
    ),
    '0 1 2 3',
  );
  assert.equal(
    boxes(
      automaton(3, [
        [0, 1],
        [1, 2],
        [2, 1],
      ]),
    ),
    '0 1-2',
  );
  assert.equal(
    boxes(
      automaton(
        3,
        [
          [0, 1],
          [1, 2],
        ],
        { child: 2 },
      ),
    ),
    '0-1 2',
  );
  assert.equal(boxes(automaton(2, [[1, 1]])), '0 1');
  for (const a of [
    automaton(3, [
      [1, 2],
      [2, 1],
    ]),
    automaton(5, [
      [4, 3],
      [3, 2],
      [2, 1],
      [1, 0],
    ]),
  ]) {
    assert.deepEqual(
      chainStates(a).members.flat().sort(),
      a.states.map((_, i) => i),
      'every state is in one box',
    );
  }
});

const policy = {
  programs: [{ path: '/bin/x"y\\z', sha256: '', buildId: '' }],
  automata: [
    automaton(3, [
      [0, 1],
      [1, 2],
      [2, 2],
    ]),
  ],
  root: 0,
} as unknown as Policy;

test('the picture is drawn, whatever stands in names', async () => {
  assert.match(policyToDot(policy), /subgraph cluster_0/);
  const svg = await policyToSvg(policy);
  assert.match(svg, /<svg[\s\S]*OPEN r \/f1[\s\S]*<\/svg>/);
});
