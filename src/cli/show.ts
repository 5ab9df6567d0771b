// `effigy show`: what a policy holds, for people; its graph as a picture.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { grouped, printable } from '../bytes/index.ts';
import { isLiteral, printEffect, resourceTexts } from '../effect/index.ts';
import { policyToDot, policyToSvg } from '../export/index.ts';
import { type Policy, type PolicyAutomaton, readPolicy } from '../policy/index.ts';

interface ShowOptions {
  readonly svg?: string;
  readonly dot?: string;
  readonly json?: boolean;
  readonly effects?: boolean;
}

export function addShowCommand(program: Command): void {
  program
    .command('show')
    .description('print what a policy allows, or draw its effect graph')
    .argument('<policy>', 'policy file made by effigy model')
    .option('--svg <file>', 'draw the effect graph')
    .option('--dot <file>', 'write the effect graph as Graphviz text')
    .option('--effects', 'list every effect with where in the program it comes from')
    .option('--json', 'print a summary as JSON')
    .addHelpText('after', '\nExample:\n  effigy show shop.policy.json --svg shop.svg')
    .action(async (file: string, options: ShowOptions) => {
      const policy = readPolicy(readFileSync(file, 'utf8'), file);
      if (options.svg !== undefined) writeFileSync(options.svg, await policyToSvg(policy));
      if (options.dot !== undefined) writeFileSync(options.dot, policyToDot(policy));
      const drawn = [options.svg, options.dot].filter((name) => name !== undefined);
      for (const name of drawn) process.stderr.write(`wrote ${name}\n`);
      if (options.json) process.stdout.write(`${JSON.stringify(summary(policy), null, 2)}\n`);
      else if (drawn.length === 0 || options.effects)
        process.stdout.write(describePolicy(policy, options.effects ?? false));
    });
}

/** Counts that describe a policy. */
export function summary(policy: Policy): object {
  return {
    image: policy.image,
    ...(policy.deployment === undefined ? {} : { deployment: policy.deployment }),
    entries: policy.entries ?? [],
    complete: policy.complete,
    incomplete: policy.incomplete,
    automata: policy.automata.map((automaton) => ({
      name: automaton.name,
      program: policy.programs[automaton.program].path,
      args: automaton.args,
      states: automaton.states.length,
      edges: automaton.edges.length,
      patterns: automaton.edges.filter(
        (edge) =>
          edge.effect !== undefined && resourceTexts(edge.effect.resource).some((text) => !isLiteral(text)),
      ).length,
    })),
    syscalls: policy.syscalls,
    coverage: policy.coverage,
    cuts: policy.cuts,
  };
}

/** Text for people; with `effects` every edge and its call stack. */
export function describePolicy(policy: Policy, effects: boolean): string {
  const { image, coverage } = policy;
  const lines = [
    `image      ${image.names.map(printable).join(', ') || '(unnamed)'}  ${image.configDigest}  ${image.platform}`,
    `starts     ${[...image.entrypoint, ...image.cmd].map(printable).join(' ')}${image.user === '' ? '' : `  as ${printable(image.user)}`}`,
    ...(policy.deployment === undefined
      ? []
      : [`deployed   ${printable(policy.deployment.container)} of ${printable(policy.deployment.name)}`]),
    `model      ${policy.complete ? 'complete' : `INCOMPLETE: ${policy.incomplete}`}; ${coverage.boots} boots, ${coverage.scenarios} scenarios, ${coverage.effects} effects, ${grouped(coverage.instructions)} instructions`,
    `listens    ${coverage.listeners.join(', ') || '(nothing)'}`,
    `syscalls   ${policy.syscalls.boot.length} in boot, ${policy.syscalls.serve.length} serving`,
    '',
  ];
  policy.automata.forEach((automaton, a) => {
    lines.push(
      `${a === policy.root ? '^' : ' '} ${automaton.name}: ${[policy.programs[automaton.program].path, ...automaton.args].map(printable).join(' ')}${startedAs(policy, a)}`,
    );
    lines.push(`    ${automaton.states.length} states, ${automaton.edges.length} edges`);
    lines.push(...(effects ? edgeLines(policy, automaton) : effectSummary(automaton)));
  });
  lines.push('', policy.cuts.length === 0 ? 'cuts       none' : `cuts       ${policy.cuts.length}`);
  for (const cut of policy.cuts)
    lines.push(
      `    ${cut.kind} ${printable(cut.what)} ×${cut.count} in ${printable(cut.program)}${cut.at === '' ? '' : ` at ${printable(cut.at)}`}: ${cut.consequence}`,
    );
  return `${lines.join('\n')}\n`;
}

/** Why the runtime starts it. */
function startedAs(policy: Policy, automaton: number): string {
  const reasons = (policy.entries ?? []).filter((entry) => entry.automaton === automaton);
  return reasons.length === 0 ? '' : `  (${reasons.map(({ reason }) => printable(reason)).join(', ')})`;
}

function effectSummary(automaton: PolicyAutomaton): string[] {
  const seen = new Map<string, Set<string>>();
  for (const edge of automaton.edges) {
    if (edge.effect === undefined) continue;
    const phase = automaton.states[edge.to].phase;
    const line = `${printEffect(edge.effect)}${edge.succeeds ? '' : '  (fails)'}`;
    const phases = seen.get(line) ?? new Set<string>();
    seen.set(line, phases.add(phase));
  }
  return [...seen].map(([line, phases]) => `    ${[...phases].join('+').padEnd(10)} ${line}`);
}

function edgeLines(policy: Policy, automaton: PolicyAutomaton): string[] {
  return automaton.edges.flatMap((edge) => {
    if (edge.effect === undefined)
      return [`    ${edge.from} -> ${edge.to}  (silent: ${automaton.states[edge.to].label})`];
    const targets = [
      edge.child === undefined ? '' : `, child starts in ${edge.child}`,
      edge.automaton === undefined ? '' : `, becomes ${policy.automata[edge.automaton].name}`,
    ];
    const outcome = edge.errors?.length ? ` errno ${edge.errors.join(',')}` : '';
    const head = `    ${edge.from} -> ${edge.to}  ${printEffect(edge.effect)}  [${edge.provenance}${outcome}${targets.join('')}]`;
    const frames = (edge.stack === undefined ? [] : policy.stacks[edge.stack]).map((index) => {
      const frame = policy.frames[index];
      return `          ${frame.program < 0 ? '?' : policy.programs[frame.program].path}+0x${frame.offset.toString(16)} ${frame.symbol}`;
    });
    return [head, ...frames];
  });
}
