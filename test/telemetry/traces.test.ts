// Real traces, where there are any: every record, all fields, against the library; and no record is lost in joining.
// The traces are not part of the project: EFFIGY_TRACES names their directory, else ../shared/traces is tried.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFile } from '../../src/host/index.ts';
import { OcfReader, openSysFlow, parseSchema } from '../../src/telemetry/index.ts';
import { compileValue } from './avro-compile.ts';
import { libraryType, ours, same } from './avro-data.ts';

const directory = process.env['EFFIGY_TRACES'] ?? '../shared/traces';
const traces = existsSync(directory)
  ? readdirSync(directory, { recursive: true })
      .map(String)
      .filter((name) => statSync(join(directory, name)).isFile() && !/\.(md|json|txt)$/.test(name))
      .sort()
  : [];

if (traces.length === 0) test('real traces', (t) => t.skip(`no traces in ${directory}; set EFFIGY_TRACES`));

for (const name of traces) {
  test(`trace ${name}: every record as the library decodes it`, () => {
    const reader = new OcfReader(openFile(join(directory, name)));
    const type = parseSchema(reader.schema, name);
    const library = libraryType(reader.schema);
    const decode = compileValue(type);
    let records = 0;
    for (const item of reader.items()) {
      assert.equal(item.kind, 'block');
      if (item.kind !== 'block') continue;
      const bytes = Buffer.from(item.data.buffer, item.data.byteOffset, item.data.byteLength);
      let at = 0;
      for (let i = 0; i < item.records; i++) {
        const mine = decode(item.data, at, item.data.length);
        const theirs = library.decode(bytes, at) as { value: unknown; offset: number };
        assert.equal(mine.next, theirs.offset);
        if (!same(type, mine.value, theirs.value)) assert.deepEqual(mine.value, ours(type, theirs.value));
        at = mine.next;
        records += 1;
      }
      assert.equal(at, item.data.length);
    }
    assert.ok(records > 0);
  });

  test(`trace ${name}: every flow and event finds its process and file`, () => {
    const source = openSysFlow(openFile(join(directory, name)));
    const gaps = new Map<string, number>();
    let observed = 0;
    for (const observation of source.observations()) {
      if (observation.kind === 'gap')
        gaps.set(observation.reason, (gaps.get(observation.reason) ?? 0) + observation.records);
      else observed += 1;
    }
    // The one kind of record that cannot be used: sockets that were closed before they had a protocol or an address.
    gaps.delete('network flow without protocol and address');
    assert.deepEqual([...gaps], []);
    assert.ok(observed > 0);
    const kinds = ['FileFlow', 'NetworkFlow', 'ProcessEvent', 'FileEvent'];
    const effects = kinds.reduce((sum, kind) => sum + (source.records.get(kind) ?? 0), 0);
    const total = [...source.records.values()].reduce((a, b) => a + b, 0);
    assert.ok(effects <= total);
  });
}
