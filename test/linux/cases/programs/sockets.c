/* Sockets between processes: TCP, UDP, unix with descriptors and credentials, names and interfaces. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int listener(int family, unsigned short *port) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
  socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  printf("bind %d\n", bind(fd, (struct sockaddr *)&any, size));
  printf("listen %d\n", listen(fd, 16));
  getsockname(fd, (struct sockaddr *)&any, &size);
  *port = ((struct sockaddr_in *)&any)->sin_port;
  printf("ephemeral port: %d\n", ntohs(*port) >= 1024);
  return fd;
}

static void tcp(void) {
  unsigned short port;
  int server = listener(AF_INET, &port);
  pid_t pid = fork();
  if (pid == 0) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) _exit(1);
    char *block = malloc(8 << 20);
    for (int i = 0; i < 8 << 20; i += 4096) block[i] = (char)(i >> 12);
    for (size_t done = 0; done < 8 << 20;) {
      ssize_t n = write(fd, block + done, (8 << 20) - done);
      if (n <= 0) _exit(2);
      done += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    char reply[64] = {0};
    if (read(fd, reply, 64) != 6 || strcmp(reply, "thanks") != 0) _exit(3);
    if (read(fd, reply, 64) != 0) _exit(4);
    _exit(0);
  }
  struct sockaddr_in peer;
  socklen_t size = sizeof peer;
  int fd = accept(server, (struct sockaddr *)&peer, &size);
  printf("peer %s %d\n", inet_ntoa(peer.sin_addr), (int)size);
  int on = 0;
  socklen_t length = sizeof on;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length);
  printf("nodelay %d\n", on);
  unsigned long total = 0, sum = 0;
  unsigned char *buffer = malloc(65536);
  ssize_t n;
  while ((n = read(fd, buffer, 65536)) > 0) {
    for (unsigned long at = (total + 4095) / 4096 * 4096; at < total + (unsigned long)n; at += 4096) sum = sum * 31 + buffer[at - total];
    total += (unsigned long)n;
  }
  printf("received %lu %lx %zd\n", total, sum, n);
  send(fd, "thanks", 6, MSG_NOSIGNAL);
  close(fd);
  int status;
  waitpid(pid, &status, 0);
  printf("client %d\n", WEXITSTATUS(status));
  close(server);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int refused = connect(fd, (struct sockaddr *)&to, sizeof to);
  printf("refused %d %s\n", refused, strerrorname_np(errno));
  close(fd);
}

static void timeouts(void) {
  int p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  struct timeval limit = {0, 20000};
  setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char byte;
  ssize_t n = recv(p[0], &byte, 1, 0);
  printf("timeout %zd %s\n", n, strerrorname_np(errno));
  alarm(0);
  close(p[0]);
  close(p[1]);
}

static void udp(void) {
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  bind(a, (struct sockaddr *)&at, size);
  getsockname(a, (struct sockaddr *)&at, &size);
  setsockopt(a, IPPROTO_IP, IP_PKTINFO, &(int){1}, sizeof(int));
  sendto(b, "datagram", 8, 0, (struct sockaddr *)&at, size);
  char data[64], control[128];
  struct sockaddr_in from;
  struct iovec vector = {data, sizeof data};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(a, &message, 0);
  printf("udp %zd %.*s from %s\n", n, (int)n, data, inet_ntoa(from.sin_addr));
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) continue;
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    printf("pktinfo %d %s\n", info.ipi_ifindex, inet_ntoa(info.ipi_addr));
  }
  struct mmsghdr many[3] = {0};
  struct iovec vectors[3];
  char texts[3][8];
  for (int i = 0; i < 3; i++) {
    snprintf(texts[i], 8, "m%d", i);
    vectors[i] = (struct iovec){texts[i], 2};
    many[i].msg_hdr = (struct msghdr){.msg_name = &at, .msg_namelen = size, .msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  printf("sendmmsg %d\n", sendmmsg(b, many, 3, 0));
  for (int i = 0; i < 3; i++) {
    vectors[i].iov_len = 8;
    many[i].msg_hdr.msg_name = NULL;
    many[i].msg_hdr.msg_namelen = 0;
  }
  int got = recvmmsg(a, many, 3, MSG_WAITFORONE, NULL);
  printf("recvmmsg %d %u %.2s %.2s\n", got, many[2].msg_len, texts[0], texts[2]);
  close(a);
  close(b);
}

static void pass(void) {
  int p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
  pid_t pid = fork();
  if (pid == 0) {
    int fd = open("/etc/hostname", O_RDONLY | O_CREAT, 0644);
    int q[2];
    pipe(q);
    write(q[1], "inside the pipe", 15);
    int fds[2] = {fd, q[0]};
    char control[CMSG_SPACE(sizeof fds)] = {0};
    struct iovec vector = {"two", 3};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    _exit(sendmsg(p[0], &message, 0) == 3 ? 0 : 1);
  }
  int status;
  waitpid(pid, &status, 0);
  char data[16], control[256];
  struct iovec vector = {data, sizeof data};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(p[1], &message, MSG_CMSG_CLOEXEC);
  printf("recvmsg %zd flags %x\n", n, (unsigned)message.msg_flags);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred who;
      memcpy(&who, CMSG_DATA(c), sizeof who);
      printf("credentials: child %d uid %d\n", who.pid == pid, (int)who.uid == (int)getuid());
    } else if (c->cmsg_type == SCM_RIGHTS) {
      int fds[2];
      memcpy(fds, CMSG_DATA(c), sizeof fds);
      char text[32] = {0};
      printf("rights: cloexec %d\n", fcntl(fds[1], F_GETFD));
      ssize_t got = read(fds[1], text, 32);
      printf("passed pipe: %zd %s\n", got, text);
      printf("end: %zd\n", read(fds[1], text, 32));
    }
  }
  struct ucred who;
  socklen_t size = sizeof who;
  getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &who, &size);
  printf("peercred self %d\n", who.pid == getpid());
  close(p[0]);
  close(p[1]);
}

static void names(void) {
  struct ifaddrs *all;
  printf("getifaddrs %d\n", getifaddrs(&all));
  int loopback = 0;
  for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
    if (strcmp(one->ifa_name, "lo") == 0 && one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET) loopback = (one->ifa_flags & IFF_LOOPBACK) != 0;
  }
  printf("lo %d index %u\n", loopback, if_nametoindex("lo"));
  freeifaddrs(all);
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
  printf("getaddrinfo %d", getaddrinfo("127.0.0.1", "80", &hints, &found));
  printf(" %s\n", inet_ntoa(((struct sockaddr_in *)found->ai_addr)->sin_addr));
}

static void paths(void) {
  char directory[] = "/tmp/socketsXXXXXX";
  if (mkdtemp(directory) == NULL) return;
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  snprintf(at.sun_path, sizeof at.sun_path, "%s/s", directory);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("bind %d\n", bind(server, (struct sockaddr *)&at, sizeof at));
  listen(server, 1);
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 5; i++) {
      int fd = socket(AF_UNIX, SOCK_STREAM, 0);
      if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) _exit(1);
      if (write(fd, "x", 1) != 1) _exit(2);
      close(fd);
    }
    _exit(0);
  }
  for (int i = 0; i < 5; i++) {
    int fd = accept(server, NULL, NULL);
    char data[4];
    printf("%zd", read(fd, data, 4));
    printf("%zd ", read(fd, data, 4));
    close(fd);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("clients %d\n", WEXITSTATUS(status));
  close(server);
  unlink(at.sun_path);
  rmdir(directory);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  tcp();
  timeouts();
  udp();
  pass();
  names();
  paths();
  return 0;
}
