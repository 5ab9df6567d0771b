// Random sequences of system calls, in our kernel and on the host: every result and every byte must be the same. A
// seed makes a sequence repeatable; EFFIGY_SEEDS=N runs more of them.
import assert from 'node:assert/strict';
import { encodeText } from '../../src/bytes/index.ts';
import type { Tree } from '../../src/image/index.ts';
import { catalogue } from '../../src/linux/catalogue.ts';
import { Box } from './box.ts';
import { runNatively } from './native-script.ts';
import type { Step, Value } from './script.ts';

const numbers = new Map(catalogue.map(({ name, nr }) => [name, nr]));

export interface Call {
  readonly name: string;
  readonly args: readonly Value[];
  /** Parts of the last memory that must agree, where the call succeeds. */
  readonly compare: readonly (readonly [offset: number, length: number])[];
}

export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0 || 1;
  }
  below(n: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % n;
  }
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}

export const number = (value: number): Value => ({ kind: 'number', value: BigInt(value) });
export const text = (value: string): Value => ({ kind: 'bytes', bytes: encodeText(`${value}\0`) });
export const out = (size: number): Value => ({ kind: 'out', size });

export const call = (name: string, args: readonly Value[], compare: Call['compare'] = []): Call => ({
  name,
  args,
  compare,
});

export type Generator = (random: Random) => Call;

/** Calls before a difference that are shown. */
const SHOWN = Number(process.env.EFFIGY_SHOWN ?? 12);

const valueText = (value: Value): string =>
  value.kind === 'number'
    ? String(value.value)
    : value.kind === 'bytes'
      ? JSON.stringify(new TextDecoder().decode(value.bytes).replace('\0', ''))
      : value.kind;
const print = ({ name, args }: Call): string => `${name} ${args.map(valueText).join(' ')}`;

/** Makes `count` calls after those of `start`. A call that waits here ends the sequence; the host runs it up to there only. */
export function compareSequence(
  seed: number,
  count: number,
  source: {
    readonly tree: () => Tree;
    readonly start: readonly Call[];
    readonly generators: readonly Generator[];
  },
): void {
  const { tree, start, generators } = source;
  const random = new Random(seed);
  const calls = [...start, ...Array.from({ length: count }, () => random.pick(generators)(random))];
  const steps: Step[] = calls.map(({ name, args }, line) => ({
    line,
    text: name,
    nr: numbers.get(name) as number,
    name,
    args,
    expected: 'any',
    checks: [],
  }));
  const box = new Box({ tree: tree(), bare: true });
  const here: { readonly result: number; readonly memory: Uint8Array }[] = [];
  for (const { name, args } of calls) {
    let last = { address: 0, size: 0 };
    const result = box.sys(
      name,
      ...args.map((value) => {
        if (value.kind === 'number') return value.value;
        const bytes =
          value.kind === 'bytes' ? value.bytes : new Uint8Array(value.kind === 'out' ? value.size : 0);
        last = { address: box.put(bytes), size: bytes.length };
        return last.address;
      }),
    );
    if (typeof result === 'object') break;
    here.push({ result: Number(result), memory: box.read(last.address, last.size) });
  }
  const there = runNatively(tree(), steps.slice(0, here.length));
  for (const [i, { result, memory }] of here.entries()) {
    const where = `seed ${seed}, call ${i}: ${print(calls[i])}\n${calls
      .slice(Math.max(0, i - SHOWN), i)
      .map((c, k) => `  ${print(c)} = ${here[Math.max(0, i - SHOWN) + k].result}`)
      .join('\n')}\n`;
    assert.ok(there[i] !== undefined, `${where}the host stopped`);
    assert.equal(result, there[i].result, where);
    if (result < 0) continue;
    for (const [offset, length] of calls[i].compare) {
      assert.deepEqual(
        memory.subarray(offset, offset + length),
        there[i].memory.subarray(offset, offset + length),
        `${where}bytes at ${offset}`,
      );
    }
  }
}
