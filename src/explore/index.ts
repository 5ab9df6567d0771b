// explore: what the environment does to a booted image, and what comes of it. Floor 5.
export { type ClientInput, clientInputs, inputScenarios } from './client-inputs.ts';
export {
  DATAGRAMS,
  DIALOGUES,
  type Dialogue,
  datagramDialogue,
  dialogueScenario,
  needsAccount,
} from './dialogues.ts';
export { ENVIRONMENTS, type Environment, knownTexts } from './environments.ts';
export {
  type Attempt,
  type BootResult,
  type Budgets,
  DEFAULT_BUDGETS,
  Explorer,
} from './explorer.ts';
export { askEach, knownWords, likelyWords, madeUp, wordProbe } from './known-words.ts';
export { type Entry, type Launch, launchOf, launchScenarios, plainLaunch } from './launch.ts';
export { type NamePlace, NameSearch, namesAt } from './names.ts';
export { outsideScenarios, turnsOutside } from './outside.ts';
export type { Enough, PlayOptions } from './player.ts';
export { isVeryLong, LONG_BOOT, lastingPaths, type RestartWay, restartWays } from './restarts.ts';
export { namesInAnswers, parameterScenario, routeScenario } from './routes.ts';
export {
  type Action,
  askingForFile,
  askingForNames,
  chainScenario,
  connectionScenarios,
  datagramScenarios,
  encodePayload,
  fromWithin,
  inTurn,
  manyClients,
  overTls,
  PAYLOADS,
  type Payload,
  payloadScenarios,
  type Scenario,
  signalScenarios,
  speaksTls,
  TIME_SCENARIOS,
  wordScenarios,
} from './scenario.ts';
export { findSettings, settingScenario, turnScenario } from './settings.ts';
export {
  type SymbolicBudgets,
  type SymbolicRun,
  SymbolicSearch,
  type SymbolicStatistics,
  symbolicBudgets,
} from './symbolic.ts';
export type { ExploredPatterns } from './symbolic-events.ts';
export { plainSeeds, seedOf, withOwnText } from './symbolic-input.ts';
export type { TextPatterns } from './symbolic-resource.ts';
export { coversPattern, joinedPattern, PatternUnion } from './symbolic-union.ts';
export type { ActionMark, EntryStep, ScenarioTrace, Step, WaitStep } from './trace.ts';
export type { Stopped } from './trail.ts';
