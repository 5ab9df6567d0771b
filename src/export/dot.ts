// An effect graph as Graphviz text. A state is named by the effect that leads to it, so nodes carry the effects and
// edges carry none; straight runs of states share one box. Boot is drawn blue, serving green; CLONE to the child is
// dashed, EXEC into the next program is bold.
import type { Policy, PolicyAutomaton, PolicyEdge } from '../policy/index.ts';

export interface DotOptions {
  /** Lines of a box before the rest is counted only. */
  readonly linesPerBox: number;
  /** Characters of a line. */
  readonly lineLength: number;
}

export const DOT_DEFAULTS: DotOptions = { linesPerBox: 14, lineLength: 72 };

/** Graphviz text of the whole policy. */
export function policyToDot(policy: Policy, options: DotOptions = DOT_DEFAULTS): string {
  const boxes = policy.automata.map((automaton) => chainStates(automaton));
  const lines = [
    'digraph effects {',
    '  rankdir=TB; compound=true; fontname="Helvetica,Arial,sans-serif"; nodesep=0.25; ranksep=0.4;',
    '  node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif", fontsize=10, margin="0.22,0.06"];',
    '  edge [arrowsize=0.7, color="#555555", fontname="Helvetica,Arial,sans-serif", fontsize=9];',
  ];
  policy.automata.forEach((automaton, a) => {
    const title = [policy.programs[automaton.program].path, ...automaton.args].join(' ');
    lines.push(
      `  subgraph cluster_${a} {`,
      `    label=${quote(shorten(title, 90))}; labeljust=l; fontsize=12; color="#999999"; style=rounded;`,
    );
    boxes[a].members.forEach((states, box) => {
      lines.push(
        `    ${node(a, box)} [label=${boxLabel(automaton, states, options)}, ${boxStyle(automaton, states)}];`,
      );
    });
    lines.push('  }');
  });
  policy.automata.forEach((automaton, a) => {
    for (const line of new Set(automaton.edges.flatMap((edge) => edgeLines(edge, a, boxes))))
      lines.push(line);
  });
  lines.push('}', '');
  return lines.join('\n');
}

interface Boxes {
  /** States of each box, in order. */
  readonly members: readonly (readonly number[])[];
  /** Box of each state. */
  readonly of: readonly number[];
}

/** Groups states into maximal straight runs: one way in, one way out, no CLONE or EXEC on the way. */
export function chainStates(automaton: PolicyAutomaton): Boxes {
  const count = automaton.states.length;
  const next: Set<number>[] = Array.from({ length: count }, () => new Set());
  const previous: Set<number>[] = Array.from({ length: count }, () => new Set());
  const fixed = new Set<number>([automaton.initial]);
  for (const edge of automaton.edges) {
    if (edge.child !== undefined) fixed.add(edge.child);
    next[edge.from].add(edge.to);
    previous[edge.to].add(edge.from);
  }
  const follows = (from: number, to: number): boolean =>
    from !== to &&
    next[from].size === 1 &&
    previous[to].size === 1 &&
    !fixed.has(to) &&
    automaton.states[from].phase === automaton.states[to].phase;
  const of: number[] = new Array(count).fill(-1);
  const members: number[][] = [];
  for (let state = 0; state < count; state++) {
    if (of[state] >= 0) continue;
    let head = state;
    for (const walked = new Set([head]); previous[head].size === 1; walked.add(head)) {
      const [before] = previous[head];
      if (!follows(before, head) || walked.has(before) || of[before] >= 0) break;
      head = before;
    }
    const run: number[] = [];
    for (let at: number | undefined = head; at !== undefined && of[at] < 0; ) {
      of[at] = members.length;
      run.push(at);
      const [after]: number[] = next[at].size === 1 ? [...next[at]] : [];
      at = after !== undefined && follows(at, after) ? after : undefined;
    }
    members.push(run);
  }
  return { members, of };
}

const node = (automaton: number, box: number): string => `a${automaton}_${box}`;

function edgeLines(edge: PolicyEdge, a: number, boxes: readonly Boxes[]): string[] {
  const from = boxes[a].of[edge.from];
  const to = boxes[a].of[edge.to];
  const out: string[] = [];
  if (edge.automaton !== undefined) {
    const target = node(edge.automaton, boxes[edge.automaton].of[0]);
    return [
      `  ${node(a, from)} -> ${node(a, to)};`,
      `  ${node(a, to)} -> ${target} [style=bold, color="#b3541e", label="exec"];`,
    ];
  }
  const inside =
    from === to && boxes[a].members[from].indexOf(edge.to) === boxes[a].members[from].indexOf(edge.from) + 1;
  if (!inside)
    out.push(`  ${node(a, from)} -> ${node(a, to)}${edge.effect === undefined ? ' [style=dotted]' : ''};`);
  if (edge.child !== undefined)
    out.push(`  ${node(a, to)} -> ${node(a, boxes[a].of[edge.child])} [style=dashed, label="child"];`);
  return out;
}

function boxLabel(automaton: PolicyAutomaton, states: readonly number[], options: DotOptions): string {
  const labels = states.map((state) => automaton.states[state].label);
  const lines: string[] = [];
  for (let i = 0; i < labels.length; ) {
    let same = i;
    while (same < labels.length && labels[same] === labels[i]) same++;
    lines.push(shorten(labels[i], options.lineLength) + (same - i > 1 ? `  ×${same - i}` : ''));
    i = same;
  }
  const shown =
    lines.length > options.linesPerBox
      ? [...lines.slice(0, options.linesPerBox - 1), `… ${lines.length - options.linesPerBox + 1} more`]
      : lines;
  return `"${shown.map((line) => escapeLabel(line)).join('\\l')}\\l"`;
}

function boxStyle(automaton: PolicyAutomaton, states: readonly number[]): string {
  const first = automaton.states[states[0]];
  if (states.includes(automaton.initial)) return 'fillcolor="#ffffff", penwidth=2';
  if (states.every((state) => automaton.states[state].label.startsWith('waits in ')))
    return 'fillcolor="#fff4cc", color="#b38f00"';
  return first.phase === 'boot'
    ? 'fillcolor="#e3eefc", color="#3b6fb6"'
    : 'fillcolor="#e4f5e4", color="#3f8f3f"';
}

const shorten = (text: string, length: number): string =>
  text.length <= length
    ? text
    : `${text.slice(0, Math.ceil(length * 0.6))}…${text.slice(-Math.floor(length * 0.4) + 1)}`;
const escapeLabel = (text: string): string => text.replace(/[\\"]/g, '\\$&').replace(/[\u0000-\u001f]/g, '?');
const quote = (text: string): string => `"${escapeLabel(text)}"`;
