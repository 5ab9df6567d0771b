// Rows of what a search on symbolic inputs found, with what is tried because of it.
import {
  type Explorer,
  NameSearch,
  type Scenario,
  type ScenarioTrace,
  type SymbolicRun,
  type SymbolicSearch,
  withOwnText,
} from '../explore/index.ts';
import type { Novelty } from './novelty.ts';
import type { ServedRow } from './rows.ts';
import { newTexts } from './scenarios.ts';
import { unitedRuns } from './symbolic.ts';

/** The serving pass that a search is a part of. */
export interface Searcher {
  readonly explorers: readonly Explorer[];
  readonly novelty: Novelty;
  /** What effects named before anything symbolic was tried. */
  readonly named: ReadonlySet<string>;
  /** Whether the budget has something left for one more run, which counts as tried then. */
  mayTry(): boolean;
  /** Tries names that are there, in the place of those that the scenario made the service look for. */
  tryNames(scenario: Scenario, names: NameSearch): void;
}

/**
 * Rows of what was found. Names in new effects that a message gave may be others with any client: the message with the
 * clients' own text in their place is tried as well, and then with names that are there.
 */
export function foundRows(
  search: SymbolicSearch,
  found: readonly SymbolicRun[],
  { explorers, novelty, named, mayTry, tryNames }: Searcher,
): ServedRow[] {
  const { token } = explorers[0].environment;
  const runs: SymbolicRun[] = [];
  const others: (readonly ScenarioTrace[])[] = [];
  const add = (run: SymbolicRun, scenario: Scenario | undefined): void => {
    runs.push(run);
    others.push(scenario === undefined ? [] : explorers.slice(1).map((explorer) => explorer.play(scenario)));
  };
  for (const run of found) {
    const fresh = newTexts(run.trace, named).filter((text) => !text.includes(token));
    const general = withOwnText(run.scenario, fresh, `${run.scenario.name}, own text`);
    add(run, general === run.scenario ? run.scenario : undefined);
    if (general === undefined || general === run.scenario || !mayTry()) continue;
    const names = new NameSearch(token);
    const again = search.replay(general, names);
    if (novelty.isNew(again.trace, again.patterns)) add(again, general);
    tryNames(general, names);
  }
  return unitedRuns(runs).map(({ trace, patterns }, i) => ({
    traces: [trace, ...others[i]],
    stage: 0,
    explored: patterns,
  }));
}
