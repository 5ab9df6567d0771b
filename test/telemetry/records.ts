// The records of a SysFlow file one by one, bare, as they go over SysFlow's socket.
import { memoryAccess } from '../../src/host/index.ts';
import { OcfReader, parseSchema } from '../../src/telemetry/index.ts';
import { compileValue } from './avro-compile.ts';

export function bareRecords(file: Uint8Array): Uint8Array[] {
  const reader = new OcfReader(memoryAccess('test', file));
  const decode = compileValue(parseSchema(reader.schema, 'test'));
  const found: Uint8Array[] = [];
  for (const item of reader.items()) {
    if (item.kind !== 'block') continue;
    for (let at = 0; at < item.data.length; ) {
      const { next } = decode(item.data, at, item.data.length);
      found.push(item.data.slice(at, next));
      at = next;
    }
  }
  return found;
}
