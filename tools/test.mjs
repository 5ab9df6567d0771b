// `npm test`: type check and build, lint and format, then every test; the last line is `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const steps = [
  ['type check and build', ['npx', 'tsc', '-p', '.']],
  ['one file a command', ['node', 'tools/bundle.mjs']],
  ['lint and format', ['npx', 'biome', 'check', '.']],
];
let passed = 0;
let failed = 0;
let skipped = 0;
for (const [name, command] of steps) {
  const { status } = spawnSync(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) passed++;
  else failed++;
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name}`);
}

const wanted = process.argv.slice(2);
const files = readdirSync('dist/test', { recursive: true })
  .filter(
    (file) =>
      file.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => file.includes(part))),
  )
  .map((file) => join('dist/test', file))
  .sort();
if (files.length === 0) {
  console.log('FAILED: no test files');
  failed++;
}
const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--expose-gc',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    '--test-reporter=./tools/reporter.mjs',
    ...files,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
let tail = '';
for await (const chunk of child.stdout) {
  const text = tail + chunk;
  const lines = text.split('\n');
  tail = lines.pop() ?? '';
  for (const line of lines) {
    const counts = /^#counts (\d+) (\d+) (\d+)$/.exec(line);
    if (counts) {
      passed += Number(counts[1]);
      failed += Number(counts[2]);
      skipped += Number(counts[3]);
    } else console.log(line);
  }
}
const code = await new Promise((done) => {
  if (child.exitCode !== null || child.signalCode !== null) done(child.exitCode);
  else child.on('exit', done);
});
if (code !== 0 && failed === 0) failed++;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
