/* Random sequences of system calls: `program FIRST LAST CALLS` runs a sequence for every seed from FIRST to LAST, each
 * in a process and an empty directory of its own. What is printed must be the same on a host and in the machine, so
 * what the environment decides (ids, addresses, times) is never printed, nor does it decide what is done. */
#include "../conformance/cases.h"

static uint64_t state;
static unsigned below(unsigned n) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (unsigned)(state >> 20) % n;
}
#define PICK(...) ({ static const long choices_[] = {__VA_ARGS__}; choices_[below(sizeof choices_ / sizeof *choices_)]; })
#define COUNT(list) (sizeof list / sizeof *list)

/* One line of output. */
__attribute__((format(printf, 1, 2))) static void line(const char *format, ...) {
  int saved = errno;
  char text[1024];
  va_list more;
  va_start(more, format);
  int n = snprintf(text, sizeof text, "%s: ", current);
  n += vsnprintf(text + n, sizeof text - n - 1, format, more);
  va_end(more);
  if (n > (int)sizeof text - 2) n = sizeof text - 2;
  text[n++] = '\n';
  if (write(1, text, n) != n) _exit(99);
  errno = saved;
}
static const char *errorName(long result) { return result == -1 ? strerrorname_np(errno) : ""; }
/* The call as it is written here, with the values that were drawn. */
#define DID(result, format, ...) ({ long d_ = (long)(result); line(format " = %ld %s", ##__VA_ARGS__, d_, errorName(d_)); d_; })

static void sequence(int calls);

int main(int argc, char **argv) {
  if (argc < 4) return 96;
  /* Numbers of descriptors are printed: what a caller left open would move them. */
  syscall(SYS_close_range, 3, ~0u, 0);
  like_a_container();
  umask(022);
  /* A session of our own: a caller's may be led from outside the namespace of process ids, and has no number here. */
  pid_t leader = fork();
  if (leader != 0) {
    int status = 0;
    waitpid(leader, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 94;
  }
  setsid();
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  for (int seed = atoi(argv[1]); seed <= atoi(argv[2]); seed++) {
    char directory[] = "/tmp/seedXXXXXX", name[32];
    if (mkdtemp(directory) == NULL || chdir(directory) != 0) return 97;
    chmod(directory, 0777);
    snprintf(name, sizeof name, "seed %d", seed);
    current = name;
    state = 0x9e3779b97f4a7c15ull * (unsigned)(seed + 1);
    pid_t pid = fork();
    if (pid == 0) {
      setpgid(0, 0);
      alarm(60);
      sequence(atoi(argv[3]));
      _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    line("ended with %d", status);
    kill(-pid, SIGKILL);
    if (chdir("/") == 0) {
      char command[64];
      snprintf(command, sizeof command, "rm -rf %s", directory);
      if (access("/bin/sh", X_OK) == 0 && system(command) != 0) return 95;
    }
  }
  return 0;
}
