#include "cases.h"
#include <linux/futex.h>
#include <pthread.h>
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct waiter { uint64_t val, uaddr; uint32_t flags, reserved; };
static uint32_t *word;
static long fx(int op, uint32_t val, void *t, uint32_t *b, uint32_t v3) { return syscall(SYS_futex, word, op, val, t, b, v3); }
static void shared(void) { word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }
static struct timespec ms = {0, 5000000};
CASE(wait_errors) {
  shared(); T(fx(FUTEX_WAIT, 1, 0, 0, 0)); T(fx(FUTEX_WAIT, 0, &ms, 0, 0)); struct timespec bad = {0, -1}; T(fx(FUTEX_WAIT, 0, &bad, 0, 0)); T(fx(FUTEX_WAIT_BITSET, 0, &ms, 0, 0)); T(fx(FUTEX_WAIT_BITSET, 0, &ms, 0, 1)); T(fx(99, 0, 0, 0, 0));
  word = (void *)((char *)word + 1); T(fx(FUTEX_WAIT, 0, 0, 0, 0)); word = (void *)8; T(fx(FUTEX_WAIT, 0, 0, 0, 0)); T(fx(FUTEX_WAKE, 1, 0, 0, 0)); T(fx(FUTEX_WAKE_PRIVATE, 1, 0, 0, 0)); shared(); T(fx(FUTEX_WAKE, 5, 0, 0, 0)); T(fx(FUTEX_WAKE_BITSET, 5, 0, 0, 0)); T(fx(FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &ms, 0, 0)); T(fx(FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
}
CASE(wake_counts) {
  shared(); pid_t c[3]; for (int i = 0; i < 3; i++) c[i] = CHILD(_exit(fx(FUTEX_WAIT, 0, 0, 0, 0) != 0)); nap(30); T(fx(FUTEX_WAKE, 2, 0, 0, 0)); nap(10); T(fx(FUTEX_WAKE, 5, 0, 0, 0)); for (int i = 0; i < 3; i++) reap(c[i], "waiter");
}
CASE(requeue) {
  shared(); pid_t c[3]; for (int i = 0; i < 3; i++) c[i] = CHILD(_exit(fx(FUTEX_WAIT, 0, 0, 0, 0) != 0)); nap(30); T(fx(FUTEX_CMP_REQUEUE, 1, (void *)1, word + 1, 9)); T(fx(FUTEX_CMP_REQUEUE, 1, (void *)1, word + 1, 0)); T(fx(FUTEX_WAKE, 9, 0, 0, 0)); word++; T(fx(FUTEX_WAKE, 9, 0, 0, 0)); for (int i = 0; i < 3; i++) reap(c[i], "waiter");
}
CASE(bitset_op) {
  shared(); pid_t c = CHILD(_exit(fx(FUTEX_WAIT_BITSET, 0, 0, 0, 4) != 0)); nap(20); T(fx(FUTEX_WAKE_BITSET, 9, 0, 0, 3)); T(fx(FUTEX_WAKE_BITSET, 9, 0, 0, 6)); reap(c, "waiter"); word[1] = 5; T(fx(FUTEX_WAKE_OP, 1, (void *)1, word + 1, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5))); V(word[1]); T(fx(FUTEX_WAKE_OP, 1, (void *)1, word + 1, FUTEX_OP(FUTEX_OP_SET, -1, FUTEX_OP_CMP_GT, 5))); V((int)word[1]); T(fx(FUTEX_WAKE_OP, 1, (void *)1, word + 1, 0x7f000000));
}
CASE(pi) {
  shared(); T(fx(FUTEX_LOCK_PI, 0, 0, 0, 0)); V(*word == getpid()); T(fx(FUTEX_LOCK_PI, 0, 0, 0, 0)); T(fx(FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
  IN_CHILD(T(fx(FUTEX_TRYLOCK_PI, 0, 0, 0, 0)); T(fx(FUTEX_UNLOCK_PI, 0, 0, 0, 0)); struct timespec past = {1, 0}; T(fx(FUTEX_LOCK_PI, 0, &past, 0, 0)); T(fx(FUTEX_LOCK_PI2, 0, &past, 0, 0)));
  V((*word & FUTEX_WAITERS) != 0); pid_t c = CHILD(T(fx(FUTEX_LOCK_PI, 0, 0, 0, 0)); V((*word & FUTEX_TID_MASK) == getpid()); T(fx(FUTEX_UNLOCK_PI, 0, 0, 0, 0))); nap(20); T(fx(FUTEX_UNLOCK_PI, 0, 0, 0, 0)); reap(c, "child"); V(*word); *word = 4000000; T(fx(FUTEX_LOCK_PI, 0, 0, 0, 0)); T(fx(FUTEX_UNLOCK_PI, 0, 0, 0, 0));
}
static pthread_mutex_t *m;
static void *locker(void *a) { long r = pthread_mutex_lock(m); pthread_mutex_unlock(m); return (void *)r; }
CASE(pi_mutex) {
  shared(); m = (void *)(word + 64); pthread_mutexattr_t a; pthread_mutexattr_init(&a); T(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT)); pthread_mutexattr_setpshared(&a, 1); pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST); T(pthread_mutex_init(m, &a)); T(pthread_mutex_lock(m)); pthread_t t; pthread_create(&t, 0, locker, 0); nap(20); T(pthread_mutex_unlock(m)); void *r; pthread_join(t, &r); V((long)r);
  IN_CHILD(T(pthread_mutex_lock(m))); T(pthread_mutex_lock(m)); T(pthread_mutex_consistent(m)); T(pthread_mutex_unlock(m)); T(pthread_mutex_trylock(m));
  pthread_mutex_unlock(m); pid_t c = CHILD(pthread_mutex_lock(m); nap(40)); nap(20); T(pthread_mutex_lock(m)); reap(c, "owner");
}
CASE(waitv) {
  shared(); struct waiter w[2] = {{0, (long)word, 2}, {0, (long)(word + 1), 2}}; struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); t.tv_nsec += 5000000; if (t.tv_nsec > 999999999) { t.tv_sec++; t.tv_nsec -= 1000000000; }
  T(syscall(SYS_futex_waitv, w, 2, 0, &t, CLOCK_MONOTONIC)); T(syscall(SYS_futex_waitv, w, 0, 0, 0, 0)); T(syscall(SYS_futex_waitv, w, 2, 1, 0, 0)); T(syscall(SYS_futex_waitv, w, 2, 0, &t, 5)); w[0].val = 3; T(syscall(SYS_futex_waitv, w, 2, 0, &t, 1)); w[0].val = 0; w[0].flags = 0; T(syscall(SYS_futex_waitv, w, 2, 0, &t, 1)); w[0].flags = 2; w[1].reserved = 1; T(syscall(SYS_futex_waitv, w, 2, 0, &t, 1)); w[1].reserved = 0;
  pid_t c = CHILD(T(syscall(SYS_futex_waitv, w, 2, 0, 0, 0))); nap(20); word++; T(fx(FUTEX_WAKE, 1, 0, 0, 0)); reap(c, "child");
}
CASE(robust) {
  shared(); m = (void *)(word + 64); pthread_mutexattr_t a; pthread_mutexattr_init(&a); pthread_mutexattr_setpshared(&a, 1); pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST); pthread_mutex_init(m, &a); IN_CHILD(T(pthread_mutex_lock(m))); T(pthread_mutex_lock(m)); T(pthread_mutex_unlock(m)); T(pthread_mutex_lock(m)); struct { void *a, *b; long c; } *h; size_t n; T(syscall(SYS_get_robust_list, 0, &h, &n)); V(n); T(syscall(SYS_set_robust_list, h, 5)); T(syscall(SYS_get_robust_list, 4000000, &h, &n));
}
LIST(C(wait_errors), C(wake_counts), C(requeue), C(bitset_op), C(pi), C(pi_mutex), C(waitv), C(robust))
