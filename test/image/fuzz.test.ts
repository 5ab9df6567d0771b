// Random damage, the same in every run: an archive opens and can be read, or there is an InputError; nothing else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { listTree, openImage, walk } from '../../src/image/index.ts';
import {
  archive,
  concat,
  dockerFiles,
  endOfArchive,
  gzipped,
  layout,
  pax,
  raw,
  tar,
  temporary,
} from './support.ts';

/** xorshift32. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const number = (value: number): string => `${value.toString(8).padStart(11, '0')}\0`;

/** Every feature of the reader in one layer. */
const seed = concat(
  tar([
    { kind: 'file', path: 'a/b', bytes: 'content', xattrs: { 'user.x': Uint8Array.of(1) }, mtimeNs: 5 },
    { kind: 'link', path: 'l', target: 'a/b' },
    { kind: 'symlink', path: 's', target: 'a' },
    { kind: 'file', path: 's/below', bytes: 'x' },
    { kind: 'whiteout', path: 'a/c' },
    { kind: 'opaque', path: 'a' },
    { kind: 'char', path: 'null', major: 1, minor: 3 },
  ]).subarray(0, -1024),
  pax(['GNU.sparse.map', '3,4,10,2'], ['GNU.sparse.size', '20'], ['GNU.sparse.name', 'sp']),
  raw({ name: 'x' }, 'abcdef'),
  pax(
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.realsize', '100'],
    ['GNU.sparse.name', 'sp1'],
  ),
  raw({ name: 'x' }, concat(Buffer.from('1\n50\n3\n'.padEnd(512, '\0')), Buffer.from('abc'))),
  raw(
    {
      name: 'old',
      type: 'S',
      magic: 'ustar  \0',
      size: 2,
      patch: [
        [386, number(4) + number(2)],
        [483, number(9)],
      ],
    },
    'zz',
  ),
  raw({ name: '././@LongLink', type: 'L' }, `${'n'.repeat(150)}\0`),
  raw({ name: 'cut' }, 'long'),
  endOfArchive,
);

function damaged(bytes: Uint8Array, pick: (below: number) => number): Uint8Array {
  const out = Uint8Array.from(bytes);
  for (let i = pick(4); i >= 0; i--) {
    const at = pick(out.length);
    const kind = pick(4);
    if (kind === 0) out[at] = pick(256);
    else if (kind === 1) out[at] ^= 1 << pick(8);
    else if (kind === 2)
      out.copyWithin(at - (at % 512), pick(out.length >> 9) << 9, (pick(out.length >> 9) << 9) + 512);
    else
      out.set(
        Buffer.from(['../', '/', '99999', '\0', '-1', '.wh.'][pick(6)]).subarray(0, out.length - at),
        at,
      );
  }
  return pick(5) === 0 ? out.subarray(0, pick(out.length)) : out;
}

/** Makes the headers' checksums right again, so that damage gets past them. */
function summed(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (!/^ustar/.test(Buffer.from(block.subarray(257, 262)).toString('latin1'))) continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  }
  return bytes;
}

async function survives(path: string, what: string): Promise<boolean> {
  try {
    const image = await openImage(path, { limits: { decompressedBytes: 1 << 24, metadataBytes: 1 << 24 } });
    for (const [, node] of walk(image.tree))
      if (node.kind === 'file') node.read(Math.max(0, node.size - 100), 100);
    for (const line of listTree(image.tree, { recursive: true })) assert.doesNotMatch(line, /[\x00-\x1f]/);
    image.close();
    return true;
  } catch (error) {
    assert.ok(error instanceof InputError, `${what}: ${error instanceof Error ? error.stack : error}`);
    return false;
  }
}

test('damaged layers', async (t) => {
  const path = join(temporary(t), 'x.tar');
  let opened = 0;
  for (let run = 1; run <= 400; run++) {
    const pick = random(run * 2654435761);
    const layer = damaged(seed, pick);
    const sums = pick(4) > 0;
    writeFileSync(
      path,
      archive(
        layout([
          { bytes: tar([{ kind: 'file', path: 'a/c', bytes: '' }]) },
          pick(2) ? gzipped(sums ? summed(layer) : layer) : { bytes: sums ? summed(layer) : layer },
        ]),
      ),
    );
    if (await survives(path, `run ${run}`)) opened++;
  }
  assert.ok(opened > 20 && opened < 380, `${opened} of 400 opened`);
});

test('damaged archives', async (t) => {
  const path = join(temporary(t), 'x.tar');
  const whole = [archive(layout([{ bytes: seed }])), archive(dockerFiles([gzipped(seed)]))];
  let opened = 0;
  for (let run = 1; run <= 400; run++) {
    const pick = random(run * 40503);
    writeFileSync(path, summed(damaged(whole[pick(2)], pick)));
    if (await survives(path, `run ${run}`)) opened++;
  }
  assert.ok(opened > 20 && opened < 380, `${opened} of 400 opened`);
});
