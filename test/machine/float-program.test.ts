// A whole program that lives on floats, with the C library's printf, strtod and mathematics in double, single and
// extended precision: its output in the machine is what it is on the processor.
import assert from 'node:assert/strict';
import test from 'node:test';
import { addProgram, compile, hasTool, runGuest, runNative, treeBuilder } from '../linux/guest.ts';

const SOURCE = `
#include <complex.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long state = 88172645463325252UL;
static unsigned long next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }

int main(void) {
  for (int i = 0; i < 12; i++) {
    union { unsigned long bits; double number; } v = { next() };
    char text[64];
    long double wide = (long double)v.number * 1.000000001L;
    printf("%f %e %g %a %.20Lg %La\\n", (double)(long)(next() % 1000000) / 997, v.number, v.number, v.number, wide, wide);
    sprintf(text, "%.17g", v.number);
    printf("%a %a %La\\n", strtod(text, 0), (double)strtof(text, 0), strtold(text, 0));
  }
  for (int i = 1; i < 10; i++) {
    double x = i * 2.37 - 9, y = fabs(x);
    long double l = i * 3.731L - 20, m = fabsl(l);
    printf("%a %a %a %a %a %a\\n", sin(x), cos(x), tan(x), exp(x), log(y), pow(y, 1.7));
    printf("%La %La %La %La %La %La %La\\n", sinl(l), expl(l), logl(m), powl(m, 1.3L), atan2l(l, 2), fmodl(l, 0.7L), sqrtl(m));
    printf("%ld %ld %lld %a %a %a\\n", lrint(x), lround(x), llrintl(l), rint(x), floor(x), cabs(csqrt(x + I * y)));
  }
  volatile double one = 1, three = 3, zero = 0;
  fesetround(FE_UPWARD);
  printf("%a %La\\n", one / three, (long double)one / (long double)three);
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);
  volatile double infinite = one / zero;
  printf("%a %x\\n", infinite, fetestexcept(FE_ALL_EXCEPT));
  return 0;
}
`;

/** Keeps the C library from functions for extensions that the guest does not have: they round otherwise. */
const BASELINE = { GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4,-SSE4_1,-SSE4_2,-SSSE3' };

test('a program that computes and prints floats', (t) => {
  if (!hasTool('gcc')) {
    t.skip('needs gcc');
    return;
  }
  const path = compile(SOURCE, { flags: ['-O2', '-march=x86-64', '-frounding-math', '-lm'] });
  const native = runNative(path, [], BASELINE);
  const guest = runGuest(addProgram(treeBuilder(), path, '/floats'), { argv: ['/floats'] });
  assert.deepEqual(guest.stop, { kind: 'exited', status: 0 });
  assert.equal(guest.stdout, native.stdout);
});
