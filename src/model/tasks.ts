// Which tasks of several runs correspond: those that were created in the same order by corresponding parents at the same
// call stack. Where children of one call stack became other programs in another order (scripts of a directory, in the
// order in which it lists them), those correspond that became the same.
import { resourceTexts } from '../effect/index.ts';
import { type Explorer, knownTexts, type Step } from '../explore/index.ts';
import type { EffectEvent } from '../linux/index.ts';
import { stackKey } from './stack.ts';

/** One run of a scenario: what went before it, and its own events. */
export interface Run {
  readonly before: readonly EffectEvent[];
  readonly events: readonly EffectEvent[];
  /** Texts that belong to the environment (host name, addresses), for events without a counterpart. */
  readonly known: readonly string[];
  /** What the clients of this run wrote where they could write anything; '' where nothing. */
  readonly chosen: string;
  /** Names of tasks that came in from outside, by tid; corresponding tasks have the same. */
  readonly entered: ReadonlyMap<number, string>;
}

export const eventsOf = (steps: readonly Step[]): EffectEvent[] =>
  steps.flatMap((step) => (step.kind === 'effect' ? [step.event] : []));

/** A boot as a run to be compared. */
export const bootRun = ({ boot, environment, launch }: Explorer): Run => ({
  before: [],
  events: eventsOf(boot.steps),
  known: [...knownTexts(environment), ...launch.unknown],
  chosen: '',
  entered: new Map(),
});

/** Events of each run by task; corresponding tasks have the same key. */
export function tasksOf(runs: readonly Run[]): Map<string, EffectEvent[]>[] {
  const programs = runs.map(programsOf);
  const shuffled = shuffledSites(runs, programs);
  return runs.map((run, i) => byTask(run, programs[i], shuffled));
}

/** The first program that each task became, with its arguments. */
function programsOf({ before, events }: Run): ReadonlyMap<number, string> {
  const out = new Map<number, string>();
  for (const list of [before, events])
    for (const { effect, result, tid } of list)
      if (effect.op === 'EXEC' && result >= 0 && !out.has(tid))
        out.set(tid, JSON.stringify(resourceTexts(effect.resource)));
  return out;
}

/** Programs of children by call stack, where their order is not the same in all runs: those that are as often in each. */
function shuffledSites(
  runs: readonly Run[],
  programs: readonly ReadonlyMap<number, string>[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const lists = runs.map(({ before, events }, i) => {
    const sites = new Map<string, string[]>();
    for (const list of [before, events])
      for (const event of list) {
        const program = event.effect.op === 'CLONE' ? programs[i].get(event.result) : undefined;
        if (program === undefined) continue;
        const site = stackKey(event.stack);
        const known = sites.get(site);
        if (known === undefined) sites.set(site, [program]);
        else known.push(program);
      }
    return sites;
  });
  const out = new Map<string, ReadonlySet<string>>();
  for (const site of new Set(lists.flatMap((sites) => [...sites.keys()]))) {
    const columns = lists.map((sites) => sites.get(site) ?? []);
    const [first] = columns;
    if (columns.every((column) => column.length === first.length && column.every((p, i) => p === first[i])))
      continue;
    const counts = columns.map(countsOf);
    const same = [...counts[0]].filter(([program, n]) => counts.every((each) => each.get(program) === n));
    out.set(site, new Set(same.map(([program]) => program)));
  }
  return out;
}

function countsOf(texts: readonly string[]): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const text of texts) out.set(text, (out.get(text) ?? 0) + 1);
  return out;
}

/** Events by task; the key names the task by how it came to be, not by its number. */
function byTask(
  run: Run,
  programs: ReadonlyMap<number, string>,
  shuffled: ReadonlyMap<string, ReadonlySet<string>>,
): Map<string, EffectEvent[]> {
  const names = new Map<number, string>();
  const born = new Map<string, number>();
  const out = new Map<string, EffectEvent[]>();
  const all = [...run.before, ...run.events];
  all.forEach((event, i) => {
    let name = names.get(event.tid);
    if (name === undefined) {
      name = run.entered.get(event.tid) ?? (i === 0 ? 'first task' : `task ${event.tid}`);
      names.set(event.tid, name);
    }
    if (i >= run.before.length) {
      const list = out.get(name);
      if (list === undefined) out.set(name, [event]);
      else list.push(event);
    }
    if (event.effect.op === 'CLONE' && event.result > 0) {
      const stack = stackKey(event.stack);
      const program = programs.get(event.result);
      const became = program !== undefined && shuffled.get(stack)?.has(program) === true ? program : '';
      const site = `${name} > ${stack} ${became}`;
      const ordinal = born.get(site) ?? 0;
      born.set(site, ordinal + 1);
      names.set(event.result, `${site} #${ordinal}`);
    }
  });
  return out;
}
