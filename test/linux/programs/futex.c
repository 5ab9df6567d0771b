// Futex operations between threads, by raw system calls: the same text natively and in the machine.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT, WAKE, FD, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET };
static unsigned a, b, woken;
static long futex(unsigned *p, int op, unsigned val, void *timeout, unsigned *p2, unsigned val3) {
  return syscall(SYS_futex, p, op, val, timeout, p2, val3);
}
static void r(const char *what, long value) { printf("%s %ld %s\n", what, value, value == -1 ? strerror(errno) : ""); errno = 0; }
static void *waits(void *arg) {
  long bits = (long)arg;
  futex(&a, (bits ? WAIT_BITSET : WAIT) | 128, 0, 0, 0, bits);
  __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
  return 0;
}
static pthread_t t[8];
static int n;
/** How many wait at a: what moving them away and back says. */
static long waiting(void) {
  static unsigned aside;
  futex(&a, CMP_REQUEUE | 128, 0, (void *)100, &aside, 0);
  return futex(&aside, CMP_REQUEUE | 128, 0, (void *)100, &a, 0);
}
static void start(int count, long bits) {
  long wanted = waiting() + count;
  while (count--) pthread_create(&t[n++], 0, waits, (void *)bits);
  for (int i = 0; i < 10000 && waiting() != wanted; i++) usleep(1000);
}
static void settle(const char *what, unsigned wanted) {
  for (int i = 0; i < 10000 && woken < wanted; i++) usleep(1000);
  usleep(2000);
  printf("%s: %u woken\n", what, woken);
}
static void on(int s) {}

int main(void) {
  start(5, 0);
  r("wake 0 wakes one", futex(&a, WAKE | 128, 0, 0, 0, 0));
  settle("wake", 1);
  r("shared wake reaches private waiters not", futex(&a, WAKE, 1, 0, 0, 0) >= 0);
  r("cmp requeue of another value", futex(&a, CMP_REQUEUE | 128, 1, (void *)1, &b, 7));
  long moved = futex(&a, CMP_REQUEUE | 128, 1, (void *)2, &b, 0);
  r("cmp requeue", moved >= 2);
  settle("requeue", 2);
  r("negative", futex(&a, CMP_REQUEUE | 128, -1, (void *)2, &b, 0));
  futex(&a, WAKE | 128, 100, 0, 0, 0);
  futex(&b, WAKE | 128, 100, 0, 0, 0);
  for (int i = 0; i < n; i++) pthread_join(t[i], 0);
  printf("all %u\n", woken);
  n = woken = 0;
  start(1, 1);
  start(1, 2);
  start(1, 4);
  r("wake bitset", futex(&a, WAKE_BITSET | 128, 9, 0, 0, 6));
  settle("bitset", 2);
  r("wake bitset 0", futex(&a, WAKE_BITSET | 128, 9, 0, 0, 0));
  r("wait bitset 0", futex(&a, WAIT_BITSET | 128, 0, 0, 0, 0));
  b = 5;
  // b = b + 3, and wake its waiters if it was greater than 4
  r("wake op", futex(&a, WAKE_OP | 128, 1, (void *)1, &b, 1u << 28 | 4u << 24 | 3u << 12 | 4));
  settle("wake op", 3);
  printf("b %u\n", b);
  r("wake op set", futex(&a, WAKE_OP | 128, 1, (void *)1, &b, 0u << 28 | 0u << 24 | 0xfffu << 12 | 8));
  printf("b %d\n", (int)b);
  r("wake op unknown", futex(&a, WAKE_OP | 128, 1, (void *)1, &b, 5u << 28));
  for (int i = 0; i < n; i++) pthread_join(t[i], 0);
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  ts.tv_nsec += 5000000;
  if (ts.tv_nsec >= 1000000000) ts.tv_sec++, ts.tv_nsec -= 1000000000;
  r("absolute", futex(&a, WAIT_BITSET | 128, 0, &ts, 0, -1));
  clock_gettime(CLOCK_REALTIME, &ts);
  r("past", futex(&a, WAIT_BITSET | 128 | 256, 0, &ts, 0, -1));
  ts = (struct timespec){ -1, 0 };
  r("negative time", futex(&a, WAIT | 128, 0, &ts, 0, 0));
  signal(SIGALRM, on);
  siginterrupt(SIGALRM, 1);
  ualarm(10000, 10000);
  r("interrupted", futex(&a, WAIT | 128, 0, 0, 0, 0));
  ts = (struct timespec){ 5, 0 };
  siginterrupt(SIGALRM, 0);
  r("with a timeout never restarted", futex(&a, WAIT | 128, 0, &ts, 0, 0));
  ualarm(0, 0);
  r("null", futex(0, WAKE | 128, 1, 0, 0, 0));
  r("unmapped", futex((unsigned *)0x10000, WAIT | 128, 1, 0, 0, 0));
  unsigned *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    while (futex(shared, WAIT, 0, 0, 0, 0) == 0 && *shared == 0) ;
    _exit(*shared);
  }
  long reached = 0;
  for (int i = 0; i < 10000 && reached == 0; i++) {
    usleep(1000);
    reached = futex(shared, CMP_REQUEUE, 0, (void *)1, shared + 1, 0); // it waits, and is moved
  }
  *shared = 9;
  r("across processes", futex(shared + 1, WAKE, 1, 0, 0, 0));
  int status;
  waitpid(pid, &status, 0);
  printf("%d\n", WEXITSTATUS(status));
  return 0;
}
