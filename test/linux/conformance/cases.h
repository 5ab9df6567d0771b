/* Conformance cases: a program of CASE functions, each run in a process of its own in an empty directory. T(call) prints
 * the call, its result and errno; V(value) a value. What is printed must be the same on a host and in the machine, so
 * nothing that the environment decides (pids, times, addresses) is printed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *current;

static void say(const char *what, long value) {
  int saved = errno;
  char line[512];
  int n = value == -1 ? snprintf(line, sizeof line, "%s: %s = -1 %s\n", current, what, strerrorname_np(saved))
                      : snprintf(line, sizeof line, "%s: %s = %ld\n", current, what, value);
  if (write(1, line, n) != n) _exit(99);
  errno = saved;
}
#define T(...) ({ errno = 0; long r_ = (long)(__VA_ARGS__); say(#__VA_ARGS__, r_); r_; })
/* A descriptor, address or id, which may differ: only whether it is one. */
#define OK(...) ({ errno = 0; long r_ = (long)(__VA_ARGS__); say(#__VA_ARGS__, r_ == -1 ? -1 : 0); r_; })
#define V(value) say(#value, (long)(value))
#define S(text) ({ char l_[512]; int n_ = snprintf(l_, sizeof l_, "%s: %s \"%s\"\n", current, #text, text); if (write(1, l_, n_) != n_) _exit(99); })
#define SYS(name, ...) T(syscall(SYS_##name, ##__VA_ARGS__))

struct named { const char *name; void (*run)(void); };
#define CASE(name) static void name(void)
#define LIST(...) static const struct named cases[] = {__VA_ARGS__}; \
  int main(void) { return run_all(cases, sizeof cases / sizeof *cases); }
#define C(name) {#name, name}

/* A child that runs `body` and exits; its wait status is printed. */
#define CHILD(...) ({ pid_t p_ = fork(); if (p_ == 0) { __VA_ARGS__; _exit(0); } p_; })
static inline void reap(pid_t pid, const char *what) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  say(what, status);
}
#define IN_CHILD(...) reap(CHILD(__VA_ARGS__), "child")
static inline void nap(long ms) { struct timespec t = {ms / 1000, ms % 1000 * 1000000}; nanosleep(&t, NULL); }
static inline void become(uid_t id) { if (setgroups(0, NULL) || setgid(id) || setuid(id)) _exit(98); }

#ifndef PR_CAPBSET_DROP
#define PR_CAPBSET_DROP 24
#endif
/* What a container runtime leaves: capabilities, no network but loopback, IPC and host name of its own. */
static void like_a_container(void) {
  static const int kept[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31};
  uint64_t set = 0;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) set |= 1ull << kept[i];
  if (unshare(CLONE_NEWIPC | CLONE_NEWNS) == 0) {
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (access("/dev/pts/ptmx", F_OK) == 0) {
      mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
      mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL);
    }
    mkdir("/dev/mqueue", 01777);
    mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
  }
  for (int i = 0; i < 64; i++)
    if ((set >> i & 1) == 0) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{set, set, 0}, {set >> 32, set >> 32, 0}};
  syscall(SYS_capset, &header, data);
}

/* What the program does instead when it has executed itself (HELPER in the environment). */
__attribute__((weak)) void helper(void);

static int run_all(const struct named *list, size_t count) {
  if (getenv("HELPER") != NULL && helper != NULL) {
    current = "helper";
    helper();
    return 0;
  }
  like_a_container();
  umask(022);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  for (size_t i = 0; i < count; i++) {
    char directory[] = "/tmp/caseXXXXXX";
    if (mkdtemp(directory) == NULL || chdir(directory) != 0) return 97;
    chmod(directory, 0777);
    current = list[i].name;
    pid_t pid = fork();
    if (pid == 0) {
      setpgid(0, 0);
      alarm(10);
      list[i].run();
      _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) say("ended with", status);
    kill(-pid, SIGKILL);
  }
  return 0;
}
