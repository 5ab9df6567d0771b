// Threads, condition variables, thread-local storage, cancellation, jumps out of handlers, mathematics.
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int count, turn;
static __thread int own = 5;

static void *work(void *a) {
  long id = (long)a;
  own += id;
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&mutex);
    count++;
    pthread_mutex_unlock(&mutex);
  }
  pthread_mutex_lock(&mutex);
  while (turn != id) pthread_cond_wait(&changed, &mutex);
  turn++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  return (void *)(long)own;
}
static sigjmp_buf jump;
static void onFault(int s) { siglongjmp(jump, s); }
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void initialize(void) { puts("once"); }
static void *sleeper(void *a) { for (;;) pause(); }
static pthread_mutex_t robust;
static void *dies(void *a) { pthread_mutex_lock(&robust); return 0; }

int main(void) {
  pthread_t t[8];
  for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, work, (void *)i);
  long sum = 0;
  for (int i = 0; i < 8; i++) {
    void *r;
    pthread_join(t[i], &r);
    sum += (long)r;
  }
  printf("count %d sum %ld turn %d\n", count, sum, turn);
  pthread_once(&once, initialize);
  pthread_once(&once, initialize);
  signal(SIGSEGV, onFault);
  int r = sigsetjmp(jump, 1);
  if (r == 0) *(volatile int *)0 = 1;
  else printf("caught %d\n", r);
  stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 };
  sigaltstack(&ss, 0);
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_handler = onFault;
  sa.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &sa, 0);
  r = sigsetjmp(jump, 1);
  if (r == 0) *(volatile int *)8 = 1;
  else printf("caught on the other stack %d\n", r);
  pthread_create(&t[0], 0, sleeper, 0);
  usleep(1000);
  pthread_cancel(t[0]);
  void *rv;
  pthread_join(t[0], &rv);
  printf("canceled %d\n", rv == PTHREAD_CANCELED);
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  ts.tv_nsec += 1000000;
  if (ts.tv_nsec >= 1000000000) {
    ts.tv_sec++;
    ts.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&mutex);
  printf("timed out %d\n", pthread_cond_timedwait(&changed, &mutex, &ts) == ETIMEDOUT);
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attr);
  pthread_create(&t[0], 0, dies, 0);
  pthread_join(t[0], 0);
  printf("owner died %d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);
  printf("%.10f %.10f %.6e\n", sin(1.0), pow(2.5, 3.3), exp(-20.0));
  return 0;
}
