/* What waits and what is waited for, all without waiting: pipes, eventfds, timerfds, signalfds, inotify, epoll sets in each
 * other, bytes moved between pipes and files. */
#include "random.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#define FDS 16
static int fd(void) { return 3 + below(FDS - 2); }
static char bytes[1 << 17];
static long size(void) { return PICK(0, 1, 8, 8, 100, 128, 4096, 5000, 70000); }
static const char *name(void) { static const char *names[] = {"f", "g", "d", "d/f", "d/g", "none/f", ".", "l"}; return names[below(COUNT(names))]; }

static void take(int from, long n) {
  struct stat s;
  memset(bytes, 0, sizeof bytes);
  long r = DID(read(from, bytes, n), "read %d %ld", from, n);
  if (r <= 0) return;
  char link[64] = "", path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", from);
  if (readlink(path, link, 63) < 0) return;
  if (strstr(link, "inotify")) {
    for (long at = 0; at < r;) {
      struct inotify_event *i = (void *)(bytes + at);
      line("  wd %d mask %x cookie %d len %d %s", i->wd, i->mask, i->cookie != 0, i->len, i->len ? i->name : "");
      at += sizeof *i + i->len;
    }
  } else if (strstr(link, "signalfd")) {
    for (long at = 0; at < r; at += sizeof(struct signalfd_siginfo)) {
      struct signalfd_siginfo *i = (void *)(bytes + at);
      line("  signal %d code %d int %d", i->ssi_signo, i->ssi_code, i->ssi_int);
    }
  } else if (strstr(link, "timerfd")) line("  expired");
  else {
    unsigned long sum = 0;
    for (long i = 0; i < r; i++) sum = sum * 31 + (unsigned char)bytes[i];
    line("  %lx", sum);
  }
}
static sigset_t drawn(void) {
  sigset_t set;
  sigemptyset(&set);
  if (below(2)) sigaddset(&set, SIGUSR1);
  if (below(2)) sigaddset(&set, SIGUSR2);
  if (below(2)) sigaddset(&set, 34);
  return set;
}

static void files(void) {
  const char *a = name(), *b = name();
  int f;
  switch (below(9)) {
    case 0: f = DID(open(a, O_RDWR | O_CREAT, 0644), "create %s", a); if (f >= 0) { write(f, "text", 4); if (below(2)) close(f); } break;
    case 1: DID(unlink(a), "unlink %s", a); break;
    case 2: DID(rename(a, b), "rename %s %s", a, b); break;
    case 3: DID(mkdir(a, 0755), "mkdir %s", a); break;
    case 4: DID(rmdir(a), "rmdir %s", a); break;
    case 5: DID(chmod(a, 0600), "chmod %s", a); break;
    case 6: DID(link(a, b), "link %s %s", a, b); break;
    case 7: DID(truncate(a, 3), "truncate %s", a); break;
    case 8: DID(symlink("f", b), "symlink %s", b); break;
  }
}

static void watch(void) {
  int f = fd();
  const char *a = name();
  long mask = PICK(IN_ALL_EVENTS, IN_ALL_EVENTS, IN_CREATE | IN_DELETE, IN_MODIFY | IN_CLOSE, IN_ALL_EVENTS | IN_ONLYDIR, IN_ONESHOT | IN_ALL_EVENTS, IN_ATTRIB | IN_MASK_ADD, IN_MASK_CREATE | IN_MODIFY, IN_DELETE_SELF | IN_MOVE_SELF, 0);
  if (below(5)) DID(inotify_add_watch(f, a, mask), "inotify_add_watch %d %s %lx", f, a, mask);
  else { int w = 1 + below(4); DID(inotify_rm_watch(f, w), "inotify_rm_watch %d %d", f, w); }
}

static int kind_of(int f) {
  struct stat s;
  return fstat(f, &s) < 0 ? 0 : s.st_mode & S_IFMT;
}
/* How much fits a pipe is a matter of pieces, which the machine does not count: nothing is put into one this way. */
static void move(void) {
  int a = fd(), b = fd(), into = kind_of(b);
  long n = size(), flags = SPLICE_F_NONBLOCK | PICK(0, 0, SPLICE_F_MOVE, 64);
  loff_t at = PICK(0, 2, 5000), *p = below(3) == 0 ? &at : NULL;
  if (into == S_IFIFO) flags |= 64;
  switch (below(5)) {
    case 0: DID(tee(a, b, n, flags | 64), "tee %d %d %ld %lx", a, b, n, flags); break;
    case 1: case 2: if (into != 0) DID(splice(a, p, b, NULL, n, flags), "splice %d %ld %d %ld %lx", a, p ? at : -1, b, n, flags); break;
    case 3: if (n == 0) n = 8; if (into == S_IFSOCK || (into != S_IFIFO && kind_of(a) != S_IFREG)) DID(sendfile(b, a, p, n), "sendfile %d %d %ld %ld", b, a, p ? at : -1, n); break;
    case 4: { struct iovec v[2] = {{"gift", 4}, {bytes, n}}; DID(vmsplice(a, v, 2, flags | 64), "vmsplice %d %ld %lx", a, n, flags); break; }
  }
}

static void sets(void) {
  int e = fd(), f = fd();
  struct epoll_event v = {.events = PICK(1, 4, 5, 0x2001, 0x80000001, 0x80000005, 0x40000005, 0x10000001, 0x10000005 | EPOLLET, 0), .data.u64 = f}, got[4] = {0};
  switch (below(3)) {
    case 0: { long op = PICK(EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 9); DID(epoll_ctl(e, op, f, &v), "epoll_ctl %d %ld %d %x", e, op, f, v.events); break; }
    default: {
      int max = 1 + below(4), n = DID(epoll_wait(e, got, max, 0), "epoll_wait %d %d", e, max);
      for (int i = 0; i < n; i++) line("  %d: %x", (int)got[i].data.u64, got[i].events);
    }
  }
}

static void state_of(void) {
  int f = fd(), n = -1;
  switch (below(6)) {
    case 0: { struct pollfd p[2] = {{f, 0x1fff}, {fd(), POLLIN}}; DID(poll(p, 2, 0), "poll %d %d", f, p[1].fd); line("  %x %x", p[0].revents, p[1].revents); break; }
    case 1: { fd_set r, w, x; FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&x); FD_SET(f, &r); FD_SET(f, &w); FD_SET(f, &x); struct timeval t = {0}; DID(select(f + 1, &r, &w, &x, &t), "select %d", f); line("  %d%d%d", !!FD_ISSET(f, &r), !!FD_ISSET(f, &w), !!FD_ISSET(f, &x)); break; }
    case 2: if (kind_of(f) == 0) break; DID(ioctl(f, FIONREAD, &n), "FIONREAD %d", f); line("  %d", n); break;
    case 3: { long how = PICK(SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE); DID(lseek(f, 0, how), "lseek %d %ld", f, how); break; }
    case 4: { struct stat s; if (DID(fstat(f, &s), "fstat %d", f) == 0) line("  %o", s.st_mode); break; }
    case 5: { long c = PICK(F_GETFL, F_GETFD, F_GETPIPE_SZ); DID(fcntl(f, c), "fcntl %d %ld", f, c); break; }
  }
}

static void make(void) {
  int p[2];
  long r;
  switch (below(7)) {
    case 0: r = pipe2(p, O_NONBLOCK); line("pipe %ld %s %d %d", r, errorName(r), r ? 0 : p[0], r ? 0 : p[1]); break;
    case 1: { long init = PICK(0, 1, 5), flags = EFD_NONBLOCK | PICK(0, EFD_SEMAPHORE); DID(eventfd(init, flags), "eventfd %ld %lx", init, flags); break; }
    case 2: DID(timerfd_create(PICK(CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME), TFD_NONBLOCK), "timerfd"); break;
    case 3: { sigset_t set = drawn(); int f = below(3) ? -1 : fd(); DID(signalfd(f, &set, SFD_NONBLOCK), "signalfd %d", f); break; }
    case 4: DID(inotify_init1(IN_NONBLOCK), "inotify"); break;
    case 5: DID(epoll_create1(0), "epoll"); break;
    case 6: r = socketpair(AF_UNIX, PICK(SOCK_STREAM, SOCK_DGRAM) | SOCK_NONBLOCK, 0, p); line("socketpair %ld %s %d %d", r, errorName(r), r ? 0 : p[0], r ? 0 : p[1]); break;
  }
}

static void sequence(int calls) {
  sigset_t all;
  sigemptyset(&all);
  sigaddset(&all, SIGUSR1), sigaddset(&all, SIGUSR2), sigaddset(&all, 34);
  sigprocmask(SIG_BLOCK, &all, NULL);
  signal(SIGPIPE, SIG_IGN);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){FDS + 2, FDS + 2});
  mkdir("d", 0755);
  close(open("f", O_RDWR | O_CREAT, 0644));
  for (int i = 0; i < calls; i++) {
    int f = fd(), g;
    long n, x;
    switch (below(22)) {
      case 0: case 1: case 2: make(); break;
      case 3: case 4: take(f, size()); break;
      /* Kernels differ in what an eventfd says to more than eight bytes. */
      case 5: case 6: n = size(); { char link[64] = "", path[64]; snprintf(path, sizeof path, "/proc/self/fd/%d", f); readlink(path, link, 63); if (strstr(link, "eventfd") && n > 8) n = 8; if (strstr(link, "pipe") && n > 128) n = 128; } memset(bytes, 0, sizeof bytes); for (x = 0; x < n; x++) bytes[x] = "abcdefg"[x % 7]; if (n == 8 && below(2)) memset(bytes, 0, 8), bytes[0] = below(4); DID(write(f, bytes, n), "write %d %ld", f, n); break;
      case 7: if (below(2)) DID(close(f), "close %d", f); break;
      case 8: g = fd(); if (below(2)) DID(dup(f), "dup %d", f); else DID(dup2(f, g), "dup2 %d %d", f, g); break;
      case 9: case 10: case 11: files(); break;
      case 12: case 13: watch(); break;
      case 14: case 15: move(); break;
      case 16: case 17: case 18: sets(); break;
      case 19: state_of(); break;
      case 20:
        x = PICK(SIGUSR1, SIGUSR2, 34);
        if (below(2)) DID(sigqueue(getpid(), x, (union sigval){.sival_int = i}), "sigqueue %ld", x);
        else { n = PICK(4096, 8192, 65536, 1 << 20, 1 << 30, 0); DID(fcntl(f, F_SETPIPE_SZ, n), "F_SETPIPE_SZ %d %ld", f, n); }
        break;
      case 21: {
        struct itimerspec t = {{0, 0}, {0, 0}}, old = {{0}};
        int flags = below(2);
        if (flags) t.it_value.tv_nsec = 1; else t.it_value.tv_sec = PICK(0, 1000, -1), t.it_interval.tv_sec = PICK(0, 1000);
        DID(timerfd_settime(f, flags, &t, &old), "timerfd_settime %d %d %ld", f, flags, (long)t.it_value.tv_sec);
        line("  %ld %d", (long)old.it_interval.tv_sec, old.it_value.tv_sec != 0);
        nap(1);
      }
    }
  }
}
