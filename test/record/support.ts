// Recording in tests: a directory of its own, and reasons to skip.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { type RecordOptions, type RecordSummary, record } from '../../src/record/index.ts';

/** A directory that goes with the test. */
export function directory(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'effigy-test-record-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Undefined, with the test skipped, where this machine does not let anything be recorded. */
export async function recorded(t: TestContext, options: RecordOptions): Promise<RecordSummary | undefined> {
  try {
    return await record(options);
  } catch (error) {
    if (
      error instanceof InputError &&
      /not installed|can't attach|namespaces|may only map one id/.test(error.message)
    ) {
      t.skip(error.message);
      return undefined;
    }
    throw error;
  }
}
