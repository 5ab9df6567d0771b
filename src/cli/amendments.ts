// Amendment files as commands take them: `--allow FILE`, several.
import { readFileSync } from 'node:fs';
import { InputError } from '../bytes/index.ts';
import { hostError } from '../host/index.ts';
import { type Amendment, readAmendments } from '../policy/index.ts';

export function loadAmendments(files: readonly string[]): Amendment[] {
  const whose = new Map<string, string>();
  return files.flatMap((file) => {
    const amendments = readAmendments(readText(file), file);
    for (const { name } of amendments) {
      const other = whose.get(name);
      if (other !== undefined)
        throw new InputError(`an amendment of ${other} is named ${name}, too`, file, 'rename one');
      whose.set(name, file);
    }
    return amendments;
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw hostError(error, file);
  }
}
