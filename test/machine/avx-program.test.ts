// Whole programs built for x86-64-v3 and v2 on the processor and in the machine under both engines: what they print is the
// same, byte for byte.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CPU_LEVELS, type FeatureSet } from '../../src/isa/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { addProgram, compile, hasTool, runGuest, runNative, treeBuilder } from '../linux/guest.ts';
import { hostFeatures } from '../native/native.ts';
import { AVX_PROGRAMS } from './avx-programs.ts';

function unavailable(features: FeatureSet): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs an x86-64 Linux host';
  if (!hasTool('gcc')) return 'needs gcc';
  const host = new Set<string>(hostFeatures());
  const missing = [...features].filter((feature) => !host.has(feature));
  return missing.length === 0 ? undefined : `the host's processor lacks ${missing.join(' ')}`;
}

for (const { level, name, source, flags } of AVX_PROGRAMS) {
  test(`${level}: ${name}`, (t) => {
    const features = CPU_LEVELS[level];
    const reason = unavailable(features);
    if (reason !== undefined) {
      t.skip(reason);
      return;
    }
    const path = compile(source, { flags: [...flags] });
    const native = runNative(path, []);
    assert.ok(native.stdout.length > 0);
    for (const engine of ['fast', 'reference'] as const) {
      const guest = runGuest(
        addProgram(treeBuilder(), path, '/program'),
        { argv: ['/program'] },
        { machine: createMachine({ engine, features }) },
      );
      const cuts = [...guest.kernel.cuts.values()].map(({ cut }) => `${cut.kind} ${cut.what}`);
      assert.deepEqual(
        cuts.filter((cut) => cut.startsWith('instruction')),
        [],
        engine,
      );
      assert.equal(guest.stdout, native.stdout, engine);
      assert.deepEqual(guest.stop, { kind: 'exited', status: 0 }, engine);
      guest.kernel.release();
    }
  });
}
