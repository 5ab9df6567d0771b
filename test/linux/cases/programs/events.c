/* epoll over sockets, timers, signals and counters, in one loop. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int event;
static void *worker(void *unused) {
  (void)unused;
  for (int i = 1; i <= 3; i++) {
    usleep(1000);
    uint64_t n = (uint64_t)i;
    write(event, &n, 8);
  }
  return NULL;
}

static void watch(int epoll, int fd, uint32_t events) {
  struct epoll_event e = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) printf("ctl %s\n", strerrorname_np(errno));
}

static void loop(void) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  event = eventfd(0, EFD_NONBLOCK);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec every = {{0, 3000000}, {0, 3000000}};
  timerfd_settime(timer, 0, &every, NULL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, SFD_NONBLOCK);
  watch(epoll, event, EPOLLIN | EPOLLET);
  watch(epoll, timer, EPOLLIN);
  watch(epoll, signals, EPOLLIN);
  pthread_t thread;
  pthread_create(&thread, NULL, worker, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    kill(getppid(), SIGUSR1);
    _exit(9);
  }
  uint64_t sum = 0;
  int ticks = 0, seen = 0, status = -1;
  while (sum < 6 || ticks < 2 || seen < 2) {
    struct epoll_event events[4];
    int n = epoll_wait(epoll, events, 4, 5000);
    if (n <= 0) {
      printf("epoll_wait %d\n", n);
      break;
    }
    for (int i = 0; i < n; i++) {
      uint64_t value = 0;
      if (events[i].data.fd == event && read(event, &value, 8) == 8) sum += value;
      if (events[i].data.fd == timer && read(timer, &value, 8) == 8) ticks += (int)value;
      if (events[i].data.fd == signals) {
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == sizeof info) {
          seen++;
          if (info.ssi_signo == SIGUSR1) printf("usr1 from child %d\n", (pid_t)info.ssi_pid == pid);
          else printf("chld status %d\n", info.ssi_status);
        }
      }
    }
  }
  pthread_join(thread, NULL);
  waitpid(pid, &status, 0);
  printf("sum %d ticks %d child %d\n", (int)sum, ticks >= 2, WEXITSTATUS(status));
  close(epoll);
  close(timer);
  close(signals);
}

/* An echo server that serves several clients with edge-triggered sockets. */
static void echo(void) {
  int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  bind(server, (struct sockaddr *)&at, size);
  listen(server, 8);
  getsockname(server, (struct sockaddr *)&at, &size);
  for (int c = 0; c < 3; c++) {
    if (fork() != 0) continue;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&at, sizeof at);
    int bad = 0;
    for (int i = 0; i < 20; i++) {
      char text[64], back[64];
      int length = snprintf(text, sizeof text, "client message %d", i);
      write(fd, text, (size_t)length);
      ssize_t n = read(fd, back, sizeof back);
      if (n != length || memcmp(text, back, (size_t)n) != 0) bad++;
    }
    _exit(bad);
  }
  int epoll = epoll_create1(0), open_clients = 0, accepted = 0, messages = 0;
  watch(epoll, server, EPOLLIN);
  while (accepted < 3 || open_clients > 0) {
    struct epoll_event events[8];
    int n = epoll_wait(epoll, events, 8, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == server) {
        int client;
        while ((client = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          accepted++;
          open_clients++;
          watch(epoll, client, EPOLLIN | EPOLLRDHUP | EPOLLET);
        }
        continue;
      }
      char buffer[128];
      ssize_t got;
      while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        messages++;
        write(fd, buffer, (size_t)got);
      }
      if (got == 0) {
        close(fd);
        open_clients--;
      }
    }
  }
  int bad = 0, status;
  while (wait(&status) > 0) bad += status != 0;
  printf("echo: accepted %d messages %d bad %d\n", accepted, messages, bad);
  close(server);
  close(epoll);
}

static void files(void) {
  char directory[] = "/tmp/eventsXXXXXX", path[64];
  if (mkdtemp(directory) == NULL) return;
  int fd = inotify_init1(IN_CLOEXEC);
  printf("watch %d\n", inotify_add_watch(fd, directory, IN_ALL_EVENTS));
  pid_t pid = fork();
  snprintf(path, sizeof path, "%s/file", directory);
  if (pid == 0) {
    FILE *f = fopen(path, "w");
    fputs("text", f);
    fclose(f);
    unlink(path);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  char buffer[4096];
  ssize_t n = read(fd, buffer, sizeof buffer);
  for (char *at = buffer; at < buffer + n;) {
    struct inotify_event *e = (struct inotify_event *)at;
    printf("%x %s\n", e->mask, e->len > 0 ? e->name : "");
    at += sizeof *e + e->len;
  }
  rmdir(directory);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  loop();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  echo();
  files();
  return 0;
}
