import assert from 'node:assert/strict';
import test from 'node:test';
import { grouped } from '../../src/bytes/index.ts';

test('numbers for people', () => {
  for (const [n, text] of [
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
    [-12_345, '-12,345'],
  ] as const)
    assert.equal(grouped(n), text);
});
