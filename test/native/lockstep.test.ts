// The comparison with the processor: programs of this machine in which nothing differs, and errors that it must find.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AddressSpace,
  createReferenceEngine,
  type Engine,
  type EngineStop,
  type Registers,
} from '../../src/machine/index.ts';
import { addProgram, compile, hasTool, treeBuilder } from '../linux/guest.ts';
import { type ComparisonRequest, compareWithProcessor } from './first-difference.ts';
import { compileTool, nativeUnavailable } from './native.ts';

const SOURCE = `
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static volatile int signals;
static void handler(int number) { signals += number; }
int main(int argc, char **argv) {
  double sum = 0; long double wide = 0; char text[120];
  for (int i = 1; i < 12; i++) {
    sum += sin(i) * exp(-i / 5.0) + i / 3.0;
    wide += sqrtl(i) / 3;
    snprintf(text, sizeof text, "%.17g %.3Lf", sum, wide);
    sum += strtod(text, 0) * 1e-3;
  }
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  char *copy = calloc(1, 200000);
  memset(copy + 5, argc, 3000); memmove(copy + 9, copy + 2, 2000);
  printf("%s %d %zu\\n", text, signals, strlen(copy + 5));
  return 0;
}`;

function unavailable(): string | undefined {
  if (!hasTool('gcc')) return 'needs gcc';
  const reason = nativeUnavailable();
  if (reason !== undefined) return reason;
  try {
    compileTool('stepper.c', ['-static']);
    return undefined;
  } catch (error) {
    return `needs a static C library: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

const reason = unavailable();

function compare(more: Partial<ComparisonRequest>, flags: readonly string[] = []) {
  const program = compile(SOURCE, { flags: ['-O2', '-lm', ...flags] });
  return compareWithProcessor({ tree: addProgram(treeBuilder(), program).build(), argv: [program], ...more });
}

test('a static program with floats, a signal handler and string instructions: nothing differs', {
  skip: reason,
}, () => {
  const result = compare({}, ['-static']);
  assert.equal(result.report, '');
  assert.match(result.stdout, / 10 4\n$/);
  assert.ok(result.compared > 10_000 && result.compared <= result.executed, `${result.compared} compared`);
});

test('windows of a dynamic program: nothing differs', { skip: reason }, () => {
  const result = compare({ from: 2000, window: 1000, gap: 9000 });
  assert.equal(result.report, '');
  assert.ok(result.compared > 5000 && result.compared < result.executed / 5, `${result.compared} compared`);
});

/** An engine that does one thing wrong. */
class WrongEngine implements Engine {
  private readonly engine = createReferenceEngine({ blockInstructions: 1 });
  private readonly spoil: (registers: Registers, number: number) => void;

  constructor(spoil: (registers: Registers, number: number) => void) {
    this.spoil = spoil;
  }
  get executed(): number {
    return this.engine.executed;
  }
  set executed(value: number) {
    this.engine.executed = value;
  }
  run(registers: Registers, space: AddressSpace, budget: number): EngineStop {
    const stop = this.engine.run(registers, space, budget);
    if (stop.kind === 'budget') this.spoil(registers, this.executed);
    return stop;
  }
}

const WRONG: readonly (readonly [string, (registers: Registers) => void, RegExp])[] = [
  [
    'register',
    (r) => {
      r.gpr[12] ^= 0x100n;
    },
    /^registers differ after instruction 5,000:\n[\s\S]*\n {4}r12 {4}machine 0x/,
  ],
  [
    'flag',
    (r) => {
      r.rflags ^= 0x400n;
    },
    /^registers differ after instruction 5,000:\n[\s\S]*\n {4}flags {2}machine 0x/,
  ],
];

for (const [name, change, report] of WRONG) {
  test(`a wrong ${name} is found at its instruction`, { skip: reason }, () => {
    const engine = new WrongEngine((registers, number) => {
      if (number === 5001) change(registers);
    });
    const result = compare({ engine: () => engine, max: 20_000 }, ['-static']);
    assert.equal(result.difference?.number, 5000);
    assert.match(result.report, report);
    assert.match(result.report, /\n {2}> 0x[0-9a-f]+ \S+:\S+ {2}[0-9a-f]+ {2}\w+/);
    assert.match(result.report, /\nblock 0x[0-9a-f]+ /);
  });
}

test('a wrong vector register is found where an instruction next uses such state', { skip: reason }, () => {
  const engine = new WrongEngine((registers, number) => {
    if (number === 5001) registers.xmm[31] ^= 1n;
  });
  const result = compare({ engine: () => engine }, ['-static']);
  assert.equal(result.difference?.what, 'floating point state');
  assert.ok(result.difference.number >= 5000);
  assert.match(result.report, /\n {4}xmm15 {2}machine 0x/);
});
