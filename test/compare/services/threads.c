// An event loop with threads: epoll over a listener, an eventfd, a timerfd, a signalfd and a pipe; threads that write
// files of their own; one child by posix_spawn whose output is read.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int done;

static void *work(void *argument) {
  char name[64];
  snprintf(name, sizeof name, "/tmp/thread-%ld", (long)argument);
  int fd = open(name, O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, 8192) < 0) return 0;
  char *bytes = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  bytes[0] = 1;
  munmap(bytes, 8192);
  close(fd);
  uint64_t one = 1;
  if (write(done, &one, 8) < 0) return 0;
  return 0;
}

static void watch(int poll, int fd) {
  struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

static void child(char **environment) {
  int ends[2];
  if (pipe(ends) < 0) return;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  char *argv[] = { "cat", "/etc/hostname", 0 };
  pid_t pid;
  if (posix_spawn(&pid, "/bin/cat", &actions, 0, argv, environment) != 0) return;
  close(ends[1]);
  char buffer[256];
  while (read(ends[0], buffer, sizeof buffer) > 0) continue;
  close(ends[0]);
  waitpid(pid, 0, 0);
}

int main(int count, char **arguments, char **environment) {
  (void)count, (void)arguments;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, 0);
  int signals = signalfd(-1, &set, SFD_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_t threads[4];
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, work, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
  child(environment);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9090), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  bind(listener, (void *)&address, sizeof address);
  listen(listener, 8);
  int poll = epoll_create1(EPOLL_CLOEXEC);
  watch(poll, signals), watch(poll, timer), watch(poll, listener), watch(poll, done);
  struct itimerspec soon = { .it_value.tv_nsec = 20000000 };
  timerfd_settime(timer, 0, &soon, 0);
  // a client of its own
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(client, (void *)&address, sizeof address) < 0) return 1;
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(poll, &event, 1, -1) != 1) continue;
    uint64_t value[16];
    if (event.data.fd == listener) {
      int peer = accept4(listener, 0, 0, SOCK_CLOEXEC);
      if (write(peer, "hello", 5) != 5 || read(client, value, 5) != 5) return 1;
      shutdown(client, SHUT_RDWR);
      close(client), close(peer);
    } else if (read(event.data.fd, value, sizeof value) < 0) return 1;
    if (event.data.fd == signals) break;
  }
  return 4;
}
