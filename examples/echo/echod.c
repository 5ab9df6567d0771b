/* A small echo server with a hole in it, the subject of the demo.
 *
 * A message is its length (four bytes, big-endian) and that many bytes; the answer has the same form. A length of 0 ends
 * the connection. The port comes from the configuration file that is the only argument.
 *
 * The hole: the length is compared with the longest message of the protocol, not with the buffer that the message is
 * read into. Bytes 16 to 23 of a message replace the function that answers. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST_MESSAGE = 4096 };

struct session {
  char data[16];
  int (*answer)(struct session *);
  void (*note)(const struct session *);
  uint32_t length;
  int connection;
};

static struct session session;
static volatile sig_atomic_t stopping;

static void stop(int signal) {
  (void)signal;
  stopping = 1;
}

static int read_all(int fd, void *into, size_t size) {
  char *at = into;
  while (size > 0) {
    ssize_t n = read(fd, at, size);
    if (n < 0 && errno == EINTR && !stopping) continue;
    if (n <= 0) return -1;
    at += n;
    size -= (size_t)n;
  }
  return 0;
}

static int write_all(int fd, const void *from, size_t size) {
  const char *at = from;
  while (size > 0) {
    ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR && !stopping) continue;
    if (n <= 0) return -1;
    at += n;
    size -= (size_t)n;
  }
  return 0;
}

static int echo(struct session *s) {
  uint32_t length = htonl(s->length);
  return write_all(s->connection, &length, sizeof length) || write_all(s->connection, s->data, s->length);
}

static void note(const struct session *s) {
  printf("%u bytes\n", s->length);
}

/* Left over from development: nothing in this program calls it. */
int maintenance(struct session *s) {
  return system(s->data) != 0;
}

static void serve(int connection) {
  session.connection = connection;
  session.answer = echo;
  session.note = note;
  for (;;) {
    uint32_t length;
    if (read_all(connection, &length, sizeof length) != 0) return;
    session.length = ntohl(length);
    if (session.length == 0 || session.length > LONGEST_MESSAGE) return;
    if (read_all(connection, session.data, session.length) != 0) return;
    session.note(&session);
    if (session.answer(&session) != 0) return;
  }
}

static uint16_t configured_port(const char *path) {
  char line[128];
  unsigned port = 0;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  while (fgets(line, sizeof line, file) != NULL) sscanf(line, "port %u", &port);
  fclose(file);
  if (port == 0 || port > 65535) {
    fprintf(stderr, "%s: no usable port\n", path);
    exit(1);
  }
  return (uint16_t)port;
}

static int listen_on(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
  int one = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: echod CONFIGURATION\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  /* Without SA_RESTART: a signal has to end accept. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  uint16_t port = configured_port(argv[1]);
  int listener = listen_on(port);
  printf("echod: listening on port %u\n", port);
  while (!stopping) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      perror("accept");
      return 1;
    }
    serve(connection);
    close(connection);
  }
  puts("echod: stopped");
  return 0;
}
