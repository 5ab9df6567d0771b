// fork, exec, wait, pipes, signals, alarm, system and popen.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int got;
static void on(int s, siginfo_t *i, void *u) { got = s * 1000 + i->si_code; }

int main(int c, char **v) {
  if (c > 1) {
    printf("child %s env %s\n", v[1], getenv("X"));
    return 3;
  }
  setvbuf(stdout, 0, _IOLBF, 0);
  pid_t p = fork();
  if (p == 0) {
    setenv("X", "yes", 1);
    execl(v[0], v[0], "arg", (char *)0);
    _exit(9);
  }
  int st;
  pid_t w = waitpid(p, &st, 0);
  printf("wait %d %d\n", w == p, WEXITSTATUS(st));
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = on;
  sa.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &sa, 0);
  raise(SIGUSR1);
  printf("got %d\n", got);
  kill(getpid(), SIGUSR1);
  printf("got %d\n", got);
  p = fork();
  if (p == 0) {
    pause();
    _exit(0);
  }
  kill(p, SIGTERM);
  waitpid(p, &st, 0);
  printf("signaled %d %d\n", WIFSIGNALED(st), WTERMSIG(st));
  int fd[2];
  pipe(fd);
  p = vfork();
  if (p == 0) {
    write(fd[1], "vf", 2);
    _exit(5);
  }
  char b[3] = { 0 };
  read(fd[0], b, 2);
  waitpid(p, &st, 0);
  printf("%s %d\n", b, WEXITSTATUS(st));
  FILE *f = popen("echo popen; exit 4", "r");
  char line[100];
  fgets(line, 100, f);
  printf("%s%d\n", line, WEXITSTATUS(pclose(f)));
  printf("system %d\n", WEXITSTATUS(system("exit 6")));
  sa.sa_flags = 0;
  sigaction(SIGALRM, &sa, 0);
  alarm(1);
  int left = sleep(10);
  printf("sleep %d\n", left == 8 || left == 9);
  signal(SIGCHLD, SIG_IGN);
  p = fork();
  if (p == 0) _exit(1);
  int r = wait(&st);
  printf("ignored %d %s\n", r, strerror(errno));
  signal(SIGCHLD, SIG_DFL);
  p = fork();
  if (p == 0) *(volatile int *)0 = 1;
  waitpid(p, &st, 0);
  printf("fault %d\n", WTERMSIG(st));
  p = fork();
  if (p == 0) abort();
  waitpid(p, &st, 0);
  printf("abort %d\n", WTERMSIG(st));
  return 0;
}
