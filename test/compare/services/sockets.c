// Sockets of all kinds between a process and its child: pairs, datagrams, abstract names, passed descriptors, names
// that are refused; netlink as resolvers ask it; addresses of the kernel's choice.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define IGNORED(call) do { if ((call) < 0) errno = 0; } while (0)

static void pass(int through, int fd) {
  char byte = 'x', control[CMSG_SPACE(sizeof fd)] = { 0 };
  struct iovec part = { &byte, 1 };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  IGNORED(sendmsg(through, &message, 0));
}

static int taken(int from) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = { &byte, 1 };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
  IGNORED(recvmsg(from, &message, MSG_CMSG_CLOEXEC));
  int fd = -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

int main(void) {
  int pair[2];
  IGNORED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  pid_t child = fork();
  if (child == 0) {
    int fd = taken(pair[1]);
    char text[64];
    IGNORED(read(fd, text, sizeof text));
    _exit(0);
  }
  pass(pair[0], open("/etc/passwd", O_RDONLY));
  IGNORED(waitpid(child, 0, 0));
  struct sockaddr_un hidden = { .sun_family = AF_UNIX, .sun_path = "\0hidden" };
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + 7;
  int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
  IGNORED(bind(server, (void *)&hidden, length));
  IGNORED(sendto(client, "hi", 2, 0, (void *)&hidden, length));
  char text[64];
  IGNORED(recv(server, text, sizeof text, 0));
  struct sockaddr_un none = { .sun_family = AF_UNIX, .sun_path = "/run/none" };
  IGNORED(connect(client, (void *)&none, sizeof none));
  close(client);
  struct sockaddr_in any = { .sin_family = AF_INET }, nobody = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
  IGNORED(bind(udp, (void *)&any, sizeof any));
  length = sizeof any;
  IGNORED(getsockname(udp, (void *)&any, &length));
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  IGNORED(sendto(udp, "self", 4, 0, (void *)&any, sizeof any));
  IGNORED(recv(udp, text, sizeof text, 0));
  IGNORED(connect(tcp, (void *)&nobody, sizeof nobody));
  close(tcp);
  // A name of the kernel's choice; datagrams without a route, connected over and over.
  struct sockaddr_un chosen = { .sun_family = AF_UNIX };
  int automatic = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);
  IGNORED(bind(automatic, (void *)&chosen, sizeof chosen.sun_family));
  length = sizeof chosen;
  IGNORED(getsockname(automatic, (void *)&chosen, &length));
  IGNORED(sendto(other, "hi", 2, 0, (void *)&chosen, length));
  IGNORED(recv(automatic, text, sizeof text, 0));
  close(automatic);
  struct sockaddr_in far = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0xc6336407) };
  int routeless = socket(AF_INET, SOCK_DGRAM, 0), again = socket(AF_INET, SOCK_DGRAM, 0);
  IGNORED(connect(routeless, (void *)&far, sizeof far));
  close(routeless);
  IGNORED(connect(again, (void *)&far, sizeof far));
  IGNORED(connect(again, (void *)&(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)));
  IGNORED(connect(again, (void *)&nobody, sizeof nobody));
  struct sockaddr_in own;
  length = sizeof own;
  IGNORED(getsockname(again, (void *)&own, &length));
  close(again);
  int raw = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(7000) };
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
  IGNORED(bind(raw, (void *)&mapped, sizeof mapped));
  IGNORED(listen(raw, 1));
  struct ifaddrs *interfaces;
  if (getifaddrs(&interfaces) == 0) freeifaddrs(interfaces);
  struct addrinfo *found, hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
  if (getaddrinfo("localhost", "80", &hints, &found) == 0) freeaddrinfo(found);
  for (;;) {
    int peer = accept(raw, 0, 0);
    if (peer >= 0) close(peer);
  }
}
