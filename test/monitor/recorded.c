/* A small service with a start, a client of its own and a helper program; MODE has it misbehave with what is allowed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[4096];
static const char *in(const char *directory, const char *name) {
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}
static void reads(const char *file) {
  char text[64];
  int fd = open(file, O_RDONLY);
  if (fd < 0) exit(90);
  if (read(fd, text, sizeof text) < 0) exit(91);
  close(fd);
}
static void appends(const char *file, int flags) {
  int fd = open(file, flags, 0644);
  if (fd < 0) exit(92);
  if (write(fd, "x", 1) != 1) exit(93);
  close(fd);
}
static void speaks(const char *address, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_aton(address, &a.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a)) exit(94);
  if (write(fd, "hello", 5) != 5) exit(95);
  close(fd);
}

int main(int argc, char **argv) {
  const char *directory = argv[1], *mode = getenv("MODE");
  int port = atoi(argv[2]), on = 1;
  if (argc < 3 || !mode) return 2;
#define IS(name) !strcmp(mode, name)
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  int server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(server, (struct sockaddr *)&a, sizeof a) || listen(server, 4)) return 3;
  if (IS("reversed")) appends(in(directory, "log"), O_WRONLY | O_CREAT | O_APPEND);
  reads(in(directory, "conf"));
  if (!IS("reversed")) appends(in(directory, "log"), O_WRONLY | O_CREAT | O_APPEND);
  if (IS("other-file")) reads(in(directory, "other"));
  if (IS("written")) appends(in(directory, "conf"), O_WRONLY | O_APPEND);
  if (IS("truncated")) appends(in(directory, "log"), O_WRONLY | O_TRUNC);
  speaks(IS("address") ? "127.0.0.2" : "127.0.0.1", port);
  if (IS("port")) speaks("127.0.0.1", port + 1);
  if (IS("wrong-process")) execl("/bin/true", "true", "helper", NULL);
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/true", "true", IS("arguments") ? "evil" : "helper", NULL);
    _exit(96);
  }
  int status;
  waitpid(child, &status, 0);
  if (IS("again")) reads(in(directory, "conf"));
  if (IS("removed")) unlink(in(directory, "other"));
  reads(in(directory, "last"));
  return 0;
}
