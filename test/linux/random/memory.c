#include "random.h"
#include <setjmp.h>
#include <sys/shm.h>
#define P 4096l
/* Far from where kernels put things by themselves. */
#define ARENA ((char *)0x200000000000)
#define PAGES 20
static sigjmp_buf out;
static void on(int signal, siginfo_t *info, void *context) { siglongjmp(out, signal * 100 + (info->si_code & 63)); }

static int files[4], probe[2], segment;

static long address(void) { return (long)ARENA + below(PAGES) * P + (below(12) == 0 ? (long)below(4095) : 0); }
static long length(void) { return below(14) == 0 ? PICK(0, 1, 5000, -1, 1l << 46, 1l << 50) : (long)(1 + below(4)) * P; }
static long offset(void) { return below(14) == 0 ? PICK(1, -4096) : (long)below(4) * P; }
/* Pages from the arena's start; what lies elsewhere has no name. */
static const char *at(long a) {
  static char text[4][48];
  static int next;
  char *t = text[next++ & 3];
  long from = a - (long)ARENA;
  if (a == -1) return "-1";
  if (from < 0 || from >= 2 * PAGES * P) return "elsewhere";
  snprintf(t, 48, from % P ? "#%ld+%ld" : "#%ld", from / P, from % P);
  return t;
}
static void result(long a) { line("  -> %s %s", at(a), errorName(a)); }

/* Protection of every page, and whose bytes they are: what /proc says. */
static unsigned long number(char **p, int base) {
  unsigned long value = 0;
  for (int digit; (digit = **p >= 'a' ? **p - 'a' + 10 : **p - '0') >= 0 && digit < base; ++*p) value = value * base + digit;
  return value;
}
static char last[3 * PAGES + 1];
static void show(void) {
  static char now[3 * PAGES + 1], text[16384];
  memset(now, ' ', 3 * PAGES);
  int fd = open("/proc/self/maps", O_RDONLY), n = 0, got;
  while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) n += got;
  close(fd);
  text[n] = 0;
  for (char *p = text; *p != 0; p = strchr(p, '\n') + 1) {
    unsigned long from = number(&p, 16), to = (p++, number(&p, 16));
    char *rights = ++p;
    p += 5;
    unsigned long start = number(&p, 16);
    p = strchr(p + 1, ' ') + 1;
    int file = *p != '0' || strncmp(strchr(p, ' ') + strspn(strchr(p, ' '), " "), "/SYSV", 5) == 0;
    for (unsigned long a = from; a < to; a += P, start += P) {
      long page = ((long)a - (long)ARENA) / P;
      if ((long)a < (long)ARENA) break;
      if (page >= PAGES) break;
      now[3 * page] = '0' + (rights[0] == 'r') + 2 * (rights[1] == 'w') + 4 * (rights[2] == 'x');
      now[3 * page + 1] = rights[3];
      now[3 * page + 2] = file ? '0' + (start / P) % 10 : '-';
    }
  }
  if (memcmp(last, now, sizeof now) != 0) line("  pages %s", now);
  memcpy(last, now, sizeof now);
}

/* The first byte of each page, as a call reads it. */
static void contents(const char *who) {
  char text[PAGES * 4 + 1];
  int n = 0;
  for (int i = 0; i < PAGES; i++) {
    unsigned char byte;
    if (write(probe[1], ARENA + i * P, 1) == 1 && read(probe[0], &byte, 1) == 1) n += sprintf(text + n, "%x ", byte);
    else n += sprintf(text + n, "%s", errno == EFAULT ? "- " : "? ");
  }
  line("  %s %s", who, text);
}

static void touch(void) {
  volatile char *a = (char *)address();
  int write = below(2), value = 1 + below(200);
  int signal = sigsetjmp(out, 1);
  if (signal == 0) {
    if (write) *a = value; else value = *a;
    line("%s %s %d", write ? "store" : "load", at((long)a), value & 255);
  } else line("%s %s signal %d", write ? "store" : "load", at((long)a), signal);
}

static void map(void) {
  long a = address(), n = length(), o = offset(), prot = PICK(0, 1, 1, 3, 3, 3, 3, 5, 7, 2, 4);
  long flags = PICK(MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED, MAP_SHARED_VALIDATE, 0) | PICK(0, MAP_FIXED, MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE) | PICK(0, 0, 0, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED, MAP_STACK);
  if (n == 1l << 46) n = P;
  int file = below(7);
  if (file > 3) flags |= MAP_ANONYMOUS;
  long r = (long)mmap((void *)a, n, prot, flags, file > 3 ? -1 : files[file], o);
  line("mmap %s %ld %ld %lx %d %ld", at(a), n, prot, flags, file, o);
  result(r);
  if (r != -1 && (r < (long)ARENA || r >= (long)ARENA + 2 * PAGES * P)) munmap((void *)r, n);
}

static void remap(void) {
  long a = address(), old = length(), n = length(), to = address();
  long flags = PICK(0, 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE, MREMAP_FIXED, 16);
  /* Shared memory that grows has no more of its object. */
  if (n > 1l << 46 || last[(a - (long)ARENA) / P * 3 + 1] != 'p') n = P;
  /* To a place: page by page. Which of several errors comes first, and moves of several mappings at once, differ
   * between kernels. */
  if (below(2)) {
    old = n = P, flags = MREMAP_MAYMOVE | MREMAP_FIXED | PICK(0, 0, MREMAP_DONTUNMAP);
    a &= -P, to &= -P;
    if (to == a) to = (long)ARENA + PAGES * P;
  }
  long r = (long)mremap((void *)a, old, n, flags, (void *)to);
  line("mremap %s %ld %ld %lx %s", at(a), old, n, flags, at(to));
  result(r);
  if (r != -1 && (r < (long)ARENA || r >= (long)ARENA + 2 * PAGES * P)) munmap((void *)r, n);
}

static void attach(void) {
  long a = address(), flags = PICK(0, SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_REMAP | SHM_RND, SHM_EXEC);
  long r = (long)shmat(segment, (void *)a, flags);
  line("shmat %s %lx", at(a), flags);
  result(r);
}

static void sequence(int calls) {
  for (int signal = SIGBUS; signal <= SIGSEGV; signal++) {
    if (signal != SIGBUS && signal != SIGSEGV) continue;
    struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(signal, &action, NULL);
  }
  files[0] = open("f", O_RDWR | O_CREAT, 0644), files[1] = open("f", O_RDONLY), files[2] = open("f", O_WRONLY);
  files[3] = memfd_create("m", MFD_ALLOW_SEALING);
  ftruncate(files[0], 3 * P + 100), ftruncate(files[3], 2 * P);
  for (int i = 0; i < 4; i++) pwrite(files[0], (char[]){"ABCD"[i]}, 1, i * P);
  pipe2(probe, O_NONBLOCK);
  segment = shmget(IPC_PRIVATE, 3 * P, IPC_CREAT | 0600);
  setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){6 * P, 6 * P});
  for (int i = 0; i < calls; i++) {
    long a = address(), n = length(), x;
    switch (below(22)) {
      case 0: case 1: case 2: case 3: map(); break;
      case 4: DID(munmap((void *)a, n), "munmap %s %ld", at(a), n); break;
      case 5: case 6: x = PICK(0, 1, 1, 3, 3, 3, 5, 7, 0x100, 2); DID(mprotect((void *)a, n, x), "mprotect %s %ld %ld", at(a), n, x); break;
      case 7: case 8: if (n > 1l << 46) n = 3 * P; x = PICK(0, 1, 2, 3, 4, 4, 4, 8, 8, 10, 11, 16, 17, 18, 18, 19, 20, 21, 22, 23, 24, 999); DID(madvise((void *)a, n, x), "madvise %s %ld %ld", at(a), n, x); break;
      case 9: x = below(9); DID(msync((void *)a, n, x), "msync %s %ld %ld", at(a), n, x); break;
      case 10: x = below(4); if (x == 0) DID(mlock((void *)a, n), "mlock %s %ld", at(a), n); else if (x == 1) DID(mlock2((void *)a, n, MLOCK_ONFAULT), "mlock2 %s %ld", at(a), n); else DID(munlock((void *)a, n), "munlock %s %ld", at(a), n); break;
      case 11: { unsigned char v[16]; if (n > 16 * P) n = P; DID(mincore((void *)a, n, v), "mincore %s %ld", at(a), n); break; }
      case 12: case 13: remap(); break;
      case 14: case 15: case 16: touch(); break;
      case 17: { pid_t p = fork(); if (p == 0) { contents("child"); _exit(0); } waitpid(p, NULL, 0); break; }
      case 18: x = PICK(0, 1, 4096, 5000, 12388, 20000); DID(ftruncate(files[below(2) * 3], x), "ftruncate %ld", x); break;
      case 19: x = below(8); if (x == 0) attach(); else if (x == 1) DID(shmdt((void *)a), "shmdt %s", at(a)); else if (x == 2) DID(fcntl(files[3], F_ADD_SEALS, F_SEAL_FUTURE_WRITE), "seal"); else { char b = 'a' + below(20); long o = below(4) * P; DID(pwrite(files[0], &b, 1, o), "pwrite %ld", o); } break;
      case 20: DID(pread(files[0], (void *)a, 1, (x = below(4)) * P), "pread %s %ld", at(a), x); break;
      case 21: { char b[8]; struct iovec l = {b, 4}, r = {(void *)a, 4}; DID(process_vm_readv(getpid(), &l, 1, &r, 1, 0), "process_vm_readv %s", at(a)); break; }
    }
    show();
    if (below(6) == 0) contents("bytes");
  }
  contents("bytes");
  shmctl(segment, IPC_RMID, NULL);
}
