// Why the kernel says "no such file" of a program that is there: the interpreter that a script's first line names, or
// the dynamic loader that a program asks for, is missing (fs/binfmt_script.c, fs/binfmt_elf.c).
import { InputError } from '../bytes/index.ts';
import { ElfSource, interpreterOf, isElf, parseElf } from '../elf/index.ts';
import { headSize, maxScripts, scriptLine } from './programs.ts';

/** Contents of a regular file. */
export interface Contents {
  readonly size: number;
  /** Fills `into` from `offset`; the range lies within the file. */
  readInto(offset: number, into: Uint8Array): void;
}

/**
 * InputError where what `path` needs to run is not there. `open`: the regular file at an absolute path, links followed;
 * undefined where there is none. `where` names what is to be run.
 */
export function checkInterpreter(
  path: string,
  open: (path: string) => Contents | undefined,
  where: string,
): void {
  let at = path;
  for (let depth = 0; depth < maxScripts; depth++) {
    const file = open(at);
    if (file === undefined) return;
    const needed = interpreter(file, at);
    // A relative one starts from a directory that only the kernel knows.
    if (needed?.path.startsWith('/') !== true) return;
    if (open(needed.path) === undefined)
      throw new InputError(
        `${JSON.stringify(at)} needs ${JSON.stringify(needed.path)}, which is not there`,
        where,
        needed.path.includes('\r') ? 'its first line ends in a carriage return' : needed.because,
      );
    at = needed.path;
  }
}

function interpreter(file: Contents, path: string): { path: string; because: string } | undefined {
  const head = new Uint8Array(Math.min(file.size, headSize));
  file.readInto(0, head);
  const script = scriptLine(head);
  if (script !== undefined)
    return { path: script.interpreter, because: 'the first line of the script names it' };
  if (!isElf(head)) return undefined;
  try {
    const loader = interpreterOf(parseElf(new ElfSource(file, path)));
    return loader === undefined
      ? undefined
      : { path: loader, because: 'it is the dynamic loader of the program' };
  } catch (error) {
    // The kernel will say what it thinks of such a program.
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
