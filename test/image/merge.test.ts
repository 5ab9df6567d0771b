// Merging layers, by the cases of merge.cases.txt.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { memoryAccess } from '../../src/host/index.ts';
import { TreeWriter } from '../../src/image/build.ts';
import { type LayerEntry, type Node, type Tree, walk } from '../../src/image/index.ts';
import { Budget, defaultLimits } from '../../src/image/limits.ts';
import { applyLayer } from '../../src/image/merge.ts';
import { readTar } from '../../src/image/tar.ts';
import { tar } from './support.ts';

function parseEntry(line: string): LayerEntry {
  const words = line.split(' ');
  const kind = words.shift() as LayerEntry['kind'];
  const owner = words[0]?.startsWith('@') ? (words.shift() as string).slice(1).split(':') : undefined;
  const described = {
    path: words[0],
    ...(owner === undefined ? {} : { mode: Number.parseInt(owner[0], 8), uid: Number(owner[1]) }),
  };
  switch (kind) {
    case 'file':
      return { kind, ...described, bytes: words.slice(1).join(' ') };
    case 'symlink':
    case 'link':
      return { kind, ...described, target: words[1] };
    case 'char':
    case 'block':
      return { kind, ...described, major: Number(words[1]), minor: Number(words[2]) };
    case 'dir':
    case 'fifo':
    case 'whiteout':
    case 'opaque':
      return { kind, ...described };
  }
}

/** The layers go through real tar bytes. */
function merge(layers: readonly (readonly LayerEntry[])[]): Tree {
  const writer = new TreeWriter(defaultLimits);
  const budget = new Budget(defaultLimits);
  const note = (): void => {};
  for (const [i, entries] of layers.entries())
    applyLayer(writer, i, readTar(memoryAccess('layer', tar(entries)), 'layer', { budget, note }), note);
  return writer.finish();
}

function held(node: Node): string {
  switch (node.kind) {
    case 'file':
      return ` ${JSON.stringify(Buffer.from(node.read(0, node.size)).toString())}`;
    case 'symlink':
      return ` -> ${node.target}`;
    case 'char':
    case 'block':
      return ` ${node.kind[0]} ${node.rdevMajor},${node.rdevMinor}`;
    case 'fifo':
      return ' p';
    case 'dir':
      return '/';
  }
}

/** As the case file writes it; mode and owner only where the expected line has them. */
function describe(tree: Tree, expected: readonly string[]): string[] {
  const lines: string[] = [];
  const byNode = new Map<Node, string[]>();
  for (const [path, node] of walk(tree)) {
    const relative = path.slice(1);
    const plain = `${relative}${held(node)}`;
    const full = `${plain} ${node.mode.toString(8).padStart(4, '0')} ${node.uid}`;
    if (expected.includes(full)) lines.push(full);
    else if (relative !== '') lines.push(plain);
    byNode.set(node, [...(byNode.get(node) ?? []), relative]);
  }
  for (const names of byNode.values()) if (names.length > 1) lines.push(`= ${names.join(' ')}`);
  return lines;
}

const text = readFileSync('test/image/merge.cases.txt', 'utf8');
const cases = text.split(/^== (?=\S)/m).slice(1);

test('there are cases', () => assert.ok(cases.length > 25));

for (const source of cases) {
  const [title, ...lines] = source.split('\n').filter((line) => line !== '');
  test(`merge: ${title}`, () => {
    const split = lines.indexOf('==>');
    assert.ok(split >= 0, 'case without ==>');
    const layers: LayerEntry[][] = [[]];
    for (const line of lines.slice(0, split)) {
      if (line === 'layer') layers.push([]);
      else layers[layers.length - 1].push(parseEntry(line));
    }
    const expected = lines.slice(split + 1);
    const tree = merge(layers);
    assert.deepEqual(describe(tree, expected), expected);
    assert.deepEqual(describe(merge(layers), expected), expected, 'the same twice');
  });
}

test('inode numbers follow the sorted order, links are counted', () => {
  const tree = merge([
    [
      { kind: 'file', path: 'z/b', bytes: 'x' },
      { kind: 'link', path: 'a', target: 'z/b' },
      { kind: 'dir', path: 'z/sub' },
    ],
  ]);
  const numbers = [...walk(tree)].map(([path, node]) => [path, node.ino, node.nlink]);
  assert.deepEqual(numbers, [
    ['/', 2, 3],
    ['/a', 3, 2],
    ['/z', 4, 3],
    ['/z/b', 3, 2],
    ['/z/sub', 5, 2],
  ]);
  assert.equal(tree.count, 4);
});

test('a file knows the layer its data come from', () => {
  const tree = merge([
    [
      { kind: 'file', path: 'a', bytes: '0' },
      { kind: 'file', path: 'b', bytes: '0' },
    ],
    [{ kind: 'file', path: 'b', bytes: '1' }],
  ]);
  assert.equal(tree.lookup('/a')?.layer, 0);
  assert.equal(tree.lookup('/b')?.layer, 1);
});
