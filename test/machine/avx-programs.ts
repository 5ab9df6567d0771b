// C programs for the processor of x86-64-v3: loops that the compiler vectorizes, fused arithmetic, string functions that
// the C library chooses by cpuid, calls bound lazily (the loader saves vectors around its work), signals that interrupt
// vector code. What they print is a digest of what they computed.

const RANDOM = `
static unsigned long state = 88172645463325252UL;
static unsigned long next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }
static unsigned long digest = 1469598103934665603UL;
typedef unsigned long any __attribute__((aligned(1), may_alias));
static void mix(const void *p, size_t n) { const unsigned char *c = p; for (; n >= 8; c += 8, n -= 8) { digest = (digest ^ *(const any *)c) * 1099511628211UL; digest ^= digest >> 29; } while (n--) digest = (digest ^ *c++) * 1099511628211UL; }
`;

/** Integer loops over every width, and the bit instructions. */
const INTEGERS = `
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
${RANDOM}
#define N 203
static uint8_t a8[N], b8[N], c8[N]; static int16_t a16[N], b16[N], c16[N]; static int32_t a32[N], b32[N], c32[N], at[N]; static int64_t a64[N], b64[N], c64[N];
#define SHOW(x) (mix(x, sizeof x), printf("%-8s %016lx\\n", #x, digest))
__attribute__((noinline)) void bytes(void) { for (int i = 0; i < N; i++) c8[i] = (a8[i] + b8[i] + 1) >> 1; SHOW(c8); for (int i = 0; i < N; i++) { int s = a8[i] + b8[i]; c8[i] = s > 255 ? 255 : s; } SHOW(c8); for (int i = 0; i < N; i++) c8[i] = a8[i] > b8[i] ? a8[i] - b8[i] : b8[i] ^ 0x55; SHOW(c8); }
__attribute__((noinline)) void words(void) { for (int i = 0; i < N; i++) c16[i] = (a16[i] * b16[i]) >> 16; SHOW(c16); for (int i = 0; i < N; i++) c16[i] = abs(a16[i]) << (i & 7); SHOW(c16); int s = 0; for (int i = 0; i < N; i++) s += a16[i] * b16[i]; mix(&s, 4); }
__attribute__((noinline)) void doubles(void) { for (int i = 0; i < N; i++) c32[i] = a32[i] * b32[i] + (a32[i] >> (b32[i] & 31)) - ((unsigned)a32[i] << (b32[i] & 15)); SHOW(c32); for (int i = 0; i < N; i++) c32[i] = a32[at[i]]; SHOW(c32); for (int i = 0; i < N; i++) if (a32[i] > b32[i]) c32[i] = b32[i] / 3; SHOW(c32); int m = a32[0]; for (int i = 0; i < N; i++) m = a32[i] > m ? a32[i] : m; mix(&m, 4); }
__attribute__((noinline)) void quads(void) { for (int i = 0; i < N; i++) c64[i] = a64[i] * b64[i] + a64[at[i]] - ((uint64_t)b64[i] >> (a64[i] & 63)); SHOW(c64); for (int i = 0; i < N; i++) c64[i] = a32[i] * (int64_t)b32[i]; SHOW(c64); for (int i = 0; i < N; i++) c64[i] = a8[i] + a16[i]; SHOW(c64); }
__attribute__((noinline)) void bits(void) { for (int i = 0; i < N; i++) { uint64_t x = a64[i], y = b64[i]; c64[i] = __builtin_popcountll(x) + 3 * __builtin_clzll(x | 1) + 5 * __builtin_ctzll(y | 1L << 40) + (x & ~y) + (x & -x) + (y & (y - 1)) + (x << (y & 63)) + (x >> 7 | x << 57) + __builtin_bswap64(y) + (uint64_t)(((unsigned __int128)x * y) >> 64); } SHOW(c64); }
int main(void) {
  for (int i = 0; i < N; i++) { a8[i] = next(); b8[i] = next() >> 9; a16[i] = next() >> 5; b16[i] = next() >> 7; a32[i] = next() >> 3; b32[i] = next() >> 11; a64[i] = next(); b64[i] = next(); at[i] = next() % N; }
  bytes(); words(); doubles(); quads(); bits();
  printf("%d %d %d\\n", !!__builtin_cpu_supports("avx2"), !!__builtin_cpu_supports("fma"), !!__builtin_cpu_supports("bmi2"));
  return 0;
}`;

/** Floating-point loops, with contraction to fused operations, and the mathematics of the C library. */
const FLOATS = `
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
${RANDOM}
#define N 61
static float f[N], g[N], h[N]; static double x[N], y[N], z[N], m[3][9][9]; static int n[N]; static long l[N];
#define SHOW(v) (mix(v, sizeof v), printf("%-8s %016lx\\n", #v, digest))
__attribute__((noinline)) void loops(void) {
  for (int i = 0; i < N; i++) h[i] = f[i] * g[i] + h[i]; SHOW(h);
  for (int i = 0; i < N; i++) z[i] = x[i] * y[i] - z[i] / 3; SHOW(z);
  for (int i = 0; i < N; i++) h[i] = sqrtf(fabsf(f[i])) - floorf(g[i] * 8); SHOW(h);
  for (int i = 0; i < N; i++) z[i] = x[i] < y[i] ? x[i] : -y[i]; SHOW(z);
  for (int i = 0; i < N; i++) n[i] = f[i] * 1000; SHOW(n);
  for (int i = 0; i < N; i++) z[i] = n[i] + (double)f[i]; SHOW(z);
  for (int i = 0; i < N; i++) h[i] = x[i] + n[i]; SHOW(h);
  for (int i = 0; i < N; i++) l[i] = y[i] * 1e6; SHOW(l);
  for (int i = 0; i < 9; i++) for (int j = 0; j < 9; j++) { double s = 0; for (int k = 0; k < 9; k++) s += m[0][i][k] * m[1][k][j]; m[2][i][j] = s; } SHOW(m);
}
__attribute__((noinline)) float fast(void) { float s = 0; for (int i = 0; i < N; i++) s += f[i] * g[i]; return s; }
int main(void) {
  for (int i = 0; i < N; i++) { f[i] = (long)next() / 1e18f; g[i] = (long)next() / 3e18f; x[i] = (long)next() / 1e18; y[i] = (long)next() / 7e17; }
  for (int i = 0; i < 81; i++) { m[0][i / 9][i % 9] = (long)next() / 1e18; m[1][i / 9][i % 9] = (long)next() / 1e18; }
  loops();
  printf("%a %a %a\\n", fast(), fma(x[0], y[0], z[0]), fmaf(f[0], g[0], h[0]));
  for (int i = 0; i < 12; i++) printf("%a %a %a %a %a %a %a\\n", sin(x[i]), cos(y[i]), exp(x[i]), log(fabs(y[i])), pow(fabs(x[i]), y[i]), atan(x[i]), tan(y[i]));
  for (int i = 0; i < 6; i++) printf("%a %a %a %a %.17g\\n", sinf(f[i]), expf(g[i]), powf(fabsf(f[i]), 1.5f), exp2f(g[i]), x[i]);
  printf("%a %a %a\\n", floor(x[0]), rint(y[1]), trunc(x[2]));
  return 0;
}`;

/** String and memory functions of all lengths and alignments; the first call of each goes through the loader. */
const STRINGS = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>
${RANDOM}
static char a[8192], b[8192];
__attribute__((noinline)) double lazy(double u, double v) { char t[64]; double w = strtod("2.5", 0); snprintf(t, 64, "%.3f", u * v + w); return atof(t) + u; }
int main(void) {
  for (int i = 0; i < 8192; i++) a[i] = 1 + next() % 255;
  printf("%f\\n", lazy(1.25, 3.5));
  for (int n = 0; n < 300; n += n < 70 ? 1 : 29) {
    int p = next() % 64, q = next() % 64;
    memcpy(b + q, a + p, n); mix(b, 512); memmove(b + q + 5, b + q, n); mix(b, 512); memset(b + p, n, n); mix(b, 512);
    char save = a[p + n]; a[p + n] = 0;
    int c = a[p + n / 2];
    strcpy(b + q, a + p);
    long r[] = { strlen(a + p), strnlen(a + p, n / 2), (char *)memchr(a + p, c, n + 1) - a, strchr(a + p, c) - a, strrchr(a + p, c) - a, strchrnul(a + p, 7) - a, (char *)memrchr(a + p, c, n + 1) - a, (char *)rawmemchr(a + p, c) - a, strcmp(b + q, a + p) == 0, memcmp(b + q, a + p, n) == 0, strncmp(b + q, a + p, n) == 0, strcasecmp(b + q, a + p), strspn(a + p, "abcdefgh"), strcspn(a + p, "xyz"), (long)strpbrk(a + p, "\\1\\2\\3") == 0 };
    if (n > 3) { b[q + n - 2] ^= 1; r[8] = strcmp(b + q, a + p) > 0; r[9] = memcmp(b + q, a + p, n) > 0; r[10] = strncmp(b + q, a + p, n - 2); }
    mix(r, sizeof r); strcat(b, "end"); mix(b, 512);
    a[p + n] = save;
  }
  memcpy(b, a, 8000); memmove(b + 100, b, 7000); memmove(b, b + 33, 7000); mix(b, 8192);
  printf("%016lx %s\\n", digest, strstr("the quick brown fox jumps over", "fox j"));
  wchar_t w[200]; wmemset(w, L'x', 199); w[199] = 0; printf("%zu %td\\n", wcslen(w), wmemchr(w, 0, 200) - w);
  return 0;
}`;

/** A handler that ruins all vector registers while a loop has its sums in them; and threads of execution that change. */
const SIGNALS = `
#define _GNU_SOURCE
#include <immintrin.h>
#include <signal.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
static int frames, flagged; static jmp_buf out;
static void ruin(int signal, siginfo_t *info, void *context) {
  ucontext_t *uc = context; frames++;
  if (uc->uc_flags & 1) flagged++;
  if (signal == SIGUSR1) { unsigned size = *(unsigned *)((char *)uc->uc_mcontext.fpregs + 464 + 4); flagged += size >= 836; }
  __asm__ volatile("vpcmpeqb %%ymm0,%%ymm0,%%ymm0; vmovdqa %%ymm0,%%ymm1; vmovdqa %%ymm0,%%ymm2; vmovdqa %%ymm0,%%ymm9; vmovdqa %%ymm0,%%ymm15" ::: "xmm0", "xmm1", "xmm2", "xmm9", "xmm15");
  if (signal == SIGFPE) siglongjmp(out, 1);
}
int main(void) {
  struct sigaction action = { .sa_sigaction = ruin, .sa_flags = SA_SIGINFO }; sigaction(SIGUSR1, &action, 0); sigaction(SIGFPE, &action, 0);
  long values[4] = { 1, -2, 3, -4 }, sums[4];
  int pid = getpid();
  for (int round = 0; round < 3; round++) {
    __asm__ volatile("vmovdqu %1,%%ymm9; vmovdqu %1,%%ymm15; movl %2,%%edi; movl %3,%%esi; movl $62,%%eax; syscall; vpaddq %%ymm9,%%ymm15,%%ymm9; vmovdqu %%ymm9,%0; vzeroupper" : "=m"(sums) : "m"(values), "r"(pid), "i"(SIGUSR1) : "rax", "rdi", "rsi", "rcx", "r11", "xmm9", "xmm15", "memory");
    printf("%ld %ld %ld %ld\\n", sums[0], sums[1], sums[2], sums[3]);
  }
  _mm_setcsr(_mm_getcsr() & ~0x200);
  if (sigsetjmp(out, 1) == 0) { volatile __m256d zero = _mm256_setzero_pd(), one = _mm256_set1_pd(1); volatile __m256d r = _mm256_div_pd(one, zero); (void)r; puts("not here"); }
  printf("%d %d\\n", frames, flagged);
  if (fork() == 0) { __m256i v = _mm256_set1_epi32(7); volatile __m256i w = _mm256_mullo_epi32(v, v); printf("child %d\\n", ((volatile int *)&w)[7]); fflush(stdout); _exit(0); }
  wait(0);
  return 0;
}`;

/** Instructions that compilers use by intrinsics only. */
const INTRINSICS = `
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
${RANDOM}
static int32_t table[64]; static double reals[32];
int main(void) {
  for (int i = 0; i < 64; i++) table[i] = next(); for (int i = 0; i < 32; i++) reals[i] = (long)next() / 1e17;
  __m256i v = _mm256_loadu_si256((void *)table), w = _mm256_loadu_si256((void *)(table + 9)), r[24]; int k = 0;
  __m256i index = _mm256_and_si256(v, _mm256_set1_epi32(63));
  r[k++] = _mm256_i32gather_epi32(table, index, 4);
  r[k++] = _mm256_mask_i32gather_epi32(w, table, index, v, 4);
  r[k++] = _mm256_permutevar8x32_epi32(v, w); r[k++] = _mm256_permute4x64_epi64(v, 0x1b); r[k++] = _mm256_permute2x128_si256(v, w, 0x21); r[k++] = _mm256_permute2x128_si256(v, w, 0x83);
  r[k++] = _mm256_sllv_epi32(v, index); r[k++] = _mm256_srlv_epi64(v, index); r[k++] = _mm256_srav_epi32(v, _mm256_srli_epi32(index, 1));
  r[k++] = _mm256_shuffle_epi8(v, w); r[k++] = _mm256_alignr_epi8(v, w, 5); r[k++] = _mm256_mpsadbw_epu8(v, w, 0x2b); r[k++] = _mm256_sad_epu8(v, w); r[k++] = _mm256_maddubs_epi16(v, w);
  r[k++] = _mm256_blendv_epi8(v, w, index); r[k++] = _mm256_packus_epi32(v, w); r[k++] = _mm256_hadd_epi16(v, w); r[k++] = _mm256_mulhrs_epi16(v, w);
  r[k++] = _mm256_broadcastw_epi16(_mm256_castsi256_si128(w)); r[k++] = _mm256_cvtepu8_epi64(_mm256_castsi256_si128(w)); r[k++] = _mm256_slli_si256(v, 3);
  r[k++] = _mm256_maskload_epi32(table + 60, _mm256_setr_epi32(-1, -1, -1, -1, 0, 0, 0, 0));
  _mm256_maskstore_epi32(table + 20, w, v);
  __m256d x = _mm256_loadu_pd(reals), y = _mm256_loadu_pd(reals + 7), z = _mm256_fmaddsub_pd(x, y, _mm256_i64gather_pd(reals, _mm256_set_epi64x(3, 1, 30, 4), 8));
  __m256 f = _mm256_set_m128(_mm256_cvtpd_ps(x), _mm256_cvtpd_ps(y)), g = _mm256_round_ps(_mm256_mul_ps(f, _mm256_set1_ps(3.3f)), 9);
  g = _mm256_add_ps(g, _mm256_dp_ps(f, f, 0xf5)); g = _mm256_addsub_ps(g, _mm256_rsqrt_ps(_mm256_setzero_ps()));
  __m128i half = _mm256_cvtps_ph(f, 0); __m256 back = _mm256_cvtph_ps(half);
  printf("%x %x %d %d\\n", _mm256_movemask_epi8(r[0]), _mm256_movemask_pd(_mm256_cmp_pd(x, y, 29)), _mm256_testc_si256(v, w), _mm256_testz_ps(f, g));
  mix(r, sizeof r[0] * k); mix(&z, 32); mix(&g, 32); mix(&half, 16); mix(&back, 32); mix(table, sizeof table);
  printf("%016lx %lx %lx %lx\\n", digest, _pdep_u64(next(), next()), _pext_u64(next(), next()), (long)_bextr_u64(next(), 5, 17));
  return 0;
}`;

export interface AvxProgram {
  readonly name: string;
  readonly level: 'x86-64-v2' | 'x86-64-v3';
  readonly source: string;
  readonly flags: readonly string[];
}

const V2 = ['-O3', '-march=x86-64-v2'];
const V3 = ['-O3', '-march=x86-64-v3'];
/** Of -ffast-math what does not bring in approximate reciprocals, which differ between processors. */
const REORDERING = ['-fassociative-math', '-fno-signed-zeros', '-fno-trapping-math', '-fno-math-errno'];

export const AVX_PROGRAMS: readonly AvxProgram[] = [
  { level: 'x86-64-v3', name: 'integer loops', source: INTEGERS, flags: V3 },
  {
    level: 'x86-64-v3',
    name: 'floating-point loops and mathematics',
    source: FLOATS,
    flags: [...V3, ...REORDERING, '-lm'],
  },
  { level: 'x86-64-v3', name: 'floating-point loops, strictly', source: FLOATS, flags: [...V3, '-lm'] },
  {
    level: 'x86-64-v3',
    name: 'strings and lazy binding',
    source: STRINGS,
    flags: [...V3, '-fno-builtin', '-Wl,-z,lazy'],
  },
  { level: 'x86-64-v3', name: 'signals', source: SIGNALS, flags: V3 },
  { level: 'x86-64-v3', name: 'intrinsics', source: INTRINSICS, flags: V3 },
  {
    level: 'x86-64-v2',
    name: 'strings and lazy binding',
    source: STRINGS,
    flags: [...V2, '-fno-builtin', '-Wl,-z,lazy'],
  },
];
