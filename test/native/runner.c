// Runs test cases on the real processor. Reads on standard input: u32 count, u32 0, the initial image of the data pages,
// then the cases; writes one result a case. native.ts has the same layouts.
//
// Everything happens inside one signal handler: it stores the state that the kernel saved when the case ended (by the
// int3 that fills the code page, or by a fault), then replaces that state by the next case's and returns, so that
// sigreturn loads all registers at once.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000UL
#define CODE_SIZE 0x2000
#define ENTRY 0x800
#define DATA 0x20000000UL   // two pages read and write, one read only, then nothing
#define DATA_SIZE 0x3000
#define WRITABLE 0x2000
#define STACK 0x30000000UL  // one page
#define STACK_SIZE 0x1000
#define IMAGE (DATA_SIZE + STACK_SIZE)
#define GS_BASE (DATA + 0x800)
#define USER_FLAGS 0xcd5UL
#define FX 416
#define YMM 576             // upper halves in the XSAVE area

struct patch { uint32_t offset, length; uint8_t bytes[16]; };
struct test { uint32_t length, patches; uint8_t code[64]; uint64_t gpr[16], rflags; uint8_t fx[512], ymm[256]; };
struct result { uint32_t signal, code; uint64_t address, error, trap; uint64_t gpr[16], rip, rflags; uint8_t fx[512], ymm[256]; uint32_t changes, pad; };
struct change { uint32_t offset, pad; uint64_t value; };

static const int ORDER[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
  REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

static uint8_t *input, *cursor, *image;
static size_t input_size;
static uint32_t count, current, stuck = ~0u;
static ucontext_t *finish;
static int started, avx;

static void die(const char *what) { perror(what); _exit(3); }

static void load_case(ucontext_t *uc) {
  struct test *t = (struct test *)cursor;
  struct patch *p = (struct patch *)(t + 1);
  memset((void *)CODE, 0xcc, CODE_SIZE);
  memcpy((void *)(CODE + ENTRY), t->code, t->length);
  memcpy((void *)DATA, image, WRITABLE);
  memcpy((void *)STACK, image + DATA_SIZE, STACK_SIZE);
  for (uint32_t i = 0; i < t->patches; i++) {
    uint8_t *to = p[i].offset < DATA_SIZE ? (uint8_t *)DATA + p[i].offset : (uint8_t *)STACK + (p[i].offset - DATA_SIZE);
    memcpy(to, p[i].bytes, p[i].length);
  }
  for (int i = 0; i < 16; i++) uc->uc_mcontext.gregs[ORDER[i]] = t->gpr[i];
  uc->uc_mcontext.gregs[REG_RIP] = CODE + ENTRY;
  uc->uc_mcontext.gregs[REG_EFL] = (t->rflags & USER_FLAGS) | 0x202;
  uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
  memcpy(fx, t->fx, FX);
  *(uint64_t *)(fx + 512) |= 3;
  if (avx) {
    *(uint64_t *)(fx + 512) |= 4;
    memcpy(fx + YMM, t->ymm, 256);
  }
  cursor = (uint8_t *)(p + t->patches);
}

static struct change changes[(WRITABLE + STACK_SIZE) / 8];

static uint32_t find_changes(struct test *t) {
  static uint64_t before[IMAGE / 8];
  struct patch *p = (struct patch *)(t + 1);
  memcpy(before, image, IMAGE);
  for (uint32_t i = 0; i < t->patches; i++) memcpy((uint8_t *)before + p[i].offset, p[i].bytes, p[i].length);
  uint32_t n = 0;
  for (uint32_t offset = 0; offset < IMAGE; offset += 8) {
    if (offset == WRITABLE) offset = DATA_SIZE;
    uint64_t now = *(uint64_t *)(offset < DATA_SIZE ? DATA + offset : STACK + (offset - DATA_SIZE));
    if (now != before[offset / 8]) changes[n++] = (struct change){ offset, 0, now };
  }
  return n;
}

static void store_result(int signal, siginfo_t *info, ucontext_t *uc, struct test *t) {
  struct result r;
  memset(&r, 0, sizeof r);
  r.signal = signal;
  r.code = info->si_code;
  r.address = (uint64_t)info->si_addr;
  r.error = uc->uc_mcontext.gregs[REG_ERR];
  r.trap = uc->uc_mcontext.gregs[REG_TRAPNO];
  for (int i = 0; i < 16; i++) r.gpr[i] = uc->uc_mcontext.gregs[ORDER[i]];
  r.rip = uc->uc_mcontext.gregs[REG_RIP];
  r.rflags = uc->uc_mcontext.gregs[REG_EFL];
  uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
  memcpy(r.fx, fx, FX);
  if (avx && (*(uint64_t *)(fx + 512) & 4)) memcpy(r.ymm, fx + YMM, 256);
  r.changes = find_changes(t);
  fwrite(&r, sizeof r, 1, stdout);
  fwrite(changes, sizeof changes[0], r.changes, stdout);
  fflush(stdout);  // so that a case which kills the process is the one after the last result
}

static struct test *active;

static void handle(int signal, siginfo_t *info, void *context) {
  // the case may have left AC set, under which our own unaligned accesses would trap
  __asm__ volatile("pushfq; andq $~0x40000,(%%rsp); popfq" ::: "memory", "cc");
  ucontext_t *uc = context;
  static ucontext_t saved;
  static uint8_t saved_fx[4096];
  if (signal == SIGALRM) {
    // a case that runs through two ticks of the timer hangs
    if (!started || current != stuck) { stuck = current; return; }
  }
  if (!started) {
    started = 1;
    saved = *uc;
    memcpy(saved_fx, uc->uc_mcontext.fpregs, 576);
    finish = &saved;
  } else {
    store_result(signal, info, uc, active);
    current++;
  }
  if (current == count) {
    memcpy(uc->uc_mcontext.gregs, saved.uc_mcontext.gregs, sizeof saved.uc_mcontext.gregs);
    memcpy(uc->uc_mcontext.fpregs, saved_fx, FX);
    started = 0;
    return;
  }
  active = (struct test *)cursor;
  load_case(uc);
}

static void map(uint64_t at, size_t size, int prot) {
  if (mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)at) die("mmap");
}

int main(void) {
  avx = __builtin_cpu_supports("avx");
  size_t capacity = 1 << 24;
  input = malloc(capacity);
  for (ssize_t n; (n = read(0, input + input_size, capacity - input_size)) > 0;) {
    input_size += n;
    if (input_size == capacity) input = realloc(input, capacity *= 2);
  }
  memcpy(&count, input, 4);
  image = input + 8;
  cursor = image + IMAGE;
  map(CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, DATA_SIZE, PROT_READ | PROT_WRITE);
  map(STACK, STACK_SIZE, PROT_READ | PROT_WRITE);
  memcpy((void *)DATA, image, DATA_SIZE);
  mprotect((void *)(DATA + WRITABLE), DATA_SIZE - WRITABLE, PROT_READ);
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE)) die("arch_prctl");
  stack_t alternate = { .ss_sp = malloc(1 << 17), .ss_size = 1 << 17 };
  sigaltstack(&alternate, 0);
  struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
  action.sa_sigaction = handle;
  sigfillset(&action.sa_mask);
  const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGALRM };
  for (int i = 0; i < 6; i++) sigaction(signals[i], &action, 0);
  struct itimerval timer = { { 0, 500000 }, { 0, 500000 } };
  setitimer(ITIMER_REAL, &timer, 0);
  if (count > 0) __asm__ volatile("int3" ::: "memory", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc");
  fflush(stdout);
  return 0;
}
