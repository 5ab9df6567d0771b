// A server of the old kind: pid file, listening sockets of three kinds, workers made by fork that accept, a master that
// makes a new one for each that ends and takes the stop signal.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;
static void stop(int signal) { stopping = signal; }

static int listening(int family, int port) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
  struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
  struct sockaddr *address = family == AF_INET ? (void *)&in : (void *)&in6;
  if (bind(fd, address, family == AF_INET ? sizeof in : sizeof in6) < 0) return -1;
  listen(fd, 16);
  return fd;
}

static int local(const char *path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  strcpy(address.sun_path, path);
  unlink(path);
  bind(fd, (void *)&address, sizeof address);
  chmod(path, 0660);
  listen(fd, 5);
  return fd;
}

static void work(int fd, int number) {
  signal(SIGTERM, SIG_DFL);
  char name[64];
  snprintf(name, sizeof name, "/run/app/worker-%d", number);
  close(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  if (number == 0) _exit(3);
  for (;;) {
    int client = accept(fd, 0, 0);
    if (client >= 0) close(client);
  }
}

int main(void) {
  umask(027);
  mkdir("/run/app", 0755);
  int lock = open("/run/app/pid", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (flock(lock, LOCK_EX | LOCK_NB) < 0) return 1;
  char text[16];
  if (write(lock, text, snprintf(text, sizeof text, "%d\n", getpid())) < 0) return 1;
  int first = listening(AF_INET, 8080), second = listening(AF_INET6, 8081);
  int again = listening(AF_INET, 8080);
  int third = local("/run/app/control");
  struct sigaction action = { .sa_handler = stop };
  sigaction(SIGTERM, &action, 0);
  pid_t workers[3];
  int fds[3] = { first, second, third };
  for (int i = 0; i < 3; i++)
    if ((workers[i] = fork()) == 0) work(fds[i], i);
  int status;
  waitpid(workers[0], &status, 0);
  if ((workers[0] = fork()) == 0) work(first, 7);
  if (setgid(7) < 0 || setuid(7) < 0) return 1;
  if (open("/etc/shadow", O_RDONLY) >= 0 || again >= 0) return 1;
  while (!stopping) pause();
  // no longer root: the workers are not ours to ask
  for (int i = 0; i < 3; i++) kill(workers[i], SIGTERM);
  unlink("/run/app/control");
  return 0;
}
