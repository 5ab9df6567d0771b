// Memory of whole programs: address space that is only reserved costs nothing, forks share what nobody writes, what a
// process had returns when it ends, and long runs leave nothing behind. EFFIGY_LONG=1 touches 2 GiB.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createFastEngine,
  createMemory,
  createReferenceEngine,
  type Engine,
} from '../../src/machine/index.ts';
import { addProgram, compile, hasTool, runGuest, treeBuilder } from '../linux/guest.ts';

const LONG = process.env['EFFIGY_LONG'] !== undefined;
const MIB = 2 ** 20;
/** Frames of a MiB. */
const FRAMES = MIB / 4096;

/** Bytes of objects that are still in use. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

interface Ran {
  readonly frames: { readonly atMost: number; readonly after: number };
  readonly stdout: string;
  readonly executed: number;
  /** By which the heap is larger afterwards, while the machine and its results are still held. */
  readonly heap: number;
}

/** Runs a program; frames of the whole machine while it runs (looked at when it makes a system call) and afterwards. */
function run(
  t: TestContext,
  source: string,
  engine: Engine,
  defines: readonly string[] = [],
): Ran | undefined {
  if (!hasTool('gcc')) {
    t.skip('needs gcc');
    return undefined;
  }
  const path = compile(source, { flags: ['-O2', '-static', ...defines] });
  const memory = createMemory();
  let atMost = 0;
  const before = heap();
  const { stop, stdout, cuts, kernel } = runGuest(
    addProgram(treeBuilder(), path, '/program'),
    { argv: ['/program'] },
    {
      machine: { engine, memory },
      maxInstructions: 4e9,
      onSyscall: () => {
        atMost = Math.max(atMost, memory.pool.used);
      },
    },
  );
  assert.deepEqual(stop, { kind: 'exited', status: 0 }, stdout);
  assert.deepEqual(cuts, []);
  const grown = heap() - before;
  assert.equal(kernel.tasks.size, 0);
  return { frames: { atMost, after: memory.pool.used }, stdout, executed: engine.executed, heap: grown };
}

const RESERVE = `
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define GB (1ull << 30)
int main(void) {
  /* as garbage collectors and sanitizers do */
  char *space = mmap(0, 64 * GB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return 1;
  char *shadow = mmap(0, 16384 * GB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (shadow == MAP_FAILED) return 2;
  unsigned long long step = 64 * GB / PARTS, sum = 0;
  for (int i = 0; i < PARTS; i++) {
    if (mprotect(space + i * step, PART, PROT_READ | PROT_WRITE)) return 3;
    for (long at = 0; at < PART; at += 4096) space[i * step + at] = at >> 12;
  }
  for (int i = 0; i < PARTS; i++)
    for (long at = 0; at < PART; at += 4096) sum += (unsigned char)space[i * step + at];
  shadow[15000 * GB] = 1; shadow[3 * GB] = 2;
  getpid();
  printf("%llu %d\\n", sum, shadow[15000 * GB] + shadow[3 * GB] + shadow[77 * GB]);
  return 0;
}`;

test('tens of gigabytes reserved, a part of them touched, all of it given back', (t) => {
  const [parts, mib] = LONG ? [32, 64] : [32, 4];
  const ran = run(t, RESERVE, createFastEngine(), [`-DPARTS=${parts}`, `-DPART=(${mib}l<<20)`]);
  if (ran === undefined) return;
  const pages = mib * FRAMES;
  assert.equal(ran.stdout, `${(parts * pages * 255) / 2} 3\n`);
  assert.ok(ran.frames.atMost >= parts * pages);
  // page tables and the program itself
  assert.ok(ran.frames.atMost < 1.1 * parts * pages + 4096, `${ran.frames.atMost}`);
  assert.ok(ran.frames.after < 4096, `${ran.frames.after}`);
});

const FORKS = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define SIZE (64l << 20)
int main(void) {
  char *heap = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int go[2], ready[2];
  char c = 0;
  memset(heap, 7, SIZE);
  if (pipe(go) || pipe(ready)) return 1;
  for (int i = 0; i < 100; i++) {
    if (fork() != 0) continue;
    /* a page of its own each, and every page of the parent's as it was */
    heap[i * 4096l] = i;
    int same = 1;
    for (long at = 0; at < SIZE; at += 4096) same &= heap[at] == (at == i * 4096l ? i : 7);
    __atomic_fetch_add(shared, same, __ATOMIC_SEQ_CST);
    write(ready[1], &c, 1);
    read(go[0], &c, 1);
    _exit(0);
  }
  for (int i = 0; i < 100; i++) read(ready[0], &c, 1);
  /* all live now */
  getpid();
  for (int i = 0; i < 100; i++) write(go[1], &c, 1);
  while (wait(0) > 0) ;
  int same = 1;
  for (long at = 0; at < SIZE; at += 4096) same &= heap[at] == 7;
  printf("%d %d\\n", *shared, same);
  return 0;
}`;

test('a hundred forks at once share what they do not write', (t) => {
  const ran = run(t, FORKS, createFastEngine());
  if (ran === undefined) return;
  assert.equal(ran.stdout, '100 1\n');
  // 64 MiB once, not a hundred times
  const heap = 64 * FRAMES;
  assert.ok(ran.frames.atMost > heap);
  assert.ok(ran.frames.atMost < 2 * heap + 8192, `${ran.frames.atMost}`);
  assert.ok(ran.frames.after < 4096, `${ran.frames.after}`);
});

const CHURN = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  unsigned sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 1 << 20; i += 512) p[i] = round;
    char *q = malloc(100000 + round);
    memset(q, round, 100000);
    for (int i = 0; i < WORK; i++) sum = sum * 1664525u + (unsigned char)q[sum % 100000] + 1013904223u;
    free(q);
    munmap(p, 1 << 20);
    if (round % 16 == 0) { if (fork() == 0) { memset(malloc(1 << 20), 1, 1 << 20); _exit(0); } wait(0); }
  }
  printf("%u\\n", sum);
  return 0;
}`;

test('a long run leaves neither frames nor objects behind', (t) => {
  const rounds = LONG ? 2000 : 200;
  const ran = run(t, CHURN, createFastEngine(), [`-DROUNDS=${rounds}`, `-DWORK=${LONG ? 60_000 : 2000}`]);
  if (ran === undefined) return;
  if (LONG) assert.ok(ran.executed > 1e9, `${ran.executed}`);
  assert.ok(ran.frames.atMost < 16 * FRAMES, `${ran.frames.atMost}`);
  assert.ok(ran.heap < 32 * MIB, `${ran.heap}`);
  assert.ok(ran.frames.after < 4096, `${ran.frames.after}`);
});

test('the reference engine gives frames back as well', (t) => {
  const ran = run(t, CHURN, createReferenceEngine(), ['-DROUNDS=20', '-DWORK=10']);
  if (ran === undefined) return;
  assert.ok(ran.frames.after < 1024, `${ran.frames.after}`);
});
