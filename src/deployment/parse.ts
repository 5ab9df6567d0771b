// A deployment file as text: YAML or JSON, one document or several, Kubernetes or Compose.
import { LineCounter, parseAllDocuments } from 'yaml';
import { Fields, InputError } from '../bytes/index.ts';
import { isCompose, readCompose } from './compose.ts';
import type { ReadFile } from './compose-reader.ts';
import type { DeploymentFile } from './deployment.ts';
import { isKubernetes, readKubernetes } from './kubernetes.ts';

const MAX_BYTES = 16 * 2 ** 20;
const strict = new TextDecoder('utf-8', { fatal: true });

export interface DeploymentOptions {
  /** Name of the directory of the file: the name of a Compose project that gives none. */
  readonly directory: string;
  /** Files beside the manifest (`.env`, `env_file`, configs), by the path that the manifest writes. */
  readonly readFile: ReadFile;
}

/** Throws InputError where the file is no manifest or one that contradicts itself. */
export function parseDeployment(
  bytes: Uint8Array,
  where: string,
  options: DeploymentOptions,
): DeploymentFile {
  const documents = readDocuments(bytes, where);
  const kubernetes = documents.filter(isKubernetes);
  const compose = documents.filter(isCompose);
  if (kubernetes.length > 0 && kubernetes.length === documents.length) {
    const file = readKubernetes(kubernetes);
    if (file.deployments.length === 0)
      throw new InputError(
        'no object of this manifest runs containers',
        where,
        'Pod, Deployment, StatefulSet, DaemonSet, Job and CronJob do',
      );
    return file;
  }
  if (compose.length === 1 && documents.length === 1) return readCompose(compose[0], options);
  throw new InputError(
    'neither Kubernetes objects nor a Compose file',
    where,
    'every document needs `apiVersion` and `kind`, or the one document `services`',
  );
}

function readDocuments(bytes: Uint8Array, where: string): Fields[] {
  if (bytes.length > MAX_BYTES) throw new InputError('longer than 16 MiB', where, 'this is no manifest');
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch {
    throw new InputError('not UTF-8 text', where);
  }
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    merge: true,
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
  });
  const documents = 'empty' in parsed ? [] : parsed;
  return documents.flatMap((document, i): Fields[] => {
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw new InputError(error.message, `${where}, line ${line}, column ${col}`);
    }
    const value = plain(document, where);
    if (value === null || value === undefined) return [];
    return [new Fields(value, documents.length === 1 ? where : `${where}, document ${i + 1}`, '')];
  });
}

function plain(document: { toJS(options: { maxAliasCount: number }): unknown }, where: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 1000 });
  } catch {
    throw new InputError('aliases multiply beyond measure or are not defined', where, 'write them out');
  }
}
