// What clients of a web service send to the paths that it knows: every method, what is below them, and parameters of the
// names that the sources behind the path have and that its answers want.
import {
  type Explorer,
  namesInAnswers,
  parameterScenario,
  routeScenario,
  type Scenario,
  type ScenarioTrace,
} from '../explore/index.ts';
import type { Novelty } from './novelty.ts';

/** Requests with parameters to one path, where answers ask for others. */
const MAX_ROUNDS = 3;

interface Trying {
  readonly first: Explorer;
  readonly novelty: Novelty;
  readonly play: (scenario: Scenario) => ScenarioTrace | undefined;
}

/** Of what the service survived, one scenario a treatment: paths that are treated alike leave the same behind. */
export function tryPaths(
  listener: number,
  paths: readonly string[],
  { first, novelty, play }: Trying,
): readonly Scenario[] {
  const lasting = new Map<string, Scenario>();
  const tryOut = (scenario: Scenario, path: string): ScenarioTrace | undefined => {
    const trace = play(scenario);
    if (trace?.ended !== false) return trace;
    const treatment = novelty.treatment({ ...trace, chosen: path });
    if (!lasting.has(treatment)) lasting.set(treatment, scenario);
    return trace;
  };
  for (const path of paths) {
    const trace = tryOut(routeScenario(listener, path), path);
    // what the requests made it read tells which parameters it may know, and what it answers which ones it wants
    const fromSources = first.quotedNames(trace?.steps ?? []);
    const sent = new Set(fromSources);
    let asked = namesInAnswers(trace?.answers ?? []);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const names = round === 0 ? [...new Set([...asked, ...fromSources])] : asked;
      if (names.length === 0) break;
      for (const name of names) sent.add(name);
      const again = tryOut(parameterScenario(listener, path, names), path);
      const wanted = namesInAnswers(again?.answers ?? []);
      if (wanted.every((name) => sent.has(name))) break;
      asked = wanted;
    }
  }
  return [...lasting.values()];
}
