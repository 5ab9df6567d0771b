// Programs of this machine as entries of an image's layer, with the libraries and the dynamic loader that they need.
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import type { LayerEntry } from '../../src/image/index.ts';

/** A program, put at `path` in the image, and every library that `ldd` names, under the name that it is looked up by. */
export function program(hostFile: string, path: string): LayerEntry[] {
  return [
    file(hostFile, path, 0o755),
    ...libraries(hostFile).map((library) => file(library, library, 0o755)),
  ];
}

export function file(hostFile: string, path: string, mode: number): LayerEntry {
  return { kind: 'file', path, mode, hostFile: realpathSync(hostFile) };
}

/** Absolute paths of the loader and the shared libraries; none for a static program. */
export function libraries(hostFile: string): string[] {
  const output = ldd(hostFile);
  return output.split('\n').flatMap((line) => {
    const path = /(?:=>)?\s*(\/\S+)\s+\(0x[0-9a-f]+\)$/.exec(line)?.[1];
    return path === undefined ? [] : [path];
  });
}

function ldd(hostFile: string): string {
  try {
    return execFileSync('ldd', [hostFile], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stderr } = error as { readonly stderr?: string };
    if (/not a dynamic executable|statically linked/.test(stderr ?? '')) return '';
    throw error;
  }
}

/** Without repeated paths, sorted: an image's bytes do not depend on who asked first. */
export function layer(entries: readonly LayerEntry[]): LayerEntry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
