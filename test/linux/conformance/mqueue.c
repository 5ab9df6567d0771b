#include "cases.h"
#include <mqueue.h>

static int mq(const char *name, int flags, mode_t mode, struct mq_attr *a) { return syscall(SYS_mq_open, name, flags, mode, a); }
static struct mq_attr small = {0, 3, 16, 0};
CASE(open_names) {
  T(mq("none", O_RDWR, 0, 0)); int q = OK(mq("a", O_RDWR | O_CREAT | O_EXCL, 0600, 0)); T(mq("a", O_RDWR | O_CREAT | O_EXCL, 0600, 0));
  T(mq("a/b", O_RDWR | O_CREAT, 0600, 0)); T(mq(".", O_RDWR, 0, 0)); T(mq("", O_RDWR | O_CREAT, 0600, 0)); T(mq("a", 3, 0, 0));
  struct mq_attr r; T(syscall(SYS_mq_getsetattr, q, 0, &r)); V(r.mq_flags); V(r.mq_maxmsg); V(r.mq_msgsize); V(r.mq_curmsgs);
  struct stat st; T(fstat(q, &st)); V(st.st_mode); V(st.st_size); T(fcntl(q, F_GETFD)); T(stat("/dev/mqueue/a", &st)); V(st.st_mode);
  T(syscall(SYS_mq_unlink, "a")); T(syscall(SYS_mq_unlink, "a")); T(mq("a", O_RDWR, 0, 0)); T(syscall(SYS_mq_getsetattr, q, 0, &r));
  struct mq_attr bad = {0, 0, 8}, big = {0, 11, 8}, wide = {0, 1, 9000};
  T(mq("b", O_RDWR | O_CREAT, 0600, &bad)); T(mq("b", O_RDWR | O_CREAT, 0600, &big)); T(mq("b", O_RDWR | O_CREAT, 0600, &wide));
}
CASE(send_receive) {
  int q = OK(mq("s", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &small)); char b[32] = {0}; unsigned p;
  T(mq_receive(q, b, 16, &p)); T(mq_send(q, "low", 4, 1)); T(mq_send(q, "high", 5, 9)); T(mq_send(q, "low2", 5, 1)); T(mq_send(q, "full", 5, 1)); T(mq_send(q, b, 17, 1)); T(mq_send(q, "x", 1, 32768));
  struct pollfd f = {q, POLLIN | POLLOUT}; T(poll(&f, 1, 0)); V(f.revents); T(mq_receive(q, b, 15, &p));
  T(mq_receive(q, b, 16, &p)); V(p); S(b); T(mq_receive(q, b, 16, &p)); S(b); T(mq_receive(q, b, 16, 0)); S(b); T(poll(&f, 1, 0)); V(f.revents);
  T(read(q, b, 5)); b[5] = 0; S(b); T(write(q, "x", 1)); struct mq_attr r, n = {O_NONBLOCK}, z = {1}; T(syscall(SYS_mq_getsetattr, q, &z, 0)); n.mq_flags = 0; T(syscall(SYS_mq_getsetattr, q, &n, &r)); V(r.mq_flags);
  struct timespec past = {1, 0}, bad = {0, 2000000000}; T(mq_timedreceive(q, b, 16, 0, &past)); T(mq_timedreceive(q, b, 16, 0, &bad));
  int ro = OK(mq("s", O_RDONLY, 0, 0)); T(mq_send(ro, "x", 1, 0)); int wo = OK(mq("s", O_WRONLY, 0, 0)); T(mq_receive(wo, b, 16, 0)); T(mq_send(1, "x", 1, 0)); T(mq_send(99, "x", 1, 0));
  pid_t c = CHILD(char m[16]; T(mq_receive(q, m, 16, 0)); S(m)); nap(20); T(mq_send(q, "wake", 5, 0)); reap(c, "child"); syscall(SYS_mq_unlink, "s");
}
static volatile int got, value, code;
static void on(int s, siginfo_t *i, void *u) { got = s; value = i->si_value.sival_int; code = i->si_code; }
CASE(notify) {
  struct sigaction sa = {.sa_sigaction = on, .sa_flags = SA_SIGINFO}; sigaction(SIGUSR1, &sa, 0);
  int q = OK(mq("n", O_RDWR | O_CREAT, 0600, &small)); struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42}, odd = {.sigev_notify = 77};
  T(mq_notify(q, &e)); T(mq_notify(q, &e)); IN_CHILD(T(mq_notify(q, &e))); T(syscall(SYS_mq_notify, q, &odd)); T(mq_send(q, "a", 1, 0)); V(got); V(value); V(code); got = 0; T(mq_notify(q, &e)); T(mq_send(q, "b", 1, 0)); V(got); T(mq_notify(q, 0)); T(mq_notify(q, 0)); syscall(SYS_mq_unlink, "n");
}
CASE(permission) {
  int q = OK(mq("p", O_RDWR | O_CREAT, 0640, &small)); IN_CHILD(become(1000); T(mq("p", O_RDONLY, 0, 0)); T(syscall(SYS_mq_unlink, "p")); int o = OK(mq("mine", O_RDWR | O_CREAT, 0600, 0)); T(syscall(SYS_mq_unlink, "mine"))); syscall(SYS_mq_unlink, "p");
}
LIST(C(open_names), C(send_receive), C(notify), C(permission))
