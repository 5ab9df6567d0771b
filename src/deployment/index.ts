// deployment: how clusters and engines start the containers of an image. Floor 1.
export {
  type DeployedContainer,
  type DeployedMount,
  type DeployedPort,
  type Deployment,
  type DeploymentFile,
  type DeploymentNote,
  type EntryCommand,
  type EnvVariable,
  type MountContent,
  type MountedFile,
  type ProbeRequest,
  plainContainer,
} from './deployment.ts';
export { type DeploymentOptions, parseDeployment } from './parse.ts';
export { matchesImage, normalizeImage } from './reference.ts';
export { shellWords } from './shell-words.ts';
export {
  join,
  known,
  resolve,
  type Text,
  type Unknown,
  type UnknownShape,
  unknown,
  unknownsOf,
} from './text.ts';
