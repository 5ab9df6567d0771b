// The house test: imports by floor, as docs/architecture.md and the table below say.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'node:test';

const floors: Readonly<Record<string, number>> = {
  bytes: 0,
  host: 0.5,
  elf: 1,
  image: 1,
  deployment: 1,
  isa: 1,
  expr: 1,
  automaton: 1,
  effect: 1,
  solve: 2,
  policy: 2,
  telemetry: 2,
  machine: 3,
  monitor: 3,
  export: 3,
  report: 4,
  linux: 4,
  explore: 5,
  closure: 5,
  model: 6,
  record: 7,
  compare: 7,
  cli: 8,
};
const mayUseNode = new Set(['host', 'record', 'cli']);

interface Import {
  readonly file: string;
  readonly room: string;
  readonly target: string;
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

function importsOf(file: string): Import[] {
  const text = readFileSync(join('src', file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const room = file.split('/')[0];
  const found: Import[] = [];
  for (const match of text.matchAll(
    /^(?:import|export)\s(?:[^'"`;=]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
  )) {
    found.push({ file, room, target: match[1] ?? match[2] });
  }
  return found;
}

const all = sources.flatMap(importsOf);

test('every room is in the table and every import goes to a strictly lower floor through index.ts', () => {
  assert.ok(all.length > 50, 'imports were found');
  const wrong: string[] = [];
  for (const { file, room, target } of all) {
    if (!(room in floors)) wrong.push(`${file}: room ${room} is not in the table`);
    if (!target.startsWith('.')) continue;
    const path = normalize(join(dirname(file), target));
    const other = path.split('/')[0];
    if (path.startsWith('..') || other === room) continue;
    if (!(floors[other] < floors[room]))
      wrong.push(`${file} (floor ${floors[room]}) imports ${other} (floor ${floors[other]})`);
    if (path !== `${other}/index.ts`) wrong.push(`${file} imports ${path}, not ${other}/index.ts`);
  }
  assert.deepEqual(wrong, []);
});

test('node: modules are used only in the rooms that may', () => {
  const wrong = all
    .filter(({ room, target }) => target.startsWith('node:') && !mayUseNode.has(room))
    .map(({ file, target }) => `${file}: ${target}`);
  assert.deepEqual(wrong, []);
});

test('each npm dependency is imported by one file and is declared', () => {
  const declared = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const users = new Map<string, Set<string>>();
  for (const { file, target } of all) {
    if (target.startsWith('.') || target.startsWith('node:')) continue;
    const name = target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/');
    // Types of the command line library are named by every command; the library itself is loaded once.
    if (name === 'commander' && isTypeImport(file)) continue;
    const files = users.get(name) ?? new Set<string>();
    users.set(name, files.add(file));
  }
  const wrong: string[] = [];
  for (const [name, files] of users) {
    if (files.size > 1) wrong.push(`${name}: ${[...files].join(', ')}`);
    if (!(name in declared.dependencies)) wrong.push(`${name} is not in dependencies`);
  }
  assert.deepEqual(wrong, []);
  for (const [name, version] of Object.entries(declared.dependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned`);
    assert.ok(users.has(name), `${name} is used`);
  }
});

function isTypeImport(file: string): boolean {
  return /import type [^;]*'commander'/.test(readFileSync(join('src', file), 'utf8'));
}

test('no any, no enum, no default export, and no file is too long', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const text = readFileSync(join('src', file), 'utf8');
    if (/^export default|^\s*(export )?(const )?enum /m.test(text))
      wrong.push(`${file}: enum or default export`);
    const lines = text.split('\n').length;
    if (lines > 800 && !/^\/\/ table\b/im.test(text.slice(0, 400))) wrong.push(`${file}: ${lines} lines`);
  }
  assert.deepEqual(wrong, []);
});
