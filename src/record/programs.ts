// What an exec of a path maps: the file behind its symbolic links, or the interpreter that a script's first line names
// (fs/binfmt_script.c). Looked up in the file system that the recorded processes have, as it is at that moment; a
// container's by its unpacked copy, so what only exists in its own mounts is not found.
import { closeSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { decodeText } from '../bytes/index.ts';
import { hostPath } from './rootfs.ts';

export interface MappedProgram {
  /** Without symbolic links. */
  readonly path: string;
  /** What the kernel puts before argv[1..]: an interpreter's argument, the script's name. */
  readonly before: readonly string[];
}

/** As many as the kernel follows. */
const maxLinks = 40;
/** Scripts that name a script as their interpreter, one after the other. */
export const maxScripts = 5;
/** Bytes of a file that the kernel looks at (BINPRM_BUF_SIZE). */
export const headSize = 256;

/**
 * `root`: directory of this machine that is the recorded processes' root, '' for this machine's own. The function takes
 * an absolute path and the name that exec was given; undefined where nothing can be found out.
 */
export function programFinder(root: string): (path: string, named: string) => MappedProgram | undefined {
  return (path, named) => {
    let before: readonly string[] = [];
    let name = named;
    let place = resolve(root, path);
    for (let depth = 0; depth < maxScripts && place !== undefined; depth++) {
      const script = scriptOf(root, place);
      if (script === undefined) return { path: place, before };
      before = [...(script.argument === '' ? [] : [script.argument]), name, ...before];
      name = script.interpreter;
      // A relative one starts from a directory that only the kernel knows.
      place = name.startsWith('/') ? resolve(root, name) : undefined;
    }
    return undefined;
  };
}

/** The path without symbolic links, looked up as by a process whose root is `root`; undefined where there is none. */
function resolve(root: string, path: string): string | undefined {
  const pending = path.split('/').reverse();
  let at: string[] = [];
  let links = 0;
  try {
    while (pending.length > 0) {
      const part = pending.pop() as string;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        at.pop();
        continue;
      }
      const here = hostPath(root, `/${[...at, part].join('/')}`);
      if (!lstatSync(here).isSymbolicLink()) {
        at.push(part);
        continue;
      }
      if (++links > maxLinks) return undefined;
      const target = decodeText(readlinkSync(here, { encoding: 'buffer' }));
      if (target.startsWith('/')) at = [];
      pending.push(...target.split('/').reverse());
    }
  } catch {
    // It was there a moment ago, or is not for us to see.
    return undefined;
  }
  return `/${at.join('/')}`;
}

function scriptOf(root: string, path: string): ReturnType<typeof scriptLine> {
  const head = headOf(hostPath(root, path));
  return head === undefined ? undefined : scriptLine(head);
}

/** The first line of a script, from a file's head: interpreter and the rest of the line, blanks around both stripped. */
export function scriptLine(
  head: Uint8Array,
): { readonly interpreter: string; readonly argument: string } | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const newline = head.indexOf(0x0a);
  const line = decodeText(head.subarray(2, newline < 0 ? undefined : newline)).replace(/\0.*$/s, '');
  const match = /^[ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/s.exec(line);
  return match === null ? undefined : { interpreter: match[1], argument: match[2] };
}

function headOf(file: Buffer): Buffer | undefined {
  try {
    if (!lstatSync(file).isFile()) return undefined;
    const fd = openSync(file, 'r');
    try {
      const head = Buffer.alloc(headSize);
      return head.subarray(0, readSync(fd, head, 0, headSize, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
