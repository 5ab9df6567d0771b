// The kernel as its owner sees it: coming to rest, budgets, signals from outside, snapshots, call stacks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import { type EffectEvent, type Kernel, sendSignal, snapshot } from '../../src/linux/index.ts';
import {
  addProgram,
  compile,
  environment,
  type GuestOptions,
  type GuestRun,
  hasTool,
  runGuest,
  treeBuilder,
} from './guest.ts';

const skip = hasTool('musl-gcc') ? false : 'musl-gcc is not installed';
const skipGlibc = hasTool('gcc') ? false : 'gcc is not installed';

function start(
  source: string,
  options: GuestOptions & {
    readonly args?: readonly string[];
    readonly compiler?: string;
    readonly flags?: readonly string[];
    readonly link?: string;
  } = {},
): GuestRun {
  const path = compile(source, {
    compiler: options.compiler ?? 'musl-gcc',
    flags: [options.link ?? '-static', '-w', ...(options.flags ?? [])],
  });
  const builder = addProgram(treeBuilder().addDir('/tmp', { mode: 0o1777 }), path, '/program');
  return runGuest(builder, { argv: ['/program', ...(options.args ?? [])] }, options);
}

const INCLUDES =
  '#include <fcntl.h>\n#include <poll.h>\n#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <sys/mman.h>\n#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>\n';

test('rest: what every task waits for', { skip }, () => {
  const run = start(`${INCLUDES}
    int main(void) { int fd[2]; pipe(fd); if (fork() == 0) { char c; read(fd[0], &c, 1); } for (;;) pause(); }`);
  assert.equal(run.stop.kind, 'quiescent');
  if (run.stop.kind !== 'quiescent') return;
  assert.equal(run.stop.repeating, false);
  assert.deepEqual(
    run.stop.waiting.map(({ pid, syscall, deadline }) => [pid, syscall, deadline]),
    [
      [1, 'pause', undefined],
      [2, 'read', undefined],
    ],
  );
});

test('time jumps to the next deadline, as far as it may', { skip }, () => {
  const source = `${INCLUDES}
    int main(void) { struct timespec a, b; clock_gettime(CLOCK_REALTIME, &a); sleep(5); clock_gettime(CLOCK_REALTIME, &b);
      printf("%ld %d\\n", (long)a.tv_sec, (int)(b.tv_sec - a.tv_sec)); fflush(stdout); sleep(3600); return 1; }`;
  const near = start(source, { horizon: 10_000_000_000n });
  assert.equal(near.stdout, '1700000000 5\n');
  assert.equal(near.stop.kind, 'quiescent');
  assert.equal(start(source, { horizon: 1_000_000_000n }).stdout, '');
  assert.deepEqual(start(source, { horizon: 4_000_000_000_000n }).stop, { kind: 'exited', status: 256 });
});

test('a container that only repeats itself is at rest', { skip }, () => {
  const idle = start(`${INCLUDES} int main(void) { for (;;) poll(0, 0, 100); }`, {
    horizon: 1_000_000_000_000n,
  });
  assert.equal(idle.stop.kind, 'quiescent');
  assert.ok(idle.stop.kind === 'quiescent' && idle.stop.repeating);
  const busy = start(
    `${INCLUDES} int main(void) { for (;;) { close(open("/tmp/x", O_CREAT | O_RDWR, 0600)); usleep(100000); } }`,
    { horizon: 1_000_000_000_000n },
  );
  assert.ok(busy.stop.kind === 'quiescent' && busy.stop.repeating);
  assert.ok(busy.effects.length < 200, `${busy.effects.length} effects`);
  const counts = start(
    `${INCLUDES} int main(void) { for (int i = 0; i < 50; i++) usleep(100000); return 4; }`,
    { horizon: 1_000_000_000_000n },
  );
  assert.deepEqual(counts.stop, { kind: 'exited', status: 1024 });
});

test('an endless loop ends at the budget, and says where', { skip }, () => {
  const run = start('static void spin(void) { for (;;) __asm__ volatile(""); } int main(void) { spin(); }', {
    maxInstructions: 200_000,
  });
  assert.equal(run.stop.kind, 'budget');
  assert.ok(run.stop.kind === 'budget' && run.stop.exe === '/program');
  assert.match((run.stop.kind === 'budget' && run.stop.at?.symbol) || '', /^(spin|main)\+/);
  assert.deepEqual(
    run.cuts.map((cut) => cut.kind),
    ['budget'],
  );
});

test('a user may have no more tasks than its limit', { skip }, () => {
  const run = start(`${INCLUDES}
    #include <errno.h>
    #include <sys/resource.h>
    int main(void) { struct rlimit l = { 4, 4 }; setrlimit(RLIMIT_NPROC, &l); setuid(1000); int n = 0; while (n < 9 && fork() > 0) n++; if (getpid() == 1) { printf("%d %d\\n", n, errno == EAGAIN); fflush(stdout); } for (;;) pause(); }`);
  assert.equal(run.stdout, '3 1\n');
});

test('pid 1 takes from outside what it handles, and SIGKILL', { skip }, () => {
  const source = `${INCLUDES}
    static void on(int s) { write(1, "handled\\n", 8); }
    int main(int c, char **v) { if (c > 1) signal(SIGTERM, on); kill(getpid(), SIGTERM); kill(1, SIGKILL); if (fork() == 0) { kill(1, SIGKILL); kill(1, SIGINT); _exit(0); } for (;;) pause(); }`;
  const bare = start(source).kernel;
  sendSignal(bare, 1, 15);
  assert.equal(bare.run({ maxInstructions: 1e6 }).kind, 'quiescent');
  sendSignal(bare, 1, 9);
  assert.deepEqual(bare.run({ maxInstructions: 1e6 }), { kind: 'exited', status: 9 });
  const handler = start(source, { args: ['x'] }).kernel;
  sendSignal(handler, 1, 15);
  handler.run({ maxInstructions: 1e6 });
  assert.equal(handler.output(), 'handled\nhandled\n');
  assert.equal(sendSignal(handler, 77, 15), false);
});

test('a seccomp filter and unknown calls are cuts with a place', { skip }, () => {
  const run = start(`${INCLUDES}
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    int main(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); struct { unsigned short n; void *f; } p = { 1, &p }; printf("%ld\\n", syscall(SYS_seccomp, 1, 0, &p)); printf("%ld\\n", syscall(5000)); return 0; }`);
  assert.equal(run.stdout, '0\n-1\n');
  assert.deepEqual(
    run.cuts.map(({ kind, what }) => `${kind} ${what}`),
    ['syscall-option seccomp filter', 'syscall syscall 5000'],
  );
  for (const { at, exe } of run.cuts)
    assert.deepEqual([exe, at?.module, at?.symbol?.startsWith('syscall+')], ['/program', '/program', true]);
});

const SERVICE = `${INCLUDES}
  #include <pthread.h>
  static volatile int *shared; static volatile int own; static int requests[2];
  static pthread_mutex_t *mutex;
  static void on(int s) { own++; }
  static void *thread(void *a) { for (;;) { char c; if (read(requests[0], &c, 1) != 1) return 0;
    char name[64]; sprintf(name, "/tmp/%d-%d-%d", *shared, own, getpid()); close(open(name, O_CREAT | O_WRONLY, 0600)); printf("%s %ld\\n", name, random()); fflush(stdout); } }
  int main(void) {
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mutex = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr; pthread_mutexattr_init(&attr); pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED); pthread_mutex_init(mutex, &attr);
    int up[2], down[2]; pipe(up); pipe(down); pipe(requests);
    if (fork() == 0) { pthread_mutex_lock(mutex); char c; while (read(down[0], &c, 1) == 1) { ++*shared; pthread_mutex_unlock(mutex); pthread_mutex_lock(mutex); write(up[1], &c, 1); } _exit(0); }
    struct sigaction sa = { .sa_handler = on }; sigaction(SIGUSR1, &sa, 0);
    pthread_t t; pthread_create(&t, 0, thread, 0);
    for (;;) { pause(); char c; write(down[1], "x", 1); read(up[0], &c, 1); write(requests[1], "r", 1); }
  }`;

test('a snapshot goes on as the original would, and apart from it', { skip }, () => {
  const run = start(SERVICE);
  assert.equal(run.stop.kind, 'quiescent');
  const play = (kernel: Kernel, effects: EffectEvent[], times: number): string[] => {
    const from = effects.length;
    for (let i = 0; i < times; i++) {
      sendSignal(kernel, 1, 10);
      assert.equal(kernel.run({ maxInstructions: 1e7 }).kind, 'quiescent');
    }
    return effects
      .slice(from)
      .map(
        (event) =>
          `${event.pid} ${event.tid} ${printEffect(event.effect)} ${event.result} ${event.stack.map((frame) => frame.symbol).join(' ')}`,
      );
  };
  const copy = (kernel: Kernel): { kernel: Kernel; effects: EffectEvent[] } => {
    const effects: EffectEvent[] = [];
    return {
      kernel: snapshot(kernel, { onEffect: (event) => effects.push(event), onCut: () => {} }),
      effects,
    };
  };
  const used = run.kernel.machine.memory.statistics();
  const [first, second] = [copy(run.kernel), copy(run.kernel)];
  const a = play(first.kernel, first.effects, 3);
  assert.ok(
    a.some((line) => line.includes('OPEN wc /tmp/3-3-1')),
    a.join('\n'),
  );
  const nested = copy(first.kernel);
  const b = play(second.kernel, second.effects, 3);
  assert.deepEqual(b, a, 'two copies do the same');
  assert.equal(run.kernel.output(), '', 'the original has not moved');
  const c = play(run.kernel, run.effects as EffectEvent[], 3);
  assert.deepEqual(c, a, 'and does the same when it goes on');
  assert.equal(first.kernel.output(), run.kernel.output());
  const d = play(nested.kernel, nested.effects, 1);
  assert.ok(
    d.some((line) => line.includes('OPEN wc /tmp/4-4-1')),
    'a copy of a copy',
  );
  for (const { kernel } of [first, second, nested]) kernel.release();
  assert.equal(run.kernel.machine.memory.statistics().spaces, used.spaces, 'memory is given back');
});

test('what belongs to the environment differs between boots, nothing else', { skip: skipGlibc }, () => {
  const source = `${INCLUDES}
    #include <sys/auxv.h>
    int main(void) { char h[64]; gethostname(h, 64); pid_t p = fork(); if (p == 0) { printf("child %d\\n", getpid()); fflush(stdout); _exit(0); } wait(0);
      printf("%s %ld %p %p %lx\\n", h, (long)time(0), (void *)main, (void *)&p, *(long *)getauxval(AT_RANDOM)); return 0; }`;
  const boot = (options: GuestOptions): string =>
    start(source, { ...options, compiler: 'gcc', link: '-static-pie' }).stdout;
  assert.equal(boot({}), boot({}));
  const other = boot({
    environment: {
      ...environment,
      hostName: 'other',
      time: 1_800_000_000_000_000_000n,
      firstPid: 77,
      seed: 7,
    },
    layout: { program: 0x5655_0000_0000, mmapTop: 0x7eee_0000_0000, stackTop: 0x7ffc_0000_0000 },
  });
  assert.match(other, /^child 77\nother 1800000000 0x7eed\w+ 0x7ffb\w+ \w+\n$/);
});

const CHAIN = `#include <fcntl.h>
  __attribute__((noinline)) int inner(int x) { int r = open("/none", O_RDONLY); __asm__ volatile(""); return r + x; }
  __attribute__((noinline)) int middle(int x) { int r = inner(x + 1); __asm__ volatile(""); return r * 3; }
  __attribute__((noinline)) int outer(int x) { volatile char room[1000]; room[x] = 1; int r = middle(x + 1); __asm__ volatile(""); return r + room[x]; }
  int main(int c, char **v) { int r = outer(c); __asm__ volatile(""); return r == 99; }`;

for (const [name, link, flags] of [
  ['unwind tables', '-static', ['-O2']],
  ['unwind tables, position-independent', '-static-pie', ['-O2']],
  [
    'frame pointers',
    '-static',
    ['-O2', '-fno-omit-frame-pointer', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables'],
  ],
] as const) {
  test(`call stacks by ${name}`, { skip: skipGlibc }, () => {
    const run = start(CHAIN, { compiler: 'gcc', link, flags });
    const event = run.effects.find(({ effect }) => effect.op === 'OPEN');
    assert.ok(event !== undefined);
    const names = event.stack.map((frame) => frame.symbol?.replace(/\+.*/, ''));
    assert.deepEqual(names.slice(1, 5), ['inner', 'middle', 'outer', 'main']);
    assert.equal(names.at(-1), '_start');
    assert.equal(event.stackCut, false);
    assert.ok(event.stack.every((frame) => frame.module === '/program'));
  });
}

test('call stacks without tables or frame pointers are guessed, and say so', { skip: skipGlibc }, () => {
  const run = start(CHAIN, {
    compiler: 'gcc',
    flags: ['-O2', '-fomit-frame-pointer', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables'],
  });
  const event = run.effects.find(({ effect }) => effect.op === 'OPEN');
  assert.ok(event !== undefined);
  const names = event.stack.map((frame) => frame.symbol?.replace(/\+.*/, ''));
  for (const name of ['inner', 'middle', 'outer', 'main'])
    assert.ok(names.includes(name), `${name} in ${names}`);
  assert.equal(event.stackCut, true);
});

test('call stacks through a signal handler', { skip: skipGlibc }, () => {
  const run = start(
    `#include <signal.h>\n${CHAIN.replace('main(int c', 'on(int c').replace('char **v', 'siginfo_t *v, void *u')}
    __attribute__((noinline)) int raises(void) { raise(SIGUSR1); __asm__ volatile(""); return 1; }
    int main(void) { struct sigaction sa = { .sa_flags = SA_SIGINFO }; sa.sa_sigaction = (void *)on; sigaction(SIGUSR1, &sa, 0); return raises() - 1; }`,
    { compiler: 'gcc', flags: ['-O2'] },
  );
  const event = run.effects.find(({ effect }) => effect.op === 'OPEN');
  const names = event?.stack.map((frame) => frame.symbol?.replace(/\+.*/, '')) ?? [];
  for (const name of ['inner', 'middle', 'outer', 'on', 'raises', 'main', '_start'])
    assert.ok(names.includes(name), `${name} in ${names}`);
  assert.equal(event?.stackCut, false);
});
