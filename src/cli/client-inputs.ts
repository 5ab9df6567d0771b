// `--inputs DIR`: what clients say, read from a directory of files.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../bytes/index.ts';
import { type ClientInput, clientInputs } from '../explore/index.ts';

/** Largest capture. */
const MAX_BYTES = 256 << 20;

/** Inputs of a directory's files, in the order of their names; InputError where there is no directory, or nothing in it. */
export function loadInputs(directory: string): readonly ClientInput[] {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new InputError(
      'no directory',
      directory,
      '--inputs takes one with a file for each connection, or captures',
    );
  const names = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .sort();
  if (names.length === 0) throw new InputError('no files', directory);
  const inputs = clientInputs(contents(directory, names));
  const broken = inputs.filter(({ isBroken }) => isBroken).length;
  if (broken > 0)
    process.stderr.write(
      `${directory}: bytes of ${broken} connections are missing in captures; what follows them is left out\n`,
    );
  return inputs;
}

function* contents(directory: string, names: readonly string[]): Iterable<readonly [string, Uint8Array]> {
  for (const name of names) {
    const path = join(directory, name);
    const { size } = statSync(path);
    if (size > MAX_BYTES) throw new InputError(`${size} bytes`, path, `at most ${MAX_BYTES}`);
    yield [name, new Uint8Array(readFileSync(path))];
  }
}
