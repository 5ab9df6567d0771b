/* What the live test records: one of each thing that a recorder must not lose. Argument: a directory of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char buffer[64];

static void *thread(void *name) {
  int fd = open(name, O_RDONLY);
  if (read(fd, buffer, sizeof buffer) < 0) abort();
  close(fd);
  return NULL;
}

static void *replace(void *name) {
  execl("/proc/self/exe", "live", name, "again", NULL);
  abort();
}

static void connection(void) {
  struct sockaddr_in end = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof end;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (void *)&end, size) || listen(listener, 5) || getsockname(listener, (void *)&end, &size)) abort();
  pid_t client = fork();
  if (client == 0) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (void *)&end, sizeof end) || write(s, "hello\n\001\377", 8) != 8 || read(s, buffer, 3) < 0) abort();
    _exit(3);
  }
  int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (read(s, buffer, 64) != 8 || send(s, "bye", 3, 0) != 3) abort();
  shutdown(s, SHUT_WR);
  close(s);
  close(listener);
  waitpid(client, NULL, 0);
}

static void datagrams(void) {
  struct sockaddr_in end = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
  socklen_t size = sizeof end, length = sizeof from;
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(a, (void *)&end, size) || getsockname(a, (void *)&end, &size)) abort();
  if (sendto(b, "q", 1, 0, (void *)&end, size) != 1 || recvfrom(a, buffer, 64, 0, (void *)&from, &length) != 1) abort();
  close(b);
  close(a);
}

static void unix_socket(void) {
  struct sockaddr_un end = {.sun_family = AF_UNIX, .sun_path = "sock"};
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (void *)&end, sizeof end) || listen(listener, 1) || connect(client, (void *)&end, sizeof end)) abort();
  int server = accept(listener, NULL, NULL);
  if (write(client, "u", 1) != 1 || read(server, buffer, 1) != 1) abort();
  close(server);
  close(client);
  close(listener);
}

int main(int count, char **args) {
  if (count > 2) return 7;
  if (chdir(args[1])) abort();
  int fd = open("odd <\377\"\n> name", O_CREAT | O_RDWR | O_TRUNC, 0600);
  if (write(fd, "abc", 3) != 3) abort();
  mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  unlink("odd <\377\"\n> name");
  close(fd);
  mkdir("d", 0755);
  fd = open("d", O_DIRECTORY | O_RDONLY);
  close(openat(fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  renameat(fd, "file", fd, "moved");
  symlinkat("moved", fd, "link");
  close(fd);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, thread, "d/moved");
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  connection();
  datagrams();
  unix_socket();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) || write(ends[1], "zz", 2) != 2 || read(ends[0], buffer, 2) != 2) abort();
  char *argv[] = {"true", "a b", NULL};
  pid_t child;
  if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0) waitpid(child, NULL, 0);
  if (vfork() == 0) _exit(0);
  if ((child = fork()) == 0) abort();
  waitpid(child, NULL, 0);
  pthread_create(&threads[0], NULL, replace, args[1]);
  pause();
  return 0;
}
