/* A crew of processes: the first one tells the others, one by one, which call to make, and goes on when all are at rest
 * (waiting for their next order, stopped or ended), so that the order of what happens is the same everywhere. */
#include "random.h"
#include <sys/socket.h>
#define CREW 9
enum { FORK, EXIT, WAIT, WAITID, SETPGID, GETPGID, SETSID, GETSID, KILL, KILLPG, TGKILL, QUEUE, ACTION, MASK, PENDING, TAKE, PRIORITY, NICE, LIMIT, PRCTL, IDS, GROUPS, CAPS, SCHED, STATUS, UMASK, OPS };
struct order { int op; long a, b, c, d; };
struct member { pid_t pid; char log[400]; };
static struct member *crew;
static int self, lines[CREW][2];

static const char *nameOf(long pid) {
  static char text[4][12];
  static int next;
  char *t = text[next++ & 3];
  if (pid <= 0) { snprintf(t, 12, "%ld", pid); return t; }
  for (int i = 0; i < CREW; i++)
    if (crew[i].pid == pid) { snprintf(t, 12, "m%d", i); return t; }
  return "another";
}
static void on(int signal, siginfo_t *info, void *context) {
  char *log = crew[self].log;
  int n = strlen(log);
  /* Children that change at once give one signal or more. */
  if (signal == SIGCHLD) { if (strstr(log, "child") == NULL) snprintf(log + n, 400 - n, " child"); return; }
  snprintf(log + n, 400 - n, " %d/%d/%s", signal, info->si_code, info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL ? nameOf(info->si_pid) : "kernel");
}
static void handle(int signal, int how) {
  struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_RESTART};
  if (how == 1) action.sa_handler = SIG_DFL, action.sa_flags = 0;
  if (how == 2) action.sa_handler = SIG_IGN, action.sa_flags = 0;
  if (how == 3) action.sa_flags |= SA_NODEFER;
  if (how == 4) action.sa_flags |= SA_RESETHAND;
  if (how == 5) action.sa_flags |= SA_NOCLDSTOP;
  if (how == 6) action.sa_flags |= SA_NOCLDWAIT;
  sigaction(signal, &action, NULL);
}
#define SAY(format, ...) snprintf(text, 1000, format, ##__VA_ARGS__)
#define RESULT(value) ({ errno = 0; long v_ = (long)(value); SAY("%ld %s", v_, errorName(v_)); v_; })
#define PID(value) ({ errno = 0; long v_ = (long)(value); SAY("%s %s", nameOf(v_), errorName(v_)); v_; })

static void field(char *text, const char *status, const char *name) {
  const char *found = strstr(status, name);
  if (found == NULL) return;
  int n = strcspn(found, "\n");
  snprintf(text + strlen(text), 1000 - strlen(text), " %.*s", n, found);
}
static void showStatus(char *text, pid_t pid) {
  static const char *names[] = {"State:", "Uid:", "Gid:", "Groups:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:"};
  char path[64], status[4096];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : read(fd, status, 4095);
  close(fd);
  if (n < 0) { SAY("no status"); return; }
  status[n] = 0;
  char *parent = strstr(status, "PPid:");
  SAY("PPid %s", parent ? nameOf(atoi(parent + 5)) : "?");
  /* What is sent to one that has ended, or may be, is nobody's. */
  int over = strstr(status, "Z (zombie)") != NULL;
  for (int i = 0; i < (over ? 4 : COUNT(names)); i++) field(text, status, names[i]);
  for (char *p = text; *p; p++) if (*p == '\t') *p = ' ';
}
static void loop(void);
static void born(int slot) {
  self = slot;
  crew[slot].pid = getpid();
  crew[slot].log[0] = 0;
}

static void perform(const struct order *o, char *text) {
  int st = 0;
  sigset_t set;
  siginfo_t info;
  memset(&info, 0, sizeof info);
  switch (o->op) {
    case FORK: {
      int parent = self;
      pid_t p = o->b ? syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) : fork();
      if (p == 0) {
        born(o->a);
        if (parent == 0) setpgid(0, 0);
        loop();
      }
      if (p > 0) crew[o->a].pid = p;
      PID(p);
      break;
    }
    case EXIT: _exit(o->a);
    case WAIT: { pid_t p = wait4(o->a, &st, o->b, NULL); SAY("%s %s %x", nameOf(p), errorName(p), p > 0 ? st : 0); break; }
    case WAITID: { int r = waitid(o->a, o->b, &info, o->c); SAY("%d %s %s %d %d", r, errorName(r), nameOf(info.si_pid), info.si_code, info.si_status); break; }
    case SETPGID: RESULT(setpgid(o->a, o->b)); break;
    case GETPGID: PID(getpgid(o->a)); break;
    case SETSID: PID(setsid()); break;
    case GETSID: PID(getsid(o->a)); break;
    case KILL: RESULT(kill(o->a, o->b)); break;
    case KILLPG: RESULT(kill(-o->a, o->b)); break;
    case TGKILL: RESULT(syscall(SYS_tgkill, o->a, o->c, o->b)); break;
    case QUEUE: RESULT(sigqueue(o->a, o->b, (union sigval){.sival_int = o->c})); break;
    case ACTION: handle(o->a, o->b); SAY("done"); break;
    case MASK: sigemptyset(&set); sigaddset(&set, o->b); sigaddset(&set, o->c); RESULT(sigprocmask(o->a, &set, NULL)); break;
    case PENDING: { sigpending(&set); long bits = 0; for (int i = 1; i < 40; i++) if (sigismember(&set, i)) bits |= 1l << i; SAY("%lx", bits); break; }
    case TAKE: { sigemptyset(&set); sigaddset(&set, o->a); sigaddset(&set, o->b); int r = sigtimedwait(&set, &info, &(struct timespec){0, 0}); SAY("%d %s %d %s", r, errorName(r), info.si_code, nameOf(info.si_pid)); break; }
    case PRIORITY: RESULT(syscall(SYS_getpriority, o->a, o->b)); break;
    case NICE: RESULT(setpriority(o->a, o->b, o->c)); break;
    case LIMIT: { struct rlimit r = {o->c, o->d}, old = {0}; int e = prlimit(o->a, o->b, o->c < 0 ? NULL : &r, &old); SAY("%d %s %ld %ld", e, errorName(e), e < 0 ? 0 : (long)old.rlim_cur, e < 0 ? 0 : (long)old.rlim_max); break; }
    case PRCTL: RESULT(prctl(o->a, o->b, 0, 0, 0)); break;
    case IDS: {
      int r = 0;
      switch (o->a) {
        case 0: r = setuid(o->b); break;
        case 1: r = setreuid(o->b, o->c); break;
        case 2: r = setresuid(o->b, o->c, o->d); break;
        case 3: r = setgid(o->b); break;
        case 4: r = setregid(o->b, o->c); break;
        case 5: r = setresgid(o->b, o->c, o->d); break;
        case 6: r = setfsuid(o->b); break;
        case 7: r = setfsgid(o->b); break;
      }
      SAY("%d %s", r, errorName(r));
      break;
    }
    case GROUPS: { gid_t list[3] = {o->a, o->b, o->c}; RESULT(setgroups(o->d, list)); break; }
    case CAPS: {
      struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
      struct __user_cap_data_struct data[2];
      syscall(SYS_capget, &header, data);
      if (o->a == 0) data[0].effective &= o->b;
      else if (o->a == 1) data[0].permitted &= o->b, data[0].effective &= o->b;
      else if (o->a == 2) data[0].inheritable = o->b & 0x3ff;
      else data[0].effective = data[0].permitted;
      RESULT(syscall(SYS_capset, &header, data));
      break;
    }
    case SCHED: { struct sched_param p = {o->c}; if (o->b < 0) RESULT(sched_getscheduler(o->a)); else RESULT(sched_setscheduler(o->a, o->b, &p)); break; }
    case STATUS: showStatus(text, o->a); break;
    case UMASK: SAY("%o", umask(o->a)); break;
  }
}

static void loop(void) {
  for (;;) {
    struct order o;
    char text[1024] = "";
    ssize_t n = read(lines[self][1], &o, sizeof o);
    if (n != sizeof o) continue;
    perform(&o, text);
    while (write(lines[self][1], text, strlen(text) + 1) < 0 && errno == EINTR) {}
  }
}

/* S waits, T stopped, Z ended; ' ' gone. */
static char now[CREW + 1];
static char lookAt(int i) {
  char path[64], text[256], *end;
  if (crew[i].pid == 0) return ' ';
  snprintf(path, sizeof path, "/proc/%d/stat", crew[i].pid);
  int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : read(fd, text, 255);
  close(fd);
  if (n < 0) return ' ';
  text[n] = 0;
  end = strrchr(text, ')');
  return end == NULL ? '?' : end[2] == 'X' ? ' ' : end[2];
}
static char stateOf(int i) { return now[i - 1]; }
static void settle(void) {
  for (int calm = 0; calm < 2; calm++) {
    for (int i = 1; i < CREW; i++) {
      char s = now[i - 1] = lookAt(i);
      if (s != ' ' && s != 'S' && s != 'T' && s != 'Z') calm = -1;
    }
    if (calm < 0) nap(0), sched_yield();
  }
}
static void results(void) {
  char text[1024];
  for (int i = 0; i < CREW; i++) {
    if (i > 0)
      while (recv(lines[i][0], text, sizeof text, MSG_DONTWAIT) > 0) line("  m%d: %s", i, text);
    if (crew[i].log[0] != 0) line("  m%d got%s", i, crew[i].log);
    crew[i].log[0] = 0;
  }
  static char last[CREW + 1];
  if (strcmp(last, now) != 0) line("  states '%s'", now);
  strcpy(last, now);
}

static long who(void) { return crew[below(CREW)].pid; }
static long other(void) { int i = 1 + below(CREW - 1); return crew[i].pid; }
#define ID PICK(0, 0, 1000, 1000, 2000, -1)
#define SIGNAL PICK(0, SIGUSR1, SIGUSR1, SIGUSR2, SIGTERM, SIGSTOP, SIGCONT, SIGCONT, SIGCONT, SIGTSTP, SIGTTIN, SIGCHLD, SIGWINCH, SIGALRM, 34, 36, SIGKILL, 65)

/* Members of one group would stop, and tell each other, in any order. */
static int alone(pid_t group) {
  int n = 0;
  for (int i = 1; i < CREW; i++) n += stateOf(i) != ' ' && getpgid(crew[i].pid) == group;
  return n == 1;
}

/* An order for member `m`; the first one keeps its identity and its signals. Op -1: none. */
static struct order draw(int m) {
  struct order o = {below(OPS)};
  static const int more[] = {FORK, FORK, WAIT, WAIT, KILL, KILL, SETPGID, STATUS, ACTION, WAITID};
  if (below(2)) o.op = more[below(COUNT(more))];
  int kept = m == 0;
  switch (o.op) {
    case FORK:
      for (o.a = 1; o.a < CREW && stateOf(o.a) != ' '; o.a++) {}
      if (o.a == CREW) o.op = -1;
      /* A sister: not for whoever has none to be the parent of. */
      o.b = !kept && below(8) == 0;
      break;
    case EXIT: o.a = below(5); if (kept || below(3)) o.op = -1; break;
    case WAIT: o.a = PICK(-1, -1, -1, 0, 1, 2, 99999), o.b = WNOHANG | PICK(0, 0, WUNTRACED, WUNTRACED | WCONTINUED, WCONTINUED, __WALL, __WCLONE, 0x100); if (o.a == 1) o.a = who(); else if (o.a == 2) o.a = -getpgid(who()); break;
    case WAITID: o.a = PICK(P_ALL, P_ALL, P_PID, P_PGID, 7), o.b = o.a == P_PGID ? getpgid(who()) : who(), o.c = WNOHANG | PICK(WEXITED, WEXITED, WEXITED | WSTOPPED, WSTOPPED, WCONTINUED, 0, WEXITED | WNOWAIT, WEXITED | WSTOPPED | WCONTINUED | WNOWAIT, 0x100); if (o.a == P_PID && o.b == 0) o.op = -1; break;
    case SETPGID: o.a = below(3) ? 0 : who(), o.b = below(2) ? 0 : getpgid(who()); if (kept && (o.a == 0 || o.a == crew[0].pid)) o.op = -1; if (o.b == -1) o.b = 99999; break;
    case GETPGID: case GETSID: o.a = below(4) ? who() : 0; break;
    case SETSID: if (kept) o.op = -1; break;
    case KILL: case TGKILL: case QUEUE: o.a = other(), o.b = SIGNAL, o.c = o.op == TGKILL ? o.a : 5; if (o.op == TGKILL && below(5) == 0) o.c = other(); if (o.a == 0 || o.c == 0) o.op = -1; break;
    case KILLPG: o.a = getpgid(other()), o.b = alone(o.a) ? PICK(0, SIGCONT, SIGSTOP, SIGTSTP, SIGTTOU, SIGUSR1) : PICK(0, SIGWINCH, SIGURG); if (o.a <= 1 || o.a == getpgrp()) o.op = -1; break;
    case ACTION: o.a = PICK(SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGTSTP, 34, 36, SIGALRM, SIGTERM), o.b = below(7); if (kept) o.op = -1; break;
    case MASK: o.a = PICK(SIG_BLOCK, SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK, 9), o.b = PICK(SIGUSR1, SIGUSR2, SIGCHLD, SIGTSTP, SIGTERM), o.c = PICK(34, 36, SIGCONT, SIGSTOP, SIGALRM); if (kept) o.op = -1; break;
    case PENDING: break;
    case TAKE: o.a = PICK(SIGUSR1, SIGCHLD, SIGTERM), o.b = PICK(34, 36, SIGALRM); if (kept) o.op = -1; break;
    case PRIORITY: o.a = PICK(PRIO_PROCESS, PRIO_PROCESS, PRIO_PGRP, 9), o.b = o.a == PRIO_PGRP ? getpgid(who()) : who(); break;
    case NICE: o.a = PICK(PRIO_PROCESS, PRIO_PROCESS, PRIO_PGRP), o.b = o.a == PRIO_PGRP ? getpgid(other()) : other(), o.c = PICK(0, 1, 5, 5, 10, 19, 30, -5); if (kept || o.b <= 0 || o.b == getpgrp()) o.op = -1; break;
    case LIMIT: o.a = below(2) ? 0 : other(), o.b = PICK(RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_STACK), o.c = PICK(-1, 100, 200, 300, 1 << 20), o.d = PICK(100, 200, 300, 1 << 20); if (kept || o.b == RLIMIT_STACK || o.b == RLIMIT_NPROC) o.c = o.b == RLIMIT_NPROC || kept ? -2 : -1; if (o.c == -2) o.op = -1; break;
    case PRCTL: o.a = PICK(PR_SET_PDEATHSIG, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_GET_DUMPABLE, PR_SET_KEEPCAPS, PR_GET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_GET_SECUREBITS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK), o.b = o.a == PR_SET_PDEATHSIG ? PICK(0, SIGTERM, SIGUSR1, SIGKILL, 99) : (long)below(9); if (kept) o.op = -1; break;
    case IDS: o.a = below(8), o.b = ID, o.c = ID, o.d = ID; if (kept) o.op = -1; break;
    case GROUPS: o.a = below(9), o.b = 1000, o.c = 7, o.d = below(4); if (kept) o.op = -1; break;
    case CAPS: o.a = below(4), o.b = PICK(0, -1, 1 << 7, 1 << 6 | 1 << 7, 1 << 5, 0x20); if (kept) o.op = -1; break;
    case SCHED: o.a = below(2) ? 0 : other(), o.b = PICK(-1, -1, SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, 99), o.c = PICK(0, 0, 1, 100); if (kept || (o.b != -1 && below(2))) o.op = -1; break;
    case STATUS: o.a = other(); if (o.a == 0) o.op = -1; break;
    case UMASK: o.a = below(512); if (kept) o.op = -1; break;
  }
  return o;
}

static const char *const names[] = {"fork", "exit", "wait", "waitid", "setpgid", "getpgid", "setsid", "getsid", "kill", "killpg", "tgkill", "sigqueue", "sigaction", "sigprocmask", "sigpending", "sigtimedwait", "getpriority", "setpriority", "prlimit", "prctl", "set ids", "setgroups", "capset", "scheduler", "status", "umask"};
/* Which of the four numbers of an order are ids of processes: p. */
static const char *const kinds[] = {"", "", "p", " p", "pp", "p", "", "p", "p", "p", "p p", "p", "", "", "", "", " p", " p", "p", "", "", "", "", "p", "p", ""};
static const char *shown(const struct order *o, int i) {
  static char text[4][24];
  char *t = text[i];
  long value = (&o->a)[i];
  if (strlen(kinds[o->op]) <= i || kinds[o->op][i] != 'p') snprintf(t, 24, "%ld", value);
  else snprintf(t, 24, value < -1 ? "-%s" : "%s", nameOf(value < -1 ? -value : value));
  return t;
}

static void sequence(int calls) {
  crew = mmap(NULL, sizeof *crew * CREW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < CREW; i++) socketpair(AF_UNIX, SOCK_SEQPACKET, 0, lines[i]);
  setgroups(0, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 10, 1 << 12});
  setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, 8 << 20});
  born(0);
  static const int handled[] = {SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGHUP, 34};
  for (int i = 0; i < COUNT(handled); i++) handle(handled[i], 0);
  settle();
  for (int i = 0; i < calls; i++) {
    int m = below(CREW);
    if (m > 0 && stateOf(m) != 'S') m = 0;
    struct order o = draw(m);
    if (o.op < 0) continue;
    line("m%d %s %s %s %s %s", m, names[o.op], shown(&o, 0), shown(&o, 1), shown(&o, 2), shown(&o, 3));
    if (m == 0) {
      char text[1024] = "";
      perform(&o, text);
      line("  m0: %s", text);
    } else write(lines[m][0], &o, sizeof o);
    settle();
    results();
  }
  for (int i = 1; i < CREW; i++) if (crew[i].pid > 0 && stateOf(i) != ' ') kill(crew[i].pid, SIGKILL);
}
