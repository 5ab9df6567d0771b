#include "cases.h"
#include <termios.h>
#include <pty.h>

static int master, slave;
static void start(void) {
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  int n = 0, lock = 0;
  if (ioctl(master, TIOCSPTLCK, &lock) || ioctl(master, TIOCGPTN, &n)) _exit(90);
  char name[32]; snprintf(name, sizeof name, "/dev/pts/%d", n);
  slave = open(name, O_RDWR | O_NOCTTY);
  fcntl(master, F_SETFL, O_NONBLOCK); fcntl(slave, F_SETFL, O_NONBLOCK);
}
static void show(const char *what, int fd) {
  char b[256], text[1100]; int n = read(fd, b, 255), at = 0;
  for (int i = 0; i < n; i++) at += b[i] >= 32 && b[i] < 127 ? sprintf(text + at, "%c", b[i]) : sprintf(text + at, "\\x%02x", (unsigned char)b[i]);
  text[at] = 0;
  if (n < 0) say(what, -1); else { char l[1300]; int k = sprintf(l, "%s: %s %d \"%s\"\n", current, what, n, text); write(1, l, k); }
}
#define IN() show("slave reads", slave)
#define OUTPUT() show("master reads", master)
#define TYPE(s) (T(write(master, s, strlen(s))), nap(5))
static void raw(int on, int min, int time) { struct termios t; tcgetattr(slave, &t); if (on) cfmakeraw(&t); t.c_cc[VMIN] = min; t.c_cc[VTIME] = time; T(tcsetattr(slave, TCSANOW, &t)); }

CASE(open_close) {
  int m = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), n = -1, lock;
  T(ioctl(m, TIOCGPTN, &n)); V(n);
  char name[32]; snprintf(name, sizeof name, "/dev/pts/%d", n);
  T(open(name, O_RDWR | O_NOCTTY)); T(ioctl(m, TIOCGPTLCK, &lock)); V(lock);
  lock = 0; T(ioctl(m, TIOCSPTLCK, &lock));
  int s = OK(open(name, O_RDWR | O_NOCTTY));
  struct stat st; T(fstat(s, &st)); V(st.st_mode); V(st.st_gid); V(st.st_uid); V(st.st_rdev >> 8); V(st.st_rdev & 255); V(isatty(s)); V(isatty(m));
  T(fstat(m, &st)); V(st.st_rdev);
  T(access(name, F_OK)); char path[64] = {0}; T(ttyname_r(s, path, 64)); S(path);
  int m2 = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)); T(ioctl(m2, TIOCGPTN, &n)); V(n); close(m2);
  close(m); T(access(name, F_OK)); char b[4]; T(read(s, b, 4)); T(write(s, "x", 1)); T(ioctl(s, TCGETS, b)); struct pollfd p = {s, POLLIN | POLLOUT}; T(poll(&p, 1, 0)); V(p.revents);
}
CASE(slave_closed) {
  start(); T(write(slave, "bye", 3)); close(slave);
  struct pollfd p = {master, POLLIN | POLLOUT}; T(poll(&p, 1, 0)); V(p.revents); OUTPUT(); OUTPUT();
}
CASE(settings) {
  start(); struct termios t; T(tcgetattr(slave, &t)); V(t.c_iflag); V(t.c_oflag); V(t.c_cflag); V(t.c_lflag);
  V(t.c_cc[VINTR]); V(t.c_cc[VEOF]); V(t.c_cc[VERASE]); V(t.c_cc[VSUSP]); V(cfgetospeed(&t));
  struct winsize w; T(ioctl(slave, TIOCGWINSZ, &w)); V(w.ws_row); w.ws_row = 24; w.ws_col = 80; T(ioctl(master, TIOCSWINSZ, &w)); memset(&w, 0, sizeof w); T(ioctl(slave, TIOCGWINSZ, &w)); V(w.ws_col);
  int d; T(ioctl(slave, TIOCGETD, &d)); V(d); T(ioctl(slave, TIOCSTI, "x")); T(ioctl(slave, 0x54ff, 0)); T(lseek(slave, 0, SEEK_CUR)); T((long)mmap(0, 4096, PROT_READ, MAP_PRIVATE, slave, 0));
  t.c_cflag = CS5 | PARENB; T(tcsetattr(slave, TCSANOW, &t)); T(tcgetattr(slave, &t)); V(t.c_cflag);
}
CASE(line) {
  start(); TYPE("hello"); IN(); TYPE("\n"); IN(); IN(); OUTPUT();
  TYPE("one\ntwo\n"); IN(); IN(); char b[3]; TYPE("longer\n"); T(read(slave, b, 3)); IN(); OUTPUT();
  TYPE("abc\x7f\x7fZ\n"); IN(); OUTPUT(); TYPE("some words\x17more\n"); IN(); OUTPUT(); TYPE("gone\x15kept\n"); IN(); OUTPUT();
  TYPE("\x04"); IN(); TYPE("part\x04"); IN(); TYPE("a\rb\r"); IN(); IN(); OUTPUT(); TYPE("\x16\x03lit\n"); IN(); OUTPUT(); TYPE("\t\x01\x1b\n"); IN(); OUTPUT();
  TYPE("pending"); int n; T(ioctl(slave, FIONREAD, &n)); V(n); TYPE("\n"); T(ioctl(slave, FIONREAD, &n)); V(n); struct pollfd p = {slave, POLLIN | POLLOUT}; T(poll(&p, 1, 0)); V(p.revents); T(tcflush(slave, TCIFLUSH)); IN();
}
CASE(output) {
  start(); T(write(slave, "a\nb\r\n\tc", 7)); OUTPUT();
  struct termios t; tcgetattr(slave, &t); t.c_oflag = 0; tcsetattr(slave, TCSANOW, &t); T(write(slave, "a\nb", 3)); OUTPUT();
  t.c_oflag = OPOST | OCRNL; tcsetattr(slave, TCSANOW, &t); T(write(slave, "a\rb\n", 4)); OUTPUT();
  t.c_oflag = OPOST | XTABS | ONLCR; tcsetattr(slave, TCSANOW, &t); T(write(slave, "ab\tc\n", 5)); OUTPUT();
  TYPE("\x13"); T(write(slave, "held", 4)); OUTPUT(); TYPE("\x11"); OUTPUT();
}
CASE(raw_mode) {
  start(); raw(1, 1, 0); TYPE("x\r\x03\n"); IN(); IN(); OUTPUT();
  fcntl(slave, F_SETFL, 0); raw(1, 0, 0); IN(); raw(1, 0, 1); IN(); TYPE("abc"); IN(); raw(1, 3, 0); TYPE("ab"); struct pollfd p = {slave, POLLIN}; T(poll(&p, 1, 0)); TYPE("c"); T(poll(&p, 1, 0)); IN();
  raw(1, 5, 1); TYPE("zz"); IN();
}
CASE(mode_change) { start(); TYPE("partial"); raw(1, 1, 0); IN(); TYPE("more"); struct termios t; tcgetattr(slave, &t); t.c_lflag |= ICANON; T(tcsetattr(slave, TCSANOW, &t)); T(tcsetattr(slave, TCSAFLUSH, &t)); IN(); }
static volatile int got;
static void note(int s) { got = s; }
CASE(session) {
  start(); signal(SIGINT, note); signal(SIGQUIT, note); signal(SIGHUP, note); signal(SIGWINCH, note);
  pid_t p = fork();
  if (p == 0) {
    T(open("/dev/tty", O_RDWR)); T(ioctl(slave, TIOCSCTTY, 0)); int g = 0; T(ioctl(slave, TIOCGPGRP, &g)); T(ioctl(slave, TIOCGSID, &g));
    T(setsid() == getpid()); T(ioctl(slave, TIOCSCTTY, 0)); T(ioctl(slave, TIOCGPGRP, &g)); V(g == getpid()); T(ioctl(slave, TIOCGSID, &g)); V(g == getpid());
    int t = OK(open("/dev/tty", O_RDWR)); struct stat a, b; fstat(t, &a); fstat(slave, &b); V(a.st_rdev == b.st_rdev);
    TYPE("ab\x03"); V(got); IN(); OUTPUT(); TYPE("\x1c"); V(got); struct winsize w = {1, 2}; T(ioctl(master, TIOCSWINSZ, &w)); V(got);
    pid_t c = fork();
    if (c == 0) { T(setpgid(0, 0)); T(tcgetpgrp(slave) == getppid()); T(tcsetpgrp(slave, getpid())); _exit(0); }
    int st; waitpid(c, &st, WUNTRACED); V(WIFSTOPPED(st)); V(WIFSTOPPED(st) ? WSTOPSIG(st) : -2); kill(c, SIGKILL); waitpid(c, &st, 0);
    signal(SIGTTOU, SIG_IGN);
    c = fork();
    if (c == 0) { T(setpgid(0, 0)); T(tcsetpgrp(slave, getpid())); T(tcgetpgrp(slave) == getpid()); _exit(0); }
    waitpid(c, &st, 0); V(st); T(tcsetpgrp(slave, getpid())); T(tcsetpgrp(slave, 99999)); T(tcsetpgrp(slave, -1));
    c = fork();
    if (c == 0) { setpgid(0, 0); fcntl(slave, F_SETFL, 0); char x; T(read(slave, &x, 1)); _exit(0); }
    waitpid(c, &st, WUNTRACED); V(WIFSTOPPED(st) ? WSTOPSIG(st) : -2); kill(c, SIGKILL); waitpid(c, &st, 0);
    T(ioctl(slave, TIOCNOTTY)); V(got); T(open("/dev/tty", O_RDWR)); _exit(0);
  }
  reap(p, "session");
}
CASE(hangup) {
  start(); pid_t p = fork();
  if (p == 0) { setsid(); T(ioctl(slave, TIOCSCTTY, 0)); close(master); signal(SIGHUP, note); pause(); V(got); char b; T(read(slave, &b, 1)); _exit(0); }
  nap(30); close(master); close(slave); reap(p, "leader");
}
CASE(autotty) {
  int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), l = 0, n; ioctl(m, TIOCSPTLCK, &l); ioctl(m, TIOCGPTN, &n); char name[32]; sprintf(name, "/dev/pts/%d", n);
  IN_CHILD(setsid(); int s = OK(open(name, O_RDWR)); T(tcgetpgrp(s) == getpid()); T(tcgetsid(s) == getpid()); T(tcgetpgrp(m) == getpid()); OK(open("/dev/tty", O_RDWR)));
  IN_CHILD(setsid(); int s = OK(open(name, O_RDWR | O_NOCTTY)); T(tcgetpgrp(s)); T(open("/dev/tty", O_RDWR)));
  int peer = OK(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY)); V(isatty(peer));
}
CASE(openpty_fork) {
  int m; struct winsize w = {10, 20}; pid_t p = forkpty(&m, NULL, NULL, &w);
  if (p == 0) { struct winsize v; ioctl(0, TIOCGWINSZ, &v); printf("%d %d\n", v.ws_row, v.ws_col); fflush(stdout); _exit(3); }
  nap(30); show("from child", m); show("from child", m); int st; waitpid(p, &st, 0); V(st);
}
LIST(C(open_close), C(slave_closed), C(settings), C(line), C(output), C(raw_mode), C(mode_change), C(session), C(hangup), C(autotty), C(openpty_fork))
