// Request targets that a configuration names: paths in the text files that a service read while it started, which are
// no paths of its file system (`location /up`, `ScriptAlias /cgi-bin/`), and any file with an ending that it names. Probes ask for them (until symbolic input finds
// them by itself).
import { decodeText } from '../bytes/index.ts';
import { takeTurns } from './names.ts';

/** Taken from all files together. */
const MAX_TARGETS = 32;
/** In one directory: what is served there is one kind, mostly. */
const MAX_OF_DIRECTORY = 4;
/** Of one file. */
export const MAX_CONFIG_BYTES = 128 * 1024;

const PATH = /(?:^|[\s"'=(^])(\/(?:[\w.~%+-]+\/?)+)/g;

/** Endings of names that have a meaning: `~ \.php$`, `\.(?:cgi|pl)$`, `*.jsp`. */
const ENDING = /\\\.\(?(?:\?:)?((?:\w+\|)*\w+)\)?\$|[\s"'/]\*\.(\w+)/g;
const MAX_ENDINGS = 3;

/** Keys and certificates: letters, digits and slashes that mean nothing. */
const ARMOUR = /^-----BEGIN ([A-Z0-9 ]+)-----$[\s\S]*?^-----END \1-----$/gm;

/** Distinct targets, some of every directory that is named; `isFile` says what is there in the file system. */
export function requestTargets(
  files: readonly Uint8Array[],
  isFile: (path: string) => boolean,
): readonly string[] {
  const groups = new Map<string, Set<string>>();
  for (const bytes of files) {
    if (bytes.length === 0 || bytes.includes(0)) continue;
    for (const line of decodeText(bytes).replace(ARMOUR, '').split('\n')) {
      if (/^\s*(?:#|;|\/\/)/.test(line)) continue;
      for (const [, path] of line.matchAll(PATH)) {
        if (isFile(path) || path.length > 128) continue;
        const directory = path.slice(0, path.lastIndexOf('/') + 1);
        const group = groups.get(directory) ?? new Set();
        groups.set(directory, group.add(path));
      }
      for (const [, several, one] of line.matchAll(ENDING))
        for (const ending of (several ?? one).split('|').slice(0, MAX_ENDINGS)) {
          const group = groups.get('*') ?? new Set();
          groups.set('*', group.add(`/{token}.${ending}`));
        }
    }
  }
  return takeTurns(
    [...groups.values()].map((group) => [...group].slice(0, MAX_OF_DIRECTORY)),
    MAX_TARGETS,
  );
}
