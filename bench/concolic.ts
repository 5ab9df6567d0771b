// Symbolic inputs: instructions a second of the concolic engine where every value is symbolic and where hardly any is,
// and how long a search takes for all paths of ten independent branches. `npm run bench concolic`.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DEFAULT_BUDGETS,
  ENVIRONMENTS,
  Explorer,
  plainLaunch,
  SymbolicSearch,
  symbolicBudgets,
} from '../src/explore/index.ts';
import { Expressions } from '../src/expr/index.ts';
import { type Tree, treeBuilder } from '../src/image/index.ts';
import { createKernel, createMachine, type ProcessSpec } from '../src/linux/index.ts';
import {
  createConcolicEngine,
  createFastEngine,
  createMemory,
  PagedSpace,
  Shadows,
} from '../src/machine/index.ts';
import type { BenchRow } from './sysflow.ts';

const XORSHIFT = `
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
int main(void) {
  uint64_t s[2], t; read(open("/input", O_RDONLY), s, 16);
  uint64_t a = s[0], b = s[1];
  for (int i = 0; i < 100000; i++) { t = a; a = b; t ^= t << 23; t ^= t >> 17; t ^= b ^ b >> 26; b = t; }
  s[0] = a; s[1] = b; write(1, s, 16); return 0;
}`;

const RARE = `
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
static unsigned char seen[16];
int main(void) {
  unsigned char in[16]; read(open("/input", O_RDONLY), in, 16);
  uint32_t h = 1;
  for (int k = 0; k < 4000; k++) {
    if (in[k & 15] == (unsigned char)k) seen[k & 15]++;
    for (int i = 0; i < 5000; i++) h = h * 31 + (h >> 7) + i;
  }
  seen[0] += h; write(1, seen, 16); return 0;
}`;

const BRANCHES = `
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7000) };
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a); listen(s, 5);
  for (;;) {
    static volatile char path[10]; char in[10] = { 0 };
    int fd = accept(s, 0, 0);
    read(fd, in, 10);
    for (int i = 0; i < 10; i++) path[i] = in[i] > 'm' ? 'y' : 'n';
    char out[10]; for (int i = 0; i < 10; i++) out[i] = path[i];
    write(fd, out, 10); close(fd);
  }
}`;

function compiled(scratch: string, name: string, source: string, flags: readonly string[]): Tree {
  const file = join(scratch, name);
  writeFileSync(`${file}.c`, source);
  execFileSync('gcc', [...flags, '-static', '-o', file, `${file}.c`], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  return treeBuilder()
    .addFile('/program', readFileSync(file), { mode: 0o755 })
    .addFile('/input', new TextEncoder().encode('sixteen bytes in'))
    .build();
}

const SPEC: ProcessSpec = { path: '/program', argv: ['/program'], env: [], cwd: '/', user: '' } as never;

/** Million instructions a second of processor time, all and those beside shadows. */
function speed(tree: Tree): { readonly all: number; readonly stepped: number } {
  const memory = createMemory();
  memory.pool.shadows = new Shadows();
  const engine = createConcolicEngine({ fast: createFastEngine() });
  const x = new Expressions();
  engine.begin(x, { onConstraint() {}, onLoss() {}, byVariable: () => undefined });
  const kernel = createKernel({
    tree,
    environment: ENVIRONMENTS[0].values,
    machine: { engine, memory },
    hooks: {
      onEffect() {},
      onCut() {},
      onSyscall(task, row, args, result) {
        const { space } = task.process;
        if (row.name !== 'read' || result !== 16 || !(space instanceof PagedSpace)) return;
        space.setShadow(
          Number(args[1]),
          Int32Array.from({ length: 16 }, (_, i) => x.variable(8, `b${i}`)),
        );
      },
    },
  });
  kernel.spawnInit(SPEC);
  const from = process.cpuUsage();
  kernel.run({ maxInstructions: 1e10 });
  const { user, system } = process.cpuUsage(from);
  const seconds = (user + system) / 1e6;
  kernel.release();
  return { all: engine.executed / seconds / 1e6, stepped: engine.stepped / seconds / 1e6 };
}

function allPaths(tree: Tree): { readonly paths: number; readonly seconds: number } {
  const explorer = new Explorer({
    tree,
    launch: plainLaunch(SPEC, ENVIRONMENTS[0]),
    machine: createMachine({ engine: 'fast' }),
    budgets: DEFAULT_BUDGETS,
  });
  const search = new SymbolicSearch(explorer, {
    ...symbolicBudgets(1200),
    queries: 100_000,
    patience: Infinity,
    tries: Infinity,
  });
  const seen = new Set<string>();
  const from = process.cpuUsage();
  const seed = {
    name: 'seed',
    actions: [
      { do: 'connect', listener: 0, id: 'a' },
      { do: 'send', id: 'a', payload: 'aaaaaaaaaa' },
      { do: 'close', id: 'a' },
    ],
  } as const;
  search.search([seed], ({ trace }) => {
    seen.add(trace.answers[0]);
    if (seen.size === 1024) search.stop();
  });
  const { user, system } = process.cpuUsage(from);
  return { paths: seen.size, seconds: (user + system) / 1e6 };
}

export function benchConcolic(scratch: string): BenchRow[] {
  const xorshift = compiled(scratch, 'xorshift', XORSHIFT, ['-O2']);
  const [cold, warm] = [speed(xorshift), speed(xorshift)];
  const rare = speed(compiled(scratch, 'rare', RARE, ['-O2']));
  const { paths, seconds } = allPaths(compiled(scratch, 'branches', BRANCHES, ['-O0']));
  return [
    { name: 'xorshift over 16 symbolic bytes, first run', value: cold.stepped, unit: 'M instr/s' },
    { name: 'xorshift over 16 symbolic bytes, second run', value: warm.stepped, unit: 'M instr/s' },
    { name: 'one symbolic comparison in 20,000 instructions', value: rare.all, unit: 'M instr/s' },
    { name: `${paths} paths of 10 independent branches`, value: seconds, unit: 's' },
  ];
}
