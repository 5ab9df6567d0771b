// Our reading of this machine's binaries against readelf's.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import test from 'node:test';
import {
  buildIdOf,
  dynamicSymbols,
  type Elf,
  ElfSource,
  fileOffset,
  functionsOf,
  interpreterOf,
  parseElf,
  readDynamic,
  readSections,
  type SymbolTable,
  staticSymbols,
  type UnwindRow,
  UnwindTable,
} from '../../src/elf/index.ts';

const hasReadelf = spawnSync('readelf', ['--version']).status === 0;
const files = [
  '/bin/true',
  '/usr/bin/dash',
  '/lib64/ld-linux-x86-64.so.2',
  '/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/x86_64-linux-musl/libc.so',
]
  .filter((path) => existsSync(path))
  .map((path) => realpathSync(path));

/** It complains of debug files that are not there; what it prints is what counts. */
const readelf = (path: string, ...args: string[]): string[] =>
  spawnSync('readelf', ['-W', ...args, path], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout.split('\n');
const open = (path: string): Elf => parseElf(ElfSource.ofBytes(readFileSync(path), path));
const hex = (text: string): number => Number.parseInt(text.replace(/^0x/, ''), 16);

for (const path of files) {
  const skip = hasReadelf ? false : 'readelf is not installed';

  test(`${path}: headers, segments and sections`, { skip }, () => {
    const elf = open(path);
    const entry = readelf(path, '-h').find((line) => line.includes('Entry point')) ?? '';
    assert.equal(elf.entry, hex(entry.split(':')[1].trim()));
    const rows = readelf(path, '-l').flatMap((line) => {
      const match = /^ {2}(\S+) +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (...) 0x(\w+)/.exec(line);
      return match === null
        ? []
        : [[hex(match[2]), hex(match[3]), hex(match[4]), hex(match[5]), flags(match[6]), hex(match[7])]];
    });
    assert.deepEqual(
      elf.segments.map((s) => [s.offset, s.vaddr, s.filesz, s.memsz, s.flags, s.align]),
      rows,
    );
    const sections = readelf(path, '-S').flatMap((line) => {
      const match = /^ {2}\[ *\d+\] (\S*) +\S+ +([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+)/.exec(line);
      return match === null ? [] : [[match[1], hex(match[2]), hex(match[3]), hex(match[4])]];
    });
    assert.deepEqual(
      readSections(elf).map((s) => [s.name, s.addr, s.offset, s.size]),
      sections,
    );
  });

  test(`${path}: dynamic section, interpreter, build id`, { skip }, () => {
    const elf = open(path);
    const lines = readelf(path, '-d', '-l', '-n');
    const named = (what: string): string[] =>
      lines.flatMap((line) => (line.includes(`(${what})`) ? [/\[(.*)\]/.exec(line)?.[1] ?? ''] : []));
    const dynamic = readDynamic(elf);
    assert.deepEqual(dynamic.needed, named('NEEDED'));
    assert.equal(dynamic.soname, named('SONAME')[0]);
    assert.equal(dynamic.runpath, named('RUNPATH')[0]);
    const interpreter = lines
      .map((line) => /program interpreter: (.*)\]/.exec(line)?.[1])
      .find((found) => found !== undefined);
    assert.equal(interpreterOf(elf), interpreter);
    const id = lines.map((line) => /Build ID: (\w+)/.exec(line)?.[1]).find((found) => found !== undefined);
    assert.equal(buildIdOf(elf), id);
  });

  test(`${path}: symbols`, { skip }, () => {
    const elf = open(path);
    assert.deepEqual(rowsOf(dynamicSymbols(elf)), symbolRows(readelf(path, '--dyn-syms'), '.dynsym'));
    assert.deepEqual(rowsOf(staticSymbols(elf)), symbolRows(readelf(path, '-s'), '.symtab'));
  });

  test(`${path}: every row of the unwind tables`, { skip }, () => {
    const elf = open(path);
    const table = new UnwindTable(elf);
    let compared = 0;
    for (const row of unwindRows(readelf(path, '--debug-dump=frames-interp'))) {
      const found = table.find(row.address);
      assert.ok(found !== undefined, `a row at ${row.address.toString(16)}`);
      assert.deepEqual(textOf(found, row.columns), row.columns, `at ${row.address.toString(16)}`);
      compared++;
    }
    assert.ok(compared > 10 || table.find(elf.entry) === undefined, `${compared} rows`);
  });
}

test('a function is found by any address in it', { skip: files.length === 0 }, () => {
  const elf = open(files[files.length - 1]);
  const table = dynamicSymbols(elf);
  assert.ok(table !== undefined);
  const functions = functionsOf(elf);
  for (let i = 0; i < table.count; i++) {
    const symbol = table.at(i);
    if (symbol.type !== 2 || symbol.section === 0 || symbol.size === 0) continue;
    for (const at of [symbol.value, symbol.value + symbol.size - 1])
      assert.equal(functions.find(at)?.value, symbol.value, symbol.name);
    assert.equal(fileOffset(elf, symbol.value, 1) !== undefined, true);
  }
});

const flags = (text: string): number =>
  (text.includes('R') ? 4 : 0) | (text.includes('W') ? 2 : 0) | (text.includes('E') ? 1 : 0);

type SymbolRow = readonly [value: number, size: number, name: string];

function rowsOf(table: SymbolTable | undefined): SymbolRow[] {
  return Array.from({ length: table?.count ?? 0 }, (_, i) => {
    const { value, size, name, type } = table?.at(i) ?? { value: 0, size: 0, name: '', type: 0 };
    return [value, size, type === 3 ? '' : name]; // readelf names section symbols after their section
  });
}

function symbolRows(lines: readonly string[], table: string): SymbolRow[] {
  const rows: SymbolRow[] = [];
  let inside = false;
  for (const line of lines) {
    if (line.startsWith('Symbol table')) inside = line.includes(`'${table}'`);
    const match = /^ +\d+: ([0-9a-f]+) +(0x[0-9a-f]+|\d+) (\S+) +\S+ +\S+ +(?:\[.*?\] +)?\S+ ?(.*)$/.exec(
      line,
    );
    if (!inside || match === null) continue;
    const name = match[3] === 'SECTION' ? '' : match[4].replace(/@.*/, '');
    rows.push([hex(match[1]), Number(match[2]), name]);
  }
  return rows;
}

interface ExpectedRow {
  readonly address: number;
  /** Column name to text: `CFA` → `rsp+8`, `ra` → `c-8`. */
  readonly columns: Readonly<Record<string, string>>;
}

function* unwindRows(lines: readonly string[]): Generator<ExpectedRow> {
  let names: string[] | undefined;
  let inFde = false;
  for (const line of lines) {
    if (line.includes(' FDE ')) inFde = true;
    else if (line.includes(' CIE ')) inFde = false;
    if (line.startsWith('   LOC')) names = line.trim().split(/ +/).slice(1);
    const match = /^([0-9a-f]{16}) (.*)$/.exec(line);
    if (match === null || names === undefined || !inFde) continue;
    const values = match[2]
      .trim()
      .replace(/\w+ \((\w+)\)/g, '$1')
      .split(/ +/); // `r1 (rdx)`
    yield { address: hex(match[1]), columns: Object.fromEntries(names.map((name, i) => [name, values[i]])) };
  }
}

const NUMBERS: Readonly<Record<string, number>> = {
  rax: 0,
  rdx: 1,
  rcx: 2,
  rbx: 3,
  rsi: 4,
  rdi: 5,
  rbp: 6,
  rsp: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
  ra: 16,
};
const NAMES = Object.keys(NUMBERS);

function textOf(row: UnwindRow, columns: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = {};
  const signed = (n: number): string => (n < 0 ? `${n}` : `+${n}`);
  for (const [name, expected] of Object.entries(columns)) {
    if (name === 'CFA') {
      out[name] =
        row.cfa.kind === 'expression' ? 'exp' : `${NAMES[row.cfa.register]}${signed(row.cfa.offset)}`;
      continue;
    }
    const rule = row.registers.get(NUMBERS[name]);
    if (rule === undefined) out[name] = expected === 's' ? 's' : 'u';
    else if (rule.kind === 'offset') out[name] = `c${signed(rule.offset)}`;
    else if (rule.kind === 'value-offset') out[name] = `v${signed(rule.offset)}`;
    else if (rule.kind === 'expression') out[name] = 'exp';
    else if (rule.kind === 'value-expression') out[name] = 'vexp';
    else out[name] = rule.kind === 'register' ? NAMES[rule.register] : 'u';
  }
  return out;
}
