// The packet server with each helper, against a client in Python or Perl.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type PacketSink, servePackets } from '../../src/host/index.ts';
import { sendPackets } from './packet-client.ts';

const directory = mkdtempSync(join(tmpdir(), 'effigy-packets-'));
after(() => rmSync(directory, { recursive: true }));

const there = (helper: string): boolean => spawnSync(helper, ['-e', '1']).error === undefined;
const helpers = (['python3', 'perl'] as const).filter(there);

interface Heard {
  readonly lines: string[];
  readonly sink: PacketSink;
  /** Resolves when a line is heard as many times. */
  until(line: string, times: number): Promise<void>;
}

function hear(): Heard {
  const lines: string[] = [];
  let wake = (): void => {};
  const say = (line: string): void => {
    lines.push(line);
    wake();
  };
  return {
    lines,
    sink: {
      listening: () => say('listening'),
      connected: () => say('connected'),
      packet: (bytes) => say(`packet ${bytes.length} ${bytes[0]} ${bytes[bytes.length - 1]}`),
      truncated: () => say('truncated'),
      disconnected: () => say('disconnected'),
    },
    async until(line, times) {
      while (lines.filter((each) => each === line).length < times)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
  };
}

for (const helper of ['python3', 'perl'] as const) {
  test(`packets are told apart, clients come and go: ${helper}`, async (t) => {
    if (!helpers.includes(helper)) {
      t.skip(`no ${helper}`);
      return;
    }
    const path = join(directory, `${helper}.sock`);
    const heard = hear();
    const stop = new AbortController();
    const served = servePackets(path, heard.sink, { signal: stop.signal, helpers: [helper] });
    await heard.until('listening', 1);
    assert.equal(statSync(path).mode & 0o77, 0, 'for this user only');
    const packets = [Uint8Array.of(1, 2), new Uint8Array(20_000).fill(3), Uint8Array.of(9)];
    assert.equal(await sendPackets(path, packets), undefined);
    await heard.until('disconnected', 1);
    assert.equal(await sendPackets(path, [Uint8Array.of(7, 7, 7)]), undefined);
    await heard.until('disconnected', 2);
    stop.abort();
    await served;
    assert.deepEqual(heard.lines, [
      'listening',
      'connected',
      'packet 2 1 2',
      'packet 20000 3 3',
      'packet 1 9 9',
      'disconnected',
      'connected',
      'packet 3 7 7',
      'disconnected',
    ]);
    assert.ok(!existsSync(path));
  });
}

test('what is in the way', async () => {
  const path = join(directory, 'file');
  writeFileSync(path, '');
  const { sink } = hear();
  const { signal } = new AbortController();
  await assert.rejects(servePackets(path, sink, { signal }), /exists and is no socket/);
  const missing = join(directory, 'no', 'such', 'directory', 'x.sock');
  await assert.rejects(servePackets(missing, sink, { signal }), { name: 'InputError' });
  const free = join(directory, 'x.sock');
  await assert.rejects(servePackets(free, sink, { signal, helpers: [] }), /needs Python or Perl/);
});
