/* native-script DIRECTORY INPUT OUTPUT: makes the system calls of a script on the host, with the directory as root. Input, one call a line:
 *   NR ARG...   with ARG  i<decimal> | b<hex> (memory) | o<size> (zeroed memory) | s (same memory as before)
 * Output, one line a call: the result (negative errno) and the last memory in hex. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char line[1 << 20];

/* A stream on a descriptor out of the scripts' way. */
static FILE *far(const char *path, const char *mode) {
  FILE *near = fopen(path, mode);
  if (near == NULL) exit(3);
  int fd = fcntl(fileno(near), F_DUPFD_CLOEXEC, 200);
  fclose(near);
  return fdopen(fd, mode);
}

/* A network of its own with only loopback. */
static void own_network(void) {
  if (unshare(CLONE_NEWNET) != 0) exit(5);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) exit(6);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  FILE *in = far(argv[2], "r"), *out = far(argv[3], "w");
  signal(SIGPIPE, SIG_IGN);
  own_network();
  if (chdir(argv[1]) != 0 || chroot(".") != 0) return 4;
  umask(022);
  unsigned char *memory = NULL;
  size_t size = 0;
  while (fgets(line, sizeof line, in) != NULL) {
    long args[6] = {0};
    int n = 0;
    char *token = strtok(line, " \n");
    long nr = atol(token);
    while ((token = strtok(NULL, " \n")) != NULL && n < 6) {
      if (token[0] == 'i') {
        args[n++] = token[1] == '-' ? (long)strtoll(token + 1, NULL, 10) : (long)strtoull(token + 1, NULL, 10);
      } else if (token[0] == 's') {
        args[n++] = (long)memory;
      } else {
        size = token[0] == 'o' ? (size_t)atol(token + 1) : strlen(token + 1) / 2;
        memory = calloc(size + 1, 1);
        if (token[0] == 'b')
          for (size_t i = 0; i < size; i++) {
            char byte[3] = {token[1 + 2 * i], token[2 + 2 * i], 0};
            memory[i] = (unsigned char)strtol(byte, NULL, 16);
          }
        args[n++] = (long)memory;
      }
    }
    long result = syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
    fprintf(out, "%ld ", result < 0 ? (long)-errno : result);
    for (size_t i = 0; i < size && i < 65536; i++) fprintf(out, "%02x", memory[i]);
    fprintf(out, "\n");
    fflush(out);
  }
  return 0;
}
