// Process ids, groups, sessions, limits, prctl: the same text natively and in the machine (run as root).
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void r(const char *what, long value) { printf("%s %ld %s\n", what, value, value == -1 ? strerror(errno) : ""); errno = 0; }
static void ids(void) { uid_t a, b, c; gid_t d, e, f; getresuid(&a, &b, &c); getresgid(&d, &e, &f); printf("uid %d %d %d gid %d %d %d\n", a, b, c, d, e, f); }
static int child(int (*body)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) { int s = body(); fflush(stdout); _exit(s); }
  int status;
  waitpid(p, &status, 0);
  printf("-> %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return status;
}
static int users(void) {
  ids();
  r("setgroups", setgroups(2, (gid_t[]){ 7, 5 }));
  gid_t list[4];
  r("getgroups", getgroups(4, list));
  printf("%d %d\n", list[0], list[1]);
  r("getgroups small", getgroups(1, list));
  r("setegid", setegid(50));
  r("seteuid", seteuid(100));
  ids();
  r("seteuid other", seteuid(200));
  r("seteuid back", seteuid(0));
  r("setresuid", setresuid(100, 200, 300));
  ids();
  r("setuid to saved", setuid(300));
  ids();
  r("setuid to other", setuid(5));
  r("setreuid swap", setreuid(300, 100));
  ids();
  r("setgid", setgid(9));
  r("setgroups", setgroups(0, 0));
  r("raise nice", nice(5));
  r("lower nice", setpriority(PRIO_PROCESS, 0, 0));
  r("priority", getpriority(PRIO_PROCESS, 0));
  return 1;
}
static int groups(void) {
  r("leader", getpgrp() == getpid());
  r("setsid", setsid() == getpid());
  r("again", setsid());
  r("setpgid", setpgid(0, 0));
  pid_t p = fork();
  if (p == 0) { pause(); _exit(0); }
  r("child group", setpgid(p, p));
  r("its group", getpgid(p) == p);
  r("its session", getsid(p) == getpid());
  r("strange group", setpgid(p, 1));
  r("nobody", setpgid(999999, 0));
  r("kill group", kill(-p, SIGTERM));
  int s;
  r("wait group", waitpid(-p, &s, 0) == p);
  r("no group", kill(-p, SIGTERM));
  return 2;
}
static int orphan(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int fd[2];
  pipe(fd);
  pid_t p = fork();
  if (p == 0) {
    if (fork() == 0) { while (getppid() == getpgid(0) + 100000) ; close(fd[0]); usleep(2000); char ok = getppid() != 1; write(fd[1], &ok, 1); _exit(7); }
    _exit(0);
  }
  int s;
  waitpid(p, &s, 0);
  char ok = 9;
  read(fd[0], &ok, 1);
  r("to the subreaper", ok);
  r("it is ours", wait(&s) > 0);
  r("status", WEXITSTATUS(s));
  return 3;
}
static int death(void) {
  int fd[2];
  pipe(fd);
  if (fork() == 0) {
    if (fork() == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); write(fd[1], "x", 1); pause(); _exit(0); }
    char c;
    read(fd[0], &c, 1);
    _exit(0);
  }
  close(fd[1]);
  wait(0);
  char c;
  r("closed by its death", read(fd[0], &c, 1));
  return 4;
}
static int limits(void) {
  struct rlimit l;
  r("getrlimit", getrlimit(RLIMIT_NOFILE, &l));
  l.rlim_cur = 10;
  r("setrlimit", setrlimit(RLIMIT_NOFILE, &l));
  int n = 0;
  while (dup(0) >= 0) n++;
  printf("dups %d %s\n", n, strerror(errno));
  l.rlim_cur = l.rlim_max + 1;
  r("soft over hard", setrlimit(RLIMIT_NOFILE, &l));
  r("bad resource", getrlimit(99, &l));
  r("prlimit nobody", prlimit(999999, RLIMIT_CORE, 0, &l));
  l.rlim_cur = l.rlim_max = 0;
  r("no core", setrlimit(RLIMIT_CORE, &l));
  return 5;
}
static int names(void) {
  char name[32] = "", big[] = "a name that is too long";
  r("set name", prctl(PR_SET_NAME, big));
  r("get name", prctl(PR_GET_NAME, name));
  printf("%s\n", name);
  r("dumpable", prctl(PR_SET_DUMPABLE, 0));
  r("is", prctl(PR_GET_DUMPABLE));
  r("bad dumpable", prctl(PR_SET_DUMPABLE, 7));
  r("no new privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  r("set", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  r("is", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  r("unset", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  r("keep caps", prctl(PR_SET_KEEPCAPS, 1));
  r("bounding", prctl(PR_CAPBSET_READ, 0));
  r("no such capability", prctl(PR_CAPBSET_READ, 63));
  r("drop", prctl(PR_CAPBSET_DROP, 0));
  r("bounding", prctl(PR_CAPBSET_READ, 0));
  r("slack", prctl(PR_GET_TIMERSLACK));
  r("unknown", prctl(4711));
  return 6;
}
static int misc(void) {
  cpu_set_t set;
  r("affinity", sched_getaffinity(0, sizeof set, &set));
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  r("to one", sched_setaffinity(0, sizeof set, &set));
  sched_getaffinity(0, sizeof set, &set);
  r("count", CPU_COUNT(&set));
  CPU_ZERO(&set);
  r("to none", sched_setaffinity(0, sizeof set, &set));
  r("scheduler", sched_getscheduler(0));
  r("max", sched_get_priority_max(SCHED_FIFO));
  r("min", sched_get_priority_min(SCHED_OTHER));
  r("bad", sched_get_priority_min(77));
  struct timespec ts;
  r("clock", clock_gettime(99, &ts));
  r("resolution", clock_getres(CLOCK_MONOTONIC, &ts));
  printf("%ld %ld\n", (long)ts.tv_sec, ts.tv_nsec);
  ts = (struct timespec){ 0, 1000000000 };
  r("bad nanosleep", nanosleep(&ts, 0));
  struct utsname u;
  r("uname", uname(&u));
  printf("%s %s\n", u.sysname, u.machine);
  r("gettid", syscall(SYS_gettid) == getpid());
  r("no such call", syscall(999));
  char b[16];
  r("random", syscall(SYS_getrandom, b, 16, 0));
  r("random flags", syscall(SYS_getrandom, b, 16, 99));
  r("membarrier", syscall(SYS_membarrier, 0, 0, 0) > 0);
  r("robust", syscall(SYS_set_robust_list, b, 3));
  r("waitid nothing", waitid(P_ALL, 0, 0, 0));
  r("clone flags", syscall(SYS_clone, 0x10000 | SIGCHLD, 0, 0, 0, 0));
  r("execve", execl("/nonexistent", "x", (char *)0));
  r("execve directory", execl("/tmp", "x", (char *)0));
  r("execve null", syscall(SYS_execve, 0, 0, 0));
  struct tms t;
  r("times", times(&t) > 0);
  r("futex", syscall(SYS_futex, b, 99, 0, 0, 0, 0));
  unsigned word = 5;
  r("futex wait changed", syscall(SYS_futex, &word, 0, 6, 0, 0, 0));
  ts = (struct timespec){ 0, 1000 };
  r("futex wait timeout", syscall(SYS_futex, &word, 0, 5, &ts, 0, 0));
  r("futex wake", syscall(SYS_futex, &word, 1, 5, 0, 0, 0));
  r("futex unaligned", syscall(SYS_futex, (char *)&word + 1, 1, 5, 0, 0, 0));
  return 7;
}
int main(void) {
  setpriority(PRIO_PROCESS, 0, 0); // wherever the tests themselves run
  child(users);
  child(groups);
  child(orphan);
  child(death);
  child(limits);
  child(names);
  child(misc);
  return 0;
}
