// Images of a gigabyte: read in place or through a temporary file, never into memory.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError } from '../../src/bytes/index.ts';
import { type OpenOptions, openImage } from '../../src/image/index.ts';
import { configOf, endOfArchive, gzipped, json, layout, raw, temporary, writeArchive } from './support.ts';

const MiB = 2 ** 20;
const size = 1024 * MiB;
const bigHeader = raw({ name: 'big', size: size.toString(8).padStart(11, '0') });
const marks: readonly (readonly [offset: number, text: string])[] = [
  [0, 'first'],
  [700 * MiB + 17, 'middle'],
  [size - 4, 'last'],
];

/** Bytes held beside the pages of files: buffers and heap. */
function held(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** Opens, looks at the marks, and says by how much memory had grown at its worst. */
async function growth(path: string, options: OpenOptions = {}): Promise<number> {
  globalThis.gc?.();
  const before = held();
  let peak = before;
  const image = await openImage(path, { ...options, onProgress: () => (peak = Math.max(peak, held())) });
  const node = image.tree.lookup('/big');
  assert.ok(node?.kind === 'file');
  assert.equal(node.size, size);
  for (const [offset, text] of marks)
    assert.equal(Buffer.from(node.read(offset, text.length)).toString(), text);
  assert.equal(Buffer.from(node.read(500 * MiB, 4)).toString(), '\0\0\0\0');
  peak = Math.max(peak, held());
  image.close();
  return peak - before;
}

/** A docker archive on disk, mostly holes: manifest.json, configuration, and the layer at `layerAt`. */
function sparseArchive(path: string, diffId: string): void {
  const layerSize = 512 + size + endOfArchive.length;
  const fd = openSync(path, 'w+');
  const layerHeader = raw({ name: 'layer.tar', size: layerSize.toString(8).padStart(11, '0') });
  const layerAt = layerHeader.length;
  writeSync(fd, layerHeader, 0, 512, 0);
  writeSync(fd, bigHeader, 0, 512, layerAt);
  for (const [offset, text] of marks) writeSync(fd, text, layerAt + 512 + offset);
  const end = layerAt + layerSize;
  ftruncateSync(fd, end);
  const config = configOf([{ bytes: Buffer.of(), diffId }]);
  const rest = Buffer.concat([
    raw({ name: 'config.json' }, Buffer.from(json(config))),
    raw(
      { name: 'manifest.json' },
      Buffer.from(json([{ Config: 'config.json', RepoTags: ['big:1'], Layers: ['layer.tar'] }])),
    ),
    endOfArchive,
  ]);
  writeSync(fd, rest, 0, rest.length, end);
  closeSync(fd);
}

test('a plain layer of 1 GiB is read in place', async (t) => {
  const path = join(temporary(t), 'big.tar');
  sparseArchive(path, bomb().diffId);
  const grown = await growth(path);
  t.diagnostic(`grew by ${(grown / MiB).toFixed(1)} MiB`);
  assert.ok(grown < 48 * MiB, `${(grown / MiB).toFixed(1)} MiB`);
});

let made: { readonly bytes: Buffer; readonly diffId: string } | undefined;

/** The layer in many gzip members, which costs little to make, and its digest. */
function bomb(): { readonly bytes: Buffer; readonly diffId: string } {
  if (made !== undefined) return made;
  const zeros = Buffer.alloc(MiB);
  const packedZeros = gzipSync(zeros);
  const hash = createHash('sha256').update(bigHeader.subarray(0, 512));
  const parts = [gzipSync(bigHeader.subarray(0, 512))];
  for (let at = 0; at < size; at += MiB) {
    const inside = marks.filter(([offset]) => offset >= at && offset < at + MiB);
    const piece = inside.length === 0 ? zeros : Buffer.alloc(MiB);
    for (const [offset, text] of inside) piece.write(text, offset - at);
    hash.update(piece);
    parts.push(inside.length === 0 ? packedZeros : gzipSync(piece));
  }
  hash.update(endOfArchive);
  parts.push(gzipSync(endOfArchive));
  made = { bytes: Buffer.concat(parts), diffId: `sha256:${hash.digest('hex')}` };
  return made;
}

test('a compressed layer of 1 GiB goes through a temporary file; as a bomb it is refused', async (t) => {
  const directory = temporary(t);
  const path = writeArchive(directory, layout([{ ...gzipped(Buffer.of()), ...bomb() }]));
  await assert.rejects(
    openImage(path),
    (error) =>
      error instanceof InputError &&
      /layer 1 of 1 .*: more than 250 unfolded bytes for each compressed byte; raise the limit "ratio"/.test(
        error.message,
      ),
  );
  await assert.rejects(
    openImage(path, { limits: { ratio: 2000, decompressedBytes: 300 * MiB } }),
    /more than 314572800 bytes that compressed layers unfold to/,
  );
  const grown = await growth(path, { limits: { ratio: 2000 }, spoolDirectory: directory });
  t.diagnostic(`grew by ${(grown / MiB).toFixed(1)} MiB`);
  assert.ok(grown < 64 * MiB, `${(grown / MiB).toFixed(1)} MiB`);
});
