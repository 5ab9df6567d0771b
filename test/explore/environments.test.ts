import assert from 'node:assert/strict';
import test from 'node:test';
import { ENVIRONMENTS } from '../../src/explore/index.ts';

test('environments share no value that could end up in a name', () => {
  const second = 1_000_000_000n;
  const values = ENVIRONMENTS.map(({ values, token }) => ({
    token,
    hostName: values.hostName,
    firstPid: values.firstPid,
    seed: values.seed,
    seconds: values.time / second,
    nanoseconds: values.time % second,
    // Names of temporary files come from the fraction of the monotonic clock.
    up: values.uptime / second,
    upNanoseconds: values.uptime % second,
    address: values.address,
    clientAddress: values.clientAddress,
    clientPort: values.clientPort,
    bootId: values.bootId,
  }));
  for (const key of Object.keys(values[0]) as (keyof (typeof values)[number])[]) {
    const column = values.map((value) => String(value[key]));
    assert.equal(new Set(column).size, ENVIRONMENTS.length, `${key}: ${column.join(' ')}`);
  }
});
