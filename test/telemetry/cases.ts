// Text cases: `# title`, input lines, `==>`, expected lines. UPDATE=1 rewrites what is expected.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fixture } from './avro-data.ts';

export function runCases(file: string, run: (input: readonly string[]) => readonly string[]): void {
  const path = fixture(file);
  const [preface, ...sections] = readFileSync(path, 'latin1').split(/^# /m);
  const rewritten = [preface];
  for (const section of sections) {
    const [title, ...body] = section.trimEnd().split('\n');
    const middle = body.indexOf('==>');
    const input = body.slice(0, middle).filter((line) => line !== '');
    const expected = body.slice(middle + 1);
    if (process.env['UPDATE'] === '1') {
      rewritten.push(`# ${title}\n${[...input, '==>', ...run(input)].join('\n')}\n\n`);
      continue;
    }
    test(`${file}: ${title}`, () => assert.deepEqual(run(input), expected));
  }
  if (process.env['UPDATE'] === '1') writeFileSync(path, rewritten.join(''), 'latin1');
}
