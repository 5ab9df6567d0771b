// Every script of a folder in cases/ runs in our kernel, and on the host where that is possible; both must do as written.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Box, smallTree } from './box.ts';
import { cannotRun, runNatively } from './native-script.ts';
import { failedCheck, parseScript, type Step } from './script.ts';

const folder = (name: string): string =>
  ['test/linux/cases', join(import.meta.dirname, 'cases')]
    .map((base) => join(base, name))
    .find((path) => existsSync(path)) as string;

const resultText = (step: Step): string => String(step.expected);

export function runHere(steps: readonly Step[]): void {
  const box = new Box();
  let last = { address: 0, size: 0 };
  for (const step of steps) {
    const args = step.args.map((value) => {
      if (value.kind === 'number') return value.value;
      if (value.kind === 'same') return last.address;
      const bytes = value.kind === 'bytes' ? value.bytes : new Uint8Array(value.size);
      last = { address: box.put(bytes), size: bytes.length };
      return last.address;
    });
    let result = box.sys(step.name, ...args);
    for (
      let rounds = 0;
      rounds < 100 &&
      step.expected !== 'blocks' &&
      typeof result === 'object' &&
      result.deadline !== undefined;
      rounds++
    ) {
      box.kernel.now = result.deadline;
      result = box.again(box.task);
    }
    const where = `line ${step.line}: ${step.text}`;
    if (step.expected === 'blocks') {
      assert.equal(typeof result, 'object', where);
      box.task.syscall = undefined;
      continue;
    }
    if (step.expected !== 'any')
      assert.equal(Number(result), step.expected, `${where}: got ${String(result)}`);
    const wrong = failedCheck(step.checks, box.read(last.address, last.size));
    assert.equal(wrong, undefined, where);
  }
}

function runOnHost(steps: readonly Step[]): void {
  const results = runNatively(smallTree(), steps);
  steps.forEach((step, i) => {
    const where = `line ${step.line}: ${step.text}`;
    assert.ok(results[i] !== undefined, `${where}: the host stopped before it`);
    if (step.expected !== 'any')
      assert.equal(
        results[i].result,
        step.expected,
        `${where}: the host answers ${results[i].result}, not ${resultText(step)}`,
      );
    assert.equal(failedCheck(step.checks, results[i].memory), undefined, `${where} on the host`);
  });
}

export function scriptTests(name: string): void {
  const reason = cannotRun();
  const directory = folder(name);
  for (const file of readdirSync(directory).sort()) {
    if (!file.endsWith('.txt')) continue;
    const steps = parseScript(readFileSync(join(directory, file), 'utf8'));
    test(`${name}/${file}`, () => runHere(steps));
    const onlyHere = steps.some((step) => step.expected === 'blocks') || file.startsWith('here-');
    if (!onlyHere) {
      test(`${name}/${file} on the host`, (t) => {
        if (reason !== undefined) t.skip(reason);
        else runOnHost(steps);
      });
    }
  }
}
