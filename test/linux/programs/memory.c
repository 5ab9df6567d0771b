// Memory calls: results and errno, printed; the same text natively and in the machine.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf jump;
static volatile int code, number;
static void *volatile address;
static void fault(int s, siginfo_t *i, void *u) { number = s; code = i->si_code; address = i->si_addr; siglongjmp(jump, 1); }

#define P 4096
static void r(const char *what, long value) { printf("%s %ld %s\n", what, value, value == -1 ? strerror(errno) : ""); errno = 0; }
static void m(const char *what, void *p) { printf("%s %s\n", what, p == MAP_FAILED ? strerror(errno) : "ok"); errno = 0; }
static void touch(const char *what, volatile char *p, int write) {
  if (sigsetjmp(jump, 1) == 0) {
    if (write) *p = 1; else (void)*p;
    printf("%s fine\n", what);
  } else printf("%s signal %d code %d %s\n", what, number, code, address == (void *)p ? "there" : "elsewhere");
}

int main(void) {
  struct sigaction sa = { .sa_flags = SA_SIGINFO };
  sa.sa_sigaction = fault;
  sigaction(SIGSEGV, &sa, 0);
  sigaction(SIGBUS, &sa, 0);
  char *p = mmap(0, 8 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  m("mmap", p);
  memset(p, 7, 8 * P);
  r("mprotect", mprotect(p + P, P, PROT_READ));
  touch("write to read-only", p + P, 1);
  touch("read of read-only", p + P, 0);
  r("mprotect none", mprotect(p + P, P, PROT_NONE));
  touch("read of none", p + P, 0);
  r("munmap middle", munmap(p + 2 * P, P));
  touch("read of unmapped", p + 2 * P, 0);
  r("mprotect over hole", mprotect(p, 4 * P, PROT_READ | PROT_WRITE));
  r("mprotect unaligned", mprotect(p + 1, P, PROT_READ));
  r("mprotect nothing", mprotect(p, 0, PROT_READ));
  r("munmap unaligned", munmap(p + 1, P));
  r("munmap nothing", munmap(p, 0));
  r("munmap of nothing there", munmap(p + 2 * P, P));
  m("mmap length 0", mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  m("mmap bad fd", mmap(0, P, PROT_READ, MAP_PRIVATE, 99, 0));
  m("mmap no type", mmap(0, P, PROT_READ, MAP_ANONYMOUS, -1, 0));
  m("mmap unaligned fixed", mmap(p + 5, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  m("mmap noreplace", mmap(p, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  char *q = mmap(p + 2 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("hint taken %d\n", q == p + 2 * P);
  q = mmap(p, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("hint in use left %d\n", q != p);
  m("mmap huge", mmap(0, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  m("mmap reserve", mmap(0, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  p[5 * P] = 9;
  r("dontneed", madvise(p + 5 * P, P, MADV_DONTNEED));
  printf("after dontneed %d %d\n", p[5 * P], p[6 * P]);
  r("madvise unaligned", madvise(p + 1, P, MADV_DONTNEED));
  r("madvise unknown", madvise(p, P, 4711));
  r("willneed", madvise(p + 5 * P, P, MADV_WILLNEED));
  r("willneed unmapped", madvise((void *)0x10000, P, MADV_WILLNEED));

  char name[] = "/tmp/effigy-memory-XXXXXX";
  int fd = mkstemp(name);
  char page[P];
  for (int i = 0; i < P; i++) page[i] = i;
  write(fd, page, P);
  write(fd, "tail", 4);
  char *s = mmap(0, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *c = mmap(0, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  m("shared file", s);
  m("private file", c);
  printf("contents %d %c %d\n", s[100], s[P], s[P + 5]);
  s[1] = 'S';
  c[2] = 'C';
  printf("shared write in private %c, private write in shared %d\n", c[1], s[2]);
  r("msync", msync(s, P, MS_SYNC));
  pread(fd, page, P, 0);
  printf("file has %c %d\n", page[1], page[2]);
  touch("beyond the end of the file", s + 2 * P, 0);
  r("msync unmapped", msync((void *)0x10000, P, MS_SYNC));
  r("msync flags", msync(s, P, MS_SYNC | MS_ASYNC));
  int ro = open(name, O_RDONLY);
  m("shared write of read-only fd", mmap(0, P, PROT_WRITE, MAP_SHARED, ro, 0));
  m("private write of read-only fd", mmap(0, P, PROT_WRITE, MAP_PRIVATE, ro, 0));
  m("offset unaligned", mmap(0, P, PROT_READ, MAP_PRIVATE, fd, 1));
  unlink(name);

  volatile int *shared = mmap(0, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  volatile int *own = mmap(0, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) { *shared = 5; *own = 5; _exit(0); }
  waitpid(pid, 0, 0);
  printf("after child shared %d own %d\n", *shared, *own);

  char *g = mmap(0, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(g, "moves");
  char *big = mremap(g, 2 * P, 64 * P, MREMAP_MAYMOVE);
  m("mremap grow", big);
  printf("%s %d\n", big, big[63 * P]);
  big = mremap(big, 64 * P, P, 0);
  m("mremap shrink", big);
  touch("cut off", big + P, 0);
  char *to = mmap(0, 4 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *fixed = mremap(big, P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  printf("mremap fixed %d %s\n", fixed == to, fixed);
  m("mremap nothing there", mremap((void *)0x10000, P, 2 * P, MREMAP_MAYMOVE));
  m("mremap flags", mremap(to, P, 2 * P, 64));

  char *end = (char *)syscall(SYS_brk, 0);
  char *more = (char *)syscall(SYS_brk, end + 100000);
  printf("brk %d\n", more == end + 100000);
  more[-1] = 1;
  printf("back %d\n", (char *)syscall(SYS_brk, end) == end);
  touch("beyond brk", (char *)(((uintptr_t)end + 50000) & ~4095UL), 0);
  unsigned char vec[2];
  r("mincore", mincore(to, 2 * P, vec));
  r("mincore unmapped", mincore((void *)0x10000, P, vec));
  r("mlock", mlock(to, P));
  r("munlock", munlock(to, P));
  touch("null", (char *)0, 1);
  touch("non-canonical", (char *)0x8000000000000000UL, 1);
  r("read into null", read(fd, 0, 1));
  lseek(fd, 0, SEEK_SET);
  r("read into nothing", read(fd, (void *)0x10000, 10));
  r("write from nothing", write(1, (void *)0x10000, 10));
  return 0;
}
