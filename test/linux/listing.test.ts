// Directories are listed in the environment's order, all of them and each name once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { treeBuilder } from '../../src/image/index.ts';
import { O } from '../../src/linux/abi-file.ts';
import type { EnvironmentValues } from '../../src/linux/index.ts';
import { Box } from './box.ts';

const NAMES = ['apt', 'cron', 'dpkg', 'e2scrub', 'logrotate', 'man-db', 'passwd', 'tick'];

/** Names that getdents64 gives, in buffers of this size. */
function listed(values: Partial<EnvironmentValues>, size = 4096): string[] {
  const builder = treeBuilder();
  for (const name of NAMES) builder.addFile(`/d/${name}`, name);
  const box = new Box({ tree: builder.build(), environment: values });
  const fd = box.sys('open', '/d', O.RDONLY | O.DIRECTORY, 0) as number;
  const buffer = box.buffer(size);
  const out: string[] = [];
  for (;;) {
    const count = box.sys('getdents64', fd, buffer, size) as number;
    if (count <= 0) break;
    const bytes = box.read(buffer, count);
    for (let at = 0; at < count; at += bytes[at + 16] | (bytes[at + 17] << 8)) {
      const end = bytes.indexOf(0, at + 19);
      out.push(Buffer.from(bytes.subarray(at + 19, end)).toString('latin1'));
    }
  }
  return out;
}

test('a directory is listed in the order of the environment', () => {
  const backwards = [...NAMES].reverse();
  assert.deepEqual(listed({}), ['.', '..', ...NAMES]);
  assert.deepEqual(listed({ listing: 'backwards' }), ['.', '..', ...backwards]);
  const hashed = listed({ listing: 'hashed', seed: 1 });
  assert.deepEqual(hashed.slice(0, 2), ['.', '..']);
  assert.deepEqual(hashed.slice(2).sort(), NAMES);
  assert.notDeepEqual(hashed.slice(2), NAMES);
  assert.notDeepEqual(hashed.slice(2), backwards);
  assert.notDeepEqual(listed({ listing: 'hashed', seed: 2 }), hashed);
});

test('small buffers give the same list', () => {
  for (const listing of ['by name', 'backwards', 'hashed'] as const)
    assert.deepEqual(listed({ listing }, 48), listed({ listing }));
});
