/* Pipes and FIFOs between processes: blocking, ends of file, broken pipes, rendezvous of FIFO opens. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t broken;
static void on_pipe(int s) { broken += s == SIGPIPE; }

static void wait_for(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  printf("child: %d %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void large(void) {
  int p[2];
  pipe(p);
  pid_t pid = fork();
  if (pid == 0) {
    close(p[0]);
    char *block = calloc(200000, 1);
    for (int i = 0; i < 200000; i += 1000) block[i] = (char)(i >> 8);
    ssize_t n = write(p[1], block, 200000);
    _exit(n == 200000 ? 0 : 1);
  }
  close(p[1]);
  unsigned long sum = 0, total = 0;
  unsigned char buffer[5000];
  ssize_t n;
  while ((n = read(p[0], buffer, sizeof buffer)) > 0) {
    for (unsigned long at = (total + 999) / 1000 * 1000; at < total + (unsigned long)n; at += 1000) sum = sum * 31 + buffer[at - total];
    total += (unsigned long)n;
  }
  printf("large: %lu %lx %zd\n", total, sum, n);
  close(p[0]);
  wait_for(pid);
}

static void sigpipe(void) {
  int p[2];
  pipe(p);
  close(p[0]);
  signal(SIGPIPE, on_pipe);
  ssize_t n = write(p[1], "x", 1);
  printf("epipe: %zd %s %d\n", n, strerrorname_np(errno), (int)broken);
  signal(SIGPIPE, SIG_DFL);
  pid_t pid = fork();
  if (pid == 0) {
    write(p[1], "x", 1);
    _exit(0);
  }
  wait_for(pid);
  close(p[1]);
}

static void fifo(const char *directory) {
  char path[200];
  snprintf(path, sizeof path, "%s/fifo", directory);
  printf("mkfifo: %d\n", mkfifo(path, 0600));
  for (int order = 0; order < 2; order++) {
    pid_t pid = fork();
    if (pid == 0) {
      if (order == 0) usleep(1000);
      int fd = open(path, O_WRONLY);
      write(fd, "through the fifo", 16);
      _exit(0);
    }
    if (order == 1) usleep(1000);
    int fd = open(path, O_RDONLY);
    char buffer[64];
    ssize_t n, got = 0;
    while ((n = read(fd, buffer + got, sizeof buffer - (size_t)got)) > 0) got += n;
    printf("fifo: %.*s\n", (int)got, buffer);
    close(fd);
    wait_for(pid);
  }
  int fd = open(path, O_RDWR);
  printf("read-write open: %d\n", fd >= 0);
  write(fd, "self", 4);
  char buffer[8] = {0};
  ssize_t n = read(fd, buffer, 8);
  printf("own bytes: %zd %s\n", n, buffer);
  close(fd);
  unlink(path);
}

static void selects(void) {
  int p[2];
  pipe(p);
  pid_t pid = fork();
  if (pid == 0) {
    usleep(2000);
    write(p[1], "now", 3);
    _exit(3);
  }
  close(p[1]);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(p[0], &set);
  struct timeval limit = {5, 0};
  int n = select(p[0] + 1, &set, NULL, NULL, &limit);
  printf("select: %d %d left %d\n", n, FD_ISSET(p[0], &set) != 0, limit.tv_sec == 4);
  struct pollfd one = {p[0], POLLIN, 0};
  n = poll(&one, 1, 1000);
  printf("poll: %d %x\n", n, (unsigned)one.revents & POLLIN);
  char buffer[8];
  printf("read: %zd\n", read(p[0], buffer, 8));
  printf("read: %zd\n", read(p[0], buffer, 8));
  wait_for(pid);
  one.fd = p[0];
  n = poll(&one, 1, -1);
  printf("hung up: %d %x\n", n, (unsigned)one.revents);
}

static void redirect(void) {
  int p[2];
  pipe2(p, O_CLOEXEC);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(p[1], 1);
    execl("/bin/sh", "sh", "-c", "echo from the shell; exit 5", (char *)NULL);
    _exit(127);
  }
  close(p[1]);
  char buffer[64];
  ssize_t n = read(p[0], buffer, sizeof buffer);
  printf("shell: %.*s", (int)n, buffer);
  wait_for(pid);
  FILE *f = popen("cat; echo done", "w");
  fputs("into cat\n", f);
  fflush(stdout);
  printf("pclose: %d\n", pclose(f));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char directory[] = "/tmp/pipesXXXXXX";
  if (mkdtemp(directory) == NULL) return 1;
  large();
  sigpipe();
  fifo(directory);
  selects();
  redirect();
  rmdir(directory);
  return 0;
}
