// Runs guest code on the real processor, one instruction at a time, beside the machine: a child process gets the
// guest's memory and registers, steps (ptrace), and after each step its registers are compared with those that the
// machine has. System calls never run here: what the machine's kernel changed is put into the child instead.
// lockstep.ts has the same messages. Usage: stepper FIFO-IN FIFO-OUT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

// A page of the child that no guest uses: `syscall; int3`, for system calls that prepare its memory.
#define STUB 0x200000000000UL
#define TOP 0x7ffffffff000UL
#define FX 512

// The state after an instruction. flags: bits of RFLAGS that are compared. kind: below. fx: FXSAVE image follows.
struct record { uint64_t gpr[16], rip, rflags; uint32_t flags; uint8_t kind, fx, pad[2]; };
enum { STEP, REPEAT, FAULT }; // once; until the instruction is left; until it is left or a signal comes
struct state { uint64_t gpr[16], rip, rflags, fsbase, gsbase; uint8_t fx[FX]; };
struct answer { uint32_t index, what, signal, pad; uint64_t gpr[16], rip, rflags; uint8_t fx[FX]; };
enum { EQUAL, DIFFERENT, DIFFERENT_FX, STOPPED };

static pid_t child;
static int in, out, memory;

static void die(const char *what) { fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno)); if (child > 0) kill(child, SIGKILL); _exit(3); }

static int receive(void *to, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(in, (char *)to + done, size - done);
    if (n <= 0) return 0;
    done += n;
  }
  return 1;
}

static void must(void *to, size_t size) { if (!receive(to, size)) { kill(child, SIGKILL); _exit(0); } }

static void reply(const void *from, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = write(out, (const char *)from + done, size - done);
    if (n <= 0) die("write");
    done += n;
  }
}

// In encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8..r15.
static void to_regs(struct user_regs_struct *r, const uint64_t *g) {
  r->rax = g[0]; r->rcx = g[1]; r->rdx = g[2]; r->rbx = g[3]; r->rsp = g[4]; r->rbp = g[5]; r->rsi = g[6]; r->rdi = g[7];
  r->r8 = g[8]; r->r9 = g[9]; r->r10 = g[10]; r->r11 = g[11]; r->r12 = g[12]; r->r13 = g[13]; r->r14 = g[14]; r->r15 = g[15];
}

static void from_regs(uint64_t *g, const struct user_regs_struct *r) {
  g[0] = r->rax; g[1] = r->rcx; g[2] = r->rdx; g[3] = r->rbx; g[4] = r->rsp; g[5] = r->rbp; g[6] = r->rsi; g[7] = r->rdi;
  g[8] = r->r8; g[9] = r->r9; g[10] = r->r10; g[11] = r->r11; g[12] = r->r12; g[13] = r->r13; g[14] = r->r14; g[15] = r->r15;
}

// Lets the child go one step; the signal that stopped it (SIGTRAP: the step was made). Resumes after foreign signals.
static int step(void) {
  int status;
  if (ptrace(PTRACE_SINGLESTEP, child, 0, 0) < 0) die("step");
  if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) { errno = 0; die("the child is gone"); }
  return WSTOPSIG(status);
}

static long inject(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  struct user_regs_struct saved, r;
  if (ptrace(PTRACE_GETREGS, child, 0, &saved) < 0) die("getregs");
  r = saved;
  r.rip = STUB; r.rax = number; r.rdi = a; r.rsi = b; r.rdx = c; r.r10 = d; r.r8 = e; r.r9 = f; r.orig_rax = -1; r.eflags = 0x202;
  if (ptrace(PTRACE_SETREGS, child, 0, &r) < 0) die("setregs");
  step();
  if (ptrace(PTRACE_GETREGS, child, 0, &r) < 0) die("getregs");
  saved.orig_rax = -1;
  if (ptrace(PTRACE_SETREGS, child, 0, &saved) < 0) die("setregs");
  return r.rax;
}

static void must_inject(const char *what, long result) { if (result < 0 && result > -4096) { errno = -result; die(what); } }

static void start_child(void) {
  child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    uint8_t *stub = mmap((void *)STUB, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (stub == MAP_FAILED) _exit(4);
    memcpy(stub, "\x0f\x05\xcc", 3);
    raise(SIGSTOP);
    _exit(4);
  }
  int status;
  if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) die("child");
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", child);
  memory = open(path, O_RDWR);
  if (memory < 0) die(path);
}

static void empty(void) {
  must_inject("munmap", inject(SYS_munmap, 0, STUB, 0, 0, 0, 0));
  must_inject("munmap", inject(SYS_munmap, STUB + 4096, TOP - STUB - 4096, 0, 0, 0, 0));
}

static void set_state(void) {
  struct state s;
  struct user_regs_struct r;
  must(&s, sizeof s);
  if (ptrace(PTRACE_GETREGS, child, 0, &r) < 0) die("getregs");
  to_regs(&r, s.gpr);
  r.rip = s.rip; r.eflags = s.rflags; r.fs_base = s.fsbase; r.gs_base = s.gsbase; r.orig_rax = -1;
  if (ptrace(PTRACE_SETREGS, child, 0, &r) < 0) die("setregs");
  if (ptrace(PTRACE_SETFPREGS, child, 0, s.fx) < 0) die("setfpregs");
}

static void write_memory(void) {
  uint64_t range[2];
  must(range, sizeof range);
  uint8_t *bytes = malloc(range[1]);
  must(bytes, range[1]);
  if (pwrite(memory, bytes, range[1], range[0]) != (ssize_t)range[1]) die("write to the child's memory");
  free(bytes);
}

// Control, status, tag words; MXCSR; 80 bits of each x87 register; XMM. Not: last opcode and pointers, reserved parts.
static int same_fx(const uint8_t *a, const uint8_t *b) {
  if (memcmp(a, b, 5) != 0 || memcmp(a + 24, b + 24, 4) != 0 || memcmp(a + 160, b + 160, 256) != 0) return 0;
  for (int i = 0; i < 8; i++) if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10) != 0) return 0;
  return 1;
}

static void run(void) {
  uint64_t count;
  struct answer answer;
  memset(&answer, 0, sizeof answer);
  must(&count, sizeof count);
  int open = 1;
  for (uint64_t i = 0; i < count; i++) {
    struct record want;
    uint8_t fx[FX];
    must(&want, sizeof want);
    if (want.fx) must(fx, FX);
    if (!open) continue;
    struct user_regs_struct r;
    int signal;
    uint64_t before = 0;
    if (want.kind != STEP) {
      if (ptrace(PTRACE_GETREGS, child, 0, &r) < 0) die("getregs");
      before = r.rip;
    }
    do {
      signal = step();
      if (ptrace(PTRACE_GETREGS, child, 0, &r) < 0) die("getregs");
    } while (want.kind != STEP && signal == SIGTRAP && r.rip == before);
    answer.index = i;
    answer.signal = signal;
    if (want.kind == FAULT) {
      if (signal == SIGTRAP && r.rip != want.rip) { answer.what = STOPPED; open = 0; }
    } else if (signal != SIGTRAP) {
      answer.what = STOPPED;
      open = 0;
    } else {
      uint64_t gpr[16];
      from_regs(gpr, &r);
      if (memcmp(gpr, want.gpr, sizeof gpr) != 0 || r.rip != want.rip || ((r.eflags ^ want.rflags) & want.flags) != 0) {
        answer.what = DIFFERENT;
        open = 0;
      } else if (((r.eflags ^ want.rflags) & 0xcd5) != 0) {
        // a flag that the manual leaves undefined: both go on with the machine's
        r.eflags = (r.eflags & ~0xcd5UL) | (want.rflags & 0xcd5);
        r.orig_rax = -1;
        if (ptrace(PTRACE_SETREGS, child, 0, &r) < 0) die("setregs");
      }
    }
    if (open && want.fx) {
      struct user_fpregs_struct native;
      if (ptrace(PTRACE_GETFPREGS, child, 0, &native) < 0) die("getfpregs");
      if (!same_fx((uint8_t *)&native, fx)) { answer.what = DIFFERENT_FX; open = 0; }
    }
    if (!open) {
      from_regs(answer.gpr, &r);
      answer.rip = r.rip;
      answer.rflags = r.eflags;
      if (ptrace(PTRACE_GETFPREGS, child, 0, answer.fx) < 0) die("getfpregs");
    }
  }
  if (open) answer.index = count;
  reply(&answer, sizeof answer);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // the loader of this program has registered memory that the child is going to lose: GLIBC_TUNABLES keeps it from that
  if ((in = open(argv[1], O_RDONLY)) < 0 || (out = open(argv[2], O_WRONLY)) < 0) die("fifo");
  start_child();
  for (char command; receive(&command, 1);) {
    uint64_t a[3];
    switch (command) {
      case 'E': empty(); break;
      case 'M':
        must(a, 24);
        must_inject("mmap", inject(SYS_mmap, a[0], a[1], a[2], MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
        break;
      case 'U': must(a, 16); must_inject("munmap", inject(SYS_munmap, a[0], a[1], 0, 0, 0, 0)); break;
      case 'P': must(a, 24); must_inject("mprotect", inject(SYS_mprotect, a[0], a[1], a[2], 0, 0, 0)); break;
      case 'W': write_memory(); break;
      case 'R': set_state(); break;
      case 'S': run(); break;
      default: fprintf(stderr, "stepper: unknown command %d\n", command); kill(child, SIGKILL); return 3;
    }
  }
  kill(child, SIGKILL);
  return 0;
}
