// Signals: delivery, masks, restarts, waiting, job control; the same text natively and in the machine.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <fenv.h>

static volatile int count, last, lastCode, lastValue, nested;
static volatile double kept;
static void on(int s, siginfo_t *i, void *u) {
  count++; last = s; lastCode = i->si_code; lastValue = i->si_value.sival_int;
  kept = s * 1.5; // clobbers floating point registers
}
static void install(int s, int flags) {
  struct sigaction sa = { .sa_flags = flags | SA_SIGINFO };
  sa.sa_sigaction = on;
  sigaction(s, &sa, 0);
}
static void r(const char *what, long value) { printf("%s %ld %s\n", what, value, value == -1 ? strerror(errno) : ""); errno = 0; }
static void skipper(int s, siginfo_t *i, void *u) {
  ucontext_t *c = u;
  c->uc_mcontext.gregs[REG_RIP] += 2; // over the two bytes of ud2
  count++;
}
static void nest(int s) { nested++; if (nested < 3) raise(s); }
static int stop;
static void *waiter(void *a) { sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2); int s; sigwait(&set, &s); return (void *)(long)s; }

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  int fd[2];
  pipe(fd);
  install(SIGUSR1, 0);
  install(SIGALRM, SA_RESTART);
  r("kill self", kill(getpid(), SIGUSR1));
  printf("count %d signal %d code %d\n", count, last, lastCode);
  union sigval v = { .sival_int = 42 };
  sigqueue(getpid(), SIGUSR1, v);
  printf("value %d code %d\n", lastValue, lastCode);
  double x = 1.25;
  raise(SIGUSR1);
  printf("float kept %.2f code %d\n", x * 3, lastCode);

  sigset_t set, old, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  count = 0;
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&pending);
  printf("blocked: count %d pending %d\n", count, sigismember(&pending, SIGUSR1));
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("unblocked: count %d\n", count);

  install(SIGRTMIN + 1, 0);
  sigset_t rt;
  sigemptyset(&rt);
  sigaddset(&rt, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &rt, 0);
  count = 0;
  for (int i = 0; i < 3; i++) { v.sival_int = i; sigqueue(getpid(), SIGRTMIN + 1, v); }
  sigprocmask(SIG_UNBLOCK, &rt, 0);
  printf("queued %d last %d\n", count, lastValue);

  // Repeated, in case that the first comes too early on a busy machine.
  struct itimerval it = { .it_value = { 0, 20000 }, .it_interval = { 0, 20000 } }, off = { 0 };
  char b[4];
  install(SIGALRM, 0);
  setitimer(ITIMER_REAL, &it, 0);
  r("read interrupted", read(fd[0], b, 1));
  setitimer(ITIMER_REAL, &off, 0);
  install(SIGALRM, SA_RESTART);
  setitimer(ITIMER_REAL, &it, 0);
  pid_t pid = fork();
  if (pid == 0) { usleep(60000); write(fd[1], "x", 1); _exit(0); }
  r("read restarted", read(fd[0], b, 1));
  setitimer(ITIMER_REAL, &off, 0);
  waitpid(pid, 0, 0);
  setitimer(ITIMER_REAL, &it, 0);
  r("poll is never restarted", poll(0, 0, 1000));
  setitimer(ITIMER_REAL, &off, 0);
  setitimer(ITIMER_REAL, &it, 0);
  struct timespec ts = { 1, 0 }, left = { 0, 0 };
  r("nanosleep", nanosleep(&ts, &left));
  setitimer(ITIMER_REAL, &off, 0);
  printf("left %ld %d\n", (long)left.tv_sec, left.tv_nsec > 0);

  sigprocmask(SIG_BLOCK, &set, 0);
  raise(SIGUSR1);
  sigset_t none;
  sigemptyset(&none);
  count = 0;
  r("sigsuspend", sigsuspend(&none));
  sigprocmask(SIG_BLOCK, 0, &old);
  printf("count %d still blocked %d\n", count, sigismember(&old, SIGUSR1));
  raise(SIGUSR1);
  siginfo_t info;
  r("sigwaitinfo", sigwaitinfo(&set, &info));
  printf("signo %d code %d own %d\n", info.si_signo, info.si_code, info.si_pid == getpid());
  ts = (struct timespec){ 0, 10000000 };
  r("sigtimedwait", sigtimedwait(&set, &info, &ts));
  sigprocmask(SIG_UNBLOCK, &set, 0);

  struct sigaction sa = { .sa_flags = SA_SIGINFO };
  sa.sa_sigaction = skipper;
  sigaction(SIGILL, &sa, 0);
  count = 0;
  __asm__ volatile("ud2");
  printf("skipped %d\n", count);
  sa.sa_flags = SA_NODEFER;
  sa.sa_handler = nest;
  sigaction(SIGUSR2, &sa, 0);
  raise(SIGUSR2);
  printf("nested %d\n", nested);
  nested = 2;
  sa.sa_flags = SA_RESETHAND;
  sigaction(SIGUSR2, &sa, 0);
  raise(SIGUSR2);
  sigaction(SIGUSR2, 0, &sa);
  printf("reset %d\n", sa.sa_handler == SIG_DFL);
  r("sigaction KILL", sigaction(SIGKILL, &sa, 0));
  r("sigaction 99", sigaction(99, &sa, 0));
  r("kill nobody", kill(999999, 0));
  r("kill bad signal", kill(getpid(), 99));
  r("kill 0", kill(getpid(), 0));

  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &usr2, 0);
  pthread_t t;
  pthread_create(&t, 0, waiter, 0);
  usleep(1000);
  pthread_kill(t, SIGUSR2);
  void *result;
  pthread_join(t, &result);
  printf("thread took %ld\n", (long)result);

  pid = fork();
  if (pid == 0) for (;;) pause();
  int status;
  kill(pid, SIGSTOP);
  r("stopped", waitpid(pid, &status, WUNTRACED) == pid);
  printf("%d %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  kill(pid, SIGCONT);
  r("continued", waitpid(pid, &status, WCONTINUED) == pid);
  printf("%d\n", WIFCONTINUED(status));
  kill(pid, SIGKILL);
  siginfo_t si;
  r("waitid", waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
  printf("code %d status %d\n", si.si_code, si.si_status);
  r("waitpid", waitpid(pid, &status, 0) == pid);
  r("wait without children", waitpid(-1, &status, 0));
  const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGFPE, SIGSEGV, SIGPIPE, SIGTERM, SIGUSR2, SIGSYS, SIGRTMIN };
  for (unsigned i = 0; i < sizeof deadly / sizeof *deadly; i++) {
    pid = fork();
    if (pid == 0) { pthread_sigmask(SIG_UNBLOCK, &usr2, 0); signal(deadly[i], SIG_DFL); raise(deadly[i]); _exit(1); }
    waitpid(pid, &status, 0);
    printf("%d ", WTERMSIG(status));
  }
  printf("\n");
  pid = fork();
  if (pid == 0) { close(fd[0]); signal(SIGPIPE, SIG_DFL); write(fd[1], "x", 1); close(fd[1]); int p[2]; pipe(p); close(p[0]); write(p[1], "x", 1); _exit(0); }
  waitpid(pid, &status, 0);
  printf("broken pipe %d\n", WTERMSIG(status));
  signal(SIGPIPE, SIG_IGN);
  int p[2];
  pipe(p);
  close(p[0]);
  r("write to nobody", write(p[1], "x", 1));
  pid = fork();
  if (pid == 0) { volatile int z = 0; z = 7 / z; _exit(0); }
  waitpid(pid, &status, 0);
  printf("division %d\n", WTERMSIG(status));
  timer_t timer;
  struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77 };
  r("timer_create", timer_create(CLOCK_MONOTONIC, &ev, &timer));
  struct itimerspec its = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };
  count = 0;
  r("timer_settime", timer_settime(timer, 0, &its, 0));
  pause();
  printf("timer %d value %d code %d\n", count > 0, lastValue, lastCode);
  r("timer_delete", timer_delete(timer));
  return 0;
}
