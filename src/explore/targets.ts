// Request targets that a configuration names: paths in the text files that a service read while it started, which are
// no paths of its file system (`location /up`, `ScriptAlias /cgi-bin/`). Probes ask for them (until symbolic input finds
// them by itself).
import { decodeText } from '../bytes/index.ts';

/** Taken from all files together. */
const MAX_TARGETS = 32;
/** Of one file. */
export const MAX_CONFIG_BYTES = 128 * 1024;

const PATH = /(?:^|[\s"'=(^])(\/(?:[\w.~%+-]+\/?)+)/g;

/** Distinct targets in the order of the files; `isFile` says what is there in the file system. */
export function requestTargets(
  files: readonly Uint8Array[],
  isFile: (path: string) => boolean,
): readonly string[] {
  const out = new Set<string>();
  for (const bytes of files) {
    if (bytes.length === 0 || bytes.includes(0)) continue;
    for (const line of decodeText(bytes).split('\n')) {
      if (/^\s*(?:#|;|\/\/)/.test(line)) continue;
      for (const [, path] of line.matchAll(PATH)) {
        if (out.size >= MAX_TARGETS) return [...out];
        if (!isFile(path) && path.length <= 128) out.add(path);
      }
    }
  }
  return [...out];
}
