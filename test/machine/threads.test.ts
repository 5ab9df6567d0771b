// Programs with several threads, and programs that make and change their own code: the same output and the same system
// calls at the same times on both engines, on the fast one also where everything is translated, and again.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  createFastEngine,
  createMemory,
  createReferenceEngine,
  type Engine,
} from '../../src/machine/index.ts';
import { addProgram, compile, hasTool, runGuest, treeBuilder } from '../linux/guest.ts';

const THREADS = `
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long added, swapped, under, turn, spinLock, spun;
static unsigned char order[4096]; static long orders;
static struct { uint64_t low, high; } __attribute__((aligned(16))) pair;
static volatile long flag, seen;
static void lock(long *at) { while (__atomic_exchange_n(at, 1, __ATOMIC_ACQUIRE)) __builtin_ia32_pause(); }
static void unlock(long *at) { __atomic_store_n(at, 0, __ATOMIC_RELEASE); }
static void note(int who) { long at = __atomic_fetch_add(&orders, 1, __ATOMIC_SEQ_CST); if (at < 4096) order[at] = who; }
static int swap16(uint64_t low, uint64_t high, uint64_t newLow, uint64_t newHigh) {
  char done;
  __asm__ volatile("lock cmpxchg16b %1; setz %0" : "=q"(done), "+m"(pair), "+a"(low), "+d"(high) : "b"(newLow), "c"(newHigh) : "memory", "cc");
  return done;
}
static void *work(void *argument) {
  int who = (int)(long)argument;
  for (int i = 0; i < 3000; i++) {
    __atomic_fetch_add(&added, who, __ATOMIC_SEQ_CST);
    long old = swapped;
    while (!__atomic_compare_exchange_n(&swapped, &old, old + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) ;
    uint64_t low, high;
    do { low = pair.low; high = pair.high; } while (!swap16(low, high, low + 1, high ^ low));
    if (i % 16 == 0) { lock(&spinLock); spun++; unlock(&spinLock); note(who); }
    if (i % 64 == 0) { pthread_mutex_lock(&mutex); under += who; pthread_mutex_unlock(&mutex); }
  }
  for (int i = 0; i < 20; i++) {
    pthread_mutex_lock(&mutex);
    while (turn % 4 != who) pthread_cond_wait(&cond, &mutex);
    turn++; note(16 + who);
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return 0;
}
static void *spinner(void *argument) { long n = 0; while (!flag) n++; seen = n; return 0; }
int main(void) {
  pthread_t threads[5];
  pthread_create(&threads[4], 0, spinner, 0);
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, work, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
  flag = 1;
  pthread_join(threads[4], 0);
  unsigned hash = 0;
  for (long i = 0; i < orders && i < 4096; i++) hash = hash * 31 + order[i];
  printf("%ld %ld %ld %ld %ld %ld %u %lu %lu %ld\\n", added, swapped, under, turn, spun, orders, hash, (long)pair.low, (long)pair.high, seen);
  return 0;
}`;

const GENERATED = `
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
typedef int (*code)(int);
static unsigned char *page;
/* mov eax, n; add eax, edi; ret */
static void put(int at, int n) { unsigned char b[] = { 0xb8, n, n >> 8, 0, 0, 0x01, 0xf8, 0xc3 }; memcpy(page + at, b, sizeof b); }
int main(void) {
  long sum = 0;
  page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  /* written, made executable, run, and again */
  for (int round = 0; round < 12; round++) {
    mprotect(page, 8192, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 8; i++) put(64 * i, 100 * round + i);
    put(4092, 1000 + round);
    mprotect(page, 8192, PROT_READ | PROT_EXEC);
    for (int i = 0; i < 1000; i++) sum = sum * 3 + ((code)(page + 64 * (i % 8)))(i) + ((code)(page + 4092))(i);
  }
  printf("%ld\\n", sum);
  /* code and data on one page */
  mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
  long *counter = (long *)(page + 1024);
  for (int i = 0; i < 3000; i++) { *counter += ((code)page)(i); if (i % 100 == 0) put(0, i); }
  printf("%ld\\n", *counter);
  /* a loop that changes a number in itself: mov eax, [rip + n]; inc dword [n]; dec edi; jnz; ret */
  unsigned char self[] = { 0x31, 0xc0, 0x05, 1, 0, 0, 0, 0xff, 0x05, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xcf, 0x75, 0xf1, 0xc3 };
  memcpy(page + 2048, self, sizeof self);
  printf("%d\\n", ((code)(page + 2048))(700));
  /* a function that is replaced while callers have it in their loops */
  for (int i = 0; i < 40; i++) {
    put(512, i);
    for (int k = 0; k < 500; k++) sum += ((code)(page + 512))(k);
  }
  /* the same bytes at another address, and another page at the same one */
  unsigned char *other = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(other, page, 1024);
  for (int k = 0; k < 1000; k++) sum += ((code)(other + 512))(k);
  other = mmap(other, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  page = other; put(512, 7);
  for (int k = 0; k < 1000; k++) sum += ((code)(other + 512))(k);
  printf("%ld\\n", sum);
  return 0;
}`;

const ENGINES: readonly (readonly [string, () => Engine])[] = [
  ['fast', () => createFastEngine()],
  ['fast, again', () => createFastEngine()],
  ['all translated', () => createFastEngine({ eager: true })],
];

function sameOnAll(t: TestContext, source: string, flags: readonly string[]): string | undefined {
  if (!hasTool('gcc')) {
    t.skip('needs gcc');
    return undefined;
  }
  const path = compile(source, { flags: ['-O2', '-mcx16', '-static', ...flags] });
  const run = (engine: Engine) => {
    const { stop, stdout, trace, kernel } = runGuest(
      addProgram(treeBuilder(), path, '/program'),
      { argv: ['/program'] },
      { machine: { engine, memory: createMemory() }, trace: true },
    );
    return { stop, stdout, trace, now: kernel.now, executed: engine.executed };
  };
  const expected = run(createReferenceEngine());
  assert.deepEqual(expected.stop, { kind: 'exited', status: 0 });
  for (const [name, create] of ENGINES) assert.deepEqual(run(create()), expected, name);
  return expected.stdout;
}

test('locks, conditions, atomic operations, spinning with and without pause', (t) => {
  const output = sameOnAll(t, THREADS, ['-pthread']);
  if (output !== undefined) assert.match(output, /^18000 12000 282 80 752 832 \d+ 12000 \d+ [1-9]\d*\n$/);
});

/** Two threads that hand a turn to each other; who waits spins. */
const TURNS = `
#include <pthread.h>
#include <stdio.h>
static volatile int turn;
static void *play(void *argument) {
  for (int i = 0; i < 500; i++) { while (turn != (int)(long)argument) WAIT; turn ^= 1; }
  return 0;
}
int main(void) {
  pthread_t other;
  pthread_create(&other, 0, play, (void *)1L);
  play(0);
  pthread_join(other, 0);
  puts("done");
  return 0;
}`;

test('a thread that spins with pause gives the other one its turn at once', (t) => {
  if (!hasTool('gcc')) {
    t.skip('needs gcc');
    return;
  }
  const [paused, plain] = ['__builtin_ia32_pause()', ';'].map((wait) => {
    const path = compile(TURNS, { flags: ['-O2', '-static', '-pthread', `-DWAIT=${wait}`] });
    const engine = createFastEngine();
    const { stop } = runGuest(
      addProgram(treeBuilder(), path, '/program'),
      { argv: ['/program'] },
      { machine: { engine, memory: createMemory() } },
    );
    assert.deepEqual(stop, { kind: 'exited', status: 0 });
    return engine.executed;
  });
  // a thousand turns, each a quantum of vain instructions without pause
  assert.ok(plain > 100 * 50_000, `${plain}`);
  assert.ok(paused < 500_000, `${paused}`);
});

test('code made at run time, changed, moved, replaced, beside data', (t) => {
  sameOnAll(t, GENERATED, []);
});
